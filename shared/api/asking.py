"""How any question is asked over HTTP: what every one takes beside its own parameters, and the reply to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from anyio import from_thread
from fastapi import Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from shared.answers.encode import MEDIA_TYPES, Format, Numbers
from shared.api.formats import wanted
from shared.api.later import ACCEPTED, is_for_later, later
from shared.api.used import spent_on
from shared.asked import Answer, Asked
from shared.datasets.question import Question
from shared.keys import Principal
from shared.query import AskQuestion
from shared.values import LARGEST_WHOLE

OWN: dict[str, Any] = {
    "snapshot": (
        Annotated[int | None, Field(ge=1, le=LARGEST_WHOLE, description="A snapshot's id; default the newest.")],
        None,
    ),
    "as_of": (Annotated[datetime | None, Field(description="The newest snapshot at this instant (ISO 8601).")], None),
    "format": (Annotated[Format | None, Field(description="json, csv, parquet or arrow; default by Accept.")], None),
    "numbers": (Annotated[Numbers, Field(description="JSON decimals as exact strings, or as numbers.")], "string"),
    "limit": (Annotated[int | None, Field(ge=1, description="Rows of a page.")], None),
    "cursor": (Annotated[str | None, Field(max_length=4096, description="`next` of the page before.")], None),
    "dry_run": (Annotated[bool, Field(description="Only say what asking would read and cost.")], False),
}
"""Fields that stand beside a question's own ones."""

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media.split(";")[0]: {} for media in MEDIA_TYPES.values()}},
    202: ACCEPTED,
    303: {},
    304: {},
}


def reply_to(request: Request, ask: AskQuestion, asked: Asked, *, dry_run: bool) -> Response:
    """The answer, the quote of a dry run, or a job where the answer may come later."""
    # Told before it is asked, so that also what fails has its name.
    request.state.asked = spent_on(asked)
    if dry_run:
        return JSONResponse(ask.quote(asked))
    if is_for_later(request):
        return later(request, asked, _response)
    answer = ask(asked)
    request.state.asked = spent_on(asked, answer)
    return _response(request, answer)


def asked_of(request: Request, asker: Principal, question: Question, told: Any, **at: Any) -> Asked:
    """A question with what a request says beside it: ``told`` has the fields of OWN, ``at`` names the snapshot."""
    reads = request.method in ("GET", "HEAD")
    return Asked.by(
        asker,
        question,
        format=wanted(request, told.format),
        numbers=told.numbers,
        limit=told.limit,
        cursor=told.cursor,
        if_none_match=request.headers.get("if-none-match", "") if reads else "",
        is_awaited=lambda: not from_thread.run(request.is_disconnected),
        **at,
    )


def _response(request: Request, answer: Answer) -> Response:
    receipt = answer.receipt
    headers = {
        "ETag": answer.etag,
        "Teal-Snapshot": str(answer.snapshot),
        "Cache-Control": "private, max-age=31536000, immutable"
        if answer.pinned
        else "private, max-age=0, must-revalidate",
        "Vary": "Accept, Prefer",
        "Server-Timing": ", ".join(f"{phase};dur={ms:.1f}" for phase, ms in answer.timing.items()) or "cache;dur=0",
        "Teal-Receipt": f"bytes={receipt.bytes_read}, requests={receipt.requests}, ms={receipt.milliseconds:.1f}, "
        f"cost_usd={receipt.dollars:.9f}",
    }
    if answer.cursor is not None and request.method != "POST":
        following = request.url.include_query_params(cursor=answer.cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if answer.content is None:
        return Response(None, 304, headers)
    return Response(answer.content, 200, headers, answer.media_type)
