"""Readers share one catalog: a slow store stops nobody whose news are fresh enough, and is asked by one at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.catalog.base import Catalog, CatalogCopy
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.duck import open_duck
from shared.errors import StoreUnavailableError
from shared.storage.base import ObjectInfo
from tests.shop import TENANT, Shop, shop_in


@dataclass
class GatedCatalog:
    """A real catalog whose store answers when it is let: how slow it is, and whether it fails, is the test's to say."""

    catalog: Catalog
    open: threading.Event = field(default_factory=threading.Event)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    times: int = 0
    fails: bool = False

    @property
    def data_uri(self) -> str:
        """See Catalog."""
        return self.catalog.data_uri

    def fetch(self, folder: Path, *, unless: str = "") -> CatalogCopy | None:
        """See Catalog; waits until the gate is open."""
        self.times += 1
        self.asked.release()
        assert self.open.wait(30)
        if self.fails:
            raise StoreUnavailableError("the store is silent")
        return self.catalog.fetch(folder, unless=unless)

    def swap(self, path: Path, *, etag: str) -> str:
        """See Catalog."""
        return self.catalog.swap(path, etag=etag)

    def former(self) -> list[ObjectInfo]:
        """See Catalog."""
        return self.catalog.former()

    def fetch_former(self, folder: Path, version: str) -> CatalogCopy:
        """See Catalog."""
        return self.catalog.fetch_former(folder, version)


@pytest.fixture
def shop(tmp_path) -> Shop:
    shop = shop_in(tmp_path)
    shop.upload("orders", "a.csv", "order_id,ordered_at,total\n1,2024-01-01,10\n")
    return shop


@contextmanager
def gated(shop: Shop, freshness_seconds: float) -> Iterator[tuple[LakeReader, GatedCatalog]]:
    catalog = GatedCatalog(StoredCatalog(shop.store, TENANT))
    reader = LakeReader(catalog, lambda: open_duck(memory_limit_mb=256, threads=1), freshness_seconds=freshness_seconds)
    catalog.open.set()
    reader.current_snapshot()
    assert catalog.asked.acquire(timeout=1)
    try:
        yield reader, catalog
    finally:
        catalog.open.set()
        reader.close()


def orders(reader: LakeReader) -> int:
    with reader.pin() as lake:
        return int(lake.duck.value("SELECT count(*) FROM orders"))


def test_a_request_that_is_running_ends_while_another_waits_for_a_slow_store(shop):
    with gated(shop, freshness_seconds=0.05) as (reader, catalog), ThreadPoolExecutor() as threads:
        with reader.pin() as lake:
            catalog.open.clear()
            time.sleep(0.06)
            waiting = threads.submit(orders, reader)
            assert catalog.asked.acquire(timeout=5)
            assert lake.duck.value("SELECT count(*) FROM orders") == 1
        # Leaving a pinned lake takes the lock too.
        assert not waiting.done()
        catalog.open.set()
        assert waiting.result(5) == 1


def test_one_asks_the_store_and_the_others_are_content_with_its_answer(shop):
    with gated(shop, freshness_seconds=0.05) as (reader, catalog), ThreadPoolExecutor(16) as threads:
        catalog.open.clear()
        time.sleep(0.06)
        waiting = [threads.submit(orders, reader) for _ in range(12)]
        assert catalog.asked.acquire(timeout=5)
        time.sleep(0.2)
        assert (catalog.times, [one.done() for one in waiting]) == (2, [False] * 12)
        catalog.open.set()
        assert [one.result(10) for one in waiting] == [1] * 12
        assert catalog.times == 2


def test_whoever_waited_for_a_store_that_failed_is_told_so_at_once(shop):
    with gated(shop, freshness_seconds=0.05) as (reader, catalog), ThreadPoolExecutor(8) as threads:
        catalog.fails = True
        catalog.open.clear()
        time.sleep(0.06)
        waiting = [threads.submit(orders, reader) for _ in range(6)]
        assert catalog.asked.acquire(timeout=5)
        time.sleep(0.2)
        catalog.open.set()
        for one in waiting:
            with pytest.raises(StoreUnavailableError):
                one.result(10)
        assert catalog.times == 2
        catalog.fails = False
        assert orders(reader) == 1


def test_a_wish_for_newer_news_is_not_answered_by_news_that_were_asked_for_before_it(shop):
    with gated(shop, freshness_seconds=60) as (reader, catalog), ThreadPoolExecutor() as threads:
        reader.refresh()
        catalog.open.clear()
        early = threads.submit(orders, reader)
        assert catalog.asked.acquire(timeout=5)
        shop.upload("orders", "b.csv", "order_id,ordered_at,total\n2,2024-01-02,20\n")
        reader.refresh()
        late = threads.submit(orders, reader)
        catalog.open.set()
        early.result(5)
        assert late.result(5) == 2


def test_a_connection_is_used_again_on_its_snapshot_and_never_on_another(shop):
    with gated(shop, freshness_seconds=60) as (reader, _):
        with reader.pin() as lake:
            first, alias = lake.duck, lake.alias
        with reader.pin() as lake:
            assert lake.duck is first
        shop.upload("orders", "b.csv", "order_id,ordered_at,total\n2,2024-01-02,20\n")
        reader.refresh()
        with reader.pin() as lake:
            assert (lake.duck is first, lake.alias == alias) == (False, False)
            assert lake.duck.value("SELECT count(*) FROM orders") == 2


def test_a_connection_on_which_a_request_failed_is_not_used_again(shop):
    with gated(shop, freshness_seconds=60) as (reader, _):
        used = []

        def fail() -> None:
            with reader.pin() as lake:
                used.append(lake.duck)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with reader.pin() as lake:
            assert lake.duck is not used[0]
