"""A contract made from a file: column types by looking at every value, a key by looking for what is unique."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from shared.datasets.contract import DELETED_COLUMN, RESERVED, Column, ColumnType, Contract
from shared.duck import Duck, literal, quoted
from shared.errors import AmbiguousDatesError
from shared.formats.expressions import detect_time_format, number_expression, time_expression
from shared.formats.table import TextTable

MAX_KEY_COLUMNS = 3
SAMPLE_ROWS = 1_000
ROW_KEY = "row_key"
"""Identifies rows of a table in which nothing else does; equal rows are kept and numbered."""
_PATTERNS: dict[ColumnType, str] = {
    "boolean": "(?i)true|false",
    "integer": r"-?(0|[1-9]\d{0,8})",
    "bigint": r"-?(0|[1-9]\d{0,17})",
}

_DIGITS = "strlen(ltrim(regexp_replace(text, '[^0-9]', '', 'g'), '0')) <= 15"
_EXACT = f"({_DIGITS} AND NOT regexp_matches(text, '[eE]')) OR TRY_CAST(text AS DOUBLE)::VARCHAR = text"
"""Of a DOUBLE that loses no digit: at most 15 of them, or just the text that a DOUBLE is written as."""


def infer_contract(duck: Duck, name: str, view: str, table: TextTable, *, timezone: str) -> Contract:
    """A contract that the file fits. The key is its first column, or the shortest run of first columns, that is unique
    and complete; else ROW_KEY, made from the whole row.
    """
    columns: list[Column] = []
    headers = tuple(header for header in table.columns if header.lower() != DELETED_COLUMN)
    for header in headers:
        columns.append(column_for(duck, view, header, table, columns=columns, headers=headers))
    key = _key(duck, view, headers, columns)
    if key == (ROW_KEY,):
        columns.insert(0, Column(name=ROW_KEY, description="Hash of the row, numbered where rows are equal."))
    time = next((column.name for column in columns if column.type == "timestamp"), None)
    return Contract(name=name, columns=tuple(columns), key=key, time_column=time, timezone=timezone, inferred=True)


def column_for(
    duck: Duck, view: str, header: str, table: TextTable, *, columns: Collection[Column], headers: Iterable[str]
) -> Column:
    """One more column, for one of some headers that none of the ``columns`` is for."""
    taken = [column.name for column in columns]
    return Column(
        name=column_name(header, taken, frozenset(headers) - {header}),
        type=_type(duck, view, header, table),
        aliases=(header,),
        description=f"Column {header} of the first file.",
    )


def column_name(header: str, taken: Collection[str], others: Collection[str] = ()) -> str:
    """A contract's column name for a header: accents folded, blanks to ``_``; what has no Latin letters is numbered.

    A name that is one of the ``others``, the headers beside it, is left to that: so it is found again in the next file.
    """
    folded = unicodedata.normalize("NFKD", header.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "_", folded).strip("_")[:50] or f"column_{len(taken) + 1}"
    if name[0].isdigit() or name in RESERVED:
        name = "_" + name
    base, number = name, 1
    while name in taken or name in others:
        number += 1
        name = f"{base}_{number}"
    return name


def _type(duck: Duck, view: str, header: str, table: TextTable) -> ColumnType:
    """The narrowest type every value has; codes with leading zeros, long numbers and mixed columns stay text."""
    tests = {kind: f"regexp_full_match(text, {literal(pattern)})" for kind, pattern in _PATTERNS.items()}
    number = number_expression("text", table.decimal, "DOUBLE")
    tests["double"] = f"{number} IS NOT NULL AND NOT regexp_matches(text, '^-?0[0-9]|^[+]') AND ({_EXACT})"
    tests["timestamp"] = "regexp_matches(text, '^[0-9]{1,4}[-/. ]') OR regexp_matches(text, '^[A-Za-z]{3}.*[0-9]{4}')"
    cells = f"SELECT nullif(trim({quoted(header)}), '') AS text FROM {quoted(view)}"
    sample = f"SELECT text FROM ({cells}) WHERE text IS NOT NULL LIMIT {SAMPLE_ROWS}"
    # What the first rows rule out need not be asked of all of them.
    for rows in (sample, cells):
        tests = _passed(duck, rows, tests)
        if not tests:
            return "text"
    found = next(iter(tests))
    if found == "timestamp" and not _reads_as_time(duck, view, header):
        return "text"
    return found


def _passed(duck: Duck, rows: str, tests: dict[ColumnType, str]) -> dict[ColumnType, str]:
    """The tests that every text passes; none when there is no text."""
    counts = ", ".join(f"count(*) FILTER ({test})" for test in tests.values())
    total, *passed = duck.execute(f"SELECT count(text), {counts} FROM ({rows})")[0]
    return {kind: test for (kind, test), count in zip(tests.items(), passed, strict=True) if total and count == total}


def _reads_as_time(duck: Duck, view: str, header: str) -> bool:
    try:
        found = detect_time_format(duck, quoted(view), header)
    except AmbiguousDatesError:
        # Nobody said how to read these; as text they are at least not wrong.
        return False
    cells = f"SELECT nullif(trim({quoted(header)}), '') AS text FROM {quoted(view)}"
    unread = f"text IS NOT NULL AND {time_expression('text', found, 'TIMESTAMPTZ')} IS NULL"
    return not duck.value(f"SELECT count(*) FILTER ({unread}) FROM ({cells})")


def _key(duck: Duck, view: str, headers: tuple[str, ...], columns: list[Column]) -> tuple[str, ...]:
    names = tuple(column.name for column in columns)
    for width in range(1, min(MAX_KEY_COLUMNS, len(headers)) + 1):
        cells = [f"nullif(trim({quoted(header)}), '')" for header in headers[:width]]
        complete = " AND ".join(f"{cell} IS NOT NULL" for cell in cells)
        rows, full, distinct = duck.execute(
            f"SELECT count(*), count(*) FILTER ({complete}), count(DISTINCT ({', '.join(cells)})) FROM {quoted(view)}"
        )[0]
        if rows == full == distinct:
            return names[:width]
    return (ROW_KEY,)
