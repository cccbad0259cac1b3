"""What a key with rules sees is a lake that holds nothing else: questions, rows and SQL answer as that lake does."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from shared.answers.cache import AnswerCache
from shared.api import questions as _registered  # noqa: F401 - registers every question
from shared.asked import Asked
from shared.catalog.stored import StoredCatalog
from shared.datasets.question import QUESTIONS
from shared.datasets.rules import EVERYTHING, DataRules
from shared.duck import open_duck
from shared.errors import AppError, RulesDoNotFitError
from shared.keys import Principal
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.restricted import RestrictedLakes
from shared.row_table import Filter
from shared.rows import Rows, RowsAsked
from tests.shop import TENANT, Shop, shop_in

GERMAN = DataRules.from_document({"rows": {"orders": {"country": "DE"}, "customers": {"country": "DE"}}})
OF_THE_OPERATOR = ("quality", "usage")
"""Questions about the lake itself; under rules they have nothing to tell."""

Table = list[dict[str, str]]


def made() -> dict[str, Table]:
    """A shop of three countries: orders of customers of the same and of other countries, and of guests."""
    dice = random.Random(3)
    start = datetime(2024, 1, 3, tzinfo=UTC)
    customers = [
        {
            "customer_id": f"c{n}",
            "name": f"Name {n}",
            "email": f"c{n}@example.org",
            "country": ["DE", "FR", "AT"][n % 3],
        }
        for n in range(30)
    ]
    products = [
        {
            "product_id": f"p{n}",
            "name": f"Product {n}",
            "category": f"k{n % 4}",
            "price": f"{n + 1}.50",
            "cost": f"{n}.25",
        }
        for n in range(12)
    ]
    orders, items, events = [], [], []
    for n in range(400):
        customer = dice.choice([*customers, None])
        country = customer["country"] if customer and dice.random() < 0.8 else dice.choice(["DE", "FR", "AT", ""])
        at = (start + timedelta(hours=dice.randrange(24 * 300))).isoformat()
        orders.append(
            {
                "order_id": f"o{n}",
                "ordered_at": at,
                "customer_id": customer["customer_id"] if customer else "",
                "country": country,
                "channel": dice.choice(["web", "app"]),
                "currency": "EUR",
                "status": dice.choice(["paid", "paid", "cancelled"]),
                "discount": dice.choice(["", "1.00"]),
            }
        )
        for line in range(dice.randint(1, 4)):
            product = dice.choice(products)
            items.append(
                {
                    "order_id": f"o{n}",
                    "line_id": str(line),
                    "product_id": product["product_id"],
                    "quantity": str(dice.choice([1, 2, 3, -1])),
                    "unit_price": product["price"],
                }
            )
        events.append(
            {
                "event_id": f"e{n}",
                "event_name": dice.choice(["view", "cart", "purchase"]),
                "occurred_at": at,
                "customer_id": dice.choice(customers)["customer_id"],
            }
        )
    return {"customers": customers, "products": products, "orders": orders, "order_items": items, "events": events}


def german(tables: dict[str, Table]) -> dict[str, Table]:
    """What remains of it under the rules, worked out without SQL."""
    customers = [one for one in tables["customers"] if one["country"] == "DE"]
    known = {one["customer_id"] for one in customers}
    orders = [one for one in tables["orders"] if one["country"] == "DE" and one["customer_id"] in known]
    visible = {one["order_id"] for one in orders}
    items = [one for one in tables["order_items"] if one["order_id"] in visible]
    return tables | {"customers": customers, "orders": orders, "order_items": items}


def shop_of(folder, tables: dict[str, Table]) -> Shop:
    shop = shop_in(folder)
    for dataset, rows in tables.items():
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        outcome = shop.upload(dataset, f"{dataset}.csv", text.getvalue())
        assert (outcome.status, outcome.counts.accepted) == ("loaded", len(rows)), outcome
    return shop


class Seen:
    """A shop as somebody sees it."""

    def __init__(self, shop: Shop, rules: DataRules) -> None:
        self.rules = rules
        self.lakes = RestrictedLakes(
            lambda tenant: shop.reader,
            lambda tenant: StoredCatalog(shop.store, tenant),
            lambda: open_duck(memory_limit_mb=512, threads=2),
        )
        cursors = Cursors(b"secret")
        self.ask = AskQuestion(
            lambda tenant: shop.reader,
            cursors,
            AnswerCache(1 << 20),
            QueryRules(currency="EUR"),
            restricted=self.lakes.pin,
        )
        self.rows = Rows(lambda tenant: shop.reader, cursors, restricted=self.lakes.pin)
        self.principal = Principal(TENANT, "k", frozenset({"read"}), rules)

    def answer(self, name: str, parameters: dict[str, object]) -> tuple[object, ...]:
        """The rows of an answer, or the code of the problem."""
        try:
            question = QUESTIONS[name].model_validate(parameters)
            told = json.loads(self.ask(Asked(question, TENANT, rules=self.rules)).content)
            return told["rows"], told.get("currency")
        except AppError as error:
            return (error.code, error.message)

    def listed(self, dataset: str, *filters: Filter) -> Table:
        return self.rows.find(self.principal, dataset, RowsAsked(filters, limit=5_000)).rows


@contextmanager
def seen(shop: Shop, rules: DataRules) -> Iterator[Seen]:
    found = Seen(shop, rules)
    yield found
    found.lakes.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Shop:
    return shop_of(tmp_path_factory.mktemp("whole"), made())


@pytest.fixture(scope="module")
def restricted(whole) -> Iterator[Seen]:
    with seen(whole, GERMAN) as found:
        yield found


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Seen]:
    with seen(shop_of(tmp_path_factory.mktemp("small"), german(made())), EVERYTHING) as found:
        yield found


OF_ANOTHER_SHOP = {"from", "to", "limit", "count", "min_support"}
"""Parameters of the examples that fit their shop and not this one."""


def cases() -> list[tuple[str, dict[str, object]]]:
    """Every question once as its example asks it, and some more."""
    found = []
    for name, question in QUESTIONS.items():
        if name in OF_THE_OPERATOR:
            continue
        told = {key: OWN.get(key, value) for key, value in question.example.items() if key not in OF_ANOTHER_SHOP}
        found.append((name, {key: [value] if key in ("kind", "product") else value for key, value in told.items()}))
    return found + MORE


OWN = {"product": "p3", "customer": "c3"}
MORE = [
    ("sales/summary", {"from": "2024-02-01", "to": "2024-06-01", "compare": "previous_period"}),
    ("sales/by-period", {"grain": "month", "group_by": "channel"}),
    ("sales/by", {"dimension": "product"}),
    ("sales/by", {"dimension": "country"}),
    ("customers/top", {"by": "orders"}),
    ("customers/segments", {}),
    ("customers/detail", {"customer": "c1"}),
]


@pytest.mark.parametrize(
    ("name", "parameters"),
    cases(),
    ids=str,
)
def test_every_question_answers_as_a_lake_that_holds_nothing_else(restricted, small, name, parameters):
    assert restricted.answer(name, parameters) == small.answer(name, parameters)


def test_the_rules_leave_something_and_take_something(restricted, small, whole):
    with seen(whole, EVERYTHING) as everything:
        told = [one.answer("sales/summary", {})[0][0]["orders"] for one in (restricted, small, everything)]
    assert told[0] == told[1]
    assert 0 < told[0] < told[2]


@pytest.mark.parametrize("name", OF_THE_OPERATOR)
def test_questions_about_the_lake_itself_have_nothing_to_tell(restricted, name):
    assert restricted.answer(name, {})[0] == []


@pytest.mark.parametrize("dataset", sorted(made()))
def test_rows_are_those_of_the_smaller_lake(restricted, small, dataset):
    assert restricted.listed(dataset) == small.listed(dataset)


def test_what_is_masked_is_empty_in_questions_and_in_rows_and_cannot_be_asked_for(whole):
    rules = DataRules.from_document({"masked": {"orders": ["country"], "products": ["name"]}})
    with seen(whole, rules) as masked, seen(whole, EVERYTHING) as everything:
        by_country = masked.answer("sales/by", {"dimension": "country"})[0]
        assert [row["value"] for row in by_country] == [None]
        assert by_country[0]["orders"] == sum(
            row["orders"] for row in everything.answer("sales/by", {"dimension": "country"})[0]
        )
        assert {row["name"] for row in masked.listed("products")} == {None}
        with pytest.raises(AppError, match="personal data"):
            masked.listed("products", Filter("name__contains", "1"))


@pytest.mark.parametrize(
    "document",
    [
        {"rows": {"order": {"country": "DE"}}},
        {"rows": {"orders": {"contry": "DE"}}},
        {"rows": {"orders": {"country__like": "DE"}}},
        {"masked": {"customers": ["mail"]}},
        {"masked": {"clients": ["email"]}},
    ],
    ids=str,
)
def test_rules_that_name_what_is_not_there_show_nothing(whole, document):
    with seen(whole, DataRules.from_document(document)) as nothing:
        assert nothing.answer("sales/summary", {})[0] == "rules_do_not_fit"
        with pytest.raises(RulesDoNotFitError):
            nothing.listed("orders")


@pytest.mark.parametrize("name", ["ordered_at__gte", "ordered_at__ne", "ordered_at__in", "discount__ne"])
def test_a_filter_whose_value_its_column_cannot_have_lets_no_row_pass(whole, name):
    rules = DataRules.from_document({"rows": {"orders": {name: "yesterday'); --"}}})
    with seen(whole, rules) as nothing:
        assert nothing.listed("orders") == []
        assert nothing.listed("order_items") == []
        assert nothing.answer("sales/summary", {})[0][0]["orders"] == 0


def test_lines_of_hidden_products_are_hidden_with_them(whole):
    tables = made()
    rules = DataRules.from_document({"rows": {"products": {"category__in": "k1,k2"}}})
    of_these = {one["product_id"] for one in tables["products"] if one["category"] in ("k1", "k2")}
    lines = {(one["order_id"], one["line_id"]) for one in tables["order_items"] if one["product_id"] in of_these}
    with seen(whole, rules) as some:
        found = {(row["order_id"], row["line_id"]) for row in some.listed("order_items")}
    assert found == lines


def test_lakes_seen_in_part_are_closed_when_others_are_asked_for(whole):
    with seen(whole, GERMAN) as some:
        for country in ("DE", "FR", "AT", "XX", "YY", "ZZ"):
            some.rules = DataRules.from_document({"rows": {"orders": {"country": country}}})
            expected = sum(one["country"] == country for one in made()["orders"])
            some.principal = Principal(TENANT, "k", frozenset({"read"}), some.rules)
            assert len(some.listed("orders")) == expected
        assert len(some.lakes._opened) <= 4
