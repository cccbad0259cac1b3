"""Products: how each one sells, against the others and against itself in the range before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.comparison import Measures, renamed
from shared.datasets.questions.ranges import Shift
from shared.datasets.questions.sales.base import FACTS, WHOLE, SalesQuestion
from shared.datasets.questions.steps import Grain
from shared.errors import InvalidParameterError
from shared.sql.load import statement

MEASURED = (*FACTS, "products/earlier", "products/views", "products/measured")
"""The SQL by which the sales of every product are read."""
VIEWS = ("view", "product_view", "product_viewed", "view_item")
Kind = Literal["all", "goods", "fee", "shipping", "gift_card", "service", "adjustment"]


class ProductQuestion(SalesQuestion):
    """What all questions about the sales of products share.

    Single lines are added up: what belongs to an order as a whole (its own discount, tax, shipping) has no product
    and is not among them, and a line that names no product is left out. A product is what its id says; postage and
    other fees are left out unless `kind` asks for them. Returns belong to the time they were made, so that a
    product's return rate in a short range can be above 1.

    `trend` sets net sales beside those of the range before, as long, or of the same range a year before; it needs
    `from` and `to`, and is null without them, and where nothing was earned before.

    Margin takes the cost that the product has in the snapshot for every unit sold, and gives it back for every unit
    returned. It is null where the cost is not known, or is not in the currency of the amounts: a product that names
    no currency is in the installation's.

    Views are events named in `view_event`; they are null where the range has none at all, and follow country,
    channel, customer and customers, but no currency.
    """

    needs_lines: ClassVar[bool] = True

    kind: Annotated[Kind, Field(description="Kind of what the lines charge for; `all` has fees too.")] = "goods"
    trend: Annotated[
        Literal["previous_period", "previous_year"], Field(description="What the trend compares the range with.")
    ] = "previous_period"
    view_event: Annotated[
        list[str] | None,
        Field(description=f"Names of the events that are views, in any case; default {', '.join(VIEWS)}."),
    ] = None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return (*super().tables(), "main.events")

    def shift(self, context: Context) -> Shift:
        """From the asked range, which has both ends, to the one before."""
        return self.shift_of_range(context, self.compare or self.trend)

    def products(self, context: Context) -> Statement:
        """CTEs up to ``measured``, one row per product; ``whole`` and ``earlier`` have what is looked at."""
        now = self.measured(context, "product_id")
        earlier = Statement("SELECT NULL::VARCHAR AS product_id, 0 AS net_sales, []::VARCHAR[] AS seen WHERE false")
        has_earlier = "false"
        if self._has_range():
            shift = self.shift(context)
            before = self.measured(context, "product_id", shift)
            earlier = renamed(replace(before, sql=f"{before.sql}, {WHOLE} {statement('products/earlier')}"))
            has_earlier = self.known_before(context, shift)
        sql = (
            f"{now.sql}, {WHOLE}, earlier AS MATERIALIZED (\n{earlier.sql}\n), "
            f"views AS MATERIALIZED (\n{statement('products/views')}\n), "
            f"measured AS MATERIALIZED (\n{statement('products/measured')}\n)"
        )
        values = {
            "view_events": [name.lower() for name in self.view_event or VIEWS],
            "has_earlier": has_earlier == "true",
            **earlier.values,
        }
        return replace(now, sql=sql, values={**now.values, **values})

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses amounts in several currencies, in the range or between it and the one before."""
        found = super().doubts(context, seen)
        if not self._has_range():
            return found
        before = renamed(self.facts(context, self.shift(context)))
        also = f"UNION FROM (WITH {before.sql} {statement('sales/currencies')})"
        return [
            (Statement(f"FROM ({doubt.sql}) {also}", {**doubt.values, **before.values}), look) for doubt, look in found
        ]

    def _has_range(self) -> bool:
        # What an earlier question answers has no trend of its own.
        return self._back is None and self.start is not None and self.end is not None


