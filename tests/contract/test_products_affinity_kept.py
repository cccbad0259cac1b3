"""Pairs counted by the schedule answer exactly what counting now answers, and say which snapshot they are of."""

from __future__ import annotations

from random import Random

import pytest

from shared.fit_models import FitModels
from shared.fitted.baskets import BasketModel
from shared.sessions import Sessions
from tests.web import Web, web_of

LINES = "order_id,line_id,product_id,quantity,unit_price\n"


def upload(web: Web, first: int, count: int, seed: int) -> None:
    random = Random(seed)
    orders, lines = "order_id,ordered_at,customer_id,country,status\n", LINES
    for order in range(first, first + count):
        status = random.choice(["paid", "paid", "paid", "cancelled"])
        orders += f"{order},2024-01-{1 + order % 28:02},c{order % 9},{random.choice(['DE', 'FR'])},{status}\n"
        basket = {int(random.triangular(0, 30, 3)) for _ in range(random.randint(1, 6))}
        basket |= {41, 42} if random.random() < 0.3 else set()
        for place, product in enumerate(sorted(basket)):
            lines += f"{order},{place},p{product},{random.choice([1, 2, -1])},3\n"
        if order % 50 == 0:
            lines += "".join(f"{order},{200 + n},p{n},1,3\n" for n in range(120))
    web.shop.upload("orders", f"o{first}.csv", orders)
    web.shop.upload("order_items", f"l{first}.csv", lines)


def fit(web: Web):
    session = Sessions(web.shop.writer.open_duck, lambda duck: None)
    report = FitModels(lambda tenant: web.shop.writer, session, (BasketModel(),))("shop")
    assert (report.problems, report.served) == ([], ["baskets all"])
    web.fresh()
    return report


@pytest.fixture
def web(tmp_path):
    made = web_of(tmp_path)
    upload(made, 0, 600, 3)
    return made


def asked(web: Web, **parameters):
    answer = web.client.get("/v1/products/affinity", params=parameters)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    return told["counted"], [told.get(name) for name in ("all_orders", "least_orders", "left_out_orders", "rows")]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"min_support": "0.02", "min_lift": "1.3", "sort": "leverage"},
        {"min_orders": 9, "min_support": 0, "min_confidence": 0, "min_lift": 0, "sort": "conviction"},
        {"product": ["p41", "p2"], "min_confidence": "0.2"},
        {"min_support": "0.9"},
    ],
)
def test_kept_pairs_are_those_counted_now(web, parameters):
    snapshot = fit(web).snapshot
    counted, kept = asked(web, **parameters)
    assert counted["snapshot"] == snapshot
    nothing, now = asked(web, **parameters, live=True)
    assert nothing is None
    assert kept == now
    if now[3]:
        assert now[0] > 300
        assert now[2] > 0, "some orders are too large to be looked at"


@pytest.mark.parametrize(
    "parameters",
    [
        {"min_orders": 3, "min_support": 0},
        {"max_len": 3},
        {"max_basket": 50},
        {"country": "DE"},
        {"kind": "all"},
        {"from": "2024-01-03"},
        {"customers": "guest"},
        {"category": "x"},
        {"customer": "c1"},
    ],
)
def test_what_was_not_kept_is_counted_now(web, parameters):
    before = asked(web, **parameters)
    fit(web)
    assert asked(web, **parameters) == before
    assert before[0] is None


def test_what_came_after_the_count_is_in_the_next_one(web):
    first = fit(web).snapshot
    upload(web, 1_000, 200, 4)
    counted, old = asked(web)
    assert counted["snapshot"] == first
    assert asked(web, live=True)[1] != old
    assert fit(web).snapshot > first
    assert asked(web)[1] == asked(web, live=True)[1]


def test_nothing_was_sold(tmp_path):
    made = web_of(tmp_path)
    made.shop.upload("orders", "1.csv", "order_id,ordered_at,total\n1,2024-01-01,5\n")
    fit(made)
    assert asked(made)[1][3] == []
