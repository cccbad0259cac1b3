"""An answer is a file at an address: DuckDB and pandas read it over real HTTP with a key, as a notebook would."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pandas
import pytest
import uvicorn

from shared.duck import Duck, literal, open_duck
from shared.errors import EngineUnavailableError
from tests.servers import free_port
from tests.web import Web, web_of


@dataclass(frozen=True)
class Site:
    """An API that listens on the loopback, with a key that may read it."""

    web: Web
    url: str
    token: str


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Site]:
    web = web_of(tmp_path_factory.mktemp("site"))
    rows = "".join(f"{day},2024-01-{day:02}T12:00:00Z,c{day % 3},{day}.25\n" for day in range(1, 32))
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total\n" + rows)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(web.app, host="127.0.0.1", port=port, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield Site(web, f"http://127.0.0.1:{port}/v1", web.client.headers["Authorization"].removeprefix("Bearer "))
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=2, extensions=("httpfs",))


SECRETS = ["BEARER_TOKEN {token}", "EXTRA_HTTP_HEADERS MAP {{'Authorization': {bearer}}}"]


@pytest.mark.parametrize("secret", SECRETS)
def test_duckdb_reads_a_parquet_answer_from_its_address(site, duck, secret):
    given = secret.format(token=literal(site.token), bearer=literal(f"Bearer {site.token}"))
    duck.execute(f"CREATE SECRET teal (TYPE http, {given}, SCOPE {literal(site.url)})")
    address = f"{site.url}/sales/by-period?grain=week&format=parquet"
    found = duck.query(f"SELECT period, net_sales, orders FROM read_parquet({literal(address)}) ORDER BY period")
    # by hand: January 2024 begins on a Monday, so weeks hold days 1–7, 8–14 … and each day sells its number and 0.25
    assert found.rows == [
        (f"2024-01-{first:02}", Decimal(sum(days)) + Decimal("0.25") * len(days), len(days))
        for first in (1, 8, 15, 22, 29)
        if (days := range(first, min(first + 7, 32)))
    ]
    assert found.types == ("VARCHAR", "DECIMAL(18,4)", "BIGINT")


def test_duckdb_reads_a_csv_answer_from_its_address(site, duck):
    duck.execute(f"CREATE SECRET teal (TYPE http, BEARER_TOKEN {literal(site.token)}, SCOPE {literal(site.url)})")
    address = f"{site.url}/sales/by-period?grain=month&format=csv"
    assert duck.execute(f"SELECT orders, net_sales FROM read_csv({literal(address)})") == [(31, 503.75)]


def test_duckdb_reads_the_rows_of_a_dataset_from_their_address(site, duck):
    duck.execute(f"CREATE SECRET teal (TYPE http, BEARER_TOKEN {literal(site.token)}, SCOPE {literal(site.url)})")
    address = f"{site.url}/datasets/orders/rows?format=parquet&customer_id=c1&order=-total"
    found = duck.query(f"SELECT order_id, total FROM read_parquet({literal(address)})")
    # by hand: c1 ordered on every third day from the first, and each day sells its number and 0.25
    assert found.rows == [(str(day), day + Decimal("0.25")) for day in range(31, 0, -3)]
    assert found.types == ("VARCHAR", "DECIMAL(18,4)")


def test_without_a_key_there_is_nothing_to_read(site, duck):
    with pytest.raises(EngineUnavailableError):
        duck.execute(f"FROM read_parquet({literal(site.url + '/sales/by-period?format=parquet')})")


def test_pandas_reads_answers_from_their_address(site):
    headers = {"Authorization": f"Bearer {site.token}"}
    frame = pandas.read_parquet(f"{site.url}/sales/by-period?grain=day&format=parquet", storage_options=headers)
    assert (len(frame), sum(frame["net_sales"])) == (31, Decimal("503.75"))
    table = pandas.read_csv(f"{site.url}/sales/summary?format=csv", storage_options=headers)
    assert table["orders"].to_list() == [31]
