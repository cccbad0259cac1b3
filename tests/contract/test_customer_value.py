"""Lifetime value and churn risk: CDNOW's published fit out of a lake, historic values, refusals, and what is told."""

from __future__ import annotations

import csv
import gzip
import math
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from shared.fit_models import FitModels
from shared.fitted.lifetime import LifetimeModel
from shared.sessions import Sessions
from tests.models.shop import CDNOW
from tests.web import Web, web_of

HEADER = "order_id,ordered_at,customer_id,currency,total\n"
END = date(1997, 9, 30)


def fitting(web: Web, **rules) -> FitModels:
    session = Sessions(web.shop.writer.open_duck, lambda duck: None)
    return FitModels(lambda tenant: web.shop.writer, session, (LifetimeModel(),), **rules)


def fit(web: Web):
    report = fitting(web)("shop")
    assert report.problems == []
    web.fresh()
    return report


def histories_of_cdnow() -> list[dict[str, str]]:
    with gzip.open(CDNOW / "customers.csv.gz", "rt") as file:
        return list(csv.DictReader(file))


def cdnow_orders() -> list[tuple[str, date, float]]:
    """Purchases with the x, t_x and T of CDNOW's customers in whole days; those between are on any days."""
    orders = []
    for row in histories_of_cdnow():
        x, last, age = int(row["x"]), round(float(row["t_x"]) * 7), round(float(row["T"]) * 7)
        first = END - timedelta(days=age)
        assert x <= last or x == 0
        between = [round((place + 1) * last / x) for place in range(x)]
        days = sorted({0, *between})
        days = days if len(days) == x + 1 else [0, *range(last - x + 1, last + 1)]
        value = float(row["zbar"]) or 10
        orders += [(row["ID"], first + timedelta(days=day), value if day else 30.0) for day in days]
    return orders


@pytest.fixture(scope="module")
def cdnow(tmp_path_factory):
    web = web_of(tmp_path_factory.mktemp("cdnow"))
    orders = cdnow_orders()
    body = "".join(f"{n},{day.isoformat()},{customer},USD,{value}\n" for n, (customer, day, value) in enumerate(orders))
    # Somebody without a name buys on the last day, so that the data ends where CDNOW's observation does.
    assert web.shop.upload("orders", "cdnow.csv", f"{HEADER}{body}guest,{END.isoformat()},,USD,1\n").status == "loaded"
    assert fit(web).served == ["lifetime USD"]
    return web


def test_parameters_are_those_published_for_cdnow(cdnow):
    told = cdnow.client.get("/v1/customers/clv", params={"limit": 1}).json()["model"]
    found = told["purchases"]["parameters"]
    assert found["r"] == pytest.approx(0.243, rel=0.005)
    assert found["alpha"] / 7 == pytest.approx(4.414, rel=0.005)
    assert found["a"] == pytest.approx(0.793, rel=0.005)
    assert found["b"] == pytest.approx(2.426, rel=0.005)
    # Of days instead of weeks: every repeat's density is a seventh.
    repeats = sum(int(row["x"]) for row in histories_of_cdnow())
    assert told["purchases"]["log_likelihood"] + repeats * math.log(7) == pytest.approx(-9582.4, abs=0.1)
    assert told["values"]["parameters"]["p"] == pytest.approx(6.25, rel=0.005)
    assert told["values"]["parameters"]["q"] == pytest.approx(3.74, rel=0.005)
    assert told["values"]["parameters"]["v"] == pytest.approx(15.45, rel=0.005)
    assert (told["snapshot"], told["until"], told["customers"]) == (2, END.isoformat(), 2357)


