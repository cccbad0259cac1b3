"""A key with rules against whoever holds it: what its SQL is told is what a lake without the hidden rows would tell.

The same SQL is asked of two lakes: of one by a key that sees a part of it, of the other, which holds that part and no
more, by a key that sees everything. Answers and mistakes are compared word by word.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.published_web import PublishedWeb, published_web_on

RULES = {
    "rows": {"orders": {"status": "open"}, "customers": {"country__in": "year,month"}},
    "masked": {"orders": ["channel"]},
}
HIDDEN = "HIDDEN"
"""In every value that the rules hide."""

SUSPECTS = [
    "{x}::INTEGER > 0", "{x}::UUID IS NULL", "{x}::DATE IS NULL", "{x}::INTERVAL IS NULL", "{x}::INTEGER[] IS NULL",
    "{x}::STRUCT(a INTEGER) IS NULL", "{x}::JSON IS NULL", "{x}::TIMESTAMPTZ > now()", "{x}::BOOLEAN",
    "ascii({x})::DECIMAL(4, 2) > 0",
    "date_part({x}, DATE '2024-01-01') > 0", "date_trunc({x}, DATE '2024-01-01') IS NULL",
    "datediff({x}, DATE '2024-01-01', DATE '2024-01-01') = 0",
    "date_sub({x}, DATE '2024-01-01', DATE '2024-01-01') = 0",
    "datediff(replace({x}, 'HIDDEN', 'found'), DATE '2024-01-01', DATE '2024-01-01') = 0",
    "datediff(regexp_replace({x}, '^H.*', 'found'), DATE '2024-01-01', DATE '2024-01-01') = 0",
    "from_hex({x}) IS NULL", "from_base64({x}) IS NULL", "strptime({x}, '%Y') > now()", "{x} ->> '$.a' IS NULL",
    "timezone({x}, now()) IS NULL", "chr(ascii({x}) * 100000) = ''", "ln(-ascii({x})) > 0", "sqrt(-ascii({x})) > 0",
    "1::BIGINT << ascii({x}) > 0", "make_date(ascii({x}), 99, 99) IS NULL", "to_days(ascii({x}) * 100000000) IS NULL",
    "ascii({x}) * 9223372036854775807 > 1", "epoch_ms(ascii({x}) * 9223372036854775) IS NULL",
    "map([{x}, {x}], [1, 2]) IS NULL", "map([{x}], [1])[{x}] IS NULL", "error('it is ' || {x}) IS NULL",
    "CASE WHEN {x} LIKE 'H%' THEN error({x}) END IS NULL", "CASE WHEN {x} > 'p' THEN {x}::INTEGER ELSE 0 END = 0",
    "(SELECT {x}::INTEGER) > 0", "{x} IN (SELECT {x}::INTEGER::VARCHAR)",
    "list_transform([{x}], lambda v: v::INTEGER)[1] > 0",
    "regexp_matches({x}, 'H') AND {x}::INTEGER > 0", "TRY({x}::INTEGER) IS NULL", "TRY_CAST({x} AS INTEGER) IS NULL",
]  # fmt: skip
"""Conditions that fail on some values, and say in the error on which."""

WHOLE = [
    "SELECT count(*), count(DISTINCT status), min(status), max(status), approx_count_distinct(status) FROM orders",
    "SELECT status, count(*) FROM orders GROUP BY status",
    "SELECT status::INTEGER FROM orders",
    "SELECT order_id FROM orders ORDER BY status::INTEGER",
    "SELECT sum(status::INTEGER) FROM orders",
    "SELECT sum(total) OVER (PARTITION BY status::INTEGER) FROM orders",
    "SELECT count(*) FROM orders GROUP BY status::INTEGER",
    "SELECT orders FROM orders ORDER BY orders LIMIT 3",
    "SELECT COLUMNS('stat.*') FROM orders ORDER BY 1 LIMIT 2",
    "SELECT * EXCLUDE (order_id) REPLACE (upper(status) AS status) FROM orders ORDER BY ALL LIMIT 2",
    "SELECT histogram(status), mode(status), entropy(status), list(DISTINCT status ORDER BY status) FROM orders",
    "SELECT o.order_id FROM orders o JOIN customers c ON o.customer_id = c.customer_id AND c.country::INTEGER > 0",
    "SELECT count(*) FROM orders a JOIN orders b ON a.status::INTEGER = b.status::INTEGER",
    "SELECT count(*) FROM orders o LEFT JOIN customers c USING (customer_id) WHERE c.country IS NULL",
    "SELECT channel, count(*) FROM orders WHERE channel LIKE 'H%' OR channel IS NULL GROUP BY 1",
    "SELECT channel::INTEGER FROM orders",
    "SELECT max(channel), count(channel), bool_or(channel = 'HIDDENCHANNEL') FROM orders",
    "SELECT count(*) FROM orders WHERE CASE WHEN channel LIKE 'H%' THEN error(channel)::INTEGER ELSE 1 END = 1",
    "SUMMARIZE SELECT status, total FROM orders",
    "SUMMARIZE SELECT * FROM customers",
    "PIVOT orders ON status IN ('open', 'HIDDENSTATUS') USING count(*) GROUP BY customer_id",
    "SELECT * FROM (SELECT status FROM orders LIMIT 5) WHERE status::INTEGER > 0",
    "SELECT (SELECT max(status) FROM orders WHERE status > 'open' OR status < 'open')",
    "WITH RECURSIVE t(s) AS (SELECT min(status) FROM orders UNION SELECT o.status FROM t, orders o) SELECT * FROM t",
    "SELECT quantile_disc(total, 0.5), stddev_pop(total), arg_max(status, total) FROM orders",
]

QUESTIONS = [f"SELECT count(*) FROM orders WHERE {one.format(x='status')}" for one in SUSPECTS]
QUESTIONS += [f"SELECT count(*) FROM customers WHERE {one.format(x='country')}" for one in SUSPECTS] + WHOLE


def lake(folder: Path, *, whole: bool) -> PublishedWeb:
    """Two thirds of the orders and a third of the customers are there only when it is ``whole``; so are channels."""
    web = published_web_on(FolderStore(folder), SqlLimits(seconds=5, memory_mb=256, temp_mb=64))
    statuses = {0: f"{HIDDEN}STATUS", 1: "open", 2: f"{HIDDEN}{'x' * 40}"}
    channel = f"{HIDDEN}CHANNEL" if whole else ""
    orders = [
        f"{n},2024-01-{1 + n % 28:02},c{n % 2},{statuses[n % 3]},{channel},{n % 10}\n"
        for n in range(6_000)
        if whole or n % 3 == 1
    ]
    countries = {"c0": "year", "c1": "month", "c2": f"{HIDDEN}COUNTRY"}
    customers = [f"{key},{country}\n" for key, country in countries.items() if whole or key != "c2"]
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,status,channel,total\n" + "".join(orders))
    web.shop.upload("customers", "c.csv", "customer_id,country\n" + "".join(customers))
    web.fresh()
    return web


@pytest.fixture(scope="module")
def both(tmp_path_factory) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    whole, part = (lake(tmp_path_factory.mktemp("lake"), whole=is_whole) for is_whole in (True, False))
    yield whole.client("sql", rules=RULES), part.client("sql")
    whole.runner.close()
    part.runner.close()


def told(client: httpx2.Client, sql: str, **more: str) -> tuple[int, str]:
    answer = client.post("/v1/sql", json={"sql": sql}, **more)
    body = answer.json()
    for name in ("request_id", "committed_at", "snapshot", "parameters"):
        body.pop(name, None)
    said = json.dumps(body)
    # Both are seen by the key, and which of the two fails first is up to the engine's threads.
    return answer.status_code, said.replace("'month'", "'year'") if answer.is_error else said


def test_it_is_told_what_a_lake_without_the_hidden_rows_would_tell(both):
    part, alone = both
    seen = {sql: (told(part, sql), told(alone, sql)) for sql in QUESTIONS}
    other = {sql: pair for sql, pair in seen.items() if pair[0] != pair[1]}
    assert other == {}
    # What was asked may be repeated: a value in a column's name or in a message.
    assert [sql for sql, ((_, said), _) in seen.items() if HIDDEN in said and HIDDEN not in sql] == []
    assert sum(status == 422 for (status, _), _ in seen.values()) > 30, "mistakes were made"
    assert sum(status == 200 for (status, _), _ in seen.values()) > 30
