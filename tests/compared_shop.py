"""A shop of a year and more, the ranges before its ranges, and what the change of every number has to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.web import Web, web_of

BERLIN = ZoneInfo("Europe/Berlin")
ZERO = Decimal(0)


@dataclass(frozen=True)
class Sold:
    """An order of one line: a negative quantity is a return."""

    at: datetime
    customer: str
    country: str
    quantity: int
    price: Decimal

    @property
    def amount(self) -> Decimal:
        return self.quantity * self.price


def sold_lines() -> list[Sold]:
    """Orders of 460 days around 29 February 2024."""
    random = Random(29)
    first = datetime(2023, 1, 20, tzinfo=BERLIN)
    found = [
        Sold(
            (first + timedelta(minutes=random.randrange(460 * 24 * 60))).astimezone(BERLIN),
            random.choice(["", *"abcdefgh"]),
            random.choice(["DE", "FR", ""]),
            random.choice([1, 1, 2, 3, -1]),
            Decimal(random.randrange(1, 900)) / 100,
        )
        for _ in range(900)
    ]
    # Somebody, and a country, of the first year alone; and the edges of the days around 29 February.
    found += [Sold(first + timedelta(days=day), "early", "ZA", 2, Decimal(day + 1)) for day in range(0, 300, 7)]
    for day in (date(2023, 2, 28), date(2023, 3, 1), date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)):
        found += [
            Sold(datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN), "a", "DE", 1, Decimal(hour + 1))
            for hour in (0, 23)
        ]
    return found


def web_with(folder: Path, sold: list[Sold]) -> Web:
    """An API over these orders."""
    web = web_of(folder)
    orders = "".join(
        f"{number},{one.at.astimezone(UTC).isoformat()},{one.customer},{one.country}\n"
        for number, one in enumerate(sold)
    )
    lines = "".join(f"{number},1,p,{one.quantity},{one.price}\n" for number, one in enumerate(sold))
    web.shop.upload("orders", "o.csv", f"order_id,ordered_at,customer_id,country\n{orders}")
    web.shop.upload("order_items", "i.csv", f"order_id,line_id,product_id,quantity,unit_price\n{lines}")
    return web


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def a_year_before(moment: datetime) -> datetime:
    """The midnight of the same day, or of the day after what that year lacks."""
    try:
        return moment.replace(year=moment.year - 1)
    except ValueError:
        return moment.replace(year=moment.year - 1, month=3, day=1)


RANGES = [("2024-02-01", "2024-04-15"), ("2024-02-29", "2024-03-01"), ("2023-11-05", "2024-02-28")]


def ranges() -> list[tuple[str, datetime, datetime, datetime, datetime]]:
    """Comparisons, and both ranges."""
    found = []
    for start, end in ((day(one), day(two)) for one, two in RANGES):
        days = (end.date() - start.date()).days
        found.append(("previous_period", start, end, start - timedelta(days=days), start))
        found.append(("previous_year", start, end, a_year_before(start), a_year_before(end)))
    return found


def between(sold: list[Sold], start: datetime, end: datetime) -> list[Sold]:
    return [one for one in sold if start <= one.at < end]


def asked_for(compare: str, start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    ends = {"from": f"{start:%Y-%m-%d}", "to": f"{end:%Y-%m-%d}"}
    return {**ends, "compare": compare, "timezone": "Europe/Berlin", "limit": 5_000, **more}


def ratio(part: Any, whole: Any, places: int = 6) -> str | None:
    if not whole:
        return None
    scaled = Fraction(part) / Fraction(whole) * 10**places
    rounded = (Decimal(scaled.numerator) / Decimal(scaled.denominator)).quantize(Decimal(1), ROUND_HALF_UP)
    return f"{rounded.scaleb(-places):.{places}f}"


def check_changes(row: dict[str, Any]) -> None:
    """Each change is the ratio of the difference to the earlier value."""
    for name in [name.removesuffix("_change") for name in row if name.endswith("_change")]:
        now, before = row[name], row[f"{name}_previous"]
        if now is None or before is None or Decimal(before) == 0:
            assert row[f"{name}_change"] is None, name
        else:
            expected = (Decimal(now) - Decimal(before)) / Decimal(before)
            assert abs(Decimal(row[f"{name}_change"]) - expected) <= Decimal("0.0000006"), name


STEPS: dict[tuple[str, str], Callable[[datetime], datetime]] = {
    ("day", "previous_period"): lambda at: at + timedelta(days=1),
    ("day", "previous_year"): lambda at: forward(at, 12),
    ("week", "previous_period"): lambda at: at + timedelta(days=7),
    ("week", "previous_year"): lambda at: at + timedelta(days=364),
    ("month", "previous_period"): lambda at: forward(at, 1),
    ("month", "previous_year"): lambda at: forward(at, 12),
    ("quarter", "previous_period"): lambda at: forward(at, 3),
}


def forward(at: datetime, months: int) -> datetime:
    """The local time so many months later, on the last day of a month that is too short for it."""
    year, month = divmod(at.year * 12 + at.month - 1 + months, 12)
    last = (date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return at.replace(year=year, month=month + 1, day=min(at.day, last))


def period_of(at: datetime, grain: str) -> str:
    first = {
        "day": at,
        "week": at - timedelta(days=at.weekday()),
        "month": at.replace(day=1),
        "quarter": at.replace(month=(at.month - 1) // 3 * 3 + 1, day=1),
    }
    return f"{first[grain]:%Y-%m-%d}"


def never_was(grain: str, compare: str, first: datetime, last: datetime, period: str) -> bool:
    """Whether the year before has no such day, or nothing of the whole range."""
    if compare == "previous_period" or grain == "week":
        return False
    return a_year_before(first) == a_year_before(last) or (grain == "day" and period.endswith("02-29"))
