"""What the made-up shop is like, and what a person may choose of it; the rest is in ``shop.toml`` beside this file."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from pathlib import Path
from typing import Any

from shared.errors import InvalidParameterError

MAX_LINES = 2_000_000_000
MAX_DAYS = 20 * 366
"""Seconds since the start are 32 bits wide."""


@dataclass(frozen=True)
class SampleOrder:
    """Which shop: so many order lines from ``start`` to before ``end``; the same values make the same rows anywhere.

    A larger shop of the same seed and dates has all people of a smaller one, with the same lives and baskets; only the
    smaller one's last buyer, and the numbers of orders, differ. ``file_lines`` shapes files and no rows.
    """

    lines: int
    seed: int
    start: date = date(2022, 1, 1)
    end: date = date(2025, 1, 1)
    file_lines: int = 2_000_000

    def __post_init__(self) -> None:
        if not 1 <= self.lines <= MAX_LINES:
            raise InvalidParameterError(f"lines: from 1 to {MAX_LINES:,}")
        if not 0 <= self.seed < 2**63:
            raise InvalidParameterError("seed: from 0 to below 2**63")
        if not 1 <= self.days <= MAX_DAYS:
            raise InvalidParameterError(f"end: after start, by at most {MAX_DAYS:,} days")
        if self.file_lines < 1:
            raise InvalidParameterError("file_lines: at least 1")

    @property
    def days(self) -> int:
        """Days in the range."""
        return (self.end - self.start).days

    @property
    def seconds(self) -> int:
        """Seconds in the range."""
        return self.days * 86_400

    @property
    def epoch(self) -> int:
        """The start in seconds since 1970."""
        return int(datetime.combine(self.start, time(), UTC).timestamp())


@dataclass(frozen=True)
class Period:
    """Days of one file of each dataset, counted from the start; ``past`` is the first day after it."""

    first: int
    past: int


def periods(lines_of_days: Sequence[tuple[int, int]], days: int, file_lines: int) -> list[Period]:
    """Periods that follow each other from day 0 to ``days``, of at most ``file_lines`` unless one day has more."""
    found, first, held = [], 0, 0
    for day, lines in lines_of_days:
        if held and held + lines > file_lines:
            found.append(Period(first, day))
            first, held = day, 0
        held += lines
    return [*found, Period(first, days)]


@cache
def shop() -> dict[str, Any]:
    """The shop as ``shop.toml`` describes it."""
    return tomllib.loads((Path(__file__).parent / "shop.toml").read_text(encoding="utf-8"))
