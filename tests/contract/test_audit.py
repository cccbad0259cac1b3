"""The audit: who did what, when, at which snapshot and for how much; once each, without a value, whatever fails."""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.audit import AuditEntry, AuditRecord
from shared.datasets.registry import built_in
from shared.errors import StoreUnavailableError
from shared.gather_audit import audit_contract
from shared.storage.base import ObjectInfo, ObjectStore
from shared.storage.folder import FolderStore
from tests.audit_web import OPERATOR, AuditWeb, audit_web
from tests.logs_seen import Unblotted
from tests.servers import create_s3_bucket, open_store

NOW = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)
ORDERS = "order_id,ordered_at,total\nann@example.org,2024-01-01,5\n2,2024-01-02,zz-secret-literal\n3,2024-01-03,7\n"
SQL = "SELECT count(*) AS n FROM orders WHERE order_id = 'zz-secret-literal'"


class FailingStore(FolderStore):
    """A folder that fails on command where the audit is put."""

    silent: bool = False
    stops_at_delete: bool = False
    puts: int = 0

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        if key.startswith("audit/"):
            self.puts += 1
            if self.silent:
                raise StoreUnavailableError("The store did not answer.")
        return super().put(key, body, content_type=content_type)

    def delete(self, key: str) -> None:
        if self.stops_at_delete and key.startswith("audit/"):
            raise KeyboardInterrupt
        super().delete(key)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


def record_on(store: ObjectStore, **more: Any) -> AuditRecord:
    return AuditRecord(store, secret=lambda: b"a secret of the tests", **{"now": Clock(), **more})


def entry(number: int = 0, **more: Any) -> AuditEntry:
    told = {"action": "GET /v1/x", "outcome": "done", "changes": False, "tenant": "acme", "key_id": f"k{number}"}
    return AuditEntry(**{**told, **more})


def objects(store: ObjectStore) -> list[str]:
    return [info.key for info in store.list("audit/")]


def lines(store: ObjectStore) -> list[dict[str, Any]]:
    texts = [gzip.decompress(store.get(key)[0]).decode() for key in objects(store)]
    return [json.loads(line) for text in texts for line in text.splitlines()]


@pytest.fixture
def store(tmp_path: Path) -> FailingStore:
    return FailingStore(tmp_path, b"a signing secret", "http://testserver")


@pytest.fixture
def web(store: FailingStore) -> Iterator[AuditWeb]:
    web = audit_web(store, record_on(store))
    yield web
    web.runner.close()


@pytest.fixture(params=["folder", "s3"])
def any_web(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AuditWeb]:
    some: ObjectStore = FolderStore(tmp_path / "store", b"a signing secret", "http://testserver")
    if request.param == "s3":
        bucket, endpoint = f"b-{uuid.uuid4().hex[:12]}", request.getfixturevalue("s3_url")
        create_s3_bucket(endpoint, bucket)
        some = open_store({"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": "some/where"})
    web = audit_web(some, record_on(some))
    yield web
    web.runner.close()


# --- what is taken down ----------------------------------------------------------------------------------------------


