"""Maintenance changes no answer: of now, of a pinned snapshot, or of anybody at work at the same time."""

from __future__ import annotations

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest

from shared.catalog.stored import StoredCatalog
from shared.tidy import TidyLakes, TidyRules
from tests.shop import Shop, shop_in

TABLES = ("orders", "order_items", "teal.order_totals", "teal.uploads")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = shop_in(tmp_path)
    for day in range(1, 8):
        rows = "".join(f"{day}-{i},2024-01-0{day},c{i},{i}\n" for i in range(300))
        shop.upload("orders", f"{day}.csv", "order_id,ordered_at,customer_id,total\n" + rows)
    shop.upload("orders", "fix.csv", "order_id,ordered_at,total\n1-1,2024-01-01,99\n1-2,2024-01-01,98\n")
    return shop


def tidy_of(shop: Shop, **rules) -> TidyLakes:
    return TidyLakes(shop.store, lambda tenant: shop.writer, shop.ingest.session, TidyRules(**rules))


def state(shop: Shop, snapshot: int | None = None) -> dict:
    shop.reader.refresh()
    with shop.reader.pin(snapshot) as lake:
        return {table: lake.duck.execute(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES}


def files(shop: Shop) -> set[str]:
    return {info.key for info in shop.store.list("lake/shop/data/")}


def aged(shop: Shop, tmp_path: Path, hours: int) -> None:
    """Makes every file of the lake look older."""
    for path in (tmp_path / "lake").rglob("*.parquet"):
        moment = path.stat().st_mtime - hours * 3600
        os.utime(path, (moment, moment))


def test_the_lake_is_the_same_after_tidying_and_so_is_every_snapshot(shop):
    with shop.reader.pin() as lake:
        rows = lake.duck.execute(f"SELECT snapshot_id FROM {lake.alias}.snapshots() WHERE snapshot_id > 1")
    snapshots = [row[0] for row in rows]
    before = {None: state(shop), **{s: state(shop, s) for s in snapshots}}
    report = tidy_of(shop).tidy("shop")
    assert not report.problems
    assert report.merged
    for snapshot, tables in before.items():
        assert state(shop, snapshot) == tables



def test_young_files_without_a_snapshot_are_kept_and_old_ones_deleted(shop, tmp_path):
    shop.store.put("lake/shop/data/main/orders/teal-orphan.parquet", b"left by a writer that died")
    tidy_of(shop).tidy("shop")
    assert "lake/shop/data/main/orders/teal-orphan.parquet" in files(shop)
    aged(shop, tmp_path, 25)
    before = state(shop)
    report = tidy_of(shop).tidy("shop")
    assert report.deleted >= 1
    assert "lake/shop/data/main/orders/teal-orphan.parquet" not in files(shop)
    assert state(shop) == before
    assert not report.problems


def test_a_file_that_is_gone_or_cut_is_reported_and_nothing_is_deleted(shop, tmp_path):
    victims = sorted((tmp_path / "lake/shop/data/main/orders").glob("*.parquet"))
    victims[0].unlink()
    with victims[1].open("ab") as file:
        file.write(b"!")
    there = files(shop)
    report = tidy_of(shop).tidy("shop")
    assert report.problems
    assert report.deleted == 0
    assert files(shop) == there


def test_tidying_beside_a_busy_ingest_loses_nothing(shop, tmp_path):
    other = shop_in(tmp_path)
    failures = []

    def work():
        try:
            for i in range(12):
                other.upload("orders", f"busy-{i}.csv", f"order_id,ordered_at,total\nbusy-{i},2024-02-01,1\n")
        except BaseException as error:
            failures.append((error, error.__cause__))

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(3):
        tidy_of(shop).tidy("shop")
    thread.join()
    assert not failures
    assert shop.rows("SELECT count(*) FROM orders") == [(7 * 300 + 12,)]
    assert not tidy_of(shop).tidy("shop").problems


def test_expired_snapshots_are_gone_and_the_newest_is_whole(shop, tmp_path):
    before = state(shop)

    class InAMonth(type(shop.store)):
        def clock(self):
            return super().clock() + timedelta(days=40)

    later = TidyLakes(InAMonth(tmp_path), lambda tenant: shop.writer, shop.ingest.session, TidyRules())
    report = later.tidy("shop")
    assert report.expired > 5
    assert not report.problems
    assert state(shop) == before
    assert StoredCatalog(shop.store, "shop").former()
