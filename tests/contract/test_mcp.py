"""Agents over the Model Context Protocol: the SDK's own client on a real server, and what else may come there."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import Any, cast

import anyio
import httpx2
import pytest
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ListToolsResult, Tool

from shared.agent_tools.toolbox import Toolbox
from shared.api.app import MoreRoutes
from shared.api.mcp import mcp_router
from shared.datasets.question import QUESTIONS
from shared.datasets.rules import DataRules
from shared.errors import StoreUnavailableError
from shared.keys import Principal
from shared.limits import Limits
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.api_shop import api_shop_in
from tests.published_web import OTHER, PublishedWeb, code_of, published_web_on
from tests.servers import REPOSITORY, free_port
from tests.shop import TENANT
from tests.stranger import cases

SECONDS = 1.0
ORDERS = "order_id,ordered_at,customer_id,country,total\n" + "".join(
    f"o{n},2024-01-{1 + n % 28:02},c{n % 4},{'Germania' if n % 4 else 'Frankia'},{n % 10}.50\n" for n in range(150)
)
RULES = {"rows": {"orders": {"country": "Frankia"}}, "masked": {"orders": ["customer_id"]}}
ALL_NOW = pytest.mark.parametrize("mode", ["auto", "legacy"])
"""The protocol of today, and the one with a handshake, which most clients still speak."""


class Agent:
    """A client with one key."""

    def __init__(self, url: str, token: str, mode: str = "auto") -> None:
        self._url, self._token, self._mode = url, token, mode

    def do(self, work: Callable[[Client], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {self._token}"}, timeout=30) as http:
                transport = streamable_http_client(self._url, http_client=http)
                async with Client(transport, mode=self._mode) as client:
                    try:
                        return await work(client)
                    except MCPError as error:
                        return error  # raised in here, it would come out in groups of groups

        done = anyio.run(connected)
        if isinstance(done, MCPError):
            raise done
        return done

    def tools(self) -> dict[str, Tool]:
        found: ListToolsResult = self.do(lambda client: client.list_tools())
        return {tool.name: tool for tool in found.tools}

    def call(self, name: str, /, **arguments: Any) -> CallToolResult:
        result: CallToolResult = self.do(lambda client: client.call_tool(name, arguments))
        return result

    def rows(self, name: str, /, **arguments: Any) -> list[dict[str, Any]]:
        result = self.call(name, **arguments)
        assert not result.is_error, result.structured_content
        rows: list[dict[str, Any]] = result.structured_content["rows"]
        return rows

    def problem(self, name: str, /, **arguments: Any) -> dict[str, Any]:
        """What a refused call says; the same as text."""
        result = self.call(name, **arguments)
        assert result.is_error
        told: dict[str, Any] = result.structured_content
        assert json.loads(result.content[0].text) == told
        return told


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("mcp")), SqlLimits(seconds=SECONDS, memory_mb=256))
    web.shop.upload("orders", "o.csv", ORDERS)
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\n")
    web.publish(
        "orders-above",
        "SELECT count(*) AS orders FROM orders WHERE total > $least",
        parameters=[{"name": "least", "type": "decimal", "required": True, "description": "More than this."}],
        example={"least": 5},
        description="Orders above an amount.\n\nAll of them.",
    )
    web.fresh()
    yield web
    web.runner.close()


@pytest.fixture(scope="module")
def url(web: PublishedWeb) -> Iterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(web.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{port}/v1/mcp"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def agent_of(web: PublishedWeb, url: str) -> Callable[..., Agent]:
    def agent(*scopes: str, tenant: str = TENANT, mode: str = "auto", path: str = "", **more: Any) -> Agent:
        return Agent(url + path, web.keys.create(tenant, scopes, **more).token, mode)

    return agent


@ALL_NOW
def test_an_agent_lists_tools_asks_a_question_and_runs_sql(web, agent_of, mode):
    agent = agent_of("read", "sql", mode=mode)
    tools = agent.tools()
    assert {"run_sql", "describe_lake", "definition", "my_orders_above"} <= tools.keys()
    assert {name.replace("/", "_").replace("-", "_") for name in QUESTIONS} <= tools.keys()
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert tools["sales_by_period"].input_schema["properties"]["grain"]["enum"][:2] == ["hour", "day"]
    called = agent.call("sales_summary", **{"from": "2024-01-02", "currency": "none"})
    over_http = web.reader.get("/v1/sales/summary?from=2024-01-02&currency=none")
    assert called.structured_content == over_http.json()
    assert json.loads(called.content[0].text) == over_http.json()
    # by hand: days repeat after 28 orders, so 144 of 150 are not of the first; their totals are n % 10 + 0.5
    later = [n for n in range(150) if n % 28 != 0]
    assert called.structured_content["rows"][0]["net_sales"] == f"{sum(n % 10 + 0.5 for n in later):.4f}"
    (row,) = agent.rows("run_sql", sql="SELECT count(*) AS n FROM orders WHERE total > $x", parameters={"x": 5})
    assert row == {"n": sum(n % 10 + 0.5 > 5 for n in range(150))}
    assert called.meta["receipt"].keys() == {"bytes", "requests", "ms", "cost_usd"}


@ALL_NOW
def test_a_key_has_the_tools_of_its_scopes_and_is_refused_the_others(agent_of, mode):
    reader, asker = agent_of("read", mode=mode), agent_of("sql", mode=mode)
    assert "run_sql" not in reader.tools()
    assert sorted(asker.tools()) == ["describe_lake", "run_sql"]
    told = reader.problem("run_sql", sql="SELECT 1")
    assert (told["code"], told["scope"]) == ("forbidden", "sql")
    assert asker.problem("sales_summary")["code"] == "forbidden"
    assert asker.problem("my_orders_above", least=1)["code"] == "forbidden"
    with pytest.raises(MCPError, match=r"There is no tool sales_sumary\. Did you mean sales_summary\?"):
        reader.call("sales_sumary")
    with pytest.raises(MCPError, match=r"There is no tool run_sqll\.$"):
        reader.call("run_sqll")  # what it may not have is not proposed either


def test_pages_fit_together_and_keep_to_their_snapshot(web, agent_of):
    agent, found = agent_of("read", "sql"), []
    sql = "SELECT order_id FROM orders"
    answer = agent.call("run_sql", sql=sql).structured_content
    assert len(answer["rows"]) == 100  # not as many as HTTP gives: an agent reads them all
    found += answer["rows"]
    first = answer["snapshot"]
    web.shop.upload("products", f"{time.monotonic_ns()}.csv", "product_id,name\np,Pen\n")
    answer = agent.call("run_sql", sql=sql, cursor=answer["next"]).structured_content
    assert (answer["snapshot"], answer["next"]) == (first, None)
    assert {row["order_id"] for row in found + answer["rows"]} == {f"o{n}" for n in range(150)}
    one = agent.call("sales_by", dimension="customer", limit=1).structured_content
    two = agent.call("sales_by", dimension="customer", limit=1, cursor=one["next"]).structured_content
    assert one["rows"] != two["rows"]
    assert agent.problem("run_sql", sql="SELECT 1", cursor=one["next"])["code"] == "invalid_cursor"
    assert agent.call("sales_summary", snapshot=first).structured_content["snapshot"] == first
    assert agent.problem("sales_summary", snapshot=first, as_of="2024-01-01")["code"] == "invalid_parameter"


def test_published_questions_are_tools_of_their_tenant_alone(agent_of):
    own, other = agent_of("read"), agent_of("read", tenant=OTHER)
    tool = own.tools()["my_orders_above"]
    assert (tool.title, tool.description) == ("orders-above", "Orders above an amount.")
    assert tool.input_schema["required"] == ["least"]
    assert own.rows("my_orders_above", least="5.50") == [{"orders": sum(n % 10 > 5 for n in range(150))}]
    assert own.problem("my_orders_above")["errors"] == [{"where": "arguments.least", "message": "Field required"}]
    assert "Orders above an amount." in own.call("definition", name="my_orders_above").content[0].text
    assert "my_orders_above" not in other.tools()
    with pytest.raises(MCPError, match="There is no tool my_orders_above"):
        other.call("my_orders_above", least=1)
    assert other.problem("definition", name="my_orders_above")["code"] == "unknown_question"


def test_two_tenants_see_their_own_lakes(agent_of):
    own, other = agent_of("read", "sql"), agent_of("read", "sql", tenant=OTHER)
    for agent, orders in ((own, 150), (other, 0), (own, 150)):
        assert agent.rows("run_sql", sql="SELECT count(*) AS n FROM orders") == [{"n": orders}]
        assert agent.rows("sales_summary")[0]["orders"] == orders


def test_a_key_with_rules_sees_its_part_and_not_what_the_rules_are(agent_of):
    agent = agent_of("read", "sql", rules=DataRules.from_document(RULES))
    french = sum(n % 4 == 0 for n in range(150))
    assert agent.rows("sales_summary")[0]["orders"] == french
    assert agent.rows("run_sql", sql="SELECT count(*) AS n, count(customer_id) AS c FROM orders") == [
        {"n": french, "c": 0}
    ]
    schema = agent.call("describe_lake").content[0].text
    assert "customer_id VARCHAR, -- empty in every row for this key" in schema
    assert "This key sees a part of the rows." in schema
    assert "Frankia" not in schema
    assert not any(str(count) in schema for count in (french, 150))


def test_the_limits_of_a_key_hold(agent_of, web):
    few = agent_of("read", "sql", limits=Limits(page_rows=5))
    assert len(few.rows("run_sql", sql="SELECT order_id FROM orders")) == 5
    assert few.problem("run_sql", sql="SELECT 1", limit=6)["code"] == "page_too_large"
    short = agent_of("read", "sql", limits=Limits(answer_bytes=200_000))
    wide = "SELECT lpad('', 9000, 'x') AS wide FROM orders"
    assert short.problem("run_sql", sql=wide, limit=10)["code"] == "answer_too_large"
    assert len(short.rows("run_sql", sql=wide, limit=3)) == 3
    assert agent_of("read", "sql").problem("run_sql", sql=wide)["code"] == "answer_too_large"
    slow = web.client("read", requests_per_second=0.1)
    codes = [code_of(slow.post("/v1/mcp", json=message("ping"))) for _ in range(3)]
    assert codes[-1] == (429, "too_many_requests")


def test_hostile_sql_is_an_error_of_its_tool_and_the_next_call_is_served(agent_of):
    agent = agent_of("sql")

    async def all_of_them(client: Client) -> None:
        for name, text in cases("refused", file="own")[:60]:
            result = await client.call_tool("run_sql", {"sql": text})
            assert result.is_error, name
            assert "rows" not in result.structured_content, name
        for name, text in cases("stopped")[:3]:
            started = time.monotonic()
            result = await client.call_tool("run_sql", {"sql": text})
            assert time.monotonic() - started < SECONDS + 2, name
            assert not result.is_error or result.structured_content["status"] < 500, name
            served = await client.call_tool("run_sql", {"sql": "SELECT 1 AS x"})
            assert served.structured_content["rows"] == [{"x": 1}]

    agent.do(all_of_them)
    told = agent.problem("run_sql", sql="SELECT *\nFROM orderz")
    assert (told["code"], told["line"], told["column"]) == ("invalid_sql", 2, 6)
    assert "Did you mean orders?" in told["detail"]
    assert "did you mean parameters?" in agent.problem("run_sql", sql="SELECT 1", parametres={})["detail"]


def test_an_address_may_name_the_tools_it_lists(agent_of):
    agent = agent_of("read", "sql", path="?tools=sales, run_sql")
    names = agent.tools().keys()
    assert names == {"run_sql", *(n.replace("/", "_").replace("-", "_") for n in QUESTIONS if n.startswith("sales/"))}
    with pytest.raises(MCPError, match="There is no tool salez"):
        agent_of("read", path="?tools=salez").tools()


def test_the_definition_of_a_number_is_a_call_away(agent_of):
    agent = agent_of("read")
    assert agent.call("definition", name="sales_by_period").content[0].text.startswith("# Sales by period")
    assert "`aov` =" in agent.call("definition", name="aov").content[0].text
    assert agent.problem("definition", name="nonsense")["code"] == "unknown_question"


# --- the address itself ----------------------------------------------------------------------------------------------


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.fixture(scope="module")
def post(web: PublishedWeb) -> Callable[..., httpx2.Response]:
    client = web.client("read", "sql")

    def post(body: Any, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, (str, bytes)) else json.dumps(body)
        told = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        answer: httpx2.Response = client.post("/v1/mcp", content=content, headers={**told, **headers})
        return answer

    return post


def test_only_known_keys_come_in_and_only_with_post(web, url):
    for headers in ({}, {"Authorization": "Bearer teal_k0123456789abcde_" + "0" * 64}):
        answer = httpx2.post(url, json=message("tools/list"), headers=headers)
        assert (code_of(answer), answer.headers["www-authenticate"]) == (
            (401, "unauthenticated"),
            'Bearer realm="teal"',
        )
    client = web.client("write")
    assert code_of(client.post("/v1/mcp", json=message("tools/list"))) == (403, "forbidden")
    for method in ("GET", "DELETE", "PUT"):
        answer = web.reader.request(method, "/v1/mcp")
        assert (code_of(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "POST")


def test_a_message_answers_as_json_and_needs_no_session(post):
    answer = post(message("tools/call", name="run_sql", arguments={"sql": "SELECT 1 AS x"}))
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json()["result"]["structuredContent"]["rows"] == [{"x": 1}]
    assert "mcp-session-id" not in answer.headers
    assert answer.headers["cache-control"] == "private, no-store"
    assert post({"jsonrpc": "2.0", "method": "notifications/initialized"}).status_code == 202


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        json.dumps([message("tools/list"), message("tools/list")]),
        json.dumps({"jsonrpc": "1.0", "id": 1, "method": "tools/list"}),
        json.dumps({"id": 1}),
        "[" * 100_000,
        '{"a":' * 50_000,
        b"\xff\xfe{",
        '{"jsonrpc": "2.0", "id": ' + "9" * 5_000 + ', "method": "ping"}',
    ],
)
def test_what_is_no_message_is_refused_without_a_word_of_it(post, body):
    answer = post(body)
    assert code_of(answer) == (400, "malformed_json")
    assert "pydantic" not in answer.text


def test_messages_that_nobody_takes_are_errors_of_the_protocol(post):
    codes = {
        -32601: message("no/such"),
        -32602: message("tools/call", name=3),
    }
    for code, body in codes.items():
        assert post(body).json()["error"]["code"] == code
    for name in ("x" * 100_000, "../../etc/passwd", "run_sql\0", "", "my_", "my_*"):
        answer = post(message("tools/call", name=name, arguments={})).json()
        assert answer["error"]["code"] == -32602
        assert len(answer["error"]["message"]) < 200
    modern = {"MCP-Protocol-Version": "2026-07-28"}
    assert post(message("subscriptions/listen"), **modern).status_code in (400, 404)
    assert post(message("tools/list"), **{"MCP-Protocol-Version": "1999-01-01"}).status_code == 400


def test_a_body_has_a_size_and_a_type_and_a_page_an_origin(post, web):
    assert code_of(post(b" " * 1_000_001)) == (413, "body_too_large")
    assert code_of(post(message("ping"), **{"Content-Type": "text/plain"})) == (415, "unsupported_media_type")
    assert code_of(post(message("ping"), Origin="https://evil.example")) == (403, "forbidden")
    assert code_of(post(message("ping"), Origin="http://localhost")) == (403, "forbidden")
    assert code_of(web.reader.post("/v1/mcp?tool=x", json=message("ping"))) == (422, "invalid_parameter")


class BrokenTools:
    """Tools that nobody foresaw."""

    def listed(self, principal: Principal, wanted: Collection[str]) -> list[Any]:
        raise RuntimeError("a secret detail")

    def find(self, principal: Principal, name: str) -> Any:
        raise StoreUnavailableError("The store is silent.") if name == "silent" else RuntimeError("a secret detail")


def test_a_defect_is_logged_in_full_and_told_nothing(tmp_path, caplog):
    more = MoreRoutes(lambda _: mcp_router(lambda: cast(Toolbox, BrokenTools())), keeps_rules=True)
    client = api_shop_in(tmp_path, ingest=False, more=(more,)).client
    accept = {"Accept": "application/json"}
    answers = [
        client.post("/v1/mcp", json=body, headers=accept | version)
        for body in (message("tools/list"), message("tools/call", name="x"))
        for version in ({}, {"MCP-Protocol-Version": "2025-06-18"})
    ]
    for answer in answers:
        assert "secret" not in answer.text
        assert "Something went wrong here." in answer.text
        assert answer.headers["x-request-id"] in {getattr(record, "request_id", "") for record in caplog.records}
    assert sum("a secret detail" in str(record.exc_info) for record in caplog.records) == len(answers)
    told = client.post("/v1/mcp", json=message("tools/call", name="silent"), headers=accept).json()["result"]
    assert (told["isError"], told["structuredContent"]["code"]) == (True, "store_unavailable")


def test_the_api_starts_without_the_library_and_one_file_knows_it(tmp_path):
    program = (
        "import sys, shared.bootstrap as b; b.api(); "
        "print([name for name in ('mcp', 'shared.agent_tools') if name in sys.modules])"
    )
    environment = {**os.environ, "TEAL_LAKE": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=REPOSITORY, env=environment, check=True
    )
    assert told.stdout.strip() == "[]"
    code = {path.name: path.read_text() for path in (REPOSITORY / "shared").rglob("*.py")}
    assert [name for name, text in code.items() if re.search(r"^\s*(from|import) mcp", text, re.M)] == ["mcp_server.py"]


def test_a_call_is_one_line_of_the_log_without_what_was_asked(post, caplog):
    secret = "a text that nobody logs"
    with caplog.at_level(logging.DEBUG):
        post(message("tools/call", name="run_sql", arguments={"sql": f"SELECT '{secret}' AS x"}))
        post(message("tools/call", name="run_sql", arguments={"sql": f"SELEC '{secret}'"}))
        post(message("tools/call", name=secret, arguments={secret: secret}))
    lines = [record for record in caplog.records if record.message == "request"]
    assert [(line.action, line.outcome, getattr(line, "code", "")) for line in lines] == [
        ("mcp run_sql", "done", ""),
        ("mcp run_sql", "refused", "invalid_sql"),
        ("POST /v1/mcp", "refused", "unknown_tool"),
    ]
    assert lines[0].question == "sql"
    seen = " ".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records if record.name != "root")
    assert secret not in seen
