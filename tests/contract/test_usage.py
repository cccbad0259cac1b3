"""Usage through the whole way: requests over HTTP, handed in, folded, asked; compared with what the test itself counted."""

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
        if record.name == "teal.requests" and record.key_id in (acme_key, admin_key):
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
