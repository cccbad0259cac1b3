"""What reading a file takes and gives: options in, a description of the text table out; no bytes, no SQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from shared.errors import InputError, UnreadableFileError

Decimal = Literal[".", ","]
DateOrder = Literal["dmy", "mdy", "ymd"]

MAX_COLUMNS = 1_000
"""Wider files take DuckDB's memory by their width alone (100,000 columns: out of memory)."""

MAX_NAME_CHARACTERS = 255
"""A longer name is no name, and would fill every message it is told in."""

SERVICE_COLUMNS = ("_problem", "_line", "_original")
"""Added to a table in which a row could not be split into cells."""


@dataclass(frozen=True)
class ReadOptions:
    """What the sender knows about the file; whatever is None is found out.

    ``escape`` is a backslash or the quote itself; ``skip_lines`` counts lines before the header (or the first row);
    ``header_row`` is the 1-based row of a sheet; ``quote`` "" means that quotes are plain text.
    """

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    comment: str | None = None
    header: bool | None = None
    skip_lines: int | None = None
    header_row: int | None = None
    sheet: str | None = None
    decimal: Decimal | None = None
    date_order: DateOrder | None = None

    def __post_init__(self) -> None:
        """Raises InputError for an option with a value nobody can mean."""
        for name, is_sensible in _SENSIBLE.items():
            value = getattr(self, name)
            if value is not None and not is_sensible(value):
                raise InputError(f"The read option {name} cannot be {str(value)[:40]!r}.")
        if self.delimiter and self.delimiter == self.quote:
            raise InputError("The read options delimiter and quote cannot be the same.")


def _is_text(longest: int, shortest: int = 1) -> Callable[[object], bool]:
    def is_sensible(value: object) -> bool:
        return (
            isinstance(value, str) and shortest <= len(value) <= longest and not any(mark in value for mark in "\r\n\0")
        )

    return is_sensible


def _is_number(least: int, most: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


_SENSIBLE: dict[str, Callable[[object], bool]] = {
    "encoding": _is_text(40),
    "delimiter": _is_text(8),
    "quote": _is_text(1, 0),
    "escape": _is_text(1, 0),
    "comment": _is_text(8),
    "header": lambda value: isinstance(value, bool),
    "skip_lines": _is_number(0, 1_000_000),
    "header_row": _is_number(1, 1_048_576),
    "sheet": _is_text(255),
    "decimal": lambda value: value in (".", ","),
    "date_order": lambda value: value in ("dmy", "mdy", "ymd"),
}


@dataclass(frozen=True)
class TextTable:
    """A file that is now a table of text in DuckDB, and what was found out or assumed on the way.

    ``notes`` are sentences for people. ``types`` are the file's own column types where it has some (Parquet).
    ``rows`` counts rows including those with a problem, and is None when the file was not read through; ``problems``
    counts those with a problem. ``long_fractions`` is False when a sample of the file has no number of more than four
    decimals.
    """

    columns: tuple[str, ...]
    kind: Literal["csv", "json", "ndjson", "parquet", "xlsx"]
    rows: int | None
    problems: int = 0
    decimal: Decimal = "."
    compression: str = ""
    encoding: str = ""
    delimiter: str = ""
    notes: tuple[str, ...] = ()
    types: dict[str, str] | None = None
    long_fractions: bool = True


def unique_names(header: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Usable column names and notes on what was renamed: blanks become column_3, repetitions id_1, id_2.

    SQL compares names without case, so ``ID`` after ``id`` is a repetition. A name of more than MAX_NAME_CHARACTERS is
    none. Raises UnreadableFileError above MAX_COLUMNS.
    """
    wanted = [" ".join(name.replace("\0", "").split()) for name in header]
    too_long = {position for position, name in enumerate(wanted, start=1) if len(name) > MAX_NAME_CHARACTERS}
    wanted = ["" if position in too_long else name for position, name in enumerate(wanted, start=1)]
    if len(wanted) > MAX_COLUMNS:
        raise UnreadableFileError(f"The file has {len(wanted):,} columns; at most {MAX_COLUMNS:,} can be read.")
    taken = {name.lower() for name in (*wanted, *SERVICE_COLUMNS)}
    names: list[str] = []
    seen: set[str] = set(SERVICE_COLUMNS)
    notes: list[str] = []
    for position, name in enumerate(wanted, start=1):
        base = name or f"column_{position}"
        final, number = base, 0
        while final.lower() in seen or (final != name and final.lower() in taken):
            number += 1
            final = f"{base}_{number}"
        if position in too_long:
            notes.append(f"The name of column {position} is too long, so it is called {final}.")
        elif not name:
            notes.append(f"Column {position} has no name and is called {final}.")
        elif final != name:
            notes.append(f"Column {position} is called {final}, since the name {name} is taken.")
        seen.add(final.lower())
        names.append(final)
    return tuple(names), tuple(notes)


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
