"""JSON tables: an array of objects, one object a line, or one object around an array; nested values stay JSON text."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.json_source import JsonSource, RepeatedNameError, decoded, text_of_value
from shared.formats.normal import NormalFile
from shared.formats.streams import Text
from shared.formats.table import MAX_COLUMNS, TextTable, unique_names


def open_json(duck: Duck, text: Text, name: str, *, work_dir: Path) -> TextTable:
    """Make the view ``name``; its columns are the keys of all objects in the order they appear.

    Raises EmptyFileError and UnreadableFileError (with the line where the document breaks).
    """
    with NormalFile(work_dir / f"{name}.csv") as out, text.open() as stream:
        rows = _Rows(out)
        kind = rows.read(JsonSource(stream))
    if not out.rows:
        raise EmptyFileError("The document has no rows.")
    if not rows.keys and not out.problems:
        raise EmptyFileError("The objects of the document have no members.")
    columns, renamed = unique_names(rows.keys)
    notes = (*text.notes, *rows.notes, *renamed, *out.open(duck, name, columns))
    return TextTable(
        columns=columns,
        kind=kind,
        rows=out.rows,
        problems=out.problems,
        compression=text.compression,
        encoding=text.encoding,
        notes=notes,
    )


class _Rows:
    """Objects to rows of text; a key's column is found out as the key first appears."""

    def __init__(self, out: NormalFile) -> None:
        self.out = out
        self.keys: dict[str, int] = {}
        self.notes: list[str] = []

    def read(self, source: JsonSource) -> Literal["json", "ndjson"]:
        first = source.peek()
        if first == "":
            raise EmptyFileError("The file has no text in it, only blank lines.")
        if first == "{" and source.is_one_document_a_line():
            for line, text in source.lines():
                try:
                    self.write(line, decoded(text))
                except RepeatedNameError as error:
                    self.out.write_problem(line, str(error), text)
                except ValueError:
                    self.out.write_problem(line, "the line is not a JSON object", text)
            return "ndjson"
        if first == "[":
            for line, value in source.array():
                self.write(line, value)
        else:
            self.unwrap(source)
        if source.peek():
            source.fail("something follows the end of the document")
        return "json"

    def unwrap(self, source: JsonSource) -> None:
        """One object: the rows are in its only array of objects, else the object itself is the only row."""
        line, table, others = source.line, "", {}
        source.take("{")
        while source.peek() != "}":
            key = str(source.value())
            source.take(":")
            if source.peek() == "[" and source.starts_objects():
                if table:
                    raise UnreadableFileError(f"The document holds several tables ({table}, {key}); send one a file.")
                table = key
                for at, value in source.array():
                    self.write(at, value)
            else:
                others[key] = source.value()
            if source.peek() != "}":
                source.take(",")
        source.take("}")
        if table:
            left = f"; {', '.join(others)} beside it {'was' if len(others) == 1 else 'were'} left out" if others else ""
            self.notes.append(f"The rows are those of {table}{left}.")
        elif others and all(value in ([], None) for value in others.values()):
            raise EmptyFileError("The document has no rows.")
        elif others:
            self.write(line, others)
            self.notes.append("The document is one object and was read as one row.")

    def write(self, line: int, value: Any) -> None:
        if not isinstance(value, dict):
            self.out.write_problem(line, "the value is not an object", text_of_value(value))
            return
        cells = [""] * len(self.keys)
        for key, member in value.items():
            position = self.keys.get(key)
            cell = _cell(member)
            if position is None:
                self.keys[key] = len(self.keys)
                cells.append(cell)
                if len(self.keys) > MAX_COLUMNS:
                    raise UnreadableFileError(f"The objects have more than {MAX_COLUMNS:,} different keys.", line=line)
            else:
                cells[position] = cell
        if any(cells):
            self.out.write(line, cells)


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\0", "")
    return "" if value is None else text_of_value(value)
