"""One customer: who it is, what was bought and when, how that compares with others, and what may come next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.currency import code_of
from shared.datasets.questions.customers import TOTALS
from shared.datasets.questions.customers_rfm import SCORES, ScoredCustomers
from shared.datasets.questions.customers_value import LIFETIME, CustomerLifetimeValue
from shared.errors import UnknownRowError
from shared.sql.load import statement


class CustomerDetail(ScoredCustomers):
    """All about one customer to the moment `to`: totals, RFM scores and segment, the last orders, favourite products.

    One row. Totals are of all time before `to`. `median_days_between` is the middle one of the times between
    consecutive orders, and `next_order` the day of the last order plus that time: a habit continued, no forecast of
    whether the customer still is one; both are null before the second order. `recent_orders` are the last orders with
    a sale, newest first, each with its net sales in its own currency; `favourite_products` are goods by the number of
    orders that hold them, then by units, then by product_id. Scores are among all customers, so a shop with several
    currencies needs `currency` or `convert` here too. `alive`, `expected_orders`, `lifetime_value` and `tier` are those
    of customers/clv with its defaults, of the snapshot that JSON says as `model`, whatever `to` is; null where no model
    is served, or several currencies are converted. Name and e-mail are shown to keys with the scope `admin`.

    A customer is known by a row of the dataset `customers` or by an order, also a cancelled one; who is neither is not
    found (`unknown_row`). A customer who neither bought nor gave anything back is in the segment Prospects; one who
    has no order with a sale otherwise is in none.
    """

    name: ClassVar[str] = "customers/detail"
    sql_names: ClassVar[tuple[str, ...]] = (*TOTALS, *SCORES, "customers/gaps", "customers/worth", "customers/detail")
    title: ClassVar[str] = "Customer detail"
    columns: ClassVar[tuple[str, ...]] = (
        "customer_id", "label", "email", "country", "orders", "units", "gross_sales", "returns", "net_sales",
        "first_order", "last_order", "recency_days", "r_score", "f_score", "m_score", "rfm", "segment",
        "median_days_between", "next_order", "recent_orders", "favourite_products", "alive", "expected_orders",
        "lifetime_value", "tier",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {
        "customer": "12347", "timezone": "Europe/London", "recent": "2", "favourites": "2",
    }  # fmt: skip

    start: ClassVar[None] = None  # type: ignore[misc] # a parameter of other questions: here all history counts
    window_days: ClassVar[None] = None  # type: ignore[misc] # as above
    compare: ClassVar[None] = None  # type: ignore[misc] # as above
    country: ClassVar[None] = None  # type: ignore[misc] # as above
    channel: ClassVar[None] = None  # type: ignore[misc] # as above
    kind: ClassVar[str] = "all"  # type: ignore[misc] # as above
    include: ClassVar[None] = None  # type: ignore[misc] # as above

    customer: Annotated[str, Field(min_length=1, max_length=1_000, description="The customer's id.")]  # type: ignore[assignment] # one, not many
    recent: Annotated[int, Field(ge=0, le=1_000, description="How many of the last orders to answer.")] = 10
    favourites: Annotated[int, Field(ge=0, le=1_000, description="How many products to answer.")] = 5

    def statement(self, context: Context) -> Statement:
        """See Question."""
        segmented = self.segmented(context)
        first, last = (self.local(f"{one}_at", context) for one in ("first", "last"))
        days = f"({first})::DATE AS first_day, {last} AS last_local"
        worth = self.worth(context)
        sql = (
            f"{segmented.sql}, worth AS (\n{worth.sql}\n), with_days AS (SELECT *, {days} FROM totals), "
            f"gaps AS (\n{statement('customers/gaps')}\n) FROM (\n{statement('customers/detail')}\n)"
        )
        values = {
            **segmented.values,
            **worth.values,
            "customer_id": self.customer,
            "orders": self.recent,
            "products": self.favourites,
            "sees_personal": context.sees_personal,
        }
        return replace(segmented, sql=sql, values=values)

    def worth(self, context: Context) -> Statement:
        """What a fit says of the customer; the statement is given ``$customer_id`` beside its values."""
        if (name := self._fit(context)) is None:
            return Statement(statement("customers/no_worth"))
        usual = CustomerLifetimeValue()
        return Statement(
            statement("customers/worth"), {"fit_currency": name, **usual.outlook(context.fits[LIFETIME, name])}
        )

    def _fit(self, context: Context) -> str | None:
        """The currency of the served fit to what is asked for."""
        wanted = code_of(self.currency)
        served = [name for (model, name), fit in context.fits.items() if model == LIFETIME and fit.status == "served"]
        return next((name for name in served if name == wanted or (wanted is None and len(served) == 1)), None)

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question: the fit."""
        name = self._fit(context)
        return {"model": None if name is None else CustomerLifetimeValue().told_of(context.fits[LIFETIME, name], {})}

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """See Question. Raises UnknownRowError."""
        if seen[4] is None:
            raise UnknownRowError(f"There is no customer {self.customer[:60]}.")
        return super().doubts(context, seen)

    @property
    def personal(self) -> bool:
        """See Question: name and e-mail of the customer."""
        return True

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return (*super().tables(), "main.orders", "main.order_items", "main.products", "teal.lifetime_values")
