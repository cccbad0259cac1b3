"""Periods of a series and the cycles they go through: which seasons an hour, a day, a week, a month has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Grain:
    """Lengths of cycles in periods.

    ``seasons`` are whole numbers, shortest first: the longest that has been seen twice is the season of a series.
    ``slow`` cycles need not be whole; they count once seen twice. ``patience`` is how many
    anomalies in a row, to the same side, are the new normal.
    """

    seasons: tuple[int, ...]
    slow: tuple[float, ...] = ()
    patience: int = 4

    def season(self, length: int) -> int | None:
        """The season of a series of this length; None if there are not two of any."""
        seen_twice = [season for season in self.seasons if length >= 2 * season]
        return seen_twice[-1] if seen_twice else None


GRAINS: Mapping[str, Grain] = {
    "hour": Grain((24, 168), patience=24),
    "day": Grain((7,), (365.25,), patience=7),
    "week": Grain((52,), patience=4),
    "month": Grain((12,), patience=3),
    "quarter": Grain((4,), patience=2),
    "year": Grain((1,), patience=2),
}
