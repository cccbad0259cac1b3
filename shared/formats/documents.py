"""JSON: an array of objects, one object a line, or one object around an array; numbers keep their text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.normal import NormalFile
from shared.formats.streams import Text
from shared.formats.table import MAX_COLUMNS, TextTable, counted, unique_names

MAX_DEPTH = 100
"""DuckDB's JSON functions crash on deep nesting; no honest document comes near."""
MAX_VALUE_CHARACTERS = 8 << 20
"""One row, or one object around all rows that is not an array: it has to fit into memory several times."""
_BLANKS = " \t\r\n"


class _Number(str):
    """A number as it was written: 1.10 stays 1.10, and no digit of a long one is lost."""


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def open_json(duck: Duck, text: Text, name: str, *, work_dir: Path) -> TextTable:
    """Make the view ``name``; its columns are the keys of all objects in the order they appear.

    Raises EmptyFileError and UnreadableFileError (with the line where the document breaks).
    """
    keys: dict[str, int] = {}
    notes: list[str] = list(text.notes)
    with NormalFile(work_dir / f"{name}.csv") as out, text.open() as stream:
        source = _Source(stream)
        kind = _write_rows(source, out, keys, notes)
    if not out.rows:
        raise EmptyFileError("The document has no rows.")
    if out.problems == out.rows:
        raise UnreadableFileError(f"No row could be read; {out.first_problem}.")
    if not keys:
        raise EmptyFileError("The objects have no members.")
    columns, renamed = unique_names(keys)
    notes += [*renamed, *out.open(duck, name, columns)]
    return TextTable(
        columns=columns,
        kind=kind,
        rows=out.rows,
        problems=out.problems,
        compression=text.compression,
        encoding=text.encoding,
        notes=tuple(notes),
    )


def _write_rows(source: _Source, out: NormalFile, keys: dict[str, int], notes: list[str]) -> Literal["json", "ndjson"]:
    first = source.peek()
    if first == "":
        raise EmptyFileError("The file has no text in it, only blank lines.")
    if first == "[":
        for line, value in source.array():
            _write(out, keys, line, value)
        source.expect_end()
        return "json"
    if first != "{":
        raise UnreadableFileError(f"Line {source.line}: a JSON document starts with [ or {{.", line=source.line)
    if source.first_line_is_a_document():
        for line, text in source.lines():
            _write_line(out, keys, line, text)
        if out.rows > 1 or out.problems:
            return "ndjson"
        raise _OnlyOneDocument  # pragma: no cover - first_line_is_a_document looked at what follows
    _unwrap(source, out, keys, notes)
    return "json"


class _OnlyOneDocument(Exception):
    """Cannot happen."""
