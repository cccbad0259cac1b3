"""A held file says what is wrong with it: its report, its held rows, its counts and its notes tell the same story."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.api_shop import ApiShop, api_shop_in, code_of

ORDERS = "order_id,ordered_at,country,currency,total\n"
TWO_OF_THREE = ORDERS + "1,2024-01-01,DE,EUR,much\n2,2024-01-02,,EUR,5\n3,yesterday,DE,EUR,7\n"
"""Row 1 has no total, row 3 no date; row 2 is good, and lacks a country."""


@pytest.fixture
def api(tmp_path: Path) -> ApiShop:
    return api_shop_in(tmp_path)


def sent(api: ApiShop, body: str | bytes, *, dataset: str = "orders", name: str = "o.csv") -> dict[str, Any]:
    """The state of an upload that was sent, whatever became of it."""
    answer = api.client.post(f"/v1/uploads?dataset={dataset}&filename={name}", content=body).json()
    told: dict[str, Any] = api.client.get(f"/v1/uploads/{answer['upload_id']}").json()
    return told


def report(api: ApiShop, told: dict[str, Any]) -> dict[str, Any]:
    answer = api.client.get(f"/v1/uploads/{told['upload_id']}/quality")
    assert answer.status_code == 200, answer.text
    return {one["dataset"]: one for one in answer.json()["datasets"]}


def held(api: ApiShop, told: dict[str, Any], **asked: Any) -> list[tuple[Any, ...]]:
    """Place, column, rule and text of every held row, in the order in which they are told."""
    rows, after = [], {}
    while True:
        page = api.client.get(f"/v1/uploads/{told['upload_id']}/held", params={**asked, **after}).json()
        rows += [(row["row"], row["column"], row["rule"], row["text"]) for row in page["rows"]]
        if page["next"] is None:
            return rows
        after = {"cursor": page["next"]}


# --- the report of a file that is held as a whole ---------------------------------------------------------------------


def test_a_file_with_too_many_bad_rows_has_a_report_that_says_what_is_wrong(api):
    told = sent(api, TWO_OF_THREE)
    assert (told["status"], told["reason_code"]) == ("held", "too_many_held")
    found = report(api, told)["orders"]
    counts = {name: found[name] for name in ("received", "valid", "accepted", "held", "duplicate")}
    assert counts == {"received": 3, "valid": 1, "accepted": 0, "held": 3, "duplicate": 0}
    assert found["missing_references"] is None, "nobody looked: the rows are not in the lake"
    measures = found["measures"]
    assert measures["total"] == {"missing": 0, "invalid": 1, "rules": {"type": 1}}
    assert measures["ordered_at"] == {"missing": 0, "invalid": 1, "rules": {"type": 1}}
    assert measures["country"] == {"missing": 1, "invalid": 0, "rules": {}}


def test_valid_rows_of_a_loaded_file_are_those_that_break_no_rule(api):
    told = sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n1,2024-01-01,DE,EUR,1\n2,2024-01-01,DE,EUR,2\n3,no,DE,EUR,1\n")
    found = report(api, told)["orders"]
    assert [found[name] for name in ("received", "valid", "accepted", "held", "duplicate")] == [4, 3, 2, 1, 1]


def test_a_file_that_goes_into_several_datasets_has_a_report_of_each(api):
    lines = "order_id,ordered_at,quantity,unit_price,customer_id\n"
    told = sent(api, lines + "1,2024-01-01,1,2,c\n2,2024-01-01,1.5,2,c\n3,2024-01-01,many,2,c\n", dataset="auto")
    assert (told["status"], told["source"], told["held"]) == ("held", "order_lines", 3)
    found = report(api, told)
    assert found["order_items"]["measures"]["quantity"]["rules"] == {"type": 2}
    assert {name: (one["valid"], one["accepted"]) for name, one in found.items() if one["received"]} == {
        "order_items": (1, 0),
        "orders": (1, 0),
        "customers": (1, 0),
    }


def test_a_file_that_is_held_for_another_reason_has_a_report_too(api):
    body = "order_id,ordered_at,total,discount\na,2024-01-01,99999999999999,99999999999999\nb,2024-01-01,1,1\n"
    told = sent(api, body)
    assert (told["reason_code"], told["held"]) == ("amount_too_large", 2)
    found = report(api, told)["orders"]
    assert (found["received"], found["valid"], found["accepted"], found["held"]) == (2, 2, 0, 2)


@pytest.mark.parametrize(
    ("body", "reason_code", "said"),
    [
        (b"%PDF-1.7 no table", "unreadable", "a PDF document"),
        ("colour,weight\nred,3\n", "unknown_columns", "colour"),
        ("order_id,ordered_at\n1,03/04/2024\n2,05/06/2024\n", "ambiguous_dates", "ordered_at"),
    ],
)
def test_a_file_whose_rows_could_not_be_judged_says_that_it_has_no_report(api, body, reason_code, said):
    told = sent(api, body)
    assert told["reason_code"] == reason_code
    answer = api.client.get(f"/v1/uploads/{told['upload_id']}/quality")
    assert code_of(answer) == (404, "no_report")
    assert "No row of the file could be judged" in answer.json()["detail"]
    assert said in answer.json()["detail"]


def test_what_was_never_judged_says_so(api):
    first = sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n")
    again = sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n", name="again.csv")
    assert again["status"] == "skipped"
    waiting = api.client.post("/v1/uploads", json={"dataset": "orders", "filename": "o.csv"}).json()
    reasons = {}
    for name, upload_id, asked in (
        ("skipped", again["upload_id"], ""),
        ("waiting", waiting["upload_id"], ""),
        ("earlier", first["upload_id"], f"?snapshot={first['snapshot'] - 1}"),
    ):
        answer = api.client.get(f"/v1/uploads/{upload_id}/quality{asked}")
        assert code_of(answer) == (404, "no_report")
        reasons[name] = answer.json()["detail"]
    assert first["upload_id"] in reasons["skipped"]
    assert "not been looked at yet" in reasons["waiting"]
    assert "came after this snapshot" in reasons["earlier"]


def test_a_held_file_leaves_the_reports_of_datasets_as_they_are(api):
    sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n2,2024-02-01,DE,EUR,2\n", name="good.csv")
    before = api.client.get("/v1/datasets/orders").json()
    bad = sent(api, TWO_OF_THREE.replace("2024", "2030"), name="bad.csv")
    assert report(api, bad)["orders"]["newest_at"].startswith("2030-01-02")
    after = api.client.get("/v1/datasets/orders").json()
    for name in ("rows", "newest_at", "updated_at", "uploads", "quality"):
        assert after[name] == before[name], name


# --- held rows, their count and the ledger ----------------------------------------------------------------------------


def test_good_rows_that_are_held_with_bad_ones_come_after_them_with_the_reason(api):
    told = sent(api, TWO_OF_THREE)
    assert told["held"] == 3
    rows = held(api, told)
    assert rows == [
        (1, "total", "type", "much"),
        (3, "ordered_at", "type", "yesterday"),
        (2, "", "too_many_held", None),
    ]
    assert held(api, told, limit=1) == rows
    text = api.client.get(f"/v1/uploads/{told['upload_id']}/held?format=csv").text
    assert [row["rule"] for row in csv.DictReader(io.StringIO(text))] == ["type", "type", "too_many_held"]


def test_a_row_that_breaks_two_rules_is_told_once_by_the_first(api):
    told = sent(api, ORDERS + "1,2024-01-01,DE,EUR,5\n2,2024-01-01,DE,EUR,5\n3,yesterday,DE,Euro,much\n")
    assert (told["status"], told["held"]) == ("loaded", 1)
    assert held(api, told) == [(3, "ordered_at", "type", "yesterday")]


def test_copies_are_held_too_when_the_file_is(api):
    body = ORDERS + "1,2024-01-01,DE,EUR,1\n1,2024-01-01,DE,EUR,1\n" + "".join(f"{n},x,DE,EUR,1\n" for n in range(2, 6))
    told = sent(api, body)
    assert [told[name] for name in ("received", "accepted", "held", "duplicate")] == [6, 0, 6, 0]
    assert [row[0] for row in held(api, told)] == [3, 4, 5, 6, 1, 2]


@pytest.mark.parametrize("rows", [2, 3])
def test_a_clean_file_that_is_held_lists_every_row_with_its_place(api, rows):
    body = "order_id,ordered_at,total,discount\n" + "".join(f"{n},2024-01-01,1,1\n" for n in range(1, rows))
    told = sent(api, body + "a,2024-01-01,99999999999999,99999999999999\n")
    assert (told["reason_code"], told["held"]) == ("amount_too_large", rows)
    assert held(api, told) == [(n, "", "amount_too_large", None) for n in range(1, rows + 1)]


def test_rows_made_for_another_dataset_are_held_beside_the_count_with_a_note(api):
    lines = "order_id,ordered_at,quantity,unit_price,currency\n"
    told = sent(api, lines + "1,2024-01-01,1,2,EUR\n2,2024-01-01,1,2,Euros\n3,2024-01-01,x,2,EUR\n", dataset="auto")
    assert [told[name] for name in ("status", "received", "accepted", "held")] == ["loaded", 3, 2, 1]
    assert held(api, told) == [(3, "quantity", "type", "x"), (None, "currency", "pattern", "Euros")]
    notes = [note for note in told["notes"] if "orders" in note and "held" in note]
    assert notes == ["1 row made for orders is held; it has no row number and no part in the counts."]


def test_held_rows_that_expired_are_not_taken_for_none(api):
    told = sent(api, TWO_OF_THREE)
    api.shop.store.delete(f"lake/shop/held/{told['upload_id']}.parquet")
    answer = api.client.get(f"/v1/uploads/{told['upload_id']}/held")
    assert code_of(answer) == (404, "held_rows_expired")
    unreadable = sent(api, b"%PDF-1.7 no table")
    assert (unreadable["held"], held(api, unreadable)) == (0, [])


def test_what_a_lost_attempt_left_behind_is_no_part_of_a_skipped_upload(api):
    sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n")
    bad = sent(api, TWO_OF_THREE)
    again = sent(api, ORDERS + "1,2024-01-01,DE,EUR,1\n", name="again.csv")
    body, _ = api.shop.store.get(f"lake/shop/held/{bad['upload_id']}.parquet")
    api.shop.store.put(f"lake/shop/held/{again['upload_id']}.parquet", body)
    assert (again["status"], held(api, again)) == ("skipped", [])
