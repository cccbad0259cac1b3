"""RFM: how recently, how often and for how much customers bought, as scores of 1 to 5 and as segments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Kept, Statement
from shared.datasets.questions.comparison import Measures
from shared.datasets.questions.customers import TOTALS, ComparedCustomers
from shared.datasets.questions.customers_groups import OTHER, PROSPECTS, SHOPIFY, rules, segment_of
from shared.datasets.questions.ranges import Shift, back, shifted
from shared.errors import InvalidParameterError
from shared.sql.load import statement

SCORES = (
    "customers/recent", "customers/scores_ntile", "customers/scores_quantile", "customers/scores_fixed",
    "customers/segmented",
)  # fmt: skip
"""The SQL by which customers are scored."""


class ScoredCustomers(ComparedCustomers):
    """How customers are scored.

    Scored is who has an order from `from` (or in the `window_days` before `to`; else of all time) to `to`, by three
    values of that time: R, days from the day of the last order to the day of `to`, by the clock of `timezone`; F,
    orders; M, net sales. 5 is best. `bins=ntile` makes fifths: customers are ranked by value and, where values are
    equal, by customer_id (as text), so that equal values may get different scores; where the number cannot be divided
    by five, the lowest scores have one customer more. `bins=quantile` gives 1 + ⌊5 × customers with a worse value /
    customers⌋: equal values get equal scores, and fifths may be of different size. `bins=fixed` compares with four
    limits each: a point for each limit of `frequency` and `monetary` that is reached, and of `recency` (days) that is
    not passed.

    Segments are Shopify's, by R and FM = (F + M) / 2: Champions R 5, FM above 3 · Loyal R 3–4, FM above 3 · Active R
    4–5, FM above 1 to 3 · New R 5, FM 1 · Promising R 4, FM 1 · Needs attention R 3, FM above 2 to 3 · Almost lost R 3,
    FM to 2 · Previously loyal R 1–2, FM above 4 · At risk R 1–2, FM above 2 to 4 · Dormant R 1–2, FM to 2 · Prospects
    never bought. `map` replaces them: the first rule that fits counts, and whom none fits is in Other.
    """

    window_days: Annotated[
        int | None, Field(ge=1, le=36_500, description="Only orders of so many days before `to`; instead of `from`.")
    ] = None
    bins: Annotated[Literal["ntile", "quantile", "fixed"], Field(description="How values become scores.")] = "ntile"
    recency: Annotated[str, Field(description="With bins=fixed: four limits in days, ascending.")] = "30,90,180,365"
    frequency: Annotated[str, Field(description="With bins=fixed: four limits of orders, ascending.")] = "2,3,5,10"
    monetary: Annotated[
        str | None, Field(description="With bins=fixed: four limits of net sales, ascending; required then.")
    ] = None
    map: Annotated[
        list[str] | None,
        Field(description="Rules of segments in their order, such as VIP:r=4-5,fm=4-5; may be repeated."),
    ] = None

    def everybody(self) -> ComparedCustomers:
        """See CustomerQuestion."""
        return self.model_copy(update={"customer": None})

    def range_start(self, context: Context) -> datetime | None:
        """See CustomerQuestion."""
        if self.window_days is None:
            return super().range_start(context)
        if self.start is not None:
            raise InvalidParameterError("window_days: give it or from, not both")
        zone, days = self.zone(context), timedelta(days=self.window_days)
        return shifted(self.until(context).astimezone(zone), zone, lambda moment, _: moment and moment - days, "to")

    def segmented(self, context: Context) -> Statement:
        """CTEs up to ``segmented``, one row per scored customer. Raises InvalidParameterError."""
        totals = self.everybody().totals(context)
        if self.everybody().keeps_totals(context):
            return replace(totals, sql=f"{totals.sql}, segmented AS (FROM kept_scores)")
        return self.scored(context, totals)

    def scored(self, context: Context, totals: Statement) -> Statement:
        """The same, from CTEs up to ``totals``."""
        dated = f"dated AS (SELECT *, ({self.local('last_at', context)})::DATE AS last_day FROM totals)"
        sql = (
            f"{totals.sql}, {dated}, recent AS (\n{statement('customers/recent')}\n), "
            f"scored AS (\n{statement(f'customers/scores_{self.bins}')}\n), "
            f"segmented AS MATERIALIZED (\n{statement('customers/segmented')}\n)"
        )
        values: dict[str, Any] = {**totals.values, "local_until": self.local_until(context)}
        values["segment_of"] = _segment_of(tuple(self.rules()))
        if self.bins == "fixed":
            values |= {name: _limits(name, getattr(self, name)) for name in ("recency", "frequency", "monetary")}
        return replace(totals, sql=sql, values=values)

    def kept_scores(self, context: Context) -> tuple[Kept, ...]:
        """The scores as a connection keeps them, where it keeps the totals."""
        totals = self.everybody().kept_totals(context)
        if not totals:
            return ()
        scored = self.scored(context, Statement("WITH totals AS (FROM kept_totals)"))
        return (Kept("kept_scores", replace(scored, sql=f"{scored.sql} FROM segmented"), after=totals),)

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See Question."""
        return (*super().keeps(context), *self.everybody().kept_totals(context), *self.kept_scores(context))

    def rules(self) -> list[str]:
        """The map, as text."""
        return list(SHOPIFY if self.map is None else self.map)


