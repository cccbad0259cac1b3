"""POST /v1/sql on a folder and on S3 over HTTP: what is answered, what is refused, and what nobody learns."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pandas
import pytest
from starlette.testclient import TestClient

from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits
from tests.published_web import OTHER, PublishedWeb, code_of, published_web_on
from tests.shop import TENANT
from tests.stranger import widen

SECONDS = 1.0
ORDERS = "order_id,ordered_at,customer_id,status,total\n" + "".join(
    f"{n},2024-01-{1 + n % 28:02},c{n % 4},{'open' if n % 2 else 'paid'},{n % 10}.5\n" for n in range(60)
)


class Sql:
    """Asks SQL with one key."""

    def __init__(self, web: PublishedWeb, tenant: str, *scopes: str) -> None:
        token = web.keys.create(tenant, scopes).token
        self.client = TestClient(web.app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})

    def __call__(self, sql: str, **told: Any) -> httpx2.Response:
        # Escaped, since some attacks are no text that could be sent otherwise.
        body = json.dumps({"sql": sql, **told})
        answer: httpx2.Response = self.client.post(
            "/v1/sql", content=body, headers={"Content-Type": "application/json"}
        )
        return answer

    def rows(self, sql: str, **told: Any) -> list[dict[str, Any]]:
        answer = self(sql, **told)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows


stores = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)
folder = pytest.mark.parametrize("store_spec", ["folder"], indirect=True)


@pytest.fixture
def web(store: ObjectStore) -> Iterator[PublishedWeb]:
    web = published_web_on(store, SqlLimits(seconds=SECONDS, answer_bytes=200_000, memory_mb=256, temp_mb=64))
    web.shop.upload("orders", "o.csv", ORDERS)
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\nc1,Bob,\n")
    web.shop.upload("products", "p.csv", "product_id,name\np,Pen\n")
    web.shop.writer.commit("test", widen)
    web.fresh()
    yield web
    web.runner.close()


@pytest.fixture
def sql(web: PublishedWeb) -> Sql:
    return Sql(web, TENANT, "sql")


@stores
def test_sql_is_answered_with_its_values(sql):
    # by hand: of 60 orders n, 15 are of each customer; those of c1 are n = 1, 5 … 57 with totals n % 10 + 0.5
    (row,) = sql.rows(
        "SELECT count(*) AS orders, sum(total) AS total FROM orders WHERE customer_id = $who AND order_id <> $not",
        parameters={"who": "c1", "not": "57"},
    )
    expected = sum(n % 10 for n in range(1, 57, 4)) + 14 * 0.5
    assert (row["orders"], float(row["total"])) == (14, expected)
    assert sql.rows("SELECT $n + 1 AS n, $missing IS NULL AS none", parameters={"n": 1, "missing": None}) == [
        {"n": 2, "none": True}
    ]
    text = "'; DROP TABLE orders --"
    assert sql.rows("SELECT $x AS x", parameters={"x": text}) == [{"x": text}]


@stores
def test_pages_formats_and_snapshots_are_those_of_any_question(web, sql):
    asked = "SELECT order_id, total FROM orders"
    first = sql(asked, limit=25)
    pages, told = [first.json()["rows"]], first.json()
    web.shop.upload("orders", "more.csv", "order_id,ordered_at,customer_id,total\nz,2024-02-01,c9,1\n")
    while told["next"]:
        told = sql(asked, limit=25, cursor=told["next"]).json()
        pages.append(told["rows"])
    assert [len(page) for page in pages] == [25, 25, 10]
    whole = sql.rows(asked, snapshot=first.json()["snapshot"])
    assert [row for page in pages for row in page] == whole
    assert sql.rows("SELECT count(*) AS n FROM orders") == [{"n": 61}]
    frame = pandas.read_csv(io.BytesIO(sql(asked, format="csv", snapshot=told["snapshot"]).content), dtype=str)
    assert list(frame["order_id"]) == [row["order_id"] for row in whole]
    parquet = sql.client.post("/v1/sql", json={"sql": asked}, headers={"Accept": "application/vnd.apache.parquet"})
    assert len(pandas.read_parquet(io.BytesIO(parquet.content))) == 61
    assert code_of(sql("SELECT 1", cursor=first.json()["next"])) == (400, "invalid_cursor")
    assert code_of(sql(asked, snapshot=10**6)) == (404, "snapshot_not_found")


@folder
def test_only_a_key_with_the_scope_asks_and_only_of_its_own_tenant(web, sql):
    assert code_of(web.admin.post("/v1/sql", json={"sql": "SELECT 1"})) == (403, "forbidden")
    assert sql.client.get("/v1/sql").status_code == 405
    other = Sql(web, OTHER, "sql")
    assert other.rows("SELECT * FROM orders") == []
    web.shop.reader.refresh()
    assert sql.rows("SELECT count(*) AS n FROM orders") == [{"n": 60}]


@folder
def test_personal_columns_are_empty_without_admin_also_in_conditions(web, sql):
    everything = Sql(web, TENANT, "sql", "admin")
    asked = "SELECT customer_id, email FROM customers ORDER BY 1"
    assert [row["email"] for row in everything.rows(asked)] == ["ann@example.org", None]
    assert [row["email"] for row in sql.rows(asked)] == [None, None]
    assert sql.rows("SELECT count(*) AS n FROM customers WHERE email LIKE 'ann%'") == [{"n": 0}]
    assert everything.rows("SELECT count(*) AS n FROM customers WHERE email LIKE 'ann%'") == [{"n": 1}]


@folder
def test_what_asks_for_the_time_is_answered_anew(sql):
    first, second = (sql.rows("SELECT now() AS n")[0]["n"] for _ in range(2))
    assert first != second
    assert sql("SELECT 1 AS x").headers["Server-Timing"] != "cache;dur=0"
    assert sql("SELECT 1 AS x").headers["Server-Timing"] == "cache;dur=0"


@folder
def test_mistakes_say_where_and_what_was_meant(sql):
    told = sql("SELECT *\nFROM orderz").json()
    assert (told["code"], told["line"], told["column"]) == ("invalid_sql", 2, 6)
    assert "Did you mean orders?" in told["detail"]
    assert "Did you mean total?" in sql("SELECT totl FROM orders").json()["detail"]
    # Also when the same text was asked with a value before.
    for asked in ({}, {"parameters": {"x": 1}}, {}):
        assert code_of(sql("SELECT $x AS x", **asked))[0] == (200 if asked else 422)
    assert code_of(sql("SELECT $x AS x")) == (422, "invalid_sql")
    assert code_of(sql("SELECT status::INTEGER AS n FROM orders")) == (422, "failed_sql")
    for broken in ({"sql": ""}, {"sql": "SELECT 1", "limits": 3}, {"sql": "SELECT 1", "parameters": {"X": 1}}, {}):
        assert sql.client.post("/v1/sql", json=broken).status_code == 422
    assert sql.client.post("/v1/sql", content="SELECT 1").status_code == 415


@folder
def test_a_dry_run_says_what_it_would_read_and_runs_nothing(sql):
    told = sql("SELECT count(*) FROM orders, customers", dry_run=True).json()
    assert (told["question"], told["files"]) == ("sql", 2)
    assert told["bytes"] > 0
    assert code_of(sql("SELECT * FROM read_text('x')", dry_run=True)) == (422, "refused_sql")
