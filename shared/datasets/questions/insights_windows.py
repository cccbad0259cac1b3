"""The two windows that insights compare, and where they end; instants in, instants out, nothing is run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from shared.datasets.questions.ranges import range_before, shifted
from shared.errors import InvalidParameterError

DEFAULT_DAYS = 90
MAX_DAYS = 366
RECENT_PART = 6
"""The last part of a window, of so many: 15 of 90 days."""


@dataclass(frozen=True)
class Windows:
    """The window, the one before it that is as long, and its last part; half-open, by the clock of ``zone``."""

    zone: ZoneInfo
    before: datetime
    start: datetime
    recent: datetime
    end: datetime
    days: int
    recent_days: int
    knows_before: bool
    """Whether there was data from the first day of the window before on."""

    @property
    def values(self) -> dict[str, object]:
        """What the statements are given."""
        return {
            "now_at": self.start,
            "recent_at": self.recent,
            "window_from": text(self.start),
            "window_to": text(self.end),
            "recent_from": text(self.recent),
            "window_days": self.days,
            "recent_days": self.recent_days,
            "knows_before": self.knows_before,
        }

    def query(self, currency: str | None = None) -> str:
        """The window as parameters of another question, to stand behind others."""
        asked = {"from": text(self.start), "to": text(self.end), "timezone": self.zone.key}
        return "&" + urlencode(asked | ({"currency": currency} if currency else {}))

    def told(self) -> dict[str, str]:
        """What JSON says of them."""
        return {"from": text(self.start), "to": text(self.end), "before_from": text(self.before)}


def windows(
    zone: ZoneInfo,
    start: datetime | None,
    end: datetime | None,
    days: int | None,
    span: tuple[datetime, datetime],
) -> Windows:
    """The windows of a question in a snapshot whose orders span that time. Raises InvalidParameterError."""
    if days is not None and start is not None:
        raise InvalidParameterError("window_days: goes with to, not with from")
    last = _midnight_after(span[1], zone)
    # What comes after the data was not seen yet, and would look like a fall.
    if end is None or (start is None or start.timestamp() < last.timestamp() < end.timestamp()):
        end = last if end is None else min(end, last, key=datetime.timestamp)
    end = end.astimezone(zone)
    if start is None:
        start = _days_before(end, days or DEFAULT_DAYS)
    start = start.astimezone(zone)
    if start.timestamp() >= end.timestamp():
        raise InvalidParameterError("from: is not before to, or than the end of the data")
    length = max(1, round((end.timestamp() - start.timestamp()) / 86_400))
    if length > MAX_DAYS:
        raise InvalidParameterError(f"from: the window is longer than {MAX_DAYS} days")
    recent_days = max(1, length // RECENT_PART)
    before = shifted(start, zone, range_before(start, end), "from")
    recent = max(_days_before(end, recent_days), start, key=datetime.timestamp)
    return Windows(
        zone=zone,
        before=before.astimezone(zone),  # type: ignore[union-attr] # of an instant, an instant
        start=start,
        recent=recent,
        end=end,
        days=length,
        recent_days=recent_days,
        knows_before=span[0].astimezone(zone).date() <= before.astimezone(zone).date(),  # type: ignore[union-attr] # as above
    )


def text(moment: datetime) -> str:
    """A day where it begins, else the instant; ISO 8601."""
    naive = moment.replace(tzinfo=None)
    return moment.date().isoformat() if naive.time() == time() else moment.isoformat()


def _midnight_after(moment: datetime, zone: ZoneInfo) -> datetime:
    try:
        return datetime.combine(moment.astimezone(zone).date() + timedelta(days=1), time(), zone)
    except OverflowError:
        return moment


def _days_before(moment: datetime, days: int) -> datetime:
    try:
        return moment - timedelta(days=days)
    except OverflowError:
        raise InvalidParameterError("to: the window begins before the year 1") from None
