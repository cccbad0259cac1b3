"""The clock on the wall of a time zone, as SQL over instants: local time, hours and their names; nothing is run."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

FIRST_YEAR, LAST_YEAR = 1900, 2100
"""Clocks changed between these; whoever dates an order outside has other troubles, and gets the nearest offset."""

_HOUR = 3600
_DAY = 86_400
_WEEK = 7 * _DAY
_AROUND = 2 * _DAY
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - local times are naive
Leaf = Callable[[int], str]


@dataclass(frozen=True)
class Change:
    """From a second on (since 1970, UTC) another offset holds; offsets are seconds east of UTC."""

    second: int
    before: int
    after: int

    @property
    def inside_an_hour(self) -> bool:
        """Whether an hour of the clock ends or begins before it is full: after half of it on Lord Howe Island."""
        return bool((self.second + self.before) % _HOUR or (self.second + self.after) % _HOUR)


@dataclass(frozen=True)
class Clock:
    """A zone's clock over some time: its first offset, and the changes, oldest first.

    An hour of the clock is an hour by its own display at one offset. So every instant is in one hour, an hour that the
    clock shows twice is two, and one that it leaves out is none.
    """

    offset: int
    changes: tuple[Change, ...]

    @property
    def odd_changes(self) -> tuple[Change, ...]:
        """Those that cut an hour; between them, hours follow each other by 3600 seconds."""
        return tuple(change for change in self.changes if change.inside_an_hour)

    def local_time(self, column: str) -> str:
        """SQL for the wall-clock time of a TIMESTAMPTZ column.

        The engine's own conversion takes 0.4 µs a row, several times as much as everything that is added up. The few
        changes of the clock in between, as comparisons of integers, take a twentieth of it.
        """
        value = f"epoch_us({column})"
        return f"make_timestamp({value} + {self._by_offset(value, lambda offset: str(offset * 1_000_000))})"

    def instant(self, local: str) -> str:
        """SQL for the instant (a TIMESTAMP in UTC) that a wall-clock time is: the first of two, and where it is left
        out, that of the offset before (Python's fold=0)."""
        bounds = [change.second + max(change.before, change.after) for change in self.changes]
        value = f"epoch_us({local})"
        offset = _chosen(value, bounds, [str(offset * 1_000_000) for offset in self._offsets()])
        return f"make_timestamp({value} - {offset})"

    def hour(self, instant: str) -> str:
        """SQL for the first instant of the hour that an instant (a TIMESTAMP in UTC) is in."""
        return self._by_piece(instant, ends=False)

    def next_hour(self, instant: str) -> str:
        """SQL for the first instant after that hour."""
        return self._by_piece(instant, ends=True)

    def hour_name(self, instant: str) -> str:
        """SQL for an instant by the clock, to the minute and with the offset: 2024-10-27T02:00+01:00."""
        return self._by_offset(
            f"epoch_us({instant})",
            lambda offset: f"strftime({instant} + to_seconds({offset}), '%Y-%m-%dT%H:%M{offset_name(offset)}')",
        )

    def hour_of(self, moment: datetime) -> datetime:
        """The first instant of the hour that ``moment`` is in."""
        second = moment.timestamp()
        place = bisect_right(self.changes, second, key=lambda change: change.second)
        offset = self._offsets()[place]
        start = (second + offset) // _HOUR * _HOUR - offset
        changed = self.changes[place - 1].second if place else start
        return datetime.fromtimestamp(max(start, changed), UTC)

    def end_of_repeat(self, moment: datetime) -> datetime:
        """When the clock is past what it shows for the second time at ``moment``."""
        change = max((one for one in self.changes if one.second <= moment.timestamp()), key=lambda one: one.second)
        return datetime.fromtimestamp(change.second + change.before - change.after, UTC)

    def days_left_out(self) -> list[datetime]:
        """Local days that never were, such as 30 December 2011 in Samoa."""
        days: list[int] = []
        for change in self.changes:
            first = -(-(change.second + change.before) // _DAY)
            days += range(first, (change.second + change.after) // _DAY)
        return [_EPOCH + timedelta(days=day) for day in days]

    def _offsets(self) -> list[int]:
        return [self.offset, *(change.after for change in self.changes)]

    def _by_offset(self, value: str, leaf: Leaf) -> str:
        return _chosen(value, [change.second for change in self.changes], [leaf(offset) for offset in self._offsets()])

    def _by_piece(self, instant: str, *, ends: bool) -> str:
        """Hours begin at the same minute and second by UTC, until a change cuts one."""
        odd = self.odd_changes
        leaves = []
        for place, offset in enumerate([self.offset, *(change.after for change in odd)]):
            rest = offset % _HOUR
            shift = f" + to_seconds({rest})" if rest else ""
            leaf = f"date_trunc('hour', {instant}{shift})" + shift.replace("+", "-")
            if ends:
                leaf += " + INTERVAL 1 HOUR"
                leaf = f"least({leaf}, {_timestamp(odd[place].second)})" if place < len(odd) else leaf
            elif place:
                leaf = f"greatest({leaf}, {_timestamp(odd[place - 1].second)})"
            leaves.append(leaf)
        return _chosen(f"epoch_us({instant})", [change.second for change in odd], leaves)


def clock(zone: ZoneInfo, first: datetime | None, last: datetime | None) -> Clock:
    """The zone's clock between two instants, and a little around them; without them, for values that are not there."""
    if first is None or last is None:
        first = last = datetime(2000, 1, 1, tzinfo=UTC)
    found = [
        change
        for year in range(max(first.year - 1, FIRST_YEAR), min(last.year + 1, LAST_YEAR) + 1)
        for change in _changes(zone, year)
    ]
    begin, end = first.timestamp() - _AROUND, last.timestamp() + _AROUND
    earlier = bisect_left(found, begin, key=lambda change: change.second)
    between = tuple(change for change in found[earlier:] if change.second <= end)
    return Clock(found[earlier - 1].after if earlier else _offset(zone, max(begin, _second(FIRST_YEAR))), between)


def offset_name(offset: int) -> str:
    """Seconds east of UTC as ISO 8601 has them: +05:45, and with seconds where clocks had them."""
    hours, rest = divmod(abs(offset), _HOUR)
    minutes, seconds = divmod(rest, 60)
    return f"{'-' if offset < 0 else '+'}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")


def _chosen(value: str, bounds: list[int], leaves: list[str]) -> str:
    """The leaf before, between or after the bounds (seconds) that microseconds lie in, found by halving."""
    if not bounds:
        return leaves[0]
    middle = len(bounds) // 2
    earlier = _chosen(value, bounds[:middle], leaves[: middle + 1])
    later = _chosen(value, bounds[middle + 1 :], leaves[middle + 1 :])
    if earlier == later:
        return earlier
    return f"CASE WHEN {value} < {bounds[middle] * 1_000_000} THEN {earlier} ELSE {later} END"


def _timestamp(second: int) -> str:
    return f"make_timestamp({second * 1_000_000})"


@cache
def _changes(zone: ZoneInfo, year: int) -> list[Change]:
    """Changes of the clock in a year."""
    found, second, end = [], _second(year), _second(year + 1)
    offset = _offset(zone, second)
    while second < end:
        following = min(second + _WEEK, end)
        if (after := _offset(zone, following)) != offset:
            found.append(Change(_change_between(zone, second, following), offset, after))
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