class CustomerRfm(ScoredCustomers):
    """Each customer's recency, frequency and monetary value, their scores of 1 to 5, and the segment they stand for.

    Best scores first: by R, F, M, net sales, then customer_id. `segment` and `customer` choose whom to show; scores are
    always among all customers. The names of customers are shown to keys with the scope `admin`. There is no `compare`:
    a score is a place among the customers of one time; `customers/segments` compares how many are where.
    """

    name: ClassVar[str] = "customers/rfm"
    sql_names: ClassVar[tuple[str, ...]] = (*TOTALS, *SCORES, "customers/rfm")
    title: ClassVar[str] = "RFM scores"
    columns: ClassVar[tuple[str, ...]] = (
        "customer_id", "label", "last_order", "recency_days", "orders", "net_sales", "r_score", "f_score", "m_score",
        "rfm", "segment",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"timezone": "Europe/London", "limit": "3"}

    compare: ClassVar[None] = None  # type: ignore[misc] # a parameter of segments: a score is a place among the others

    segment: Annotated[list[str] | None, Field(description="Only customers of these segments; may be repeated.")] = None

    def statement(self, context: Context) -> Statement:
        """See Question."""
        segmented = self.segmented(context)
        values = {
            **segmented.values,
            "only": self.segment,
            "shown": self.customer,
            "sees_personal": context.sees_personal,
        }
        return replace(segmented, sql=f"{segmented.sql} {statement('customers/rfm')}", values=values)

    @property
    def personal(self) -> bool:
        """See Question: names of customers."""
        return True


