"""A lake of an earlier version gets what a newer one needs from its first writer, filled."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.catalog.schema import lacking, needed_columns
from shared.catalog.writer import LAKE, Change, LakeWriter
from shared.duck import Duck
from shared.rollback import roll_back
from tests.contract.test_day_rollups import HEADER, check
from tests.shop import Shop, shop_in

ORDERS = HEADER + "1,2024-01-05,a,EUR,10,\n2,2024-01-07,b,EUR,10,\n3,2024-02-07,,USD,4,\n"


@pytest.fixture
def shop(tmp_path):
    made = shop_in(tmp_path)
    made.upload("orders", "1.csv", ORDERS)
    return made


def aged(shop: Shop) -> int:
    """Make of the lake one of an earlier version: without some tables, columns and datasets; its snapshot."""

    def take_away(change: Change) -> None:
        for table in ("teal.sales_days", "teal.customer_totals", "main.rates"):
            change.duck.execute(f"DROP TABLE {LAKE}.{table}")
        change.duck.execute(f"ALTER TABLE {LAKE}.teal.uploads DROP COLUMN sequence")
        change.duck.execute(f"ALTER TABLE {LAKE}.teal.order_totals DROP COLUMN has_zero")

    return shop.writer.commit("test", take_away).snapshot_id


def test_the_first_writer_adds_and_fills_what_is_lacking(shop):
    before = aged(shop)
    duck = shop.writer.open_duck()
    with shop.writer.look(duck):
        assert lacking(duck, LAKE) == {}
    check(shop)
    assert shop.rows("SELECT count(*), count(sequence) FROM teal.uploads") == [(1, 0)]
    assert shop.rows("FROM main.rates") == []
    with shop.writer.look(duck):
        newest = duck.value(f"FROM {LAKE}.current_snapshot()")
    assert newest == before + 1, "nothing is added twice"
    shop.upload("orders", "2.csv", HEADER + "4,2024-02-09,a,EUR,1,\n")
    check(shop)


def test_writers_at_once_add_it_once(shop):
    before = aged(shop)
    first, second = shop.writer.open_duck(), shop.writer.open_duck()
    slow = replace(shop.writer, renew=lambda change, tables: _meanwhile(shop.writer, second, change, tables))
    with slow.look(first):
        assert lacking(first, LAKE) == {}
        assert first.value(f"FROM {LAKE}.current_snapshot()") == before + 1
    check(shop)


def _meanwhile(writer: LakeWriter, duck: Duck, change: Change, tables: frozenset[str]) -> None:
    """Another writer is faster."""
    with writer.look(duck):
        pass
    writer.renew(change, tables)


def test_a_rollback_to_a_snapshot_of_an_earlier_version_makes_the_rollups_anew(shop):
    before = aged(shop)
    shop.upload("orders", "2.csv", HEADER + "4,2024-02-09,a,EUR,1,\n")
    check(shop)
    roll_back(shop.writer, before, author="test")
    assert shop.rows("SELECT count(*) FROM main.orders") == [(3,)]
    check(shop)


def test_every_column_of_a_new_lake_is_needed_with_its_type(shop):
    duck = shop.writer.open_duck()
    with shop.writer.look(duck):
        rows = duck.execute(
            "SELECT schema_name || '.' || table_name, column_name, data_type FROM duckdb_columns() "
            f"WHERE database_name = '{LAKE}'"
        )
        kinds = {kind for columns in needed_columns().values() for kind in columns.values()}
        spelt = {kind: duck.value(f"SELECT typeof(NULL::{kind})") for kind in kinds}
    found = {(table, column): kind for table, column, kind in rows}
    assert found == {
        (table, column): spelt[kind] for table, columns in needed_columns().items() for column, kind in columns.items()
    }
