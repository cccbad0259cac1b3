"""The schema of a lake over HTTP: for tools that write SQL, and for the prompts of language models."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from shared.answers.etags import matches
from shared.api.auth import Asker, GuardedRoute
from shared.api.replies import REVALIDATED, AtAsked, json_reply
from shared.describe_lake import DescribeLake
from shared.lake_ddl import ddl_of

_SQL_MEDIA = ("application/sql", "text/plain")


class SchemaAsked(AtAsked):
    """Which state of the lake, and as what."""

    format: Annotated[
        Literal["json", "sql"] | None, Field(description="json, or sql: CREATE TABLE with comments; default by Accept.")
    ] = None


def schema_router(describe: DescribeLake) -> APIRouter:
    """What needs the scope `read`."""
    router = APIRouter(prefix="/v1", tags=["datasets"], route_class=GuardedRoute)

    @router.get(
        "/schema",
        summary="What can be asked",
        response_class=Response,
        responses={200: {"content": {"application/json": {}, "text/plain": {}}}, 304: {}},
    )
    def get_schema(request: Request, asker: Asker, asked: Annotated[SchemaAsked, Query()]) -> Response:
        """Every dataset with its columns, keys and references, the published questions, and what SQL may do and take.

        It is as the key may know it: columns that are empty for it are `masked`, `partial` says that it sees some of
        the rows alone. With `format=sql`, or `Accept: text/plain`, as CREATE TABLE statements with comments.
        """
        schema = describe(asker, **asked.at)
        if (asked.format or _accepted(request)) == "json":
            return json_reply(request, schema.document(), snapshot=schema.snapshot)
        return _text(request, ddl_of(schema), schema.snapshot)

    return router


def _accepted(request: Request) -> str:
    for part in request.headers.get("accept", "").split(","):
        media = part.split(";")[0].strip().lower()
        if media == "application/json" or media in _SQL_MEDIA:
            return "sql" if media in _SQL_MEDIA else "json"
    return "json"


def _text(request: Request, text: str, snapshot: int) -> Response:
    content = text.encode()
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": REVALIDATED, "Vary": "Accept", "Teal-Snapshot": str(snapshot)}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(None, 304, headers)
    return Response(content, 200, headers, "text/plain; charset=utf-8")
