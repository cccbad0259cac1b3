"""Market baskets: which products are bought together, and more often than chance would have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.modelled import ALL
from shared.datasets.questions.products import Kind
from shared.datasets.questions.sales.base import SalesQuestion
from shared.errors import LimitError
from shared.sql.load import statement

MAX_PAIRS = 50_000_000
"""Pairs of products in the same order that are counted while somebody waits: about 7 million a second on one core."""
MAX_LARGER = 3_000_000
"""Memberships of orders in larger sets, which are written down."""
SETS = (
    "sales/facts_of_lines", "products/held", "products/baskets", "products/basket_counts", "products/items",
    "products/members", "products/pairs_to_count", "products/pairs", "products/pairs_of_baskets",
    "products/larger_to_count", "products/larger", "products/larger_sets", "products/basket_work",
)  # fmt: skip
"""The SQL by which sets of products are counted."""
Share = Annotated[Decimal, Field(ge=0, le=1, decimal_places=9)]


class BasketQuestion(SalesQuestion):
    """What all questions about what is bought together share.

    An order holds a product when it has a sale line of it, and holds it once however many lines or pieces those are.
    Orders that were cancelled, and lines that name no product, are not looked at; fees and postage are left out
    unless `kind` asks for them. No amounts are added here: orders in all currencies count together, and what is said
    below about amounts plays no part.
    """

    currency: ClassVar[None] = None  # type: ignore[misc] # a parameter of sales, but not of baskets
    convert: ClassVar[None] = None  # type: ignore[misc] # as above
    compare: ClassVar[None] = None  # type: ignore[misc] # as above
    include: ClassVar[None] = None  # type: ignore[misc] # as above
    needs_lines: ClassVar[bool] = True

    kind: Annotated[Kind, Field(description="Kind of what the lines charge for; `all` has fees too.")] = "goods"

    def lines(self, context: Context, **changed: Any) -> Statement:
        """The CTE ``facts``: the lines that are looked at. Raises InvalidParameterError."""
        return self.model_copy(update=changed).facts(context)


class ProductAffinity(BasketQuestion):
    """Which products are bought together: a rule for each set of products that enough orders hold.

    A row is a rule: who bought the antecedent also bought the consequent, one product. Each pair gives two rules, a
    set of three products three. Support is the share of orders that hold the whole set, confidence that share among
    the orders with the antecedent, lift how many times as often as if the two had nothing to do with each other,
    leverage how much above that in shares of all orders, conviction how much rarer the rule fails than by chance. The
    counts they come from stand beside them: a high lift on three orders is noise.

    A set counts when it is in at least `min_support` of the orders and in `min_orders` of them. `min_support`,
    `min_confidence` and `min_lift` are reached by what is exactly equal to them: they are compared as integers, never
    as rounded shares. JSON says as `least_orders` how many orders that came to.

    Orders of more than `max_basket` products (wholesale, whole catalogues) say little and cost most; they are left out
    everywhere, also of `all_orders`, and JSON says as `left_out_orders` how many they were. Sets of three and four
    products are looked for with `max_len`. When there are more than 50,000,000 pairs to count, or 3,000,000
    orders in larger sets, the question is refused (`limit_exceeded`): ask for a higher `min_support`, a smaller
    `max_basket` or a shorter range. `category` looks at that part of each order only, `product` at rules whose
    antecedent holds one of these products.

    Pairs of all time, without filters, are counted by the schedule after sales changed; JSON says as `counted` which
    snapshot that was. What asks for fewer orders than were kept, or for anything else, is counted now, and so is
    everything with `live=true`.
    """

    name: ClassVar[str] = "products/affinity"
    sql_names: ClassVar[tuple[str, ...]] = (*SETS, "products/stored_sets", "products/affinity")
    title: ClassVar[str] = "Product affinity (market basket)"
    columns: ClassVar[tuple[str, ...]] = (
        "antecedent", "antecedent_names", "consequent", "consequent_name", "set_orders", "antecedent_orders",
        "consequent_orders", "all_orders", "support", "confidence", "lift", "leverage", "conviction",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"min_support": "0.01", "limit": "3"}

    product: Annotated[
        list[str] | None, Field(description="Only rules given one of these products (ids); may be repeated.")
    ] = None
    category: Annotated[
        list[str] | None, Field(description="Look only at products of these categories; may be repeated.")
    ] = None
    min_support: Annotated[Share, Field(description="Least share of the orders that hold a set.")] = Decimal("0.005")
    min_orders: Annotated[int, Field(ge=1, le=2**31, description="Least number of orders that hold a set.")] = 5
    min_confidence: Annotated[Share, Field(description="Least confidence of a rule.")] = Decimal("0.1")
    min_lift: Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=6, description="Least lift of a rule.")] = (
        Decimal(1)
    )
    max_len: Annotated[int, Field(ge=2, le=4, description="Products of the largest sets.")] = 2
    max_basket: Annotated[
        int, Field(ge=2, le=10_000, description="Products of the largest order that is looked at.")
    ] = 100
    sort: Annotated[
        Literal["lift", "support", "confidence", "leverage", "conviction"],
        Field(description="What to order by, largest first; an unbounded conviction (null) is the largest."),
    ] = "lift"

    live: Annotated[bool, Field(description="Count now, also where the schedule has counted before.")] = False

    def statement(self, context: Context) -> Statement:
        """See Question."""
        kept = self.kept_counts(context)
        if kept is not None:
            sets = Statement(f"WITH {statement('products/stored_sets')}", kept)
        else:
            counted = self.counted(context, MAX_PAIRS)
            larger = {"max_larger": MAX_LARGER} if self.max_len > 2 else {}
            sets = Statement(f"WITH {counted.sql}, {counted_sets(self.max_len)}", {**counted.values, **larger})
        values = {
            **sets.values,
            **_fraction("confidence", self.min_confidence),
            **_fraction("lift", self.min_lift),
            "max_pairs": MAX_PAIRS,
            "max_larger": MAX_LARGER,
            "antecedents": self.product,
            "sort": self.sort,
        }
        return Statement(f"{sets.sql} FROM (\n{statement('products/affinity')}\n)", values, has_seen=True)

    def counted(self, context: Context, max_pairs: int) -> Statement:
        """CTEs up to ``facts``, with the values of ``counted_sets`` too."""
        lines = self.lines(context, product=None)
        support = _fraction("support", self.min_support)
        sizes = {"min_orders": self.min_orders, "max_basket": self.max_basket, "max_pairs": max_pairs}
        return Statement(lines.sql, {**lines.values, **support, **sizes})

    def kept_counts(self, context: Context) -> dict[str, int] | None:
        """What the schedule counted, as values of ``products/stored_sets``, if that is what is asked for."""
        fit = context.fits.get(("baskets", ALL))
        asked = self.model_dump(exclude={"product", "min_support", "min_orders", "min_confidence", "min_lift", "sort"})
        if fit is None or fit.status != "served" or asked != _OF_ALL_TIME:
            return None
        all_orders, support = fit.facts["all_orders"], _fraction("support", self.min_support)
        of_share = -(-all_orders * support["support_numerator"] // support["support_denominator"])
        least = max(of_share, self.min_orders)
        if least < fit.facts["least_orders"]:
            return None
        return {"all_orders": all_orders, "left_out_orders": fit.facts["left_out_orders"], "least_orders": least}

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question: the snapshot that was counted by the schedule; null where the counting is done now."""
        if self.kept_counts(context) is None:
            return {"counted": None}
        fit = context.fits["baskets", ALL]
        return {"counted": {"snapshot": fit.snapshot, "at": fit.fitted_at.isoformat().replace("+00:00", "Z")}}

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return (*super().tables(), "teal.basket_items", "teal.basket_pairs")

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses what would take too long to count."""
        *_, pairs, larger = seen
        for found, most, what in ((pairs, MAX_PAIRS, "pairs of products"), (larger, MAX_LARGER, "larger sets")):
            if found > most:
                raise LimitError(
                    f"The orders hold {found:,} {what} to count, and {most:,} are counted at most: ask for a higher "
                    "min_support or min_orders, a smaller max_basket, a smaller max_len or a shorter range."
                )
        return []

    def told(self, seen: Any) -> dict[str, Any]:
        """What the rules come from."""
        all_orders, least_orders, left_out_orders, *_ = seen
        return {"all_orders": all_orders, "least_orders": least_orders, "left_out_orders": left_out_orders}


_OF_ALL_TIME = ProductAffinity().model_dump(
    exclude={"product", "min_support", "min_orders", "min_confidence", "min_lift", "sort"}
)


def counted_sets(max_len: int) -> str:
    """CTEs from ``facts`` to ``items``, ``sets`` and ``basket_counts``: what is counted, and could be stored."""
    ctes = [
        _cte("held"), _cte("baskets"), _cte("basket_counts"), _cte("items"), _cte("members"), _cte("pairs_to_count"),
        _cte("pairs", "sets_2"),
    ]  # fmt: skip
    if max_len > 2:
        ctes.append(_cte("pairs_of_baskets", "members_2"))
    for length in range(3, max_len + 1):
        smaller = f"smaller AS (FROM members_{length - 1}), smaller_sets AS (FROM sets_{length - 1})"
        larger = f"larger AS (FROM larger_{length}), {smaller}"
        ctes += [
            _cte("larger_to_count", f"work_{length}", smaller),
            _cte("larger", f"larger_{length}", f"{smaller}, larger_to_count AS (FROM work_{length})"),
            _cte("larger_sets", f"sets_{length}", larger),
            f"members_{length} AS (FROM larger_{length} INNER JOIN sets_{length} USING (first_set, last_item))",
        ]
    lengths = range(2, max_len + 1)
    ctes += [
        "sets AS MATERIALIZED (SELECT [item] AS items, orders FROM items "
        + " ".join(f"UNION ALL SELECT items, orders FROM sets_{length}" for length in lengths)
        + ")",
        "larger_work AS (SELECT 0 AS work "
        + " ".join(f"UNION ALL SELECT work FROM work_{length}" for length in lengths if length > 2)
        + ")",
        _cte("basket_work"),
    ]
    return ", ".join(ctes)


def _cte(name: str, called: str = "", reading: str = "") -> str:
    """The SQL of that name as a CTE, reading CTEs under the names it knows them by."""
    within = f"WITH {reading} " if reading else ""
    return f"{called or name} AS MATERIALIZED ({within}FROM (\n{statement(f'products/{name}')}\n))"


def _fraction(name: str, share: Decimal) -> dict[str, int]:
    numerator, denominator = share.as_integer_ratio()
    return {f"{name}_numerator": numerator, f"{name}_denominator": denominator}
