"""The HTTP API put together: every route with its guard, one error body, one set of headers; HTTP and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from shared.answers.large import LargeAnswers
from shared.api import problems
from shared.api.auth import SCOPE_OF, Admission, Authenticator, Route, admitted, describe_security, principal_of
from shared.api.customers import customer_router
from shared.api.datasets import dataset_router
from shared.api.headers import EXPOSED_HEADERS, Envelope
from shared.api.landing import page_router
from shared.api.objects import LocalObjects, object_router
from shared.api.rows import row_router
from shared.api.snapshots import snapshot_router
from shared.api.system import system_router
from shared.api.uploads import upload_router
from shared.edits import EditRows
from shared.persons import Persons
from shared.rows import Rows
from shared.snapshots import Snapshots
from shared.uploads import Uploads
from shared.usage import UsageRecord

PrincipalDependency = Callable[..., Any]


@dataclass(frozen=True)
class MoreRoutes:
    """Routes of another part, all under one scope: ``make`` gets the dependency that tells who asks."""

    make: Callable[[PrincipalDependency], APIRouter]
    scope: str = "read"


@dataclass(frozen=True)
class ApiRules:
    """What an installation allows over HTTP; ``max_body_bytes`` bounds a file sent as a body (Lambda: 6 MB base64)."""

    docs_enabled: bool = True
    max_body_bytes: int = 4_500_000
    cors_origins: tuple[str, ...] = ()
    version: str = "0.1.0"


@dataclass(frozen=True)
class ApiParts:
    """Everything the API needs, made elsewhere; ``ready`` raises UnavailableError while the store cannot be reached."""

    authenticator: Authenticator
    uploads: Uploads
    rows: Rows
    edits: EditRows
    snapshots: Snapshots
    persons: Persons
    ready: Callable[[], None]
    more: tuple[MoreRoutes, ...] = ()
    objects: LocalObjects | None = None
    large: LargeAnswers | None = None
    usage: UsageRecord | None = None
    rules: ApiRules = field(default_factory=ApiRules)


def create_app(parts: ApiParts) -> FastAPI:
    """The app. Its own documentation routes are off, because they load scripts from elsewhere."""
    rules = parts.rules
    app = FastAPI(
        title="Teal",
        version=rules.version,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(admitted)],
        redirect_slashes=False,
    )
    scope_of: dict[Route, str] = dict(SCOPE_OF)
    routers = []
    for more in parts.more:
        routers.append(more.make(principal_of))
        scope_of |= dict.fromkeys(routes_of(routers[-1]), more.scope)
    routers += [
        upload_router(parts.uploads, max_body_bytes=rules.max_body_bytes),
        dataset_router(parts.snapshots, parts.uploads),
        row_router(parts.rows, parts.edits),
        snapshot_router(parts.snapshots, parts.uploads),
        customer_router(parts.persons),
        system_router(parts.ready, rules.version),
        problems.router,
    ]
    if parts.objects is not None:
        routers.append(object_router(parts.objects))
    routers.append(page_router(lambda: app.openapi(), docs_enabled=rules.docs_enabled))
    for router in routers:
        app.include_router(router)
    app.state.large = parts.large
    app.state.admission = Admission(parts.authenticator, scope_of)
    app.state.routes = [route for router in routers for route in routes_of(router)]
    app.openapi = lambda: _document(app, scope_of)  # type: ignore[method-assign]  # FastAPI's documented way
    problems.handle_errors(app)
    if rules.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(rules.cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "X-API-Key", "X-Request-ID"],
            expose_headers=list(EXPOSED_HEADERS),
            max_age=600,
        )
    app.add_middleware(Envelope, usage=parts.usage)
    return app


def routes_of(router: APIRouter) -> list[Route]:
    """Method and path of every route; HEAD goes with GET."""
    return [
        (method, route.path)
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    ]


def _document(app: FastAPI, scope_of: dict[Route, str]) -> dict[str, Any]:
    """OpenAPI 3.1, made at the first call."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary="A bucket that answers questions.",
            description="Put files into a bucket, ask questions over HTTPS. Every answer names its snapshot.",
            routes=app.routes,
        )
        describe_security(document, scope_of)
        problem = {
            "description": "A problem (RFC 9457); `code` is stable.",
            "content": {problems.PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        document["components"].setdefault("schemas", {})["Problem"] = problems.SCHEMA
        for operations in document["paths"].values():
            # HEAD is GET without a body; described twice it would only have the same operation id twice.
            operations.pop("head", None)
            for operation in operations.values():
                # FastAPI describes its own error body, which is never sent here.
                operation["responses"].pop("422", None)
                operation["responses"]["default"] = problem
        document["components"]["schemas"].pop("HTTPValidationError", None)
        document["components"]["schemas"].pop("ValidationError", None)
        app.openapi_schema = document
    return app.openapi_schema
