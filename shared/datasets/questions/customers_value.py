"""What customers are worth: what they brought, what a model expects them to bring, and whom to win back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from math import exp, log1p
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Fit, Rows, Statement
from shared.datasets.questions.currency import Currency, code_of, default_of, shown
from shared.datasets.questions.modelled import ModelledQuestion
from shared.datasets.questions.ranges import local_time, zone_named
from shared.errors import MixedCurrenciesError
from shared.sql.load import statement

LIFETIME = "lifetime"
"""The model's name."""
DAYS_OF_YEAR = 365.25
Percent = Annotated[Decimal, Field(ge=0, le=100, decimal_places=4)]


class ValuedCustomers(ModelledQuestion):
    """What questions about expected purchases share.

    A purchase is a day, by the installation's time zone, on which the customer bought: two orders of one day are one.
    Purchases follow BG/NBD, their values Gamma-Gamma (net sales of the day, with what was given back on it), each
    fitted to all customers with an order in the currency, guests left out. Time is counted from the end of the data
    that the fit saw.
    """

    model: ClassVar[str] = LIFETIME

    currency: Currency = None
    horizon: Annotated[Literal["30", "90", "180", "365", "730"], Field(description="Days to look ahead.")] = "365"
    level: Annotated[Literal["80", "95"], Field(description="Percent of the intervals.")] = "80"
    margin: Annotated[
        Percent, Field(description="Percent of net sales that is earned; values are multiplied by it.")
    ] = Decimal(100)
    customer: Annotated[list[str] | None, Field(description="Only these customers (ids); may be repeated.")] = None

    @property
    def personal(self) -> bool:
        """See Question: names of customers."""
        return True

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.lifetime_values", "main.customers")

    def values(self, context: Context, name: str) -> dict[str, Any]:
        """What the statements are given."""
        return {
            "currency": name,
            "place": context.fits[self.model, name].facts["horizons"].index(int(self.horizon)) + 1,
            "margin": self.margin / 100,
            "level": self.level,
            "customer": self.customer,
            "sees_personal": context.sees_personal,
        }

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question: the fit, with the totals of all customers at this horizon."""
        name, fit = self.fit_of(context, self.currency)
        facts = {key: value for key, value in fit.facts.items() if key not in ("horizons", "totals")}
        totals: Mapping[str, Any] = next(
            (row for row in fit.facts["totals"] if row["horizon"] == int(self.horizon)), {}
        )
        chosen = {key: value for key, value in totals.items() if not key.endswith(("_80", "_95"))}
        chosen |= {
            f"{key.rpartition('_')[0]}_interval": value for key, value in totals.items() if key.endswith(self.level)
        }
        return {"currency": shown(name), "model": self.told_of(fit, {**facts, "total": chosen})}


class CustomerLifetimeValue(ValuedCustomers):
    """What each customer brought (`type=historic`) or is expected to bring from now on (`type=predictive`).

    Historic: net sales to date in the currency, by `margin`. Predictive: expected purchases within `horizon` ×
    expected value of one × `margin`, each purchase discounted to the end of the data by `discount` percent a year
    (within one step of 30, 90, 180, 365 and 730 days purchases count as spread evenly: 0.4 % off at 25 percent).
    `alive` is the probability that the customer still is one. `expected_orders_low` and `…_high` hold `level` percent
    of the exact distribution of this customer's purchases, given the fit; the interval of all customers together, with
    what is not known of the fit's parameters, is in `model.total`. `tier` is the quarter of customers by expected
    revenue of a year, 1 the best; equals are together, in the better one.

    Where the model of values could not be fitted (`model.values.refused`: too few who bought again), values are null.
    A fit at the boundary (`boundary`) is an answer, but says that the data cannot tell customers apart in that way;
    with `is_correlated` (0.3 and more) value goes with frequency, and values are less sure. Rows are ordered by
    `lifetime_value`, largest first, then by `customer_id`. Names are shown to keys with the scope `admin`.

    Fader, Hardie, Lee 2005, "Counting Your Customers" the Easy Way; Fader, Hardie 2013, The Gamma-Gamma Model of
    Monetary Value.
    """

    name: ClassVar[str] = "customers/clv"
    title: ClassVar[str] = "Customer lifetime value"
    sql_names: ClassVar[tuple[str, ...]] = ("customers/clv", "customers/clv_historic")
    columns: ClassVar[tuple[str, ...]] = (
        "customer_id", "label", "first_order", "last_order", "purchase_days", "net_sales", "alive", "expected_orders",
        "expected_orders_low", "expected_orders_high", "expected_order_value", "expected_revenue", "lifetime_value",
        "tier",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"horizon": "90", "limit": "3"}

    type: Annotated[Literal["predictive", "historic"], Field(description="What is to come, or what was.")] = (
        "predictive"
    )
    discount: Annotated[Percent, Field(description="Percent a year by which what comes later is worth less.")] = (
        Decimal(10)
    )
    tier: Annotated[
        list[Literal["1", "2", "3", "4"]] | None, Field(description="Only these quarters; may be repeated.")
    ] = None

    def statement(self, context: Context) -> Statement:
        """See Question. Raises ModelMissingError, ModelRefusedError, MixedCurrenciesError."""
        tier = None if self.tier is None else [int(one) for one in self.tier]
        if self.type == "historic":
            return self._historic(context, tier)
        name, fit = self.fit_of(context, self.currency)
        values = {
            **self.values(context, name),
            **self.outlook(fit),
            "tier": tier,
        }
        return Statement(statement("customers/clv"), values)

    def outlook(self, fit: Fit) -> dict[str, Any]:
        """Which entry of the lists is that of the horizon, and what the entries up to it weigh when discounted."""
        steps = fit.facts["horizons"]
        weights = _weights(steps, int(self.horizon), float(self.discount))
        return {"place": steps.index(int(self.horizon)) + 1, "weights": weights}

    def _historic(self, context: Context, tier: list[int] | None) -> Statement:
        first, last = context.span or (None, None)
        days = (
            f"({local_time(f'{one}_at', zone_named(context.timezone), first, last)})::DATE AS {one}_day"
            for one in ("first", "last")
        )
        values = {
            "currency": code_of(self.currency),
            "default_currency": default_of(context.currency),
            "margin": self.margin / 100,
            "tier": tier,
            "customer": self.customer,
            "sees_personal": context.sees_personal,
        }
        sql = f"WITH dated AS (SELECT *, {', '.join(days)} FROM teal.customer_totals) FROM (\n{{}}\n)"
        return Statement(sql.format(statement("customers/clv_historic")), values, has_seen=True)

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.customer_totals", "main.customers") if self.type == "historic" else super().tables()

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """See Question. Raises MixedCurrenciesError."""
        if len(seen) > 1:
            raise MixedCurrenciesError(f"Amounts are in {', '.join(seen)}: name one with currency=.")
        return []

    def told(self, seen: Any) -> dict[str, Any]:
        """See Question: the currency of historic amounts."""
        return {"currency": shown(seen[0])}

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question."""
        return {} if self.type == "historic" else super().based_on(context)


