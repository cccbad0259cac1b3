"""Lengths of periods, and how far back the period lies that one is compared with."""

from __future__ import annotations

from typing import Literal

Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
STEPS: dict[Grain, str] = {
    "hour": "1 hour",
    "day": "1 day",
    "week": "7 days",
    "month": "1 month",
    "quarter": "3 months",
    "year": "1 year",
}


def step_back(grain: Grain, compare: str) -> str:
    """How far the period lies back that a period is compared with."""
    if compare == "previous_period":
        return STEPS[grain]
    return "364 days" if grain == "week" else STEPS["year"]  # 52 ISO weeks


def period_at(grain: Grain, local: str, step: str = "") -> str:
    """SQL for the first wall-clock time of the period that a local time is in, or is in ``step`` later."""
    return f"date_trunc('{grain}', {local}" + (f" + INTERVAL '{step}')" if step else ")")


def known_day(column: str = "period") -> str:
    """SQL: whether the year before has the day or hour of ``answer`` too."""
    return f"substr(answer.{column}, 6, 5) <> '02-29'"