def test_customers_are_alive_and_buy_as_the_formulas_say(cdnow):
    model = cdnow.client.get("/v1/customers/clv", params={"limit": 1}).json()["model"]
    r, alpha, a, b = (model["purchases"]["parameters"][name] for name in ("r", "alpha", "a", "b"))
    p, q, v = (model["values"]["parameters"][name] for name in ("p", "q", "v"))
    history = {row["ID"]: row for row in histories_of_cdnow()}
    for customer in ("1516", "1", "3", "2357"):
        row = cdnow.rows("customers/clv", customer=customer, horizon=30, discount=0)[0]
        x = int(history[customer]["x"])
        last, age, mean = (float(history[customer][name]) for name in ("t_x", "T", "zbar"))
        last, age = round(last * 7), round(age * 7)
        odds = a / (b + x - 1) * ((alpha + age) / (alpha + last)) ** (r + x) if x else 0.0
        assert row["alive"] == pytest.approx(1 / (1 + odds), abs=2e-6)
        z = 30 / (alpha + age + 30)
        series = sum(
            math.exp(
                math.lgamma(r + x + k) - math.lgamma(r + x) + math.lgamma(b + x + k) - math.lgamma(b + x)
                - math.lgamma(a + b + x - 1 + k) + math.lgamma(a + b + x - 1) - math.lgamma(k + 1)
            ) * z**k
            for k in range(400)
        )  # fmt: skip
        bought = (a + b + x - 1) / (a - 1) * (1 - ((alpha + age) / (alpha + age + 30)) ** (r + x) * series) / (1 + odds)
        assert row["expected_orders"] == pytest.approx(bought, rel=1e-4)
        worth = p * (v + x * mean) / (p * x + q - 1)
        assert float(row["expected_order_value"]) == pytest.approx(worth, rel=1e-4)
        assert float(row["lifetime_value"]) == pytest.approx(bought * worth, rel=2e-4)
        assert row["expected_orders_low"] <= row["expected_orders"] <= row["expected_orders_high"] + 1
    # Fader, Hardie, Lee 2005: customer 1516 is expected to buy 25.76 times in the 39 weeks that follow.
    assert 25.76 < cdnow.rows("customers/clv", customer="1516", horizon=365)[0]["expected_orders"] < 25.76 * 365 / 273


def test_a_purchase_that_comes_later_is_worth_less(cdnow):
    from shared.models.bgnbd import BgNbd, probability_alive
    from shared.models.histories import histories
    from shared.models.purchases import continuous_discount, expected_purchases

    told = cdnow.client.get("/v1/customers/clv", params={"customer": "1516", "discount": 25, "horizon": 730}).json()
    row = told["rows"][0]
    people = histories([26], [216.0], [217.0])
    model = BgNbd(**told["model"]["purchases"]["parameters"])
    exact = expected_purchases(model, people, probability_alive(model, people), 730, continuous_discount(0.25, 365.25))
    found = float(row["lifetime_value"]) / float(row["expected_order_value"])
    assert found == pytest.approx(float(exact[0]), rel=0.004)
    plain = cdnow.rows("customers/clv", customer="1516", discount=0, horizon=730, margin="12.5")[0]
    assert float(plain["lifetime_value"]) == pytest.approx(float(row["expected_revenue"]) / 8, abs=0.01)


def test_tiers_are_quarters_and_rows_are_by_value(cdnow):
    rows = cdnow.rows("customers/clv", discount=0)
    values = [Decimal(row["lifetime_value"]) for row in rows]
    assert values == sorted(values, reverse=True)
    counts = [sum(row["tier"] == tier for row in rows) for tier in (1, 2, 3, 4)]
    assert sum(counts) == 2357
    # Many customers bought once on the same day and are equal, so a quarter may hold more.
    assert all(row["tier"] <= later["tier"] for row, later in pairwise(rows))
    assert cdnow.rows("customers/clv", tier="1", limit=10_000) == cdnow.rows("customers/clv")[: counts[0]]


def test_churn_risk_is_one_minus_alive_and_says_whom_to_win_back(cdnow):
    alive = {row["customer_id"]: row for row in cdnow.rows("customers/clv", horizon=365, discount=0)}
    rows = cdnow.rows("customers/churn-risk", min_risk=0.3, max_risk=0.9)
    at_risk = [Decimal(row["value_at_risk"]) for row in rows]
    assert rows
    assert at_risk == sorted(at_risk, reverse=True)
    for row in rows[:50]:
        of = alive[row["customer_id"]]
        assert 0.3 <= row["churn_risk"] <= 0.9
        assert row["churn_risk"] == pytest.approx(1 - of["alive"], abs=2e-6)
        if_alive = float(of["expected_revenue"]) / of["alive"]
        assert float(row["revenue_if_alive"]) == pytest.approx(if_alive, rel=1e-3)
        assert float(row["value_at_risk"]) == pytest.approx(row["churn_risk"] * if_alive, rel=1e-3)
        assert row["days_since"] == (END - date.fromisoformat(row["last_order"])).days


