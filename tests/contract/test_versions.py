"""Versions of one key, and the same bytes again: what comes late, what comes back, and who was first."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.values import UploadedObject
from tests.shop import Shop, shop_in

HEADER = "order_id,ordered_at,total\n"
ONE, TWO = (f"{HEADER}1,2024-01-0{n},{n}\n" for n in (1, 2))


@pytest.fixture
def shop(tmp_path) -> Shop:
    return shop_in(tmp_path)


def total(shop: Shop) -> list[int]:
    return [int(row[0]) for row in shop.rows("SELECT total FROM orders ORDER BY order_id")]


def versions(shop: Shop, *bodies: str, name: str = "orders.csv") -> list[UploadedObject]:
    """Versions of one key, each with its place in the order, as a bucket tells of them."""
    puts = []
    for number, body in enumerate(bodies, 1):
        seen = shop.put("orders", f"{number}/{name}", body)
        puts.append(replace(seen, sequence=f"{number:040d}"))
    return puts


def one_key(shop: Shop, *bodies: str) -> list[Callable[[], str]]:
    """Ways to deliver versions of the same key in any order; each is read as it was put."""
    deliveries = []
    for number, body in enumerate(bodies, 1):
        upload = shop.put("orders", "all.csv", body)
        upload = replace(upload, etag=f"e{number}", version="", sequence=f"{number:040d}")

        def deliver(upload: UploadedObject = upload, body: str = body) -> str:
            shop.put("orders", "all.csv", body)
            outcome = shop.ingest(upload)
            return outcome.reason_code or outcome.status

        deliveries.append(deliver)
    return deliveries


def test_a_version_that_arrives_after_a_later_one_changes_nothing_and_it_is_said(shop):
    first, second = one_key(shop, ONE, TWO)
    assert [second(), first(), second(), first()] == ["loaded", "superseded", "skipped", "skipped"]
    assert total(shop) == [2]
    ledger = shop.rows("SELECT status, reason_code, received, reason FROM teal.uploads ORDER BY committed_at")
    assert [row[:3] for row in ledger] == [("loaded", "", 1), ("skipped", "superseded", 0)]
    assert shop.rows("SELECT upload_id FROM teal.uploads ORDER BY committed_at")[0][0] in ledger[1][3]


def test_a_version_that_was_passed_over_is_loaded_when_somebody_asks_for_it(shop):
    first, second = one_key(shop, ONE, TWO)
    assert [second(), first()] == ["loaded", "superseded"]
    (passed,) = shop.rows("SELECT upload_id FROM teal.uploads WHERE reason_code = 'superseded'")[0]
    order = json.dumps({"command": "replay", "author": "test", "upload_id": passed})
    assert shop.upload("_commands", f"u{1:023x}/command.json", order).status == "loaded"
    assert total(shop) == [1]


def test_a_version_is_loaded_when_the_later_one_was_held(shop):
    first, second = one_key(shop, ONE, "nothing,that,fits\n1,2\n")
    assert second() not in ("loaded", "skipped")
    assert first() == "loaded"


def test_a_version_whose_place_nobody_told_is_not_taken_for_an_earlier_one(shop):
    first = replace(shop.put("orders", f"u{1:023x}/a.csv", ONE), version="", etag="one", sequence=f"{1:040d}")
    assert shop.ingest(first).status == "loaded"
    again = replace(shop.put("orders", f"u{1:023x}/a.csv", TWO), version="", etag="two")
    assert shop.ingest(again).status == "loaded"
    assert total(shop) == [2]


def test_an_order_is_one_of_versions_of_a_key_not_of_keys(shop):
    old, new = versions(shop, ONE, TWO)
    assert [shop.ingest(new).status, shop.ingest(old).status] == ["loaded", "loaded"]


def test_a_version_that_is_overtaken_while_it_is_judged_is_not_committed(shop):
    first, second = one_key(shop, ONE, TWO)
    _between(shop, second)
    assert first() == "superseded"
    assert total(shop) == [2]


def test_what_was_there_before_comes_back_under_its_key(shop):
    first, second, third = one_key(shop, ONE, TWO, ONE)
    assert [first(), second(), third()] == ["loaded", "loaded", "loaded"]
    assert total(shop) == [1]
    assert third() == "skipped"


def test_the_same_bytes_under_an_unversioned_key_are_told_apart_by_their_place(shop):
    first = replace(shop.put("orders", "a.csv", ONE), version="", etag="one", sequence="1")
    again = replace(first, sequence="3")
    assert first.upload_id != again.upload_id
    assert first.upload_id == replace(first).upload_id


@pytest.mark.parametrize("between", ["upload", "edit of another file name", "delete"])
def test_the_same_bytes_are_looked_at_again_when_something_came_between(shop, between):
    assert shop.upload("orders", "a.csv", ONE).status == "loaded"
    if between == "upload":
        shop.upload("orders", "b.csv", TWO)
    elif between == "delete":
        shop.upload("orders", "b.csv", "order_id,_deleted\n1,true\n")
    else:
        shop.upload("auto", "row.ndjson", '{"order_id":"1","ordered_at":"2024-01-05","total":7}')
    assert shop.upload("orders", "c.csv", ONE).status == "loaded"
    assert total(shop) == [1]
    assert shop.upload("orders", "d.csv", ONE).reason_code == "same_content"


def test_the_same_bytes_are_skipped_when_only_another_dataset_changed(shop):
    shop.upload("orders", "a.csv", ONE)
    shop.upload("customers", "c.csv", "customer_id,city\nc1,Rome\n")
    assert shop.upload("orders", "b.csv", ONE).reason_code == "same_content"


def test_the_same_bytes_are_looked_at_again_after_a_rollback(shop):
    from shared.rollback import set_back

    shop.upload("orders", "a.csv", ONE)
    second = shop.upload("orders", "b.csv", TWO)
    shop.writer.commit("test", lambda change: set_back(change, second.snapshot_id - 1, author="test"))
    assert total(shop) == [1]
    assert shop.upload("orders", "c.csv", ONE).reason_code == "same_content"
    assert shop.upload("orders", "d.csv", TWO).status == "loaded"
    assert total(shop) == [2]


def test_the_same_bytes_at_the_same_time_are_loaded_once(shop):
    twin = shop.put("orders", "twin.csv", ONE)
    _between(shop, lambda: shop.ingest(twin).status)
    assert shop.upload("orders", "a.csv", ONE).reason_code == "same_content"
    assert [row[0] for row in shop.rows("SELECT status FROM teal.uploads ORDER BY committed_at")] == [
        "loaded",
        "skipped",
    ]


def _between(shop: Shop, act: Callable[[], str]) -> None:
    """Let something happen after the next upload was judged and before it is committed."""
    download, put = shop.store.download, shop.store.put_if_match

    def once(key, body, *, etag):
        shop.store.put_if_match = put
        assert act() == "loaded"
        return put(key, body, etag=etag)

    def first(*args, **kwargs):
        shop.store.download = download
        return download(*args, **kwargs)

    shop.store.download, shop.store.put_if_match = first, once
