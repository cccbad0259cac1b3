"""Commands are done once whatever fails in between, and messages, replays and comparisons miss nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.errors import InvalidParameterError, UnknownDatasetError
from shared.logs import LoggedError
from shared.paging import Cursors
from shared.snapshots import Snapshots
from shared.storage.folder import FolderStore
from shared.upload_state import ledger_state
from shared.values import UploadedObject
from shared.wiring import arrivals
from tests.shop import TENANT, Shop, shop_in, shop_on

ORDERS = "order_id,ordered_at,customer_id,total\n"
EXTRA = {"name": "extra", "key": ["id"], "columns": [{"name": "id"}, {"name": "n", "type": "integer"}]}


class KilledError(BaseException):
    """The process ends here."""


class DiesAfterPut(FolderStore):
    """A store under a process that is killed right after its next conditional put was written."""

    armed = False

    def put_if_match(self, key, body, *, etag):
        info = super().put_if_match(key, body, etag=etag)
        if self.armed:
            self.armed = False
            raise KilledError
        return info


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_in(tmp_path)


def order(number: int, total: int = 10) -> str:
    return ORDERS + f"{number},2024-01-01,c1,{total}\n"


def put(shop: Shop, number: int, **told: Any) -> UploadedObject:
    body = json.dumps({"author": "key k1", **told})
    return shop.put("_commands", f"u{number:023x}/command.json", body)


def run(shop: Shop, number: int, **told: Any) -> Any:
    outcome = shop.ingest(put(shop, number, **told))
    shop.reader.refresh()
    return outcome


def newest(shop: Shop) -> int:
    shop.reader.refresh()
    with shop.reader.pin() as lake:
        return lake.snapshot_id


# --- once ------------------------------------------------------------------------------------------------------------


def a_rollback(shop: Shop) -> dict[str, Any]:
    first = shop.upload("orders", "1.csv", order(1))
    shop.upload("orders", "2.csv", order(2))
    return {"command": "rollback", "snapshot": first.snapshot_id}


def a_rollback_of_a_new_dataset(shop: Shop) -> dict[str, Any]:
    first = shop.upload("orders", "1.csv", order(1))
    run(shop, 90, command="register_contract", contract=EXTRA)
    shop.upload("extra", "1.csv", "id,n\na,1\n")
    return {"command": "rollback", "snapshot": first.snapshot_id}


def a_rollback_to_a_dropped_dataset(shop: Shop) -> dict[str, Any]:
    told = a_rollback_of_a_new_dataset(shop)
    with_extra = newest(shop)
    assert run(shop, 91, **told).status == "loaded"
    return {"command": "rollback", "snapshot": with_extra}


def a_rollback_to_the_newest(shop: Shop) -> dict[str, Any]:
    return {"command": "rollback", "snapshot": shop.upload("orders", "1.csv", order(1)).snapshot_id}


def a_contract(shop: Shop) -> dict[str, Any]:
    shop.upload("orders", "1.csv", order(1))
    return {"command": "register_contract", "contract": EXTRA}


COMMANDS = [
    a_rollback,
    a_rollback_of_a_new_dataset,
    a_rollback_to_a_dropped_dataset,
    a_rollback_to_the_newest,
    a_contract,
]


@pytest.mark.parametrize("prepare", COMMANDS, ids=lambda one: one.__name__)
def test_a_command_and_its_ledger_row_are_one_commit(shop: Shop, prepare: Callable[[Shop], dict[str, Any]]) -> None:
    told = prepare(shop)
    before = newest(shop)
    outcome = run(shop, 1, **told)
    assert (outcome.status, outcome.snapshot_id, newest(shop)) == ("loaded", before + 1, before + 1)


@pytest.mark.parametrize("prepare", COMMANDS, ids=lambda one: one.__name__)
def test_a_command_whose_process_died_is_not_done_again(
    tmp_path: Path, prepare: Callable[[Shop], dict[str, Any]]
) -> None:
    store = DiesAfterPut(tmp_path)
    shop = shop_on(store)
    command = put(shop, 1, **prepare(shop))
    store.armed = True
    with pytest.raises(KilledError):
        shop.ingest(command)
    shop.upload("orders", "3.csv", order(3))
    count = shop.rows("SELECT count(*), count(*) FILTER (order_id = '3') FROM orders")
    contracts = shop.rows("SELECT name, version FROM teal.contracts ORDER BY ALL")
    at = newest(shop)
    assert [shop.ingest(command).status for _ in range(2)] == ["skipped", "skipped"]
    assert newest(shop) == at
    assert count == shop.rows("SELECT count(*), count(*) FILTER (order_id = '3') FROM orders")
    assert count[0][1] == 1
    assert contracts == shop.rows("SELECT name, version FROM teal.contracts ORDER BY ALL")


@pytest.mark.parametrize(
    "told",
    [
        {"command": "rollback", "snapshot": 999},
        {"command": "rollback"},
        {"command": "register_contract", "contract": {"name": "auto"}},
        {"command": "dance"},
    ],
)
def test_a_command_that_cannot_be_done_is_held_and_changes_nothing(shop: Shop, told: dict[str, Any]) -> None:
    shop.upload("orders", "1.csv", order(1))
    assert run(shop, 1, **told).status == "held"
    assert shop.rows("SELECT count(*) FROM orders") == [(1,)]
    assert shop.rows("SELECT count(*) FROM teal.uploads WHERE status = 'held'") == [(1,)]


@pytest.mark.parametrize("prepare", COMMANDS, ids=lambda one: one.__name__)
def test_the_reply_of_a_command_names_its_snapshot(shop: Shop, prepare: Callable[[Shop], dict[str, Any]]) -> None:
    told = prepare(shop)
    outcome = run(shop, 1, **told)
    shop.upload("orders", "9.csv", order(9))
    shop.reader.refresh()
    with shop.reader.pin() as lake:
        state = ledger_state(lake, outcome.upload_id)
    assert state is not None
    assert state.snapshot == outcome.snapshot_id


def test_a_later_rollback_leaves_a_command_its_snapshot(shop: Shop) -> None:
    first = shop.upload("orders", "1.csv", order(1))
    contract = run(shop, 1, command="register_contract", contract=EXTRA)
    assert run(shop, 2, command="rollback", snapshot=first.snapshot_id).status == "loaded"
    with shop.reader.pin() as lake:
        state = ledger_state(lake, contract.upload_id)
    assert state is not None
    assert (state.status, state.snapshot) == ("rolled_back", contract.snapshot_id)


# --- every upload of a message ---------------------------------------------------------------------------------------


def test_one_bad_upload_of_a_message_does_not_keep_the_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = shop_in(tmp_path)
    good = [shop.put("orders", f"{number}.csv", order(number)) for number in (1, 2)]
    bad = [UploadedObject("inbox", key, "", "e", 1) for key in ("somewhere/else.csv", "inbox/NO/orders/x.csv")]
    monkeypatch.setattr(arrivals, "ingest_upload", lambda: shop.ingest)
    with pytest.raises(LoggedError, match="UnknownInboxKeyError"):
        arrivals.ingest_all([bad[0], good[0], bad[1], good[1]])
    assert shop.rows("SELECT order_id FROM orders ORDER BY ALL") == [("1",), ("2",)]
    arrivals.ingest_all(good)
    arrivals.ingest_all([])


# --- replay by a version ---------------------------------------------------------------------------------------------


def test_a_replay_reaches_the_built_in_version_and_refuses_an_unknown_one(shop: Shop) -> None:
    upload = shop.upload("orders", "1.csv", order(1))
    built_in = {"order_id", "ordered_at", "customer_id", "total"}
    [(version,)] = shop.rows("SELECT contract_version FROM teal.uploads")
    wider = shop.upload("orders", "2.csv", ORDERS.replace("total", "total,colour") + "2,2024-01-01,c1,10,red\n")
    assert wider.status == "loaded"
    assert built_in <= {row[0] for row in shop.rows("DESCRIBE orders")}
    for number, wanted in ((1, version), (2, version + 1)):
        again = run(shop, number, command="replay", upload_id=upload.upload_id, contract_version=wanted)
        told = shop.rows(
            "SELECT status, contract_version FROM teal.uploads WHERE upload_id = $u", {"u": again.upload_id}
        )
        assert told == [("loaded", wanted)]
    narrow = run(shop, 4, command="replay", upload_id=wider.upload_id, contract_version=version)
    told = shop.rows("SELECT contract_version, notes FROM teal.uploads WHERE upload_id = $u", {"u": narrow.upload_id})
    assert (narrow.status, told) == ("loaded", [(version, '["Columns left out: colour."]')])
    assert shop.rows("SELECT colour FROM orders WHERE order_id = '2'") == [("red",)]
    unknown = run(shop, 3, command="replay", upload_id=upload.upload_id, contract_version=99)
    assert (unknown.status, unknown.reason_code) == ("held", "contract")
    assert "99" in unknown.reason


# --- comparing two snapshots -----------------------------------------------------------------------------------------


def test_a_dataset_that_is_gone_counts_as_removed(shop: Shop) -> None:
    told = a_rollback_of_a_new_dataset(shop)
    shop.upload("extra", "2.csv", "id,n\nb,2\nc,3\n")
    with_extra = newest(shop)
    without = run(shop, 1, **told).snapshot_id
    shop.reader.refresh()
    snapshots = Snapshots(lambda tenant: shop.reader, Cursors(b"s" * 32))
    counts = {"added": 0, "removed": 3, "changed": 0}
    assert snapshots.changes(TENANT, with_extra, without).datasets == {"extra": counts}
    first = snapshots.changes(TENANT, with_extra, without, dataset="extra", limit=2)
    rest = snapshots.changes(TENANT, with_extra, without, dataset="extra", limit=2, cursor=first.next)
    assert [(row.change, row.before["id"], row.after) for row in first.rows + rest.rows if row.before] == [
        ("removed", "a", None),
        ("removed", "b", None),
        ("removed", "c", None),
    ]
    assert (first.datasets, set(first.types)) == ({"extra": counts}, {"id", "n"})
    with pytest.raises(UnknownDatasetError):
        snapshots.changes(TENANT, with_extra, without, dataset="nothing")
    with pytest.raises(InvalidParameterError):
        snapshots.changes(TENANT, without, with_extra)
