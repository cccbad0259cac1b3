"""What the doctor finds, and what a restore of the catalog brings back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import Change
from shared.doctor import Doctor
from shared.duck import open_duck
from shared.errors import CatalogLostError
from shared.restore import SKIPPED_SNAPSHOTS, RestoreCatalog
from shared.sessions import Sessions
from shared.storage.base import ObjectInfo, ObjectStore
from shared.storage.folder import FolderStore
from shared.tidy import TidyLakes
from shared.values import UploadedObject
from tests.shop import TENANT, Shop, shop_on

HEADER = "order_id,ordered_at,customer_id,total\n"
CATALOG = f"lake/{TENANT}/catalog.ducklake"


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


@pytest.fixture
def shop(store: FolderStore) -> Shop:
    return shop_on(store)


def parts(store: ObjectStore) -> tuple[Any, ...]:
    session = Sessions(
        lambda: open_duck(memory_limit_mb=512, threads=1), lambda duck: duck.grant(store.duck_access(), "lake_store")
    )
    return store, store, lambda tenant: StoredCatalog(store, tenant), session


def checks(store: ObjectStore) -> dict[str, bool]:
    return {finding.check: finding.ok for finding in Doctor(*parts(store))(TENANT)}


def broken(store: ObjectStore) -> set[str]:
    return {check for check, ok in checks(store).items() if not ok}


def uploads(shop: Shop, first: int, last: int) -> list[int]:
    return [
        shop.upload(
            "orders", f"{n}.csv", HEADER + "".join(f"{n}-{i},2024-01-01,c,{n}\n" for i in range(300))
        ).snapshot_id
        for n in range(first, last)
    ]


def totals(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows("SELECT count(*), sum(total)::INTEGER FROM orders")


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_a_healthy_lake_passes_every_check(shop, store):
    uploads(shop, 0, 2)
    assert not broken(store)
    assert {"extension_httpfs", "extension_ducklake", "lake_one_winner", "lake_range", "catalog", "files"} <= set(
        checks(store)
    )


def test_a_lake_that_was_never_written_is_healthy(store):
    assert not broken(store)


def test_a_first_upload_that_stopped_halfway_does_not_look_like_a_lost_catalog(shop, store):
    def stops(_: Change) -> None:
        store.put(f"lake/{TENANT}/data/main/orders/half.parquet", b"x")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.writer.commit("test", stops)
    assert broken(store) == {"former_catalogs"}, "one version is no backup yet; nothing else is wrong"
    uploads(shop, 0, 1)
    assert totals(shop) == [(300, 0)]


def test_a_missing_or_shortened_file_is_found(shop, store):
    uploads(shop, 0, 2)
    first, second = [info.key for info in store.list(f"lake/{TENANT}/data/main/orders/")]
    body = store.get(first)[0]
    store.put(first, body[:-1])
    assert broken(store) == {"files"}
    store.put(first, body)
    store.delete(second)
    assert broken(store) == {"files"}
    found = {finding.check: finding.detail for finding in Doctor(*parts(store))(TENANT)}
    assert second in found["files"]


def test_a_lost_or_damaged_catalog_is_found(shop, store):
    uploads(shop, 0, 2)
    body = store.get(CATALOG)[0]
    for damage in (b"", b"not a database", body[: len(body) // 2], body[:4096] + b"\0" * (len(body) - 4096)):
        store.put(CATALOG, damage)
        assert "catalog" in broken(store) or "files" in broken(store)
    store.delete(CATALOG)
    assert broken(store) == {"catalog"}


class Unconditional(FolderStore):
    """A store that ignores the condition of a put, as some S3 servers do."""

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        return self.put(key, body)


def test_a_store_that_ignores_conditions_is_found(tmp_path):
    found = broken(Unconditional(tmp_path))
    assert {"lake_conditional_create", "lake_conditional_replace", "lake_one_winner"} <= found


# --- restore ---------------------------------------------------------------------------------------------------------


def test_a_deleted_catalog_comes_back_with_everything(shop, store):
    uploads(shop, 0, 3)
    before = totals(shop)
    store.delete(CATALOG)
    done = RestoreCatalog(*parts(store))(TENANT)
    assert done.changed
    assert done.again == ()
    assert totals(shop_on(store)) == before
    assert not broken(store)
    assert shop_on(store).upload("orders", "next.csv", HEADER + "n,2024-01-01,c,1\n").status == "loaded"


@pytest.mark.parametrize("damage", [b"", b"not a database", "half"])
def test_a_damaged_catalog_is_replaced_and_uploads_after_it_are_listed_and_load_again(shop, store, damage):
    uploads(shop, 0, 3)
    before = totals(shop)
    body = store.get(CATALOG)[0]
    # The version with the last upload is damaged too, so the restore must go one further back.
    store.put(CATALOG, body[: len(body) // 2] if damage == "half" else damage)
    newest = store.versions(CATALOG)[1]
    kept = Path(store.uri) / ".teal" / "versions"
    (good,) = kept.rglob(newest.version)
    good.write_bytes(b"damaged")
    done = RestoreCatalog(*parts(store))(TENANT)
    assert done.changed
    assert [info.key for info in done.again] == [f"inbox/{TENANT}/orders/2.csv"]
    fresh = shop_on(store)
    assert totals(fresh) == [(600, 300)]
    for info in done.again:
        fresh.ingest(UploadedObject("inbox", info.key, info.version, info.etag, info.size_bytes))
    assert totals(fresh) == before


def test_a_number_of_a_lost_snapshot_is_never_given_again(shop, store):
    snapshots = uploads(shop, 0, 2)
    store.delete(CATALOG)
    done = RestoreCatalog(*parts(store))(TENANT)
    assert done.snapshot_id == max(snapshots) + SKIPPED_SNAPSHOTS
    fresh = shop_on(store)
    (later,) = uploads(fresh, 2, 3)
    assert later > done.snapshot_id
    for snapshot in snapshots:
        with fresh.reader.pin(snapshot) as lake:
            assert lake.snapshot_id == snapshot
            assert lake.duck.value("SELECT count(*) FROM orders") == 300 * (snapshots.index(snapshot) + 1)
    assert not TidyLakes(*[parts(store)[0], lambda tenant: fresh.writer, parts(store)[3]]).tidy(TENANT).problems


def test_a_whole_catalog_is_left_alone(shop, store):
    uploads(shop, 0, 1)
    etag = store.head(CATALOG).etag
    assert not RestoreCatalog(*parts(store))(TENANT).changed
    assert store.head(CATALOG).etag == etag


def test_nothing_is_put_back_when_no_version_is_whole(shop, store):
    uploads(shop, 0, 2)
    for info in list(store.list(f"lake/{TENANT}/data/")):
        store.delete(info.key)
    store.delete(CATALOG)
    # The first version, of the empty lake, needs no data file; so it has to be damaged itself.
    first = store.versions(CATALOG)[-1].version
    (path,) = (Path(store.uri) / ".teal" / "versions").rglob(first)
    path.write_bytes(b"damaged")
    restore = RestoreCatalog(*parts(store))
    with pytest.raises(CatalogLostError):
        restore(TENANT)
