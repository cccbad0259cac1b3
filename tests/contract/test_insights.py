"""Insights: hand-worked shops for each kind, in plain Python beside them, and what is told and refused."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.insights_shop import BEFORE, NOW, Orders, asked, entropy, follow, tail
from tests.web import Web, web_of

WINDOW = {"from": "2024-04-02", "to": "2024-07-01"}
MODELLED = {"win_back", "anomaly", "forecast_below"}


@pytest.fixture(scope="module")
def moved(tmp_path_factory) -> Web:
    """Forty products of 20 orders in each window, beside one that rises, one that falls, one that speeds up."""
    shop = Orders()
    for number in range(40):
        for start in (BEFORE, NOW):
            shop.many(20, start, 90, [(f"p{number}", 1, "5")])
    shop.many(15, BEFORE, 90, [("up", 1, "10")])
    shop.many(60, NOW, 75, [("up", 1, "10")])
    shop.many(12, NOW + timedelta(days=75), 15, [("up", 1, "10")])
    shop.many(80, BEFORE, 90, [("down", 2, "10.5")])
    shop.many(30, NOW, 90, [("down", 1, "10.5")])
    shop.many(20, BEFORE, 90, [("late", 1, "7")])
    shop.many(5, NOW, 75, [("late", 1, "7")])
    shop.many(18, NOW + timedelta(days=75), 15, [("late", 2, "7")])
    # What has no sales: it must change nothing.
    shop.many(200, NOW, 90, [("down", 1, "10.5")], status="cancelled")
    return shop.web(tmp_path_factory.mktemp("moved"))


ORDERS_NOW = {"up": 72, "down": 30, "late": 23, "edge": 1}
ORDERS_BEFORE = {"up": 15, "down": 80, "late": 20, "edge": 1}


def beside(product: str) -> tuple[int, int]:
    """Orders of all other products in the window and in the one before."""
    now, before = (
        800 + sum(count for name, count in counts.items() if name != product) for counts in (ORDERS_NOW, ORDERS_BEFORE)
    )
    return now, before


def test_a_product_that_falls(moved):
    (row,) = asked(moved, "falling")
    now, before = beside("down")
    share = min(now / (now + before), 0.5)
    expected = 80 * 2 * 10.5 * share / (1 - share) - 30 * 10.5
    assert row["subject_ids"] == ["down"]
    assert row["subject_names"] == ["Product down"]
    assert float(row["money_at_stake"]) == pytest.approx(expected, abs=1e-4)
    assert row["evidence"]["counts"] == {"orders": 30, "orders_before": 80}
    assert row["evidence"]["amounts"] == {"net_sales": "315.0000", "net_sales_before": "1680.0000"}
    assert row["evidence"]["rates"]["growth_of_others"] == pytest.approx(now / before - 1, abs=1e-6)
    assert row["evidence"]["rates"]["chance"] == pytest.approx(43 * math.exp(-entropy(30, 110, share)), rel=1e-9)
    assert row["title"] == ("Falling: Product down had 30 orders, 80 before; net sales 315.00 EUR, 1,680.00 EUR before")
    assert (row["period_from"], row["period_to"]) == ("2024-04-02", "2024-07-01")
    detail = follow(moved, row)["rows"][0]
    assert (detail["net_sales"], detail["net_sales_previous"]) == ("315.0000", "1680.0000")


def test_a_product_that_rises(moved):
    (row,) = asked(moved, "rising")
    now, before = beside("up")
    share = max(now / (now + before), 0.5)
    assert row["subject_ids"] == ["up"]
    assert float(row["money_at_stake"]) == pytest.approx(720 - 150 * share / (1 - share), abs=1e-4)
    assert row["evidence"]["rates"]["chance"] == pytest.approx(43 * math.exp(-entropy(72, 87, share)), rel=1e-9)


def test_the_bound_of_chance_is_above_the_exact_probability(moved):
    (row,) = asked(moved, "rising")
    now, before = beside("up")
    share = max(now / (now + before), 0.5)
    exact = 43 * tail(72, 87, share)
    assert exact < row["evidence"]["rates"]["chance"] < 20 * exact
    assert asked(moved, "rising", significance=row["evidence"]["rates"]["chance"] / 2) == []


def test_a_product_that_sells_faster_at_the_end(moved):
    rows = asked(moved, "restock")
    assert [row["subject_ids"] for row in rows] == [["late"]]
    (row,) = rows
    assert row["money_at_stake"] == "252.0000"
    assert row["evidence"]["counts"] == {
        "orders_recent": 18, "orders_earlier": 5, "units_recent": 36, "recent_days": 15,
    }  # fmt: skip
    assert (row["period_from"], row["period_to"]) == ("2024-06-16", "2024-07-01")
    # Of forty products with 20 orders each, three or four lie in the last 15 of 90 days: (n + 0.5) × 4.5 ≥ 75.
    recent = 40 * sum((number + 0.5) * 4.5 >= 75 for number in range(20)) + 12 + 1
    recent += sum((number + 0.5) * 3 >= 75 for number in range(30))
    share = max(recent / beside("late")[0], 15 / 90)
    assert row["evidence"]["rates"]["expected_orders_recent"] == pytest.approx(23 * share, abs=1e-6)
    assert row["evidence"]["rates"]["chance"] == pytest.approx(43 * math.exp(-entropy(18, 23, share)), rel=1e-9)


def test_rows_are_ranked_by_money_and_limited_by_kind_money_and_orders(moved):
    answer = moved.client.get("/v1/insights").json()
    rows = answer["rows"]
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    money = [Decimal(row["money_at_stake"]) for row in rows]
    assert money == sorted(money, reverse=True)
    assert {row["kind"] for row in rows} == {"rising", "falling", "restock", "dependency"}
    assert answer["windows"] == {"from": "2024-04-02", "to": "2024-07-01", "before_from": "2024-01-03"}
    assert answer["currency"] == "EUR"
    assert {left["kind"] for left in answer["left_out"]} == MODELLED
    assert moved.rows("insights", min_money="700") == [row for row in rows if Decimal(row["money_at_stake"]) >= 700]
    assert asked(moved, "falling", min_orders=111) == []
    assert moved.rows("insights", kind=["rising", "falling"], top=1) == [
        {**row, "rank": place} for place, row in enumerate((r for r in rows if r["kind"] in ("rising", "falling")), 1)
    ]
    assert moved.rows("insights", **WINDOW) == rows
    assert moved.rows("insights", window_days=90, to="2030-01-01") == rows
    for row in rows:
        assert follow(moved, row)["rows"]


def test_a_window_that_nothing_comes_before_compares_nothing(moved):
    answer = moved.client.get("/v1/insights", params={"window_days": 120}).json()
    compared = {"rising", "falling", "retire", "discount_leakage"}
    assert {left["kind"] for left in answer["left_out"]} == MODELLED | compared
    assert {row["kind"] for row in answer["rows"]} <= {"restock", "dependency", "price_outlier", "cross_sell"}


@pytest.mark.parametrize(
    "parameters",
    [
        {"window_days": 30, "from": "2024-05-01"},
        {"window_days": 367},
        {"from": "2020-01-01"},
        {"from": "2024-08-01"},
        {"kind": "luck"},
        {"significance": 0},
    ],
)
def test_parameters_that_cannot_be_answered(moved, parameters):
    answer = moved.client.get("/v1/insights", params=parameters)
    assert answer.status_code in (400, 422)
    assert next(iter(parameters)) in answer.text


def test_products_that_come_back(tmp_path):
    shop = Orders()
    for number in range(10):
        for start in (BEFORE, NOW):
            shop.many(20, start, 90, [(f"p{number}", 1, "5")])
    shop.many(4, NOW, 90, [("p1", -1, "5")])
    for name in ("bad", "loved"):
        shop.many(30 if name == "bad" else 10, BEFORE, 90, [(name, 1, "20")])
        shop.many(28, NOW, 90, [(name, 1, "20")])
        shop.many(15, NOW, 90, [(name, -1, "20")])
    web = shop.web(tmp_path)
    rows = asked(web, "retire")
    # Both come back, but one of them sells more and more.
    assert [row["subject_ids"] for row in rows] == [["bad"]]
    counts, rates = rows[0]["evidence"]["counts"], rows[0]["evidence"]["rates"]
    assert rows[0]["money_at_stake"] == "300.0000"
    assert counts == {
        "orders": 28, "orders_before": 30, "returning_orders": 15, "units": 28, "returned_units": 15,
    }  # fmt: skip
    others = (4 + 15) / (4 + 15 + 200 + 28 + 1)
    assert rates["expected_returning_orders"] == pytest.approx(43 * others, abs=1e-6)
    assert rates["chance"] == pytest.approx(12 * math.exp(-entropy(15, 43, others)), rel=1e-9)
    assert follow(web, rows[0])["rows"][0]["returns"] == "-300.0000"


def test_discounts_without_more_units(tmp_path):
    shop = Orders()
    for start, off in ((BEFORE, 3), (NOW, 20)):
        # Of forty orders of each so many are at a tenth off; of one product that sells twice the units.
        shop.many(off, start, 90, [("leak", 2, "10", "2")], country="DE")
        shop.many(40 - off, start, 90, [("leak", 2, "10")], country="DE")
        uplift = 1 if start == BEFORE else 3
        shop.many(off, start, 90, [("works", uplift, "10", "1")], country="FR")
        shop.many(40 - off, start, 90, [("works", uplift, "10")], country="FR")
    shop.many(40, BEFORE, 90, [("other", 1, "1")], channel="web")
    shop.many(20, NOW, 90, [("other", 1, "1")], channel="web")
    shop.many(20, NOW, 90, [("other", 1, "1")], channel="web", discount="0.5")
    web = shop.web(tmp_path)
    rows = asked(web, "discount_leakage")
    assert [(row["subject_type"], row["subject_ids"]) for row in rows] == [
        ("country", ["DE"]), ("product", ["leak"]), ("channel", ["web"]),
    ]  # fmt: skip
    product, channel = rows[1], rows[2]
    # 40 of 800 beyond the usual 6 of 800.
    assert product["money_at_stake"] == "34.0000"
    assert product["evidence"]["amounts"] == {
        "discounts": "40.0000", "discounts_before": "6.0000", "gross_sales": "800.0000",
        "gross_sales_before": "800.0000",
    }  # fmt: skip
    # Products: leak, works, other; countries: DE, FR; channel: web.
    assert product["evidence"]["rates"]["chance"] == pytest.approx(6 * math.exp(-entropy(20, 23, 0.5)), rel=1e-9)
    assert channel["money_at_stake"] == "10.0000"
    for row in rows:
        assert follow(web, row)["rows"]


@pytest.mark.parametrize(("units", "others"), [(44, 160), (36, 20)])
def test_discounts_with_more_units_or_a_larger_share_of_them_are_no_leak(tmp_path, units, others):
    shop = Orders()
    shop.many(40, BEFORE, 90, [("tea", 1, "10")])
    shop.many(units, NOW, 90, [("tea", 1, "10", "1")])
    shop.many(40, BEFORE, 90, [("salt", 1, "1")])
    shop.many(others, NOW, 90, [("salt", 1, "1")])
    assert asked(shop.web(tmp_path), "discount_leakage") == []


def test_prices_far_below_the_usual(tmp_path):
    shop = Orders()
    for number in range(20):
        shop.add(NOW + timedelta(days=number), [("steady", 1, "10"), ("varied", 3, str(10 + number % 5))])
    shop.add(NOW + timedelta(days=30), [("steady", 4, "2.5"), ("varied", 2, "1")])
    shop.add(NOW + timedelta(days=31), [("varied", 1, "99")])
    # Five lines are too few to say what is usual.
    shop.many(4, NOW, 30, [("rare", 1, "10")])
    shop.add(NOW, [("rare", 1, "1")])
    web = shop.web(tmp_path)
    rows = asked(web, "price_outlier")
    assert [row["subject_ids"] for row in rows] == [["steady"], ["varied"]]
    steady, varied = rows
    # (10 − 2.5) × 4, and (12 − 1) × 2.
    assert steady["money_at_stake"] == "30.0000"
    assert varied["money_at_stake"] == "22.0000"
    assert varied["evidence"]["counts"] == {"lines": 22, "lines_below": 1, "lines_above": 1, "units_below": 2}
    assert varied["evidence"]["amounts"] == {"median_price": "12.0000", "lowest_price": "1.0000"}
    # Of |price − 12|: 0, 1 and 2 as often as the prices 12, 11 and 13, 10 and 14; the middle ones of all 22 are 1.
    assert varied["evidence"]["rates"]["lowest_score"] == pytest.approx(0.6745 * (1 - 12) / 1, abs=1e-6)
    # All but one price of steady are equal: 7.5 / 21 on the mean.
    assert steady["evidence"]["rates"]["lowest_score"] == pytest.approx(-7.5 / (1.253314 * 7.5 / 21), abs=1e-6)
    assert follow(web, varied)["rows"][0]["price_points"]


def test_pairs_that_go_together_and_who_lacks_the_other(tmp_path):
    shop = Orders()
    shop.many(30, NOW, 90, [("tea", 1, "4"), ("cup", 2, "6", "2")], "both{}")
    shop.many(20, NOW, 90, [("tea", 1, "4")], "tea{}")
    shop.many(5, BEFORE, 90, [("cup", 1, "5")], "tea{}")
    shop.many(9, NOW, 90, [("tea", 1, "4")])
    shop.many(141, NOW, 90, [("salt", 1, "1")], "salt{}")
    web = shop.web(tmp_path)
    (row,) = asked(web, "cross_sell")
    # Twenty bought tea alone, five of them the cup in the window before; guests are nobody.
    confidence, price = 30 / 59, (30 * 12 - 60) / 60
    assert row["subject_ids"] == ["tea", "cup"]
    assert row["evidence"]["counts"] == {
        "customers": 15, "orders_with_both": 30, "orders_with_first": 59, "orders_with_second": 30, "orders": 201,
    }  # fmt: skip
    assert row["evidence"]["amounts"] == {"mean_price_of_second": f"{price:.4f}"}
    assert float(row["money_at_stake"]) == pytest.approx(15 * confidence * price, abs=1e-4)
    rates = row["evidence"]["rates"]
    assert rates["lift"] == pytest.approx(30 * 201 / (59 * 30), abs=1e-6)
    # Three products are in ten orders or more: six ways to pair them.
    assert rates["chance"] == pytest.approx(6 * math.exp(-entropy(30, 59, 30 / 201)), rel=1e-9)
    found = [rule["consequent"] for rule in follow(web, row)["rows"]]
    assert found == ["cup"]


def test_what_much_hangs_on(tmp_path):
    shop = Orders()
    for number in range(120):
        shop.add(NOW + timedelta(hours=number), [(f"p{number}", 1, "10")], f"c{number}")
    shop.add(NOW, [("p0", 1, "190")], "c0")
    shop.add(NOW, [("p1", 1, "400")], "")
    web = shop.web(tmp_path)
    rows = asked(web, "dependency")
    # 1,200 + 190 + 400 + 1 of the edge in the window: c0 has 200, the guest is nobody.
    assert [(row["subject_type"], row["subject_ids"]) for row in rows] == [
        ("product", ["p1"]), ("customer", ["c0"]), ("product", ["p0"]),
    ]  # fmt: skip
    customer = rows[1]
    assert customer["money_at_stake"] == "200.0000"
    assert customer["subject_names"] == ["Name of c0"]
    assert customer["evidence"]["counts"] == {"orders": 2, "members": 120}
    assert customer["evidence"]["rates"] == {
        "share": round(200 / 1791, 6),
        "share_of_ten": round(290 / 1791, 6),
        "share_of_one_percent": round(200 / 1791, 6),
        "hhi": pytest.approx((200**2 + 119 * 100) / 1791**2, abs=1e-6),
    }
    assert follow(web, customer)["rows"][0]["customer_id"] == "c0"


def test_half_of_everything_from_ten_of_a_hundred(tmp_path):
    shop = Orders()
    for number in range(120):
        shop.add(NOW + timedelta(hours=number), [("p", 1, "120" if number < 10 else "10")], f"c{number:03}")
    web = shop.web(tmp_path)
    (row,) = asked(web, "dependency")
    assert row["subject_type"] == "customers"
    assert row["subject_ids"] == [f"c{number:03}" for number in range(10)]
    assert row["subject_names"] == [f"Name of c{number:03}" for number in range(10)]
    assert row["money_at_stake"] == "1200.0000"
    assert row["evidence"]["rates"]["share_of_ten"] == pytest.approx(1200 / 2301, abs=1e-6)


def test_currencies_are_never_added(tmp_path):
    shop = Orders()
    shop.many(40, BEFORE, 90, [("tea", 1, "10")])
    shop.many(12, NOW, 90, [("tea", 1, "10")])
    shop.many(40, BEFORE, 180, [("salt", 1, "1")])
    shop.many(40, BEFORE, 180, [("tea", 1, "900")], currency="USD")
    web = shop.web(tmp_path)
    refused = web.client.get("/v1/insights")
    assert (refused.status_code, refused.json()["code"]) == (400, "mixed_currencies")
    # Also where nothing was found.
    refused = web.client.get("/v1/insights", params={"kind": "price_outlier"})
    assert (refused.status_code, refused.json()["code"]) == (400, "mixed_currencies")
    (row,) = asked(web, "falling", currency="eur")
    assert row["evidence"]["amounts"] == {"net_sales": "120.0000", "net_sales_before": "400.0000"}
    assert asked(web, "falling", currency="USD") == []


def test_an_empty_shop_has_no_insights(tmp_path):
    web = web_of(tmp_path)
    assert web.rows("insights") == []
    shop = Orders()
    web = shop.web(tmp_path / "edges")
    assert web.rows("insights") == []


def test_every_format_has_the_evidence(moved):
    as_csv = moved.client.get("/v1/insights", params={"kind": "falling", "format": "csv"}).text
    assert '""orders_before"":80' in as_csv
    for name in ("parquet", "arrow"):
        assert moved.client.get("/v1/insights", params={"format": name}).status_code == 200
