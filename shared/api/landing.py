"""The pages a person sees: what this is, and the API's documentation; static files that need nothing from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.api.auth import GuardedRoute
from shared.api.headers import PAGE_POLICY
from shared.api.replies import json_reply, matches
from shared.errors import NotFoundError

FOLDER = Path(__file__).parent / "pages"

MEDIA = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


def page_router(openapi: Callable[[], dict[str, Any]], *, docs_enabled: bool) -> APIRouter:
    """The landing page, and with ``docs_enabled`` /docs and /openapi.json."""
    router = APIRouter(include_in_schema=False, route_class=GuardedRoute)

    @router.get("/")
    async def landing(request: Request) -> Response:
        return _page(request, "index.html")

    @router.get("/pages/{name}")
    async def asset(request: Request, name: str) -> Response:
        return _page(request, name)

    if docs_enabled:

        @router.get("/docs")
        async def docs(request: Request) -> Response:
            return _page(request, "docs.html")

        @router.get("/openapi.json")
        async def document(request: Request) -> Response:
            return json_reply(request, openapi(), headers={"Cache-Control": "public, max-age=300"})

    return router


def _page(request: Request, name: str) -> Response:
    content, etag = _read(name)
    headers = {"Cache-Control": "public, max-age=300", "ETag": etag, "Content-Security-Policy": PAGE_POLICY}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(None, 304, headers)
    return Response(content, 200, headers, MEDIA[Path(name).suffix])


@cache
def _files() -> dict[str, Path]:
    return {path.name: path for path in FOLDER.iterdir() if path.suffix in MEDIA}


def _read(name: str) -> tuple[bytes, str]:
    """A page's bytes and ETag. Raises NotFoundError; only names that are in the folder are ever opened."""
    path = _files().get(name)
    if path is None:
        raise NotFoundError("There is nothing at this address; /docs lists what there is.")
    return _contents(path)


@cache
def _contents(path: Path) -> tuple[bytes, str]:
    content = path.read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'
