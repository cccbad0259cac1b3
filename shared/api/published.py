"""Published questions over HTTP: asking, listing, publishing and removing them, and the tenant's own OpenAPI document.

Who publishes needs `admin` and who asks `read`, so there are two routers. Nothing here is in `/openapi.json` but the
routes: that document is public, and the same for all tenants.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import ConfigDict, ValidationError, create_model
from starlette.responses import Response

from shared.api.asking import OWN, RESPONSES, asked_of, reply_to
from shared.api.auth import Asker, GuardedRoute
from shared.api.documents import pattern_of
from shared.api.later import ASYNC
from shared.api.problems import invalid_parameter
from shared.api.replies import AtQuery, json_reply
from shared.api.uploads import command_reply
from shared.asked import instant_of
from shared.datasets.published import MAX_NAME, QUESTION_NAME, Definition
from shared.datasets.published_text import defined
from shared.errors import InvalidParameterError, NotFoundError
from shared.published import Published, PublishedQuestions
from shared.query import AskQuestion
from shared.stranger_sql.question import PublishedQuestion

Name = Annotated[str, Path(max_length=200, description="The name of a published question, such as `late-orders`.")]
NewName = Annotated[
    str,
    Path(
        description="The name to publish it under.",
        json_schema_extra={"maxLength": MAX_NAME, "pattern": pattern_of(QUESTION_NAME)},
    ),
]
_OWN_FIELDS: Any = create_model("Own", __config__=ConfigDict(extra="ignore"), **OWN)
_ASKED_AT = "/v1/my/{name}"


def asking_router(ask: AskQuestion, published: PublishedQuestions, *, docs_enabled: bool = True) -> APIRouter:
    """What needs the scope `read`."""
    router = APIRouter(prefix="/v1", tags=["published questions"], route_class=GuardedRoute)

    def answer(request: Request, asker: Asker, name: Name, asked: Annotated[Any, Query()]) -> Response:
        """Beside these it takes the parameters of its definition; `/v1/openapi.json` lists them."""
        given = [(key, value) for key, value in request.query_params.multi_items() if key not in OWN]
        found = published.find(
            asker.tenant,
            name,
            given,
            snapshot=asked.snapshot,
            as_of=instant_of(asked.as_of, asked.snapshot),
            cursor=asked.cursor,
        )
        question = _given(found.question, given)
        at = {"snapshot": found.snapshot, "was_newest": asked.snapshot is None, "subject": found.subject}
        question_asked = asked_of(request, asker, question, asked, **at)
        return reply_to(request, ask, question_asked, dry_run=asked.dry_run)

    answer.__annotations__["asked"] = Annotated[_OWN_FIELDS, Query()]
    router.add_api_route(
        "/my/{name}",
        answer,
        methods=["GET"],
        summary="Ask a published question",
        response_class=Response,
        responses=RESPONSES,
        openapi_extra=ASYNC,
    )

    @router.get("/published", summary="All published questions")
    def list_published(request: Request, asker: Asker, asked: AtQuery) -> Response:
        """Those of the tenant at a snapshot, with version and author."""
        found, snapshot = published.all(asker.tenant, **asked.at)
        body = {"snapshot": snapshot, "questions": [_short(one) for one in found], "next": None}
        return json_reply(request, body, snapshot=snapshot)

    @router.get("/published/{name}", summary="One published question")
    def get_published(request: Request, asker: Asker, name: Name, asked: AtQuery) -> Response:
        """Its definition as it was published, and every version there was."""
        one, _, snapshot = published.one(asker.tenant, name, **asked.at)
        body = {
            "snapshot": snapshot,
            **_short(one),
            "definition": one.definition.model_dump(mode="json", exclude_defaults=True),
            "history": published.history(asker.tenant, name, snapshot=snapshot),
        }
        return json_reply(request, body, snapshot=snapshot)

    @router.get("/openapi.json", summary="This API with the tenant's own questions")
    def document(request: Request, asker: Asker) -> Response:
        """OpenAPI 3.1: all that `/openapi.json` has, and a path for every published question of the key's tenant."""
        if not docs_enabled:
            raise NotFoundError("The documentation is switched off here.")
        found, snapshot = published.all(asker.tenant)
        classes = [published.one(asker.tenant, one.name, snapshot=snapshot)[1] for one in found]
        return json_reply(request, _document(request.app.openapi(), classes), snapshot=snapshot)

    return router


