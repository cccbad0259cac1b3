"""Questions over HTTP: one route per registered question, made from its class; HTTP and nothing else.

Annotations are not postponed in this file: FastAPI has to see the classes that are made while it runs.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field, create_model
from starlette.responses import JSONResponse, Response

from shared.answers.encode import MEDIA_TYPES, Format, Numbers
from shared.api.auth import GuardedRoute
from shared.api.formats import wanted
from shared.datasets.question import QUESTIONS, Question
from shared.datasets.questions import (  # noqa: F401 - defining a question registers it
    customers_cohorts,
    customers_detail,
    customers_loyalty,
    customers_new,
    customers_rfm,
    events_conversion,
    events_funnel,
    events_sessions,
    operations,
    products,
    products_affinity,
    products_detail,
    products_recommendations,
    sales,
    sales_heatmap,
    sales_returns,
)
from shared.datasets.questions.definitions import definition, described, names
from shared.errors import InvalidParameterError
from shared.keys import Principal
from shared.query import Answer, Asked, AskQuestion

_OWN: dict[str, Any] = {
    "snapshot": (
        Annotated[int | None, Field(ge=1, le=2**62, description="A snapshot's id; default the newest.")],
        None,
    ),
    "as_of": (Annotated[datetime | None, Field(description="The newest snapshot at this instant (ISO 8601).")], None),
    "format": (Annotated[Format | None, Field(description="json, csv, parquet or arrow; default by Accept.")], None),
    "numbers": (Annotated[Numbers, Field(description="JSON decimals as exact strings, or as numbers.")], "string"),
    "limit": (Annotated[int | None, Field(description="Rows of a page.")], None),
    "cursor": (Annotated[str | None, Field(max_length=4096, description="`next` of the page before.")], None),
    "dry_run": (Annotated[bool, Field(description="Only say what asking would read and cost.")], False),
}


def question_router(ask: AskQuestion, principal: Callable[..., Any]) -> APIRouter:
    """GET and HEAD of every question, the list of them, and their definitions."""
    router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)
    for name, question in QUESTIONS.items():
        _add(router, ask, principal, name, question)

    @router.get("/questions", summary="All questions")
    def list_questions() -> Response:
        """Names, titles and parameters of every question."""
        return JSONResponse({"questions": [described(question) for question in QUESTIONS.values()]})

    @router.get("/definitions", summary="What every number means")
    def list_definitions() -> Response:
        """Definition, parameters and SQL of every question, and formula and source of every metric."""
        return JSONResponse({"definitions": [definition(name) for name in names()]})

    @router.get("/definitions/{name:path}", summary="What a question's numbers, or one metric, mean")
    def get_definition(name: str) -> Response:
        """The same text as the page of the documentation, in Markdown, and its parts."""
        return JSONResponse(definition(name))

    return router


def _add(
    router: APIRouter, ask: AskQuestion, principal: Callable[..., Any], name: str, question: type[Question]
) -> None:
    # The question's own fields and ours are one flat set of parameters, and a name in neither is refused.
    parameters: Any = create_model(f"{question.__name__}Parameters", __base__=question, **_OWN)

    def answer(
        request: Request,
        asked: Annotated[Any, Query()],
        asker: Annotated[Principal, Depends(principal)],
    ) -> Response:
        given = asked.model_dump(by_alias=True, exclude=set(_OWN))
        question_asked = Asked(
            question=question.model_validate(given),
            tenant=asker.tenant,
            snapshot=asked.snapshot,
            as_of=_instant(asked.as_of, asked.snapshot),
            format=wanted(request, asked.format),
            numbers=asked.numbers,
            limit=asked.limit,
            cursor=asked.cursor,
            if_none_match=request.headers.get("if-none-match", ""),
            sees_personal="admin" in asker.scopes,
        )
        if asked.dry_run:
            return JSONResponse(ask.quote(question_asked))
        return _response(request, ask(question_asked))

    answer.__annotations__["asked"] = Annotated[parameters, Query()]
    router.add_api_route(f"/{name}", answer, methods=["HEAD"], response_class=Response, include_in_schema=False)
    router.add_api_route(
        f"/{name}",
        answer,
        methods=["GET"],
        summary=question.title,
        description=question.__doc__,
        name=name,
        operation_id=name.replace("/", "_").replace("-", "_"),
        response_class=Response,
        responses={200: {"content": {media.split(";")[0]: {} for media in MEDIA_TYPES.values()}}, 303: {}, 304: {}},
    )


def _response(request: Request, answer: Answer) -> Response:
    receipt = answer.receipt
    headers = {
        "ETag": answer.etag,
        "Teal-Snapshot": str(answer.snapshot),
        "Cache-Control": "private, max-age=31536000, immutable"
        if answer.pinned
        else "private, max-age=0, must-revalidate",
        "Vary": "Accept",
        "Server-Timing": ", ".join(f"{phase};dur={ms:.1f}" for phase, ms in answer.timing.items()) or "cache;dur=0",
        "Teal-Receipt": f"bytes={receipt.bytes_read}, requests={receipt.requests}, ms={receipt.milliseconds:.1f}, "
        f"cost_usd={receipt.dollars:.9f}",
    }
    if answer.cursor is not None:
        following = request.url.include_query_params(cursor=answer.cursor)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if answer.content is None:
        return Response(None, 304, headers)
    return Response(answer.content, 200, headers, answer.media_type)


def _instant(as_of: datetime | None, snapshot: int | None) -> datetime | None:
    if as_of is not None and snapshot is not None:
        raise InvalidParameterError("snapshot: ask for a snapshot or a time, not for both")
    return as_of.replace(tzinfo=UTC) if as_of is not None and as_of.tzinfo is None else as_of
