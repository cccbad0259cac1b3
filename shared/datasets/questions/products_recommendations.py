"""Recommendations: which products to show next, each with the rule that gave it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.products_affinity import BasketQuestion
from shared.errors import InvalidParameterError
from shared.sql.load import statement

MIN_INTERACTIONS = 1_000
MIN_REPEAT_CUSTOMERS = 25
MAX_OWN = 100
"""Of somebody who bought thousands of products, the last ones tell what is wanted next."""
LEARNED = ("bought_together", "similar", "for_customer")
OF_PRODUCTS = ("bought_together", "similar")
OF_CUSTOMERS = ("for_customer", "buy_again")
_FOUND = {
    "bought_together": "products/bought_together",
    "similar": "products/cosines",
    "for_customer": "products/cosines",
    "popular": "products/popular",
    "buy_again": "products/buy_again",
}


class ProductRecommendations(BasketQuestion):
    """Which products to show: bought together with others, similar to them, for one customer, popular, or to buy again.

    A row per product, best first; `rule` says what gave it, `score` how strongly, `together` how many orders or
    customers that rests on, and `because` which of the asked products, or of those the customer bought, is nearest.

    - `bought_together` (needs `product`): of the orders that hold one of these products, the share that also hold it;
      only where that is more often than by chance (lift above 1).
    - `similar` (needs `product`): the cosine of the two products as vectors over customers, 1 where somebody bought
      it; `by=orders` takes orders in place of customers. Several products: the sum of their cosines.
    - `for_customer` (needs `customer`): the sum of the cosines with the 100 products that the customer bought last.
    - `buy_again` (needs `customer`): what this customer bought, by how many orders of theirs hold it.
    - `popular`: the share of all orders that hold it.

    Cosines, and what is bought together, count from `min_together` customers or orders on. What is asked with
    `product` is not recommended, nor with `exclude_purchased` what the `customer` bought in the range, except by
    `buy_again`. Below 1,000 interactions (products in orders) or 25 customers with two orders, the three learned
    rules are not trusted: JSON says so as `fallback`, and the popular products are given. They also fill up what a
    rule has too few of, unless `fill=false`; a rule that finds nothing always falls back to them. Guest orders count
    for what is popular and bought together, but they are nobody's vector.
    """

    name: ClassVar[str] = "products/recommendations"
    sql_names: ClassVar[tuple[str, ...]] = (
        "sales/facts_of_lines", "products/history", "products/experience", "products/own", "products/vectors",
        "products/bought_together", "products/cosines", "products/buy_again", "products/popular",
        "products/recommendations",
    )  # fmt: skip
    title: ClassVar[str] = "Product recommendations"
    columns: ClassVar[tuple[str, ...]] = (
        "rank", "product_id", "product_name", "category", "rule", "score", "together", "because",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"type": "similar", "product": "22423", "count": "3"}

    type: Annotated[
        Literal["bought_together", "similar", "for_customer", "popular", "buy_again"],
        Field(description="The rule to recommend by."),
    ]
    product: Annotated[
        list[str] | None,
        Field(max_length=100, description="What to start from (ids), such as a cart; may be repeated."),
    ] = None
    customer: Annotated[list[str] | None, Field(max_length=1, description="Whom it is for (an id).")] = None
    by: Annotated[
        Literal["customers", "orders"],
        Field(description="What makes products similar: bought by the same customers, or in the same orders."),
    ] = "customers"
    exclude_purchased: Annotated[bool, Field(description="Leave out what the customer bought.")] = True
    min_together: Annotated[
        int, Field(ge=1, le=10**6, description="Least number of customers or orders that a learned rule rests on.")
    ] = 3
    count: Annotated[int, Field(ge=1, le=100, description="How many products to give.")] = 10
    fill: Annotated[bool, Field(description="Popular products make up what the rule has too few of.")] = True

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.type in OF_PRODUCTS and not self.product:
            raise InvalidParameterError(f"product: {self.type} needs the products to start from")
        if self.type in OF_CUSTOMERS and not self.customer:
            raise InvalidParameterError(f"customer: {self.type} needs whom it is for")
        lines = self.lines(context, product=None, customer=None)
        ctes = ", ".join(
            f"{name} AS MATERIALIZED (\n{statement(f'products/{name}')}\n)"
            for name in ("history", "experience", "own", "vectors", "popular")
        )
        last_at = "" if self.type == "buy_again" else ", NULL::TIMESTAMPTZ AS last_at"
        found = f"SELECT *{last_at} FROM (\n{statement(_FOUND[self.type])}\n)"
        sql = (
            f"WITH {lines.sql}, {ctes}, found AS MATERIALIZED ({found}) "
            f"FROM (\n{statement('products/recommendations')}\n)"
        )
        values = {
            "type": self.type,
            "by_customer": self.type in OF_CUSTOMERS,
            "by_orders": self.type == "bought_together" or (self.type == "similar" and self.by == "orders"),
            "products": self.product or [],
            "for_customer": self.customer[0] if self.customer else None,
            "max_own": MAX_OWN,
            "exclude_purchased": self.exclude_purchased and self.type != "buy_again",
            "needs_experience": self.type in LEARNED,
            "min_interactions": MIN_INTERACTIONS,
            "min_repeat_customers": MIN_REPEAT_CUSTOMERS,
            "min_together": self.min_together if self.type in LEARNED else 1,
            "count": self.count,
            "fill": self.fill,
        }
        return Statement(sql, {**lines.values, **values}, has_seen=True)

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Nothing to doubt: no amounts are added."""
        return []

    def told(self, seen: Any) -> dict[str, Any]:
        """What there was to learn from, and why the popular products stand in for the rule, if they do."""
        interactions, repeat_customers, own, ruled = seen
        told = {"interactions": interactions, "repeat_customers": repeat_customers}
        if ruled:
            return {**told, "fallback": None}
        reason = "no product is together with them often enough (min_together)"
        if not own and self.type in OF_CUSTOMERS:
            reason = "the customer bought nothing in the range"
        elif not own:
            reason = "nothing of what was asked for was sold in the range"
        if self.type in LEARNED and (interactions < MIN_INTERACTIONS or repeat_customers < MIN_REPEAT_CUSTOMERS):
            reason = (
                f"{interactions:,} interactions and {repeat_customers:,} customers with two orders are too few: "
                f"{MIN_INTERACTIONS:,} and {MIN_REPEAT_CUSTOMERS} are needed"
            )
        return {**told, "fallback": f"These are popular products, not {self.type}: {reason}."}
