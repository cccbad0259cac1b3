"""What an upload becomes: loaded once, merged by key, held with a reason, replayed, rolled back."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from itertools import permutations
from pathlib import Path

import pytest

from shared.errors import StoreUnavailableError
from shared.storage.folder import FolderStore
from shared.values import UploadedObject
from tests.shop import Shop, shop_in

ORDERS = "order_id,ordered_at,customer_id,total,updated_at\n"
SAMPLES = Path(__file__).parent.parent.parent / "samples"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return shop_in(tmp_path)


def adds_up(outcome) -> bool:
    counts = outcome.counts
    return counts.received == counts.accepted + counts.held + counts.duplicate


def command(shop: Shop, number: int, **told) -> object:
    folder = "u" + f"{number:023x}"
    return shop.upload("_commands", f"{folder}/command.json", json.dumps({"author": "test", **told}))


# --- exactly once ----------------------------------------------------------------------------------------------------


def test_the_same_event_twice_is_loaded_once(shop):
    upload = shop.put("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    first, second = shop.ingest(upload), shop.ingest(upload)
    assert (first.status, second.status, second.upload_id) == ("loaded", "skipped", first.upload_id)
    assert shop.rows("SELECT count(*) FROM orders") == [(1,)]
    assert shop.rows("SELECT count(*) FROM teal.uploads") == [(1,)]


def test_the_same_bytes_under_another_name_are_skipped_and_it_is_said(shop):
    first = shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    second = shop.upload("orders", "b.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    assert (second.status, second.reason_code) == ("skipped", "same_content")
    assert first.upload_id in second.reason
    assert second.counts.duplicate == 1
    assert adds_up(second)


def test_the_same_bytes_for_another_dataset_are_another_upload(shop):
    body = "id,name\n1,a\n"
    assert shop.upload("things", "a.csv", body).status == "loaded"
    assert shop.upload("others", "a.csv", body).status == "loaded"


def test_a_new_version_under_the_same_key_is_loaded(shop):
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    second = shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,12,\n")
    assert second.status == "loaded"
    assert shop.rows("SELECT total FROM orders") == [(Decimal("12"),)]


def test_two_deliveries_at_the_same_time_are_one_upload(tmp_path):
    shops = [shop_in(tmp_path) for _ in range(3)]
    upload = shops[0].put("orders", "a.csv", ORDERS + "".join(f"{i},2024-01-01,c,1,\n" for i in range(500)))
    outcomes = []
    threads = [threading.Thread(target=lambda s=s: outcomes.append(s.ingest(upload))) for s in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(o.status for o in outcomes) == ["loaded", "skipped", "skipped"]
    assert shops[0].rows("SELECT count(*), count(DISTINCT order_id) FROM orders") == [(500, 500)]
    assert shops[0].rows("SELECT count(*) FROM teal.uploads") == [(1,)]


class LosesItsAnswer(FolderStore):
    """A store whose answer to the next conditional put gets lost after it was written."""

    silent = False

    def put_if_match(self, key, body, *, etag):
        info = super().put_if_match(key, body, etag=etag)
        if self.silent:
            self.silent = False
            raise StoreUnavailableError("no answer")
        return info


def test_a_put_whose_answer_is_lost_is_not_repeated(tmp_path):
    from tests.shop import shop_on

    store = LosesItsAnswer(tmp_path)
    shop = shop_on(store)
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    store.silent = True
    assert shop.upload("orders", "b.csv", ORDERS + "2,2024-01-01,c1,10,\n").status == "loaded"
    assert not store.silent
    assert shop.rows("SELECT order_id FROM orders ORDER BY 1") == [("1",), ("2",)]
    assert shop.rows("SELECT count(*) FROM teal.uploads") == [(2,)]


# --- merge -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_older_version_never_replaces_a_newer_one(shop, order):
    versions = ["2024-01-01,c1,10,2024-02-01", "2024-01-01,c2,20,2024-02-02", "2024-01-01,c3,30,2024-02-03"]
    for number in order:
        assert adds_up(shop.upload("orders", f"{number}.csv", ORDERS + f"1,{versions[number]}\n"))
    assert shop.rows("SELECT customer_id, total FROM orders") == [("c3", Decimal("30"))]
    assert shop.rows("SELECT sum(gross_sales) FROM teal.order_totals") == [(Decimal("30"),)]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_deletion_counts_by_its_time_in_any_order(shop, order):
    header = "order_id,ordered_at,total,updated_at,_deleted\n"
    versions = ["1,2024-01-01,10,2024-02-01,", "1,,,2024-02-03,true", "1,2024-01-01,20,2024-02-02,false"]
    for number in order:
        assert adds_up(shop.upload("orders", f"{number}.csv", header + versions[number] + "\n"))
    assert shop.rows("SELECT count(*) FROM orders") == [(0,)]
    assert shop.rows("SELECT count(*) FROM teal.order_totals") == [(0,)]


def test_a_row_that_changes_nothing_counts_as_duplicate(shop):
    shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n2,2024-01-01,c1,10,\n")
    outcome = shop.upload("orders", "b.csv", ORDERS + "1,2024-01-01,c1,10,\n2,2024-01-01,c1,11,\n")
    assert (outcome.counts.accepted, outcome.counts.duplicate) == (1, 1)


def test_columns_the_file_does_not_have_keep_what_the_lake_holds(shop):
    shop.upload("orders", "a.csv", "order_id,ordered_at,country,total\n1,2024-01-01,DE,10\n")
    shop.upload("orders", "b.csv", "order_id,ordered_at,total\n1,2024-01-01,12\n")
    assert shop.rows("SELECT country, total FROM orders") == [("DE", Decimal("12"))]


def test_inside_a_file_copies_are_duplicates_and_contradictions_are_held(shop):
    body = ORDERS + "1,2024-01-01,a,1,\n1,2024-01-01,a,1,\n2,2024-01-01,a,1,\n2,2024-01-01,a,2,\n3,2024-01-01,a,1,\n"
    outcome = shop.upload("orders", "a.csv", body)
    counts = outcome.counts
    assert (counts.received, counts.accepted, counts.held, counts.duplicate) == (5, 2, 2, 1)
    assert shop.rows("SELECT order_id FROM orders ORDER BY 1") == [("1",), ("3",)]


# --- judged ----------------------------------------------------------------------------------------------------------


def test_held_rows_keep_place_column_rule_and_text(shop, tmp_path):
    body = "Order ID,Order Date,Amount\n1,2024-01-01,10\n2,yesterday,20\n3,2024-01-03,30\n4,2024-01-04,much\n"
    outcome = shop.upload("orders", "a.csv", body)
    assert (outcome.status, outcome.counts.held) == ("loaded", 2)
    held = shop.rows(
        "SELECT row_number, column_name, rule, text, original FROM read_parquet($uri) ORDER BY 1",
        {"uri": str(tmp_path / f"lake/shop/held/{outcome.upload_id}.parquet")},
    )
    assert [row[:4] for row in held] == [(2, "ordered_at", "type", "yesterday"), (4, "total", "type", "much")]
    assert json.loads(held[0][4]) == {"Order ID": "2", "Order Date": "yesterday", "Amount": "20"}


def test_a_quantity_that_is_not_whole_is_held_not_rounded(shop):
    shop.upload("orders", "o.csv", ORDERS + "1,2024-01-01,a,,\n")
    body = "order_id,product_id,quantity,unit_price\n1,p,2,3.50\n1,q,1.5,4\n1,r,2.0,1\n"
    outcome = shop.upload("order_items", "a.csv", body)
    assert (outcome.counts.accepted, outcome.counts.held) == (2, 1)
    assert shop.rows("SELECT sum(gross_sales) FROM teal.order_totals") == [(Decimal("9.00"),)]


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        ("order_id,product_id,quantity,unit_price\n1,p,1,2\n1,p,1,2\n1,q,1,2\n", ["p", "p:2", "q"]),
        ("order_id,quantity,unit_price\n1,1,2\n1,1,2\n1,-1,2\n", ["line", "line:2", "line:3"]),
        ("order_id,line_id,quantity,unit_price\n1,a,1,2\n1,b,1,2\n1,c,0,2\n", ["a", "b", "c"]),
    ],
)
def test_lines_without_an_id_are_numbered_within_their_product(shop, header, ids):
    assert shop.upload("order_items", "a.csv", header).counts.accepted == 3
    assert [row[0] for row in shop.rows("SELECT line_id FROM order_items ORDER BY line_id")] == ids


def test_too_many_held_rows_hold_the_whole_upload(shop):
    outcome = shop.upload("orders", "a.csv", "order_id,ordered_at\n1,x\n2,y\n3,2024-01-01\n")
    assert (outcome.status, outcome.reason_code, outcome.counts.held) == ("held", "too_many_held", 3)
    assert shop.rows("SELECT count(*) FROM orders") == [(0,)]
    assert shop.rows("SELECT status, received, held FROM teal.uploads") == [("held", 3, 3)]


@pytest.mark.parametrize(
    ("dataset", "body", "code"),
    [
        ("orders", "", "empty_file"),
        ("orders", "order_id,ordered_at\n", "empty_file"),
        ("orders", "colour,weight\nred,3\n", "unknown_columns"),
        ("auto", "colour,weight\nred,3\n", "unknown_columns"),
        ("orders", "order_id,ordered_at\n1,03/04/2024\n2,05/06/2024\n", "ambiguous_dates"),
        ("orders", b"%PDF-1.7 not a table", "unreadable"),
    ],
)
def test_a_file_that_cannot_be_used_is_held_with_its_reason(shop, dataset, body, code):
    outcome = shop.upload(dataset, "a.csv", body)
    assert (outcome.status, outcome.reason_code) == ("held", code)
    assert outcome.reason
    assert shop.rows("SELECT status, reason_code FROM teal.uploads") == [("held", code)]


def test_an_unknown_table_becomes_a_dataset_with_an_inferred_contract(shop):
    shop.upload("visits", "a.csv", "visit,code,amount,at\n1,007,1.5,2024-01-01 10:00\n2,008,2.5,2024-01-02 11:00\n")
    assert shop.rows("SELECT visit, code, amount FROM visits ORDER BY 1") == [(1, "007", 1.5), (2, "008", 2.5)]
    second = shop.upload("visits", "b.csv", "visit,code,amount,at\n2,008,9.5,2024-01-02 11:00\n3,x,1,2024-01-03\n")
    assert second.counts.accepted == 2
    assert shop.rows("SELECT amount FROM visits ORDER BY visit") == [(1.5,), (9.5,), (1.0,)]


def test_a_new_column_is_added_and_older_snapshots_do_not_have_it(shop):
    first = shop.upload("orders", "a.csv", "order_id,ordered_at\n1,2024-01-01\n")
    shop.upload("orders", "b.csv", "order_id,ordered_at,gift\n2,2024-01-02,true\n")
    assert shop.rows("SELECT order_id, gift FROM orders ORDER BY 1") == [("1", None), ("2", True)]
    with shop.reader.pin(first.snapshot_id) as lake:
        assert "gift" not in lake.duck.columns("orders")


# --- commands --------------------------------------------------------------------------------------------------------


def test_a_held_upload_is_replayed_after_its_contract_was_changed(shop):
    held = shop.upload("visits", "a.csv", "id,n\n1,x\n2,y\n")
    assert held.status == "loaded"  # inferred as text
    contract = {"name": "marks", "key": ["id"], "columns": [{"name": "id"}, {"name": "n", "type": "integer"}]}
    assert command(shop, 1, command="register_contract", contract=contract).status == "loaded"
    wrong = shop.upload("marks", "a.csv", "id,n\n1,x\n2,y\n")
    assert (wrong.status, wrong.reason_code) == ("held", "too_many_held")
    wider = {**contract, "columns": [*contract["columns"], {"name": "note"}], "max_held_ratio": 1.0}
    assert command(shop, 2, command="register_contract", contract=wider).status == "loaded"
    again = command(shop, 3, command="replay", upload_id=wrong.upload_id)
    assert (again.status, again.counts.held) == ("loaded", 2)
    assert shop.rows("SELECT replay_of FROM teal.uploads WHERE upload_id = $id", {"id": again.upload_id}) == [
        (wrong.upload_id,)
    ]


def test_a_changed_type_is_refused_with_the_reason(shop):
    contract = {"name": "marks", "key": ["id"], "columns": [{"name": "id"}, {"name": "n", "type": "integer"}]}
    command(shop, 1, command="register_contract", contract=contract)
    contract["columns"][1]["type"] = "text"
    outcome = command(shop, 2, command="register_contract", contract=contract)
    assert (outcome.status, outcome.reason_code) == ("held", "contract")


def test_a_rollback_brings_back_what_was_and_the_same_bytes_can_come_again(shop):
    body = ORDERS + "2,2024-01-02,c2,20,\n"
    first = shop.upload("orders", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    was = shop.rows("SELECT * FROM teal.order_totals")
    second = shop.upload("orders", "b.csv", body)
    assert command(shop, 1, command="rollback", snapshot=first.snapshot_id).status == "loaded"
    assert shop.rows("SELECT order_id FROM orders") == [("1",)]
    assert shop.rows("SELECT * FROM teal.order_totals") == was
    assert shop.ingest(UploadedObject("inbox", "inbox/shop/orders/b.csv")).status == "skipped"
    with shop.reader.pin(second.snapshot_id) as lake:
        assert lake.duck.value("SELECT count(*) FROM orders") == 2
    assert shop.upload("orders", "c.csv", body).status == "loaded"
    assert shop.rows("SELECT count(*) FROM orders") == [(2,)]


# --- real input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_the_six_day_files_give_the_same_lake_in_any_order_twice_and_at_once(tmp_path, seed):
    import random

    files = sorted((SAMPLES / "by_day").glob("*.csv.gz"))
    straight = shop_in(tmp_path / "straight")
    for file in files:
        straight.upload("auto", file.name, file)
    mixed = [shop_in(tmp_path / "mixed") for _ in range(2)]
    todo = files * 2
    random.Random(seed).shuffle(todo)
    uploads = [mixed[0].put("auto", f"{i}-{file.name}", file) for i, file in enumerate(todo)]
    failures = []

    def work(shop, mine):
        try:
            for upload in mine:
                assert adds_up(shop.ingest(upload))
        except BaseException as error:
            failures.append((error, error.__cause__))

    threads = [threading.Thread(target=work, args=(shop, uploads[i::2])) for i, shop in enumerate(mixed)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for table in ("orders", "order_items", "customers", "products", "teal.order_totals"):
        assert mixed[0].rows(f"SELECT * FROM {table} ORDER BY ALL") == straight.rows(
            f"SELECT * FROM {table} ORDER BY ALL"
        )


def test_a_file_whose_header_decides_says_where_its_rows_are(shop):
    shop.upload("auto", "a.csv", ORDERS + "1,2024-01-01,c1,10,\n")
    shop.upload("orders", "b.csv", ORDERS + "2,2024-01-01,c1,10,\n")
    notes = dict(shop.rows("SELECT dataset, notes FROM teal.uploads"))
    assert (json.loads(notes["auto"]), json.loads(notes["orders"])) == (["The rows are in orders."], [])
