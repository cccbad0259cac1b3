"""One product: what it earns, who buys it, at which prices, and what with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.comparison import renamed
from shared.datasets.questions.products import MEASURED, Kind, ProductQuestion
from shared.datasets.questions.sales.base import clock_of_facts
from shared.errors import UnknownRowError
from shared.sql.load import statement

MAX_PRICES = 20
MAX_PARTNERS = 5
MIN_TOGETHER = 3


class ProductDetail(ProductQuestion):
    """One product: its totals and trend, its returns, who buys it, at which prices, and what is bought with it.

    One row; a product that neither the catalogue nor any order line knows is a problem (`unknown_row`). Fees are
    products too, so `kind` is `all`. `first_sold`, `last_sold` and prices are those of the range, by the clock of
    `timezone`. `price_points` are the 20 prices at which most units were sold, before discounts, cheapest first.
    `bought_together` are the five products that the largest share of the orders with this one hold too, of those in
    three of these orders or more, and in more of them than by chance; it looks at all orders that pass the same
    filters, in any currency. `top_customers` is how many customers make up 80 % of what known customers spent on it,
    largest first, with the one that crosses it: a low number is a dependency. `products/performance` has the numbers
    of a product beside those of an earlier range (`product` and `compare`).
    """

    name: ClassVar[str] = "products/detail"
    sql_names: ClassVar[tuple[str, ...]] = (
        *MEASURED, "products/history", "products/bought_together", "products/detail",
    )  # fmt: skip
    title: ClassVar[str] = "Product detail"
    columns: ClassVar[tuple[str, ...]] = (
        "product_id", "product_name", "category", "brand", "product_kind", "list_price", "first_sold", "last_sold",
        "gross_sales", "discounts", "returns", "adjustments", "net_sales", "net_sales_previous", "trend", "cost",
        "margin", "margin_rate", "units", "returned_units", "return_rate", "orders", "customers", "repeat_customers",
        "top_customers", "views", "views_to_buy", "price_points", "bought_together",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {
        "product": "22423", "from": "2011-10-01", "to": "2011-11-01", "timezone": "Europe/London",
    }  # fmt: skip

    product: Annotated[list[str], Field(min_length=1, max_length=1, description="The product's id.")]
    kind: Annotated[Kind, Field(description="Kind of what the lines charge for.")] = "all"
    category: ClassVar[None] = None  # type: ignore[misc] # a parameter of sales, but not of one product
    compare: ClassVar[None] = None  # type: ignore[misc] # as above; here it is `trend`

    def statement(self, context: Context) -> Statement:
        """See Question."""
        measured = self.products(context)
        start, end = self.asked_range(context)
        local_at = clock_of_facts(self.zone(context), context, start, end).local_time("ordered_at")
        everything = self.model_copy(update={"product": None, "currency": None, "convert": None, "include": None})
        # Once more under another name: the range before is called before_ already.
        orders = renamed(renamed(everything.facts(context)))
        sql = (
            f"{measured.sql}, sold AS MATERIALIZED (SELECT *, {local_at} AS local_at FROM facts), "
            f"history AS MATERIALIZED (WITH {orders.sql} FROM (\n{statement('products/history')}\n)), "
            "own AS (SELECT unnest($product::VARCHAR[]) AS product_id), "
            f"bought_together AS MATERIALIZED (FROM (\n{statement('products/bought_together')}\n)) "
            f"FROM (\n{statement('products/detail')}\n)"
        )
        limits = {"max_prices": MAX_PRICES, "max_partners": MAX_PARTNERS, "min_together": MIN_TOGETHER}
        return replace(measured, sql=sql, values={**measured.values, **orders.values, **limits})

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses a product that nobody knows, and amounts that cannot be added up."""
        if seen[-1] != "true":
            raise UnknownRowError(f"There is no product {self.product[0][:60]}.")
        return super().doubts(context, seen[:-1])

    def told(self, seen: Any) -> dict[str, Any]:
        """The currency of the amounts."""
        return super().told(seen[:-1])
