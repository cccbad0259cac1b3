"""Forecasts of sales and anomalies in them: series of days, weeks and months out of a lake, and what is found in each.

The rule: a series ends with the last period that is complete in the data; days are those of the installation's zone.
Amounts are series of one currency; orders and units are counted over all currencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from shared.datasets.questions.modelled import ALL
from shared.datasets.questions.ranges import zone_named
from shared.fitted.base import Fitted, ModelRow, Seen, rounded
from shared.models.histories import Floats
from shared.models.refused import Refused
from shared.models.series.anomalies import SENSITIVITIES, anomalies
from shared.models.series.forecast import forecast
from shared.models.series.grains import GRAINS
from shared.sql.load import statement

AMOUNTS, COUNTS = ("net_sales", "gross_sales"), ("orders", "units")
OF_GROUPS = ("net_sales", "orders")
"""Metrics that groups have series of."""
DIMENSIONS = ("country", "channel")
MOST_GROUPS, MOST_CURRENCIES = 5, 5
HORIZONS = {"day": 90, "week": 26, "month": 12}
_GAPS = {"VARCHAR": "nullif({}, '')", "DOUBLE": "CASE WHEN NOT isnan({0}) THEN {0} END"}
"""How a gap of an array becomes NULL; numpy has none."""
_MISSING = 0.1
"""A first period may lack this share of its days."""


@dataclass(frozen=True)
class Series:
    """One regular series, oldest first, and the first day of each of its periods."""

    metric: str
    grain: str
    dimension: str
    value: str | None
    currency: str
    starts: list[date]
    values: Floats

    @property
    def key(self) -> dict[str, Any]:
        """What names it."""
        return {"metric": self.metric, "grain": self.grain, "dimension": self.dimension, "value": self.value}


class ForecastModel:
    """See FittedModel: the periods to come of every series."""

    name: str = "forecast"
    tables: tuple[str, ...] = ("forecasts",)

    def fit(self, seen: Seen) -> Fitted:
        """One forecast per series; a series that cannot be foretold is told as refused."""
        return _fitted(seen, self.name, "forecasts", tuple(HORIZONS), self._of)

    def _of(self, series: Series) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        horizon = HORIZONS[series.grain]
        found = forecast(
            series.values, GRAINS[series.grain], horizon, levels=(0.8, 0.95), non_negative=series.metric in COUNTS
        )
        if isinstance(found, Refused):
            return {"status": "refused", "reason": found.reason}, []
        told = {
            "status": "served",
            "method": found.model,
            "beats_naive": found.beats_seasonal_naive,
            "season": found.season,
            "hold_outs": len(found.origins),
            "steps": found.steps,
            "periods": found.used,
            "candidates": {
                name: {key: rounded(value) for key, value in asdict(one).items()}
                for name, one in found.candidates.items()
            },
        }
        accuracy = {
            "method": found.model,
            "beats_naive": found.beats_seasonal_naive,
            "mase": rounded(found.accuracy.mase),
            "wape": rounded(found.accuracy.wape),
            "naive_mase": rounded(found.seasonal_naive.mase),
            "naive_wape": rounded(found.seasonal_naive.wape),
        }
        starts = _starts_after(series, horizon)
        bounds = {
            f"{word}_{round(level * 100)}": bound
            for level, both in found.intervals.items()
            for word, bound in zip(("low", "high"), both, strict=True)
        }
        rows = [
            {
                "step": step + 1,
                "starts_on": starts[step],
                "expected": rounded(found.point[step]),
                **{name: rounded(bound[step]) for name, bound in bounds.items()},
                **accuracy,
            }
            for step in range(horizon)
        ]
        return told, rows


class AnomalyModel:
    """See FittedModel: every period of every series of days and weeks, by those before it."""

    name: str = "anomalies"
    tables: tuple[str, ...] = ("anomalies",)

    def fit(self, seen: Seen) -> Fitted:
        """Every series at every sensitivity."""
        return _fitted(seen, self.name, "anomalies", ("day", "week"), self._of)

    def _of(self, series: Series) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        told: dict[str, Any] = {}
        for sensitivity, rate in SENSITIVITIES.items():
            found = anomalies(series.values, GRAINS[series.grain], false_alarms_per_100=rate)
            if isinstance(found, Refused):
                return {"status": "refused", "reason": found.reason}, []
            told = {"status": "served", "season": found.season, "warm_up": found.warm_up}
            told["judged"] = int(found.judged.sum())
            rows += [
                {
                    "sensitivity": sensitivity,
                    "starts_on": series.starts[place],
                    "actual": float(series.values[place]),
                    "expected": rounded(found.expected[place]),
                    "lower": rounded(found.lower[place]),
                    "upper": rounded(found.upper[place]),
                    "score": rounded(found.score[place]),
                    "direction": int(found.direction[place]),
                    "is_outage": bool(found.is_outage[place]),
                    "is_closed": bool(found.is_closed[place]),
                }
                for place in np.flatnonzero(found.judged)
            ]
        return told, rows


def _fitted(
    seen: Seen,
    model: str,
    table: str,
    grains: tuple[str, ...],
    of: Callable[[Series], tuple[dict[str, Any], list[dict[str, Any]]]],
) -> Fitted:
    """What ``of`` tells of every series, by currency, and its rows in a temporary table."""
    told: dict[str, list[dict[str, Any]]] = {}
    rows: list[dict[str, Any]] = []
    for series in series_of(seen):
        if series.grain in grains:
            facts, found = of(series)
            told.setdefault(series.currency, []).append({**series.key, **facts})
            rows += [{**series.key, "currency": series.currency, **row} for row in found]
    temporary = f"fitted_{table}"
    seen.duck.execute(f"CREATE OR REPLACE TEMP TABLE {temporary} AS FROM lake.teal.{table} LIMIT 0")
    if rows:
        kinds = seen.duck.columns(f"temp.{temporary}")
        arrays = {name: _column([row[name] for row in rows], kinds[name]) for name in rows[0]}
        seen.duck.table_of(f"{temporary}_rows", arrays)
        columns = ", ".join(f"{_GAPS.get(kinds[name], '{}').format(name)} AS {name}" for name in arrays)
        seen.duck.execute(f"INSERT INTO temp.{temporary} BY NAME SELECT {columns} FROM temp.{temporary}_rows")
    range_of_days = _range(seen)
    until = range_of_days and range_of_days[1].isoformat()
    models = [
        ModelRow(
            model,
            currency,
            "served" if any(one["status"] == "served" for one in series) else "refused",
            "" if any(one["status"] == "served" for one in series) else str(series[0]["reason"]),
            {"until": until, "rates": dict(SENSITIVITIES), "series": series},
        )
        for currency, series in told.items()
    ]
    return Fitted(models, {table: f"temp.{temporary}"})


def series_of(seen: Seen) -> Iterator[Series]:
    """Every series of a lake: of all sales, then of the countries and channels with most orders."""
    if (range_of_days := _range(seen)) is None:
        return
    first, until = range_of_days
    sql = f"WITH {seen.dated()} {statement('fitted/days')}"
    found = seen.duck.arrays(sql, {**seen.values, "first": first, "until": until})
    days = (until - first).days
    for name, value, chosen in _groups(found):
        for metric in (*AMOUNTS, *COUNTS) if name == "none" else OF_GROUPS:
            for currency, of_currency in _currencies(found, metric):
                places = chosen & of_currency
                daily = np.bincount(found["place"][places], weights=found[metric][places], minlength=days).astype(float)
                for grain in HORIZONS:
                    starts, values = _periods(daily, first, grain)
                    if values.any():
                        yield Series(metric, grain, name, value, currency, starts, values)


def _range(seen: Seen) -> tuple[date, date] | None:
    """The first day of the data and the one after its last complete day."""
    first, last = (None if at is None else at.astimezone(zone_named(seen.zone)).date() for at in seen.span())
    today = seen.committed_at.astimezone(zone_named(seen.zone)).date()
    if first is None or last is None or (until := min(last + timedelta(days=1), today)) <= first:
        return None
    return first, until


def _groups(found: Mapping[str, Any]) -> Iterator[tuple[str, str | None, Any]]:
    """Everything, then the largest values of each dimension, each with the rows that are in it."""
    yield "none", None, np.ones(len(found["place"]), dtype=bool)
    for dimension in DIMENSIONS:
        values, row_of = np.unique(found[dimension].astype(str), return_inverse=True)
        orders = np.bincount(row_of, weights=found["orders"])
        for place in np.lexsort((values, -orders))[:MOST_GROUPS]:
            if values[place]:
                yield dimension, str(values[place]), row_of == place


def _currencies(found: Mapping[str, Any], metric: str) -> Iterator[tuple[str, Any]]:
    if metric in COUNTS:
        yield ALL, np.ones(len(found["place"]), dtype=bool)
        return
    values, row_of = np.unique(found["currency"].astype(str), return_inverse=True)
    orders = np.bincount(row_of, weights=found["orders"])
    for place in np.lexsort((values, -orders))[:MOST_CURRENCIES]:
        yield str(values[place]), row_of == place


def _periods(daily: Floats, first: date, grain: str) -> tuple[list[date], Floats]:
    """The first days and the sums of the complete periods; a first one may lack a tenth of its days."""
    begun = [_start(first + timedelta(days=place), grain) for place in range(len(daily))]
    starts = sorted(set(begun))
    place_of = {start: place for place, start in enumerate(starts)}
    sums = np.bincount([place_of[start] for start in begun], weights=daily, minlength=len(starts)).astype(float)
    end = first + timedelta(days=len(daily))
    low, high = 0, len(starts)
    if starts and (first - starts[0]).days > _MISSING * (_end(starts[0], grain) - starts[0]).days:
        low = 1
    if starts and _end(starts[-1], grain) > end:
        high -= 1
    return starts[low:high], sums[low:high]


def _start(day: date, grain: str) -> date:
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day


def _end(start: date, grain: str) -> date:
    """The first day after a period."""
    if grain == "month":
        return (start + timedelta(days=32)).replace(day=1)
    return start + timedelta(days=7 if grain == "week" else 1)


def _starts_after(series: Series, count: int) -> list[date]:
    found = [_end(series.starts[-1], series.grain)]
    while len(found) < count:
        found.append(_end(found[-1], series.grain))
    return found


def _column(values: list[Any], kind: str) -> Any:
    """A column as DuckDB takes it; gaps are empty texts and numbers that are none, see ``_GAPS``."""
    if kind == "DATE":
        return np.array(values, dtype="datetime64[us]")
    if kind == "VARCHAR":
        return np.array([value or "" for value in values], dtype=object)
    return np.array([np.nan if value is None else value for value in values])