class ChurnRisk(ValuedCustomers):
    """Customers by what is at stake if they left: the probability that they did, and what they would bring if not.

    `churn_risk` = 1 − P(alive). `value_at_risk` = `churn_risk` × what the customer would bring within `horizon` if they
    still are one, by `margin`: who is surely gone and brought little is at the bottom, and so is who is surely there.
    Rows are ordered by `value_at_risk`, largest first, then by `customer_id`: whom to win back. `min_risk` and
    `max_risk` bound the risk: above 0.95 or so hardly anybody comes back. Where the model of values could not be
    fitted, values are null and rows are ordered by risk. Names are shown to keys with the scope `admin`.

    Fader, Hardie, Lee 2008, Computing P(alive) Using the BG/NBD Model.
    """

    name: ClassVar[str] = "customers/churn-risk"
    title: ClassVar[str] = "Churn risk"
    sql_names: ClassVar[tuple[str, ...]] = ("customers/churn_risk",)
    columns: ClassVar[tuple[str, ...]] = (
        "customer_id", "label", "first_order", "last_order", "days_since", "purchase_days", "net_sales", "alive",
        "churn_risk", "revenue_if_alive", "value_at_risk", "tier",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"max_risk": "0.9", "limit": "3"}

    min_risk: Annotated[float, Field(ge=0, le=1, description="Only customers with at least this risk.")] = 0.0
    max_risk: Annotated[float, Field(ge=0, le=1, description="Only customers with at most this risk.")] = 1.0

    def statement(self, context: Context) -> Statement:
        """See Question. Raises ModelMissingError, ModelRefusedError, MixedCurrenciesError."""
        name, fit = self.fit_of(context, self.currency)
        values = {
            **self.values(context, name),
            "until": fit.facts["until"],
            "min_risk": self.min_risk,
            "max_risk": self.max_risk,
        }
        del values["level"]
        return Statement(statement("customers/churn_risk"), values)


def _weights(steps: list[int], horizon: int, percent: float) -> list[float]:
    """What the expected purchases up to each step count for, so that their sum is discounted.

    Purchases between two steps are worth the mean f of e^(-δt) over that time, and Σ (o_k - o_(k-1)) f_k =
    Σ o_k (f_k - f_(k+1)).
    """
    rate = log1p(percent / 100) / DAYS_OF_YEAR
    steps = [step for step in steps if step <= horizon]
    starts = [0, *steps[:-1]]
    factors = [
        1.0 if rate == 0 else (exp(-rate * start) - exp(-rate * end)) / (rate * (end - start))
        for start, end in zip(starts, steps, strict=True)
    ]
    return [one - other for one, other in zip(factors, [*factors[1:], 0.0], strict=True)]
