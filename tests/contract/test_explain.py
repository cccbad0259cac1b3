"""EXPLAIN over POST /v1/sql: a plan as rows, of which nothing tells where data lie or what somebody may not see."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pandas
import pytest

from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.published_web import OTHER, PublishedWeb, code_of, published_web_on
from tests.shop import TENANT

RULES = {"rows": {"orders": {"country": "Frankia"}}, "masked": {"orders": ["channel"]}}
ASKED = [
    "SELECT * FROM orders",
    "SELECT customer_id, sum(total) FROM orders WHERE total > $least GROUP BY 1 ORDER BY orders.customer_id LIMIT 3",
    "SELECT * FROM orders o JOIN customers c USING (customer_id) LEFT JOIN order_items i ON i.order_id = o.order_id "
    "WHERE c.email IS NULL AND i.quantity > 2 AND o.country = 'Germania' AND o.ordered_at > '2023-01-01'",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t, range(3), products",
    "SELECT row_number() OVER (PARTITION BY status ORDER BY total), (SELECT max(total) FROM orders) FROM orders "
    "WHERE order_id IN (SELECT order_id FROM order_items) UNION ALL SELECT 1, 2 FROM products",
    "SELECT unnest([1, 2]), * FROM (PIVOT orders ON status IN ('a', 'b') USING sum(total))",
    "SUMMARIZE orders",
    "DESCRIBE orders",
]
stores = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)


def orders(first: int, count: int, country: str, total: int) -> str:
    lines = (f"o{n},2024-01-{1 + n % 28:02},c{n % 4},{country},{total + n % 5}" for n in range(first, first + count))
    return "\n".join(["order_id,ordered_at,customer_id,country,total", *lines, ""])


@contextmanager
def made(store: ObjectStore) -> Iterator[PublishedWeb]:
    web = published_web_on(store, SqlLimits(seconds=5, memory_mb=256))
    web.shop.upload("orders", "f.csv", orders(0, 40, "Frankia", 10))
    web.shop.upload("orders", "g.csv", orders(100, 60, "Germania", 500))
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\nc1,Bob,\n")
    web.shop.upload("products", "p.csv", "product_id,name\np,Pen\n")
    web.fresh()
    yield web
    web.runner.close()


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    with made(FolderStore(tmp_path_factory.mktemp("explain"))) as web:
        yield web


@pytest.fixture
def web_on(store: ObjectStore) -> Iterator[PublishedWeb]:
    with made(store) as web:
        yield web


def plan(client: Any, sql: str, **told: Any) -> list[dict[str, Any]]:
    parameters = {"least": 3} if "$least" in sql else {}
    answer = client.post("/v1/sql", json={"sql": f"EXPLAIN {sql}", "parameters": parameters, **told})
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["rows"]
    return rows


@stores
def test_a_plan_is_rows_and_names_no_place(web_on):
    web = web_on
    client = web.client("read", "sql")
    for sql in ASKED:
        rows = plan(client, sql)
        assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
        assert rows[0]["depth"] == 0
        assert all(row["depth"] <= before["depth"] + 1 for before, row in pairwise(rows))
        for word in ("parquet", "ducklake", "lake/", "lake.", "memory", "/tmp", "s3:", "teal-", "main.", f"{TENANT}/"):
            assert word not in json.dumps(rows).lower(), (word, sql)
    scans = [row for row in plan(client, ASKED[0]) if row["operator"] == "TABLE_SCAN"]
    assert [(row["details"].partition(";")[0], row["estimated_rows"]) for row in scans] == [("Table: orders", 100)]
    filtered = json.dumps(plan(client, "SELECT order_id FROM orders WHERE country = 'Germania'"))
    assert "country='Germania'" in filtered


@stores
def test_a_plan_under_rules_shows_neither_the_rules_nor_what_they_hide(web_on):
    web = web_on
    part = web.client("read", "sql", rules=RULES)
    before = [plan(part, sql) for sql in ASKED]
    for sql, rows in zip(ASKED, before, strict=True):
        assert "Frankia" not in json.dumps(rows), sql
        assert all(row["estimated_rows"] is None for row in rows)
    # The plan of a SELECT without a condition has none, and reads nothing that the SELECT does not.
    assert "Filters" not in json.dumps(before[0])
    assert not any("country" in row["details"] for row in plan(part, "SELECT sum(total) AS n FROM orders"))
    # Whatever becomes of the hidden rows, nothing of it can be seen.
    web.shop.upload("orders", "h.csv", orders(200, 300, "Germania", 9_000))
    web.fresh()
    assert [plan(part, sql) for sql in ASKED] == before
    for least in (0, 1_000, 100_000):
        sql = f"SELECT order_id FROM orders WHERE total > {least}"
        assert [row["operator"] for row in plan(part, sql)] == ["ORDER_BY", "TABLE_SCAN"]


def test_a_plan_is_an_answer_like_any_other(web):
    client = web.client("sql")
    told = client.post("/v1/sql", json={"sql": "explain SELECT 1 AS x", "limit": 2}).json()
    assert [column["name"] for column in told["columns"]] == ["step", "depth", "operator", "details", "estimated_rows"]
    more = client.post("/v1/sql", json={"sql": "explain SELECT 1 AS x", "limit": 2, "cursor": told["next"]}).json()
    assert [row["step"] for row in told["rows"] + more["rows"]] == [1, 2, 3, 4]
    parquet = client.post("/v1/sql", json={"sql": "EXPLAIN SELECT 1 AS x", "format": "parquet"}).content
    assert list(pandas.read_parquet(io.BytesIO(parquet))["operator"]) == [
        row["operator"] for row in plan(client, "SELECT 1 AS x")
    ]
    answer = client.post("/v1/sql", json={"sql": "EXPLAIN SELECT * FROM orders"})
    assert answer.headers["teal-receipt"].startswith("bytes=0, ")
    quote = client.post("/v1/sql", json={"sql": "EXPLAIN SELECT * FROM orders", "dry_run": True}).json()
    assert (quote["files"], quote["bytes"]) == (0, 0)
    assert plan(web.client("sql", tenant=OTHER), "SELECT * FROM orders")[-1]["details"].startswith("Table: orders")


def test_what_is_explained_is_checked_as_if_it_were_run(web):
    client = web.client("sql")
    refused = {
        "EXPLAIN SELECT * FROM read_text('/etc/passwd')": "refused_sql",
        "EXPLAIN INSERT INTO orders SELECT * FROM orders": "refused_sql",
        "EXPLAIN ANALYZE SELECT 1": "refused_sql",
        "EXPLAIN (FORMAT JSON) SELECT 1": "refused_sql",
        "EXPLAIN EXPLAIN SELECT 1": "refused_sql",
        "EXPLAIN SELECT 1; SELECT 2": "refused_sql",
        "EXPLAIN SELECT 1; EXPLAIN SELECT 2": "refused_sql",
        "EXPLAIN": "refused_sql",
        "EXPLAIN SELECT * FROM duckdb_secrets()": "refused_sql",
        "SELECT * FROM (EXPLAIN SELECT 1)": "invalid_sql",
        "EXPLAIN SELECT $missing": "invalid_sql",
    }
    for sql, code in refused.items():
        answer = client.post("/v1/sql", json={"sql": sql})
        assert code_of(answer) == (422, code), (sql, answer.text)
    told = client.post("/v1/sql", json={"sql": "EXPLAIN\nSELECT totl FROM orders"}).json()
    assert (told["line"], told["column"]) == (2, 8)
    assert told["detail"] == "There is no column totl (line 2, column 8). Did you mean total?"
    assert code_of(web.publish("explained", "EXPLAIN SELECT 1 AS x")) == (422, "refused_sql")


@pytest.mark.parametrize(
    ("sql", "place", "words"),
    [
        ("SELECT\n  totl FROM orders", (2, 3), "no column totl (line 2, column 3). Did you mean total?"),
        ("SELECT o.totl FROM orders o", (1, 8), "no column totl (line 1, column 8). Did you mean total?"),
        ("SELECT zzzzz FROM orders", (1, 8), "There is no column zzzzz (line 1, column 8)."),
        ("SELECT x.total FROM orders o", (1, 8), "There is o."),
        ("SELECT 'ü', totl FROM orders", (1, 13), "Did you mean total?"),
        ("SELECT sum(status) FROM orders", (1, 8), "It takes sum("),
        ("SELECT nvl(total, 0) FROM orders", (1, 8), "Did you mean coalesce?"),
        ("SELECT 1\nFROM order_itms", (2, 6), "Did you mean order_items?"),
        ("SELECT 1 FROM secret_orders", (1, 15), "There is no dataset secret_orders (line 1, column 15)."),
        ("SELECT 'x'::INTEGER AS n", (1, 8), "Could not convert string 'x' to INT32 (line 1, column "),
        ("SELECT order_id FROM orders a, orders b", (1, 8), 'use: "a.order_id" or "b.order_id"'),
        ("SELECT total FROM orders, orders AS o", None, "Ambiguous"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_meant(web, sql, place, words):
    told = web.client("sql").post("/v1/sql", json={"sql": sql}).json()
    assert words in told["detail"]
    if place:
        assert told["line"] == place[0]
        assert told["column"] == place[1] or "Could not convert" in words
    assert not any(word in told["detail"] for word in ("memory", "lake", "main.", "LINE ", "{"))
