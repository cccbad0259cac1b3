"""Ranges and time zones of questions: days and instants as they are asked for, local time as SQL; nothing is run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from shared.errors import InvalidParameterError, InvalidTimezoneError

Shift = Callable[[datetime | None, ZoneInfo], datetime | None]

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Clocks changed between these; whoever dates an order outside has other troubles, and gets the nearest offset."""

MAX_PERIODS = 200_000
"""Periods of one answer: twenty years of hours, five hundred of days."""

_SHORTEST_HOURS = {"hour": 1, "day": 24, "week": 7 * 24, "month": 28 * 24, "quarter": 90 * 24, "year": 365 * 24}
_WEEK_SECONDS = 7 * 86_400
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
    """Earlier by a step such as ``1 month``; a day that the earlier month lacks is its last one."""

    def earlier(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
        if moment is None:
            return None
        count, unit = int(step.split(maxsplit=1)[0]), step.split()[1].rstrip("s")
        if unit in ("hour", "day"):
            return moment - timedelta(**{unit + "s": count})
        months = moment.year * 12 + moment.month - 1 - count * (12 if unit == "year" else 1)
        year, month = divmod(months, 12)
        for day in range(moment.day, 27, -1):
            try:
                return moment.replace(year=year, month=month + 1, day=day)
            except ValueError:
                continue
        return moment.replace(year=year, month=month + 1)

    return earlier


def shifted(moment: datetime | None, zone: ZoneInfo, shift: Shift | None, name: str) -> datetime | None:
    """The instant, or the earlier one. Raises InvalidParameterError where no calendar of ours has it."""
    try:
        found = moment if shift is None else shift(moment, zone)
        if found is not None:
            # Also by the clocks that it will be read on: the first day of the year 1 is in the year 0 to the west.
            for clock in (UTC, zone):
                found.astimezone(clock)
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
    """SQL for the wall-clock time of a TIMESTAMPTZ column whose values lie between two instants.

    The engine's own conversion takes 0.4 µs a row, several times as much as everything that is added up. The few
    changes of the clock in between, as comparisons of integers, take a twentieth of it.
    """
    if first is None or last is None:
        first = last = datetime(2000, 1, 1, tzinfo=UTC)
    instants = [
        (second, offset)
        for year in range(max(first.year - 1, FIRST_YEAR), min(last.year + 1, LAST_YEAR) + 1)
        for second, offset in _changes(zone, year)
    ]
    begin, end = first.timestamp(), last.timestamp()
    earlier = bisect_left(instants, (begin, -_WEEK_SECONDS))
    between = [change for change in instants[earlier:] if change[0] <= end]
    before = instants[earlier - 1][1] if earlier else _offset(zone, max(begin, _second(FIRST_YEAR)))
    return f"make_timestamp(epoch_us({column}) + {_offset_sql(f'epoch_us({column})', between, before)})"


def _offset_sql(value: str, changes: list[tuple[int, int]], before: int) -> str:
    """Microseconds east of UTC, found by halving."""
    if not changes:
        return str(before * 1_000_000)
    middle = len(changes) // 2
    second, offset = changes[middle]
    earlier = _offset_sql(value, changes[:middle], before)
    later = _offset_sql(value, changes[middle + 1 :], offset)
    return earlier if earlier == later else f"CASE WHEN {value} < {second * 1_000_000} THEN {earlier} ELSE {later} END"


@cache
def _changes(zone: ZoneInfo, year: int) -> list[tuple[int, int]]:
    """Changes of the clock in a year: the second (since 1970, UTC) from which on an offset in seconds holds."""
    found, second, end = [], _second(year), _second(year + 1)
    offset = _offset(zone, second)
    while second < end:
        following = min(second + _WEEK_SECONDS, end)
        if (after := _offset(zone, following)) != offset:
            found.append((_change_between(zone, second, following), after))
        second, offset = following, after
    return found


def _change_between(zone: ZoneInfo, before: int, after: int) -> int:
    old = _offset(zone, before)
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if _offset(zone, middle) == old else (before, middle)
    return after


def _offset(zone: ZoneInfo, second: float) -> int:
    told = datetime.fromtimestamp(second, zone).utcoffset()
    return int(told.total_seconds()) if told else 0


def _second(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
