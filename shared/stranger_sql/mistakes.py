"""What the engine says of a mistake in SQL, in words that help: what is wrong, where it is, and what was meant.

The rule: names come from the SQL and from the datasets it reads; what the engine calls its own places is left out.
"""

from __future__ import annotations

import errno
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from shared.errors import AppError
from shared.stranger_sql.errors import told_error
from shared.stranger_sql.tree import place_of, said

MAX_CHOICES = 5
_NO_COLUMN = re.compile(r'does not have a column named "([^"]{1,63})"')

OWN_PLACE = re.compile(r"\b(?:(?:memory|lake|temp)\.)?main\.")
"""What the engine may put before a name."""


@dataclass(frozen=True)
class Ran:
    """A text that was run for one that was asked: that stands in it after ``before``, perhaps with changes of ours.

    ``columns`` gives the columns of the datasets it reads, when they are needed.
    """

    asked: str
    text: str
    before: str
    columns: Callable[[], Collection[str]] = tuple

    def place(self, position: int) -> dict[str, int]:
        """Line and column in what was asked of a byte of what ran; {} where the texts differ before it."""
        at = position - len(self.before.encode())
        asked, ran = self.asked.encode(), self.text.removeprefix(self.before).encode()
        return place_of(self.asked, at) if 0 <= at < len(asked) and ran[:at] == asked[:at] else {}


def mistake(error: BaseException, ran: Ran | None = None) -> AppError:
    """What the one who asked may know of an engine's error; the engine tells its errors as JSON."""
    told = _read(str(error))
    if str(told.get("errno")) == str(errno.EFBIG):
        # It spilled past the largest file that a cell may write: no outage, and asking again would not help.
        return told_error("OutOfMemoryException", "")
    message = OWN_PLACE.sub("", str(told.get("exception_message", "")))
    position = str(told.get("position", ""))
    place = ran.place(int(position)) if ran and position.isdigit() else {}
    first = message.partition("\n")[0].strip().rstrip(".!")
    choices = [choice for choice in str(told.get("candidates", "")).split(",") if choice]
    missing = _NO_COLUMN.search(message)
    if told.get("error_subtype") == "COLUMN_NOT_FOUND" or missing:
        name = missing[1] if missing else str(told.get("name", ""))
        near = get_close_matches(name, {*choices, *(ran.columns() if ran else ())}, 1, 0.5)
        first, hint = f"There is no column {name[:63]}", f" Did you mean {near[0]}?" if near else ""
    else:
        hint = _instead(message)
    return told_error(type(error).__name__, f"{first}{said(place)}.{hint}" if first else "", place)


def _instead(message: str) -> str:
    """The arguments that a function takes, or the tables that there are."""
    if kinds := re.findall(r"^\t([^\n]+?) -> ", message, re.MULTILINE):
        return f" It takes {' or '.join(kinds[:MAX_CHOICES])}."
    tables = re.search(r'^Candidate tables: "([^\n]+)"$', message, re.MULTILINE)
    return f" There is {tables[1][:200]}." if tables else ""


def _read(text: str) -> dict[str, Any]:
    content = text.partition(" Error: ")[2] or text
    try:
        told = json.loads(content)
    except ValueError:
        told = None
    return told if isinstance(told, dict) else {"exception_message": content}
