"""Quality over time: counted by hand from small files, and the same as the reports of their uploads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.datasets.question import Context
from shared.datasets.questions.operations import QualityReport
from shared.duck import Duck, open_duck
from shared.sql.load import statement
from tests.web import Web, web_of

ORDERS = "order_id,ordered_at,customer_id,country,total\n"
GOOD = "1,2024-01-01T10:00:00Z,a,DE,5\n2,2024-01-03T10:00:00Z,,FR,6\n3,2024-01-02T10:00:00Z,b,,7\n"


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("quality"))
    shop = web.shop
    shop.upload("orders", "good.csv", ORDERS + GOOD)
    lines = "".join(f"{number},2024-01-05T00:00:00Z,c,DE,1\n" for number in range(10, 30))
    shop.upload("orders", "one_bad.csv", ORDERS + GOOD + lines + "99,2024-01-05T00:00:00Z,c,DE,much\n")
    shop.upload("orders", "bad.csv", ORDERS + "5,someday,a,DE,5\n6,2030-01-01,a,DE,much\n7,2030-01-01,a,DE,5\n")
    shop.upload("orders", "nonsense.xlsx", b"this is no workbook")
    shop.upload("customers", "c.csv", "customer_id,name\na,Ann\nb,\n")
    return web


def one(web: Web, **asked: Any) -> dict[str, Any]:
    rows = web.rows("quality", grain="all", **asked)
    assert len(rows) == 1
    return rows[0]


def test_rows_are_counted_as_they_were_brought(web):
    row = one(web, dataset="orders")
    counts = {
        name: row[name] for name in ("uploads", "held_uploads", "received", "valid", "accepted", "held", "duplicate")
    }
    # good: 3. one_bad: 3 known, 20 new, 1 bad. bad: 2 of 3 are, so all are held. nonsense: no rows at all.
    assert counts == {
        "uploads": 4, "held_uploads": 2, "received": 30, "valid": 27, "accepted": 23, "held": 4, "duplicate": 3,
    }  # fmt: skip
    assert row["validity"] == "0.900000"
    assert row["newest_at"] == "2024-01-05T00:00:00Z", "rows that were held are not in the lake"
    assert row["complete"] is False


def test_the_sums_are_those_of_the_reports_of_the_uploads(web):
    uploads = web.client.get("/v1/uploads", params={"limit": 100}).json()["uploads"]
    reports = []
    for upload in uploads:
        found = web.client.get(f"/v1/uploads/{upload['upload_id']}/quality")
        reports += found.json()["datasets"] if found.status_code == 200 else []
    for dataset in ("orders", "customers"):
        of_dataset = [report for report in reports if report["dataset"] == dataset]
        row = one(web, dataset=dataset)
        for name in ("received", "valid", "accepted", "held", "duplicate"):
            assert row[name] == sum(report[name] for report in of_dataset), (dataset, name)
        missing = sum(column["missing"] for report in of_dataset for column in report["measures"].values())
        values = sum(report["valid"] * len(report["measures"]) for report in of_dataset)
        assert row["missing"] == missing
        assert abs(Decimal(row["completeness"]) - (1 - Decimal(missing) / values)) <= Decimal("0.0000005")


def test_columns_say_what_is_missing_and_what_is_wrong(web):
    rows = {row["column_name"]: row for row in web.rows("quality", grain="all", dataset="orders", by="column")}
    # Of 27 valid rows: two of the same order without a customer, two without a country.
    assert (rows["customer_id"]["missing"], rows["country"]["missing"]) == (2, 2)
    assert rows["country"]["completeness"] == "0.925926"
    assert (rows["total"]["valid"], rows["ordered_at"]["valid"], rows["country"]["valid"]) == (28, 29, 30)
    assert rows["total"]["validity"] == "0.933333"
    assert {row["uploads"] for row in rows.values()} == {3}, "what cannot be read has no columns"


def test_a_dataset_without_times_has_no_age(web):
    row = one(web, dataset="customers")
    assert (row["received"], row["newest_at"], row["age_seconds"]) == (2, None, None)


def test_a_range_before_everything_is_empty(web):
    assert web.rows("quality", to="2001-01-01") == []
    assert web.rows("quality", dataset="weather") == []
    assert {row["dataset"] for row in web.rows("quality")} == {"customers", "orders"}


@pytest.fixture
def ledger() -> Duck:
    """Three uploads on two days of Berlin, written by hand."""
    duck = open_duck(memory_limit_mb=256, threads=1, extensions=())
    duck.execute("CREATE SCHEMA teal")
    for table in ("uploads", "quality"):
        duck.execute(statement(f"schema/{table}"))
    begin = datetime(2024, 3, 30, 22, 30, tzinfo=UTC)
    for number, (hours, status, newest) in enumerate([(0, "loaded", -5), (1, "loaded", -9), (22, "held", 9)]):
        at = begin + timedelta(hours=hours)
        duck.execute(
            "INSERT INTO teal.uploads (upload_id, dataset, status, committed_at) VALUES ($id, 'orders', $status, $at)",
            {"id": str(number), "status": status, "at": at},
        )
        duck.execute(
            "INSERT INTO teal.quality (upload_id, dataset, received, newest_at, measured_at) "
            "VALUES ($id, 'orders', 1, $newest, $at)",
            {"id": str(number), "at": at, "newest": begin + timedelta(hours=newest)},
        )
    return duck


@pytest.mark.parametrize(
    ("asked", "committed", "expected"),
    [
        # The day ends half an hour after the first upload, whose newest row is five hours older than it.
        ({}, 48, [("2024-03-30", 1, 5.5), ("2024-03-31", 2, 5 + 23.5)]),
        # The second day has 23 hours; what was newest before it still is. The held upload's rows are not in the lake.
        ({"from": "2024-03-31"}, 48, [("2024-03-31", 2, 5 + 23.5)]),
        ({"from": "2024-03-31", "to": "2024-03-31T12:00"}, 48, [("2024-03-31", 1, 5 + 11.5)]),
        # Until the commit, where that is earlier.
        ({}, 0.25, [("2024-03-30", 1, 5.25), ("2024-03-31", 2, 5.25)]),
        ({"grain": "all"}, 48, [(None, 3, 53)]),
    ],
)
def test_age_is_the_time_from_the_newest_row_to_the_end_of_the_period(ledger, asked, committed, expected):
    question = QualityReport(**{"timezone": "Europe/Berlin", **asked})
    begin = datetime(2024, 3, 30, 22, 30, tzinfo=UTC)
    made = question.statement(Context(begin + timedelta(hours=committed)))
    found = ledger.query(f"SELECT period, uploads, age_seconds FROM ({made.sql})", made.values).rows
    assert found == [(period, uploads, int(hours * 3600)) for period, uploads, hours in expected]
