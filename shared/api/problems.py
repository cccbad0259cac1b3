"""Every failure as one problem document (RFC 9457) with a stable code; a surprise is logged in full and not told."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from shared.api.auth import GuardedRoute
from shared.errors import (
    AppError,
    ConflictError,
    InputError,
    InvalidParameterError,
    LimitError,
    MalformedJsonError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
)

PROBLEM_JSON = "application/problem+json"
PROBLEMS_PATH = "/v1/problems/"

RETRY_AFTER_SECONDS = 2
"""What a caller is told to wait before the same request may succeed."""

MAX_ERRORS = 50
"""Mistakes told of one request: who made more has them all for one reason."""

MAX_WHERE = 200
"""Characters of the place of a mistake, which may be a name that the caller made up."""

SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "Where the code is explained."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable; see docs/errors.md."},
        "detail": {"type": "string", "description": "What happened, for people."},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"where": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
"""A problem document as OpenAPI describes it."""

_KINDS: tuple[tuple[type[AppError], str], ...] = (
    (InputError, "change the request"),
    (NotFoundError, "ask for something else"),
    (ConflictError, "try again"),
    (LimitError, "ask for less"),
    (UnavailableError, "try again later"),
)

router = APIRouter(tags=["service"], route_class=GuardedRoute)


def problem(error: AppError, request_id: str) -> Response:
    """The response for an error whose message a user may read."""
    if error.status >= 500 and not isinstance(error, UnavailableError):
        return internal_problem(request_id)
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="teal"'
    if error.again or error.status == 429:
        headers["Retry-After"] = str(error.details.get("retry_after_seconds", RETRY_AFTER_SECONDS))
    told = {"detail": error.message, "request_id": request_id}
    return _document(error.status, error.code, told, error.details, headers)


def internal_problem(request_id: str) -> Response:
    """The response for a defect: nothing but where to look for it."""
    detail = "Something went wrong here. The request id finds it in the logs."
    return _document(500, "internal", {"detail": detail, "request_id": request_id}, {}, {})


def handle_errors(app: FastAPI) -> None:
    """Answer every error below the app with a problem document."""

    async def app_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, AppError)  # noqa: S101 - registered for this class
        if error.status >= 500 and not isinstance(error, UnavailableError):
            raise error
        request.state.error_code = error.code
        return problem(error, request.state.request_id)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
        return await app_error(request, invalid_parameter(error.errors(), _parameters(request)))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
        if isinstance(error.__cause__, AppError):
            return await app_error(request, error.__cause__)
        response = await app_error(request, _error_from_status(error))
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["Allow"] = _methods(request)
        return response

    app.add_exception_handler(AppError, app_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def invalid_parameter(errors: Any, parameters: Collection[str] = ()) -> AppError:
    """One error for all that Pydantic found wrong, without the values given; ``parameters`` are those there are."""
    if any(error["type"] == "json_invalid" for error in errors):
        return MalformedJsonError("The body is not valid JSON.")
    found = [{"where": _where(error["loc"]), "message": _message(error, parameters)} for error in errors[:MAX_ERRORS]]
    first = found[0] if found else {"where": "request", "message": "is not valid"}
    return InvalidParameterError(f"{first['where']}: {first['message']}", errors=found)


def codes() -> dict[str, type[AppError]]:
    """Every error class this process knows, by code."""
    # A code may have two classes, one of them inside a door; the one that everybody raises explains it.
    found = sorted(descendants(AppError), key=lambda kind: (kind.code, kind.__module__ == "shared.errors"))
    return {kind.code: kind for kind in found if kind is not AppError}


@router.get(PROBLEMS_PATH + "{code}", summary="What a problem's code means")
def explain(code: str) -> dict[str, object]:
    """The `type` of every problem document leads here."""
    if code == "internal":
        return {"code": code, "status": 500, "title": _title(code), "meaning": "A defect here.", "advice": "tell us"}
    kind = codes().get(code)
    if kind is None:
        raise NotFoundError("There is no such problem.")
    advice = next((text for parent, text in _KINDS if issubclass(kind, parent)), "")
    meaning = " ".join((kind.__doc__ or "").split())
    return {"code": code, "status": kind.status, "title": _title(code), "meaning": meaning, "advice": advice}


def _document(
    status: int, code: str, told: Mapping[str, str], details: Mapping[str, object], headers: Mapping[str, str]
) -> Response:
    document = {
        "type": PROBLEMS_PATH + code,
        "title": _title(code),
        "status": status,
        "code": code,
        **told,
    }
    # Details are named by us, and may not stand in for a member of the standard.
    body = {**details, **document}
    content = json.dumps({name: body[name] for name in (*document, *details)}, default=str, ensure_ascii=False)
    # What cannot be written as UTF-8 is told as ?: the problem must reach its caller.
    return Response(content.encode(errors="replace"), status, headers, PROBLEM_JSON)


def _title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def _message(error: Any, parameters: Collection[str]) -> str:
    if error["type"] != "extra_forbidden":
        return str(error["msg"]).removeprefix("Value error, ")
    near = get_close_matches(str(error["loc"][-1])[:MAX_WHERE], parameters, 1, 0.5)
    return "there is no such parameter" + (f"; did you mean {near[0]}?" if near else "")


def _parameters(request: Request) -> list[str]:
    """The names of the query parameters of the route that was asked."""
    dependant = getattr(request.scope.get("route"), "dependant", None)
    names: list[str] = []
    for parameter in dependant.query_params if dependant else ():
        fields = getattr(parameter.field_info.annotation, "model_fields", None)
        names += [field.alias or name for name, field in fields.items()] if fields else [parameter.alias]
    return names


def _methods(request: Request) -> str:
    """Every method of an address; the framework tells those of the first route that it found there."""
    found = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted({method for route in found for method in getattr(route, "methods", None) or ()}))


def _where(location: tuple[int | str, ...]) -> str:
    """``query.limit``, ``body.columns.0.name``."""
    return ".".join(str(part) for part in location)[:MAX_WHERE] or "request"


def _error_from_status(error: HTTPException) -> AppError:
    if error.status_code == 404:
        return NotFoundError("There is nothing at this address; /docs lists what there is.")
    if error.status_code == 405:
        return MethodNotAllowedError("This address does not take that method.")
    # A body that cannot even be decoded as text is the only other thing the framework refuses by itself.
    return MalformedJsonError("The body could not be read.")


def descendants(kind: type[AppError]) -> Iterator[type[AppError]]:
    """An error class and every subclass of it that was imported."""
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)
