"""Excel workbooks: one sheet of cells, by python-calamine, to a table of text."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.normal import NormalFile
from shared.formats.table import ReadOptions, TextTable, unique_names


def open_sheet(duck: Duck, path: Path, name: str, *, options: ReadOptions, work_dir: Path) -> TextTable:
    """Make the view ``name`` over the first sheet that is not empty, or the one named in the options.

    Raises EmptyFileError and UnreadableFileError.
    """
    from python_calamine import CalamineError, load_workbook

    try:
        book = load_workbook(str(path))
        names = [options.sheet] if options.sheet else list(book.sheet_names)
        tables = [(sheet, book.get_sheet_by_name(sheet).to_python(skip_empty_area=False)) for sheet in names]
    except (CalamineError, OSError) as error:
        raise UnreadableFileError("The workbook cannot be opened; is it an Excel file (.xlsx)?") from error
    filled = [(sheet, rows) for sheet, rows in tables if any(_text(cell) for row in rows for cell in row)]
    if not filled:
        raise EmptyFileError("The workbook has no cells with anything in them.")
    sheet, rows = filled[0]
    notes = [f"Read from sheet {sheet}."] if len(tables) > 1 else []
    others = [other for other, _ in tables if other != sheet]
    if others:
        notes.append(f"Not read: sheet {', '.join(others)}.")
    first = (options.header_row or 1) - 1
    while first < len(rows) and not any(_text(cell) for cell in rows[first]):
        first += 1
    header = [_text(cell) for cell in rows[first]]
    while header and not header[-1]:
        header.pop()
    columns, renamed = unique_names(header)
    with NormalFile(work_dir / f"{name}.csv") as out:
        for number, row in enumerate(rows[first + 1 :], start=first + 2):
            cells = [_text(cell) for cell in row[: len(columns)]]
            if any(cells):
                out.write(number, cells)
    if not out.rows:
        raise EmptyFileError(f"Sheet {sheet} has a header but no rows.")
    notes += [*renamed, *out.open(duck, name, columns)]
    return TextTable(columns=columns, kind="xlsx", rows=out.rows, problems=out.problems, notes=tuple(notes))


def _text(cell: Any) -> str:
    """A cell as ISO text or plain digits: 6.0 is 6, a day has no clock."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)
