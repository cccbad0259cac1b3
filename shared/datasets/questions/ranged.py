"""What questions share that are about a range of time and not about money."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from shared.datasets.question import Context, Question
from shared.datasets.questions.ranges import instant, shifted, zone_named
from shared.errors import InvalidParameterError


class RangeQuestion(Question):
    """The range and the time zone."""

    start: Annotated[
        str | None,
        Field(alias="from", description="First instant or day (ISO 8601), included; a day begins at local midnight."),
    ] = None
    end: Annotated[
        str | None, Field(alias="to", description="First instant or day after the range: it is excluded.")
    ] = None
    timezone: Annotated[str | None, Field(description="IANA time zone of days and periods; default the tenant's.")] = (
        None
    )

    def zone(self, context: Context) -> ZoneInfo:
        """The time zone to use. Raises InvalidTimezoneError."""
        return zone_named(context.timezone if self.timezone is None else self.timezone)

    def asked_range(self, context: Context) -> tuple[datetime | None, datetime | None]:
        """First instant, and the first one after. Raises InvalidParameterError, InvalidTimezoneError."""
        zone = self.zone(context)
        start = shifted(instant("from", self.start, zone), zone, None, "from")
        end = shifted(instant("to", self.end, zone), zone, None, "to")
        if start and end and start.astimezone(UTC) >= end.astimezone(UTC):
            raise InvalidParameterError("to: must be after from; the range is half-open")
        return start, end


def wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    """What the clock of the zone shows then."""
    return moment.astimezone(zone).replace(tzinfo=None)
