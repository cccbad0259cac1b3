"""Uploads over HTTP: ask for a place to put a file (or send a small one at once), then see what became of it."""

from __future__ import annotations

import re
from dataclasses import asdict, fields
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.bodies import MAX_JSON_BYTES, body_of, require_json
from shared.api.formats import csv_reply, wanted
from shared.api.problems import invalid_parameter
from shared.api.replies import Asked, AtQuery, ListAsked, json_reply, next_link
from shared.errors import CommandRefusedError, UnsupportedMediaTypeError, UploadHeldError
from shared.inbox import AUTO
from shared.strict_json import json_from
from shared.upload_state import UploadState
from shared.uploads import UploadOrder, Uploads

Model = TypeVar("Model", bound=BaseModel)

_MEDIA_TYPE = r"[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,80}"
_DATASET: dict[str, Any] = {"pattern": "^[a-z][a-z0-9_]{0,62}$"}
_FILENAME: dict[str, Any] = {"pattern": r"[A-Za-z0-9_][^/\\]*$"}
"""For the document: what is refused by the use case, as everything about names is."""
_HELD_COLUMNS = ("row", "dataset", "column", "rule", "text", "original")


def _name_options(schema: dict[str, Any]) -> None:
    # Who only answers need not know how files are read.
    from shared.formats.table import ReadOptions

    schema["propertyNames"] = {"enum": [one.name for one in fields(ReadOptions)]}


class NewUpload(BaseModel):
    """A file to come."""

    model_config = ConfigDict(extra="forbid")

    dataset: str = Field(
        AUTO, description="The dataset's name; `auto` lets the file's header decide.", json_schema_extra=_DATASET
    )
    filename: str = Field(
        ..., min_length=1, max_length=255, description="Its ending tells the format.", json_schema_extra=_FILENAME
    )
    content_type: str = Field("application/octet-stream", pattern=f"^{_MEDIA_TYPE}$", description="Sent with the PUT.")
    size_bytes: int | None = Field(None, ge=1, description="When given, exactly this many bytes may be put.")
    options: dict[str, str | int | bool] = Field(
        default_factory=dict,
        description="Read options: delimiter, encoding, decimal, date_order, header, sheet …",
        json_schema_extra=_name_options,
    )
    replaces: str = Field("", description="The held upload that this file corrects.")


class SmallFileAsked(Asked):
    """A small file whose bytes are the request's body."""

    dataset: Annotated[str, Field(json_schema_extra=_DATASET)] = AUTO
    filename: Annotated[str, Field(min_length=1, max_length=255, json_schema_extra=_FILENAME)] = "upload"


class Replay(BaseModel):
    """How to read a held upload again."""

    model_config = ConfigDict(extra="forbid")

    contract_version: int | None = Field(None, ge=1, description="Judge by this version; default the newest.")
    options: dict[str, str | int | bool] = Field(
        default_factory=dict, description="Read options, as for an upload.", json_schema_extra=_name_options
    )


class UploadsAsked(ListAsked):
    """Which uploads."""

    status: Annotated[
        Literal["loaded", "held", "skipped", "rolled_back"] | None, Field(description="What became of them.")
    ] = None
    dataset: Annotated[str | None, Field(description="The dataset they were sent to.")] = None


class HeldAsked(Asked):
    """Which held rows."""

    limit: Annotated[int | None, Field(ge=1, description="Rows of a page; default 100.")] = None
    cursor: Annotated[str | None, Field(max_length=4096, description="`next` of the page before.")] = None
    format: Annotated[Literal["json", "csv"] | None, Field(description="json or csv; default by Accept.")] = None


