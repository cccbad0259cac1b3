"""Who may ask what: the scope table of all routes, and the check that runs before a body is read.

The rule: a route without a row in the table is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from shared.answers.large import LargeAnswers
from shared.errors import BodyTooLargeError, ForbiddenError, UnauthenticatedError, UnsupportedMediaTypeError
from shared.keys import Principal

Route = tuple[str, str]
"""Method and path template."""

PUBLIC = ""
"""The scope of a route that needs no key."""

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

MAX_JSON_BYTES = 1_000_000


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
    """Lets a request in, or raises UnauthenticatedError or ForbiddenError."""

    authenticator: Authenticator
    scope_of: Mapping[Route, str]

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
        if scope not in principal.scopes:
            raise ForbiddenError(f"This key does not have the scope {scope}.", scope=scope)


async def admitted(request: Request) -> None:
    """Dependency of the whole app, so that no route of any router is forgotten."""
    if not hasattr(request.state, "principal"):
        await request.app.state.admission(request)


def principal_of(request: Request) -> Principal:
    """Dependency: who asks. Raises UnauthenticatedError."""
    principal = getattr(request.state, "principal", None)
    if principal is None:
        raise UnauthenticatedError("A valid API key is needed: Authorization: Bearer teal_….")
    return principal  # type: ignore[no-any-return]  # request.state is untyped


Asker = Annotated[Principal, Depends(principal_of)]


class GuardedRoute(APIRoute):
    """A route whose key, content type and body size are checked, in this order, before anything is parsed.

    What it answers is kept in the lake where it is too large for one reply (303).
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]  # a narrower type
        """See APIRoute.get_route_handler."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            await request.app.state.admission(request)
            if self.body_field is not None and _has_body(request):
                require_json(request)
                await body_of(request, MAX_JSON_BYTES)
            response = await handle(request)
            large: LargeAnswers | None = request.app.state.large
            # A response from a file on disk has no body; it is a laptop's, which has no such limit.
            body = getattr(response, "body", b"")
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


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def require_json(request: Request) -> None:
    """Raises UnsupportedMediaTypeError unless the body says that it is JSON."""
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise UnsupportedMediaTypeError("This address reads application/json.")


async def body_of(request: Request, max_bytes: int) -> bytes:
    """The whole body, counted while it arrives. Raises BodyTooLargeError as soon as it is too large."""
    too_large = BodyTooLargeError(f"The body may have {max_bytes:,} bytes at most.", max_bytes=max_bytes)
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > max_bytes:
        raise too_large
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise too_large
        chunks.append(chunk)
    request._body = b"".join(chunks)  # where Starlette keeps a body that was read
    return request._body


def describe_security(document: dict[str, Any], scope_of: Mapping[Route, str]) -> None:
    """Write schemes and each operation's scope into an OpenAPI document."""
    document.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `Authorization: Bearer teal_…`."},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same key."},
    }
    shown = {(method, path.replace(":path}", "}")): scope for (method, path), scope in scope_of.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            scope = shown.get(("GET" if method == "head" else method.upper(), path), PUBLIC)
            operation["security"] = [{"bearer": []}, {"header": []}] if scope else []
            if scope:
                operation["description"] = f"{operation.get('description', '')}\n\nNeeds the scope `{scope}`.".strip()


def _presented(request: Request) -> str:
    """The token, or "" when there is none or it is not clear which one is meant."""
    given = request.headers.getlist("authorization")
    if not given:
        return request.headers.get("x-api-key", "").strip()
    scheme, _, token = given[0].partition(" ")
    return token.strip() if len(given) == 1 and scheme.lower() == "bearer" else ""
