"""What is asked, and what is answered: values that every way of asking shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from shared.answers.encode import Format, Numbers
from shared.datasets.question import Question
from shared.datasets.rules import EVERYTHING, DataRules
from shared.errors import InvalidParameterError
from shared.keys import Principal
from shared.limits import UNLIMITED, Limits
from shared.stranger_sql.base import always

DOLLARS_PER_GB_SECOND = 0.0000133334
DOLLARS_PER_1000_GETS = 0.0004
MEMORY_GB = 1.769
"""AWS Lambda arm64 and S3 Standard GET, us-east-1 list prices of November 2026; at 1,769 MB a function has one core."""


@dataclass(frozen=True)
class Asked:
    """A question with what is asked about its answer; ``numbers`` is how JSON writes decimals.

    ``was_newest`` says that nobody named the snapshot: it was the newest just now. ``subject`` names the list that a
    cursor belongs to, where that is not the question with its parameters. ``is_awaited`` is asked now and then, in the
    thread that asks, while SQL runs: whether somebody still waits for the answer.
    """

    question: Question
    tenant: str
    snapshot: int | None = None
    as_of: datetime | None = None
    format: Format = "json"
    numbers: Numbers = "string"
    limit: int | None = None
    cursor: str | None = None
    if_none_match: str = ""
    sees_personal: bool = False
    was_newest: bool = False
    subject: str = ""
    rules: DataRules = EVERYTHING
    limits: Limits = UNLIMITED
    is_awaited: Callable[[], bool] = field(default=always, compare=False, repr=False)

    @classmethod
    def by(cls, principal: Principal, question: Question, **more: Any) -> Self:
        """As somebody asks it: of the own tenant, with what may be seen and taken; ``more`` are fields of ours."""
        own: dict[str, Any] = {
            "sees_personal": principal.sees_personal,
            "rules": principal.rules,
            "limits": principal.limits,
        }
        return cls(question=question, tenant=principal.tenant, **(own | more))

    @property
    def pinned(self) -> bool:
        """Whether the answer stays the same for good."""
        return self.snapshot is not None and not self.was_newest


def instant_of(as_of: datetime | None, snapshot: int | None) -> datetime | None:
    """``as_of`` with an offset. Raises InvalidParameterError when a snapshot is named too."""
    if as_of is not None and snapshot is not None:
        raise InvalidParameterError("snapshot: ask for a snapshot or a time, not for both")
    return as_of.replace(tzinfo=UTC) if as_of is not None and as_of.tzinfo is None else as_of


@dataclass(frozen=True)
class Receipt:
    """What an answer cost: bytes of the data files it may touch, their number, milliseconds; dollars by list price."""

    bytes_read: int = 0
    requests: int = 0
    milliseconds: float = 0.0

    @property
    def dollars(self) -> float:
        """Estimated cost of one function's time and the store's requests."""
        compute = self.milliseconds / 1000 * MEMORY_GB * DOLLARS_PER_GB_SECOND
        return compute + self.requests / 1000 * DOLLARS_PER_1000_GETS


@dataclass(frozen=True)
class Answer:
    """An answer: ``content`` is None when the caller has it already (304)."""

    etag: str
    snapshot: int
    media_type: str
    pinned: bool
    receipt: Receipt
    content: bytes | None = None
    cursor: str | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    """Milliseconds by phase: lake, engine, encode."""
