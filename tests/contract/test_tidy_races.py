"""Maintenance beside writers, readers and itself: races it loses, and processes that work on one lake at once."""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import AppError, PreconditionFailedError
from shared.storage.base import ObjectInfo
from tests.maintained import QUESTIONS, LaterStore, answers, grown, is_done, orders, tidy_of
from tests.servers import open_store
from tests.shop import TENANT, Shop, shop_on


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
    report = tidy_of(shop, max_seconds=2).tidy(TENANT)
    store.losses = 0
    assert report.postponed
    assert not report.problems
    assert {snapshot: answers(shop_on(store), snapshot) for snapshot in before} == before
    assert is_done(tidy_of(shop).tidy(TENANT))


# --- processes -------------------------------------------------------------------------------------------------------

GRACE_SECONDS = 8.0
"""Shorter than the run, so that files really go beside readers and writers; a commit may take half of it."""
RUN_SECONDS = 15.0
SPAWN = multiprocessing.get_context("spawn")


def hurried_shop(spec: Mapping[str, str]) -> Shop:
    """A shop whose commits keep to a grace of seconds instead of hours."""
    shop = shop_on(open_store(spec))
    writer = replace(shop.writer, max_seconds=GRACE_SECONDS / 2)
    return replace(shop, writer=writer, ingest=replace(shop.ingest, writer_of=lambda tenant: writer))


def write_for_a_while(spec: Mapping[str, str], worker: int, until: float) -> int:
    """Upload overlapping files, as a cloud delivers them: again until they are in. How many orders there are then."""
    shop, number = hurried_shop(spec), 0
    while time.time() < until:
        start = worker * 100_000 + number * 50
        upload = shop.put("orders", f"w{worker}-{number}.csv", orders(range(start, start + 120), number))
        while True:
            try:
                assert shop.ingest(upload).status in ("loaded", "skipped")
                break
            except AppError as error:
                if not error.again or time.time() > until + RUN_SECONDS:
                    raise
        number += 1
    return (number - 1) * 50 + 120


def digest(found: list[Any]) -> str:
    return hashlib.sha256(repr(found).encode()).hexdigest()


def read_for_a_while(spec: Mapping[str, str], until: float) -> dict[int, str]:
    """Pin the newest snapshot and some older ones, over and over; what every pinned one answered."""
    shop, said = shop_on(open_store(spec)), dict[int, str]()
    while time.time() < until:
        shop.reader.refresh()
        newest = shop.reader.current_snapshot()
        for snapshot in {newest, *list(said)[-3:]}:
            found = digest(answers(shop, snapshot))
            assert said.setdefault(snapshot, found) == found
    return said


def read_slowly_for_a_while(spec: Mapping[str, str], until: float) -> dict[int, str]:
    """Pin the newest snapshot and read its files much later, when maintenance no longer needs them."""
    shop, said = shop_on(open_store(spec)), dict[int, str]()
    while time.time() < until:
        shop.reader.refresh()
        with shop.reader.pin() as lake:
            time.sleep(GRACE_SECONDS / 4)
            said[lake.snapshot_id] = digest([lake.duck.execute(question) for question in QUESTIONS])
    return said


def tidy_for_a_while(spec: Mapping[str, str], until: float) -> int:
    """Maintain without a pause; how many files went."""
    shop, deleted = hurried_shop(spec), 0
    tidy = tidy_of(shop, orphan_grace_hours=GRACE_SECONDS / 3600)
    while time.time() < until:
        report = tidy.tidy(TENANT)
        assert not report.problems, report.problems
        deleted += report.deleted
    return deleted


@pytest.mark.parametrize("store_spec", ["folder", "gcs"], indirect=True)
def test_the_writers_readers_and_two_maintainers_do_not_disturb_each_other(store_spec):
    shop = hurried_shop(store_spec)
    shop.upload("orders", "first.csv", orders(range(900_000, 900_010), 1))
    until = time.time() + RUN_SECONDS
    with ProcessPoolExecutor(6, mp_context=SPAWN) as pool:
        writers = [pool.submit(write_for_a_while, store_spec, worker, until) for worker in (1, 2)]
        maintainers = [pool.submit(tidy_for_a_while, store_spec, until) for _ in range(2)]
        readers = [pool.submit(read, store_spec, until) for read in (read_for_a_while, read_slowly_for_a_while)]
        written = sum(future.result(120) for future in writers)
        deleted = sum(future.result(120) for future in maintainers)
        said, said_slowly = (future.result(120) for future in readers)
    fresh = shop_on(shop.store)
    assert fresh.rows("SELECT count(*), count(DISTINCT order_id) FROM orders") == [(written + 10, written + 10)]
    assert fresh.rows("SELECT count(*) FROM teal.uploads WHERE status != 'loaded'") == [(0,)]
    assert deleted > 0
    assert len(said) > 3
    assert {snapshot: digest(answers(fresh, snapshot)) for snapshot in said} == said
    assert {snapshot: digest(answers(fresh, snapshot)) for snapshot in said_slowly} == said_slowly
    assert is_done(tidy_of(shop).tidy(TENANT))
