"""What a request prefers (RFC 7240): a value read from its headers; what is not understood is no preference."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_WAIT_SECONDS = 20
"""Before an answer comes later after all: API Gateway gives up after 30."""

MAX_CHARACTERS = 1_024
_PIECE = re.compile(r'"(?:\\.|[^"\\])*"?|[^",]+|,')
"""A quoted string, which may hold a comma, or what is between."""


@dataclass(frozen=True)
class Preference:
    """How an answer is wanted: later, as a job; ``wait_seconds`` is how long to wait for it first."""

    respond_async: bool = False
    wait_seconds: int | None = None

    @property
    def applied(self) -> str:
        """The header ``Preference-Applied`` of an answer that comes later."""
        wait = "" if self.wait_seconds is None else f", wait={self.wait_seconds}"
        return f"respond-async{wait}"


def preference_from(headers: Iterable[str]) -> Preference:
    """What the values of all ``Prefer`` headers ask for; of several of one name the first counts."""
    elements = [""]
    for piece in _PIECE.findall(",".join(headers)[:MAX_CHARACTERS]):
        if piece == ",":
            elements.append("")
        else:
            elements[-1] += piece
    found: dict[str, str] = {}
    for element in elements:
        # What stands behind a semicolon are parameters; none of ours has any.
        name, _, value = element.partition(";")[0].partition("=")
        found.setdefault(name.strip(" \t").lower(), value.strip(" \t").strip('"'))
    wait = found.get("wait", "")
    seconds = min(int(wait), MAX_WAIT_SECONDS) if re.fullmatch("[0-9]{1,9}", wait) else None
    return Preference("respond-async" in found, seconds)
