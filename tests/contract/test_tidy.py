"""What maintenance promises: answers stay, files that are needed stay, and everything else goes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.duck import Duck, open_duck
from shared.errors import SnapshotNotFoundError
from shared.lake_files import ScheduledFile
from shared.leftovers import unneeded
from shared.storage.base import ObjectInfo, ObjectStore
from shared.tidy import TidyLakes
from tests.maintained import (
    DATA,
    HEADER,
    QUESTIONS,
    LaterStore,
    answers,
    data_files,
    grown,
    is_done,
    session_on,
    tidy_of,
)
from tests.shop import TENANT, Shop, shop_on


@pytest.fixture
def store(tmp_path: Path) -> LaterStore:
    return LaterStore(tmp_path)


@pytest.fixture
def shop(store: LaterStore) -> Shop:
    return shop_on(store)


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


def test_what_there_is_no_time_to_delete_goes_with_the_next_run(shop, store):
    grown(shop, 1)
    left_behind = {f"{DATA}main/orders/left-behind-{number}.parquet" for number in range(200)}
    for key in left_behind:
        store.put(key, b"x")
    needed = data_files(store) - left_behind
    store.ahead = timedelta(days=2)
    hurried = tidy_of(shop, max_seconds=0).tidy(TENANT)
    assert "delete 200 objects" in hurried.postponed
    assert hurried.deleted == 0
    report = tidy_of(shop).tidy(TENANT)
    assert is_done(report)
    assert (report.deleted, report.deleted_bytes) == (200, 200)
    assert not left_behind & data_files(store)
    assert needed <= data_files(store)


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
