"""SQL over HTTP: one SELECT, asked as any question is, by keys with the scope `sql`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Request
from pydantic import ConfigDict, create_model
from starlette.responses import Response

from shared.api.asking import OWN, RESPONSES, asked_of, reply_to
from shared.api.auth import Asker, GuardedRoute
from shared.api.later import ASYNC, is_for_later
from shared.ask_sql import AskSql
from shared.asked import instant_of
from shared.stranger_sql.ad_hoc import SqlQuestion

_FIELDS: dict[str, Any] = {name: (told.annotation, told) for name, told in SqlQuestion.model_fields.items()} | OWN
SqlRequest: Any = create_model("SqlRequest", __config__=ConfigDict(extra="forbid"), **_FIELDS)
"""SQL, the values of its parameters, and what every question takes."""


def sql_router(ask_sql: AskSql) -> APIRouter:
    """What needs the scope `sql`."""
    router = APIRouter(prefix="/v1", tags=["sql"], route_class=GuardedRoute)

    def answer(request: Request, asker: Asker, told: Annotated[Any, Body()]) -> Response:
        """One SELECT over the tenant's datasets, as they were at one snapshot.

        Values go into `parameters` and never into the text: `WHERE country = $country`. Rows have a total order, so
        that pages fit together: that of the SELECT, then by all columns. Columns marked `personal` are empty for keys
        without `admin`. What the SELECT may do, and what it may take, is told by the problem when it is too much.
        """
        question, snapshot = ask_sql.find(
            asker.tenant,
            SqlQuestion(sql=told.sql, parameters=told.parameters),
            snapshot=told.snapshot,
            as_of=instant_of(told.as_of, told.snapshot),
            cursor=told.cursor,
            needs_tables=told.dry_run,
            counts_bytes=asker.limits.counts_bytes,
            runs_here=not is_for_later(request),
        )
        asked = asked_of(request, asker, question, told, snapshot=snapshot, was_newest=told.snapshot is None)
        return reply_to(request, ask_sql.ask, asked, dry_run=told.dry_run)

    answer.__annotations__["told"] = Annotated[SqlRequest, Body()]
    responses = {status: told for status, told in RESPONSES.items() if status != 304}
    router.add_api_route(
        "/sql",
        answer,
        methods=["POST"],
        summary="Ask SQL",
        response_class=Response,
        responses=responses,
        openapi_extra=ASYNC,
    )
    return router
