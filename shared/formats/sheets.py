"""Excel workbooks, behind one door: one sheet of cells, read by python-calamine, to a table of text."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.cells import is_header
from shared.formats.dialect import table_start
from shared.formats.formulas import uncalculated
from shared.formats.normal import NormalFile
from shared.formats.table import ReadOptions, TextTable, counted, unique_names
from shared.formats.workbooks import refuse_large_workbook

_LOOKED_AT_ROWS = 200


@dataclass(frozen=True)
class _Sheet:
    """A sheet that has cells. ``width`` goes to the last column with a text in it."""

    name: str
    cells: Any
    width: int

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Rows that are not empty as texts, with their 1-based number, all of the same width."""
        for number, cells in enumerate(self.cells.iter_rows(), start=1):
            row = [_text(cell) for cell in cells[: self.width]]
            if any(cell.strip() for cell in row):
                yield number, row + [""] * (self.width - len(row))

    def has_merged_cells_below(self, row: int) -> bool:
        return any(start[0] + 1 == row < end[0] + 1 for start, end in self.cells.merged_cell_ranges or ())


def open_sheet(
    duck: Duck, path: Path, name: str, members: list[zipfile.ZipInfo], *, options: ReadOptions, work_dir: Path
) -> TextTable:
    """Make the view ``name`` over the first visible sheet that is not empty, or the one named in the options.

    Raises EmptyFileError, UnreadableFileError and UploadTooLargeError.
    """
    notes: list[str] = []
    seen = refuse_large_workbook(duck, path, members)
    if errors := seen.errors:
        notes.append(f"{counted(errors, 'cell')} with an error such as #N/A {'is' if errors == 1 else 'are'} empty.")
    with _errors_translated():
        sheet = _find_sheet(path, options, notes)
        first, header = _table_start(sheet, options, notes)
        if header and sheet.has_merged_cells_below(first):
            notes.append(f"The header has merged cells below row {first}; name header_row to read it otherwise.")
        names = [""] * sheet.width
        with NormalFile(work_dir / f"{name}.csv") as out:
            for number, row in sheet.rows():
                if header and number == first:
                    names = row
                elif number >= first:
                    out.write(number, row)
    columns, renamed = unique_names(names)
    empty = uncalculated(path, members, sheet.name, seen.with_formulas, first)
    notes += (formulas := [_of_formulas(sheet, columns, place, count) for place, count in empty.items()])
    if not out.rows:
        raise EmptyFileError(" ".join([f"Sheet {sheet.name} has a header but no rows.", *formulas]))
    out.open(duck, name, columns)
    return TextTable(columns=columns, kind="xlsx", rows=out.rows, notes=(*notes, *(renamed if header else ())))


@contextmanager
def _errors_translated() -> Iterator[None]:
    from python_calamine import CalamineError, PasswordError

    try:
        yield
    except PasswordError as error:
        raise UnreadableFileError("The workbook is protected by a password.") from error
    except (CalamineError, OSError, ValueError, OverflowError) as error:
        raise UnreadableFileError("The workbook is damaged, or it is not an Excel file (.xlsx).") from error
    except BaseException as error:
        # A panic of the Rust reader is no Exception, so that nobody catches it by accident; here it is on purpose.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFileError("The workbook is damaged.") from error


def _find_sheet(path: Path, options: ReadOptions, notes: list[str]) -> _Sheet:
    from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    book = CalamineWorkbook.from_path(str(path))
    if options.sheet is not None and options.sheet not in book.sheet_names:
        raise UnreadableFileError(f"There is no sheet {options.sheet!r}; there are: {', '.join(book.sheet_names)}.")
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    # A hidden sheet holds lists and remarks far more often than the table.
    names = [s.name for s in sorted(sheets, key=lambda sheet: sheet.visible != SheetVisibleEnum.Visible)]
    empty: list[str] = []
    for name in [options.sheet] if options.sheet is not None else names:
        cells = book.get_sheet_by_name(name)
        width = max((_width(row) for row in cells.iter_rows()), default=0)
        if not width:
            empty.append(name)
            continue
        others = [other for other in book.sheet_names if other not in (name, *empty)]
        if others or empty:
            notes.append(f"Read from sheet {name}.")
        if empty:
            notes.append(f"Empty: sheet {', '.join(empty)}.")
        if others:
            notes.append(f"Not read: sheet {', '.join(others)}.")
        return _Sheet(name, cells, width)
    raise EmptyFileError("The workbook has no cells with anything in them.")


def _of_formulas(sheet: _Sheet, columns: tuple[str, ...], place: int, count: int) -> str:
    """The note on formulas without a value in the 1-based column ``place`` of a sheet."""
    at = place - 1 - sheet.cells.start[1]
    column = f"column {columns[at]}" if 0 <= at < len(columns) else "a column outside the table"
    which = "formula has no stored value and is" if count == 1 else "formulas have no stored value and are"
    return f"Sheet {sheet.name}, {column}: {count:,} {which} empty; a spreadsheet program stores it on saving."


def _width(row: list[Any]) -> int:
    return next((at for at in range(len(row), 0, -1) if str(row[at - 1]).strip()), 0)


def _table_start(sheet: _Sheet, options: ReadOptions, notes: list[str]) -> tuple[int, bool]:
    """The first row of the table and whether it is a header; titles and remarks above are passed over, with a note."""
    if options.header_row is not None:
        if options.header_row not in (number for number, _ in sheet.rows()):
            raise UnreadableFileError(f"There is no row {options.header_row} with anything in it in the sheet.")
        return options.header_row, options.header is not False
    top = list(islice(sheet.rows(), _LOOKED_AT_ROWS))
    start = table_start([row for _, row in top], sheet.width) if options.header is not False else 0
    if start:
        notes.append(f"{counted(start, 'row')} before the header {'was' if start == 1 else 'were'} skipped.")
    number, first = top[start]
    header = options.header
    if header is None:
        header = is_header(first, [row for _, row in top[start + 1 :]])
        if not header:
            notes.append("The first row looks like data, so the columns are called column_1, column_2, …")
    return number, header


def _text(cell: Any) -> str:
    """A cell as ISO text or plain digits: 6.0 is 6, a day has no clock, and 0.1 + 0.2 is 0.3 as Excel shows it."""
    if isinstance(cell, str):
        return cell.replace("\0", "")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else format(cell, ".15g")
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, timedelta):
        minutes, seconds = divmod(round(cell.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return "" if cell is None else str(cell)
