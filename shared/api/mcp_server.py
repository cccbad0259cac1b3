"""The SDK of the Model Context Protocol, behind one door: our tools as its tools, our problems as their results."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

import anyio
from anyio import from_thread
from fastapi import Request
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Message

from shared.agent_tools import base
from shared.agent_tools.toolbox import ABOUT, Toolbox, UnknownToolError
from shared.api.bodies import MAX_JSON_BYTES
from shared.api.problems import internal_problem, invalid_parameter, problem
from shared.api.used import spent_on
from shared.asked import Answer, Asked
from shared.errors import AppError, MalformedJsonError

log = logging.getLogger("teal.requests")
# It tells of every message, some of them with what they hold.
logging.getLogger("mcp").setLevel(logging.ERROR)

Context = ServerRequestContext[Any, Request]


class McpServer:
    """Answers one message after the other; what it knows of who asks is in the request alone."""

    def __init__(self, toolbox: Toolbox) -> None:
        self._toolbox = toolbox
        self._server: Server[Any] = Server(
            "teal",
            title="Teal",
            instructions=ABOUT,
            on_list_tools=self._list,
            on_call_tool=self._call,
            # No parameter of ours is told in a header; else the SDK lists all tools at every call to find out.
            get_tool_input_schema=lambda name: None,
        )
        self._server.middleware.clear()  # it traces; nothing listens

    async def reply(self, request: Request, body: bytes) -> Response:
        """The reply to one message. Raises MalformedJsonError when it is none of the protocol."""
        try:
            jsonrpc_message_adapter.validate_json(body, by_name=False)
        except ValidationError:
            # The SDK would quote what it could not read.
            raise MalformedJsonError("The body is not one JSON-RPC message of the Model Context Protocol.") from None
        # Asked of this request: the SDK makes one of its own, whose caller never leaves.
        request.state.is_awaited = lambda: not from_thread.run(request.is_disconnected)
        sent: list[Message] = []
        unread = [body]

        async def receive() -> Message:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            await anyio.sleep_forever()
            raise AssertionError

        async def send(message: Message) -> None:
            sent.append(message)

        # One for every message: it wants a task group that lives as long as it does, and here nothing outlives a reply.
        manager = StreamableHTTPSessionManager(
            self._server, json_response=True, stateless=True, max_request_body_size=MAX_JSON_BYTES
        )
        async with manager.run():
            await manager.handle_request(request.scope, receive, send)
        return _response(sent)

    async def _list(self, context: Context, _: PaginatedRequestParams | None) -> ListToolsResult:
        request = _request_of(context)
        try:
            tools = await run_in_threadpool(self._toolbox.listed, request.state.principal, request.state.wanted_tools)
        except AppError as error:
            request.state.error_code = error.code
            raise MCPError(INTERNAL_ERROR, error.message, {"code": error.code}) from None
        except Exception:  # noqa: BLE001 - logged in full, told as nothing
            raise MCPError(INTERNAL_ERROR, _surprise(request)["detail"], {"code": "internal"}) from None
        return ListToolsResult(tools=[_shown(tool) for tool in tools])

    async def _call(self, context: Context, told: CallToolRequestParams) -> CallToolResult:
        return await run_in_threadpool(self._called, _request_of(context), told.name, told.arguments or {})

    def _called(self, request: Request, name: str, arguments: Mapping[str, Any]) -> CallToolResult:
        state = request.state

        def note(asked: Asked, answer: Answer | None) -> None:
            state.asked = spent_on(asked, answer)
            if answer is not None:
                state.snapshot = answer.snapshot

        takes: list[str] = []
        try:
            tool = self._toolbox.find(state.principal, name)
            state.tool, takes = tool.name, list(tool.parameters["properties"])
            result = tool.run(base.Call(state.principal, arguments, note, state.is_awaited))
        except UnknownToolError as error:
            state.error_code = error.code
            raise MCPError(INVALID_PARAMS, error.message, {"code": error.code}) from None
        except ValidationError as error:
            return _refused(request, invalid_parameter(_located(error), takes))
        except AppError as error:
            return _refused(request, error)
        except Exception:  # noqa: BLE001 - logged in full, told as nothing
            return _failure(_surprise(request))
        text = TextContent(type="text", text=result.text)
        return CallToolResult(content=[text], structured_content=result.data, _meta=dict(result.facts) or None)


def _request_of(context: Context) -> Request:
    """The HTTP request that a message came with: what its admission found out is in its state."""
    assert context.request is not None  # noqa: S101 - this transport has one for every message
    return context.request


def _shown(tool: base.Tool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.parameters),
        annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
    )


def _refused(request: Request, error: AppError) -> CallToolResult:
    """A problem as the result of a call: an agent can read what it says and do better."""
    request.state.error_code = error.code
    return _failure(json.loads(bytes(problem(error, request.state.request_id).body)))


def _surprise(request: Request) -> dict[str, Any]:
    """Log what nobody foresaw, and give the problem that says nothing of it."""
    log.exception("unexpected", extra={"request_id": request.state.request_id})
    request.state.error_code = "internal"
    told: dict[str, Any] = json.loads(bytes(internal_problem(request.state.request_id).body))
    return told


def _failure(told: dict[str, Any]) -> CallToolResult:
    text = TextContent(type="text", text=json.dumps(told, ensure_ascii=False))
    return CallToolResult(content=[text], structured_content=told, is_error=True)


def _located(error: ValidationError) -> list[dict[str, Any]]:
    return [{**one, "loc": ("arguments", *one["loc"])} for one in error.errors()]


def _response(sent: list[Message]) -> Response:
    start = next(one for one in sent if one["type"] == "http.response.start")
    body = b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start.get("headers", ())}
    headers.pop("content-length", None)
    return Response(body, start["status"], headers)
