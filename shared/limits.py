"""How much a key or a tenant may take: plain numbers, each of which may be left open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from shared.errors import AnswerTooLargeError, InvalidKeyRequestError
from shared.values import LARGEST_WHOLE

SLOWEST_PER_SECOND = 0.001
"""A request in a quarter of an hour; of less, the time until the next one could not be told."""


@dataclass(frozen=True)
class Limits:
    """None leaves a limit to whoever is next: the key's to its tenant, the tenant's to the installation."""

    requests_per_second: float | None = None
    """On average; ten seconds' worth may come at once."""
    concurrent_requests: int | None = None
    """Answered at the same time by one process."""
    page_rows: int | None = None
    """Rows of one page of an answer."""
    query_bytes: int | None = None
    """Bytes of the data files that one question may read."""
    day_bytes: int | None = None
    """The same for all questions of a day (UTC)."""
    answer_bytes: int | None = None
    """Bytes of one answer."""
    upload_bytes: int | None = None
    """Bytes of one upload."""
    stored_bytes: int | None = None
    """Bytes of the data files of a lake's newest snapshot; more uploads are held."""

    @property
    def counts_bytes(self) -> bool:
        """Whether what a question reads is limited."""
        return self.query_bytes is not None or self.day_bytes is not None

    def require_answer(self, size: int) -> None:
        """Raises AnswerTooLargeError where an answer of so many bytes is too large."""
        if self.answer_bytes is not None and size > self.answer_bytes:
            message = f"The answer has {size:,} bytes; an answer may have {self.answer_bytes:,}. Ask for less."
            raise AnswerTooLargeError(message, bytes=size, max_bytes=self.answer_bytes)

    def over(self, general: Limits) -> Limits:
        """These where they are set, else the general ones."""
        return self._with(general, lambda own, other: other if own is None else own)

    def within(self, outer: Limits) -> Limits:
        """The stricter of both, limit by limit."""
        return self._with(outer, lambda own, other: other if own is None else own if other is None else min(own, other))

    def document(self) -> dict[str, float]:
        """Those that are set, by name."""
        told = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in told.items() if value is not None}

    @classmethod
    def from_document(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``document`` writes. Raises InvalidKeyRequestError."""
        names = [one.name for one in fields(cls)]
        for name, value in told.items():
            if name not in names:
                raise InvalidKeyRequestError(f"There is no limit {str(name)[:63]}; there are {', '.join(names)}.")
            is_rate = name == "requests_per_second"
            # In JSON 3.0 is the whole number 3.
            is_whole = isinstance(value, int) or (isinstance(value, float) and (is_rate or value.is_integer()))
            least = SLOWEST_PER_SECOND if is_rate else 1
            if isinstance(value, bool) or not is_whole or not least <= value <= LARGEST_WHOLE:
                raise InvalidKeyRequestError(f"The limit {name} is a positive number.")
        return cls(**{name: value if name == "requests_per_second" else int(value) for name, value in told.items()})

    def _with(self, other: Limits, choose: Any) -> Limits:
        return Limits(**{one.name: choose(getattr(self, one.name), getattr(other, one.name)) for one in fields(self)})


UNLIMITED = Limits()
"""All left to whoever is next."""
