"""The small tables that every row of the sample is made from: chances, calendar, countries, products.

The rule: what is random here comes from the seed; the statements that use these tables add draws by the same seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from shared.duck import Duck, literal
from shared.sample.clock import Day, calendar, clock
from shared.sample.shapes import (
    SLOTS,
    exponential,
    gaps_of_gamma_rates,
    lives_of_beta_chances,
    lognormal,
    popularity,
    weighted,
)
from shared.sample.shop import SampleOrder, shop
from shared.sql.load import statement

FINE_SLOTS = 65_536
"""Slots of tables with more entries than a shape has."""

MACROS = (
    "sample/draw",
    "sample/below",
    "sample/chance",
    "sample/quantile",
    "sample/instant",
    "sample/money",
    "sample/order_name",
    "sample/person_name",
    "sample/product_name",
)

YEARLY_RISE = 25
"""How much dearer everything is a year later, per mille of the first prices."""


def prepare(duck: Duck, order: SampleOrder) -> list[Day]:
    """Make functions and small tables in an empty session; returns the calendar."""
    duck.execute(f"SET VARIABLE seed = {literal(order.seed)}::BIGINT")
    duck.execute(f"SET VARIABLE start = {literal(order.epoch)}::BIGINT")
    for name in MACROS:
        duck.execute(statement(name))
    made = shop()
    days = calendar(made, order.seed, order.start, order.end)
    marks = clock(made["year"], days)
    lengths = [after - before for before, after in pairwise(marks)]
    growth = made["growth"]["per_year"]
    busy = [round(1_000 * (1 + growth * number / 365)) for number in range(order.days)]
    goods, popular = made["products"], made["popularity"]
    _shapes(duck)
    duck.execute(statement("sample/clock"), {"seconds": marks[:-1], "lengths": lengths})
    duck.execute(statement("sample/arriving"), {"days": weighted(busy, FINE_SLOTS)})
    duck.execute(
        statement("sample/popular"), {"ranks": popularity(goods, popular["power"], popular["shift"], FINE_SLOTS)}
    )
    duck.execute(statement("sample/days"), _days(days, order))
    duck.execute(statement("sample/countries"), _countries())
    duck.execute(statement("sample/products"), _products(order))
    duck.execute(statement("sample/sets"), {"sets": made["sets"], "departments": len(made["department"])})
    return days


def _shapes(duck: Duck) -> None:
    """Every distribution under its name."""
    made = shop()
    lives = made["lives"]
    shapes: dict[str, list[int]] = {
        "luck": exponential(1_000_000),
        "pace": gaps_of_gamma_rates(lives["r"], lives["alpha_days"] * 86_400),
        "life": lives_of_beta_chances(lives["a"], lives["b"], unit=1_000),
        "basket": [1 + index for index in weighted(made["baskets"]["lines"], SLOTS)],
        "quantity": [1 + index for index in weighted(made["baskets"]["quantities"], SLOTS)],
        "set": popularity(made["sets"], power=0.8, shift=4, slots=SLOTS),
        "price": lognormal(1_000, sigma=0.7),
    }
    columns: dict[str, list[Any]] = {
        "shapes": [name for name, values in shapes.items() for _ in values],
        "slots": [slot for values in shapes.values() for slot in range(len(values))],
        "values": [value for values in shapes.values() for value in values],
    }
    duck.execute(statement("sample/shapes"), columns)


def _days(days: Sequence[Day], order: SampleOrder) -> dict[str, list[Any]]:
    return {
        "months": [day.on.month for day in days],
        "closes": [(day.closes - order.start).days * 86_400 for day in days],
        "prices": [1_000 + YEARLY_RISE * (day.on.year - order.start.year) for day in days],
        "campaigns": [day.is_campaign for day in days],
    }


def _countries() -> dict[str, list[Any]]:
    """A slot of a thousand for every share of the people."""
    made = shop()
    prices = {one["code"]: one["price"] for one in made["currency"]}
    slots = [country for country in made["country"] for _ in range(country["share"])]
    return {
        "codes": [country["code"] for country in slots],
        "currencies": [country["currency"] for country in slots],
        "prices": [prices[country["currency"]] for country in slots],
        "taxes": [country["tax"] for country in slots],
    }


def _products(order: SampleOrder) -> dict[str, Any]:
    made = shop()
    departments = made["department"]
    return {
        "departments": [one["name"] for one in departments],
        "nouns": [one["nouns"] for one in departments],
        "prices": [one["price"] for one in departments],
        "seasons": [sum(1 << month for month in one.get("season", ())) for one in departments],
        "goods": made["products"],
        "seconds": order.seconds,
        "adjectives": made["words"]["adjectives"],
        "brands": made["words"]["brands"],
    }
