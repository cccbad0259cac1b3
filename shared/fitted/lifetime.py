"""Fits customer lifetime value to a lake: BG/NBD for purchase days, Gamma-Gamma for what they are worth, by currency.

The rule: time is counted in days of the installation's zone, and a purchase is a day with one: two orders of a day are
one. What cannot be fitted, or does worse than a naive forecast of days held out, is not served, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from shared.fitted.base import Fitted, ModelRow, Seen, rounded
from shared.models.bgnbd import probability_alive
from shared.models.bgnbd_fit import BgNbdFit, fit_bgnbd
from shared.models.gamma_gamma import STRONG_CORRELATION, GammaGammaFit, expected_value, fit_gamma_gamma
from shared.models.histories import Floats, Histories, Ints, histories
from shared.models.lifetime_value import tiers, total_orders, total_revenue
from shared.models.purchases import expected_purchases, purchases_interval
from shared.models.refused import Refused
from shared.sql.load import statement

HORIZONS = (30, 90, 180, 365, 730)
"""Days from the end of the data that are looked ahead; questions interpolate nothing."""
TIER_HORIZON = 365
LEVELS = (80, 95)
"""Percent of the intervals."""
AT_ONCE = 100_000
"""Customers whose values are computed and written together; a function has memory for many times as many."""
HELD_OUT = 0.25
"""Share of the days of the data on which a fit to the days before is tried; a year at most."""
FEWEST_DAYS = 28
"""Days held out below which nothing is tried."""


@dataclass(frozen=True)
class Backtest:
    """How a fit to the days before foretold those held out: root mean squared errors of purchase days per customer."""

    held_out_from: date
    days: int
    customers: int
    purchases: float
    expected_purchases: float
    rmse: float
    naive_rmse: float
    """Of the better of two: each customer goes on at their own rate, or everybody at that of all."""


class LifetimeModel:
    """See FittedModel."""

    name: str = "lifetime"
    tables: tuple[str, ...] = ("lifetime_values",)

    def fit(self, seen: Seen) -> Fitted:
        """One fit per currency that customers bought in."""
        duck, last = seen.duck, seen.last_day()
        duck.execute("CREATE OR REPLACE TEMP TABLE fitted_lifetimes AS FROM lake.teal.lifetime_values LIMIT 0")
        rows = []
        for (currency,) in duck.execute(statement("fitted/currencies"), seen.values):
            if last is None:
                break
            days = f"WITH {seen.dated()} {statement('fitted/days_of_customers')}"
            values = {**seen.values, "currency": currency}
            duck.execute(f"CREATE OR REPLACE TEMP TABLE purchase_history AS {days}", values)
            rows.append(self._of_currency(seen, currency, last))
        return Fitted(rows, {"lifetime_values": "temp.fitted_lifetimes"})

    def _of_currency(self, seen: Seen, currency: str, last: date) -> ModelRow:
        found = seen.duck.arrays(statement("fitted/histories"), {"last": last})
        people = _people(found)
        fit = fit_bgnbd(people)
        facts: dict[str, Any] = {"until": last.isoformat(), "customers": len(people.row_of), "horizons": HORIZONS}
        if isinstance(fit, Refused):
            _write(seen, currency, found, {})
            return ModelRow(self.name, currency, "refused", fit.reason, facts)
        facts["purchases"] = _told(fit, "bgnbd")
        tried = _backtest(seen, last)
        if tried is not None:
            facts["backtest"] = {**asdict(tried), "held_out_from": tried.held_out_from.isoformat()}
            if tried.rmse > tried.naive_rmse:
                _write(seen, currency, found, {})
                return ModelRow(self.name, currency, "refused", "worse_than_naive", facts)
        spend = fit_gamma_gamma(people)
        if isinstance(spend, Refused):
            facts["values"] = {"refused": spend.reason}
        else:
            facts["values"] = _told(spend, "gamma_gamma")
            correlation = spend.correlation
            facts["values"]["correlation"] = rounded(correlation)
            facts["values"]["is_correlated"] = correlation is not None and abs(correlation) >= STRONG_CORRELATION
        facts["totals"] = _totals(fit, spend, people)
        tier = _tier(fit, spend, people)
        for first in range(0, len(people.row_of), AT_ONCE):
            some = slice(first, first + AT_ONCE)
            columns = {name: column[some] for name, column in found.items()}
            rows = people.row_of[some]
            _write(seen, currency, columns, {"tier": tier[rows], **_values(fit, spend, people.some(rows))})
        return ModelRow(self.name, currency, "served", "", facts)


def _people(found: Mapping[str, Any]) -> Histories:
    return histories(found["repeats"], found["last_time"], found["age"], np.maximum(found["mean_value"], 0.0))


def _tier(fit: BgNbdFit, spend: GammaGammaFit | Refused, people: Histories) -> Ints:
    """The quarter, 1 to 4, that each history is in among all customers."""
    alive = probability_alive(fit.model, people)
    worth = expected_purchases(fit.model, people, alive, TIER_HORIZON)
    if not isinstance(spend, Refused):
        worth = worth * expected_value(spend.model, spend.observed_mean, people)
    return tiers(worth, people.customers) + 1


def _values(fit: BgNbdFit, spend: GammaGammaFit | Refused, people: Histories) -> dict[str, Any]:
    """The other columns of teal.lifetime_values that are foretold, an entry for each history."""
    alive = probability_alive(fit.model, people)
    columns: dict[str, Any] = {"alive": alive}
    if not isinstance(spend, Refused):
        columns["order_value"] = expected_value(spend.model, spend.observed_mean, people)
    for horizon in HORIZONS:
        columns[f"orders_{horizon}"] = expected_purchases(fit.model, people, alive, horizon)
        for level in LEVELS:
            low, high = purchases_interval(fit.model, people, alive, horizon, level / 100)
            columns[f"low_{level}_{horizon}"], columns[f"high_{level}_{horizon}"] = low, high
    return columns


def _write(seen: Seen, currency: str, found: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Add some customers of a currency to the temporary results."""

    def listed(name: str) -> str:
        return f"[{', '.join(f'{name}_{horizon}' for horizon in HORIZONS)}]" if values else "NULL"

    columns = {name: found[name] for name in ("customer_id", "first_day", "last_day", "repeats")}
    seen.duck.table_of("lifetime_columns", {**columns, **values})
    lists = ", ".join(
        f"{listed(name)} AS {name}"
        for name in ("orders", *(f"{way}_{level}" for level in LEVELS for way in ("low", "high")))
    )
    single = ", ".join(f"{name if name in values else 'NULL'} AS {name}" for name in ("alive", "order_value", "tier"))
    seen.duck.execute(
        f"""
        INSERT INTO temp.fitted_lifetimes BY NAME
        SELECT
            customer_id, $currency AS currency, first_day::DATE AS first_day, last_day::DATE AS last_day,
            repeats + 1 AS purchase_days, net_sales, {single}, {lists}
        FROM temp.lifetime_columns
        INNER JOIN ({statement("fitted/net_sales")}) USING (customer_id)
        ORDER BY customer_id
        """,
        {**seen.values, "currency": currency},
    )


