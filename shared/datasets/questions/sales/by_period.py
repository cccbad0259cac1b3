"""Sales of each period of a range, by the clock of a time zone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Field

from shared.datasets.question import Context, Statement
from shared.datasets.questions.clocks import Clock, clock
from shared.datasets.questions.metrics import METRICS
from shared.datasets.questions.ranges import MAX_PERIODS, Shift, back, hour_before, require_few_periods
from shared.datasets.questions.sales.base import ANSWER, FACTS, NO_VALUE, WHOLE, GroupedQuestion, clock_of_facts
from shared.datasets.questions.sales.days import DAYS, Days
from shared.datasets.questions.steps import STEPS, Grain, known_day, period_at, step_back
from shared.sql.load import statement


class SalesByPeriod(GroupedQuestion):
    """Sales per hour, day, ISO week, month, quarter or year, in the asked time zone.

    `fill` gives every period of the range, 200,000 at most, with zeros where nothing happened. A period that was not
    over when the snapshot was committed is `complete: false`.

    An hour is one by the clock of the time zone at one offset from UTC, and `period` names the offset:
    `2024-10-27T02:00+01:00`. So an hour that the clock shows twice is two rows, one that it leaves out is none, and
    a change of the clock by half an hour leaves an hour of half the length. A day with a change is one row, of 23 or 25
    hours.

    With `group_by`, each period has a row for each country, category, product, channel or customer, in the order of
    `value`; an order with products of two categories counts in both. `fill` then gives every group that has orders in
    the range every period, 200,000 rows at most; without it there are only the rows where something happened.

    `compare=previous_period` sets each period beside the one before it, `previous_year` beside the same one a year
    before (an ISO week: 52 weeks); where nothing happened then, its metrics are zero (null without `fill`) and the
    change is null. Every day of the earlier year is beside exactly one day: 29 February is beside nothing (null) in the
    year after a shorter one, and is counted with 28 February where the later year has none, so that the days of a
    month add up to the month. In the same way hours that only the earlier year had, or had twice, are counted with the
    hour that the clock shows instead, or shows once; of an hour that only now is there twice, the first is beside the
    one of a year before.
    """

    name: ClassVar[str] = "sales/by-period"
    sql_names: ClassVar[tuple[str, ...]] = (
        *FACTS, *DAYS, *ANSWER, "sales/periods", "sales/instants_of_hours", "sales/grid", "sales/grid_of_facts",
    )  # fmt: skip
    of_days: ClassVar[bool] = True
    title: ClassVar[str] = "Sales by period"
    columns: ClassVar[tuple[str, ...]] = ("period", *METRICS, "complete")
    group_columns: ClassVar[tuple[str, ...]] = ("value", "label")
    example: ClassVar[Mapping[str, str]] = {
        "grain": "month", "from": "2011-10-01", "to": "2012-01-01", "timezone": "Europe/London",
    }  # fmt: skip

    grain: Annotated[Grain, Field(description="Length of a period.")] = "day"
    fill: Annotated[bool, Field(description="Periods without orders are there, with zeros.")] = True

    def statement(self, context: Context) -> Statement:
        """See Question."""
        zone = self.zone(context)
        start, end = self.asked_range(context)
        if self.fill:
            require_few_periods(self.grain, start, end, context.span)
            first, last = context.span or (None, None)
            shown = clock(zone, start or first, end or last)
        else:
            shown = clock_of_facts(zone, context, start, end)
        calendar = _Calendar(self.grain, zone, shown)
        bucket, *then = calendar.dated(clock_of_facts(zone, context, start, end))
        now, before, known = self.by_days(context, self._days()) if self._in_days() else None, None, "true"
        now = now or self.measured(context, bucket, None, tuple(then))
        if self.compare is not None:
            shift = self.shift(context)
            facts_clock = clock_of_facts(zone, context, *self.asked_range(context, shift))
            bucket, *then = calendar.dated(facts_clock, self._step())
            before = self.by_days(context, self._days(self._step()), shift) if self._in_days(self._step()) else None
            before = before or self.measured(context, bucket, shift, tuple(then))
            known = self.known_before(context, shift)
        places = self._places(context, calendar, start, end, of_both=before is not None)
        now = Statement(f"{now.sql}, {WHOLE}, {places.sql}", {**now.values, **places.values})
        return self.answer(now, before, "answer.bucket, answer.value NULLS LAST", known)

    def answered(self) -> tuple[str, ...]:
        """See SalesQuestion."""
        return (self.columns[0], *self.group_columns, *self.columns[1:]) if self.group_by else self.columns

    def shift(self, context: Context) -> Shift:
        """See SalesQuestion."""
        step = self._step()
        return hour_before if step == STEPS["hour"] else back(step)

    def known_before(self, context: Context, shift: Shift) -> str:
        """See SalesQuestion."""
        if not self.fill:
            return "false"
        if self.compare == "previous_year" and self.grain in ("hour", "day"):
            return f"{super().known_before(context, shift)} AND {known_day()}"
        return super().known_before(context, shift)

    def _in_days(self, step: str = "") -> bool:
        """Whether periods are of whole days, each beside one period: 28 and 29 February may be beside one day."""
        return self.grain != "hour" and (self.grain, step) != ("day", "1 year")

    def _days(self, step: str = "") -> Days:
        return Days(period_at(self.grain, "day::TIMESTAMP", step), self.grain, STEPS[self.grain])

    def _step(self) -> str:
        """How far the period lies back that a period is compared with."""
        return step_back(self.grain, str(self.compare))

    def _places(
        self, context: Context, calendar: _Calendar, start: datetime | None, end: datetime | None, *, of_both: bool
    ) -> Statement:
        """CTEs up to ``places``: the periods to answer, in each group."""
        values: dict[str, Any] = {"committed_at": calendar.shown_at(context.committed_at)}
        periods = "SELECT bucket, seen FROM (SELECT DISTINCT bucket FROM metrics) CROSS JOIN whole"
        if self.fill:
            filled = calendar.filled(start, end)
            periods, values = filled.sql, {**values, **filled.values}
        ctes = f"periods AS ({calendar.named(periods)})"
        if self.group_by is None:
            return Statement(f"{ctes}, places AS (SELECT *, {NO_VALUE} AS value FROM periods)", values)
        groups = self.groups(context, of_both=of_both and self.fill)
        places = statement("sales/grid_of_facts")
        if self.fill:
            values["max_rows"] = MAX_PERIODS
            places = statement("sales/grid")
        return Statement(f"{ctes}, {groups.sql}, places AS (\n{places}\n)", {**values, **groups.values})


@dataclass(frozen=True)
class _Calendar:
    """Periods as buckets: an hour is its first instant (in UTC), any other period its first wall-clock time."""

    grain: Grain
    zone: ZoneInfo
    clock: Clock
    """Where periods lie; facts to compare with may lie elsewhere."""

    def dated(self, facts: Clock, step: str | None = None) -> tuple[str, ...]:
        """Steps from a fact to its bucket; with ``step``, forward to the bucket that it is compared with."""
        local = facts.local_time("ordered_at")
        if self.grain != "hour":
            return (period_at(self.grain, local, step or ""),)
        instant = "make_timestamp(epoch_us(ordered_at))"
        if step is None:
            return (self.clock.hour(instant),)
        if step == STEPS["hour"]:
            return (self.clock.next_hour(instant),)
        return (f"{local} + INTERVAL '{step}'", self.clock.instant("bucket"), self.clock.hour("bucket"))

    def shown_at(self, moment: datetime | None) -> datetime | None:
        """The instant as buckets have it."""
        return moment and moment.astimezone(UTC if self.grain == "hour" else self.zone).replace(tzinfo=None)

    def named(self, periods: str) -> str:
        """SQL for periods with their names, and whether they are complete."""
        period, following = "strftime(bucket, '%Y-%m-%d')", f"bucket + INTERVAL '{STEPS[self.grain]}'"
        if self.grain == "hour":
            period, following = self.clock.hour_name("bucket"), self.clock.next_hour("bucket")
        return f"SELECT *, {period} AS period, {following} <= $committed_at::TIMESTAMP AS complete FROM (\n{periods}\n)"

    def filled(self, start: datetime | None, end: datetime | None) -> Statement:
        """Every period from ``start`` to ``end``, or to where there are orders."""
        if self.grain == "hour" and start is not None:
            start = self.clock.hour_of(start)
        sql = statement("sales/periods")
        values: dict[str, Any] = {
            "grain": self.grain,
            "step": STEPS[self.grain],
            "local_from": self.shown_at(start),
            "local_to": self.shown_at(end),
        }
        if self.grain == "hour" and (odd := self.clock.odd_changes):
            values["changes"] = [datetime.fromtimestamp(one.second, UTC).replace(tzinfo=None) for one in odd]
            distinct = f"SELECT DISTINCT {self.clock.hour('bucket')} AS bucket, seen"
            instants = statement("sales/instants_of_hours")
            sql = f"WITH whole_hours AS (\n{sql}\n) {distinct} FROM (\n{instants}\n)"
        elif self.grain == "day" and (left_out := self.clock.days_left_out()):
            values["left_out"] = left_out
            sql = f"SELECT * FROM (\n{sql}\n) WHERE NOT list_contains($left_out::TIMESTAMP[], bucket)"
        return Statement(sql, values)
