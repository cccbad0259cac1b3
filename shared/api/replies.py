"""Answers of the plain resources: JSON with an ETag and the snapshot they come from; 304 when unchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from shared.answers.encode import Numbers, dumped
from shared.answers.etags import matches
from shared.asked import instant_of
from shared.values import LARGEST_WHOLE

REVALIDATED = "private, max-age=0, must-revalidate"


class Asked(BaseModel):
    """Query parameters; an unknown one is an error, because a misspelt filter would silently be no filter."""

    model_config = ConfigDict(extra="forbid")


class AtAsked(Asked):
    """Which state of the lake is asked."""

    snapshot: Annotated[
        int | None, Field(ge=1, le=LARGEST_WHOLE, description="A snapshot's id; default the newest.")
    ] = None
    as_of: Annotated[
        datetime | None, Field(description="The newest snapshot at this instant (ISO 8601; UTC when it has no offset).")
    ] = None

    @property
    def at_some_time(self) -> bool:
        """Whether a state is named, so that the same bytes are answered for as long as there is that state."""
        return self.snapshot is not None or self.as_of is not None

    @property
    def at(self) -> dict[str, Any]:
        """``snapshot`` and ``as_of`` as use cases take them. Raises InvalidParameterError when both are given."""
        return {"snapshot": self.snapshot, "as_of": instant_of(self.as_of, self.snapshot)}


class ListAsked(AtAsked):
    """One page of a list."""

    limit: Annotated[int | None, Field(ge=1, description="Rows of a page; default 100.")] = None
    cursor: Annotated[
        str | None, Field(max_length=4096, description="`next` of the page before; keeps to its snapshot.")
    ] = None


AtQuery = Annotated[AtAsked, Query()]
ListQuery = Annotated[ListAsked, Query()]


def json_reply(
    request: Request,
    body: Mapping[str, Any],
    *,
    status: int = 200,
    snapshot: int | None = None,
    headers: Mapping[str, str] | None = None,
    numbers: Numbers = "string",
) -> Response:
    """A JSON answer; on GET with an ETag over its bytes, and 304 when the caller has them."""
    content, told = dumped(body, numbers), dict(headers or {})
    if snapshot is not None:
        told["Teal-Snapshot"] = str(snapshot)
    if request.method in ("GET", "HEAD") and status == 200:
        told.setdefault("ETag", f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        told.setdefault("Cache-Control", REVALIDATED)
        told["Vary"] = "Accept"
        if matches(request.headers.get("if-none-match", ""), told["ETag"]):
            return Response(None, 304, told)
    return Response(content, status, told, "application/json")


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header to the next page, relative so that no proxy's name is needed."""
    if cursor is None:
        return {}
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return {"Link": f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'}


__all__ = [
    "Asked",
    "AtAsked",
    "AtQuery",
    "ListAsked",
    "ListQuery",
    "Numbers",
    "json_reply",
    "matches",
    "next_link",
]
