"""Which segment three RFM scores stand for: Shopify's groups, or a map of one's own; pure values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from shared.errors import InvalidParameterError

PROSPECTS = "Prospects"
"""Customers who never bought; no scores stand for them."""
OTHER = "Other"
"""Whom no rule of a map fits."""
MAX_RULES = 50

SHOPIFY = (
    "Champions:r=5,fm=3.5-5",
    "Loyal:r=3-4,fm=3.5-5",
    "Active:r=4-5,fm=1.5-3",
    "New:r=5,fm=1",
    "Promising:r=4,fm=1",
    "Needs attention:r=3,fm=2.5-3",
    "Almost lost:r=3,fm=1-2",
    "Previously loyal:r=1-2,fm=4.5-5",
    "At risk:r=1-2,fm=2.5-4",
    "Dormant:r=1-2,fm=1-2",
)
"""Shopify's groups with customers who bought, on the plane of R and FM = (F + M) / 2; every point is in one of them."""

_CONDITION = re.compile(r"(r|f|m|fm)=([1-5](?:\.5)?)(?:-([1-5](?:\.5)?))?")


@dataclass(frozen=True)
class Rule:
    """A segment, and the lowest and highest value of each score that it takes; a score not named may be any."""

    segment: str
    limits: dict[str, tuple[float, float]]

    def fits(self, r: int, f: int, m: int) -> bool:
        """Whether a customer with these scores is in the segment, unless an earlier rule fits."""
        scores = {"r": r, "f": f, "m": m, "fm": (f + m) / 2}
        return all(low <= scores[name] <= high for name, (low, high) in self.limits.items())


def rules(texts: Sequence[str]) -> list[Rule]:
    """The rules that a map says, such as ``VIP:r=4-5,fm=4-5``. Raises InvalidParameterError."""
    if len(texts) > MAX_RULES:
        raise InvalidParameterError(f"map: more than {MAX_RULES} rules")
    return [_rule(text) for text in texts]


def segment_of(made: Sequence[Rule]) -> list[str]:
    """The segment of each combination of scores; R counts most, then F, then M: (1,1,1), (1,1,2), … (5,5,5)."""
    return [
        next((rule.segment for rule in made if rule.fits(r, f, m)), OTHER) for r, f, m in product(range(1, 6), repeat=3)
    ]


def _rule(text: str) -> Rule:
    segment, _, conditions = (part.strip() for part in text.partition(":"))
    limits: dict[str, tuple[float, float]] = {}
    for condition in filter(None, conditions.replace(" ", "").split(",")):
        found = _CONDITION.fullmatch(condition)
        if found is None or found[1] in limits:
            raise _no_rule(text)
        limits[found[1]] = (float(found[2]), float(found[3] or found[2]))
        if limits[found[1]][0] > limits[found[1]][1]:
            raise _no_rule(text)
    if not 1 <= len(segment) <= 60 or segment == PROSPECTS:
        raise _no_rule(text)
    return Rule(segment, limits)


def _no_rule(text: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"map: {text[:80]} is no rule such as VIP:r=4-5,fm=4-5 (a name but Prospects; scores r, f, m of 1 to 5 and fm, "
        "the mean of f and m, each once, from the lower to the higher)"
    )
