"""Usage: requests over HTTP, handed in, folded, asked for; equal to what the test itself counted, or worked by hand."""

from __future__ import annotations

import logging
import math
import re
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.datasets.question import Context
from shared.datasets.questions.usage import Usage
from shared.duck import Duck, open_duck
from shared.sql.load import statement
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.usage import UsageRecord
from tests.servers import create_s3_bucket, open_store
from tests.usage_web import UsageWeb, usage_web

BEGIN = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)


@dataclass
class Clock:
    now: datetime = BEGIN

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Tally:
    """What a client saw of its own requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    bytes_sent: int = 0
    bytes_read: int = 0
    dollars: float = 0.0

    def add(self, answer: Any) -> Any:
        self.statuses[answer.status_code] += 1
        self.bytes_sent += len(answer.content)
        receipt = re.match(r"bytes=(\d+), .*cost_usd=([\d.]+)", answer.headers.get("teal-receipt", ""))
        if receipt:
            self.bytes_read += int(receipt[1])
            self.dollars += float(receipt[2])
        return answer


@pytest.fixture(params=["folder", "s3"])
def some_store(request: pytest.FixtureRequest, tmp_path: Any) -> ObjectStore:
    if request.param == "folder":
        return FolderStore(tmp_path / "store", b"a signing secret", "http://testserver")
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    endpoint = request.getfixturevalue("s3_url")
    create_s3_bucket(endpoint, bucket)
    return open_store({"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": "some/where"})


def asked(web: UsageWeb, tenant: str, **parameters: Any) -> list[dict[str, Any]]:
    client, _ = web.client(tenant)
    answer = client.get("/v1/usage", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()["rows"]


def handed_in(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("usage/")]


def test_the_answer_is_what_the_callers_counted(some_store, caplog):
    caplog.set_level(logging.INFO, "teal.requests")
    clock = Clock()
    web = usage_web(some_store, UsageRecord(some_store, now=clock))
    acme, acme_key = web.client("acme")
    admin, admin_key = web.client("acme", "write")
    bolt, _ = web.client("bolt")
    stranger, _ = web.client("acme")
    stranger.headers["Authorization"] = "Bearer teal_k000000000000000_" + "0" * 64
    acme_saw, admin_saw, bolt_saw, nobody_saw = Tally(), Tally(), Tally(), Tally()
    etag = acme_saw.add(acme.get("/v1/sales/summary")).headers["etag"]
    for _ in range(4):
        acme_saw.add(acme.get("/v1/sales/summary", headers={"If-None-Match": etag}))
    for _ in range(3):
        acme_saw.add(acme.get("/v1/sales/summary"))
        nobody_saw.add(stranger.get("/v1/sales/summary"))
    acme_saw.add(acme.head("/v1/sales/summary"))
    acme_saw.add(acme.get("/v1/sales/by-period", params={"grain": "fortnight", "from": "o'brien"}))
    acme_saw.add(acme.get("/v1/datasets/orders/rows/ann.lee"))
    admin_saw.add(admin.get("/v1/sales/summary"))
    clock.now += timedelta(hours=26)
    acme_saw.add(acme.get("/v1/sales/summary", params={"format": "csv"}))
    bolt_saw.add(bolt.get("/v1/sales/heatmap"))
    web.usage.hand_in_all()
    assert {key.split("/")[1] for key in handed_in(some_store)} == {"acme", "bolt"}
    reports = [web.fold(tenant) for tenant in ("acme", "bolt")]
    assert [report.problems for report in reports] == [[], []]
    seen = acme_saw.statuses + admin_saw.statuses
    assert seen == {200: 6, 304: 4, 422: 1, 404: 1, 403: 1}
    assert nobody_saw.statuses == {401: 3}
    assert [report.requests for report in reports] == [13, 1], "what came without a key is nobody's"
    assert handed_in(some_store) == []

    [row] = asked(web, "acme", grain="all")
    assert row["requests"] == seen.total()
    assert row["not_modified"] == seen[304] == 4
    # Three after the first, and the HEAD.
    assert row["from_cache"] == 4
    assert (row["client_errors"], row["server_errors"]) == (seen[422] + seen[403] + seen[404], 0)
    assert row["bytes_sent"] == acme_saw.bytes_sent + admin_saw.bytes_sent
    assert row["bytes_read"] == acme_saw.bytes_read
    assert abs(float(row["cost_usd"]) - acme_saw.dollars) <= 1e-9 * seen.total()
    assert asked(web, "bolt", grain="all")[0]["requests"] == 1

    taken = defaultdict(list)
    for record in caplog.records:
        if record.name == "teal.requests" and getattr(record, "key_id", "") in (acme_key, admin_key):
            taken[record.key_id].append(record.ms)
    for by_key in asked(web, "acme", grain="all", by="key"):
        times = sorted(taken[by_key["asked"]])
        assert by_key["requests"] == len(times)
        assert abs(float(by_key["mean_ms"]) - sum(times) / len(times)) < 0.01
        for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95)):
            exact = times[math.ceil(share * len(times)) - 1]
            assert exact - 0.02 <= float(by_key[name]) <= (exact + 0.02) * 2**0.25

    by_question = {one["asked"]: one["requests"] for one in asked(web, "acme", grain="all", by="question")}
    assert by_question == {
        "sales/summary": 11, "sales/by-period": 1, "GET /v1/datasets/{dataset}/rows/{key:path}": 1,
    }  # fmt: skip
    by_status = {one["asked"]: one["requests"] for one in asked(web, "acme", grain="all", by="status")}
    assert by_status == {f"{kind}xx": sum(n for code, n in seen.items() if code // 100 == kind) for kind in (2, 3, 4)}
    assert {one["asked"]: one["requests"] for one in asked(web, "acme", grain="all", by="format")}["csv"] == 1
    days = [(one["period"], one["requests"]) for one in asked(web, "acme", grain="day")]
    assert days == [("2026-03-01", seen.total() - 1), ("2026-03-02", 1)]


# --- the question, of rows written by hand ---------------------------------------------------------------------------


@pytest.fixture
def kept() -> Duck:
    """Hours around the change of clocks in Berlin (29 March 2026, 01:00 UTC), folded at half past two."""
    duck = open_duck(memory_limit_mb=256, threads=1, extensions=())
    duck.execute("CREATE SCHEMA teal")
    duck.execute(statement("schema/usage"))
    rows = [
        # hour, question, key, status, format, bucket, requests, cached, 304, µs, sent, read, 10^-12 dollars, folded at
        ("2026-03-28T22:00:00Z", "sales/summary", "k1", "2xx", "json", 0, 10, 4, 0, 9_000, 1_000, 500, 20_000_000, 1),
        ("2026-03-28T23:00:00Z", "sales/summary", "k1", "2xx", "json", 8, 9, 0, 0, 30_000, 900, 450, 9_000_000, 2),
        ("2026-03-28T23:00:00Z", "sales/summary", "k1", "2xx", "json", 8, 1, 0, 0, 3_001, 100, 50, 1_000_000, 2.5),
        ("2026-03-28T23:00:00Z", "sales/summary", "k2", "3xx", "csv", -16, 9, 0, 8, 90, 0, 0, 0, 2),
        ("2026-03-29T00:00:00Z", "GET /v1/uploads", "k2", "4xx", "", 4, 1, 0, 0, 2_000, 80, 0, 0, 2),
        ("2026-03-29T01:00:00Z", "sales/summary", "k1", "5xx", "json", 64, 1, 0, 0, 90_000_000, 50, 0, 0, 2.5),
    ]
    for *told, folded in rows:
        values = {f"v{number}": value for number, value in enumerate(told)}
        at = datetime(2026, 3, 29, tzinfo=UTC) + timedelta(hours=folded)
        places = ", ".join(f"${name}" for name in values)
        duck.execute(f"INSERT INTO teal.usage SELECT {places}, $at", {**values, "at": at})
    return duck


def found(kept: Duck, columns: str, **parameters: Any) -> list[tuple[Any, ...]]:
    question = Usage(**{"timezone": "Europe/Berlin", **parameters})
    made = question.statement(Context(datetime(2026, 3, 29, 12, tzinfo=UTC)))
    return kept.query(f"SELECT {columns} FROM ({made.sql})", made.values).rows


def test_days_begin_at_local_midnight_and_are_over_when_they_are_folded(kept):
    columns = "period, requests, not_modified, server_errors, folded, until"
    until = "2026-03-29T02:30:00Z"
    assert found(kept, columns) == [
        ("2026-03-28", 10, 0, 0, True, until),
        ("2026-03-29", 21, 8, 1, False, until),
    ]
    assert [row[1] for row in found(kept, columns, timezone="UTC")] == [29, 2]
    assert found(kept, "period, requests", grain="week") == [("2026-03-23", 31)]
    assert found(kept, "requests, folded", grain="all", to="2026-03-29T02:00:00Z") == [(31, True)]
    assert found(kept, "requests, folded", grain="all", to="2026-03-29T03:00:00Z") == [(31, False)]
    assert found(kept, "requests, folded", grain="all") == [(31, False)]


def test_hours_carry_their_offset_and_the_range_takes_those_that_begin_in_it(kept):
    assert found(kept, "period, requests, folded", grain="hour") == [
        ("2026-03-28T23:00+01:00", 10, True),
        ("2026-03-29T00:00+01:00", 19, True),
        ("2026-03-29T01:00+01:00", 1, True),
        ("2026-03-29T03:00+02:00", 1, True),
    ]
    within = {"from": "2026-03-29", "to": "2026-03-29T01:30"}
    assert found(kept, "period, requests", grain="hour", **within) == [
        ("2026-03-29T00:00+01:00", 19), ("2026-03-29T01:00+01:00", 1),
    ]  # fmt: skip
    assert found(kept, "requests", to="2026-03-01") == []


def test_percentiles_are_nearest_ranks_over_all_rows_together(kept):
    columns = "asked, requests, p50_ms::DOUBLE, p95_ms::DOUBLE, mean_ms::DOUBLE"
    # Ranked: nine of 0.0625 ms, ten of 1, one of 2, ten of 4, one of 65,536. The 16th is in the second of them, the
    # 30th (of 31 × 0.95 = 29.45) in the last but one.
    total_us = 9_000 + 30_000 + 3_001 + 90 + 2_000 + 90_000_000
    assert found(kept, columns, grain="all") == [(None, 31, 1.0, 4.0, round(total_us / 31 / 1000, 3))]
    by_key = found(kept, columns, grain="all", by="key")
    # Ten of 1, ten of 4, one of 65,536: the 11th, and the 20th (of 19.95). Nine of 0.0625, one of 2: the 5th, the 10th.
    assert [row[:4] for row in by_key] == [("k1", 21, 4.0, 4.0), ("k2", 10, 0.063, 2.0)]


def test_groups_and_filters(kept):
    of = "asked, requests, from_cache, client_errors, server_errors, bytes_sent, bytes_read, cost_usd::VARCHAR"
    assert found(kept, of, grain="all", by="question") == [
        ("sales/summary", 30, 4, 0, 1, 2_050, 1_000, "0.000030000"),
        ("GET /v1/uploads", 1, 0, 1, 0, 80, 0, "0.000000000"),
    ]
    assert found(kept, "asked, requests", grain="all", by="status") == [("2xx", 20), ("3xx", 9), ("4xx", 1), ("5xx", 1)]
    assert found(kept, "asked, requests", grain="all", by="format") == [("json", 21), ("csv", 9), ("", 1)]
    only = {"key": ["k2"], "question": ["sales/summary"]}
    assert found(kept, "asked, requests", grain="all", by="key", **only) == [("k2", 9)]


def test_the_range_of_a_period_names_no_more_than_it_may():
    with pytest.raises(ValueError, match="at most 100"):
        Usage(key=["k"] * 101)
