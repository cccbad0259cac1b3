"""A commit that took so long that maintenance may have deleted its files is not published; it is tried again."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from shared.catalog.writer import LAKE, Change, CommitTooLateError, LakeWriter
from shared.duck import Duck, open_duck
from shared.errors import PreconditionFailedError
from shared.storage.base import ObjectInfo
from shared.storage.folder import FolderStore
from tests.maintained import DATA, data_files, is_done, orders, tidy_after, tidy_of
from tests.shop import TENANT, Shop, shop_on

GRACE_HOURS = 24
KEY = f"{DATA}main/orders/put-before-the-commit.parquet"


@dataclass
class Clock:
    """Seconds that pass only when told."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, hours: float) -> None:
        self.now += hours * 3600


class LosingStore(FolderStore):
    """A store where somebody else commits first, ``losses`` times."""

    losses = 0

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        if self.losses and key.endswith("catalog.ducklake"):
            self.losses -= 1
            raise PreconditionFailedError("somebody else committed first")
        return super().put_if_match(key, body, etag=etag)


class SlowStore(FolderStore):
    """A store that takes ``hours`` for a data file."""

    clock_of_writer = Clock()
    hours = 0.0

    def put_file(self, key: str, source: Path, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        info = super().put_file(key, source, content_type=content_type)
        if "/data/" in key:
            self.clock_of_writer.sleep(self.hours)
        return info


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> LosingStore:
    return LosingStore(tmp_path / "store")


@pytest.fixture
def shop(store: LosingStore) -> Shop:
    shop = shop_on(store)
    shop.upload("orders", "first.csv", orders(range(300), 1))
    return shop


@pytest.fixture
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=1)


def timed(shop: Shop, clock: Clock) -> LakeWriter:
    return replace(shop.writer, clock=clock, max_seconds=GRACE_HOURS * 3600 / 2)


def adding_a_file(shop: Shop, tmp_path: Path, then: Callable[[], Any]) -> Callable[[Change], None]:
    """A change that puts a data file into the lake at its first attempt, as ingest does, and then takes its time."""

    def change(change: Change) -> None:
        if KEY not in data_files(shop.store):
            path = tmp_path / "rows.parquet"
            row = "'x' AS order_id, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS ordered_at, 5 AS total"
            rows = f"FROM (FROM {LAKE}.main.orders LIMIT 0) UNION ALL BY NAME SELECT {row}"
            change.duck.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
            shop.store.put_file(KEY, path)
        change.duck.execute(f"CALL ducklake_add_data_files('{LAKE}', 'orders', '{shop.store.uri_of(KEY)}')")
        then()

    return change


def test_a_commit_that_slept_past_the_grace_does_not_publish_a_deleted_file(shop, clock, duck, tmp_path):
    def sleep() -> None:
        clock.sleep(25)
        assert tidy_after(shop, timedelta(hours=25)).deleted > 0
        assert KEY not in data_files(shop.store)

    with pytest.raises(CommitTooLateError) as refused:
        timed(shop, clock).commit("test", adding_a_file(shop, tmp_path, sleep), duck=duck)
    assert refused.value.again
    assert shop.rows("SELECT count(*) FROM orders") == [(300,)]
    assert is_done(tidy_of(shop).tidy(TENANT))


@pytest.mark.parametrize(("hours", "is_published"), [(0, True), (11.9, True), (12.1, False), (23, False)])
def test_a_commit_may_take_half_of_the_grace(shop, clock, duck, tmp_path, hours, is_published):
    change = adding_a_file(shop, tmp_path, lambda: clock.sleep(hours))
    if is_published:
        timed(shop, clock).commit("test", change, duck=duck)
    else:
        with pytest.raises(CommitTooLateError):
            timed(shop, clock).commit("test", change, duck=duck)
    assert shop.rows("SELECT count(*) FROM orders") == [(301 if is_published else 300,)]
    assert is_done(tidy_of(shop).tidy(TENANT))


@pytest.mark.parametrize(("losses", "is_published"), [(1, True), (2, False)])
def test_the_time_of_lost_races_counts_too(shop, store, clock, duck, tmp_path, losses, is_published):
    store.losses = losses
    change = adding_a_file(shop, tmp_path, lambda: clock.sleep(5))
    if is_published:
        assert timed(shop, clock).commit("test", change, duck=duck).attempts == losses + 1
    else:
        with pytest.raises(CommitTooLateError):
            timed(shop, clock).commit("test", change, duck=duck)
    assert shop.rows("SELECT count(*) FROM orders") == [(301 if is_published else 300,)]


def test_an_upload_that_is_too_late_comes_again_and_is_loaded_once(tmp_path):
    store = SlowStore(tmp_path / "store")
    shop = shop_on(store)
    writer = timed(shop, store.clock_of_writer)
    ingest = replace(shop.ingest, writer_of=lambda tenant: writer)
    upload = shop.put("orders", "slow.csv", orders(range(300), 1))
    store.hours = 13
    with pytest.raises(CommitTooLateError):
        ingest(upload)
    assert shop.rows("SELECT count(*) FROM orders") == [(0,)]
    assert shop.rows("SELECT count(*) FROM teal.uploads") == [(0,)]
    store.hours = 0
    assert ingest(upload).status == "loaded"
    assert ingest(upload).status == "skipped"
    assert shop.rows("SELECT count(*) FROM orders") == [(300,)]
    assert tidy_after(shop, timedelta(hours=25)).deleted > 0, "the file of the late attempt was still there"
    assert is_done(tidy_of(shop).tidy(TENANT))


def test_maintenance_that_is_too_late_is_left_to_its_next_run(shop):
    hours = itertools.count(step=13)
    sleepy = replace(shop, writer=replace(shop.writer, clock=lambda: next(hours) * 3600.0, max_seconds=12 * 3600))
    report = tidy_of(sleepy).tidy(TENANT)
    assert not report.problems
    assert "flush" in report.postponed
    assert is_done(tidy_of(shop).tidy(TENANT))
