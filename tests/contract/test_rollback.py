"""What a rollback promises: the new snapshot equals the old one, nothing is erased, and work goes on afterwards."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from shared.errors import SnapshotNotFoundError
from shared.rollback import roll_back
from shared.sessions import Sessions
from shared.sql.load import names
from shared.tidy import TidyLakes
from tests.shop import TENANT, Shop, shop_in

HEADER = "order_id,ordered_at,customer_id,total\n"
LINES = "order_id,line_id,product_id,quantity,unit_price,ordered_at\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_in(tmp_path)


def orders(numbers: range, total: int) -> str:
    return HEADER + "".join(f"{n:05},2024-01-01,c{n % 7},{total}\n" for n in numbers)


OWN = {name.removeprefix("schema/") for name in names("schema/")}
STAYING = {"uploads", "quality", "contracts", "erased", "usage", "usage_folds"}


def data_of(shop: Shop, snapshot: int | None = None) -> dict[str, Any]:
    """Every table that a rollback sets back, with its columns, as sorted rows."""
    shop.reader.refresh()
    with shop.reader.pin(snapshot) as lake:
        found = {}
        for name in sorted(lake.tables() - STAYING):
            table = f"teal.{name}" if name in OWN else name
            columns = [row[0] for row in lake.duck.execute(f"DESCRIBE {table}")]
            listed = ", ".join(sorted(columns))
            found[name] = (sorted(columns), lake.duck.execute(f"SELECT {listed} FROM {table} ORDER BY ALL"))
        return found


def back(shop: Shop, snapshot: int) -> int:
    snapshot_id = roll_back(shop.writer, snapshot, author="test").snapshot_id
    shop.reader.refresh()
    return snapshot_id


def six_uploads(shop: Shop) -> list[int]:
    """Uploads that add, replace, delete, widen a table and make a new one."""
    return [
        shop.upload("orders", "1.csv", orders(range(400), 10)).snapshot_id,
        shop.upload("orders", "2.csv", orders(range(200, 600), 20)).snapshot_id,
        shop.upload("order_items", "3.csv", LINES + "00001,1,p,2,3.50,2024-01-01\n").snapshot_id,
        shop.upload("orders", "4.csv", "order_id,_deleted,updated_at\n00003,true,2024-02-01\n").snapshot_id,
        shop.upload("orders", "5.csv", "order_id,ordered_at,total,colour\n00007,2024-01-01,5,red\n").snapshot_id,
        shop.upload("things", "6.csv", "id,name\n1,one\n2,two\n").snapshot_id,
    ]


def test_every_table_equals_the_old_snapshot_and_every_snapshot_stays_readable(shop):
    past = six_uploads(shop)
    before = {snapshot: data_of(shop, snapshot) for snapshot in past}
    for target in (past[0], past[4], past[2], 1):
        then = data_of(shop, target)
        new = back(shop, target)
        assert new > max(past)
        assert data_of(shop) == then
    assert {snapshot: data_of(shop, snapshot) for snapshot in past} == before


def test_only_rows_that_differ_are_written(shop):
    first = shop.upload("orders", "1.csv", orders(range(5_000), 10)).snapshot_id
    shop.upload("orders", "2.csv", orders(range(3), 20))
    committed = roll_back(shop.writer, first, author="test")
    shop.reader.refresh()
    with shop.reader.pin() as lake:
        extra = lake.duck.value(
            "SELECT commit_extra_info FROM ducklake_snapshots($lake) ORDER BY snapshot_id DESC LIMIT 1",
            {"lake": lake.alias},
        )
    assert json.loads(extra)["tables"]["orders"] == {"added": 3, "removed": 3}
    assert committed.result == 5, "orders, their totals, those of their days and customers, and customers' last days"


@pytest.mark.parametrize("seed", range(3))
def test_any_history_can_be_rolled_back_and_forth_also_after_maintenance(shop, seed):
    random_, known = random.Random(seed), {}
    tidy = TidyLakes(shop.store, lambda tenant: shop.writer, Sessions(shop.writer.open_duck, lambda duck: None))
    for step in range(8):
        start, many = random_.randrange(500), random_.choice((1, 40, 300))
        if random_.random() < 0.3:
            body = "order_id,_deleted\n" + "".join(f"{n:05},true\n" for n in range(start, start + many))
        else:
            body = orders(range(start, start + many), step)
        snapshot = shop.upload("orders", f"{step}.csv", body).snapshot_id
        known[snapshot] = data_of(shop, snapshot)
        if random_.random() < 0.4:
            assert not tidy.tidy(TENANT).problems
    for target in random_.sample(sorted(known), 4):
        back(shop, target)
        assert data_of(shop) == known[target]
        if random_.random() < 0.5:
            assert not tidy.tidy(TENANT).problems
    assert {snapshot: data_of(shop, snapshot) for snapshot in known} == known


def test_uploads_since_are_rolled_back_in_the_ledger_and_their_bytes_may_come_again(shop):
    first = shop.upload("orders", "1.csv", orders(range(10), 10))
    upload = shop.put("orders", "2.csv", orders(range(20), 20))
    second = shop.ingest(upload)
    held = shop.upload("orders", "3.csv", HEADER + "1,no date,c,1\n")
    back(shop, first.snapshot_id)
    status = dict(shop.rows("SELECT upload_id, status FROM teal.uploads"))
    assert status == {first.upload_id: "loaded", second.upload_id: "rolled_back", held.upload_id: "held"}
    assert shop.ingest(upload).status == "skipped", "the same event stays done"
    again = shop.upload("orders", "2-again.csv", orders(range(20), 20))
    assert again.status == "loaded"
    assert shop.rows("SELECT count(*), sum(total)::INTEGER FROM orders") == [(20, 400)]


def test_rolling_forward_again_sets_the_ledger_forward_too(shop):
    first = shop.upload("orders", "1.csv", orders(range(10), 10))
    second = shop.upload("orders", "2.csv", orders(range(20), 20))
    back(shop, first.snapshot_id)
    back(shop, second.snapshot_id)
    assert shop.rows("SELECT DISTINCT status FROM teal.uploads") == [("loaded",)]
    assert shop.rows("SELECT sum(total)::INTEGER FROM orders") == [(400,)]


def test_the_contract_of_then_counts_again_as_the_newest_version(shop):
    narrow = shop.upload("things", "1.csv", "id,name\n1,one\n")
    shop.upload("things", "2.csv", "id,name,colour\n2,two,red\n")
    versions = shop.rows("SELECT version, body FROM teal.contracts WHERE name = 'things' ORDER BY version")
    back(shop, narrow.snapshot_id)
    after = shop.rows("SELECT version, body FROM teal.contracts WHERE name = 'things' ORDER BY version")
    assert after[: len(versions)] == versions, "history stays"
    assert [row[0] for row in after] == list(range(1, len(versions) + 2))
    newest, oldest = (json.loads(body)["columns"] for body in (after[-1][1], after[0][1]))
    assert newest == oldest
    assert shop.upload("things", "3.csv", "id,name,colour\n3,three,blue\n").status == "loaded"
    assert shop.rows("SELECT id::VARCHAR, colour FROM things ORDER BY 1") == [("1", None), ("3", "blue")]


def test_a_dataset_that_came_since_goes_with_its_contract_and_can_come_again(shop):
    first = shop.upload("orders", "1.csv", orders(range(10), 10))
    shop.upload("things", "2.csv", "id,name\n1,one\n")
    back(shop, first.snapshot_id)
    with shop.reader.pin() as lake:
        assert "things" not in lake.tables()
    assert shop.rows("SELECT count(*) FROM teal.contracts") == [(0,)]
    assert shop.upload("things", "3.csv", "id,name\n2,two\n").status == "loaded"
    assert shop.rows("SELECT name FROM things") == [("two",)]


def test_rolling_back_to_the_newest_snapshot_commits_nothing(shop):
    newest = shop.upload("orders", "1.csv", orders(range(10), 10)).snapshot_id
    committed = roll_back(shop.writer, newest, author="test")
    assert (committed.changed, committed.snapshot_id) == (False, newest)


@pytest.mark.parametrize("snapshot", [0, -1, 99])
def test_a_snapshot_that_is_not_there_is_said_to_be_missing(shop, snapshot):
    shop.upload("orders", "1.csv", orders(range(10), 10))
    with pytest.raises(SnapshotNotFoundError):
        roll_back(shop.writer, snapshot, author="test")
