"""Money of several currencies: never added silently, converted by the dataset `rates` exactly as is defined."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from random import Random
from typing import Any

import pytest

from shared.answers.cache import AnswerCache
from shared.asked import Asked
from shared.datasets.questions.sales import SalesBy, SalesByPeriod, SalesSummary
from shared.errors import MissingRateError, MixedCurrenciesError
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from tests.shop import TENANT, Shop, shop_in

ORDERS = "order_id,ordered_at,customer_id,total,currency\n"


def asker(shop: Shop, **rules: Any) -> AskQuestion:
    cursors = Cursors(b"a secret of the tests")
    return AskQuestion(lambda tenant: shop.reader, cursors, AnswerCache(0), QueryRules(**rules))


def body(shop: Shop, question: Any, **rules: Any) -> dict[str, Any]:
    import json

    answer = asker(shop, **rules)(Asked(question, TENANT))
    assert answer.content is not None
    told: dict[str, Any] = json.loads(answer.content)
    return told


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Shop:
    shop = shop_in(tmp_path_factory.mktemp("mixed"))
    shop.upload(
        "orders",
        "o.csv",
        ORDERS + "1,2024-01-01,a,10,EUR\n2,2024-01-02,b,20,usd\n3,2024-01-03,,5,\n4,2023-01-01,a,7,GBP\n",
    )
    return shop


@pytest.mark.parametrize(
    "question",
    [
        SalesSummary(),
        SalesByPeriod(grain="month"),
        SalesBy(dimension="country"),
        SalesBy(dimension="customer", start="2024-01-01", end="2024-01-03"),
        SalesByPeriod(grain="month", start="2024-01-01", end="2024-01-03"),
    ],
)
def test_several_currencies_are_refused_and_named(mixed, question):
    with pytest.raises(MixedCurrenciesError, match=r"EUR.*USD"):
        body(mixed, question)


def test_a_range_is_not_compared_with_one_in_another_currency(mixed):
    year = SalesSummary(start="2024-01-01", end="2024-01-02", compare="previous_year")
    with pytest.raises(MixedCurrenciesError, match=r"\(EUR, GBP\)"):
        body(mixed, year)
    monthly = SalesByPeriod(grain="year", start="2024-01-01", end="2024-01-02", compare="previous_period")
    with pytest.raises(MixedCurrenciesError, match=r"\(EUR, GBP\)"):
        body(mixed, monthly)


def test_one_currency_of_several_is_answered_and_named_whatever_its_case(mixed):
    told = body(mixed, SalesSummary(currency="usd"))
    assert (told["rows"][0]["net_sales"], told["currency"]) == ("20.0000", "USD")


def test_an_order_without_a_currency_is_in_the_default_one(mixed):
    third = {"start": "2024-01-03", "end": "2024-01-04"}
    assert body(mixed, SalesSummary(**third))["currency"] is None
    assert body(mixed, SalesSummary(**third), currency="eur")["currency"] == "EUR"
    both = SalesSummary(start="2024-01-01", end="2024-01-04", currency="EUR")
    assert body(mixed, both, currency="EUR")["rows"][0]["net_sales"] == "15.0000"
    assert body(mixed, both)["rows"][0]["net_sales"] == "10.0000"


def test_an_unnamed_currency_is_another_one_while_no_default_is_set(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("orders", "o.csv", ORDERS + "1,2024-01-01,a,10,EUR\n3,2024-01-03,,5,\n")
    with pytest.raises(MixedCurrenciesError, match="EUR, none"):
        body(shop, SalesSummary())
    assert body(shop, SalesSummary(), currency="EUR")["rows"][0]["net_sales"] == "15.0000"
    alone = body(shop, SalesSummary(currency="none"))
    assert (alone["rows"][0]["net_sales"], alone["currency"]) == ("5.0000", None)


# --- converting ------------------------------------------------------------------------------------------------------

CENT = Decimal("0.0001")
RATES = {("EUR", "USD"): "1.0842", ("EUR", "GBP"): "0.85731", ("USD", "JPY"): "151.37"}
"""Every pair of these four can be had: directly, by its inverse, or through one other currency."""


def rate_to_gbp(currency: str, day: date, rates: dict[tuple[str, str, date], Decimal]) -> Decimal | None:
    """By the definition: newest day of at most 31 back with a way; direct, inverse, then through one currency."""

    def direct(a: str, b: str, on: date) -> Decimal | None:
        if (a, b, on) in rates:
            return rates[a, b, on]
        return 1 / rates[b, a, on] if (b, a, on) in rates else None

    for age in range(32):
        on = day - timedelta(days=age)
        ways = [direct(currency, "GBP", on)]
        for through in ("EUR", "JPY", "USD"):
            first, second = direct(currency, through, on), direct(through, "GBP", on)
            ways.append(first * second if first and second else None)
        for way in ways:
            if way is not None:
                return way.quantize(Decimal("1e-12"), ROUND_HALF_UP)
    return None


def test_converted_amounts_equal_an_independent_computation(tmp_path):
    random, shop = Random(7), shop_in(tmp_path)
    rates: dict[tuple[str, str, date], Decimal] = {}
    for number in range(60):
        day = date(2024, 1, 1) + timedelta(days=number)
        if day.weekday() < 5:
            for (currency, base), rate in RATES.items():
                rates[currency, base, day] = Decimal(rate) + Decimal(random.randrange(-99, 100)) / 10_000
    lines = [f"{currency},{base},{day},{rate}" for (currency, base, day), rate in rates.items()]
    shop.upload("rates", "r.csv", "currency,base,day,rate\n" + "\n".join(lines))
    orders, expected = [], {}
    with localcontext() as context:
        context.prec = 60
        for number in range(600):
            day = date(2024, 1, 2) + timedelta(days=random.randrange(75))
            currency = random.choice(["EUR", "USD", "GBP"])
            total = Decimal(random.randrange(1, 10_000_000)) / 10_000
            orders.append(f"{number},{day}T23:30:00Z,c{number % 7},{total},{currency}")
            rate = Decimal(1) if currency == "GBP" else rate_to_gbp(currency, day, rates)
            assert rate is not None
            month = f"{day:%Y-%m-01}"
            expected[month] = expected.get(month, 0) + total * rate
    shop.upload("orders", "o.csv", ORDERS + "\n".join(orders))
    told = body(shop, SalesByPeriod(grain="month", convert="gbp"))
    # What is added up is exact, and rounded once.
    rounded = {month: amount.quantize(CENT, ROUND_HALF_UP) for month, amount in expected.items()}
    assert {row["period"]: Decimal(row["net_sales"]) for row in told["rows"]} == rounded
    assert told["currency"] == "GBP"
    whole = body(shop, SalesSummary(convert="GBP"))["rows"][0]
    assert Decimal(whole["net_sales"]) == sum(expected.values()).quantize(CENT, ROUND_HALF_UP)


def test_a_way_through_another_currency_and_an_inverse_are_found_and_lines_are_converted_too(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("rates", "r.csv", "currency,base,day,rate\nEUR,USD,2024-01-01,1.25\nEUR,GBP,2024-01-01,0.8\n")
    shop.upload("orders", "o.csv", "order_id,ordered_at,currency\n1,2024-01-05,USD\n2,2024-01-05,GBP\n")
    items = "order_id,product_id,quantity,unit_price,discount\n1,p,2,50,10\n1,q,-1,5,0\n2,p,1,8,0\n"
    shop.upload("order_items", "i.csv", items)
    # by hand, in euros: order 1 is 100 − 10 − 5 dollars at 1 / 1.25; order 2 is 8 pounds at 1 / 0.8
    row = body(shop, SalesSummary(convert="EUR"))["rows"][0]
    assert [row[name] for name in ("gross_sales", "discounts", "returns", "net_sales")] == [
        "90.0000", "8.0000", "-4.0000", "78.0000",
    ]  # fmt: skip
    products = body(shop, SalesBy(dimension="product", convert="EUR"))["rows"]
    assert [(one["value"], one["net_sales"]) for one in products] == [("p", "82.0000"), ("q", "-4.0000")]
    # in dollars, order 2 goes through euros: 8 / 0.8 * 1.25
    assert body(shop, SalesSummary(convert="USD"))["rows"][0]["net_sales"] == "97.5000"


@pytest.mark.parametrize(
    ("rates", "net"),
    [
        (["USD,EUR,2024-01-05,0.5", "EUR,USD,2024-01-05,4", "USD,GBP,2024-01-05,1", "GBP,EUR,2024-01-05,7"], "50.0000"),
        (["EUR,USD,2024-01-05,4", "USD,GBP,2024-01-05,1", "GBP,EUR,2024-01-05,7"], "25.0000"),
        (["USD,GBP,2024-01-05,1", "GBP,EUR,2024-01-05,7"], "700.0000"),
        (["USD,EUR,2024-01-04,0.5", "USD,GBP,2024-01-05,1", "GBP,EUR,2024-01-05,7"], "700.0000"),
        (["USD,EUR,2024-01-04,0.5", "USD,GBP,2024-01-05,1", "GBP,EUR,2024-01-06,7"], "50.0000"),
    ],
    ids=["the pair itself", "its inverse", "through another", "a newer day first", "one day for both steps"],
)
def test_of_several_ways_the_defined_one_is_taken(tmp_path, rates, net):
    shop = shop_in(tmp_path)
    shop.upload("rates", "r.csv", "currency,base,day,rate\n" + "\n".join(rates) + "\n")
    shop.upload("orders", "o.csv", ORDERS + "1,2024-01-05,a,100,USD\n")
    assert body(shop, SalesSummary(convert="EUR"))["rows"][0]["net_sales"] == net


@pytest.mark.parametrize(
    ("day", "named"),
    [("2023-12-31", "USD on 2023-12-31"), ("2024-02-02", "USD on 2024-02-02")],
)
def test_a_rate_that_is_not_there_is_an_error_that_names_it(tmp_path, day, named):
    shop = shop_in(tmp_path)
    shop.upload("rates", "r.csv", "currency,base,day,rate\nEUR,USD,2024-01-01,1.25\n")
    shop.upload("orders", "o.csv", ORDERS + f"1,{day},a,10,USD\n2,2024-02-01,b,10,USD\n")
    with pytest.raises(MissingRateError, match=named):
        body(shop, SalesSummary(convert="EUR"))
    assert (
        body(shop, SalesSummary(convert="EUR", start="2024-02-01", end="2024-02-02"))["rows"][0]["net_sales"]
        == "8.0000"
    )


def test_an_amount_of_no_known_currency_cannot_be_converted(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("rates", "r.csv", "currency,base,day,rate\nEUR,USD,2024-01-01,1.25\n")
    shop.upload("orders", "o.csv", ORDERS + "1,2024-01-01,a,10,\n")
    with pytest.raises(MissingRateError, match="none on 2024-01-01"):
        body(shop, SalesSummary(convert="EUR"))
    assert body(shop, SalesSummary(convert="EUR"), currency="USD")["rows"][0]["net_sales"] == "8.0000"