def test_each_request_is_an_entry_that_says_what_its_caller_saw(any_web: AuditWeb) -> None:
    client, key_id = any_web.client("acme", "read", "write", "sql")
    reader, reader_id = any_web.client("bolt")
    saw = [
        (key_id, client.post("/v1/uploads?dataset=orders&filename=o.csv", content=ORDERS)),
        (key_id, client.get("/v1/sales/summary")),
        (key_id, client.get("/v1/datasets/orders/rows", headers={"X-Request-ID": "request-of-mine"})),
        (key_id, client.post("/v1/sql", json={"sql": SQL})),
        (key_id, client.post("/v1/sql", json={"sql": "SELECT nothing FROM orders"})),
        (key_id, client.get("/v1/datasets/absent/rows")),
        (key_id, client.post("/v1/snapshots/1/rollback")),
        (reader_id, reader.get("/v1/sales/summary")),
    ]
    any_web.audit.hand_in_all()
    report = any_web.gather()
    assert (report.entries, report.problems, objects(any_web.store)) == (len(saw), [], [])
    rows = any_web.rows()
    assert [(row["key_id"], row["status"], row["request_id"]) for row in rows] == [
        (who, answer.status_code, answer.headers["x-request-id"]) for who, answer in saw
    ]
    assert [row["bytes_sent"] for row in rows] == [len(answer.content) for _, answer in saw]
    assert [(row["action"], row["dataset"], row["question"], row["outcome"], row["code"]) for row in rows] == [
        ("POST /v1/uploads", None, None, "done", None),
        ("GET /v1/sales/summary", None, "sales/summary", "done", None),
        ("GET /v1/datasets/{dataset}/rows", "orders", None, "done", None),
        ("POST /v1/sql", None, "sql", "done", None),
        ("POST /v1/sql", None, "sql", "refused", "invalid_sql"),
        ("GET /v1/datasets/{dataset}/rows", None, None, "refused", "unknown_dataset"),
        ("POST /v1/snapshots/{snapshot_id}/rollback", None, None, "refused", "forbidden"),
        ("GET /v1/sales/summary", None, "sales/summary", "done", None),
    ]
    assert [row["changes"] for row in rows] == [True, *5 * [False], True, False]
    assert [row["tenant"] for row in rows] == [*7 * ["acme"], "bolt"]
    assert [row["snapshot"] for row in rows] == [int(a.headers.get("teal-snapshot", 0)) or None for _, a in saw]
    assert (rows[0]["subject"], rows[6]["subject"]) == (saw[0][1].json()["upload_id"], "1")
    for row, (_, answer) in zip(rows, saw, strict=True):
        receipt = re.match(r"bytes=(\d+), requests=(\d+), .*cost_usd=([\d.]+)", answer.headers.get("teal-receipt", ""))
        if receipt:
            assert (row["bytes_read"], row["requests"]) == (int(receipt[1]), int(receipt[2]))
            assert abs(row["cost_usd"] - float(receipt[3])) < 1e-9
            assert row["ms"] > 0
    assert rows[0]["ended_at"] == NOW + timedelta(seconds=1), "in UTC, by the clock of the process"


def test_the_operator_asks_for_it_and_no_other_tenant_knows_of_it(web: AuditWeb) -> None:
    client, _ = web.client("acme", "read", "sql")
    client.get("/v1/sales/summary")
    web.gather()
    operators, _ = web.client(OPERATOR, "read", "sql")
    (row,) = operators.get("/v1/datasets/audit/rows?tenant=acme").json()["rows"]
    assert row["action"] == "GET /v1/sales/summary"
    told = operators.post("/v1/sql", json={"sql": "SELECT action, count(*) AS n FROM audit GROUP BY action"}).json()
    assert told["rows"] == [{"action": "GET /v1/sales/summary", "n": 1}]
    assert client.get("/v1/datasets/audit/rows").status_code == 404
    assert client.post("/v1/sql", json={"sql": "SELECT * FROM audit"}).status_code == 422
    assert "audit" not in [one["name"] for one in client.get("/v1/datasets").json()["datasets"]]
    assert "audit" not in built_in()


def test_neither_the_audit_nor_the_log_says_what_was_asked_about(
    web: AuditWeb, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "teal")
    client, _ = web.client("acme", "read", "write", "sql", "admin")
    client.post("/v1/uploads?dataset=orders&filename=ann@example.org.csv", content=ORDERS)
    for path in (
        "/v1/datasets/orders/rows/ann%40example.org",
        "/v1/datasets/orders/rows?order_id=ann@example.org",
        "/v1/datasets/zz-secret-literal/rows",
        "/v1/datasets/zz_secret_column/rows",
        "/v1/uploads/zz-secret-literal",
        "/v1/published/zz_secret_column",
        "/v1/customers/detail?customer_id=ann@example.org",
        "/v1/nowhere/ann@example.org?token=teal_k0123456789abcde_" + "ab" * 32,
    ):
        client.get(path, headers={"User-Agent": "ann@example.org", "X-Forwarded-For": "203.0.113.9"})
    client.delete("/v1/customers/ann%40example.org")
    for sql in (SQL, "SELECT 'zz-secret-literal'::INTEGER", "SELECT zz_secret_column FROM orders", "DROP TABLE x"):
        client.post("/v1/sql", json={"sql": sql, "parameters": {}})
    client.post("/v1/sql", json={"sql": "SELECT $a AS a", "parameters": {"a": "zz-secret-parameter"}})
    client.put("/v1/datasets/orders/rows/ann%40example.org", json={"total": "zz-secret-literal"})
    client.post("/v1/sql", content=b"{zz-secret-literal", headers={"Content-Type": "application/json"})
    web.audit.hand_in_all()
    handed_in = json.dumps(lines(web.store))
    logged = "\n".join(map(Unblotted().format, caplog.records))
    assert logged.count('"request"') == 17
    assert handed_in.count("entry_id") == 15, "two led nowhere, so that nobody was asked who they are"
    token = client.headers["Authorization"].rpartition("_")[2]
    for text in (handed_in, logged):
        for secret in ("ann", "example.org", "zz", "203.0.113", "SELECT", "DROP", token, "ab" * 32):
            assert secret not in text, secret


