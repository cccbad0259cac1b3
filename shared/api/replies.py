"""Answers of the plain resources: JSON or CSV with an ETag and the snapshot they come from; 304 when unchanged."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from shared.errors import InvalidParameterError

Numbers = Literal["string", "number"]

REVALIDATED = "private, max-age=0, must-revalidate"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


class Asked(BaseModel):
    """Query parameters; an unknown one is an error, because a misspelt filter would silently be no filter."""

    model_config = ConfigDict(extra="forbid")


class AtAsked(Asked):
    """Which state of the lake is asked."""

    snapshot: Annotated[int | None, Field(ge=1, le=2**62, description="A snapshot's id; default the newest.")] = None
    as_of: Annotated[
        datetime | None, Field(description="The newest snapshot at this instant (ISO 8601; UTC when it has no offset).")
    ] = None

    @property
    def at(self) -> dict[str, Any]:
        """``snapshot`` and ``as_of`` as use cases take them. Raises InvalidParameterError when both are given."""
        if self.snapshot is not None and self.as_of is not None:
            raise InvalidParameterError("snapshot: ask for a snapshot or a time, not for both")
        moment = self.as_of if self.as_of is None or self.as_of.tzinfo else self.as_of.replace(tzinfo=UTC)
        return {"snapshot": self.snapshot, "as_of": moment}


class ListAsked(AtAsked):
    """One page of a list."""

    limit: Annotated[int | None, Field(description="Rows of a page; default 100.")] = None
    cursor: Annotated[str | None, Field(description="`next` of the page before; keeps to its snapshot.")] = None


AtQuery = Annotated[AtAsked, Query()]
ListQuery = Annotated[ListAsked, Query()]


def plain(value: Any, numbers: Numbers = "string") -> Any:
    """A value as JSON has it: exact decimals as text (or as numbers), instants in UTC with Z, anything odd as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Decimal):
        # Nine digits before the point and four behind fit a float exactly; who needs more takes the text.
        return str(value) if numbers == "string" else float(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(name): plain(item, numbers) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, numbers) for item in value]
    return str(value)


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
    content = _dumped(plain(body, numbers)).encode()
    return _reply(request, content, media="application/json", status=status, snapshot=snapshot, headers=headers)


def csv_reply(
    request: Request,
    columns: Sequence[str],
    rows: Iterable[Mapping[str, Any]],
    *,
    snapshot: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A CSV answer (RFC 4180): a header, then rows; text that a spreadsheet would run gets a ' in front."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_cell(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    content = out.getvalue().encode()
    return _reply(request, content, media="text/csv; charset=utf-8", snapshot=snapshot, headers=headers)


def next_link(request: Request, cursor: str | None) -> dict[str, str]:
    """The Link header to the next page, relative so that no proxy's name is needed."""
    if cursor is None:
        return {}
    query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    return {"Link": f'<{request.url.path}?{urlencode([*query, ("cursor", cursor)])}>; rel="next"'}


def wants_csv(request: Request, format: str | None) -> bool:
    """By ``?format=`` first, then by Accept. Raises InvalidParameterError."""
    if format is not None and format not in ("json", "csv"):
        raise InvalidParameterError("format: one of json, csv")
    accept = request.headers.get("accept", "")
    return format == "csv" or (format is None and "text/csv" in accept and "application/json" not in accept)


def _reply(
    request: Request,
    content: bytes,
    *,
    media: str,
    status: int = 200,
    snapshot: int | None,
    headers: Mapping[str, str] | None,
) -> Response:
    headers = dict(headers or {})
    if snapshot is not None:
        headers["Teal-Snapshot"] = str(snapshot)
    if request.method in ("GET", "HEAD") and status == 200:
        headers.setdefault("ETag", f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        headers.setdefault("Cache-Control", REVALIDATED)
        headers["Vary"] = "Accept"
        if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(None, 304, headers)
    return Response(content, status, headers, media)


def matches(given: str, etag: str) -> bool:
    """Whether a list of ETags, as ``If-None-Match`` has it, names this one (weakly compared, RFC 9110)."""
    return any(one.strip().removeprefix("W/") in (etag, "*") for one in given.split(","))


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    made = format(value, "f") if isinstance(value, Decimal) else plain(value)
    return _dumped(made) if isinstance(made, (dict, list)) else made
