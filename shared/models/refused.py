"""Why a model has no answer: too little data is told, not guessed around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Reason = Literal[
    "no_customers", "no_repeats", "too_few_repeat_customers", "equal_values",
    "under_two_seasons", "too_few_values", "not_finite",
]  # fmt: skip


@dataclass(frozen=True)
class Refused:
    """No fit is possible. ``reason`` is stable and meant for programs."""

    reason: Reason
