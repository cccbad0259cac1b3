"""What was asked counts once, whatever fails: stores that fall silent, processes that stop half way, folds at once."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.duck import Duck
from shared.errors import StoreUnavailableError
from shared.fold_usage import FoldUsage
from shared.rollback import roll_back
from shared.storage.base import ObjectInfo
from shared.storage.folder import FolderStore
from shared.usage import OTHER, UsageRecord, Use, latency_bucket, slots_from
from tests.servers import REPOSITORY
from tests.usage_web import UsageWeb, fold_parts, rows_of, session_on, usage_web

TENANT = "acme"
NOW = datetime(2026, 3, 1, 9, 15, tzinfo=UTC)


class FailingStore(FolderStore):
    """A folder that fails on command: ``silent`` does nothing, ``unsure`` does it and does not say so."""

    silent: bool = False
    unsure: bool = False
    stops_at_delete: bool = False
    slow_seconds: float = 0.0
    puts: int = 0

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        if key.startswith("usage/"):
            self.puts += 1
            time.sleep(self.slow_seconds)
            if self.silent:
                raise StoreUnavailableError("The store did not answer.")
        info = super().put(key, body, content_type=content_type)
        if key.startswith("usage/") and self.unsure:
            raise StoreUnavailableError("The store did not answer.")
        return info

    def delete(self, key: str) -> None:
        if self.stops_at_delete and key.startswith("usage/"):
            raise KeyboardInterrupt
        super().delete(key)


@pytest.fixture
def store(tmp_path: Path) -> FailingStore:
    return FailingStore(tmp_path, b"a signing secret", "http://testserver")


def record_on(store: FolderStore, **more: Any) -> UsageRecord:
    return UsageRecord(store, now=lambda: NOW, **more)


def use(question: str = "sales/summary", tenant: str = TENANT, **more: Any) -> Use:
    return Use(**{"tenant": tenant, "question": question, "key_id": "k1", "status": 200, "milliseconds": 3.0, **more})


@pytest.fixture
def web(store: FailingStore) -> UsageWeb:
    return usage_web(store, record_on(store, wait_seconds=0.0), (TENANT,))


def counted(web: UsageWeb) -> int:
    with rows_of(web, TENANT) as duck:
        return duck.value("SELECT coalesce(sum(requests), 0)::BIGINT FROM teal.usage")


def objects(store: FolderStore) -> list[str]:
    return [info.key for info in store.list("usage/")]


# --- handing in ------------------------------------------------------------------------------------------------------


def test_the_first_request_is_handed_in_at_once_and_then_one_object_a_minute(store):
    web = usage_web(store, record_on(store), (TENANT,))
    client, _ = web.client(TENANT)
    for _ in range(5):
        assert client.get("/v1/sales/summary").status_code == 200
    assert store.puts == 1
    web.usage._waiting[TENANT].due_at -= 60
    assert client.get("/v1/sales/summary").status_code == 200
    assert store.puts == 2
    assert web.fold(TENANT).requests == 6


def test_many_requests_are_not_kept_for_a_minute(store):
    record = record_on(store, wait_requests=10)
    due = [record.add(use()) for _ in range(10)]
    assert due[0]
    assert record.hand_in()
    due = [record.add(use()) for _ in range(10)]
    assert due == [False] * 9 + [True]


def test_a_silent_store_fails_no_request_and_nothing_is_lost_when_it_speaks_again(store, web, caplog):
    client, _ = web.client(TENANT)
    store.silent = True
    for _ in range(7):
        assert client.get("/v1/sales/summary").status_code == 200
    assert "usage was not handed in" in caplog.text
    assert objects(store) == []
    store.silent = False
    assert client.get("/v1/sales/summary").status_code == 200
    web.usage.hand_in_all()
    assert web.fold(TENANT).requests == 8
    assert counted(web) == 8


def test_a_silent_store_is_left_alone_for_a_while(store):
    web = usage_web(store, record_on(store), (TENANT,))
    client, _ = web.client(TENANT)
    store.silent = True
    for _ in range(5):
        client.get("/v1/sales/summary")
    assert store.puts == 1


def test_a_put_that_landed_unseen_counts_once(store, web):
    client, _ = web.client(TENANT)
    store.unsure = True
    client.get("/v1/sales/summary")
    assert len(objects(store)) == 1
    assert web.fold(TENANT).requests == 1
    store.unsure = False
    # The same object once more, since nobody knows that it landed; and it comes back after it was folded and deleted.
    client.get("/v1/sales/summary")
    web.usage.hand_in_all()
    assert len(objects(store)) == 2
    again = web.fold(TENANT)
    assert (again.objects, again.requests, again.deleted) == (1, 1, 2)
    assert (counted(web), objects(store)) == (2, [])


def test_a_slow_store_holds_up_a_request_for_a_second_at_most(store, web):
    store.slow_seconds = 2.5

    async def ask() -> float:
        transport = httpx2.ASGITransport(web.app)
        token = web.keys.create(TENANT, ["read"]).token
        async with httpx2.AsyncClient(transport=transport, base_url="https://api") as client:
            started = time.perf_counter()
            answer = await client.get("/v1/sales/summary", headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 200
            return time.perf_counter() - started

    seconds = asyncio.run(ask())
    assert 0.9 < seconds < 2.4
    assert web.fold(TENANT).requests == 1


def test_what_finds_no_room_is_folded_into_others_and_what_is_lost_is_told(store, caplog):
    record = record_on(store, max_slots=10)
    for number in range(25):
        record.add(use(f"GET /v1/{number}", milliseconds=2.0**number))
    record.hand_in_all()
    slots = slots_from(store.get(objects(store)[0])[0])
    others = [slot for slot in slots if slot.question == OTHER]
    # Ten of their own; the others by bucket alone: 2^10 … 2^16 ms, and all above 65 s with the last.
    assert len(slots) - len(others) == 10
    assert sorted(slot.latency_bucket for slot in others) == [40, 44, 48, 52, 56, 60, 64]
    assert sum(sums.requests for sums in slots.values()) == 25
    assert "usage lost" not in caplog.text
    for number in range(30):
        record.add(use(f"GET /v1/{number}", tenant=f"t{number}"))
    record.hand_in_all()
    assert "usage lost" in caplog.text
    told = sum(one.requests for one in caplog.records if one.getMessage() == "usage lost")
    kept = sum(s.requests for key in objects(store) for s in slots_from(store.get(key)[0]).values())
    assert told == 10
    assert kept + told == 25 + 30


def test_threads_at_once_lose_nothing(store):
    record = record_on(store, wait_seconds=0.0)

    def ask(number: int) -> None:
        for _ in range(500):
            if record.add(use(tenant=f"t{number % 3}")):
                record.hand_in()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(8)))
    record.hand_in_all()
    assert sum(s.requests for key in objects(store) for s in slots_from(store.get(key)[0]).values()) == 4_000


def test_nothing_tells_what_was_asked_about(store, web):
    client, _ = web.client(TENANT)
    client.get("/v1/datasets/orders/rows/ann.lee%40example.com")
    client.get("/v1/customers/detail", params={"customer_id": "ann.lee@example.com"})
    client.get("/v1/sales/summary", params={"country": "Ruritania"})
    client.get("/v1/sales/summary", params={"country": "Ruritania"}, headers={"User-Agent": "Ann's own"})
    web.usage.hand_in_all()
    text = "".join(gzip.decompress(store.get(key)[0]).decode() for key in objects(store))
    assert text.count("sales/summary") >= 1
    token = client.headers["Authorization"].rpartition("_")[2]
    for secret in ("ann", "Ann", "example", "Ruritania", token):
        assert secret not in text


def test_switched_off_it_leaves_no_trace(store):
    web = usage_web(store, None, (TENANT,))
    client, _ = web.client(TENANT)
    assert client.get("/v1/sales/summary").status_code == 200
    assert objects(store) == []
    assert client.get("/v1/usage").json()["rows"] == []


ENDING = """
from shared.bootstrap import api, usage
from shared.usage import Use
api()
usage().add(Use("acme", "sales/summary", "k1", 200, 3.0))
"""


def test_a_process_that_ends_in_good_order_hands_in_what_it_has(store):
    told = {**os.environ, "TEAL_LAKE": store.uri}
    subprocess.run([sys.executable, "-c", ENDING], cwd=REPOSITORY, env=told, check=True)
    assert len(objects(store)) == 1
    subprocess.run([sys.executable, "-c", ENDING], cwd=REPOSITORY, env=told, check=True)
    assert len(objects(store)) == 2, "every process has names of its own"


def test_the_schedule_folds_and_the_setting_switches_the_counting_off(store, web):
    handed_in(store, 3)
    code = "from shared.bootstrap import fold_usage, tidy; [print(fold_usage()(t)) for t in tidy().tenants()]"
    told = {**os.environ, "TEAL_LAKE": store.uri}
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=told, check=True)
    assert (counted(web), objects(store)) == (3, [])
    code = "from shared.bootstrap import api; print([m.kwargs.get('usage', 0) for m in api().user_middleware])"
    off = {**told, "TEAL_USAGE": "false"}
    ran = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, env=off, check=True, capture_output=True)
    assert ran.stdout.strip() == b"[None, 0]"


def test_buckets_hold_what_they_say():
    numbers = random.Random(5)
    for _ in range(20_000):
        milliseconds = 2 ** numbers.uniform(-4, 16)
        bucket = latency_bucket(milliseconds)
        assert 2 ** ((bucket - 1) / 4) < milliseconds * (1 + 1e-12)
        assert milliseconds <= 2 ** (bucket / 4) * (1 + 1e-12)
    assert [latency_bucket(ms) for ms in (-1.0, 0.0, 1e-9, 1.0, 2.0, 1e9)] == [-16, -16, -16, 0, 4, 64]


# --- folding ---------------------------------------------------------------------------------------------------------


def handed_in(store: FolderStore, *requests: int) -> None:
    """Objects of as many processes, each of so many requests."""
    for count in requests:
        record = record_on(store)
        for _ in range(count):
            record.add(use())
        record.hand_in_all()


def test_processes_are_added_up(store, web):
    handed_in(store, 3, 4, 5)
    assert (web.fold(TENANT).objects, counted(web)) == (3, 12)
    with rows_of(web, TENANT) as duck:
        assert duck.value("SELECT count(*) FROM teal.usage") == 1, "of what is alike there is one row a fold"
    handed_in(store, 2)
    assert (web.fold(TENANT).objects, counted(web)) == (1, 14)


def test_a_fold_that_stops_before_it_deletes_is_finished_by_the_next(store, web):
    handed_in(store, 3, 4)
    store.stops_at_delete = True
    with pytest.raises(KeyboardInterrupt):
        web.fold(TENANT)
    assert (counted(web), len(objects(store))) == (7, 2)
    store.stops_at_delete = False
    handed_in(store, 5)
    report = web.fold(TENANT)
    assert (report.objects, report.requests, report.deleted) == (1, 5, 3)
    assert (counted(web), objects(store)) == (12, [])
    assert web.fold(TENANT).deleted == 0


def test_a_fold_that_was_overtaken_while_it_read_adds_nothing(store, web):
    handed_in(store, 3, 4)
    parts = fold_parts(store)

    @contextmanager
    def overtaken() -> Iterator[Duck]:
        assert web.fold(TENANT).requests == 7
        with parts["session"]() as duck:
            yield duck

    report = FoldUsage(**{**parts, "session": overtaken})(TENANT)
    assert (report.requests, report.problems) == (0, [])
    assert (counted(web), objects(store)) == (7, [])


def test_folds_at_once_count_once(store, web):
    handed_in(store, *range(1, 9))
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda _: FoldUsage(**fold_parts(store))(TENANT), range(4)))
    assert [report.problems for report in reports] == [[]] * 4
    assert sum(report.requests for report in reports) == counted(web) == 36
    assert objects(store) == []


@dataclass
class Later:
    """The wall clock of a writer, which jumps once it was looked at."""

    seconds: float
    looks: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        self.looks.append(time.time())
        return self.looks[0] + (self.seconds if len(self.looks) > 1 else 0)


def test_a_fold_that_slept_too_long_adds_nothing(store, web):
    handed_in(store, 3)
    asleep = Later(13 * 3600)

    def writer_of(tenant: str) -> LakeWriter:
        return LakeWriter(StoredCatalog(store, tenant), lambda: session_on(store), clock=asleep)

    report = web.fold(TENANT, writer_of=writer_of)
    assert report.problems[0].startswith("commit_too_late")
    assert (counted(web), len(objects(store))) == (0, 1)


def test_names_are_forgotten_once_no_fold_can_have_read_them(store, web):
    class LaterStore(FolderStore):
        days: int = 0

        def clock(self) -> datetime:
            return super().clock() + timedelta(days=self.days)

    later = LaterStore(Path(store.uri), b"a signing secret", "http://testserver")
    for days, names in ((0, 1), (6, 2), (8, 2), (30, 1)):
        later.days = days
        handed_in(store, 1)
        FoldUsage(**{**fold_parts(store), "store": later})(TENANT)
        with rows_of(web, TENANT) as duck:
            assert duck.value("SELECT count(*) FROM teal.usage_folds") == names, days
    assert counted(web) == 4


def test_what_cannot_be_read_is_told_and_stays(store, web):
    handed_in(store, 3)
    FolderStore.put(store, f"usage/{TENANT}/2026-03-01T09/x-1.ndjson.gz", b"nonsense")
    FolderStore.put(store, f"usage/{TENANT}/2026-03-01T09/x-2.ndjson.gz", gzip.compress(b'{"hour": "noon"}'))
    report = web.fold(TENANT)
    assert (report.requests, len(report.problems), len(objects(store))) == (3, 2, 2)


def test_a_fold_takes_so_many_and_the_next_the_others(store, web):
    handed_in(store, 1, 1, 1, 1, 1)
    assert [web.fold(TENANT, max_objects=2).objects for _ in range(4)] == [2, 2, 1, 0]
    assert counted(web) == 5


def test_a_tenant_s_usage_comes_into_its_own_lake_alone(store):
    web = usage_web(store, record_on(store), ("acme", "acme_2"))
    for tenant, count in (("acme", 2), ("acme_2", 5)):
        client, _ = web.client(tenant)
        for _ in range(count):
            client.get("/v1/sales/summary")
    web.usage.hand_in_all()
    assert web.fold("acme").requests == 2
    assert {key.split("/")[1] for key in objects(store)} == {"acme_2"}
    assert counted(web) == 2
    assert web.fold("acme_2").requests == 5


def test_a_rollback_takes_back_no_usage(store, web):
    writer: LakeWriter = fold_parts(store)["writer_of"](TENANT)
    handed_in(store, 3)
    web.fold(TENANT)
    with rows_of(web, TENANT) as duck:
        before = duck.value("SELECT count(*) FROM main.orders")
        snapshot = web.reader_of(TENANT).current_snapshot()
    writer.commit("test", lambda change: change.duck.execute("DELETE FROM lake.main.orders"))
    store.stops_at_delete = True
    handed_in(store, 4)
    with pytest.raises(KeyboardInterrupt):
        web.fold(TENANT)
    roll_back(writer, snapshot, author="test")
    with rows_of(web, TENANT) as duck:
        assert duck.value("SELECT count(*) FROM main.orders") == before
    assert counted(web) == 7
    store.stops_at_delete = False
    assert web.fold(TENANT).requests == 0, "what was folded stays folded"
    assert counted(web) == 7


def test_nothing_to_fold_leaves_the_snapshot_as_it_is(store, web, caplog):
    caplog.set_level(logging.INFO)
    snapshot = web.reader_of(TENANT).current_snapshot()
    assert web.fold(TENANT).requests == 0
    assert web.reader_of(TENANT).current_snapshot() == snapshot


def test_a_lake_of_an_earlier_version_has_no_usage_yet(store, web):
    writer: LakeWriter = fold_parts(store)["writer_of"](TENANT)
    writer.commit("test", lambda change: change.duck.execute("DROP TABLE lake.teal.usage"))
    web.reader_of(TENANT).refresh()
    client, _ = web.client(TENANT)
    for by in ("all", "key"):
        answer = client.get("/v1/usage", params={"by": by})
        assert (answer.status_code, answer.json()["rows"]) == (200, [])
    handed_in(store, 3)
    assert web.fold(TENANT).requests == 5, "the two above are counted too"
    assert client.get("/v1/usage", params={"question": "sales/summary"}).json()["rows"][0]["requests"] == 3
