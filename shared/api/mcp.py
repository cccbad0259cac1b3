"""The tools of a lake for agents (Model Context Protocol, streamable HTTP): one address, one message, one reply.

The rule: it is stateless, since the next message may reach another process, and every message shows its own key. The
library behind it, and the tools, are imported when the first agent comes: everybody else starts without them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from shared.api.auth import GuardedRoute
from shared.api.bodies import MAX_JSON_BYTES, body_of, require_json
from shared.api.replies import Asked
from shared.errors import ForbiddenError
from shared.strict_json import json_from

if TYPE_CHECKING:
    from shared.agent_tools.toolbox import Toolbox
    from shared.api.mcp_server import McpServer


class ToolsAsked(Asked):
    """What a client's address may say."""

    tools: Annotated[
        str, Field(max_length=4096, description="List these alone: names, or how they begin, separated by commas.")
    ] = ""


def mcp_router(toolbox: Callable[[], Toolbox], *, origins: Collection[str] = ()) -> APIRouter:
    """What needs `read` or `sql`; ``origins`` are those whose pages may call the API from a browser."""
    router = APIRouter(prefix="/v1", route_class=GuardedRoute, include_in_schema=False)

    @cache
    def server() -> McpServer:
        from shared.api.mcp_server import McpServer

        return McpServer(toolbox())

    # No other method: there is no stream to listen to, and no session to end.
    @router.post("/mcp")
    async def exchange(request: Request, asked: Annotated[ToolsAsked, Query()]) -> Response:
        require_json(request)
        # A name that leads a page's requests to this address must not make it one of ours.
        if request.headers.get("origin", "") not in ("", *origins):
            raise ForbiddenError("Pages of this origin may not call the API.")
        body = await body_of(request, MAX_JSON_BYTES)
        json_from(body)
        request.state.wanted_tools = [name.strip() for name in asked.tools.split(",") if name.strip()]
        return await (await run_in_threadpool(server)).reply(request, body)

    return router