def test_sql_is_recognised_by_a_hash_that_nobody_can_guess_the_text_by(web: AuditWeb) -> None:
    for tenant, sql in (("acme", SQL), ("acme", SQL), ("acme", SQL + " "), ("bolt", SQL)):
        web.client(tenant, "sql")[0].post("/v1/sql", json={"sql": sql})
    web.audit.hand_in_all()
    first, again, other, of_bolt = [line["sql_hash"] for line in lines(web.store)]
    assert first == again
    assert len({first, other, of_bolt}) == 3
    assert hashlib.sha256(SQL.encode()).hexdigest()[:32] != first


def test_who_is_not_known_and_who_is_told_to_slow_down_are_in_the_log_alone(store: FailingStore) -> None:
    record = record_on(store)
    assert record.keeps(entry())
    assert not record.keeps(entry(tenant="", key_id=""))
    assert not record.keeps(entry(status=429))
    assert record.keeps(entry(tenant="", key_id="teal")), "a command about no tenant"


def test_the_setting_leaves_out_what_reads_or_everything(store: FailingStore) -> None:
    changes, off = record_on(store, keeps="changes"), record_on(store, keeps="off")
    for one in (entry(1), entry(2, changes=True), entry(3, status=403, outcome="refused")):
        changes.add(one)
        off.add(one)
        off(one)
    changes.hand_in_all()
    off.hand_in_all()
    assert [line["key_id"] for line in lines(store)] == ["k2"]


def test_the_contract_and_the_entry_have_the_same_fields() -> None:
    assert {one.name for one in fields(AuditEntry)} == {column.name for column in audit_contract().columns}
    assert not [column for column in audit_contract().columns if column.personal or not column.description]


# --- handing in ------------------------------------------------------------------------------------------------------


def test_the_first_entry_and_each_change_are_handed_in_at_once_and_the_others_once_a_minute(
    store: FailingStore,
) -> None:
    record = record_on(store)
    due = [record.add(entry(1)) and record.hand_in() for _ in range(5)]
    assert due == [True, False, False, False, False]
    assert record.add(entry(2, changes=True))
    assert record.hand_in()
    assert store.puts == 2
    assert sorted(len(gzip.decompress(store.get(key)[0]).splitlines()) for key in objects(store)) == [1, 5]


def test_a_silent_store_fails_no_request_and_what_waits_is_bounded_and_comes_later(
    store: FailingStore, web: AuditWeb, caplog: pytest.LogCaptureFixture
) -> None:
    store.silent = True
    client, _ = web.client("acme", "read")
    for _ in range(5):
        assert client.get("/v1/sales/summary").status_code == 200
    assert store.puts == 1, "it is left alone for a while"
    store.silent = False
    web.audit.hand_in_all()
    assert len(lines(store)) == 5
    small = record_on(store, max_bytes=2_000)
    for number in range(100):
        small.add(entry(number))
        small.add(entry(number, changes=True))
    small.hand_in_all()
    told = lines(store)[5:]
    assert sum(line["changes"] for line in told) > sum(not line["changes"] for line in told), "changes have more room"
    (lost,) = [one.entries for one in caplog.records if one.getMessage() == "audit lost"]
    assert lost + len(told) == 200