def publishing_router(published: PublishedQuestions) -> APIRouter:
    """What needs the scope `admin`."""
    router = APIRouter(prefix="/v1/published", tags=["published questions"], route_class=GuardedRoute)

    @router.put("/{name}", summary="Publish a question")
    def publish(request: Request, asker: Asker, name: NewName, definition: Definition) -> Response:
        """A new question, or the next version of one. It is tried with its example on the newest snapshot first."""
        return command_reply(request, published.publish(asker, name, definition))

    @router.delete("/{name}", summary="Remove a published question")
    def remove(request: Request, asker: Asker, name: Name) -> Response:
        """Older snapshots still answer it, and its versions stay in its history."""
        return command_reply(request, published.remove(asker, name))

    return router


def definition_of(published: PublishedQuestions, tenant: str, name: str) -> dict[str, Any]:
    """What a published question means, in the shape of a built-in one. Raises UnknownQuestionError."""
    one = published.one(tenant, name)[0]
    return defined(one.name, one.definition, version=one.version, author=one.author, at=one.published_at)


def _short(one: Published) -> dict[str, Any]:
    return {
        "name": one.name,
        "title": one.definition.title,
        "version": one.version,
        "author": one.author,
        "published_at": one.published_at,
        "url": f"/v1/my/{one.name}",
        "definition_url": f"/v1/definitions/my/{one.name}",
    }


def _given(question: type[PublishedQuestion], given: list[tuple[str, str]]) -> PublishedQuestion:
    """The question with the values of an address. Raises InvalidParameterError."""
    lists = {one.name for one in question.definition.parameters if one.type == "text_list"}
    values: dict[str, Any] = {}
    for name, value in given:
        if name in lists:
            values.setdefault(name, []).append(value)
        elif name in values:
            raise InvalidParameterError(f"query.{name[:63]}: is given twice")
        else:
            values[name] = value
    try:
        return question.model_validate(values)
    except ValidationError as error:
        names = [*OWN, *(one.name for one in question.definition.parameters)]
        raise invalid_parameter([{**one, "loc": ("query", *one["loc"])} for one in error.errors()], names) from error


def _document(general: Mapping[str, Any], questions: list[type[PublishedQuestion]]) -> dict[str, Any]:
    """The general document with a path for each question in place of the one for all of them."""
    paths = dict(general["paths"])
    common = paths.pop(_ASKED_AT)["get"]
    return {**general, "paths": {**paths, **{f"/v1/{one.name}": {"get": _operation(common, one)} for one in questions}}}


def _operation(common: Mapping[str, Any], question: type[PublishedQuestion]) -> dict[str, Any]:
    operation = copy.deepcopy(dict(common))
    operation["summary"] = question.title
    operation["description"] = f"{question.definition.description}\n\nNeeds the scope `read`.".strip()
    operation["operationId"] = question.name.replace("/", "_").replace("-", "_")
    beside = [one for one in operation["parameters"] if one["in"] != "path"]
    operation["parameters"] = _parameters(question) + beside
    return operation


@lru_cache(maxsize=256)
def _parameters(question: type[PublishedQuestion]) -> list[dict[str, Any]]:
    schema = question.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": told.get("description", ""),
            "schema": {key: value for key, value in told.items() if key not in ("title", "description")},
        }
        for name, told in schema.get("properties", {}).items()
    ]
