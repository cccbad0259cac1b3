"""``teal erase``: asked before it is done, told as a receipt, and done once."""

from __future__ import annotations

import pytest

from tests.functions.test_cli import ORDERS, Teal

CUSTOMERS = "customer_id,email\nc1,one@example.org\nc2,two@example.org\n"


@pytest.fixture
def teal(tmp_path) -> Teal:
    made = Teal(tmp_path / "lake")
    made("upload", made.file("orders.csv", ORDERS), "--dataset", "orders")
    made("upload", made.file("customers.csv", CUSTOMERS), "--dataset", "customers")
    return made


def test_a_person_is_erased_once_and_admitted_again(teal):
    assert "Stopped" in teal("erase", "c1", code=130), "nobody was there to say yes"
    (first,) = teal.json("erase", "c1", "--yes")
    (again,) = teal.json("erase", "c1", "--yes")
    assert (first["status"], again["status"]) == ("erased", "already erased")
    assert first["datasets"] == {
        "customers": {"deleted": 1, "anonymised": 0},
        "orders": {"deleted": 0, "anonymised": 1},
    }
    (listed,) = teal.json("erasures")
    assert (listed["upload_id"], listed["gone_at"]) == (first["upload_id"], None)
    assert teal.json("erase", "c1", "--readmit")[0]["status"] == "readmitted"
    assert "unknown_customer" in teal("erase", "c1000", "--yes", code=2)


def test_maintenance_says_what_is_left(teal):
    assert "Inbox files that mention the person: 2 deleted, 0 kept" in teal("erase", "c1", "--yes")
    assert "older snapshots" in teal("tidy")
