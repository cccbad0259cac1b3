"""Market baskets: by hand, against every set of small random shops, and against mlxtend on Online Retail."""

from __future__ import annotations

import csv as csv_files
import json
from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
CASES = {
    "pairs": {"min_support": "0.01"},
    "sets": {"min_support": "0.01", "min_confidence": "0.5", "min_lift": "10", "max_len": 4, "max_basket": 10_000},
    "germany": {
        "min_support": "0.02", "min_confidence": "0.25", "min_lift": "1.5", "max_len": 3, "max_basket": 10_000,
        "country": "Germany",
    },
}  # fmt: skip
"""As tests/oracles/affinity.py has them; for `pairs` our defaults are the same."""


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


@pytest.mark.parametrize("name", CASES)
def test_rules_of_online_retail_are_those_that_mlxtend_finds(retail, name):
    with (ROOT / "tests/oracles/affinity.csv").open() as file:
        expected = {
            (row["antecedent"], row["consequent"]): row for row in csv_files.DictReader(file) if row["case"] == name
        }
    rows = retail.rows("products/affinity", **CASES[name])
    assert len(rows) == len(expected)
    for row in rows:
        other = expected[" ".join(row["antecedent"]), row["consequent"]]
        for count in ("set_orders", "antecedent_orders", "consequent_orders", "all_orders"):
            assert row[count] == int(other[count])
        for measure in ("confidence", "lift", "leverage", "conviction"):
            got = Decimal("inf") if row[measure] is None else Decimal(row[measure])
            assert got == pytest.approx(Decimal(other[measure]), abs=Decimal("0.000002"))


def test_sales_of_all_products_of_online_retail_add_up_to_the_published_ones(retail):
    totals = json.loads((ROOT / "tests/data/expected/online_retail/totals.json").read_text())["totals"]
    cases = [("gross", "all", "gross_sales"), ("gross_product", "goods", "gross_sales"), ("net", "all", "net_sales")]
    for name, kind, column in cases:
        rows = retail.rows("products/performance", kind=kind)
        published = Decimal(str(totals[name]["revenue"]))
        assert sum(Decimal(row[column]) for row in rows) == pytest.approx(published, abs=Decimal("0.01"))


# --- by hand ---------------------------------------------------------------------------------------------------------


def shop(folder: Path, baskets: list[str], **columns: list[str]) -> Web:
    """An order per word, with a line per letter; a capital is a return."""
    web = web_of(folder)
    named = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    orders = [
        {"order_id": f"o{number}", "ordered_at": "2024-01-01", **(named[number] if named else {})}
        for number in range(len(baskets))
    ]
    lines = [
        {
            "order_id": f"o{number}",
            "product_id": letter.lower(),
            "quantity": -1 if letter.isupper() else 1,
            "unit_price": 1,
        }
        for number, basket in enumerate(baskets)
        for letter in basket
    ]
    web.shop.upload("orders", "o.csv", _csv(orders))
    web.shop.upload("order_items", "i.csv", _csv(lines))
    web.fresh()
    return web


EVERY = {"min_support": "0", "min_orders": 1, "min_confidence": "0", "min_lift": "0"}


def test_one_rule_by_hand(tmp_path):
    # a in 4 of 10 orders, b in 5, both in 3.
    web = shop(tmp_path, ["ab", "ab", "ab", "a", "b", "b", "c", "c", "c", "c"])
    rows = web.rows("products/affinity", **EVERY)
    assert [(row["antecedent"], row["consequent"]) for row in rows] == [(["a"], "b"), (["b"], "a")]
    assert rows[0] == {
        "antecedent": ["a"], "antecedent_names": [None], "consequent": "b", "consequent_name": None, "set_orders": 3,
        "antecedent_orders": 4, "consequent_orders": 5, "all_orders": 10,
        "support": "0.300000",  # 3 / 10
        "confidence": "0.750000",  # 3 / 4
        "lift": "1.500000",  # 3 × 10 / (4 × 5)
        "leverage": "0.100000",  # 3 / 10 − 4 × 5 / 100
        "conviction": "2.000000",  # (1 − 5 / 10) / (1 − 3 / 4)
    }  # fmt: skip


@pytest.mark.parametrize(
    ("baskets", "threshold", "is_reached"),
    [
        # Lift 1 exactly: 1 × 25 / (5 × 5); of binary shares 0.04 / (0.2 × 0.2) it is 0.9999999999999998.
        (["ab", *["a"] * 4, *["b"] * 4, *["c"] * 16], {"min_lift": "1"}, True),
        (["ab", *["a"] * 4, *["b"] * 4, *["c"] * 16], {"min_lift": "1.000001"}, False),
        # Lift 1.1 exactly: 11 × 100 / (20 × 50); of binary shares 1.0999999999999999.
        ([*["ab"] * 11, *["a"] * 9, *["b"] * 39, *["c"] * 41], {"min_lift": "1.1"}, True),
        ([*["ab"] * 11, *["a"] * 9, *["b"] * 39, *["c"] * 41], {"min_lift": "1.100001"}, False),
        # Support 0.07 of 100 orders is 7 of them; in binary 0.07 × 100 is 7.000000000000001, and would need 8.
        ([*["ab"] * 7, *["c"] * 93], {"min_support": "0.07"}, True),
        ([*["ab"] * 7, *["c"] * 94], {"min_support": "0.07"}, False),  # 7.07 orders
        # Support 0.29 of 100: in binary 28.999999999999996.
        ([*["ab"] * 28, *["c"] * 72], {"min_support": "0.29"}, False),
        # Confidence 0.6 exactly: 3 of 5.
        ([*["ab"] * 3, *["a"] * 2, *["b"] * 2], {"min_confidence": "0.6"}, True),
        ([*["ab"] * 3, *["a"] * 2, *["b"] * 2], {"min_confidence": "0.600000001"}, False),
        (["ab", "ab", "ab", "c"], {"min_orders": "3"}, True),
        (["ab", "ab", "ab", "c"], {"min_orders": "4"}, False),
    ],
)
def test_a_threshold_is_reached_by_what_is_exactly_equal_to_it(tmp_path, baskets, threshold, is_reached):
    web = shop(tmp_path, baskets)
    assert len(web.rows("products/affinity", **{**EVERY, **threshold})) == (2 if is_reached else 0)


