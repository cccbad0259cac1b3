"""What maintenance promises: answers stay, files that are needed stay, everything else goes, with others at work."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.catalog.careful import CarefulCatalog
from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LAKE, LakeWriter
from shared.duck import Duck, open_duck
from shared.errors import PreconditionFailedError, SnapshotNotFoundError
from shared.lake_files import ScheduledFile
from shared.sessions import Sessions
from shared.sql.load import statement
from shared.storage.base import ObjectInfo, ObjectStore
from shared.storage.folder import FolderStore
from shared.tidy import TidyLakes, TidyReport, TidyRules, unneeded
from tests.shop import TENANT, Shop, shop_on

HEADER = "order_id,ordered_at,customer_id,total,updated_at\n"
DATA = f"lake/{TENANT}/data/"
QUESTIONS = (
    "SELECT * FROM orders ORDER BY ALL",
    "SELECT count(*), min(order_id), max(order_id), min(total), max(total), max(ordered_at) FROM orders",
    "SELECT * FROM orders WHERE total < 3 ORDER BY ALL",
    "SELECT * FROM teal.order_totals ORDER BY ALL",
    "SELECT upload_id, status FROM teal.uploads ORDER BY ALL",
)


class LaterStore(FolderStore):
    """A folder whose clock can be set ahead."""

    ahead = timedelta(0)

    def clock(self) -> datetime:
        return super().clock() + self.ahead


def session_on(store: ObjectStore) -> Sessions:
    return Sessions(
        lambda: open_duck(memory_limit_mb=512, threads=2), lambda duck: duck.grant(store.duck_access(), "lake_store")
    )


def tidy_of(shop: Shop, **rules: Any) -> TidyLakes:
    return TidyLakes(shop.store, lambda tenant: shop.writer, session_on(shop.store), TidyRules(**rules))


@pytest.fixture
def store(tmp_path: Path) -> LaterStore:
    return LaterStore(tmp_path)


@pytest.fixture
def shop(store: LaterStore) -> Shop:
    return shop_on(store)


def orders(numbers: range, total: int, day: int = 1) -> str:
    return HEADER + "".join(f"{n:06},2024-01-{day:02},c{n % 7},{total},\n" for n in numbers)


def answers(shop: Shop, snapshot: int) -> list[Any]:
    with shop.reader.pin(snapshot) as lake:
        return [lake.duck.execute(question) for question in QUESTIONS]


def grown(shop: Shop, uploads: int = 6) -> dict[int, list[Any]]:
    """A lake of several uploads that overlap; what every snapshot answers."""
    said = {}
    for number in range(uploads):
        outcome = shop.upload("orders", f"{number}.csv", orders(range(number * 150, number * 150 + 400), number + 1))
        said[outcome.snapshot_id] = answers(shop, outcome.snapshot_id)
    return said


def data_files(store: ObjectStore) -> set[str]:
    return {info.key for info in store.list(DATA)}


def is_done(report: TidyReport) -> bool:
    return not report.problems and not report.postponed


# --- answers stay ----------------------------------------------------------------------------------------------------


def test_the_answers_of_every_snapshot_stay_the_same_after_maintenance(shop, store):
    before = grown(shop)
    files = len(data_files(store))
    first = tidy_of(shop).tidy(TENANT)
    assert is_done(first)
    assert first.merged > 0
    assert first.rewritten > 0
    assert first.flushed > 0
    shop.reader.refresh()
    assert {snapshot: answers(shop, snapshot) for snapshot in before} == before
    store.ahead = timedelta(days=2)
    second = tidy_of(shop).tidy(TENANT)
    assert is_done(second)
    assert 0 < second.deleted < files
    fresh = shop_on(store)
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    newest = fresh.reader.current_snapshot()
    assert answers(fresh, newest) == before[max(before)]


@pytest.mark.parametrize("seed", range(3))
def test_a_history_of_writes_and_maintenance_can_be_read_back(store, seed):
    """Appends, replacements and deletions in random order, maintenance between; a plain dict keeps every state."""
    shop, random_ = shop_on(store), random.Random(seed)
    kept: dict[str, tuple[int, int]] = {}
    states: dict[int, dict[str, tuple[int, int]]] = {}
    tidy = tidy_of(shop)
    for step in range(14):
        if random_.random() < 0.4:
            assert is_done(tidy.tidy(TENANT))
            continue
        start, many = random_.randrange(600), random_.choice((1, 30, 300))
        gone = random_.random() < 0.3
        body = "order_id,ordered_at,total,_deleted\n"
        for number in range(start, start + many):
            body += f"{number:06},2024-01-{1 + step},{step},{'true' if gone else ''}\n"
            if gone:
                kept.pop(f"{number:06}", None)
            else:
                kept[f"{number:06}"] = (1 + step, step)
        states[shop.upload("orders", f"{step}.csv", body).snapshot_id] = dict(kept)
    tidy.tidy(TENANT)
    store.ahead = timedelta(days=2)
    assert is_done(tidy.tidy(TENANT))
    fresh = shop_on(store)
    for snapshot, rows in states.items():
        with fresh.reader.pin(snapshot) as lake:
            found = lake.duck.execute("SELECT order_id, day(ordered_at), total::INTEGER FROM orders ORDER BY ALL")
            assert found == sorted((key, *value) for key, value in rows.items())
            few = lake.duck.execute("SELECT count(*) FROM orders WHERE total BETWEEN 2 AND 5")
            assert few == [(sum(2 <= value[1] <= 5 for value in rows.values()),)]
            assert lake.duck.value("SELECT min(order_id) FROM orders") == min(rows, default=None)
            assert lake.duck.value("SELECT max(total) FROM orders") == max((v[1] for v in rows.values()), default=None)


def test_a_rewrite_by_ducklake_alone_would_answer_wrongly(tmp_path):
    """The reason for CarefulCatalog: when this fails, DuckLake was repaired and it can go."""
    duck = open_duck(memory_limit_mb=512, threads=1)
    duck.attach(tmp_path / "catalog.ducklake", LAKE, f"{tmp_path}/data/", read_only=False)
    duck.execute("CREATE TABLE lake.main.numbers (number INTEGER)")
    duck.execute("INSERT INTO lake.main.numbers SELECT range FROM range(40)")
    snapshot = duck.value("FROM lake.current_snapshot()")
    duck.execute("DELETE FROM lake.main.numbers WHERE number < 20")
    duck.execute("CALL ducklake_rewrite_data_files('lake', 'numbers', delete_threshold => 0.1)")
    duck.detach(LAKE)
    duck.attach(tmp_path / "catalog.ducklake", LAKE, f"{tmp_path}/data/", read_only=True)
    then = duck.execute(f"SELECT number FROM lake.main.numbers AT (VERSION => {snapshot}) ORDER BY ALL")
    assert then != [(number,) for number in range(40)]


def test_an_older_snapshot_is_not_read_with_the_statistics_of_the_newest(shop):
    body = "order_id,line_id,product_id,quantity,unit_price,ordered_at\n"
    many = "".join(f"{n},1,p,{n},1,2024-01-01\n" for n in range(1, 41))
    first = shop.upload("order_items", "1.csv", body + many).snapshot_id
    large = "".join(f"{n},1,p,{n + 5_000},1,2024-01-01\n" for n in range(1, 21))
    shop.upload("order_items", "2.csv", body + large)
    assert tidy_of(shop).tidy(TENANT).rewritten > 0
    shop.reader.refresh()
    with shop.reader.pin(first) as lake:
        sorted_ = lake.duck.execute("SELECT quantity FROM order_items ORDER BY ALL")
        assert sorted_ == [(n,) for n in range(1, 41)]
        assert lake.duck.value("SELECT count(*) FROM order_items WHERE quantity < 10") == 9
    quantities = sorted([*range(21, 41), *range(5_001, 5_021)])
    assert shop.rows("SELECT min(quantity), max(quantity) FROM order_items") == [(min(quantities), max(quantities))]


def test_deletions_still_inside_the_catalog_survive_a_rewrite_of_their_file(shop):
    said = {}
    for number, changed in enumerate((range(600), range(250), range(250, 270), range(270, 290), range(290, 310))):
        snapshot = shop.upload("orders", f"{number}.csv", orders(changed, number)).snapshot_id
        said[snapshot] = answers(shop, snapshot)
        if number == 0:
            tidy_of(shop).tidy(TENANT)
        if number == 3:
            rewrite_now(shop)
    tidy_of(shop).tidy(TENANT)
    shop.reader.refresh()
    assert {snapshot: answers(shop, snapshot) for snapshot in said} == said


def rewrite_now(shop: Shop) -> None:
    """The step of a maintainer that was overtaken by a writer after it had flushed."""
    duck = shop.writer.open_duck()
    careful = CarefulCatalog(shop.writer.catalog, duck, shop.store.clock, flush_first=True)
    where = {"schema": "teal", "table": "order_totals", "deleted_share": 0.01}
    rewritten = replace(shop.writer, catalog=careful).commit(
        "tidy", lambda change: change.duck.execute(statement("tidy/rewrite"), where), duck=duck
    )
    assert rewritten.result


def test_a_second_run_finds_nothing_to_do(shop, store):
    grown(shop)
    tidy_of(shop).tidy(TENANT)
    shop.reader.refresh()
    snapshot, files = shop.reader.current_snapshot(), data_files(store)
    again = tidy_of(shop).tidy(TENANT)
    shop.reader.refresh()
    assert (again.flushed, again.rewritten, again.merged, again.expired, again.deleted) == (0, 0, 0, 0, 0)
    assert (shop.reader.current_snapshot(), data_files(store)) == (snapshot, files)


def test_the_snapshots_expire_by_age_and_the_newest_never_does(shop, store):
    before = grown(shop)
    store.ahead = timedelta(days=31)
    report = tidy_of(shop, keep_snapshots_days=30).tidy(TENANT)
    assert is_done(report)
    assert report.expired >= len(before)
    fresh = shop_on(store)
    with pytest.raises(SnapshotNotFoundError), fresh.reader.pin(min(before)):
        pass
    assert answers(fresh, fresh.reader.current_snapshot()) == before[max(before)]
    assert report.deleted == 0, "what has just expired may still be read through an older catalog"
    store.ahead += timedelta(days=2)
    assert tidy_of(shop).tidy(TENANT).deleted > 0
    assert answers(shop_on(store), fresh.reader.current_snapshot()) == before[max(before)]


# --- files that somebody needs stay ----------------------------------------------------------------------------------

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def listed(key: str, hours_old: float) -> dict[str, ObjectInfo]:
    return {key: ObjectInfo(key, 1, "e", NOW - timedelta(hours=hours_old))}


@pytest.mark.parametrize(
    ("hours_old", "needed", "scheduled_hours_ago", "restored_hours_ago", "goes"),
    [
        (100, False, None, None, True),
        (100, True, None, None, False),
        (1, False, None, None, False),
        (100, False, 100, None, True),
        (100, False, 1, None, False),
        (100, True, 100, None, False),
        (1, False, 100, None, False),
        (100, False, None, 1, False),
        (100, False, None, 100, True),
        (100, False, 100, 1, True),
    ],
)
def test_a_file_goes_only_when_nothing_can_need_it(hours_old, needed, scheduled_hours_ago, restored_hours_ago, goes):
    def ago(hours: float | None) -> datetime | None:
        return None if hours is None else NOW - timedelta(hours=hours)

    since = ago(scheduled_hours_ago)
    found = unneeded(
        listed("f", hours_old),
        {"f"} if needed else {"other"},
        [ScheduledFile(1, "f", since)] if since else [],
        too_old=NOW - timedelta(hours=24),
        restored_at=ago(restored_hours_ago),
    )
    assert found == (["f"] if goes else [])


def test_the_files_of_a_commit_in_flight_stay_and_left_behind_ones_go(shop, store):
    grown(shop, 2)
    key = f"{DATA}main/orders/in-flight.parquet"
    duck = open_duck(memory_limit_mb=512, threads=1)
    shop.store.put(key, b"")
    duck.execute(f"COPY (SELECT 'new' AS order_id, now() AS ordered_at) TO '{store.uri_of(key)}' (FORMAT parquet)")
    tidy_of(shop).tidy(TENANT)
    assert key in data_files(store)
    store.ahead = timedelta(days=2)
    report = tidy_of(shop).tidy(TENANT)
    assert report.deleted >= 1
    assert key not in data_files(store)


def test_a_reader_of_an_older_catalog_keeps_its_files(shop, store):
    before = grown(shop)
    newest = max(before)
    with shop.reader.pin() as lake:
        tidy_of(shop).tidy(TENANT)
        tidy_of(shop).tidy(TENANT)
        assert [lake.duck.execute(question) for question in QUESTIONS] == before[newest]


def test_a_missing_file_stops_all_deletion(shop, store):
    grown(shop)
    tidy_of(shop).tidy(TENANT)
    with shop.writer.look(open_duck(memory_limit_mb=512, threads=1)):
        pass
    lost = max((info for info in store.list(f"{DATA}main/orders/")), key=lambda info: info.modified_at).key
    store.delete(lost)
    store.ahead = timedelta(days=2)
    files = data_files(store)
    report = tidy_of(shop).tidy(TENANT)
    assert any(lost in problem for problem in report.problems)
    assert data_files(store) == files


def test_a_lost_catalog_is_reported_and_the_other_lakes_are_tidied(shop, store):
    grown(shop, 2)
    store.put("lake/another/data/main/orders/x.parquet", b"x")
    by_tenant = {report.tenant: report for report in tidy_of_all(store)()}
    assert by_tenant["another"].problems[0].startswith("catalog_lost")
    assert is_done(by_tenant[TENANT])
    assert by_tenant[TENANT].files > 0


def tidy_of_all(store: ObjectStore) -> TidyLakes:
    session = session_on(store)

    def open_session() -> Duck:
        return open_duck(memory_limit_mb=512, threads=1)

    return TidyLakes(store, lambda tenant: LakeWriter(StoredCatalog(store, tenant), open_session), session)


# --- what else goes --------------------------------------------------------------------------------------------------


def test_the_old_held_rows_answers_and_upload_records_go(shop, store):
    grown(shop, 1)
    held = shop.upload("orders", "bad.csv", HEADER + "1,no date,c,1,\n")
    assert held.status == "held"
    kept = {f"uploads/{TENANT}/{held.upload_id}.json", f"lake/{TENANT}/held/{held.upload_id}.parquet"}
    for key in (f"lake/{TENANT}/answers/a.csv", f"uploads/{TENANT}/u1.json", *kept):
        store.put(key, b"x")
    tidy_of(shop).tidy(TENANT)
    assert store.head(f"lake/{TENANT}/answers/a.csv")
    store.ahead = timedelta(days=8)
    tidy_of(shop).tidy(TENANT)
    left = {info.key for prefix in ("lake/", "uploads/") for info in store.list(prefix)}
    assert kept <= left
    assert not {f"lake/{TENANT}/answers/a.csv", f"uploads/{TENANT}/u1.json"} & left
    store.ahead = timedelta(days=91)
    tidy_of(shop).tidy(TENANT)
    assert not kept & {info.key for prefix in ("lake/", "uploads/") for info in store.list(prefix)}


# --- beside others ---------------------------------------------------------------------------------------------------


class BusyStore(LaterStore):
    """A store where somebody else commits first, ``losses`` times."""

    losses = 0
    somebody: Any = None

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        if self.losses > 0 and key.endswith("catalog.ducklake"):
            self.losses -= 1
            losses, self.losses = self.losses, 0
            self.somebody()
            self.losses = losses
            raise PreconditionFailedError("somebody else committed first")
        return super().put_if_match(key, body, etag=etag)


def test_a_lost_race_is_tried_again_with_less_work_and_nothing_is_lost(tmp_path):
    store = BusyStore(tmp_path)
    shop = shop_on(store)
    before = grown(shop)
    rows = iter(range(90_000, 90_100))
    store.somebody = lambda: shop_on(store).upload(
        "orders", f"b{time.time_ns()}.csv", orders(range(n := next(rows), n + 1), 1)
    )
    store.losses = 6
    report = tidy_of(shop).tidy(TENANT)
    assert not report.problems
    assert report.merged > 0
    fresh = shop_on(store)
    assert fresh.rows("SELECT count(*) FROM orders WHERE order_id >= '090000'") == [(6,)]
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    # What the lost attempts wrote is nobody's, and goes when it is old enough.
    store.ahead = timedelta(days=2)
    assert tidy_of(shop).tidy(TENANT).deleted > 0
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before


def test_a_step_that_loses_every_race_is_postponed(tmp_path):
    store = BusyStore(tmp_path)
    shop = shop_on(store)
    before = grown(shop, 6)
    store.somebody, store.losses = (lambda: None), 10_000
    report = tidy_of(shop, max_seconds=10).tidy(TENANT)
    store.losses = 0
    assert report.postponed
    assert not report.problems
    assert {snapshot: answers(shop_on(store), snapshot) for snapshot in before} == before
    assert is_done(tidy_of(shop).tidy(TENANT))


GRACE_SECONDS = 8.0
"""Longer than a commit takes here, shorter than the run, so that files really go beside readers and writers."""
RUN_SECONDS = 14.0


def write_for_a_while(folder: Path, worker: int, until: float, told: Any) -> None:
    shop, number = shop_on(FolderStore(folder)), 0
    while time.time() < until:
        start = worker * 100_000 + number * 50
        outcome = shop.upload("orders", f"w{worker}-{number}.csv", orders(range(start, start + 120), number))
        assert outcome.status == "loaded"
        number += 1
    told.put(("written", worker, (number - 1) * 50 + 120))


def read_for_a_while(folder: Path, until: float, told: Any) -> None:
    shop, answers_of, reads = shop_on(FolderStore(folder)), {}, 0
    while time.time() < until:
        shop.reader.refresh()
        newest = shop.reader.current_snapshot()
        for snapshot in {newest, *list(answers_of)[-3:]}:
            found = answers(shop, snapshot)
            assert answers_of.setdefault(snapshot, found) == found
            reads += 1
    told.put(("read", 0, reads))


def tidy_for_a_while(folder: Path, until: float, told: Any) -> None:
    shop, deleted = shop_on(FolderStore(folder)), 0
    tidy = tidy_of(shop, orphan_grace_hours=GRACE_SECONDS / 3600)
    while time.time() < until:
        report = tidy.tidy(TENANT)
        assert not report.problems, report.problems
        deleted += report.deleted
    told.put(("deleted", 0, deleted))


def test_the_writers_readers_and_two_maintainers_do_not_disturb_each_other(tmp_path):
    shop_on(FolderStore(tmp_path)).upload("orders", "first.csv", orders(range(900_000, 900_010), 1))
    context = multiprocessing.get_context("spawn")
    told, until = context.Queue(), time.time() + RUN_SECONDS
    work = [
        (write_for_a_while, (tmp_path, 1, until, told)),
        (write_for_a_while, (tmp_path, 2, until, told)),
        (read_for_a_while, (tmp_path, until, told)),
        (tidy_for_a_while, (tmp_path, until, told)),
        (tidy_for_a_while, (tmp_path, until, told)),
    ]
    processes = [context.Process(target=target, args=arguments) for target, arguments in work]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * len(processes)
    results = [told.get(timeout=5) for _ in processes]
    written = sum(number for what, _, number in results if what == "written")
    shop = shop_on(FolderStore(tmp_path))
    assert shop.rows("SELECT count(*), count(DISTINCT order_id) FROM orders") == [(written + 10, written + 10)]
    assert sum(number for what, _, number in results if what == "deleted") > 0
    assert is_done(tidy_of(shop).tidy(TENANT))


# --- every store -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("store_spec", ["s3-moto", "s3-ministack"], indirect=True)
def test_a_bucket_can_be_tidied(store_spec):
    from tests.servers import open_store

    store = open_store(store_spec)
    shop = shop_on(store)
    before = grown(shop, 6)
    report = tidy_of(shop).tidy(TENANT)
    assert is_done(report)
    assert report.merged > 0
    fresh = shop_on(store)
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
