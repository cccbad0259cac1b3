"""The rows of a dataset over HTTP: list, get, and edits that are committed like any upload."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Path, Request
from pydantic import Field
from starlette.responses import Response

from shared.answers.encode import Format
from shared.api.auth import Asker, GuardedRoute
from shared.api.formats import MEDIA, csv_reply, file_reply, wanted
from shared.api.replies import AtQuery, ListAsked, Numbers, json_reply, next_link
from shared.api.uploads import checked, upload_reply
from shared.datasets.filters import OPERATORS
from shared.edits import MAX_ROWS_PER_EDIT, Edited, EditRows
from shared.row_table import Filter
from shared.rows import Rows, RowsAsked, RowsFound, etag_of

Key = Annotated[
    str, Path(description="The row's key, percent-encoded; parts of a key of several columns are joined by commas.")
]
Row = Annotated[dict[str, Any], Body(description="Values by column name.")]
RowOrRows = Annotated[
    dict[str, Any]
    | Annotated[list[dict[str, Any]], Field(json_schema_extra={"minItems": 1, "maxItems": MAX_ROWS_PER_EDIT})],
    Body(description=f"A row, or up to {MAX_ROWS_PER_EDIT:,} of them."),
]
IfMatch = Annotated[str, Header(alias="If-Match", description="The ETag you read: refused when the row has changed.")]
IfNoneMatch = Annotated[str, Header(alias="If-None-Match", description="`*`: refused when there is such a row.")]


class RowsQuery(ListAsked):
    """Everything of the query that is not a filter."""

    order: Annotated[str, Field(description="Columns, separated by commas; `-` before one: descending.")] = ""
    columns: Annotated[str, Field(description="Only these columns, separated by commas.")] = ""
    format: Annotated[Format | None, Field(description="json, csv, parquet or arrow; default by Accept.")] = None
    numbers: Annotated[Numbers, Field(description="Exact decimals as strings, or as JSON numbers.")] = "string"


_RESERVED = frozenset(RowsQuery.model_fields)
_FILTERS = (
    "Filters: `column=value`, or `column__op=value` with op one of "
    + ", ".join(OPERATORS)
    + " (`in`: values separated by commas; `null`: true or false). A column whose name is taken by a parameter is "
    "asked as `name__eq`."
)


def row_router(rows: Rows, edits: EditRows) -> APIRouter:
    """The routes under /v1/datasets/{dataset}/rows."""
    router = APIRouter(prefix="/v1/datasets/{dataset}/rows", tags=["rows"], route_class=GuardedRoute)

    @router.get(
        "",
        summary="Rows of a dataset",
        description=_FILTERS,
        response_class=Response,
        responses={200: {"content": {media: {} for media in MEDIA}}, 304: {}},
        openapi_extra={"parameters": _parameters()},
    )
    def list_rows(request: Request, asker: Asker, dataset: str) -> Response:
        query = request.query_params
        told = checked(RowsQuery, {name: query[name] for name in query if name in _RESERVED}, "query")
        format = wanted(request, told.format)
        asked = RowsAsked(
            filters=tuple(Filter(name, text) for name, text in query.multi_items() if name not in _RESERVED),
            order=_names(told.order),
            columns=_names(told.columns),
            limit=told.limit,
            cursor=told.cursor,
            format=format,
            **told.at,
        )
        found = rows.find(asker, dataset, asked)
        headers = next_link(request, found.next)
        if format == "json":
            body = {"dataset": dataset, **_told(found), "rows": found.rows, "next": found.next}
            return json_reply(request, body, snapshot=found.snapshot, headers=headers, numbers=told.numbers)
        if format == "csv":
            return csv_reply(request, list(found.types), found.rows, snapshot=found.snapshot, headers=headers)
        return file_reply(request, found.file, format, snapshot=found.snapshot, headers=headers)

    @router.post("", summary="Add or replace rows")
    def add_rows(
        request: Request,
        asker: Asker,
        dataset: str,
        body: RowOrRows,
    ) -> Response:
        """By key, in one commit. Rows that break a rule are named in `errors`; the others are in."""
        edited = edits.add(asker, dataset, body if isinstance(body, list) else [body])
        return _edited(request, edited, None)

    @router.get("/{key:path}", summary="One row")
    def get_row(request: Request, asker: Asker, dataset: str, key: Key, asked: AtQuery) -> Response:
        """Its ETag stays the same while the row does."""
        found = rows.get(asker, dataset, key, **asked.at)
        headers = {"ETag": etag_of(found)}
        body = {"dataset": dataset, **_told(found), "row": found.rows[0]}
        return json_reply(request, body, snapshot=found.snapshot, headers=headers)

    @router.put("/{key:path}", summary="Create or replace a row")
    def put_row(
        request: Request,
        asker: Asker,
        dataset: str,
        key: Key,
        *,
        body: Row,
        if_match: IfMatch = "",
        if_none_match: IfNoneMatch = "",
    ) -> Response:
        """A column that is not given becomes empty, or its default; the key comes from the address."""
        edited = edits.put(asker, dataset, key, body, if_match=if_match, if_none_match=if_none_match)
        return _edited(request, edited, edited.row)

    @router.patch("/{key:path}", summary="Change columns of a row")
    def patch_row(
        request: Request, asker: Asker, dataset: str, key: Key, *, body: Row, if_match: IfMatch = ""
    ) -> Response:
        """The other columns stay; null empties one (JSON merge patch, RFC 7396)."""
        edited = edits.patch(asker, dataset, key, body, if_match=if_match)
        return _edited(request, edited, edited.row)

    @router.delete("/{key:path}", summary="Delete a row")
    def delete_row(request: Request, asker: Asker, dataset: str, key: Key, if_match: IfMatch = "") -> Response:
        """Older snapshots still have it."""
        return _edited(request, edits.delete(asker, dataset, key, if_match=if_match), None)

    return router


def _edited(request: Request, edited: Edited, row: RowsFound | None) -> Response:
    """200 with what was done, or 202 while it is not."""
    if not edited.committed:
        return upload_reply(request, edited.upload)
    upload = edited.upload
    body: dict[str, Any] = {
        "upload_id": upload.upload_id,
        "snapshot": upload.snapshot,
        "changed": edited.changed,
        "received": upload.received,
        "accepted": upload.accepted,
        "held": upload.held,
        "duplicate": upload.duplicate,
    }
    if edited.errors:
        body["errors"] = edited.errors
    headers = {}
    if row is not None:
        body |= {"row": row.rows[0], **({"masked": row.masked} if row.masked else {})}
        headers["ETag"] = etag_of(row)
    return json_reply(request, body, snapshot=upload.snapshot, headers=headers)


def _told(found: RowsFound) -> dict[str, Any]:
    told: dict[str, Any] = {
        "snapshot": found.snapshot,
        "columns": [{"name": name, "type": kind} for name, kind in found.types.items()],
    }
    return told | ({"masked": found.masked} if found.masked else {})


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _parameters() -> list[dict[str, Any]]:
    """The OpenAPI text of the query, which the route takes apart itself."""
    properties = RowsQuery.model_json_schema()["properties"]
    known = [
        {"name": name, "in": "query", "description": schema.pop("description", ""), "schema": schema}
        for name, schema in properties.items()
    ]
    others = {"type": "object", "additionalProperties": {"type": "string"}}
    return [*known, {"name": "filters", "in": "query", "style": "form", "explode": True, "schema": others}]
