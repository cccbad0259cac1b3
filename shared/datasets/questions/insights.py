"""What to do next: ranked actions with their evidence and the money at stake, computed from the shop's own numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Fit, Rows, Statement
from shared.datasets.questions.currency import Currency, code_of, shown
from shared.datasets.questions.insights_windows import DEFAULT_DAYS, MAX_DAYS, Windows, windows
from shared.datasets.questions.modelled import NOTHING_YET, WHY_REFUSED
from shared.datasets.questions.products_affinity import MAX_PAIRS, SETS, counted_sets
from shared.datasets.questions.ranged import RangeQuestion
from shared.datasets.questions.sales.base import SalesQuestion
from shared.errors import LimitError
from shared.sql.load import statement

Kind = Literal[
    "win_back", "cross_sell", "restock", "retire", "discount_leakage", "price_outlier", "rising", "falling",
    "dependency", "anomaly", "forecast_below",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "win_back", "cross_sell", "restock", "retire", "discount_leakage", "price_outlier", "rising", "falling",
    "dependency", "anomaly", "forecast_below",
)  # fmt: skip
MODEL_OF: dict[Kind, str] = {"win_back": "lifetime", "anomaly": "anomalies", "forecast_below": "forecast"}
"""Kinds that answer from a fitted model."""
OF_BOTH = ("rising", "falling", "retire", "discount_leakage")
"""Kinds that need the whole window before."""
READS: dict[str, tuple[str, ...]] = {
    "whole": ("sold_orders",),
    "sold_products": ("sold_lines",),
    "sold_pairs": ("sold_lines",),
    "sold_rules": ("sold_pairs",),
    "sold_trends": ("sold_products",),
    "sold_paces": ("sold_products",),
    "sold_returned": ("sold_products",),
    "sold_discounted": ("sold_products", "sold_orders"),
    "win_back": ("whole",),
    "cross_sell": ("sold_rules", "sold_lines", "sold_products"),
    "restock": ("sold_paces",),
    "retire": ("sold_returned", "whole"),
    "discount_leakage": ("sold_discounted", "whole"),
    "price_outlier": ("sold_lines", "whole"),
    "rising": ("sold_trends", "whole"),
    "falling": ("sold_trends", "whole"),
    "dependency": ("sold_orders", "sold_products", "whole"),
    "anomaly": ("whole",),
    "forecast_below": ("whole",),
}
"""What each CTE reads."""
TRIALS = {
    "sold_rules": "insights/rules_counted",
    "sold_trends": "insights/trends_counted",
    "sold_paces": "insights/paces_counted",
    "sold_returned": "insights/returned_counted",
    "sold_discounted": "insights/discounts_counted",
}
COUNTED = {
    "sold_orders": "insights/orders",
    "sold_lines": "insights/lines",
    "sold_products": "insights/products",
    "sold_pairs": "insights/pairs",
    "whole": "insights/whole",
}
FOUND: dict[Kind, str] = {
    "win_back": "insights/win_back",
    "cross_sell": "insights/cross_sell",
    "restock": "insights/restock",
    "retire": "insights/retire",
    "discount_leakage": "insights/discount_leakage",
    "price_outlier": "insights/price_outlier",
    "rising": "insights/rising",
    "falling": "insights/falling",
    "dependency": "insights/dependency",
    "anomaly": "insights/anomaly",
    "forecast_below": "insights/forecast_below",
}
HORIZON_DAYS = 365
"""How far ahead what a customer would bring is counted."""
MIN_RISK, MAX_RISK = 0.5, 0.95
"""Above the latter hardly anybody comes back; below the former a customer is rather still there."""
MAJOR_SHARE = Decimal("0.1")
LEAST_DEVIATION = Decimal("0.2")
"""Of a price from the median."""
MIN_MEMBERS = 20
"""Of fewer customers or products, one is a tenth of them soon."""
MAX_BASKET = 100
MAX_RULES = 100
ANOMALY_DAYS = 14
FORECAST_MONTHS = 3
NO_BEFORE = "the data begin after the window before, which it is compared with"


class _Sold(SalesQuestion):
    """The facts that insights are made of: goods in one currency."""

    kind: Literal["goods"] = "goods"

    def statement(self, context: Context) -> Statement:
        """The facts themselves."""
        facts = self.facts(context)
        return Statement(f"WITH {facts.sql} FROM facts", facts.values)


class _SoldLines(_Sold):
    """The same, line by line."""

    needs_lines: ClassVar[bool] = True


class Insights(RangeQuestion):
    """What to do next: ranked actions, the most money at stake first, each with the numbers it comes from.

    The window (`from`, `to`, or the last `window_days` days) is compared with the one before it, as long; it ends with
    the data, at the local midnight after the last order of the snapshot, and nothing later is looked at. Goods alone
    count, in one currency: several in the two windows are refused (`mixed_currencies`) unless `currency` names one.
    Cancelled orders have no sales, and guests are in sales, but never customers. Kinds:

    - `win_back`: customers with a churn risk of 0.5 to 0.95 who bought on two days or more; at stake is the risk × what
      they would bring within 365 days if they did not leave, as in `customers/churn-risk`.
    - `cross_sell`: pairs of products that more orders of their sizes hold than by chance, and how many customers bought
      the one in the window, but in neither window the other; × confidence × mean net price of the other. Of the rules
      the 100 with most buyers × confidence × price are looked at; orders of more than 100 products are left out.
    - `restock`: products that sell faster in the last sixth of the window than before in it, and more so than all
      others; at stake is what as many days bring again. What is in stock is not known: check it.
    - `retire`: products that come back more often than all others and have no more orders than in the window before;
      what was given back for them.
    - `discount_leakage`: products, countries and channels whose orders are discounted more often than in the window
      before, while neither their units nor their share of all units rise; the discounts beyond the rate of the window
      before. What was taken off an order as a whole counts for countries and channels.
    - `price_outlier`: products some of whose lines were sold far below their median price, by the modified z-score
      beyond 3.5 (Iglewicz, Hoaglin 1993; where the median deviation is 0, the mean one stands in) and by a fifth or
      more; Σ (median − price) × quantity of these.
    - `rising` and `falling`: products with more (fewer) orders than in the window before, and than the growth (fall) of
      the orders of all others would give; the net sales above (below) what both would have given.
    - `dependency`: one customer or product with a tenth of net sales or more (the major customer of IFRS 8.34) among
      20 or more; ten with half of it among 100 or more; their net sales. Evidence has the share of the largest ten and
      of the largest one percent, and the Herfindahl-Hirschman index (Σ share²).
    - `anomaly`: days of the last 14 of the window that `sales/anomalies` says were not as expected.
    - `forecast_below`: the next three months where the same month a year before is above the 95 % interval of
      `sales/forecast`.

    Noise is no insight. Rates and trends are tested: `chance` is at most the probability that a shop in which nothing
    is the matter shows any such row of that kind, and has to be `significance` or less. It is Chernoff's bound of the
    binomial tail, e^(−n·D(k/n ‖ p)), times the number of products, pairs or groups tested (Bonferroni): k of n orders
    against the share p of the whole; so two counts are compared as in Przyborowski, Wilenski 1940. Nothing with fewer
    than `min_orders` orders is looked at. The other kinds have thresholds, said in each row; `anomaly` and
    `forecast_below` are wrong as often as their models say.

    `evidence` holds counts, amounts (exact, in the currency) and rates. `period_from` and `period_to` are the time the
    money is of. JSON says as `left_out` which kinds were not looked at, and why: where nothing was fitted, where a
    model is refused, or where the data begin too late to compare. Names of customers are shown to keys with the scope
    `admin`.
    """

    name: ClassVar[str] = "insights"
    title: ClassVar[str] = "Insights: what to do next"
    sql_names: ClassVar[tuple[str, ...]] = (
        "sales/facts_of_orders", "sales/facts_of_lines", *COUNTED.values(), *SETS[1:], *TRIALS.values(),
        "insights/tested", "insights/nothing", *FOUND.values(), "insights/insights",
    )  # fmt: skip
    columns: ClassVar[tuple[str, ...]] = (
        "rank", "kind", "title", "subject_type", "subject_ids", "subject_names", "money_at_stake", "evidence",
        "period_from", "period_to", "how", "threshold", "look_further",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"kind": "falling", "top": "2", "timezone": "Europe/London"}

    kind: Annotated[list[Kind] | None, Field(description="Only these kinds; may be repeated. Default all.")] = None
    window_days: Annotated[
        int | None,
        Field(ge=7, le=MAX_DAYS, description=f"Days of the window, where `from` is not given; default {DEFAULT_DAYS}."),
    ] = None
    currency: Currency = None
    top: Annotated[int, Field(ge=1, le=100, description="Rows of each kind at most.")] = 5
    min_money: Annotated[Decimal, Field(ge=0, le=10**12, decimal_places=4, description="Least money at stake.")] = (
        Decimal(0)
    )
    min_orders: Annotated[
        int, Field(ge=5, le=10**6, description="Orders (lines, of prices) below which nothing is looked at.")
    ] = 10
    significance: Annotated[
        float, Field(gt=0, le=0.5, description="Most that `chance` may be: how often noise gives rows of a kind.")
    ] = 0.05

    @property
    def personal(self) -> bool:
        """See Question: names of customers."""
        return True

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return (
            "main.order_items", "main.orders", "main.products", "main.categories", "main.customers",
            "teal.order_totals", "teal.lifetime_values", "teal.anomalies", "teal.forecasts", "teal.sales_days",
        )  # fmt: skip

    def statement(self, context: Context) -> Statement:
        """See Question. Raises InvalidParameterError."""
        seen = self._windows(context)
        kinds = [kind for kind in self._kinds() if kind not in self._left_out(context)]
        facts = {"sold_orders": self._facts(context, _Sold), "sold_lines": self._facts(context, _SoldLines)}
        ctes: dict[str, str] = {}
        for name in ("whole", *kinds):
            _add(ctes, name, facts)
        pairs = "SELECT coalesce(max(tests) FILTER (antecedent IS NULL), 0) AS pairs FROM sold_pairs"
        ctes["uncounted"] = pairs if "cross_sell" in kinds else "SELECT 0 AS pairs"
        found = " UNION ALL BY NAME ".join(f"FROM {kind}" for kind in kinds) or statement("insights/nothing")
        listed = ", ".join(f"{name} AS MATERIALIZED (\n{sql}\n)" for name, sql in ctes.items())
        sql = f"WITH {listed}, found AS ({found}) FROM (\n{statement('insights/insights')}\n)"
        values = {**facts["sold_lines"].values, **seen.values, **self._values(context, seen)}
        named = set(re.findall(r"\$(\w+)", sql))
        return Statement(sql, {name: value for name, value in values.items() if name in named}, has_seen=True)

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question: the windows, the fits, and what was left out."""
        fits = {MODEL_OF[kind]: self._fit(context, kind) for kind in self._kinds() if kind in MODEL_OF}
        models = [
            {
                "name": model,
                "currency": shown(name),
                "snapshot": fit.snapshot,
                "fitted_at": fit.fitted_at.isoformat().replace("+00:00", "Z"),
                "until": fit.facts.get("until"),
            }
            for model, (name, fit, _) in fits.items()
            if fit is not None
        ]
        left_out = [{"kind": kind, "reason": reason} for kind, reason in self._left_out(context).items()]
        return {"windows": self._windows(context).told(), "models": models, "left_out": left_out}

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses amounts in several currencies, and what would take too long to count."""
        *amounts, pairs = seen
        if int(pairs):
            raise LimitError(
                f"The orders hold {int(pairs):,} pairs of products to count, and {MAX_PAIRS:,} are counted at most: "
                "ask for a shorter window, a higher min_orders, or for kinds without cross_sell."
            )
        return self._sold(context, _Sold).doubts(context, amounts)

    def told(self, seen: Any) -> dict[str, Any]:
        """The currency of the amounts; null when nobody said it, or nothing was sold."""
        return {"currency": shown(seen[0])}

    def _kinds(self) -> list[Kind]:
        return [kind for kind in KINDS if self.kind is None or kind in self.kind]

    def _windows(self, context: Context) -> Windows:
        start, end = self.asked_range(context)
        now = context.committed_at
        return windows(self.zone(context), start, end, self.window_days, context.span or (now, now))

    def _sold(self, context: Context, question: type[_Sold]) -> _Sold:
        seen = self._windows(context)
        start, end = seen.before.isoformat(), seen.end.isoformat()
        return question.model_validate({"from": start, "to": end, "timezone": self.timezone, "currency": self.currency})

    def _facts(self, context: Context, question: type[_Sold]) -> Statement:
        return self._sold(context, question).facts(context)

    def _fit(self, context: Context, kind: Kind) -> tuple[str, Fit | None, str]:
        """The currency and the fit that a kind answers from; or why there is none."""
        fits = {key[1]: fit for key, fit in context.fits.items() if key[0] == MODEL_OF[kind] and key[1] != "all"}
        asked = code_of(self.currency)
        if not fits:
            return "", None, NOTHING_YET
        if asked is None and len(fits) > 1:
            return "", None, f"fits are in {', '.join(sorted(fits))}: name one with currency="
        name = asked or next(iter(fits))
        if name not in fits:
            return name, None, f"nobody bought in {name} by the snapshot that was fitted to"
        fit = fits[name]
        if fit.status != "served":
            return name, None, f"the model is not served: {WHY_REFUSED.get(fit.reason, fit.reason)}"
        if "refused" in fit.facts.get("values", {}):
            return name, None, "the model of values could not be fitted: too few customers bought again"
        return name, fit, ""

    def _left_out(self, context: Context) -> dict[Kind, str]:
        """Kinds that are asked for and cannot be answered, with the reason."""
        knows_before = self._windows(context).knows_before
        found: dict[Kind, str] = {}
        for kind in self._kinds():
            if kind in MODEL_OF and (reason := self._fit(context, kind)[2]):
                found[kind] = reason
            elif kind == "forecast_below" and not context.rollup_zone:
                found[kind] = "there is no rollup of days in one time zone"
            elif kind in OF_BOTH and not knows_before:
                found[kind] = NO_BEFORE
        return found

    def _values(self, context: Context, seen: Windows) -> dict[str, Any]:
        values: dict[str, Any] = {
            "top": self.top,
            "min_money": self.min_money,
            "min_orders": self.min_orders,
            "significance": self.significance,
            "sees_personal": context.sees_personal,
            "window_query": seen.query(),
            "window_money_query": seen.query(self.currency),
            "min_risk": MIN_RISK,
            "max_risk": MAX_RISK,
            "major_share": MAJOR_SHARE,
            "least_deviation": LEAST_DEVIATION,
            "min_members": MIN_MEMBERS,
            "max_rules": MAX_RULES,
            "max_basket": MAX_BASKET,
            "max_pairs": MAX_PAIRS,
            "support_numerator": 0,
            "support_denominator": 1,
            "lifetime_days": HORIZON_DAYS,
            "forecast_months": FORECAST_MONTHS,
            "rollup_zone": context.rollup_zone,
            "anomalies_from": seen.end.date() - timedelta(days=ANOMALY_DAYS),
            "anomalies_to": seen.end.date(),
        }
        for kind, model in MODEL_OF.items():
            name, fit, _ = self._fit(context, kind)
            values[f"{model}_currency"] = name
            if kind == "win_back" and fit is not None:
                horizons = [int(step) for step in fit.facts["horizons"]]
                values |= {
                    "lifetime_place": horizons.index(HORIZON_DAYS) + 1,
                    "lifetime_until": fit.facts["until"],
                }
        if context.span is not None:
            values["first_day"] = context.span[0].astimezone(seen.zone).date()
        return values


def _add(ctes: dict[str, str], name: str, facts: Mapping[str, Statement]) -> None:
    """Put a CTE behind those that it reads."""
    if name in ctes:
        return
    for read in READS.get(name, ()):
        _add(ctes, read, facts)
    if name in facts:
        ctes[name] = f"WITH {facts[name].sql} FROM (\n{statement(COUNTED[name])}\n)"
    elif name == "sold_pairs":
        lines = "facts AS (SELECT order_id, product_id, is_sale AS is_order FROM sold_lines WHERE is_now)"
        ctes[name] = f"WITH {lines}, {counted_sets(2)} FROM (\n{statement(COUNTED[name])}\n)"
    elif name in TRIALS:
        ctes[name] = f"WITH trials AS (\n{statement(TRIALS[name])}\n) FROM (\n{statement('insights/tested')}\n)"
    elif name in COUNTED:
        ctes[name] = statement(COUNTED[name])
    else:
        ctes[name] = statement(FOUND[name])  # type: ignore[index] # what is left are kinds
