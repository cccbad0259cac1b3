"""What the erasure of a person promises: nothing of it is left after retention, and the shop's books stay right."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.catalog.stored import StoredCatalog
from shared.duck import open_duck
from shared.errors import StoreUnavailableError
from shared.lake_files import files_of
from shared.persons import Persons
from shared.restore import RestoreCatalog
from shared.steps.fingerprints import fingerprints_of
from shared.storage.folder import FolderStore
from shared.traces import Traces
from shared.values import UploadedObject
from tests.api_shop import api_shop_in, code_of
from tests.erasures import (
    CUSTOMERS,
    EVENTS,
    JANE,
    JANES_MAIL,
    NEEDLES,
    ORDERS,
    ErasureShop,
    erasure_shop,
    filled,
    rebuilt,
    rollups_of,
    who_mentions,
)
from tests.maintained import CATALOG, is_done, session_on, tidy_after
from tests.shop import TENANT

EVERYWHERE = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)
HELD = ("7", "10", "11")
"""Orders of the file with held rows."""
BOOKS = "SELECT sum(gross_sales), sum(tax), count(*) FROM teal.order_totals"
WRITTEN = f"inbox/{TENANT}/_commands/"


@pytest.fixture
def erasures(tmp_path) -> ErasureShop:
    return filled(erasure_shop(FolderStore(tmp_path)))


# --- what is left ----------------------------------------------------------------------------------------------------


@EVERYWHERE
def test_after_retention_no_byte_of_the_store_knows_the_person(store):
    erasures = filled(erasure_shop(store))
    shop = erasures.shop
    assert len(who_mentions(store, *NEEDLES)) > 8, "else there would be nothing to find"
    erased = erasures.erase()
    assert erased.told["files"]["kept"] == 1, "a file with held rows may still be needed"
    store.delete(f"inbox/{TENANT}/orders/held.csv")
    left = who_mentions(store, *NEEDLES)
    assert {key.split("/")[2] for key in left if key.startswith("lake/")} == {"catalog.ducklake", "data"}
    assert not [key for key in left if key.startswith(("inbox/", "uploads/"))]
    books = shop.rows("SELECT * FROM teal.order_totals ORDER BY ALL")
    for days in (0, 31, 33, 65):
        report = tidy_after(shop, timedelta(days=days))
        assert is_done(report)
        assert bool(report.erasures) == (days < 33)
    assert who_mentions(store, *NEEDLES) == set()
    shop.reader.refresh()
    assert shop.rows("SELECT * FROM teal.order_totals ORDER BY ALL") == books
    assert shop.rows("SELECT customer_id FROM customers WHERE customer_id >= 'cust-0' ORDER BY 1") == [
        ("cust-1",),
        ("zoe-9",),
    ]
    (told,) = erasures.persons.erasures(TENANT)
    assert told["older_snapshots"] == 0
    assert told["gone_at"] > told["forgotten_at"] > told["erased_at"]


def test_until_then_an_older_snapshot_answers_as_it_did(erasures):
    shop = erasures.shop
    before = shop.rows("SELECT * FROM orders ORDER BY ALL")
    snapshot = shop.reader.current_snapshot()
    erasures.erase()
    tidy_after(shop, timedelta(days=0))
    shop.reader.refresh()
    with shop.reader.pin(snapshot) as lake:
        assert lake.duck.execute("SELECT * FROM orders ORDER BY ALL") == before


def test_one_row_among_many_is_rewritten_at_once(tmp_path):
    erasures = erasure_shop(FolderStore(tmp_path))
    shop = erasures.shop
    many = "".join(f"c{n:04},c{n:04}@example.net,,\n" for n in range(2_000))
    shop.upload("customers", "1.csv", CUSTOMERS + many)
    erasures.erase()
    report = tidy_after(shop, timedelta(0))
    assert report.rewritten >= 1
    assert "1 file with deleted rows" in report.erasures[0], "which older snapshots need"
    duck = open_duck(memory_limit_mb=512, threads=1)
    with shop.writer.look(duck):
        current = {file.key for file in files_of(duck, shop.store, TENANT) if file.current}
    assert any(key.startswith(f"lake/{TENANT}/data/main/customers/") for key in current)
    assert not current & who_mentions(shop.store, *NEEDLES)


# --- what becomes of the rows ----------------------------------------------------------------------------------------


def test_orders_stay_as_those_of_a_guest_and_the_books_do_not_change(erasures):
    shop = erasures.shop
    books = shop.rows(BOOKS)
    assert books == [(Decimal("221.0000"), Decimal("15.0000"), 8)]
    erased = erasures.erase()
    assert shop.rows(BOOKS) == books
    assert erased.told["datasets"] == {
        "customers": {"deleted": 1, "anonymised": 0},
        "events": {"deleted": 0, "anonymised": 2},
        "orders": {"deleted": 0, "anonymised": 3},
    }
    columns = "order_id, customer_id, email, note, total"
    rows = shop.rows(f"SELECT {columns} FROM orders WHERE total BETWEEN 10 AND 50 ORDER BY 1")
    assert rows == [
        ("1", "cust-1", "ann@example.org", None, Decimal("10.0000")),
        ("2", None, None, None, Decimal("20.0000")),
        ("3", None, None, None, Decimal("30.0000")),
        ("4", None, None, None, Decimal("40.0000")),
        ("5", "zoe-9", "zoe@example.org", None, Decimal("50.0000")),
    ]
    assert rollups_of(shop) == rebuilt(shop)
    assert shop.rows("SELECT customer_id, orders FROM teal.customer_totals ORDER BY 1") == [("cust-1", 4), ("zoe-9", 1)]


def test_a_visit_stays_one_visit_of_nobody(erasures):
    erasures.erase()
    rows = erasures.shop.rows("SELECT customer_id, session_id, url, properties FROM events ORDER BY event_id")
    (_, first, _, _), (_, second, _, _), other = rows
    assert first == second != "s1"
    assert [row[0] for row in rows] == [None, None, "cust-1"]
    assert other == ("cust-1", "s2", "/b", '{"a": 1}')
    assert (rows[0][2], rows[1][2], rows[1][3]) == ("/a", None, None)


def test_delete_takes_orders_their_lines_and_events_away(erasures):
    shop = erasures.shop
    erased = erasures.erase(mode="delete")
    assert {row[0] for row in shop.rows("SELECT order_id FROM orders")} == {"1", "5", *HELD}
    assert shop.rows("SELECT order_id FROM order_items ORDER BY 1") == [("1",)]
    assert shop.rows("SELECT event_id FROM events ORDER BY 1") == [("3",)]
    assert erased.told["datasets"]["order_items"] == {"deleted": 2, "anonymised": 0}
    assert rollups_of(shop) == rebuilt(shop)


def test_every_own_table_that_tells_customers_apart_is_covered(erasures):
    shop = erasures.shop

    def add(change):
        change.duck.execute("CREATE TABLE lake.teal.marks (customer_id VARCHAR, mark DOUBLE)")
        change.duck.execute(f"INSERT INTO lake.teal.marks VALUES ('{JANE}', 1), ('zoe-9', 2)")

    shop.writer.commit("test", add)
    assert erasures.erase().told["datasets"]["teal.marks"] == {"deleted": 1, "anonymised": 0}
    assert shop.rows("FROM teal.marks") == [("zoe-9", 2.0)]


def test_datasets_of_a_shops_own_are_covered_and_other_customers_left_alone(erasures):
    shop = erasures.shop
    shop.upload("letters", "1.csv", f"email,topic\n{JANES_MAIL},shoes\nzoe@example.org,hats\n")
    reviews = f"review_id,customer_id,email,stars\n1,{JANE},{JANES_MAIL},5\n2,c9,{JANES_MAIL},1\n"
    shop.upload("reviews", "2.csv", reviews)
    shop.upload("points", "3.csv", "point_id,customer_id,points\n1,4711,5\n2,4712,6\n")
    erasures.erase()
    assert shop.rows("SELECT topic FROM letters") == [("hats",)], "the address is the key"
    rows = shop.rows("SELECT customer_id, email, stars FROM reviews ORDER BY review_id")
    assert rows == [(None, None, 5), ("c9", JANES_MAIL, 1)], "another customer's row is that customer's"
    assert erasures.erase("4711").told["datasets"] == {"points": {"deleted": 0, "anonymised": 1}}
    assert shop.rows("SELECT customer_id FROM points ORDER BY point_id") == [(None,), (4712,)]


def test_held_rows_keep_their_place_and_rule_and_lose_what_was_written_there(erasures):
    shop = erasures.shop
    upload_id = shop.rows("SELECT upload_id FROM teal.uploads WHERE held > 0")[0][0]
    assert erasures.erase().told["held_rows"] == 2
    rows = erasures.persons.uploads.reports.held_rows(TENANT, upload_id).items
    assert [(row.row, row.column, row.rule, row.text, bool(row.original)) for row in rows] == [
        (1, "ordered_at", "type", None, False),
        (3, "ordered_at", "type", "also never", True),
        (4, "ordered_at", "type", None, False),
    ]


def test_files_are_only_listed_when_they_are_to_be_kept(erasures):
    before = {info.key for info in erasures.shop.store.list(f"inbox/{TENANT}/")}
    told = erasures.erase(files="keep").told["files"]
    assert (told["deleted"], told["kept"]) == (0, 5)
    assert {one["dataset"] for one in told["kept_uploads"]} == {"customers", "orders", "events"}
    assert {i.key for i in erasures.shop.store.list(f"inbox/{TENANT}/") if not i.key.startswith(WRITTEN)} == before


def test_graves_and_the_ledger_do_not_name_the_person(tmp_path):
    erasures = filled(erasure_shop(FolderStore(tmp_path)))
    shop = erasures.shop
    shop.upload("customers", "gone.csv", f"customer_id,_deleted,updated_at\n{JANE},true,2024-05-01\n")
    assert shop.rows("SELECT count(*) FROM teal.tombstones") == [(1,)]

    def quote(change):
        change.duck.execute(f"UPDATE lake.teal.uploads SET reason = 'what is {JANES_MAIL}?' WHERE dataset = 'events'")

    shop.writer.commit("test", quote)
    erasures.erase()
    assert shop.rows("FROM teal.tombstones") == []
    assert shop.rows("SELECT DISTINCT reason FROM teal.uploads WHERE dataset = 'events'") == [("",)]


# --- coming in again -------------------------------------------------------------------------------------------------


def test_a_later_upload_does_not_bring_the_person_back(erasures):
    shop = erasures.shop
    erasures.erase()
    books = shop.rows(BOOKS)
    orders = shop.rows("SELECT * EXCLUDE (email, note) FROM orders ORDER BY ALL")
    outcome = shop.upload("customers", "late.csv", CUSTOMERS + "new-1,new@example.org,New,DE\n")
    assert (outcome.status, outcome.counts.accepted, outcome.counts.held) == ("loaded", 1, 1)
    held = erasures.persons.uploads.reports.held_rows(TENANT, outcome.upload_id).items
    assert [(row.row, row.column, row.rule, row.text, row.original) for row in held] == [
        (2, "customer_id", "erased", None, "")
    ]
    shop.upload("orders", "late.csv", ORDERS + "6,2024-03-05,zoe-9,1,0,zoe@example.org,\n")
    shop.upload("events", "late.csv", EVENTS + "4,view,2024-01-06T10:00:00Z,,s9,,\n")
    assert shop.rows("SELECT * EXCLUDE (email, note) FROM orders WHERE order_id <> '6' ORDER BY ALL") == orders
    assert shop.rows(BOOKS)[0][0] == books[0][0] + 1
    assert rollups_of(shop) == rebuilt(shop)
    late = [key for key in who_mentions(shop.store, *NEEDLES) if not key.startswith(("inbox/", "/")) and "held/" in key]
    assert late == []
    for table in ("customers", "orders", "events"):
        assert not any(needle in str(shop.rows(f"FROM {table}")) for needle in NEEDLES)
    notes = shop.rows("SELECT notes FROM teal.uploads WHERE dataset = 'orders' ORDER BY committed_at DESC LIMIT 1")
    assert "of an erased person" in notes[0][0]


def test_after_delete_nothing_of_the_person_comes_in(erasures):
    shop = erasures.shop
    erasures.erase(mode="delete")
    outcome = shop.upload("orders", "late.csv", f"order_id,ordered_at,customer_id,total\n2,2024-01-07,{JANE},20\n")
    assert (outcome.status, outcome.counts.held) == ("loaded", 1), "that the row is not taken is no fault of the file"
    assert {row[0] for row in shop.rows("SELECT order_id FROM orders")} == {"1", "5", *HELD}


def test_who_is_admitted_again_comes_in(erasures):
    shop = erasures.shop
    erasures.erase()
    erasures.persons.readmit(erasures.principal, JANE)
    shop.upload("customers", "new.csv", f"customer_id,email\n{JANE},{JANES_MAIL}\n")
    assert shop.rows(f"SELECT email FROM customers WHERE customer_id = '{JANE}'") == [(JANES_MAIL,)]
    assert not erasures.erase().already
    assert shop.rows(f"SELECT email FROM customers WHERE customer_id = '{JANE}'") == []


def test_a_rollback_does_not_bring_the_person_back(erasures):
    shop = erasures.shop
    before = shop.reader.current_snapshot()
    erasures.erase()
    erasures.persons.uploads.command(erasures.principal, "rollback", {"snapshot": before})
    shop.reader.refresh()
    assert shop.rows("SELECT customer_id FROM customers ORDER BY 1") == [("cust-1",), ("zoe-9",)]
    assert not any(needle in str(shop.rows("FROM orders")) for needle in NEEDLES)
    assert rollups_of(shop) == rebuilt(shop)


def test_a_restored_catalog_does_not_bring_the_person_back(erasures):
    shop, store = erasures.shop, erasures.shop.store
    body = store.get(CATALOG)[0]
    erasures.erase()
    store.put(CATALOG, body)
    restore = RestoreCatalog(store, store, lambda tenant: StoredCatalog(store, tenant), session_on(store))
    (command,) = restore(TENANT).again
    assert command.key.startswith(WRITTEN)
    shop.ingest(UploadedObject("inbox", command.key, command.version, command.etag, command.size_bytes))
    assert shop.rows("SELECT customer_id FROM customers ORDER BY 1") == [("cust-1",), ("zoe-9",)]


# --- once, whatever happens ------------------------------------------------------------------------------------------


@EVERYWHERE
def test_delivered_again_it_is_done_once(store):
    sent = []
    erasures = filled(erasure_shop(store, sent.append))
    shop = erasures.shop
    state = erasures.erase().state
    assert state.status == "received"
    first, second = shop.ingest(sent[0]), shop.ingest(sent[0])
    assert (first.status, second.status) == ("loaded", "skipped")
    assert second.upload_id == first.upload_id == state.upload_id
    assert shop.rows("SELECT count(*) FROM teal.erased") == [(1,)]
    assert shop.rows("SELECT count(*) FROM teal.uploads WHERE source = 'erase'") == [(1,)]


def test_what_was_interrupted_goes_on_and_tells_everything(erasures, monkeypatch):
    sent = []
    impatient = replace(erasures.persons.uploads.rules, write_wait_seconds=0)
    uploads = replace(erasures.persons.uploads, announce=sent.append, rules=impatient)
    persons = replace(erasures.persons, uploads=uploads)
    persons.erase(erasures.principal, JANE, mode="anonymise", files="delete")

    def silent(self):
        raise StoreUnavailableError("The store does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(Traces, "held_rows", silent)
        with pytest.raises(StoreUnavailableError):
            erasures.shop.ingest(sent[0])
    assert erasures.shop.rows("SELECT count(*) FROM teal.uploads WHERE source = 'erase'") == [(0,)]
    assert erasures.shop.ingest(sent[0]).status == "loaded"
    (told,) = persons.erasures(TENANT)
    assert told["datasets"]["orders"] == {"deleted": 0, "anonymised": 3}
    assert told["held_rows"] == 2


def test_asked_again_it_says_so_and_an_unknown_person_is_not_found(tmp_path):
    api = api_shop_in(tmp_path)
    api.shop.upload("customers", "1.csv", CUSTOMERS)
    address = f"/v1/customers/{JANE}"
    assert code_of(api.client.delete("/v1/customers/nobody")) == (404, "unknown_customer")
    assert code_of(api.client.delete(address, params={"mode": "hide"})) == (422, "invalid_parameter")
    first = api.client.delete(address)
    again = api.client.delete(address)
    assert (first.status_code, first.json()["status"]) == (200, "erased")
    assert (again.status_code, again.json()["status"]) == (200, "already_erased")
    assert again.json()["snapshot"] == first.json()["snapshot"]
    assert code_of(api.client.post("/v1/customers/nobody/readmit")) == (404, "unknown_customer")
    assert code_of(api.client.put(f"/v1/datasets/customers/rows/{JANE}", json={"city": "Bonn"})) == (422, "row_held")
    assert api.client.get("/v1/erasures").json()["erasures"][0]["datasets"]["customers"]["deleted"] == 1
    assert JANE not in api.client.get("/v1/erasures").text
    assert api.client.post(f"{address}/readmit").status_code == 200
    assert api.client.put(f"/v1/datasets/customers/rows/{JANE}", json={"city": "Bonn"}).status_code == 200


def test_an_order_that_is_on_its_way_meanwhile_comes_in_without_the_person(erasures, monkeypatch):
    shop = erasures.shop
    upload = shop.put("orders", "new.csv", f"order_id,ordered_at,customer_id,total\n9,2024-04-01,{JANE},90\n")
    fetched = type(shop.writer.catalog).fetch
    done = []

    def fetch(self, folder, *, unless=""):
        # The first look of the upload is over: now somebody erases its customer.
        if unless and not done:
            done.append(True)
            erasures.erase()
        return fetched(self, folder, unless=unless)

    monkeypatch.setattr(type(shop.writer.catalog), "fetch", fetch)
    outcome = shop.ingest(upload)
    assert done
    assert outcome.status == "loaded"
    shop.reader.refresh()
    assert shop.rows("SELECT customer_id, total FROM orders WHERE order_id = '9'") == [(None, Decimal("90.0000"))]
    assert rollups_of(shop) == rebuilt(shop)


def test_a_lost_secret_stops_what_could_bring_somebody_back(erasures):
    erasures.erase()
    erasures.shop.store.delete(f"lake/{TENANT}/erasure.secret")
    with pytest.raises(Exception, match="secret") as raised:
        erasures.shop.upload("customers", "late.csv", CUSTOMERS + "new-1,,,\n")
    assert raised.value.code == "erasure_secret_lost"


def test_the_command_does_not_say_who(erasures):
    erasures.erase()
    (command,) = erasures.shop.store.list(WRITTEN)
    assert not any(needle in erasures.shop.store.get(command.key)[0].decode() for needle in NEEDLES)
    person = fingerprints_of(erasures.shop.store, TENANT).of("customer", JANE)
    assert erasures.shop.rows("SELECT person FROM teal.erased") == [(person,)]


def test_whose_files_were_not_all_looked_at_is_told_and_the_next_time_goes_on(erasures):
    shop = erasures.shop
    hurried = replace(shop.ingest.rules, erasure=replace(shop.ingest.rules.erasure, search_seconds=0))
    ingest = replace(shop.ingest, rules=hurried)
    persons: Persons = replace(erasures.persons, uploads=replace(erasures.persons.uploads, announce=ingest))
    left = []
    for _ in range(8):
        told = persons.erase(erasures.principal, JANE, mode="anonymise", files="delete").told["files"]
        left.append(told["unsearched"])
        if not left[-1]:
            break
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0
    assert told["deleted"] == 4