def _backtest(seen: Seen, last: date) -> Backtest | None:
    """Fit to the first days, foretell the others; None where there is too little of either."""
    first = seen.duck.value("SELECT min(day) FROM temp.purchase_history")
    days = min(365, int(((last - first).days + 1) * HELD_OUT))
    if days < FEWEST_DAYS:
        return None
    split = last - timedelta(days=days)
    found = seen.duck.arrays(statement("fitted/histories"), {"last": split})
    people = _people(found)
    fit = fit_bgnbd(people)
    if isinstance(fit, Refused):
        return None
    later = found["later"]
    expected = expected_purchases(fit.model, people, probability_alive(fit.model, people), days)[people.row_of]
    own = days * np.divide(found["repeats"], found["age"], out=np.zeros(len(later)), where=found["age"] > 0)
    everybody = np.full(len(later), days * found["repeats"].sum() / max(found["age"].sum(), 1.0))
    return Backtest(
        held_out_from=split + timedelta(days=1),
        days=days,
        customers=len(later),
        purchases=float(later.sum()),
        expected_purchases=rounded(float(expected.sum())),
        rmse=rounded(_rmse(later, expected)),
        naive_rmse=rounded(min(_rmse(later, own), _rmse(later, everybody))),
    )


def _rmse(actual: Floats, expected: Floats) -> float:
    return float(np.sqrt(np.mean((actual - expected) ** 2)))


def _totals(fit: BgNbdFit, spend: GammaGammaFit | Refused, people: Histories) -> list[dict[str, Any]]:
    """What all customers are expected to buy, by horizon, with intervals."""
    found = []
    for horizon in HORIZONS:
        totals = {"orders": total_orders(fit, people, horizon)}
        if not isinstance(spend, Refused):
            totals["revenue"] = total_revenue(fit, spend, people, horizon)
        row: dict[str, Any] = {"horizon": horizon}
        for name, total in totals.items():
            row[name] = rounded(total.expected)
            for level in LEVELS:
                bounds = total.interval(level / 100)
                row[f"{name}_{level}"] = bounds and [rounded(bound) for bound in bounds]
        found.append(row)
    return found


def _told(fit: BgNbdFit | GammaGammaFit, name: str) -> dict[str, Any]:
    """A fit as JSON."""
    return {
        "model": name,
        "parameters": {key: rounded(value) for key, value in asdict(fit.model).items()},
        "intervals_95": {
            key: None if bounds is None else [rounded(bound) for bound in bounds]
            for key, bounds in fit.intervals.items()
        },
        "log_likelihood": rounded(fit.log_likelihood),
        "customers": int(fit.customers),
        "boundary": list(fit.boundary),
        "converged": fit.converged,
    }
