"""Recommendations: scores against plain Python on a random shop, and what happens where there is little to learn."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from math import sqrt
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.web import Web, web_of

Order = tuple[str, str, set[str]]
"""Day, customer ("" is a guest), products."""


def shop(folder: Path, orders: list[Order]) -> Web:
    """A shop with these orders."""
    web = web_of(folder)
    heads = ["order_id,ordered_at,customer_id", *(f"o{n},{day},{who}" for n, (day, who, _) in enumerate(orders))]
    lines = ["order_id,product_id,quantity,unit_price"]
    lines += [f"o{n},{product},2,9.99" for n, (_, _, products) in enumerate(orders) for product in sorted(products)]
    # A second line of the same product, a return and a fee: none of them is another interaction.
    lines += [f"o{n},{min(products)},1,1\no{n},back,-1,1" for n, (_, _, products) in enumerate(orders)]
    lines += ["o0,post,1,5"]
    web.shop.upload("products", "p.csv", "product_id,name,category,kind\np1,First,toys,goods\npost,Postage,,fee\n")
    web.shop.upload("orders", "o.csv", "\n".join(heads) + "\n")
    web.shop.upload("order_items", "i.csv", "\n".join(lines) + "\n")
    web.fresh()
    return web


def random_orders(seed: int) -> list[Order]:
    """Somewhat over 1,000 interactions of 60 customers and of guests; customers keep to their taste."""
    random, orders = Random(seed), []
    for _ in range(330):
        number = random.randrange(80)
        taste = [f"p{product}" for product in range(24) if (product + number) % 4 or random.random() < 0.2]
        day = f"2024-{random.randrange(1, 13):02}-{random.randrange(1, 29):02}"
        orders.append((day, f"c{number}" if number < 60 else "", set(random.sample(taste, random.randrange(2, 7)))))
    return orders


ORDERS = random_orders(5)


@pytest.fixture(scope="module")
def random_shop(tmp_path_factory) -> Web:
    assert sum(len(products) for _, _, products in ORDERS) > 1_000
    return shop(tmp_path_factory.mktemp("random"), ORDERS)


def vectors(by: str) -> dict[str, set[Any]]:
    """Of each product, who bought it, or the numbers of the orders that hold it."""
    found: dict[str, set[Any]] = defaultdict(set)
    for number, (_, who, products) in enumerate(ORDERS):
        for product in products:
            if by == "orders" or who:
                found[product].add(number if by == "orders" else who)
    return found


def cosines(own: list[str], by: str) -> dict[str, tuple[float, int, str]]:
    """Score, how many it rests on, and the nearest of the own ones: every pair is compared."""
    made, found = vectors(by), {}
    for product, mine in made.items():
        pairs = {
            other: len(mine & made[other]) / sqrt(len(mine) * len(made[other])) for other in own if other != product
        }
        if not pairs:
            continue
        together = len(mine & set().union(*(made[other] for other in pairs)))
        nearest = min(pairs, key=lambda other: (-round(pairs[other], 12), other))
        found[product] = (sum(pairs.values()), together, nearest)
    return found


def check(rows: list[dict[str, Any]], expected: dict[str, tuple[float, int, str]], least: int) -> None:
    """These rows and no others, best first."""
    expected = {product: score for product, score in expected.items() if score[1] >= least}
    assert {row["product_id"] for row in rows} == expected.keys()
    for row in rows:
        score, together, because = expected[row["product_id"]]
        assert float(row["score"]) == pytest.approx(score, abs=1e-6)
        assert (row["together"], row["because"]) == (together, because)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))


@pytest.mark.parametrize("by", ["customers", "orders"])
@pytest.mark.parametrize("own", [["p3"], ["p1", "p2", "p9"]])
@pytest.mark.parametrize("least", [1, 12])
def test_similar_products_go_by_their_cosines(random_shop, by, own, least):
    rows = random_shop.rows(
        "products/recommendations", type="similar", product=own, by=by, min_together=least, count=100, fill=False
    )
    expected = {product: score for product, score in cosines(own, by).items() if product not in own}
    check(rows, expected, least)
    assert {row["rule"] for row in rows} == {"similar"}


@pytest.mark.parametrize("exclude", [True, False])
@pytest.mark.parametrize("customer", ["c1", "c7", "c30"])
def test_a_customer_gets_what_is_nearest_to_everything_bought(random_shop, customer, exclude):
    own = sorted(set().union(*(products for _, who, products in ORDERS if who == customer)))
    expected = cosines(own, "customers")
    asked = {"type": "for_customer", "customer": customer, "count": 100, "fill": False, "min_together": 1}
    rows = random_shop.rows("products/recommendations", **asked, exclude_purchased=exclude)
    check(rows, {name: score for name, score in expected.items() if not (exclude and name in own)}, 1)


@pytest.mark.parametrize("own", [["p3"], ["p1", "p2"]])
def test_bought_together_is_more_often_than_by_chance(random_shop, own):
    orders = [products for _, _, products in ORDERS]
    with_own = [products for products in orders if products & set(own)]
    near = cosines(own, "orders")
    expected = {}
    for product in near.keys() - set(own):
        together = sum(product in products for products in with_own)
        share = Fraction(together, len(with_own))
        if share > Fraction(sum(product in products for products in orders), len(orders)):
            expected[product] = (float(share), together, near[product][2])
    rows = random_shop.rows("products/recommendations", type="bought_together", product=own, count=100, fill=False)
    assert 0 < len(expected) < 23
    check(rows, expected, 3)


def test_what_was_bought_most_often_is_bought_again_and_of_equal_ones_the_last(random_shop):
    bought: dict[str, list[str]] = defaultdict(list)
    for day, who, products in ORDERS:
        for product in products if who == "c7" else ():
            bought[product].append(day)
    expected = sorted(sorted(bought), key=lambda name: (len(bought[name]), max(bought[name])), reverse=True)
    # Python's sort is stable, but reverse keeps equal ones in their order: by id, as ours.
    rows = random_shop.rows("products/recommendations", type="buy_again", customer="c7", count=100, fill=False)
    assert [(row["product_id"], row["together"]) for row in rows] == [(name, len(bought[name])) for name in expected]
    assert {row["rule"] for row in rows} == {"buy_again"}


def test_popular_products_are_in_most_orders(random_shop):
    counts: dict[str, int] = defaultdict(int)
    for _, _, products in ORDERS:
        for product in products:
            counts[product] += 1
    expected = sorted(sorted(counts), key=lambda name: -counts[name])
    rows = random_shop.rows("products/recommendations", type="popular", count=5)
    assert [(row["product_id"], row["together"]) for row in rows] == [(name, counts[name]) for name in expected[:5]]
    assert float(rows[0]["score"]) == pytest.approx(counts[expected[0]] / len(ORDERS), abs=1e-6)
    assert {row["rule"] for row in rows} == {"popular"}
    own = set().union(*(products for _, who, products in ORDERS if who == "c7"))
    others = random_shop.rows("products/recommendations", type="popular", count=100, customer="c7", product="p1")
    assert {row["product_id"] for row in others} == counts.keys() - own - {"p1"}


def test_popular_products_fill_up_and_every_row_says_its_rule(random_shop):
    asked = {"type": "similar", "product": "p1", "count": 10, "min_together": 15}
    alone = random_shop.rows("products/recommendations", **asked, fill=False)
    filled = random_shop.rows("products/recommendations", **asked)
    assert 0 < len(alone) < 10
    assert filled[: len(alone)] == alone
    assert [row["rule"] for row in filled] == ["similar"] * len(alone) + ["popular"] * (10 - len(alone))
    assert len({row["product_id"] for row in filled}) == 10
    assert {row["because"] for row in filled[len(alone) :]} == {None}


# --- too little to learn from ----------------------------------------------------------------------------------------


def small(interactions: int, repeat_customers: int) -> list[Order]:
    """Orders of two products and more, by customers of whom so many order twice."""
    orders: list[Order] = []
    for number in range(repeat_customers):
        orders += [("2024-01-01", f"c{number}", {"p1", "p2"}), ("2024-01-02", f"c{number}", {"p1", "p3"})]
    left = interactions - sum(len(products) for _, _, products in orders)
    pairs, odd = divmod(left, 2)
    baskets = [{"p1", "p2"}, {"p4", "p5"}]
    orders += [("2024-01-03", f"once{number}", baskets[number % 2]) for number in range(pairs)]
    return orders + [("2024-01-03", "", {"p2"})] * odd


@pytest.mark.parametrize(
    ("interactions", "repeat_customers", "is_enough"), [(1_000, 25, True), (999, 25, False), (1_000, 24, False)]
)
@pytest.mark.parametrize("kind", ["similar", "bought_together", "for_customer"])
def test_below_1000_interactions_or_25_repeat_customers_popular_products_stand_in(
    tmp_path, interactions, repeat_customers, is_enough, kind
):
    web = shop(tmp_path, small(interactions, repeat_customers))
    asked = {"type": kind, "product": "p1", "customer": "once0", "exclude_purchased": False, "min_together": 1}
    body = web.client.get("/v1/products/recommendations", params=asked).json()
    assert (body["interactions"], body["repeat_customers"]) == (interactions, repeat_customers)
    rules = {row["rule"] for row in body["rows"]}
    if is_enough:
        assert kind in rules
        assert body["fallback"] is None
    else:
        assert rules == {"popular"}
        assert f"{interactions:,} interactions and {repeat_customers} customers" in body["fallback"]
        assert kind in body["fallback"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"type": "similar", "product": "unheard"}, "nothing of what was asked for was sold"),
        ({"type": "for_customer", "customer": "stranger"}, "the customer bought nothing"),
        ({"type": "buy_again", "customer": "stranger"}, "the customer bought nothing"),
        ({"type": "similar", "product": "p1", "min_together": 999_999, "fill": False}, "min_together"),
    ],
)
def test_what_a_rule_does_not_know_falls_back_and_says_why(random_shop, asked, reason):
    body = random_shop.client.get("/v1/products/recommendations", params=asked).json()
    assert reason in body["fallback"]
    assert {row["rule"] for row in body["rows"]} == {"popular"}


def test_an_empty_shop_recommends_nothing(tmp_path):
    assert web_of(tmp_path).rows("products/recommendations", type="popular") == []


@pytest.mark.parametrize(
    "path",
    ["", "type=similar", "type=buy_again", "type=luck", "type=popular&count=101", "type=popular&customer=a&customer=b"],
)
def test_what_cannot_be_asked_is_refused(random_shop, path):
    answer = random_shop.client.get(f"/v1/products/recommendations?{path}")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
