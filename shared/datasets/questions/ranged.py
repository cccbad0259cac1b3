"""What questions share that are about a range of time and not about money."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr

from shared.datasets.question import Context, Question, Statement
from shared.datasets.questions.comparison import Measures, beside
from shared.datasets.questions.ranges import DAY_OR_INSTANT, Shift, back, instant, range_before, shifted, zone_named
from shared.datasets.questions.steps import Grain, known_day, period_at, step_back
from shared.errors import InvalidParameterError


class RangeQuestion(Question):
    """The range and the time zone."""

    measures: ClassVar[Measures] = Measures(())
    """What `compare` compares, where it is a parameter."""

    start: Annotated[
        str | None,
        DAY_OR_INSTANT,
        Field(alias="from", description="First instant or day (ISO 8601), included; a day begins at local midnight."),
    ] = None
    end: Annotated[
        str | None,
        DAY_OR_INSTANT,
        Field(alias="to", description="First instant or day after the range: it is excluded."),
    ] = None
    timezone: Annotated[str | None, Field(description="IANA time zone of days and periods; default the tenant's.")] = (
        None
    )

    _back: Shift | None = PrivateAttr(default=None)
    _forward: str = PrivateAttr(default="")
    """Of an earlier question: how far its range is moved back, and what it finds in periods is moved forward."""

    def zone(self, context: Context) -> ZoneInfo:
        """The time zone to use. Raises InvalidTimezoneError."""
        return zone_named(context.timezone if self.timezone is None else self.timezone)

    def asked_range(self, context: Context, shift: Shift | None = None) -> tuple[datetime | None, datetime | None]:
        """First instant, and the first one after. Raises InvalidParameterError, InvalidTimezoneError."""
        zone, shift = self.zone(context), shift or self._back
        start = shifted(instant("from", self.start, zone), zone, None, "from")
        end = shifted(instant("to", self.end, zone), zone, None, "to")
        if start and end and start.astimezone(UTC) >= end.astimezone(UTC):
            raise InvalidParameterError("to: must be after from; the range is half-open")
        return shifted(start, zone, shift, "from"), shifted(end, zone, shift, "to")

    def period(self, grain: Grain, local: str) -> str:
        """SQL for the period of a local time; of an earlier question, for the one that it is beside."""
        return period_at(grain, local, self._forward)

    def beside_earlier(
        self,
        context: Context,
        compare: str,
        answer: Callable[[Self], Statement],
        *,
        keys: Sequence[str],
        order: str,
        grain: Grain | None = None,
        of_both: bool = False,
    ) -> Statement:
        """What ``answer`` makes of this question beside what it makes of the earlier one; see ``beside``.

        ``of_both``: there are also rows of what was only there in the earlier time.
        """
        before = self.earlier(context, compare, grain)
        known = "true" if before.could_happen(context) else "false"
        if (grain, compare) == ("day", "previous_year"):
            known += f" AND {known_day()}"
        also = "true" if of_both else "false"
        if of_both and grain and self.asked_range(context)[1] is None:
            # What is moved forward from the end of the data lies after it.
            also = "before.period <= (SELECT max(period) FROM now)"
        return beside(
            answer(self), answer(before), self.columns, self.measures, keys=keys, order=order, known=known,
            also=also,
        )  # fmt: skip

    def earlier(self, context: Context, compare: str, grain: Grain | None = None) -> Self:
        """The same question about the time that ``compare`` names; with ``grain``, its periods are those of now.

        Raises InvalidParameterError when it takes both ends of the range to say what is before it.
        """
        given = {"compare": None, **({"fill": False} if "fill" in type(self).model_fields else {})}
        found = self.model_copy(update=given)
        found._back = self.shift_to(context, compare, grain)
        found._forward = step_back(grain, compare) if grain else ""
        return found

    def shift_to(self, context: Context, compare: str, grain: Grain | None) -> Shift:
        """From the asked range to the earlier one: by the step of a period, or by the range."""
        return back(step_back(grain, compare)) if grain else self.shift_of_range(context, compare)

    def shift_of_range(self, context: Context, compare: str) -> Shift:
        """From the asked range to the one it is compared with. Raises InvalidParameterError."""
        start, end = self.asked_range(context)
        if start is None or end is None:
            raise InvalidParameterError("compare: needs from and to, so that the period before is as long")
        return back("1 year") if compare == "previous_year" else range_before(start, end)

    def could_happen(self, context: Context, shift: Shift | None = None) -> bool:
        """Whether the range has any time at all: before 29 February there may be none."""
        start, end = self.asked_range(context, shift)
        return start is None or end is None or start.timestamp() < end.timestamp()


def wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock of the zone shows then."""
    return moment.astimezone(zone).replace(tzinfo=None)


def as_asked(moment: datetime, zone: ZoneInfo) -> datetime:
    """The same instant: of an earlier question, the one that was asked about."""
    return moment