def upload_router(uploads: Uploads, *, max_body_bytes: int) -> APIRouter:
    """The routes under /v1/uploads; ``max_body_bytes`` bounds a file that is sent as a request's body."""
    router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=GuardedRoute)

    @router.post("", status_code=201, summary="Upload a file", openapi_extra=_upload_body())
    async def create_upload(request: Request, asker: Asker) -> Response:
        """With a JSON body: a signed URL for one PUT of any size. With `?dataset=` or `?filename=`: the body is the
        file itself (small files), and the answer is what became of it."""
        if request.query_params:
            told = checked(SmallFileAsked, dict(request.query_params), "query")
            order = UploadOrder(told.dataset, told.filename, _media_of(request))
            body = await body_of(request, max_body_bytes)
            state = await run_in_threadpool(uploads.receive, asker, order, body)
            return upload_reply(request, state, settled_status=201)
        require_json(request)
        wanted = checked(NewUpload, json_from(await body_of(request, MAX_JSON_BYTES)), "body")
        order = UploadOrder(**wanted.model_dump())
        upload_id, url = await run_in_threadpool(uploads.create, asker, order)
        status_url = f"/v1/uploads/{upload_id}"
        body_out = {
            "upload_id": upload_id,
            "url": url.url,
            "method": url.method,
            "headers": url.headers,
            "expires_at": url.expires_at,
            "status_url": status_url,
        }
        return json_reply(request, body_out, status=201, headers={"Location": status_url})

    @router.get("", summary="Uploads, newest first")
    def list_uploads(request: Request, asker: Asker, asked: Annotated[UploadsAsked, Query()]) -> Response:
        """Every upload that was ever looked at: what became of it, and why."""
        page = uploads.reports.newest(
            asker.tenant,
            status=asked.status,
            dataset=asked.dataset,
            limit=asked.limit,
            cursor=asked.cursor,
            **asked.at,
        )
        body = {"snapshot": page.snapshot, "uploads": [told_of(state) for state in page.items], "next": page.next}
        return json_reply(request, body, snapshot=page.snapshot, headers=next_link(request, page.next))

    @router.get("/{upload_id}", summary="What became of an upload")
    def get_upload(request: Request, asker: Asker, upload_id: str) -> Response:
        """waiting (for a PUT), received, loaded, held, skipped, rolled_back. received = accepted + held + duplicate."""
        return json_reply(request, told_of(uploads.state(asker.tenant, upload_id)))

    @router.get("/{upload_id}/quality", summary="An upload's quality report")
    def get_quality(request: Request, asker: Asker, upload_id: str, asked: AtQuery) -> Response:
        """Per dataset: counts, missing and invalid values by column and rule, references to rows that are not there."""
        reports, snapshot = uploads.reports.quality(asker.tenant, upload_id, **asked.at)
        body = {"upload_id": upload_id, "snapshot": snapshot, "datasets": reports}
        return json_reply(request, body, snapshot=snapshot)

    @router.get("/{upload_id}/held", summary="Rows that were put aside")
    def get_held(request: Request, asker: Asker, upload_id: str, asked: Annotated[HeldAsked, Query()]) -> Response:
        """Each with its place in the file, the column, the rule it breaks and the original text; as JSON or CSV."""
        format = wanted(request, asked.format, among=("json", "csv"))
        page = uploads.reports.held_rows(asker.tenant, upload_id, limit=asked.limit, cursor=asked.cursor)
        rows = [asdict(one) for one in page.items]
        headers = next_link(request, page.next)
        if format == "csv":
            return csv_reply(request, _HELD_COLUMNS, rows, headers=headers)
        return json_reply(request, {"upload_id": upload_id, "rows": rows, "next": page.next}, headers=headers)

    @router.post("/{upload_id}/replay", summary="Bring a held upload in again")
    def replay_upload(request: Request, asker: Asker, upload_id: str, body: Replay | None = None) -> Response:
        """After a contract was changed, or with read options; a corrected file is a new upload with `replaces`."""
        wanted = body or Replay()
        arguments = {name: value for name, value in wanted.model_dump().items() if value}
        return upload_reply(request, uploads.replay(asker, upload_id, arguments), held_is_an_error=False)

    return router


def upload_reply(
    request: Request, state: UploadState, *, held_is_an_error: bool = True, settled_status: int = 200
) -> Response:
    """``settled_status`` when it is settled, 202 with the place to look when it is not yet. Raises UploadHeldError."""
    address = f"/v1/uploads/{state.upload_id}"
    if not state.settled:
        return json_reply(request, told_of(state), status=202, headers={"Location": address, "Retry-After": "1"})
    if state.status == "held" and held_is_an_error:
        raise UploadHeldError(
            state.reason,
            reason_code=state.reason_code,
            upload_id=state.upload_id,
            held_url=f"{address}/held",
        )
    headers = {"Location" if settled_status == 201 else "Content-Location": address}
    return json_reply(request, told_of(state), status=settled_status, snapshot=state.snapshot, headers=headers)


def command_reply(request: Request, state: UploadState) -> Response:
    """As ``upload_reply``, for what was no file. Raises CommandRefusedError."""
    if state.status == "held":
        raise CommandRefusedError(state.reason, reason_code=state.reason_code, upload_id=state.upload_id)
    return upload_reply(request, state)


def told_of(state: UploadState) -> dict[str, Any]:
    """An upload's state as JSON has it: what is not known yet is left out."""
    return {name: value for name, value in asdict(state).items() if value not in (None, "", ())}


def checked(model: type[Model], told: Any, where: str) -> Model:
    """The model from query parameters, or from what a JSON body holds. Raises InvalidParameterError."""
    try:
        return model.model_validate(told)
    except ValidationError as error:
        raise invalid_parameter([{**one, "loc": (where, *one["loc"])} for one in error.errors()]) from error


def _media_of(request: Request) -> str:
    """The kind of a file that is the body. Raises UnsupportedMediaTypeError."""
    media = request.headers.get("content-type", "application/octet-stream").split(";")[0].strip()
    if media.lower().startswith("multipart/"):
        raise UnsupportedMediaTypeError("The body is the file itself, without a form around it.")
    # It is kept with the object, where not every store takes any text.
    return media if re.fullmatch(_MEDIA_TYPE, media) else "application/octet-stream"


def _upload_body() -> dict[str, Any]:
    """The OpenAPI text of a body that the route reads itself."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    media = ("text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "application/octet-stream")
    query = [
        {"name": name, "in": "query", "schema": schema, "description": "Only with a file as body."}
        for name, schema in SmallFileAsked.model_json_schema()["properties"].items()
    ]
    content = {"application/json": {"schema": NewUpload.model_json_schema()}} | dict.fromkeys(media, binary)
    return {"parameters": query, "requestBody": {"required": True, "content": content}}
