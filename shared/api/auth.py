"""Who may ask what: the scope table of all routes, and the check that runs before a body is read.

The rule: a route without a row in the table is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from shared.answers.large import LargeAnswers
from shared.api.bodies import MAX_JSON_BYTES, body_of, has_body, require_json
from shared.errors import ForbiddenError, RulesNotKeptError, TooManyRequestsError, UnauthenticatedError
from shared.keys import NOT_ADMITTED, Principal
from shared.strict_json import json_from
from shared.throttle import Pace, Throttle

Route = tuple[str, str]
"""Method and path template."""

PUBLIC = ""
"""The scope of a route that needs no key."""

OPERATOR = "operator"
"""What stands for a scope where a route is for `admin` keys of the operator's own tenant alone."""

EITHER = " or "
"""Between scopes of which one is enough."""

SCOPE_OF: dict[Route, str] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/pages/{name}"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/v1/health"): PUBLIC,
    ("GET", "/v1/ready"): PUBLIC,
    ("GET", "/v1/problems/{code}"): PUBLIC,
    # The signature in these URLs is the credential.
    ("GET", "/v1/objects/{key:path}"): PUBLIC,
    ("PUT", "/v1/objects/{key:path}"): PUBLIC,
    ("POST", "/v1/uploads"): "write",
    ("GET", "/v1/uploads"): "read",
    ("GET", "/v1/uploads/{upload_id}"): "read",
    ("GET", "/v1/uploads/{upload_id}/quality"): "read",
    # Held rows show what was sent, personal data included: for those who sent it.
    ("GET", "/v1/uploads/{upload_id}/held"): "write",
    ("POST", "/v1/uploads/{upload_id}/replay"): "write",
    ("GET", "/v1/datasets"): "read",
    ("GET", "/v1/datasets/{dataset}"): "read",
    ("PUT", "/v1/datasets/{dataset}"): "admin",
    ("GET", "/v1/datasets/{dataset}/rows"): "read",
    ("POST", "/v1/datasets/{dataset}/rows"): "write",
    ("GET", "/v1/datasets/{dataset}/rows/{key:path}"): "read",
    ("PUT", "/v1/datasets/{dataset}/rows/{key:path}"): "write",
    ("PATCH", "/v1/datasets/{dataset}/rows/{key:path}"): "write",
    ("DELETE", "/v1/datasets/{dataset}/rows/{key:path}"): "write",
    ("GET", "/v1/snapshots"): "read",
    ("GET", "/v1/snapshots/{snapshot_id}"): "read",
    ("GET", "/v1/snapshots/{from_id}/changes/{to_id}"): "read",
    ("POST", "/v1/snapshots/{snapshot_id}/rollback"): "admin",
    ("GET", "/v1/erasures"): "admin",
    ("DELETE", "/v1/customers/{key:path}"): "admin",
    ("POST", "/v1/customers/{key:path}/readmit"): "admin",
}

KEEPS_RULES: frozenset[Route] = frozenset(
    {
        ("GET", "/v1/datasets/{dataset}/rows"),
        ("GET", "/v1/datasets/{dataset}/rows/{key:path}"),
    }
)
"""What keys with rules may ask; everything else shows the lake as a whole. Public routes show nothing of any lake."""


class Authenticator(Protocol):
    """Turns a presented token into a principal."""

    def verify(self, token: str) -> Principal:
        """Raises UnauthenticatedError."""

    def knows(self, token: str) -> bool:
        """Whether ``verify`` answers without waiting for anything."""


class UnlistedRouteError(RuntimeError):
    """A route without a row in the scope table: a defect."""


@dataclass(frozen=True)
class Admission:
    """Lets a request in, or raises UnauthenticatedError, ForbiddenError, RulesNotKeptError or TooManyRequestsError."""

    authenticator: Authenticator
    scope_of: Mapping[Route, str]
    keeps_rules: Collection[Route] = KEEPS_RULES
    throttle: Throttle = field(default_factory=Throttle)
    operator: str = "operator"

    async def __call__(self, request: Request) -> None:
        """Set ``request.state.principal`` (None on a public route)."""
        method = "GET" if request.method == "HEAD" else request.method
        route = (method, request.scope["route"].path)
        if route not in self.scope_of:
            raise UnlistedRouteError(f"{route} has no scope")
        scope = self.scope_of[route]
        request.state.principal = None
        if scope == PUBLIC:
            return
        token = _presented(request)
        if self.authenticator.knows(token):
            principal = self.authenticator.verify(token)
        else:
            principal = await run_in_threadpool(self.authenticator.verify, token)
        request.state.principal = principal
        self._count(request, principal)
        if scope == OPERATOR:
            self._require_operator(principal)
        elif principal.scopes.isdisjoint(scope.split(EITHER)):
            raise ForbiddenError(f"This key does not have the scope {scope}.", scope=scope)
        if principal.rules and route not in self.keeps_rules:
            raise RulesNotKeptError("This key sees a part of the lake, and this address shows the whole of it.")

    def _require_operator(self, principal: Principal) -> None:
        if principal.tenant != self.operator or "admin" not in principal.scopes:
            raise ForbiddenError("This address is for whoever operates the installation.", scope=OPERATOR)

    def _count(self, request: Request, principal: Principal) -> None:
        """Set ``request.state.standing``. Raises TooManyRequestsError."""
        standing = self.throttle.take(*paces_of(principal))
        request.state.standing = standing
        if standing is not None and standing.wait_seconds:
            message = "Too many requests; wait a moment."
            raise TooManyRequestsError(message, retry_after_seconds=standing.wait_seconds)

    def running(self, principal: Principal | None) -> AbstractContextManager[None]:
        """While the block runs, the principal has one more request answered. Raises TooManyAtOnceError."""
        if principal is None:
            return nullcontext()
        most, of_tenant = principal.limits.concurrent_requests, principal.tenant_limits.concurrent_requests
        return self.throttle.running((_key(principal), most), (_tenant(principal), of_tenant))