class ProductPerformance(ProductQuestion):
    """How each product sells: units, sales, returns, orders, customers, margin, views to buy, trend, and its ABC class.

    A row per product to which something happened in the range, or in the range before it where both ends are given.
    Classes are given among all products that the filters leave, not only those of the page: sorted by `abc_by`,
    largest first and by id where equal, a product is A while those before it have less than `a_share` of the whole,
    B while they have less than `a_share` + `b_share`, else C; so the one that crosses 80 % is A. The whole is that
    of positive values; a product without one is C. Without a known margin `abc_by=margin` gives no class.

    `compare` needs `from` and `to`, and sets the other numbers too beside those of the range before, or of a year
    before; `trend` is then of the same time. Rates, margin and views are null where the product had nothing at all
    then.
    """

    name: ClassVar[str] = "products/performance"
    sql_names: ClassVar[tuple[str, ...]] = (*MEASURED, "products/classified", "products/performance")
    title: ClassVar[str] = "Product performance"
    columns: ClassVar[tuple[str, ...]] = (
        "product_id", "product_name", "category", "abc", "cumulative_share", "gross_sales", "discounts", "returns",
        "adjustments", "net_sales", "share", "net_sales_previous", "trend", "cost", "margin", "margin_rate", "units",
        "returned_units", "return_rate", "orders", "customers", "views", "views_to_buy",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {
        "from": "2011-10-01", "to": "2011-11-01", "timezone": "Europe/London", "limit": "3",
    }  # fmt: skip
    measures: ClassVar[Measures] = Measures(
        (
            "gross_sales", "discounts", "returns", "adjustments", "net_sales", "units", "returned_units", "orders",
            "customers",
        ),
        ("margin", "margin_rate", "return_rate", "views", "views_to_buy"),
    )  # fmt: skip

    abc: Annotated[
        list[Literal["A", "B", "C"]] | None, Field(description="Only products of these classes; may be repeated.")
    ] = None
    abc_by: Annotated[
        Literal["net_sales", "gross_sales", "units", "margin"], Field(description="What the classes are made by.")
    ] = "net_sales"
    a_share: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4, description="Percent of the whole for A.")] = (
        Decimal(80)
    )
    b_share: Annotated[Decimal, Field(ge=0, le=100, decimal_places=4, description="Percent of the whole for B.")] = (
        Decimal(15)
    )
    sort: Annotated[
        Literal[
            "net_sales", "gross_sales", "returns", "return_rate", "orders", "customers", "units", "margin",
            "margin_rate", "views", "views_to_buy", "trend",
        ],
        Field(description="The column to order by; where it is null, last."),
    ] = "net_sales"  # fmt: skip
    descending: Annotated[bool, Field(description="Largest first; returns: most money back first.")] = True

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.a_share + self.b_share > 100:
            raise InvalidParameterError("b_share: with a_share it is more than 100 percent")
        if self.compare is None:
            return self._answer(context)
        # Returns are negative: the largest is the lowest.
        direction = "DESC" if self.descending != (self.sort == "returns") else "ASC"
        return self.beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("product_id",),
            order=f"answer.{self.sort} {direction} NULLS LAST, answer.product_id",
        )  # fmt: skip

    def earlier(self, context: Context, compare: str, grain: Grain | None = None) -> Self:
        """See RangeQuestion; whatever class a product had then."""
        return super().earlier(context, compare, grain).model_copy(update={"abc": None})

    def _answer(self, context: Context) -> Statement:
        measured = self.products(context)
        sql = (
            f"{measured.sql}, classified AS (\n{statement('products/classified')}\n) "
            f"{statement('products/performance')}"
        )
        values = {
            "abc": self.abc,
            "abc_by": self.abc_by,
            "a_millionths": int(self.a_share * 10_000),
            "b_millionths": int(self.b_share * 10_000),
            "sort": self.sort,
            "descending": self.descending,
        }
        return replace(measured, sql=sql, values={**measured.values, **values})
