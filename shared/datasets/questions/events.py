"""What all questions about web events share: the range, the filters, whose events they are, and lengths of time."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from shared.datasets.question import Context, Rows, Statement
from shared.datasets.questions.clocks import FIRST_YEAR, LAST_YEAR, clock
from shared.datasets.questions.comparison import Compare
from shared.datasets.questions.ranged import RangeQuestion, as_asked, wall_clock
from shared.datasets.questions.ranges import MAX_PERIODS, require_few_periods
from shared.datasets.questions.steps import STEPS
from shared.errors import InvalidParameterError
from shared.sql.load import statement

Dimension = Literal["country", "device", "channel"]
Entity = Literal["customer", "session"]

LONGEST_WINDOW = timedelta(days=366)

_FIRST, _LAST = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(LAST_YEAR, 1, 1, tzinfo=UTC)
"""When events may be where the range is open."""

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LENGTH = re.compile(r"(\d{1,8})([smhd])\Z")


class EventQuestion(RangeQuestion):
    """What all questions about web events share.

    Filters choose events: what they leave out is not there at all. An entity is a customer (`customer_id`) or a
    session (`session_id`); events that name none are nobody's and left out.

    `compare` sets each row beside what this question answers for the range before, as long, or for the same range a
    year before; it needs `from` and `to`. There are then also rows of what was only there before.
    """

    country: Annotated[list[str] | None, Field(description="Only events of these countries; may be repeated.")] = None
    device: Annotated[list[str] | None, Field(description="Only events of these devices; may be repeated.")] = None
    channel: Annotated[list[str] | None, Field(description="Only events of these channels; may be repeated.")] = None
    product: Annotated[list[str] | None, Field(description="Only events of these products (ids); may be repeated.")] = (
        None
    )
    compare: Compare = None

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return ("main.events",)

    def chosen(
        self, context: Context, *, earlier: timedelta = timedelta(0), later: timedelta = timedelta(0)
    ) -> Statement:
        """The CTE ``chosen``: events inside the filters, from the range and so much before and after it."""
        start, end = self.asked_range(context)
        values: dict[str, Any] = {
            "from_at": start,
            "to_at": end,
            "reads_from": _moved(start, -earlier),
            "reads_to": _moved(end, later),
            "country": self.country,
            "device": self.device,
            "channel": self.channel,
            "product": self.product,
        }
        return Statement(f"WITH chosen AS (\n{statement('events/chosen')}\n)", values)


class EventsByPeriod(EventQuestion):
    """What questions about web events per period share.

    A row per period, in the asked time zone, and per value of `dimension`; null is what says nothing. With
    `grain=all` the range is one period, `period` null. Without a `dimension`, `fill` gives every period of the range,
    200,000 at most, with zeros where nothing happened.

    With a `grain`, `compare` sets each period beside the one before it, or the same one a year before, as
    `sales/by-period` does, and needs no `from` and `to`.
    """

    grain: Annotated[
        Literal["day", "week", "month", "quarter", "year", "all"],
        Field(description="Length of a period; all: the range as one."),
    ] = "day"
    fill: Annotated[bool, Field(description="Periods without events are there, with zeros.")] = True
    dimension: Annotated[Dimension | None, Field(description="A row per period and value of this.")] = None

    largest_first: ClassVar[str] = ""
    """The column by which rows of a period are ordered."""

    @abstractmethod
    def answer(self, context: Context) -> Statement:
        """The rows of the range, without those of `compare`."""

    def statement(self, context: Context) -> Statement:
        """See Question."""
        if self.compare is None:
            return self.answer(context)
        return self.beside_earlier(
            context, self.compare, lambda question: question.answer(context), keys=("period", "value"),
            order=f"answer.period, answer.{self.largest_first} DESC, answer.value NULLS LAST",
            grain=None if self.grain == "all" else self.grain, of_both=True,
        )  # fmt: skip

    def per_period(
        self, context: Context, facts: Statement, instant_column: str, counted: str, answer: str
    ) -> Statement:
        """``facts`` (CTEs up to one of that name) counted by the period of an instant, by two statements."""
        zone, (start, end) = self.zone(context), self.asked_range(context)
        # Also of an earlier question it is the asked range that is over or not.
        last = self.asked_range(context, as_asked)[1]
        fill = self.fill and self.dimension is None
        bucket, periods = "NULL::TIMESTAMP", "SELECT bucket, value FROM counted UNION SELECT NULL, NULL WHERE $fill"
        values = {
            **facts.values,
            "fill": fill,
            "step_length": None,
            "local_to": last and wall_clock(last, zone),
            "local_committed_at": wall_clock(context.committed_at, zone),
        }
        if self.grain != "all":
            if fill:
                require_few_periods(self.grain, start, end, None)
            local = clock(zone, start or _FIRST, end or _LAST).local_time(instant_column)
            bucket, periods = self.period(self.grain, local), statement("events/periods")
            values |= {"grain": self.grain, "step_length": STEPS[self.grain]}
            values |= {"local_from": start and wall_clock(start, zone)}
        sql = (
            f"{facts.sql}, dated AS (SELECT *, {bucket} AS bucket FROM facts), "
            f"counted AS MATERIALIZED (\n{statement(counted)}\n), periods AS MATERIALIZED (\n{periods}\n)\n"
            f"{statement(answer)}"
        )
        return Statement(sql, values, has_seen=True)

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Refuses more periods than an answer has; with an open range, only the events say how many there are."""
        if self.fill and seen[0] > MAX_PERIODS:
            raise InvalidParameterError(
                f"grain: the events lie in more than {MAX_PERIODS:,} periods of this length; "
                "ask for a longer grain, a range or fill=false"
            )
        return []


def length_of_time(name: str, text: str) -> timedelta:
    """A length such as 30m or 7d, up to LONGEST_WINDOW. Raises InvalidParameterError."""
    found = _LENGTH.match(text)
    length = timedelta(**{_UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < length <= LONGEST_WINDOW:
        raise InvalidParameterError(f"{name}: a length of time of at most 366 days, such as 90s, 30m, 24h or 7d")
    return length


def microseconds(length: timedelta) -> int:
    """A length of time as the engine's instants count it."""
    return length // timedelta(microseconds=1)


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    """Another instant; none where the calendar ends, for nothing is there to be read."""
    try:
        return moment and moment + by
    except OverflowError:
        return None