def test_an_order_holds_a_product_once_and_only_by_a_sale(tmp_path):
    # Capitals are returns.
    rows = shop(tmp_path, ["aaab", "aB", "bA"]).rows("products/affinity", **EVERY)
    assert [(row["set_orders"], row["antecedent_orders"], row["consequent_orders"]) for row in rows] == [(1, 2, 2)] * 2
    assert {row["all_orders"] for row in rows} == {3}


def test_guests_count_and_cancelled_orders_do_not(tmp_path):
    web = shop(
        tmp_path, ["ab", "ab", "ab", "a"],
        customer_id=["ann", "", "bob", ""], status=["paid", "paid", "cancelled", "paid"],
        currency=["EUR", "USD", "USD", ""],
    )  # fmt: skip
    rows = web.rows("products/affinity", **EVERY)
    assert (rows[0]["set_orders"], rows[0]["all_orders"]) == (2, 3)
    known = web.rows("products/affinity", **EVERY, customers="known")
    assert (known[0]["set_orders"], known[0]["all_orders"]) == (1, 1)


def test_orders_of_too_many_products_are_left_out_everywhere_and_counted(tmp_path):
    web = shop(tmp_path, ["ab", "abc", "a"])
    body = web.client.get("/v1/products/affinity", params={**EVERY, "max_basket": 2}).json()
    assert (body["all_orders"], body["left_out_orders"], body["least_orders"]) == (2, 1, 1)
    assert [(row["consequent"], row["set_orders"], row["all_orders"]) for row in body["rows"]] == [
        ("b", 1, 2),
        ("a", 1, 2),
    ]


def test_rules_can_be_asked_by_what_is_given(tmp_path):
    web = shop(tmp_path, ["ab", "ac", "abc"])
    rows = web.rows("products/affinity", **EVERY, product=["b", "x"], max_len=3)
    assert {(*row["antecedent"], row["consequent"]) for row in rows} == {
        ("b", "a"), ("b", "c"), ("a", "b", "c"), ("b", "c", "a"),
    }  # fmt: skip


# --- against every set -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("max_len", [2, 3, 4])
def test_every_rule_of_a_random_shop_is_found_and_no_other(tmp_path, seed, max_len):
    random = Random(seed)
    baskets = ["".join(random.sample("abcdefgh", random.randrange(1, 7))) for _ in range(80)]
    asked = {"min_support": "0.1", "min_orders": 2, "min_confidence": "0.4", "min_lift": "1.05", "max_len": max_len}
    rows = shop(tmp_path, baskets).rows("products/affinity", **asked, max_basket=5)
    got = {(*row["antecedent"], row["consequent"]): row["set_orders"] for row in rows}
    assert len(got) == len(rows)
    assert got == _rules([set(basket) for basket in baskets if len(basket) <= 5], asked)
    lifts = [
        Fraction(row["set_orders"] * row["all_orders"], row["antecedent_orders"] * row["consequent_orders"])
        for row in rows
    ]
    assert lifts == sorted(lifts, reverse=True)


def _rules(baskets: list[set[str]], asked: dict[str, Any]) -> dict[tuple[str, ...], int]:
    counts: dict[tuple[str, ...], int] = defaultdict(int)
    for basket in baskets:
        for length in range(1, asked["max_len"] + 1):
            for found in combinations(sorted(basket), length):
                counts[found] += 1
    rules = {}
    for found, count in counts.items():
        for last in found if len(found) > 1 else ():
            given = tuple(letter for letter in found if letter != last)
            confidence = Fraction(count, counts[given])
            lift = confidence / Fraction(counts[last,], len(baskets))
            if Fraction(count, len(baskets)) < Fraction(asked["min_support"]) or count < asked["min_orders"]:
                continue
            if confidence >= Fraction(asked["min_confidence"]) and lift >= Fraction(asked["min_lift"]):
                rules[*given, last] = count
    return rules


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "what"), [("MAX_PAIRS", "pairs of products"), ("MAX_LARGER", "larger sets")])
def test_more_than_can_be_counted_is_refused_with_what_to_change(tmp_path, monkeypatch, limit, what):
    web = shop(tmp_path, ["abcd"] * 3)
    asked = {**EVERY, "max_len": 4}
    assert len(web.rows("products/affinity", **asked)) == 28  # 12 of pairs, 12 of threes, 4 of fours
    # Eighteen pairs are to count, and as many memberships in pairs to write down.
    monkeypatch.setattr(f"shared.datasets.questions.products_affinity.{limit}", 17)
    answer = web.client.get("/v1/products/affinity", params={**asked, "sort": "support"})
    assert (answer.status_code, answer.json()["code"]) == (422, "limit_exceeded")
    assert f"18 {what}" in answer.json()["detail"]
    assert "min_support" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["max_len=5", "max_len=1", "min_support=1.5", "min_lift=-1", "max_basket=1", "currency=EUR", "sort=colour"]
)
def test_what_cannot_be_asked_is_refused(retail, path):
    answer = retail.client.get(f"/v1/products/affinity?{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def _csv(rows: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"
