"""What a number or a label of an answer is told as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number or a label of answers, in the field's words."""

    title: str
    meaning: str
    formula: str
    source: str = ""
    """Where the definition comes from, or is told in other words."""