def paces_of(principal: Principal) -> list[Pace]:
    """The limits of requests a second that hold for a principal: its own, and its tenant's."""
    told = (
        ("key", _key(principal), principal.limits.requests_per_second),
        ("tenant", _tenant(principal), principal.tenant_limits.requests_per_second),
    )
    return [Pace(policy, counted_by, rate) for policy, counted_by, rate in told if rate is not None]


def _key(principal: Principal) -> str:
    return f"{principal.tenant}/{principal.key_id}"


def _tenant(principal: Principal) -> str:
    return f"{principal.tenant}/"


async def admitted(request: Request) -> None:
    """Dependency of the whole app, so that no route of any router is forgotten."""
    if not hasattr(request.state, "principal"):
        await request.app.state.admission(request)


def principal_of(request: Request) -> Principal:
    """Dependency: who asks. Raises UnauthenticatedError."""
    principal = getattr(request.state, "principal", None)
    if principal is None:
        raise UnauthenticatedError(NOT_ADMITTED)
    return principal  # type: ignore[no-any-return]  # request.state is untyped


Asker = Annotated[Principal, Depends(principal_of)]


class GuardedRoute(APIRoute):
    """A route whose key, content type and body size are checked, in this order, before anything is parsed.

    What it answers is kept in the lake where it is too large for one reply (303). Where there is GET there is HEAD.
    """

    def __init__(self, *args: Any, **told: Any) -> None:
        super().__init__(*args, **told)
        if self.methods and "GET" in self.methods:
            self.methods.add("HEAD")

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # a narrower type
        """See APIRoute.get_route_handler."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await request.app.state.admission(request)
            if self.body_field is not None:
                await _read_json(request)
            with request.app.state.admission.running(request.state.principal):
                response = await handle(request)
            large: LargeAnswers | None = request.app.state.large
            # A response from a file on disk has no body; it is a laptop's, which has no such limit.
            body = getattr(response, "body", b"")
            if request.state.principal is not None:
                request.state.principal.limits.require_answer(len(body))
            if large and response.status_code == 200 and len(body) > large.max_inline_bytes:
                return await run_in_threadpool(_elsewhere, large, request, response)
            return response

        return guarded


def _elsewhere(large: LargeAnswers, request: Request, response: Response) -> Response:
    """The reply that sends the caller to the signed URL of a large answer."""
    principal, headers = request.state.principal, dict(response.headers)
    for own in ("content-length", "content-type"):
        headers.pop(own, None)
    if principal is None or "etag" not in headers:
        return response
    name = request.url.path.removeprefix("/v1/").replace("/", "-")
    media = response.media_type or ""
    url = large.url_of(principal.tenant, headers["etag"], bytes(response.body), media, name)
    return RedirectResponse(url, 303, headers)


async def _read_json(request: Request) -> None:
    """Read the body where FastAPI looks for it. Raises UnsupportedMediaTypeError, MalformedJsonError, and as a body."""
    if has_body(request):
        require_json(request)
    if body := await body_of(request, MAX_JSON_BYTES):
        require_json(request)
        request._json = json_from(body)  # where Starlette keeps a body that was parsed


def describe_security(document: dict[str, Any], scope_of: Mapping[Route, str]) -> None:
    """Write schemes and each operation's scope into an OpenAPI document."""
    document.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key (`teal_…`), or a token (OIDC)."},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    }
    shown = {(method, path.replace(":path}", "}")): scope for (method, path), scope in scope_of.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = shown.get(("GET" if method == "head" else method.upper(), path), PUBLIC)
            operation["security"] = [{"bearer": []}, {"header": []}] if scope else []
            if scope:
                either = scope.replace(EITHER, f"`{EITHER}`")
                needs = "an `admin` key of the operator" if scope == OPERATOR else f"the scope `{either}`"
                operation["description"] = f"{operation.get('description', '')}\n\nNeeds {needs}.".strip()


def _presented(request: Request) -> str:
    """The token, or "" when there is none or it is not clear which one is meant."""
    given = request.headers.getlist("authorization")
    if not given:
        return request.headers.get("x-api-key", "").strip()
    scheme, _, token = given[0].partition(" ")
    return token.strip() if len(given) == 1 and scheme.lower() == "bearer" else ""
