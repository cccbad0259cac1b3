"""Ranges and time zones of questions: days and instants as they are asked for, and the earlier ones beside them."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pydantic import WithJsonSchema

from shared.datasets.questions.clocks import clock
from shared.errors import InvalidParameterError, InvalidTimezoneError

Shift = Callable[[datetime, ZoneInfo], datetime]
"""From an instant, by the clock of the zone, to an earlier one."""

MAX_PERIODS = 200_000
"""Periods of one answer, in all groups together: twenty years of hours, five hundred of days."""

DAY_OR_INSTANT = WithJsonSchema(
    {"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}, {"type": "null"}]}
)
"""How the text of a parameter is described that ``instant`` reads."""
DAY = WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]})

_SHORTEST_HOURS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 28 * 24, "quarter": 90 * 24, "year": 365 * 24}
_NOT_ZONES = ("posix/", "right/", "localtime", "posixrules")


@cache
def zone_named(name: str) -> ZoneInfo:
    """The IANA time zone. Raises InvalidTimezoneError."""
    try:
        if name.startswith(_NOT_ZONES):
            raise ValueError
        return ZoneInfo(name)
    # A name that is a folder, a path out of it or no zone file: each is another error of the same kind.
    except (KeyError, ValueError, OSError):
        raise InvalidTimezoneError(f"timezone: {name[:60]} is not an IANA time zone, such as Europe/London.") from None


def instant(name: str, text: str | None, zone: ZoneInfo) -> datetime | None:
    """The instant that parameter ``name`` says; a day begins at local midnight. Raises InvalidParameterError."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise InvalidParameterError(f"{name}: {text[:40]} is not a day or an instant in ISO 8601") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def back(step: str) -> Shift:
    """Earlier by a step such as ``1 month``, by the clock on the wall.

    Ranges that follow each other do so earlier too, and every earlier instant is in one of them: a day that the earlier
    month lacks is the end of that month (29 February becomes the first instant of 1 March), and so is an hour that the
    clock shows for the second time the end of that hour.
    """
    count, unit = int(step.split(maxsplit=1)[0]), step.split()[1].rstrip("s")

    def earlier(moment: datetime, zone: ZoneInfo) -> datetime:
        if moment.fold:
            moment = clock(zone, moment, moment).end_of_repeat(moment).astimezone(zone)
        if unit == "day":
            return moment - timedelta(days=count)
        months = moment.year * 12 + moment.month - 1 - count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        if moment.day > monthrange(year, month + 1)[1]:
            return datetime(year, month + 2, 1, tzinfo=zone)
        return moment.replace(year=year, month=month + 1)

    return earlier


def hour_before(moment: datetime, zone: ZoneInfo) -> datetime:
    """As far into the hour before as ``moment`` is into its hour; where that one is shorter, its end."""
    around = clock(zone, moment, moment)
    start = around.hour_of(moment)
    before = around.hour_of(start - timedelta(microseconds=1))
    return min(before + (moment - start), start)


def range_before(start: datetime, end: datetime) -> Shift:
    """From a range to the one that ends where it starts: as many days if it is of whole days, else as much time."""

    def earlier(moment: datetime, zone: ZoneInfo) -> datetime:
        # Instants of one zone are compared and subtracted by the clock on the wall; these are not meant so.
        if moment.timestamp() == end.timestamp():
            return start
        first, last = start.astimezone(zone), end.astimezone(zone)
        if first.time() == last.time() and first.date() < last.date():
            return first - (last.date() - first.date())
        return start.astimezone(UTC) - (end.astimezone(UTC) - start.astimezone(UTC))

    return earlier


def shifted(moment: datetime | None, zone: ZoneInfo, shift: Shift | None, name: str) -> datetime | None:
    """The instant, or the earlier one. Raises InvalidParameterError where no calendar of ours has it."""
    try:
        if moment is None:
            return None
        found = moment if shift is None else shift(moment.astimezone(zone), zone)
        # Also by the clocks that it will be read on: the first day of the year 1 is in the year 0 to the west.
        for read_on in (UTC, zone):
            found.astimezone(read_on)
    except (ValueError, OverflowError):
        compared = ", or is compared with one" if shift else ""
        raise InvalidParameterError(f"{name}: is a time outside of the years 1 to 9999{compared}") from None
    return found


def require_few_periods(
    grain: str, start: datetime | None, end: datetime | None, span: tuple[datetime, datetime] | None
) -> None:
    """Raises InvalidParameterError above MAX_PERIODS; where the range is open, it ends with the span of the orders."""
    first, last = span or (start, end)
    first, last = start or first, end or last
    if first and last and (last - first) / timedelta(hours=_SHORTEST_HOURS[grain]) > MAX_PERIODS:
        raise InvalidParameterError(
            f"grain: the range has more than {MAX_PERIODS:,} periods of this length; "
            "ask for a longer grain, a shorter range or fill=false"
        )


def local_time(column: str, zone: ZoneInfo, first: datetime | None, last: datetime | None) -> str:
    """SQL for the wall-clock time of a TIMESTAMPTZ column whose values lie between two instants."""
    return clock(zone, first, last).local_time(column)
