"""Questions over HTTP: one route per registered question, made from its class; HTTP and nothing else.

Annotations are not postponed in this file: FastAPI has to see the classes that are made while it runs.
"""

import warnings
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import create_model
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.responses import JSONResponse, Response

from shared.api.asking import OWN, RESPONSES, asked_of, reply_to
from shared.api.auth import GuardedRoute
from shared.api.later import ASYNC
from shared.api.published import definition_of
from shared.api.replies import json_reply
from shared.asked import instant_of
from shared.datasets.published import PREFIX
from shared.datasets.published_text import described as described_own
from shared.datasets.question import Question
from shared.datasets.questions.definitions import definition, described, names
from shared.datasets.questions.registered import QUESTIONS
from shared.keys import Principal
from shared.published import PublishedQuestions
from shared.query import AskQuestion


def question_router(
    ask: AskQuestion, principal: Callable[..., Any], published: PublishedQuestions | None = None
) -> APIRouter:
    """A route of every question, the list of them, and their definitions, the tenant's own ones among them."""
    router = APIRouter(prefix="/v1", tags=["questions"], route_class=GuardedRoute)
    # FastAPI silences it where a model is made at once; a question's is made when it is first asked.
    warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
    for name, question in QUESTIONS.items():
        _add(router, ask, principal, name, question)

    @router.get("/questions", summary="All questions")
    def list_questions(asker: Annotated[Principal, Depends(principal)]) -> Response:
        """Names, titles and parameters of every question; those that the tenant published are marked `own`."""
        own = published.all(asker.tenant)[0] if published else []
        found = [described(question) for question in QUESTIONS.values()]
        return JSONResponse({"questions": found + [described_own(one.name, one.definition) for one in own]})

    @router.get("/definitions", summary="What every number means")
    def list_definitions() -> Response:
        """Definition, parameters and SQL of every question, and formula and source of every metric."""
        return JSONResponse({"definitions": [definition(name) for name in names()]})

    @router.get("/definitions/{name:path}", summary="What a question's numbers, or one metric, mean")
    def get_definition(request: Request, asker: Annotated[Principal, Depends(principal)], name: str) -> Response:
        """The same text as the page of the documentation, in Markdown, and its parts."""
        if published and name.startswith(PREFIX):
            return json_reply(request, definition_of(published, asker.tenant, name.removeprefix(PREFIX)))
        return JSONResponse(definition(name))

    return router


def _add(
    router: APIRouter, ask: AskQuestion, principal: Callable[..., Any], name: str, question: type[Question]
) -> None:
    # The question's own fields and ours are one flat set of parameters, and a name in neither is refused.
    parameters: Any = create_model(f"{question.__name__}Parameters", __base__=question, **OWN)

    def answer(
        request: Request,
        asked: Annotated[Any, Query()],
        asker: Annotated[Principal, Depends(principal)],
    ) -> Response:
        given = asked.model_dump(by_alias=True, exclude=set(OWN))
        at = {"snapshot": asked.snapshot, "as_of": instant_of(asked.as_of, asked.snapshot)}
        question_asked = asked_of(request, asker, question.model_validate(given), asked, **at)
        return reply_to(request, ask, question_asked, dry_run=asked.dry_run)

    answer.__annotations__["asked"] = Annotated[parameters, Query()]
    router.add_api_route(
        f"/{name}",
        answer,
        methods=["GET"],
        summary=question.title,
        description=question.__doc__,
        name=name,
        operation_id=name.replace("/", "_").replace("-", "_"),
        response_class=Response,
        responses=RESPONSES,
        openapi_extra=ASYNC,
    )