def test_threads_at_once_lose_nothing_and_no_id_comes_twice(store: FailingStore) -> None:
    record = record_on(store, wait_seconds=0.0)

    def work(number: int) -> None:
        for _ in range(200):
            if record.add(entry(number)):
                record.hand_in()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    record.hand_in_all()
    assert len({line["entry_id"] for line in lines(store)}) == 1_600


# --- gathering -------------------------------------------------------------------------------------------------------


def handed_in(store: ObjectStore, *entries: int) -> None:
    """Objects of as many processes, each of so many entries."""
    for count in entries:
        record = record_on(store)
        for number in range(count):
            record.add(entry(number))
        record.hand_in_all()


def snapshot(web: AuditWeb) -> int:
    web.reader_of(OPERATOR).refresh()
    return web.reader_of(OPERATOR).current_snapshot()


def test_a_run_is_one_upload_and_one_without_entries_uploads_nothing(web: AuditWeb, store: FailingStore) -> None:
    web.gather()
    assert list(store.list("lake/operator/")) == [], "nothing was done, so there is no lake"
    handed_in(store, 2, 3, 4)
    assert web.gather().entries == 9
    handed_in(store, 5)
    before = snapshot(web)
    assert web.gather().entries == 5
    assert snapshot(web) == before + 1
    for _ in range(3):
        assert (web.gather().entries, web.gather().objects) == (0, 0)
    assert (snapshot(web), len(web.rows()), objects(store)) == (before + 1, 14, [])


def test_a_run_that_stops_before_it_deletes_is_finished_by_the_next(web: AuditWeb, store: FailingStore) -> None:
    handed_in(store, 3, 4)
    store.stops_at_delete = True
    with pytest.raises(KeyboardInterrupt):
        web.gather()
    store.stops_at_delete = False
    assert (len(web.rows()), len(objects(store))) == (7, 2)
    handed_in(store, 5)
    report = web.gather()
    assert (report.objects, report.entries, report.deleted) == (1, 5, 3)
    assert (len(web.rows()), objects(store)) == (12, [])


def test_entries_that_are_uploaded_twice_are_there_once(web: AuditWeb, store: FailingStore) -> None:
    handed_in(store, 3)
    (key,) = objects(store)
    body = store.get(key)[0]
    web.gather()
    store.put(key, body)
    assert web.gather().deleted == 1, "its first entry is there, so it is only deleted"
    with ThreadPoolExecutor(2) as pool:
        handed_in(store, 4, 4)
        list(pool.map(lambda _: web.gather(), range(2)))
    web.gather()
    assert (len(web.rows()), objects(store)) == (11, [])


def test_a_slow_ingest_is_not_waited_for_and_nothing_is_deleted_before_it_is_done(
    web: AuditWeb, store: FailingStore
) -> None:
    handed_in(store, 3)
    web.deaf()
    assert web.gather().waits, "the contract is asked for first"
    assert web.rows() == []
    web.catch_up()
    assert web.gather().waits
    assert len(objects(store)) == 1
    web.catch_up()
    report = web.gather()
    assert (report.objects, report.deleted, report.waits) == (0, 1, False)
    assert len(web.rows()) == 3


def test_old_entries_go_when_the_operator_deletes_them(web: AuditWeb, store: FailingStore) -> None:
    handed_in(store, 3)
    web.gather()
    operators, _ = web.client(OPERATOR, "read", "write", "sql")
    old = {"sql": "SELECT entry_id, true AS _deleted FROM audit WHERE key_id <> 'k0'", "format": "csv", "limit": 10_000}
    body = operators.post("/v1/sql", json=old).content
    assert operators.post("/v1/uploads?dataset=audit&filename=old.csv", content=body).status_code == 201
    assert [row["key_id"] for row in web.rows()] == ["k0"]


def test_an_object_that_holds_no_entries_is_told_and_stops_no_other(web: AuditWeb, store: FailingStore) -> None:
    store.put("audit/2026-03-01/broken-1.ndjson.gz", b"no gzip")
    handed_in(store, 2)
    report = web.gather()
    assert report.problems == ["audit/2026-03-01/broken-1.ndjson.gz holds no entries"]
    assert (len(web.rows()), objects(store)) == (2, ["audit/2026-03-01/broken-1.ndjson.gz"])
