"""A stranger's SQL: what is refused, what is answered and how, and what stops; against the corpus and our own cases."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from decimal import Decimal

import pandas
import pyarrow.ipc
import pytest

from shared.answers.encode import json_rows
from shared.duck import open_duck
from shared.errors import AppError
from shared.storage.folder import FolderStore
from shared.stranger_sql import functions as known
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.errors import (
    FailedSqlError,
    InvalidSqlError,
    RefusedSqlError,
    SqlNeedsTooMuchError,
    SqlTookTooLongError,
    told_error,
)
from shared.stranger_sql.mistakes import mistake
from tests.stranger import StrangerLake, cases, rows_of, stranger_lake

SECONDS = 1.0


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[StrangerLake]:
    limits = SqlLimits(seconds=SECONDS, answer_bytes=200_000, memory_mb=256, temp_mb=64)
    lake = stranger_lake(FolderStore(tmp_path_factory.mktemp("lake")), limits)
    yield lake
    lake.runner.close()


def in_any_order(body: bytes) -> list[str]:
    return sorted(map(json.dumps, json.loads(body)))


def named(told: list[tuple[str, str]]) -> dict:
    return {"argvalues": [sql for _, sql in told], "ids": [name for name, _ in told]}


# --- what is refused, and what is not --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql", **named(cases("refused") + cases("refused", file="own") + cases("refused", file="more"))
)
def test_every_attack_is_refused_before_anything_runs(lake, sql):
    with pytest.raises((RefusedSqlError, InvalidSqlError)):
        lake.check(sql)


@pytest.mark.parametrize("sql", **named(cases("refused_or_harmless")))
def test_what_is_not_refused_tells_nothing_of_the_house(lake, sql):
    try:
        told = repr(lake.run(sql))
    except AppError as error:
        told = error.message
    for secret in (str(lake.shop.store.uri_of("")), "teal-sql-", "parquet", "ducklake"):
        assert secret not in told


@pytest.mark.parametrize(
    "sql", **named(cases("allowed") + cases("allowed", file="own") + cases("allowed", file="more"))
)
def test_every_honest_question_is_answered_with_the_same_rows_as_without_us(lake, sql):
    page = lake.run(sql)
    plain = sql.partition("; --")[0]
    if lake.check(sql).doubts or "LIMIT" in sql:  # what may differ from one time to the next
        assert page.columns
        return
    lake.shop.reader.refresh()
    with lake.shop.reader.pin() as pinned:
        expected = pinned.duck.query(f"SELECT * FROM ({plain})")
    assert page.columns == expected.columns
    assert page.types == expected.types
    assert in_any_order(page.body) == in_any_order(json_rows(expected, "string"))


@pytest.mark.parametrize("sql", **named(cases("stopped")))
def test_what_takes_too_much_ends_by_its_limit_and_the_next_one_works(lake, sql):
    started = time.monotonic()
    try:
        lake.run(sql, limit=100)
    except AppError:
        pass
    assert time.monotonic() - started < SECONDS + 3
    assert lake.rows("SELECT count(*) FROM orders") == [(200,)]


def test_a_refusal_says_where_and_what_instead(lake):
    with pytest.raises(RefusedSqlError) as refused:
        lake.check("SELECT\n  statuss,\n  upperr(status) FROM orders")
    assert refused.value.details == {"line": 3, "column": 3}
    assert refused.value.message == "The function upperr is not allowed (line 3, column 3). Did you mean upper?"
    with pytest.raises(InvalidSqlError) as unknown:
        lake.check("SELECT 'ü' AS x FROM odrers")
    assert unknown.value.details == {"line": 1, "column": 22}
    assert "Did you mean orders?" in unknown.value.message


def test_the_engine_has_no_function_that_is_allowed_without_having_been_looked_at():
    duck = open_duck(memory_limit_mb=256, threads=1)
    rows = duck.execute("SELECT DISTINCT function_name, function_type FROM duckdb_functions()")
    tables = {name for name, kind in rows if kind in ("table", "table_macro", "pragma")}
    there = {name for name, _ in rows} | {"if", "coalesce", "row", "error", "rank_dense", "nullif", "ifnull"}
    # A name that DuckDB does not have is a mistake in the list; one that reads files or settings would be a hole.
    assert known.FUNCTIONS - there == set()
    assert known.FUNCTIONS & tables <= {"unnest", "histogram"}
    views = {
        row[0] for row in duck.execute("SELECT view_name FROM duckdb_views() WHERE internal AND schema_name = 'main'")
    }
    assert all(known.is_system_name(view) for view in views)
    assert len(rows) == 980


# --- the lock behind the guard ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM glob('/tmp/*')",
        "COPY (SELECT 1) TO '/tmp/teal-out.csv'",
        "ATTACH '/tmp/teal-out.db' AS other",
        "SET enable_external_access = true",
        "SET allowed_paths = ['/etc/hostname']",
        "DELETE FROM lake.main.orders",
        "SELECT * FROM ducklake_expire_snapshots('lake', older_than => now())",
        "SELECT filename FROM orders",
        "INSTALL spatial",
    ],
)
def test_what_the_guard_would_miss_the_engine_refuses(lake, tmp_path, sql):
    locked = lake.opened(tmp_path)
    try:
        with pytest.raises(Exception, match=r"(?i)permission|read-only|lock|not found|cannot|not exist|disabled"):
            locked.duck.connection.execute(sql).fetchall()
    finally:
        locked.close()


def test_hidden_columns_are_empty_and_cannot_be_asked_for_by_a_condition(lake):
    hidden = {"customers": frozenset({"email", "name"})}
    assert lake.rows("SELECT name, email FROM customers WHERE customer_id = 'c0'") == [("Ann", "ann@example.org")]
    assert lake.rows("SELECT customer_id, name, email FROM customers", hidden=hidden) == [
        ("c0", None, None),
        ("c1", None, None),
    ]
    assert lake.rows("SELECT count(*) FROM customers WHERE email LIKE 'ann%'", hidden=hidden) == [(0,)]
    assert lake.run("SELECT email FROM customers", hidden=hidden).types == ("VARCHAR",)


# --- answers ---------------------------------------------------------------------------------------------------------


def test_rows_that_tie_in_their_order_come_in_the_order_of_their_columns(lake):
    # by hand: totals are 0 … 9; of those with 9 the ids are 9, 19 … 199, as text
    whole = [(Decimal(i % 10), str(i)) for i in range(200)]
    expected = sorted(sorted(whole, key=lambda row: row[1]), key=lambda row: -row[0])
    assert lake.rows("SELECT total, order_id FROM orders ORDER BY total DESC") == expected
    pages = [
        lake.run("SELECT total, order_id FROM orders ORDER BY total DESC", limit=70, offset=n) for n in (0, 70, 140)
    ]
    assert [row for page in pages for row in rows_of(page)] == expected
    assert [page.more for page in pages] == [True, True, False]
    # without an ORDER BY, by all columns; and a LIMIT cuts that order
    assert lake.rows("SELECT total, order_id FROM orders LIMIT 3") == sorted(whole)[:3]
    assert lake.rows("SELECT DISTINCT status FROM orders ORDER BY ALL DESC") == [("paid",), ("open",)]


@pytest.mark.parametrize(
    ("sql", "kind", "value", "expected"),
    [
        ("SELECT count(*) FROM orders WHERE status = $x", "VARCHAR", "paid", 100),
        ("SELECT count(*) FROM orders WHERE customer_id IN $x", "VARCHAR[]", ["c0", "c1"], 134),
        ("SELECT count(*) FROM orders WHERE customer_id = ANY($x)", "VARCHAR[]", [], 0),
        ("SELECT count(*) FROM orders WHERE total >= $x", "DECIMAL(18,4)", Decimal("8.5"), 20),
        (
            "SELECT count(*) FROM orders WHERE order_ts < TIMESTAMPTZ '2024-01-01 00:00:00+00' + INTERVAL ($x) DAY",
            "BIGINT",
            2,
            48,
        ),
        ("SELECT count(*) FROM orders WHERE order_ts::DATE = $x", "DATE", "2024-01-02", 24),
        ("SELECT count(*) FROM (SELECT * FROM orders ORDER BY order_id LIMIT $x)", "BIGINT", 7, 7),
        ("SELECT count(*) FROM orders WHERE $x IS NULL OR status = $x", "VARCHAR", None, 200),
    ],
)
def test_parameters_are_bound_with_their_type(lake, sql, kind, value, expected):
    assert lake.rows(sql, {"x": kind}, x=value) == [(expected,)]


def test_the_types_of_an_answer_do_not_depend_on_the_values(lake):
    sql = "SELECT $x AS x, total * $x AS y FROM orders LIMIT 1"
    types = {lake.run(sql, {"x": "DECIMAL(18,4)"}, x=value).types for value in (Decimal(1), Decimal("0.25"))}
    assert len(types) == 1


def test_a_value_is_never_sql(lake):
    assert lake.rows("SELECT $x AS x", {"x": "VARCHAR"}, x="' OR 1=1; DROP TABLE orders --") == [
        ("' OR 1=1; DROP TABLE orders --",)
    ]


def test_a_parameter_in_a_text_is_refused_rather_than_replaced(lake):
    with pytest.raises(RefusedSqlError, match="quotes"):
        lake.run("SELECT '$x' AS text, $x AS x", {"x": "VARCHAR"}, x="a")


def test_every_format_holds_the_same_rows(lake):
    sql = "SELECT status, sum(total) AS total, max(order_ts) AS last FROM orders GROUP BY ALL"
    rows = lake.rows(sql)
    assert [(row[0], row[1]) for row in rows] == [("open", Decimal(500)), ("paid", Decimal(400))]
    parquet = pandas.read_parquet(io.BytesIO(lake.run(sql, format="parquet").body))
    arrow = pyarrow.ipc.open_stream(lake.run(sql, format="arrow").body).read_all().to_pandas()
    for frame in (parquet, arrow):
        assert list(zip(frame["status"], frame["total"], strict=True)) == [(row[0], row[1]) for row in rows]
    cut = lake.run("SELECT order_id FROM orders", format="parquet", limit=5)
    assert (len(pandas.read_parquet(io.BytesIO(cut.body))), cut.more) == (5, True)


# --- limits and errors -----------------------------------------------------------------------------------------------


def test_an_answer_of_too_many_bytes_is_refused(lake):
    with pytest.raises(SqlNeedsTooMuchError, match="200,000 bytes"):
        lake.run("SELECT list(range ORDER BY range) FROM range(100000)")
    with pytest.raises(SqlNeedsTooMuchError):
        lake.run("SELECT string_agg(range::VARCHAR, ',' ORDER BY range) FROM range(100000)")


def test_no_more_is_spilled_than_a_cell_may_spill(lake, tmp_path):
    # 64 MB of room for 800 MB of numbers; by itself the engine takes the room that the disk has
    sql = (
        "WITH x AS MATERIALIZED (SELECT hash(a.range, b.range) AS x FROM range(1000000) a, range(100) b) FROM x LIMIT 1"
    )
    locked = lake.opened(tmp_path)
    try:
        with pytest.raises(Exception, match="max_temp_directory_size"):
            locked.duck.connection.execute(sql).fetchall()
    finally:
        locked.close()


def test_a_file_that_grew_too_large_is_no_outage():
    told = mistake(OSError('IO Error: {"exception_message": "Could not write file /tmp/x", "errno": "27"}'))
    assert (told.code, "/tmp" in told.message) == ("sql_needs_too_much", False)


def test_a_query_is_stopped_and_its_cell_is_not_used_again(lake):
    def kept() -> set[int]:
        return {taken.cell._process.pid for taken in lake.runner._idle}

    lake.rows("SELECT 1")
    before, started = kept(), time.monotonic()
    with pytest.raises(SqlTookTooLongError):
        lake.run("SELECT count(*) FROM range(10000000) a, range(10000000) b")
    assert SECONDS <= time.monotonic() - started < SECONDS + 2
    assert len(before - kept()) == 1
    lake.rows("SELECT 1")
    before = kept()
    with pytest.raises(FailedSqlError):
        lake.run("SELECT status::INTEGER FROM orders")
    assert kept() == before


def test_mistakes_are_told_and_everything_else_is_not(lake):
    with pytest.raises(InvalidSqlError, match=r"^There is no column totl \(line 1, column 8\)\. Did you mean total\?$"):
        lake.run("SELECT totl FROM orders")
    with pytest.raises(FailedSqlError, match="Could not convert string 'abc'"):
        lake.run("SELECT 'abc'::INTEGER")
    codes = {
        "IOException": "engine_unavailable",
        "HTTPException": "engine_unavailable",
        "PermissionException": "engine_unavailable",
        "MemoryError": "sql_needs_too_much",
        "InternalException": "sql_crashed",
        "FatalException": "sql_crashed",
        "KeyError": "sql_crashed",
    }
    for kind, code in codes.items():
        told = told_error(kind, "IO Error: s3://bucket/lake/shop/x.parquet key AKIA")
        assert (told.code, "bucket" in told.message) == (code, False)