class CustomerSegments(ScoredCustomers):
    """How many customers each segment has, what they bought, and its share of net sales.

    A row per segment in the order of the map, also without customers; Prospects are the customers of the dataset
    `customers` that were there before `to` and have neither bought nor given back anything (with `country`, those whose
    own country it is). The segment null, where there is such a customer, is of those who did, but have no order in the
    range: earlier customers, and customers known by a return alone. What they gave back in the range is in its net
    sales, so that all rows add up to the net sales of all customers.

    `compare=previous_year` sets each segment beside what this question answers for a year before; `previous_period`,
    which needs `from` or `window_days`, beside the range before, as long. Customers are scored anew for that time,
    among those of that time.
    """

    name: ClassVar[str] = "customers/segments"
    sql_names: ClassVar[tuple[str, ...]] = (
        *TOTALS, *SCORES, "customers/buyers", "customers/buyers_of_rollup",
        "customers/segments_found", "customers/segments",
    )  # fmt: skip
    title: ClassVar[str] = "Customer segments"
    columns: ClassVar[tuple[str, ...]] = (
        "segment", "size", "size_share", "orders", "net_sales", "share", "mean_recency_days", "orders_per_customer",
        "net_sales_per_customer",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"timezone": "Europe/London"}
    measures: ClassVar[Measures] = Measures(
        ("size", "orders", "net_sales"),
        ("size_share", "share", "mean_recency_days", "orders_per_customer", "net_sales_per_customer"),
    )

    customer: ClassVar[None] = None  # type: ignore[misc] # a parameter of sales, but not of segments

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self._answer(context)
        return self._with_ends(context).beside_earlier(
            context, self.compare, lambda question: question._answer(context), keys=("segment",),
            order="list_position($segments::VARCHAR[], answer.segment) NULLS LAST", of_both=True,
        )  # fmt: skip

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        return self._with_ends(context).shift_of_range(context, str(self.compare))

    def shift_of_range(self, context: Context, compare: str) -> Shift:
        """See RangeQuestion; a year before needs no beginning."""
        return back("1 year") if compare == "previous_year" else super().shift_of_range(context, compare)

    def _with_ends(self, context: Context) -> CustomerSegments:
        """The same question with the ends of its range as instants."""
        start = self.range_start(context)
        ends = {"start": start and start.isoformat(), "end": self.until(context).isoformat(), "window_days": None}
        return self.model_copy(update=ends)

    def _answer(self, context: Context) -> Statement:
        ctes, found = self.segmented(context), self._found(context)
        if self.everybody().keeps_totals(context):
            found = replace(found, sql="FROM kept_segments")
        names = list(dict.fromkeys(rule.segment for rule in rules(self.rules())))
        values: dict[str, Any] = {
            **ctes.values,
            **found.values,
            "always": [*names, PROSPECTS],
            "segments": [*names, *([] if OTHER in names else [OTHER]), PROSPECTS, None],
        }
        sql = f"{ctes.sql}, found AS (\n{found.sql}\n) FROM (\n{statement('customers/segments')}\n)"
        return replace(ctes, sql=sql, values=values)

    def _found(self, context: Context) -> Statement:
        """What there is of each segment, from ``totals`` and ``segmented``."""
        buyers = "customers/buyers_of_rollup" if context.rollup_zone and self.end is None else "customers/buyers"
        sql = f"WITH buyers AS (\n{statement(buyers)}\n) FROM (\n{statement('customers/segments_found')}\n)"
        values = {"until_at": self.until(context), "country": self.country, "to_at": self.asked_range(context)[1]}
        return Statement(sql, values)

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """See ScoredCustomers; and what they come to."""
        kept = super().keeps(context)
        if not self.everybody().keeps_totals(context):
            return kept
        found = self._found(context)
        read = "WITH totals AS (FROM kept_totals), segmented AS (FROM kept_scores)"
        # What is kept last are the scores, which stand on the totals.
        return (*kept, Kept("kept_segments", replace(found, sql=f"{read} FROM (\n{found.sql}\n)"), after=kept[-1:]))

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return (*super().tables(), "main.customers")


@lru_cache(maxsize=64)
def _segment_of(map_: tuple[str, ...]) -> list[str]:
    """The segment of each combination of scores; finding them takes as long as a small query."""
    return segment_of(rules(list(map_)))


def _limits(name: str, text: str | None) -> list[Decimal]:
    """Four ascending numbers. Raises InvalidParameterError."""
    try:
        found = [Decimal(part.strip()).quantize(Decimal("0.0001")) for part in (text or "").split(",")]
    except InvalidOperation:
        found = []
    if (
        len(found) != 4
        or not all(one.is_finite() for one in found)
        or not all(low < high for low, high in pairwise(found))
    ):
        raise InvalidParameterError(f"{name}: with bins=fixed, four ascending numbers such as 30,90,180,365")
    return found
