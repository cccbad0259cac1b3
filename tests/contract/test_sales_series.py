"""Forecasts and anomalies out of a lake: its series are what was sold, and closed days stay closed."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from random import Random

import pytest

from shared.fit_models import FitModels
from shared.fitted.series import AnomalyModel, ForecastModel
from shared.models.series.anomalies import anomalies
from shared.models.series.forecast import forecast
from shared.models.series.grains import GRAINS
from shared.sessions import Sessions
from tests.web import Web, web_of

HEADER = "order_id,ordered_at,customer_id,currency,country,total\n"
MONDAY = date(2024, 1, 1)
OF_WEEKDAY = (10, 12, 14, 13, 20, 25, 0)
"""Orders of each weekday; on Sundays the shop is closed."""


def fit(web: Web, **rules) -> list[str]:
    session = Sessions(web.shop.writer.open_duck, lambda duck: None)
    report = FitModels(lambda tenant: web.shop.writer, session, (ForecastModel(), AnomalyModel()), **rules)("shop")
    assert report.problems == []
    web.fresh()
    return report.served


def orders_of(counts: dict[date, int], *, currency: str = "EUR", country: str = "DE", total: str = "5.5") -> str:
    lines = (
        f"{currency}{country}{day}-{number},{day}T12:00:00Z,,{currency},{country},{total}\n"
        for day, count in counts.items()
        for number in range(count)
    )
    return "".join(lines)


def weeks(count: int, start: date = MONDAY) -> dict[date, int]:
    days = [start + timedelta(days=place) for place in range(7 * count)]
    return {day: OF_WEEKDAY[day.weekday()] for day in days}


@pytest.fixture
def web(tmp_path):
    return web_of(tmp_path)


def test_a_week_that_always_repeats_is_foretold_and_sundays_stay_closed(web):
    # The data ends on a Saturday: Sunday is closed, so nothing shows that it is over.
    web.shop.upload("orders", "1.csv", HEADER + orders_of(weeks(20)))
    assert fit(web) == ["forecast EUR", "forecast all", "anomalies EUR", "anomalies all"]
    answer = web.client.get("/v1/sales/forecast", params={"metric": "orders", "horizon": 14}).json()
    first = MONDAY + timedelta(days=20 * 7 - 1)
    assert answer["model"]["until"] == first.isoformat()
    assert [row["period"] for row in answer["rows"]] == [(first + timedelta(days=n)).isoformat() for n in range(14)]
    for row in answer["rows"]:
        expected = OF_WEEKDAY[date.fromisoformat(row["period"]).weekday()]
        bounds = [row[name] for name in ("low_95", "low_80", "expected", "high_80", "high_95")]
        assert bounds == [f"{expected}.0000"] * 5
    money = web.rows("sales/forecast", horizon=1, level="80")[0]
    assert (money["expected"], money["low_95"], money["high_95"]) == ("0.0000", None, None)


def test_spikes_and_outages_alarm_and_closed_days_do_not(web):
    counts = weeks(30)
    noisy = {day: count + (day.toordinal() * 7 % 5 - 2 if count else 0) for day, count in counts.items()}
    spike, outage = date(2024, 5, 14), date(2024, 6, 12)
    noisy[spike], noisy[outage] = 60, 0
    web.shop.upload("orders", "1.csv", HEADER + orders_of(noisy))
    fit(web)
    rows = web.rows("sales/anomalies", metric="orders", sensitivity="low")
    found = {row["period"]: (row["direction"], row["is_outage"], row["actual"]) for row in rows}
    assert found == {
        spike.isoformat(): ("above", False, "60.0000"),
        outage.isoformat(): ("below", True, "0.0000"),
    }
    assert (
        web.rows("sales/anomalies", metric="orders", sensitivity="low", **{"from": "2024-05-15", "to": "2024-06-12"})
        == []
    )
    every = web.rows("sales/anomalies", metric="orders", all="true")
    assert {row["period"]: float(row["actual"]) for row in every} == {
        day.isoformat(): count
        for day, count in noisy.items()
        if day.isoformat() >= every[0]["period"] and day <= date(2024, 7, 27)
    }
    sundays = [row for row in every if date.fromisoformat(row["period"]).weekday() == 6]
    assert all(row["is_closed"] and row["direction"] is None for row in sundays)
    assert sundays
    told = web.client.get("/v1/sales/anomalies", params={"metric": "orders", "sensitivity": "high"}).json()["model"]
    assert told["expected_false_alarms"] == round(told["judged"] * 0.02, 1)
    assert told["judged"] == len(every)


def test_series_of_groups_and_currencies_are_what_was_sold(web):
    """The series are added up here, one order at a time, and given to the same methods."""
    random = Random(5)
    sold = defaultdict(float)
    orders = defaultdict(float)
    lines = []
    for place in range(200):
        day = MONDAY + timedelta(days=place)
        for number in range(random.randint(3, 9) + 5 * (day.weekday() == 4)):
            country, currency = random.choice(["DE", "FR", "IT"]), random.choice(["EUR", "EUR", "CHF"])
            cents = random.randint(100, 9999)
            # Half past eleven at night in London is the day after in Rome.
            at = datetime(day.year, day.month, day.day, 23, 30, tzinfo=UTC)
            lines.append(f"{place}-{number},{at.isoformat()},,{currency},{country},{cents / 100}\n")
            for key in ((country, currency, place), (None, currency, place)):
                sold[key] += cents / 100
            for key in ((country, place), (None, place)):
                orders[key] += 1
    web.shop.upload("orders", "1.csv", HEADER + "".join(lines))
    web.shop.writer.commit("test", lambda change: change.duck.execute("DELETE FROM lake.teal.sales_days"))
    fit(web, timezone="Europe/Rome")
    first = MONDAY + timedelta(days=1)

    def rows(**asked):
        return web.rows("sales/forecast", horizon=5, **asked)

    def expected(values, **rules):
        found = forecast(values, GRAINS["day"], 90, **rules)
        return pytest.approx([round(float(value), 4) for value in found.point[:5]], rel=1e-6)

    total = rows(currency="EUR")
    assert total[0]["period"] == (first + timedelta(days=200)).isoformat()
    series = [round(sold[None, "EUR", place], 2) for place in range(200)]
    assert [float(row["expected"]) for row in total] == expected(series)
    by_country = rows(currency="CHF", group_by="country")
    assert sorted({row["value"] for row in by_country}) == ["DE", "FR", "IT"]
    for country in ("DE", "FR", "IT"):
        series = [round(sold[country, "CHF", place], 2) for place in range(200)]
        found = [float(row["expected"]) for row in by_country if row["value"] == country]
        assert found == expected(series)
    found = [float(row["expected"]) for row in rows(metric="orders")]
    series = [orders[None, place] for place in range(200)]
    assert found == expected(series, non_negative=True)
    judged = anomalies([orders["IT", place] for place in range(200)], GRAINS["day"])
    told = [
        row
        for row in web.rows("sales/anomalies", metric="orders", group_by="country", all="true")
        if row["value"] == "IT"
    ]
    assert [row["score"] for row in told] == pytest.approx(
        [round(float(one), 4) for one in judged.score[judged.judged]], abs=1e-4
    )


def test_the_accuracy_told_is_that_of_the_served_method(web):
    web.shop.upload(
        "orders", "1.csv", HEADER + orders_of({day: n + day.toordinal() * 13 % 11 for day, n in weeks(30).items()})
    )
    fit(web)
    answer = web.client.get("/v1/sales/forecast", params={"metric": "orders"}).json()
    series, row = answer["model"]["series"][0], answer["rows"][0]
    assert row["mase"] == pytest.approx(series["candidates"][row["method"]]["mase"], abs=1e-6)
    assert row["naive_mase"] == pytest.approx(series["candidates"]["seasonal_naive"]["mase"], abs=1e-6)
    assert row["beats_naive"] is (row["mase"] < row["naive_mase"]) is (row["method"] != "seasonal_naive")


def test_what_is_too_short_or_unclear_is_refused_with_the_reason(web):
    answer = web.client.get("/v1/sales/forecast")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_missing")
    web.shop.upload("orders", "1.csv", HEADER + orders_of(weeks(5)) + orders_of(weeks(5), currency="CHF"))
    fit(web)

    def code(question, **asked):
        answer = web.client.get(f"/v1/sales/{question}", params=asked)
        return answer.status_code, answer.json().get("code"), answer.json().get("reason")

    assert code("forecast") == (400, "mixed_currencies", None)
    assert code("forecast", currency="EUR", grain="month") == (422, "model_refused", "under_two_seasons")
    assert code("forecast", currency="USD") == (422, "model_refused", "no_customers")
    assert code("forecast", currency="EUR", metric="orders") == (422, "invalid_parameter", None)
    assert code("forecast", metric="units", group_by="country") == (422, "invalid_parameter", None)
    assert code("forecast", currency="EUR", horizon=91) == (422, "invalid_parameter", None)
    assert code("forecast", currency="EUR", horizon=0) == (422, "invalid_parameter", None)
    assert code("anomalies", currency="EUR", **{"from": "2024-02-30"}) == (422, "invalid_parameter", None)
    assert code("anomalies", currency="EUR", **{"from": "2024-02-03", "to": "2024-02-03"}) == (
        422,
        "invalid_parameter",
        None,
    )
    assert code("anomalies", metric="orders", grain="week") == (422, "model_refused", "under_two_seasons")
    assert code("forecast", currency="CHF")[0] == 200


def test_today_is_not_complete_and_the_future_is_not_known(web):
    today = datetime.now(UTC).date()
    counts = {today - timedelta(days=60 - place): 10 for place in range(61)} | {today + timedelta(days=5): 500}
    web.shop.upload("orders", "1.csv", HEADER + orders_of(counts))
    fit(web)
    answer = web.client.get("/v1/sales/forecast", params={"metric": "orders", "horizon": 1}).json()
    assert answer["rows"][0]["period"] == today.isoformat()
    assert answer["rows"][0]["expected"] == "10.0000"


def test_a_shop_without_countries_has_series_too(web):
    orders = orders_of(weeks(6), country="")
    web.shop.upload("orders", "1.csv", HEADER + orders)
    assert fit(web) == ["forecast EUR", "forecast all", "anomalies EUR", "anomalies all"]
    assert "value" not in web.rows("sales/forecast", horizon=1)[0]
