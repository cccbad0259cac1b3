"""Insights that rest on a fit: the numbers of the questions behind them, who may see names, and what is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from shared.fit_models import FitModels
from shared.fitted.lifetime import LifetimeModel
from shared.fitted.series import AnomalyModel, ForecastModel
from shared.keys import Keys
from shared.sessions import Sessions
from tests.insights_shop import asked, follow
from tests.lines_shop import csv_of
from tests.shop import TENANT
from tests.web import Web, web_of

START = datetime(2021, 1, 1, tzinfo=UTC)
END = datetime(2024, 1, 1, tzinfo=UTC)


def fit(web: Web, *models) -> list[str]:
    session = Sessions(web.shop.writer.open_duck, lambda duck: None)
    report = FitModels(lambda tenant: web.shop.writer, session, models)(TENANT)
    assert report.problems == []
    web.fresh()
    return report.served


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    """Customers who come at their own rates and leave; guests, fewer each year; a dreadful day at the end."""
    random = Random(5)
    orders = []
    for customer in range(250):
        at = START + timedelta(days=700 + 300 * random.random())
        mean_days, value = random.choice([20, 40, 90]), random.choice([8, 15, 40])
        while at < END:
            orders.append((at, f"c{customer}", value * random.uniform(0.7, 1.3)))
            if random.random() < 0.15:
                break
            at += timedelta(days=random.expovariate(1 / mean_days))
    for day in range((END - START).days):
        at = START + timedelta(days=day, hours=12)
        busy = (2000 - day) * (1.3 if at.weekday() < 5 else 0.8) * random.uniform(0.97, 1.03)
        orders.append((at, "", busy * (0.05 if day == (END - START).days - 5 else 1)))
    rows = [
        {
            "order_id": number, "ordered_at": at.isoformat(), "customer_id": customer, "country": "DE",
            "currency": "EUR", "total": f"{value:.2f}",
        }
        for number, (at, customer, value) in enumerate(sorted(orders))
    ]  # fmt: skip
    web = web_of(tmp_path_factory.mktemp("fitted"))
    customers = [{"customer_id": f"c{number}", "name": f"Name {number}"} for number in range(250)]
    assert web.shop.upload("customers", "customers.csv", csv_of(customers)).status == "loaded"
    assert web.shop.upload("orders", "orders.csv", csv_of(rows)).status == "loaded"
    web.fresh()
    assert set(fit(web, LifetimeModel(), ForecastModel(), AnomalyModel())) >= {
        "lifetime EUR", "forecast EUR", "anomalies EUR",
    }  # fmt: skip
    return web


def test_whom_to_win_back_is_the_churn_risk_of_known_customers(web):
    rows = asked(web, "win_back", top=100)
    risks = {row["customer_id"]: row for row in web.rows("customers/churn-risk", min_risk=0.5, max_risk=0.95)}
    expected = [key for key, row in risks.items() if row["purchase_days"] >= 2]
    assert [row["subject_ids"] for row in rows] == [[key] for key in expected][:100]
    assert rows
    for row in rows:
        of = risks[row["subject_ids"][0]]
        risk, if_alive = of["churn_risk"], float(of["revenue_if_alive"])
        assert float(row["money_at_stake"]) == pytest.approx(risk * if_alive, abs=1e-3)
        assert row["evidence"]["rates"] == {"churn_risk": risk}
        assert row["evidence"]["amounts"]["net_sales_to_date"] == of["net_sales"]
        assert row["evidence"]["counts"] == {
            "purchase_days": of["purchase_days"], "days_since_last": of["days_since"],
        }  # fmt: skip
        assert (row["period_from"], row["period_to"]) == ("2024-01-01", "2024-12-31")
    assert follow(web, rows[0])["rows"][0]["value_at_risk"] == rows[0]["money_at_stake"]


def test_names_are_for_those_who_may_see_them(web):
    shown = asked(web, "win_back", top=1)[0]
    assert shown["subject_names"] == [f"Name {shown['subject_ids'][0][1:]}"]
    token = Keys(web.shop.store).create(TENANT, ("read",)).token
    answer = web.client.get("/v1/insights?kind=win_back&top=1", headers={"Authorization": f"Bearer {token}"})
    hidden = answer.json()["rows"][0]
    assert hidden == {**shown, "subject_names": [None]}
    assert "Name" not in answer.text


def test_a_dreadful_day_is_an_anomaly(web):
    rows = asked(web, "anomaly")
    day = (END - timedelta(days=5)).date().isoformat()
    assert [day] in [row["subject_ids"] for row in rows]
    assert rows[0]["subject_ids"] == [day]
    (told,) = follow(web, rows[0])["rows"]
    assert (told["period"], told["direction"]) == (day, "below")
    assert float(rows[0]["money_at_stake"]) == pytest.approx(float(told["expected"]) - float(told["actual"]), abs=0.01)
    listed = {row["period"] for row in web.rows("sales/anomalies", **{"from": "2023-12-18", "to": "2024-01-01"})}
    assert {row["subject_ids"][0] for row in rows} == listed


def test_months_that_are_expected_to_be_worse_than_a_year_ago(web):
    rows = asked(web, "forecast_below")
    months = {row["period"]: row for row in web.rows("sales/forecast", grain="month", horizon=3)}
    sold = {row["period"]: Decimal(row["net_sales"]) for row in web.rows("sales/by-period", grain="month")}
    expected = {}
    for period, row in months.items():
        earlier = sold[f"{int(period[:4]) - 1}{period[4:]}"]
        if earlier > Decimal(str(row["high_95"])):
            expected[period[:7]] = earlier - Decimal(str(row["expected"]))
    assert expected
    assert {row["subject_ids"][0]: float(row["money_at_stake"]) for row in rows} == pytest.approx(
        {month: float(money) for month, money in expected.items()}, abs=0.01
    )


def test_the_answer_says_which_fits_it_rests_on(web):
    told = web.client.get("/v1/insights").json()
    assert {(one["name"], one["currency"]) for one in told["models"]} == {
        ("lifetime", "EUR"), ("anomalies", "EUR"), ("forecast", "EUR"),
    }  # fmt: skip
    assert told["left_out"] == []
    assert {row["kind"] for row in told["rows"]} >= {"win_back", "anomaly", "forecast_below"}
    assert not {row["subject_type"] for row in told["rows"]} & {"product", "pair"}


def test_a_kind_without_its_fit_is_left_out_and_the_answer_says_so(web, tmp_path):
    other = web_of(tmp_path)
    orders = [
        {
            "order_id": number, "ordered_at": (START + timedelta(days=number)).isoformat(), "customer_id": "",
            "currency": "EUR", "total": "5",
        }
        for number in range(200)
    ]  # fmt: skip
    assert other.shop.upload("orders", "orders.csv", csv_of(orders)).status == "loaded"
    other.fresh()
    told = other.client.get("/v1/insights", params={"kind": "win_back"}).json()
    assert told["rows"] == []
    assert told["left_out"][0]["kind"] == "win_back"
    assert "teal fit" in told["left_out"][0]["reason"]
    fit(other, LifetimeModel())
    told = other.client.get("/v1/insights", params={"kind": "win_back"}).json()
    assert (told["rows"], told["models"]) == ([], [])
    assert len(told["left_out"]) == 1
    in_dollars = web.client.get("/v1/insights", params={"kind": "win_back", "currency": "USD"}).json()
    assert in_dollars["rows"] == []
    assert "USD" in in_dollars["left_out"][0]["reason"]
