"""JSON: an array of objects, one object a line, or one object around an array; numbers keep their text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TextIO

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.normal import NormalFile
from shared.formats.streams import Text
from shared.formats.table import MAX_COLUMNS, TextTable, unique_names

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
    line = source.line
    value = source.value()
    if source.peek() != "":
        _write(out, keys, line, value)
        while source.peek() != "":
            line = source.line
            _write(out, keys, line, source.value())
        return "ndjson"
    lists = [name for name, member in value.items() if isinstance(member, list) and member]
    if len(lists) == 1 and all(isinstance(row, dict) for row in value[lists[0]]):
        notes.append(f"The rows are in the member {lists[0]}.")
        for row in value[lists[0]]:
            _write(out, keys, line, row)
        return "json"
    _write(out, keys, line, value)
    return "json"


def _write(out: NormalFile, keys: dict[str, int], line: int, value: Any) -> None:
    """One row; a new key becomes a column that the rows before leave empty."""
    if not isinstance(value, dict):
        out.write_problem(line, "not an object", json.dumps(value, ensure_ascii=False)[:1_000])
        return
    for name in value:
        if name not in keys:
            if len(keys) >= MAX_COLUMNS:
                raise UnreadableFileError(f"The objects have more than {MAX_COLUMNS:,} different keys.")
            keys[name] = len(keys)
    cells = [""] * len(keys)
    for name, cell in value.items():
        cells[keys[name]] = _cell(cell)
    if any(cells):
        out.write(line, cells)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class _Source:
    """Reads values one after the other from a stream, holding little more than one of them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._text = ""
        self._ended = False
        self.line = 1

    def peek(self) -> str:
        """The next character that is not blank, "" at the end."""
        while True:
            stripped = self._text.lstrip(_BLANKS)
            self.line += self._text[: len(self._text) - len(stripped)].count("\n")
            self._text = stripped
            if stripped or not self._more():
                return stripped[:1]

    def array(self) -> Iterator[tuple[int, Any]]:
        """The values of an array with the lines they begin on."""
        self._take("[")
        if self.peek() == "]":
            self._take("]")
            return
        while True:
            line = self.line
            yield line, self.value()
            if self.peek() == ",":
                self._take(",")
                self.peek()
                continue
            self._take("]")
            return

    def value(self) -> Any:
        """The next value, whole. Raises UnreadableFileError where it breaks off, is too deep or too long."""
        self.peek()
        while True:
            self._refuse_depth()
            try:
                value, end = _DECODER.raw_decode(self._text)
            except (json.JSONDecodeError, RecursionError) as error:
                position = error.pos if isinstance(error, json.JSONDecodeError) else 0
                # A value that ends with the text we have may go on in the text we have not.
                if not self._more():
                    line = self.line + self._text[:position].count("\n")
                    raise UnreadableFileError(f"Line {line}: the JSON document breaks off or is not valid.") from None
                if len(self._text) > MAX_VALUE_CHARACTERS:
                    raise UnreadableFileError(
                        f"Line {self.line}: one value is longer than 8 MB, or not valid."
                    ) from None
                continue
            if end == len(self._text) and self._more():
                continue
            self.line += self._text[:end].count("\n")
            self._text = self._text[end:]
            return value

    def expect_end(self) -> None:
        """Raises UnreadableFileError when anything follows."""
        if self.peek() != "":
            raise UnreadableFileError(f"Line {self.line}: there is more after the end of the JSON document.")

    def _take(self, character: str) -> None:
        if self.peek() != character:
            raise UnreadableFileError(f"Line {self.line}: {character} was expected.")
        self._text = self._text[1:]

    def _more(self) -> bool:
        # What is parsed again after each read doubles, so a long value costs no more than twice its length.
        read = self._stream.read(max(1 << 16, len(self._text)))
        self._text += read
        return bool(read)

    def _refuse_depth(self) -> None:
        depth = deepest = 0
        for part in _STRINGS.split(self._text[:1_000_000]):
            for character in part:
                if character in "[{":
                    depth += 1
                    deepest = max(deepest, depth)
                elif character in "]}":
                    depth -= 1
                    if depth <= 0:
                        break
            if depth <= 0 and deepest:
                break
        if deepest > MAX_DEPTH:
            raise UnreadableFileError(f"Line {self.line}: values are nested more than {MAX_DEPTH} deep.")


_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
