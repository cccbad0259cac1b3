"""Lakes to be maintained in tests: stores whose clock can be set ahead, lakes that have grown, and what they answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from shared.catalog.stored import StoredCatalog
from shared.duck import open_duck
from shared.leftovers import TidyRules
from shared.sessions import Sessions
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.tidy import TidyLakes, TidyReport
from tests.shop import TENANT, Shop

HEADER = "order_id,ordered_at,customer_id,total,updated_at\n"
DATA = f"lake/{TENANT}/data/"
CATALOG = f"lake/{TENANT}/catalog.ducklake"
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


class Later:
    """Any store with its clock set ahead."""

    def __init__(self, store: ObjectStore, ahead: timedelta) -> None:
        self._store = store
        self._ahead = ahead

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def clock(self) -> datetime:
        return self._store.clock() + self._ahead


def session_on(store: ObjectStore) -> Sessions:
    """Sessions that reach a store."""
    return Sessions(
        lambda: open_duck(memory_limit_mb=512, threads=2), lambda duck: duck.grant(store.duck_access(), "lake_store")
    )


def tidy_of(shop: Shop, **rules: Any) -> TidyLakes:
    """Maintenance of a shop's store."""
    return TidyLakes(shop.store, lambda tenant: shop.writer, session_on(shop.store), TidyRules(**rules))


def tidy_after(shop: Shop, ahead: timedelta, **rules: Any) -> TidyReport:
    """One run of maintenance as it will be after a while, on a store of any kind."""
    store: Any = Later(shop.store, ahead)
    writer = replace(shop.writer, catalog=StoredCatalog(store, TENANT))
    return TidyLakes(store, lambda tenant: writer, session_on(store), TidyRules(**rules)).tidy(TENANT)


def orders(numbers: range, total: int, day: int = 1) -> str:
    """A file of orders."""
    return HEADER + "".join(f"{n:06},2024-01-{day:02},c{n % 7},{total},\n" for n in numbers)


def answers(shop: Shop, snapshot: int) -> list[Any]:
    """What a snapshot answers to every question."""
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
    """The keys of every data file that is there."""
    return {info.key for info in store.list(DATA)}


def is_done(report: TidyReport) -> bool:
    """Nothing is wrong and nothing was left for the next run."""
    return not report.problems and not report.postponed
