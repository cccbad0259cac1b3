"""The HTTP API put together: every route with its guard, one error body, one set of headers; HTTP and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute

from shared.answers.large import LargeAnswers
from shared.api import problems
from shared.api.auth import (
    KEEPS_RULES,
    SCOPE_OF,
    Admission,
    Authenticator,
    GuardedRoute,
    Route,
    UnlistedRouteError,
    admitted,
    describe_security,
    principal_of,
)
from shared.api.customers import customer_router
from shared.api.datasets import dataset_router
from shared.api.gate import Gate
from shared.api.headers import EXPOSED_HEADERS, Envelope
from shared.api.landing import page_router
from shared.api.objects import LocalObjects, object_router
from shared.api.rows import row_router
from shared.api.snapshots import snapshot_router
from shared.api.system import system_router
from shared.api.uploads import upload_router
from shared.audit import AuditRecord
from shared.edits import EditRows
from shared.jobs import Jobs
from shared.persons import Persons
from shared.rows import Rows
from shared.snapshots import Snapshots
from shared.uploads import Uploads
from shared.usage import UsageRecord

PrincipalDependency = Callable[..., Any]

ALLOWED_HEADERS = (
    "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Mcp-Method", "Mcp-Name",
    "Mcp-Protocol-Version", "Mcp-Session-Id", "Prefer", "X-API-Key", "X-Request-ID",
)  # fmt: skip
"""What pages of the origins that were set may send."""


@dataclass(frozen=True)
class MoreRoutes:
    """Routes of another part, all under one scope: ``make`` gets the dependency that tells who asks.

    ``scope`` may be several of which one is enough: `read or sql`. They ``keeps_rules`` when what they answer is what
    the rules of a key let it see.
    """

    make: Callable[[PrincipalDependency], APIRouter]
    scope: str = "read"
    keeps_rules: bool = False


@dataclass(frozen=True)
class ApiRules:
    """What an installation allows over HTTP; ``max_body_bytes`` bounds a file sent as a body (Lambda: 6 MB base64).

    ``body_seconds`` is how long a body may stand still while it arrives.
    """

    docs_enabled: bool = True
    max_body_bytes: int = 4_500_000
    body_seconds: float = 20.0
    cors_origins: tuple[str, ...] = ()
    version: str = "0.1.0"
    operator: str = "operator"


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
    jobs: Jobs | None = None
    usage: UsageRecord | None = None
    audit: AuditRecord | None = None
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
    keeps_rules = set(KEEPS_RULES)
    routers = []
    for more in parts.more:
        routers.append(more.make(principal_of))
        scope_of |= dict.fromkeys(routes_of(routers[-1]), more.scope)
        keeps_rules |= set(routes_of(routers[-1])) if more.keeps_rules else set()
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
        # Included, every route would be made a second time, while the first request waits.
        app.router.routes += _guarded(router)
    app.state.large = parts.large
    app.state.body_seconds = rules.body_seconds
    app.state.jobs = parts.jobs
    app.state.admission = Admission(parts.authenticator, scope_of, keeps_rules, operator=rules.operator)
    app.state.routes = [route for router in routers for route in routes_of(router)]
    app.openapi = lambda: _document(app, scope_of)  # type: ignore[method-assign]  # FastAPI's documented way
    problems.handle_errors(app)
    if rules.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(rules.cors_origins),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=list(ALLOWED_HEADERS),
            expose_headers=list(EXPOSED_HEADERS),
            max_age=600,
        )
    app.add_middleware(Gate)
    app.add_middleware(Envelope, usage=parts.usage, audit=parts.audit)
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


def _guarded(router: APIRouter) -> list[BaseRoute]:
    """Its routes. Raises UnlistedRouteError where one would let everybody in."""
    for route in router.routes:
        if not isinstance(route, GuardedRoute):
            raise UnlistedRouteError(f"{route} is not a GuardedRoute")
    return router.routes


def _document(app: FastAPI, scope_of: dict[Route, str]) -> dict[str, Any]:
    """OpenAPI 3.1, made at the first call."""
    if app.openapi_schema is None:
        # Only who reads the document needs the shapes of all answers.
        from shared.api.document import describe_answers

        with warnings.catch_warnings():
            # That HEAD has the operation id of GET; it is taken out below.
            warnings.simplefilter("ignore")
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary="A bucket that answers questions.",
                description="Put files into a bucket, ask questions over HTTPS. Every answer names its snapshot.",
                routes=app.routes,
            )
        describe_security(document, scope_of)
        describe_answers(document)
        app.openapi_schema = document
    return app.openapi_schema