def test_the_model_was_tried_on_days_held_out(cdnow):
    told = cdnow.client.get("/v1/customers/clv", params={"limit": 1}).json()["model"]["backtest"]
    days = sorted((customer, day) for customer, day, _ in cdnow_orders())
    first = min(day for _, day in days)
    held_out = min(365, int(((END - first).days + 1) * 0.25))
    start = END - timedelta(days=held_out)
    known = {customer for customer, day in days if day <= start}
    assert (told["days"], told["held_out_from"]) == (held_out, (start + timedelta(days=1)).isoformat())
    assert told["customers"] == len(known)
    assert told["purchases"] == sum(day > start and customer in known for customer, day in days)
    assert told["rmse"] < told["naive_rmse"]


SMALL = HEADER + (
    "1,2024-01-01,a,EUR,10\n2,2024-01-05,a,EUR,30\n3,2024-01-05,a,EUR,5\n4,2024-01-07,b,EUR,100\n"
    "5,2024-01-08,c,USD,7\n6,2024-01-09,,EUR,1000\n7,2024-01-09,b,EUR,-20\n"
)


@pytest.fixture
def web(tmp_path):
    return web_of(tmp_path)


def test_historic_value_is_net_sales_to_date(web):
    web.shop.upload("orders", "1.csv", SMALL)
    rows = web.rows("customers/clv", type="historic", currency="eur", margin=50)
    assert [(row["customer_id"], row["net_sales"], row["lifetime_value"], row["tier"]) for row in rows] == [
        ("b", "80.0000", "40.0000", 1),
        ("a", "45.0000", "22.5000", 3),
    ]
    assert (rows[1]["first_order"], rows[1]["last_order"]) == ("2024-01-01", "2024-01-05")
    answer = web.client.get("/v1/customers/clv", params={"type": "historic"})
    assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    assert "EUR, USD" in answer.json()["detail"]


def test_nothing_is_foretold_before_a_fit_or_from_too_little(web):
    web.shop.upload("orders", "1.csv", SMALL)
    answer = web.client.get("/v1/customers/clv")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_missing")
    report = fit(web)
    assert (report.served, report.refused) == (["lifetime EUR"], ["lifetime USD"])
    answer = web.client.get("/v1/customers/clv")
    assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    for question in ("clv", "churn-risk"):
        answer = web.client.get(f"/v1/customers/{question}", params={"currency": "USD"})
        assert (answer.status_code, answer.json()["code"]) == (422, "model_refused")
        assert answer.json()["reason"] == "no_repeats"
        answer = web.client.get(f"/v1/customers/{question}", params={"currency": "CHF"})
        assert (answer.status_code, answer.json()["code"]) == (422, "model_refused")
    # One repeat customer is enough for purchases, not for values.
    told = web.client.get("/v1/customers/clv", params={"currency": "EUR"}).json()
    assert told["model"]["values"] == {"refused": "too_few_repeat_customers"}
    assert [row["lifetime_value"] for row in told["rows"]] == [None, None]


def test_a_model_that_loses_to_a_naive_one_is_not_served(web):
    """Everybody buys every day: going on at one's own rate is right, and no model of people who leave is better."""
    body = "".join(
        f"{customer}-{day},{date(2024, 1, 1) + timedelta(days=day)},{customer},EUR,{10 + day % 3}\n"
        for customer in range(30)
        for day in range(120)
    )
    # Nobody comes for a while, then all come back: a model sees them leave.
    away = (f",2024-02-{day}," for day in range(10, 30)), (f",2024-03-{day:02}," for day in range(1, 29))
    gone = {day for days in away for day in days}
    body = "".join(line for line in body.splitlines(keepends=True) if not any(day in line for day in gone))
    web.shop.upload("orders", "1.csv", HEADER + body)
    report = fit(web)
    assert (report.served, report.refused) == ([], ["lifetime EUR"])
    answer = web.client.get("/v1/customers/clv")
    assert (answer.status_code, answer.json()["code"]) == (422, "model_refused")
    assert answer.json()["reason"] == "worse_than_naive"
    facts = answer.json()["facts"]["backtest"]
    assert facts["rmse"] > facts["naive_rmse"]


