"""JSON of strangers, read as RFC 8259 and I-JSON have it: one meaning, and no more of it than a request needs.

The rule: what two parsers may understand differently is refused, for the other one may be a gateway, a log or a proxy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any, NoReturn

from shared.errors import MalformedJsonError

MAX_DEPTH = 32
"""Lists and objects inside each other; what reads a value may go down it by recursion."""

MAX_VALUES = 100_000
"""Values of all lists and objects together: each may become an object, an error and a message of its own."""

MAX_NAMES = 2_000
"""Names in one object: twice as many as a dataset may have columns."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")


def json_from(body: bytes) -> Any:
    """The value that a body holds.

    Raises MalformedJsonError, also for another encoding than UTF-8, a byte order mark, a name that stands twice in an
    object, NaN, infinities and numbers too large for a double, half a surrogate pair, and more than MAX_DEPTH,
    MAX_NAMES or MAX_VALUES.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise MalformedJsonError("The body is not UTF-8.") from None
    try:
        value = json.loads(text, object_pairs_hook=_object, parse_float=_number, parse_constant=_refuse_constant)
    except RecursionError:
        raise MalformedJsonError(f"The body is nested more than {MAX_DEPTH} deep.") from None
    except ValueError:
        # Also for a number of more digits than Python reads.
        raise MalformedJsonError("The body is not valid JSON.") from None
    _require_flat(value)
    # Only an escape can write half a pair, since the bytes are UTF-8.
    if "\\u" in text and _SURROGATE.search(json.dumps(value, ensure_ascii=False)):
        raise MalformedJsonError("The body holds half a surrogate pair, which is no character.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_NAMES:
        raise MalformedJsonError(f"The body has an object with more than {MAX_NAMES:,} names.")
    told = dict(pairs)
    if len(told) != len(pairs):
        raise MalformedJsonError("The body has an object with the same name twice.")
    return told


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise MalformedJsonError("The body has a number that is too large.")
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJsonError("JSON has neither NaN nor Infinity.")


def _require_flat(value: Any) -> None:
    """Raises MalformedJsonError where there are too many values, or they are too deep."""
    level, total = [value], 0
    for _ in range(MAX_DEPTH + 1):
        level = [item for one in level for item in _items(one)]
        total += len(level)
        if total > MAX_VALUES:
            raise MalformedJsonError(f"The body has more than {MAX_VALUES:,} values; send a file instead.")
        if not level:
            return
    raise MalformedJsonError(f"The body is nested more than {MAX_DEPTH} deep.")


def _items(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
