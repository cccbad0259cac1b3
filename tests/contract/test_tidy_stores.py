"""Maintenance and repair on a store of every kind: merged, expired, swept; found when lost, and brought back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.catalog.stored import StoredCatalog
from shared.doctor import Doctor
from shared.duck import open_duck
from shared.errors import SnapshotNotFoundError
from shared.lake_files import files_of
from shared.restore import RestoreCatalog
from shared.storage.base import ObjectStore
from tests.maintained import CATALOG, DATA, answers, data_files, grown, is_done, session_on, tidy_after, tidy_of
from tests.shop import TENANT, Shop, shop_on


def needed(shop: Shop) -> set[str | None]:
    """Every file that a snapshot of the published catalog needs."""
    duck = open_duck(memory_limit_mb=512, threads=1)
    with shop.writer.look(duck):
        return {file.key for file in files_of(duck, shop.store, TENANT)}


def broken(store: ObjectStore) -> set[str]:
    """What the doctor finds wrong with the lake; the store itself has a suite of its own."""
    doctor = Doctor(store, store, lambda tenant: StoredCatalog(store, tenant), session_on(store))
    return {finding.check for finding in doctor(TENANT) if not finding.ok and not finding.check.startswith("lake_")}


def test_a_lake_is_merged_expired_and_swept(store):
    shop = shop_on(store)
    before = grown(shop, 5)
    newest = before[max(before)]
    left_behind = f"{DATA}main/orders/left-behind.parquet"
    store.put(left_behind, b"of a commit that lost")
    first = tidy_of(shop).tidy(TENANT)
    assert is_done(first)
    assert first.merged > 0
    assert first.deleted == 0
    fresh = shop_on(store)
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    month_later = tidy_after(shop, timedelta(days=31))
    assert is_done(month_later)
    assert month_later.expired >= len(before)
    assert left_behind not in data_files(store)
    last = tidy_after(shop, timedelta(days=33))
    assert is_done(last)
    assert last.deleted > 0
    assert data_files(store) == needed(shop)
    fresh = shop_on(store)
    with pytest.raises(SnapshotNotFoundError), fresh.reader.pin(min(before)):
        pass
    assert answers(fresh, fresh.reader.current_snapshot()) == newest
    assert not broken(store)


def test_what_is_lost_is_found_and_comes_back(store):
    shop = shop_on(store)
    before = grown(shop, 2)
    assert not broken(store)
    lost = next(iter(store.list(f"{DATA}main/orders/"))).key
    body = store.get(lost)[0]
    store.delete(lost)
    assert broken(store) == {"files"}
    keeps_data_files = bool(store.versions(lost))
    if not keeps_data_files:
        store.put(lost, body)  # a folder keeps former catalogs only
    store.delete(CATALOG)
    assert broken(store) == {"catalog"}
    restored = RestoreCatalog(store, store, lambda tenant: StoredCatalog(store, tenant), session_on(store))(TENANT)
    assert restored.changed
    assert restored.again == ()
    assert restored.files_brought_back == keeps_data_files
    assert store.get(lost)[0] == body
    assert not broken(store)
    fresh = shop_on(store)
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    assert is_done(tidy_of(fresh).tidy(TENANT))


def test_a_damaged_catalog_is_replaced_by_its_last_whole_version(store):
    shop = shop_on(store)
    before = grown(shop, 2)
    store.put(CATALOG, store.get(CATALOG)[0][:10_000])
    assert broken(store) == {"catalog"}
    restored = RestoreCatalog(store, store, lambda tenant: StoredCatalog(store, tenant), session_on(store))(TENANT)
    assert restored.changed
    fresh = shop_on(store)
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    assert restored.snapshot_id > max(before)
    assert not broken(store)