def test_models_are_fitted_when_sales_changed_and_only_then(web):
    web.shop.upload("orders", "1.csv", SMALL)
    models = fitting(web)
    assert models("shop").snapshot == 2
    assert models("shop").snapshot is None
    assert models("shop", anyway=True).snapshot == 3
    web.shop.upload("customers", "1.csv", "customer_id,name\na,Ann\n")
    assert models("shop").snapshot is None
    web.shop.upload("orders", "2.csv", HEADER + "9,2024-02-01,b,EUR,3\n")
    assert models("shop").snapshot == 6


def test_the_same_snapshot_gives_the_same_model(cdnow):
    old = cdnow.client.get("/v1/customers/clv", params={"limit": 5})
    snapshot = old.json()["snapshot"]
    cdnow.shop.upload("orders", "more.csv", f"{HEADER}new,1997-10-05,1,USD,99\n")
    assert fit(cdnow).snapshot == snapshot + 1
    again = cdnow.client.get("/v1/customers/clv", params={"limit": 5, "snapshot": snapshot})
    assert again.json() | {"next": None} == old.json() | {"next": None}
    now = cdnow.client.get("/v1/customers/clv", params={"limit": 5}).json()
    assert (now["model"]["snapshot"], now["model"]["until"]) == (snapshot + 1, "1997-10-05")


def test_names_are_for_those_who_may_see_them(cdnow):
    cdnow.shop.upload("customers", "1.csv", "customer_id,name\n1516,Jane Doe\n")
    assert cdnow.rows("customers/churn-risk", customer="1516")[0]["label"] == "Jane Doe"


def test_customer_detail_says_what_the_model_expects(cdnow):
    of = cdnow.rows("customers/clv", customer="1516")[0]
    answer = cdnow.client.get("/v1/customers/detail", params={"customer": "1516"}).json()
    for name in ("alive", "expected_orders", "lifetime_value", "tier"):
        assert answer["rows"][0][name] == of[name], name
    assert answer["model"]["name"] == "lifetime"
    nobody = cdnow.client.get("/v1/customers/detail", params={"customer": "1516", "currency": "EUR"}).json()
    assert (nobody["model"], nobody["rows"][0]["alive"]) == (None, None)


def test_what_is_given_back_on_the_day_lowers_its_value(web):
    """Somebody who sends back the same day all that was ordered spent nothing then."""
    days = [
        (customer, day, value)
        for customer in "abcdefgh"
        for day, value in ((1, 20), (9, 30), (15 + ord(customer) % 5, 25))
    ]
    body = "".join(f"{c}{d},2024-01-{d:02},{c},EUR,{v + ord(c) % 7}\n" for c, d, v in days)
    web.shop.upload(
        "orders",
        "1.csv",
        HEADER + body + "x1,2024-01-02,x,EUR,10\nx2,2024-01-12,x,EUR,90000\nx3,2024-01-12,x,EUR,-90000\n",
    )
    fit(web)
    told = web.client.get("/v1/customers/clv", params={"horizon": 30}).json()
    assert (told["model"]["values"]["customers"], told["model"]["customers"]) == (8, 9)
    worth = {row["customer_id"]: float(row["expected_order_value"]) for row in told["rows"]}
    assert worth["x"] < 50


def test_customers_are_valued_some_at_a_time(web, monkeypatch):
    bought = [(who, place) for who in range(60) for place in range(1 + who % 4)]
    body = "".join(
        f"{who}-{place},2024-{1 + (place * 2 + who) % 3:02}-{1 + who % 27:02},{who},EUR,{who + 5}\n"
        for who, place in bought
    )
    web.shop.upload("orders", "1.csv", HEADER + body)
    fit(web)
    together = web.rows("customers/clv")
    monkeypatch.setattr("shared.fitted.lifetime.AT_ONCE", 7)
    assert fitting(web)("shop", anyway=True).served == ["lifetime EUR"]
    web.fresh()
    assert web.rows("customers/clv") == together
    assert len(together) == 60
