"""What a caller may take, H47 and H49 of docs/security.md; bodies and bytes are in the other test_http files."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.api.app import ApiRules
from shared.datasets.contract import Contract
from shared.steps import new_dataset
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.api_shop import ApiShop, api_shop_in, code_of
from tests.published_web import PublishedWeb, published_web_on
from tests.raw_http import RawServer, received, served

LONG = "SELECT count(*) FROM range(10000000) a, range(10000000) b"


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("taken")), SqlLimits(seconds=20, memory_mb=256))
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,total\n1,2024-01-01,5\n")
    web.fresh()
    yield web
    web.runner.close()


@pytest.fixture(scope="module")
def server(web: PublishedWeb) -> Iterator[RawServer]:
    with served(web.app) as running:
        yield running


def asking(server: RawServer, token: str, sql: str, path: str = "/v1/sql") -> socket.socket:
    """A connection on which SQL is asked, at ``/v1/mcp`` as an agent does."""
    call = {"name": "run_sql", "arguments": {"sql": sql}}
    told = {"sql": sql} if path == "/v1/sql" else {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    body = json.dumps(told).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\nContent-Type: application/json\r\n"
        f"Accept: application/json, text/event-stream\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    connection = server.connect()
    connection.sendall(head.encode() + body)
    return connection


def busy_cells(web: PublishedWeb) -> list[int]:
    """The processes of cells that run something."""
    return [taken.cell._process.pid for taken in web.runner._busy if taken.cell is not None]


def until(done: object, *, seconds: float = 5.0) -> float:
    """Wait until something is so; returns the seconds it took."""
    began = time.monotonic()
    while not done():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("path", "leave"), [("/v1/sql", "close"), ("/v1/sql", "reset"), ("/v1/sql", "half"), ("/v1/mcp", "close")]
)
def test_h47_a_query_is_stopped_when_nobody_waits_for_it(
    web: PublishedWeb, server: RawServer, path: str, leave: str
) -> None:
    token = web.client("sql").headers["authorization"]
    with asking(server, token, "SELECT 1", path) as connection:
        assert received(connection, waits=0.05).status == 200
    connection = asking(server, token, LONG, path)
    until(lambda: busy_cells(web))
    time.sleep(0.3)
    (process,) = busy_cells(web)
    if leave == "reset":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    if leave == "half":
        connection.shutdown(socket.SHUT_WR)
    else:
        connection.close()
    assert until(lambda: not is_alive(process)) < 2
    until(lambda: not busy_cells(web))
    connection.close()
    with asking(server, token, "SELECT 1 AS one") as connection:
        assert json.loads(received(connection, waits=0.05).body)["rows"] == [{"one": 1}]


def test_h47_who_waits_gets_the_answer_however_long_it_takes(web: PublishedWeb, server: RawServer) -> None:
    slow = "SELECT count(*) AS n FROM range(8000) a, range(8000) b WHERE (a.range * b.range) % 7 = 1"
    with asking(server, web.client("sql").headers["authorization"], slow) as connection:
        began = time.monotonic()
        answer = received(connection, waits=0.05)
    assert answer.status == 200
    assert time.monotonic() - began > 0.26, "slow enough to be looked after"
    # of 8,000 numbers 0 … 7,999 those with each rest by 7; a pair counts when its rests multiply to 1 or 8 or 15 …
    rests = [len(range(rest, 8_000, 7)) for rest in range(7)]
    expected = sum(rests[a] * rests[b] for a in range(7) for b in range(7) if a * b % 7 == 1)
    assert json.loads(answer.body)["rows"] == [{"n": expected}]


@pytest.fixture
def api(tmp_path: Path) -> ApiShop:
    return api_shop_in(tmp_path, rules=ApiRules())


def test_h49_a_lake_has_no_more_datasets_than_it_may(api: ApiShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_dataset, "MAX_DATASETS", 2)
    contract = {"columns": [{"name": "a"}], "key": ["a"]}
    for name in ("one", "two"):
        assert api.client.put(f"/v1/datasets/{name}", json={"name": name, **contract}).status_code == 200
    refused = api.client.put("/v1/datasets/three", json={"name": "three", **contract})
    assert code_of(refused) == (422, "command_refused")
    assert refused.json()["reason_code"] == "too_many_datasets"
    held = api.client.post("/v1/uploads?dataset=four&filename=f.csv", content="a,b\n1,2\n")
    assert (code_of(held), held.json()["reason_code"]) == ((422, "upload_held"), "too_many_datasets")
    assert api.client.put("/v1/datasets/two", json={"name": "two", **contract}).status_code == 200, "a new version"
    orders = "order_id,ordered_at\n1,2024-01-01\n"
    assert api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=orders).status_code == 201, "built in"


def test_h49_a_dataset_has_no_more_columns_than_it_may(api: ApiShop) -> None:
    columns = [{"name": f"c{n}"} for n in range(2_001)]
    answer = api.client.put("/v1/datasets/wide", json={"name": "wide", "columns": columns, "key": ["c0"]})
    assert code_of(answer) == (422, "invalid_parameter")
    assert Contract.model_validate({"name": "wide", "columns": columns[:-1], "key": ["c0"]})
