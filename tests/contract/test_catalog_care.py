"""What maintenance puts right in a catalog, what DuckLake alone would do to it, and how large it and its files get."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.catalog.careful import CarefulCatalog
from shared.catalog.packed import BLOCK_BYTES, pack
from shared.catalog.schema import create_lake
from shared.catalog.writer import LAKE
from shared.duck import Duck, open_duck
from shared.sql.load import statement
from shared.storage.folder import FolderStore
from tests.maintained import CATALOG, LaterStore, answers, grown, is_done, orders, tidy_of
from tests.shop import TENANT, Shop, shop_on


@pytest.fixture
def store(tmp_path: Path) -> LaterStore:
    return LaterStore(tmp_path)


@pytest.fixture
def shop(store: LaterStore) -> Shop:
    return shop_on(store)


@pytest.fixture
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=1)


# --- the faults of DuckLake 1.0: docs/decisions/0004 -----------------------------------------------------------------


def test_a_rewrite_by_ducklake_alone_would_answer_wrongly(tmp_path, duck):
    """A reason for CarefulCatalog: when this fails, DuckLake was repaired and statistics need no care."""
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


def test_a_rewrite_before_a_flush_by_ducklake_alone_would_double_rows(tmp_path, duck):
    """The other reason: when this fails, nothing needs to be flushed before a rewrite."""
    duck.attach(tmp_path / "catalog.ducklake", LAKE, f"{tmp_path}/data/", read_only=False)
    duck.execute("CREATE TABLE lake.main.numbers (number INTEGER)")
    duck.execute("CALL lake.set_option('data_inlining_row_limit', 200)")
    duck.execute("INSERT INTO lake.main.numbers SELECT range FROM range(1000)")
    duck.execute("DELETE FROM lake.main.numbers WHERE number < 150")
    duck.execute("CALL ducklake_flush_inlined_data('lake')")
    duck.execute("DELETE FROM lake.main.numbers WHERE number BETWEEN 200 AND 214")
    snapshot = duck.value("FROM lake.current_snapshot()")
    duck.execute("CALL ducklake_rewrite_data_files('lake', 'numbers', delete_threshold => 0.001)")
    duck.execute("CALL ducklake_flush_inlined_data('lake')")
    then = duck.execute(f"SELECT number FROM lake.main.numbers AT (VERSION => {snapshot}) ORDER BY ALL")
    assert then != [(number,) for number in range(150, 1000) if not 200 <= number <= 214]


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


# --- how large files get ---------------------------------------------------------------------------------------------


def test_a_new_lake_merges_into_files_of_128_mib(tmp_path, duck):
    create_lake(duck, tmp_path / "catalog.ducklake", f"{tmp_path}/data/")
    duck.attach(tmp_path / "catalog.ducklake", LAKE, f"{tmp_path}/data/", read_only=True)
    options = {name: value for name, _, value, *_ in duck.execute("FROM ducklake_options('lake')")}
    assert int(options["target_file_size"]) == 128 * 1024**2


@pytest.mark.parametrize("target_kb", [100, 128 * 1024])
def test_merging_ends_at_the_target_size(shop, duck, target_kb):
    """Ten files of 37 kB: what has reached the target is left alone, so nothing grows beyond twice the target."""
    commit(shop, duck, f"CALL lake.set_option('target_file_size', '{target_kb}KB')")
    commit(shop, duck, "CREATE TABLE lake.main.numbers (a BIGINT, b DOUBLE)")
    for _ in range(10):
        commit(shop, duck, "INSERT INTO lake.main.numbers SELECT range, random() FROM range(3_000)")
    assert is_done(tidy_of(shop).tidy(TENANT))
    with shop.writer.look(duck):
        current = "FROM __ducklake_metadata_lake.ducklake_data_file WHERE end_snapshot IS NULL"
        sizes = [row[0] for row in duck.execute(f"SELECT file_size_bytes {current}")]
    assert sum(size < target_kb * 1000 for size in sizes) <= 1
    assert max(sizes) < 2 * target_kb * 1000
    assert (len(sizes) == 1) == (target_kb > 10 * 37)
    assert shop.rows("SELECT count(*), sum(a) FROM numbers") == [(30_000, 10 * sum(range(3_000)))]


def commit(shop: Shop, duck: Duck, sql: str) -> None:
    shop.writer.commit("test", lambda change: change.duck.execute(sql), duck=duck)


# --- how large the catalog gets --------------------------------------------------------------------------------------


def content(duck: Duck, path: Path) -> dict[str, tuple[str, list[Any]]]:
    """Every table of a catalog file: its definition and its rows."""
    duck.execute(f"ATTACH '{path}' AS looked_at (TYPE duckdb, READ_ONLY)")
    tables = duck.execute("SELECT table_name, sql FROM duckdb_tables() WHERE database_name = 'looked_at'")
    found = {name: (sql, duck.execute(f'SELECT * FROM looked_at."{name}" ORDER BY ALL')) for name, sql in tables}
    duck.detach("looked_at")
    return found


def fill(duck: Duck, rows: int) -> None:
    """Commits of rows that stay inside the catalog until they are flushed."""
    for _ in range(rows // 200):
        with duck.transaction():
            duck.execute(
                "INSERT INTO lake.teal.quality BY NAME "
                "SELECT md5(random()::VARCHAR) AS upload_id, 'orders' AS dataset, md5(random()::VARCHAR) AS measures "
                "FROM range(200)"
            )


def test_packing_changes_nothing_but_the_size(tmp_path, duck):
    path = tmp_path / "catalog.ducklake"
    create_lake(duck, path, f"{tmp_path}/data/")
    duck.attach(path, LAKE, f"{tmp_path}/data/", read_only=False)
    fill(duck, 12_000)
    duck.detach(LAKE)
    assert not pack(duck, path), "it holds much and has little free room"
    duck.attach(path, LAKE, f"{tmp_path}/data/", read_only=False)
    duck.execute("CALL ducklake_flush_inlined_data('lake')")
    duck.detach(LAKE)
    before, size = content(duck, path), path.stat().st_size
    assert pack(duck, path)
    assert content(duck, path) == before
    assert path.stat().st_size < size / 2
    assert list(tmp_path.glob("*.packed")) == []
    duck.execute(f"ATTACH '{path}' AS packed (TYPE duckdb, READ_ONLY)")
    told = duck.execute("SELECT block_size FROM pragma_database_size() WHERE database_name = 'packed'")
    assert told == [(BLOCK_BYTES,)]
    duck.detach("packed")
    assert not pack(duck, path), "there is nothing left to gain"
    duck.attach(path, LAKE, f"{tmp_path}/data/", read_only=False)
    assert duck.value("SELECT count(*) FROM lake.teal.quality") == 12_000
    fill(duck, 200)
    assert duck.value("SELECT count(*) FROM lake.teal.quality") == 12_200


def test_maintenance_gives_back_the_room_of_a_catalog_that_was_full(shop, store, duck):
    before = grown(shop)
    full = shop.writer.catalog.fetch(Path(store.uri) / "work")
    duck.attach(full.path, LAKE, shop.writer.catalog.data_uri, read_only=False)
    fill(duck, 40_000)
    duck.detach(LAKE)
    shop.writer.catalog.swap(full.path, etag=full.etag)
    size = store.head(CATALOG).size_bytes
    report = tidy_of(shop).tidy(TENANT)
    assert is_done(report)
    assert report.flushed > 40_000
    assert store.head(CATALOG).size_bytes < size / 2
    fresh = shop_on(FolderStore(Path(store.uri)))
    assert {snapshot: answers(fresh, snapshot) for snapshot in before} == before
    assert fresh.upload("orders", "next.csv", orders(range(5_000, 5_300), 1)).status == "loaded"
