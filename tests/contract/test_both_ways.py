"""Sales of whole days are the same from the rollup of days and from the orders, for any range, grain and comparison."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.answers.cache import AnswerCache
from shared.asked import Asked
from shared.datasets.question import QUESTIONS
from shared.datasets.questions import customers_loyalty, customers_rfm  # noqa: F401 - registers their questions
from shared.datasets.questions.customers import ComparedCustomers, CustomerQuestion
from shared.datasets.questions.sales.base import SalesQuestion
from shared.datasets.questions.sales.days import Places
from shared.errors import AppError
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from tests.shop import Shop, shop_in

START = datetime(2023, 11, 25, 4, tzinfo=UTC)
ZONE = "America/New_York"


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    """Two years of few customers who come often, with returns, guests, adjustments and corrected orders."""
    dice = random.Random(5)
    shop = shop_in(tmp_path_factory.mktemp("both"), timezone=ZONE)
    numbers = list(range(900))
    for place in range(3):
        dice.shuffle(numbers)
        some = numbers[:400]
        moments = {n: START + timedelta(minutes=dice.randrange(800 * 24 * 60)) for n in some}
        orders = [
            f"{n},{moments[n].isoformat()},{dice.choice('abcd-').strip('-')},{dice.choice([10, 20.55, -3, 0])},"
            f"{dice.choice(['EUR', 'EUR', 'USD', ''])},{dice.choice(['FR', 'DE', ''])},{dice.choice(['web', 'app'])}"
            for n in some
        ]
        lines = [
            f"{n},{dice.randint(1, 2)},{dice.choice([2, 1, -1, 0])},3.33,{dice.choice(['', '', 'adjustment'])}"
            for n in some[:150]
        ]
        shop.upload(
            "orders",
            f"{place}.csv",
            "order_id,ordered_at,customer_id,total,currency,country,channel\n" + "\n".join(orders),
        )
        header = "order_id,line_id,quantity,unit_price,line_type\n"
        unique = {line.rsplit(",", 3)[0]: line for line in lines}
        assert shop.upload("order_items", f"{place}.csv", header + "\n".join(unique.values())).status == "loaded"
    rates = "".join(f"USD,EUR,{date(2023, 11, 20) + timedelta(days=7 * week)},0.9{week:03}\n" for week in range(115))
    assert shop.upload("rates", "1.csv", "currency,base,day,rate\n" + rates).status == "loaded"
    return shop


def told(shop: Shop, name: str, **parameters) -> tuple[object, ...]:
    """The rows of an answer, or the code of the problem."""
    rules = QueryRules(timezone=ZONE, currency="EUR")
    ask = AskQuestion(lambda tenant: shop.reader, Cursors(b"secret"), AnswerCache(0), rules)
    try:
        question = QUESTIONS[name].model_validate(parameters)
        answer = json.loads(ask(Asked(question=question, tenant="shop")).content)
        return (answer["rows"], answer.get("currency"))
    except AppError as error:
        return (error.code,)


def cases() -> list[tuple[str, dict]]:
    dice = random.Random(11)
    found = []
    for _ in range(60):
        first = date(2023, 10, 20) + timedelta(days=dice.randrange(700))
        range_ = {"from": str(first), "to": str(first + timedelta(days=dice.choice([1, 3, 20, 45, 200, 500])))}
        asked = dice.choice([{}, {"from": range_["from"]}, {"to": range_["to"]}, range_, range_, range_])
        if asked == range_ and dice.random() < 0.5:
            asked = asked | {"compare": dice.choice(["previous_period", "previous_year"])}
        asked = asked | dice.choice([{}, {}, {"include": ["adjustments"]}, {"include": ["adjustments", "zero"]}])
        asked = asked | dice.choice([{}, {"currency": "USD"}, {"convert": "EUR"}, {"convert": "EUR"}])
        if "currency" not in asked:
            asked = asked | dice.choice([{}, {"country": ["FR"]}, {"channel": ["web"]}])
        grain = dice.choice(["day", "week", "month", "quarter", "year"])
        periods = {"grain": grain, "fill": dice.random() < 0.7}
        found += [("sales/summary", asked), ("sales/by-period", asked | periods)]
        dimension = dice.choice(["country", "channel"])
        if "currency" not in asked and asked.keys().isdisjoint({"country", "channel"} - {dimension}):
            found += [
                ("sales/by", asked | {"dimension": dimension}),
                ("sales/by-period", asked | periods | {"group_by": dimension}),
            ]
    return found


def test_both_ways_give_the_same_answer(shop, monkeypatch):
    used = []
    by_days = SalesQuestion.by_days

    def counting(self, *given):
        found = by_days(self, *given)
        used.append(found is not None)
        return found

    monkeypatch.setattr(SalesQuestion, "by_days", counting)
    ways = [told(shop, name, **asked) for name, asked in cases()]
    assert used
    assert all(used), "every question about whole days is answered by the rollup"
    monkeypatch.setattr(SalesQuestion, "by_days", lambda self, *given: None)
    for (name, asked), found in zip(cases(), ways, strict=True):
        assert found == told(shop, name, **asked), (name, asked)
    assert sum(len(found[0]) for found in ways if len(found) == 2) > 2_000


@pytest.mark.parametrize(
    "asked",
    [
        {"timezone": "UTC"},
        {"from": "2024-01-01T01:00"},
        {"to": "2024-01-01T00:00:01"},
        {"customers": "known"},
        {"kind": "goods"},
        {"country": ["FR", "DE"]},
        {"country": ["FR"], "channel": ["web"]},
        {"country": ["FR"], "group_by": "channel"},
        {"channel": ["web"], "currency": "USD"},
        {"customer": ["a"]},
        # Orders that name no currency are in euros too, and a customer may have both.
        {"currency": "EUR"},
        {"product": ["p"]},
        {"group_by": "customer"},
    ],
)
def test_what_the_rollup_cannot_tell_is_asked_of_the_orders(shop, monkeypatch, asked):
    used = []
    by_days = SalesQuestion.by_days
    monkeypatch.setattr(SalesQuestion, "by_days", lambda *given: used.append(by_days(*given)) or used[-1])
    assert len(told(shop, "sales/summary", **{"convert": "EUR", **asked})) == 2
    assert used == [None]


@pytest.mark.parametrize("asked", [{}, {"from": "2024-01-02"}, {"to": "2024-01-02"}, {"from": "2024-01-03"}])
@pytest.mark.parametrize("name", ["sales/summary", "sales/by-period"])
def test_currencies_are_never_mixed_either_way(tmp_path, monkeypatch, name, asked):
    shop = shop_in(tmp_path, timezone=ZONE)
    header = "order_id,ordered_at,customer_id,total,currency\n"
    shop.upload("orders", "1.csv", header + "1,2024-01-01,a,5,EUR\n2,2024-01-02,a,7,USD\n3,2024-01-03,b,9,EUR\n")
    # An order that changes its currency leaves nothing behind in the other one.
    shop.upload("orders", "2.csv", header + "4,2024-01-03,b,1,USD\n")
    shop.upload("orders", "3.csv", header + "4,2024-01-03,b,1,EUR\n")
    by_days = told(shop, name, **asked)
    assert (by_days == ("mixed_currencies",)) is (asked in ({}, {"from": "2024-01-02"}))
    monkeypatch.setattr(SalesQuestion, "by_days", lambda self, *given: None)
    assert told(shop, name, **asked) == by_days


CUSTOMERS = [
    (name, asked | include)
    for name in ("customers/top", "customers/rfm", "customers/segments")
    for asked in ({}, {"currency": "USD"}, {"currency": "EUR"}, {"currency": "EUR", "timezone": "Asia/Tokyo"})
    for include in ({}, {"include": ["adjustments"]}, {"include": ["adjustments", "zero"]})
]


def test_customers_of_all_time_are_the_same_from_their_rollup_and_from_the_orders(tmp_path, monkeypatch):
    shop = shop_in(tmp_path, timezone=ZONE)
    orders = "order_id,ordered_at,customer_id,total,currency,tax\n"
    lines = "order_id,line_id,quantity,unit_price,line_type\n"
    body = "1,2024-01-01,a,5,EUR,0\n2,2024-01-02,a,7,USD,0\n3,2024-01-03,b,9,,0\n4,2024-01-04,b,2,EUR,0\n"
    # Customers of whom there is only a return, an adjustment, a line without price, or an order that only has tax.
    body += "5,2024-01-05,c,-3,EUR,0\n6,2024-01-05,d,,EUR,0\n7,2024-01-06,e,,USD,0\n8,2024-01-07,f,,EUR,1\n"
    body += "9,2024-01-08,,4,EUR,0\n10,2024-01-08,d,,USD,0\n"
    shop.upload("orders", "1.csv", orders + body)
    shop.upload("order_items", "1.csv", lines + "6,1,1,-4,adjustment\n7,1,1,0,\n10,1,2,3,\n8,1,1,0,\n")
    shop.upload("customers", "1.csv", "customer_id,created_at\n" + "".join(f"{one},2023-12-01\n" for one in "abcdefg"))
    used = []
    of_all_time = CustomerQuestion.of_all_time
    monkeypatch.setattr(ComparedCustomers, "of_all_time", lambda *given: used.append(of_all_time(*given)) or used[-1])
    ways = [told(shop, name, **asked) for name, asked in CUSTOMERS]
    assert used
    assert all(used)
    assert sum(len(found) == 2 and len(found[0]) > 1 for found in ways) >= 20
    monkeypatch.setattr(ComparedCustomers, "of_all_time", lambda *given: False)
    assert [told(shop, name, **asked) for name, asked in CUSTOMERS] == ways


@pytest.mark.parametrize(
    "asked", [{"from": "2024-01-01"}, {"to": "2024-02-01"}, {"country": ["FR"]}, {"kind": "goods"}, {"convert": "EUR"}]
)
def test_customers_of_some_orders_are_asked_of_the_orders(shop, monkeypatch, asked):
    used = []
    of_all_time = CustomerQuestion.of_all_time
    monkeypatch.setattr(ComparedCustomers, "of_all_time", lambda *given: used.append(of_all_time(*given)) or used[-1])
    assert len(told(shop, "customers/top", **({"currency": "USD"} if "convert" not in asked else {}), **asked)) == 2
    assert set(used) == {False}


@pytest.mark.parametrize(
    ("there", "only", "grouped_by", "left"),
    [
        ([("FR", "web", "EUR"), ("GB", "web", "GBP")], {"country": ["FR"], "currency": ["EUR"]}, None, {"country"}),
        ([("FR", "web", "EUR"), ("FR", "web", None)], {"country": ["FR"], "currency": ["EUR"]}, None, set()),
        ([("FR", "web", "EUR"), ("FR", "app", "GBP")], {"country": ["FR"], "currency": ["EUR"]}, None, {"currency"}),
        (
            [("FR", "web", "EUR"), ("FR", "app", "GBP"), ("DE", "web", "EUR")],
            {"country": ["FR"], "currency": ["EUR"]},
            None,
            {"country", "currency"},
        ),
        ([("FR", "web", "EUR"), (None, "app", "EUR")], {"currency": ["EUR"]}, None, set()),
        ([("FR", "web", "EUR"), ("GB", "app", "GBP")], {"currency": ["EUR"]}, "country", {"currency"}),
        ([], {"country": ["FR"], "currency": ["EUR"]}, None, {"country", "currency"}),
    ],
)
def test_a_filter_that_leaves_nothing_out_is_none(there, only, grouped_by, left):
    assert set(Places(only, grouped_by).reduced(frozenset(there), "EUR").only) == left
