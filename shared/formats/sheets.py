"""Excel workbooks, behind one door: one sheet of cells, read by python-calamine, to a table of text."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.duck import Duck
from shared.errors import EmptyFileError, UnreadableFileError, UploadTooLargeError
from shared.formats.cells import is_header
from shared.formats.dialect import table_start
from shared.formats.normal import NormalFile
from shared.formats.table import ReadOptions, TextTable, counted, unique_names

MAX_UNPACKED_BYTES = 1 << 30
"""A sheet is read into memory as a whole, whatever its size on disk."""
_LOOKED_AT_ROWS = 200


def open_sheet(duck: Duck, path: Path, name: str, *, options: ReadOptions, work_dir: Path) -> TextTable:
    """Make the view ``name`` over the first visible sheet that is not empty, or the one named in the options.

    Raises EmptyFileError, UnreadableFileError and UploadTooLargeError.
    """
    from python_calamine import CalamineError, PasswordError

    notes: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise UploadTooLargeError("The workbook is larger than 1 GiB when unpacked.")
        sheet, rows, merged = _sheet(path, options, notes)
    except PasswordError as error:
        raise UnreadableFileError("The workbook is protected by a password.") from error
    except (CalamineError, zipfile.BadZipFile, OSError) as error:
        raise UnreadableFileError("The workbook cannot be opened; is it an Excel file (.xlsx)?") from error
    width = max((i + 1 for row in rows for i, cell in enumerate(row) if cell.strip()), default=0)
    if not width:
        raise EmptyFileError("The workbook has no cells with anything in them.")
    rows = [row[:width] + [""] * (width - len(row)) for row in rows]
    first = _first_row(rows, width, options, notes)
    header = options.header
    if header is None:
        header = options.header_row is not None or is_header(rows[first], rows[first + 1 : first + _LOOKED_AT_ROWS])
        if not header:
            notes.append("The first row looks like data, so the columns are called column_1, column_2, …")
    if header and any(top == first < bottom for top, bottom in merged):
        notes.append(f"The header has merged cells below row {first + 1}; name header_row to read it otherwise.")
    columns, renamed = unique_names(rows[first] if header else [""] * width)
    data = first + 1 if header else first
    with NormalFile(work_dir / f"{name}.csv") as out:
        for number, row in enumerate(rows[data:], start=data + 1):
            if any(row):
                out.write(number, row)
    if not out.rows:
        raise EmptyFileError(f"Sheet {sheet} has a header but no rows.")
    out.open(duck, name, columns)
    return TextTable(columns=columns, kind="xlsx", rows=out.rows, notes=(*notes, *(renamed if header else ())))


def _sheet(
    path: Path, options: ReadOptions, notes: list[str]
) -> tuple[str, list[list[str]], list[tuple[int, int]]]:
    """Name, cells and merged ranges (first and last row, 0-based) of the sheet to read."""
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
        rows = [[_text(cell) for cell in row] for row in cells.to_python(skip_empty_area=False)]
        if not any(cell.strip() for row in rows for cell in row):
            empty.append(name)
            continue
        others = [other for other in book.sheet_names if other not in (name, *empty)]
        if others or empty:
            notes.append(f"Read from sheet {name}.")
        if empty:
            notes.append(f"Empty: sheet {', '.join(empty)}.")
        if others:
            notes.append(f"Not read: sheet {', '.join(others)}.")
        return name, rows, [(start[0], end[0]) for start, end in cells.merged_cell_ranges or ()]
    raise EmptyFileError("The workbook has no cells with anything in them.")


def _first_row(rows: list[list[str]], width: int, options: ReadOptions, notes: list[str]) -> int:
    """Where the table starts, 0-based: titles and remarks above it are passed over, with a note."""
    if options.header_row is not None:
        if not 1 <= options.header_row <= len(rows):
            raise UnreadableFileError(f"There is no row {options.header_row} in the sheet.")
        return options.header_row - 1
    filled = [i for i, row in enumerate(rows) if any(cell.strip() for cell in row)]
    start = table_start([rows[i] for i in filled], width) if options.header is not False else 0
    if start:
        notes.append(f"{counted(start, 'row')} before the header {'was' if start == 1 else 'were'} skipped.")
    return filled[start]


def _text(cell: Any) -> str:
    """A cell as ISO text or plain digits: 6.0 is 6, a day has no clock."""
    if isinstance(cell, str):
        return cell.replace("\0", "")
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return "" if cell is None else str(cell)
