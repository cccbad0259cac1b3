"""What sales are expected to be, and where they were not what could be expected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Fit, Statement
from shared.datasets.questions.currency import Currency, shown
from shared.datasets.questions.modelled import ALL, NOTHING_YET, WHY_REFUSED, ModelledQuestion
from shared.datasets.questions.ranges import DAY
from shared.errors import InvalidParameterError, ModelMissingError, ModelRefusedError
from shared.sql.load import statement

COUNTED = ("orders", "units")


class SeriesQuestion(ModelledQuestion):
    """What questions about series share.

    A series is what sales/by-period answers, by the installation's time zone, of periods that are complete: it ends
    with the last one that the data covers, and a first one that lacks more than a tenth of its days is left out.
    Amounts are in one currency; orders and units are counted over all of them, so `currency` does not go with these.
    `group_by` answers the five countries or channels with most orders, for net_sales and orders.
    """

    metric: Annotated[
        Literal["net_sales", "gross_sales", "orders", "units"], Field(description="What is looked at.")
    ] = "net_sales"
    grain: Annotated[str, Field(description="Length of a period.")] = "day"
    group_by: Annotated[Literal["country", "channel"] | None, Field(description="A series for each of these.")] = None
    currency: Currency = None

    group_columns: ClassVar[tuple[str, ...]] = ("value",)

    def fit_asked(self, context: Context) -> tuple[str, Fit, list[Mapping[str, Any]]]:
        """The currency of the fit, the fit, and its served series.

        Raises what ``fit_of`` does, and InvalidParameterError.
        """
        if self.metric in COUNTED and self.currency is not None:
            raise InvalidParameterError(f"currency: {self.metric} are counted over all currencies")
        if self.group_by and self.metric not in ("net_sales", "orders"):
            raise InvalidParameterError("group_by: goes with the metrics net_sales and orders")
        if self.metric in COUNTED:
            if (self.model, ALL) not in context.fits:
                raise ModelMissingError(NOTHING_YET)
            name, fit = ALL, self.served(context.fits[self.model, ALL])
        else:
            name, fit = self.fit_of(context, self.currency)
        asked = [one for one in fit.facts["series"] if self._is_asked(one)]
        served = [one for one in asked if one["status"] == "served"]
        if not served:
            reason = asked[0]["reason"] if asked else "no_sales"
            why = WHY_REFUSED.get(reason, "nothing was sold there")
            raise ModelRefusedError(f"There is no such series by {self.grain}: {why}.", reason=reason)
        return name, fit, served

    def _is_asked(self, series: Mapping[str, Any]) -> bool:
        wanted = (self.metric, self.grain, self.group_by or "none")
        return (series["metric"], series["grain"], series["dimension"]) == wanted

    def values(self, name: str) -> dict[str, Any]:
        """What the statements are given."""
        return {
            "metric": self.metric,
            "grain": self.grain,
            "dimension": self.group_by or "none",
            "currency": name,
        }

    def of_groups(self, sql: str) -> str:
        """The statement, without the value of the group where nothing is grouped."""
        return sql if self.group_by else f"SELECT * EXCLUDE (value) FROM (\n{sql}\n)"

    def based_on(self, context: Context) -> dict[str, Any]:
        """See Question: the series, and what is known of each."""
        name, fit, served = self.fit_asked(context)
        known = ("value", *(key for key in served[0] if key not in ("metric", "grain", "dimension", "value", "status")))
        series = [{key: one.get(key) for key in known} for one in served]
        facts = {"until": fit.facts["until"], "series": series}
        return {"currency": None if name == ALL else shown(name), "model": self.told_of(fit, facts)}


class SalesForecast(SeriesQuestion):
    """What a metric is expected to be in the periods after the last complete one, with intervals.

    Every method (naive, seasonal naive, drift, exponential smoothing with and without trend and season, Theta,
    calendar regressions, a combination) is tried on a rolling hold-out: fitted to the past of each of several moments
    and compared with what came. The one with the smallest error is served, unless it loses to the seasonal naive
    forecast, the same period one season ago: then that is served, and `beats_naive` is false. `mase` is the mean
    absolute error over that of the seasonal naive forecast within the past, `wape` the sum of absolute errors over
    that of absolute values, both over the periods held out; `model.series` has them of every method.

    Intervals come from the errors of the periods held out. Days on which the shop is always closed are expected to be
    zero. A season is 7 days (and a year, once it was seen twice), 52 weeks or 12 months; under two of them nothing is
    served (`model_refused`).

    Hyndman, Koehler 2006, Another Look at Measures of Forecast Accuracy.
    """

    name: ClassVar[str] = "sales/forecast"
    title: ClassVar[str] = "Sales forecast"
    sql_names: ClassVar[tuple[str, ...]] = ("sales/forecast",)
    model: ClassVar[str] = "forecast"
    columns: ClassVar[tuple[str, ...]] = (
        "period", "expected", "low_80", "high_80", "low_95", "high_95", "method", "beats_naive", "mase",
        "wape", "naive_mase", "naive_wape",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"horizon": "3"}
    longest: ClassVar[Mapping[str, int]] = {"day": 90, "week": 26, "month": 12}
    usual: ClassVar[Mapping[str, int]] = {"day": 28, "week": 13, "month": 6}

    grain: Annotated[Literal["day", "week", "month"], Field(description="Length of a period.")] = "day"
    horizon: Annotated[
        int | None,
        Field(ge=1, description="Periods ahead, at most 90 days, 26 weeks or 12 months; default 28, 13 or 6."),
    ] = None
    level: Annotated[
        list[Literal["80", "95"]] | None,
        Field(description="Percent of the intervals, may be repeated; others are null. Default both."),
    ] = None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.forecasts",)

    def statement(self, context: Context) -> Statement:
        """See Question. Raises ModelMissingError, ModelRefusedError, MixedCurrenciesError, InvalidParameterError."""
        horizon = self.horizon or self.usual[self.grain]
        if horizon > self.longest[self.grain]:
            raise InvalidParameterError(f"horizon: at most {self.longest[self.grain]} for grain={self.grain}")
        name, _, _ = self.fit_asked(context)
        return Statement(
            self.of_groups(statement("sales/forecast")),
            {**self.values(name), "horizon": horizon, "levels": self.level or ["80", "95"]},
        )


class SalesAnomalies(SeriesQuestion):
    """Periods in which a metric was not what could be expected from those before them.

    Every complete period is judged by a robust seasonal model of the periods before it, and by nothing else: a moving
    level and season that odd values do not pull along. `score` is the distance from what was expected in robust
    standard deviations. Bounds are set so that of 100 ordinary periods about 0.2 (`sensitivity=low`), 0.5 (`medium`) or
    2 (`high`) lie outside: `expected_false_alarms` says how many that are of all that were judged. What stays odd for a
    week of days, or four weeks, is the new normal. The first seasons, at least 21 days or two years of weeks, are for
    learning and are not judged. A day on which the shop is always closed does not alarm; one without any sale on which
    there has always been one does (`is_outage`).

    Rows are anomalies alone, unless `all=true`. `from` and `to` are days, half-open.

    Gelper, Fried, Croux 2010, Robust Forecasting with Exponential and Holt-Winters Smoothing.
    """

    name: ClassVar[str] = "sales/anomalies"
    title: ClassVar[str] = "Sales anomalies"
    sql_names: ClassVar[tuple[str, ...]] = ("sales/anomalies",)
    model: ClassVar[str] = "anomalies"
    columns: ClassVar[tuple[str, ...]] = (
        "period", "actual", "expected", "lower", "upper", "score", "direction", "is_outage", "is_closed",
    )  # fmt: skip
    example: ClassVar[Mapping[str, str]] = {"metric": "orders", "sensitivity": "low"}

    start: Annotated[str | None, DAY, Field(alias="from", description="First day, ISO 8601.")] = None
    end: Annotated[str | None, DAY, Field(alias="to", description="The day after the last, ISO 8601.")] = None
    grain: Annotated[Literal["day", "week"], Field(description="Length of a period.")] = "day"
    sensitivity: Annotated[
        Literal["low", "medium", "high"], Field(description="About 0.2, 0.5 or 2 false alarms per 100 periods.")
    ] = "medium"
    every: Annotated[bool, Field(alias="all", description="Also the periods that are as expected.")] = False

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("teal.anomalies",)

    def statement(self, context: Context) -> Statement:
        """See Question. Raises ModelMissingError, ModelRefusedError, MixedCurrenciesError, InvalidParameterError."""
        start, end = _day("from", self.start), _day("to", self.end)
        if start and end and start >= end:
            raise InvalidParameterError("to: must be after from; the range is half-open")
        name, _, _ = self.fit_asked(context)
        values = {
            **self.values(name),
            "sensitivity": self.sensitivity,
            "every": self.every,
            "from_day": start,
            "to_day": end,
        }
        return Statement(self.of_groups(statement("sales/anomalies")), values)

    def based_on(self, context: Context) -> dict[str, Any]:
        """See SeriesQuestion; and how many false alarms are to be expected."""
        told = super().based_on(context)
        rate = context.fits[self.model, self.fit_asked(context)[0]].facts["rates"][self.sensitivity]
        judged = sum(one["judged"] for one in told["model"]["series"])
        told["model"] |= {
            "false_alarms_per_100": rate,
            "judged": judged,
            "expected_false_alarms": round(judged * rate / 100, 1),
        }
        return told


def _day(name: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise InvalidParameterError(f"{name}: {text[:40]} is not a day in ISO 8601") from None  # type: ignore[index]
