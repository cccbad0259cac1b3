"""What a workbook would take in memory, found out from its XML before it is opened: the reader holds a sheet whole."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.duck import Duck
from shared.errors import UploadTooLargeError
from shared.formats.archives import member_chunks

BYTES_PER_CELL = 100
"""Measured: 80 for a sheet of 100,000 rows and 10 columns, a third of them texts."""
BYTES_PER_XML_BYTE = 3
"""Shared strings and styles are kept as objects."""
SHARE_OF_MEMORY = 0.5
"""DuckDB's memory limit is idle while a workbook is read, but it is not ours alone."""
MAX_TAG_BYTES = 8 << 20
_MAX_COLUMNS = 16_384
# These begin with a letter rather than a choice: that halves the time of a scan.
_ANY_CELLS = (re.compile(rb"<c[\s>]"), re.compile(rb":c[\s>]"))
PLACE = re.compile(rb"""r\s*=\s*["']([A-Za-z]+)([0-9]+)["']""")
_FORMULA = (b"<f>", b"<f ", b"<f/", b":f>", b":f ", b":f/")
_ERROR = re.compile(rb"""t\s*=\s*["']e["']""")
_FILLED = rb"""(?!(?:[^<>"']|"[^"<]*"|'[^'<]*')*/>)"""
_CELL = re.compile(rb"<(?:\w+:)?c(?=[\s>])" + _FILLED)
_FILLED_PLACE = re.compile(PLACE.pattern + _FILLED)
_ROW = re.compile(rb"<(?:\w+:)?row[\s/>]")
_STRING = re.compile(rb"<(?:\w+:)?v\s*>\s*([0-9]+)\s*<")
_ENDS_STRING = re.compile(rb"</(?:\w+:)?si\s*>|<(?:\w+:)?si\s*/>")


@dataclass(frozen=True)
class Size:
    """A sheet's rectangle from A1 on, what its cells hold, how many are errors such as #N/A; has it any formula?"""

    cells: int
    text_bytes: int
    errors: int
    formulas: bool

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.cells * BYTES_PER_CELL + self.text_bytes


@dataclass(frozen=True)
class Seen:
    """What was seen in a workbook's sheets: how many cells are errors such as #N/A, which members have formulas."""

    errors: int
    with_formulas: frozenset[str]


def refuse_large_workbook(duck: Duck, path: Path, members: list[zipfile.ZipInfo]) -> Seen:
    """Look through a workbook's XML. Raises UploadTooLargeError when the workbook does not fit into memory.

    Also raises UnreadableFileError for a damaged archive, as every byte is read here.
    """
    budget = memory_limit_bytes(duck) * SHARE_OF_MEMORY
    strings: list[int] = []
    other_bytes = 0
    sheets = []
    for member in members:
        name = member.filename.lower()
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            sheets.append(member)
        elif name.endswith("sharedstrings.xml"):
            strings = list(_string_lengths(member_chunks(path, member), budget))
            other_bytes += sum(strings)
        elif name.endswith((".xml", ".rels")):
            other_bytes += sum(map(len, member_chunks(path, member)))
    if other_bytes * BYTES_PER_XML_BYTE > budget:
        raise UploadTooLargeError("The texts of the workbook are larger than the memory for it. Send it as CSV.")
    errors, with_formulas = 0, set()
    for member in sheets:
        size = size_of(member_chunks(path, member), strings, exact=False)
        if size.bytes > budget:
            size = size_of(member_chunks(path, member), strings, exact=True)
        if size.bytes > budget:
            raise UploadTooLargeError(
                f"A sheet of the workbook spans {size.cells:,} cells with {size.text_bytes:,} bytes of text, "
                "more than the memory for it. Send it as CSV, or remove what stands far outside the table."
            )
        errors += size.errors
        if size.formulas:
            with_formulas.add(member.filename)
    return Seen(errors, frozenset(with_formulas))


def memory_limit_bytes(duck: Duck) -> int:
    """What DuckDB may use, in bytes."""
    return int(duck.value("SELECT parse_formatted_bytes(current_setting('memory_limit'))"))


def _string_lengths(chunks: Iterator[bytes], budget: float) -> Iterator[int]:
    length = total = 0
    for text in _whole_tags(chunks):
        total += len(text)
        if total * BYTES_PER_XML_BYTE > budget:
            raise UploadTooLargeError("The texts of the workbook are larger than the memory for it. Send it as CSV.")
        *ended, rest = _ENDS_STRING.split(text)
        for part in ended:
            yield length + len(part)
            length = 0
        length += len(rest)


def size_of(chunks: Iterator[bytes], strings: list[int], *, exact: bool) -> Size:
    """Measure a sheet's XML. ``strings`` are the lengths of the shared ones, each of which a cell copies.

    Not ``exact``, which takes five times as long, cells without a value are counted too, and a cell that does not say
    its place may be anywhere.
    """
    rows = width = last_row = last_column = written = shared = errors = in_row = 0
    formulas = False
    place = _FILLED_PLACE if exact else PLACE
    for text in _whole_tags(chunks):
        written += len(text)
        errors += len(_ERROR.findall(text))
        formulas = formulas or any(mark in text for mark in _FORMULA)
        places = place.findall(text)
        if places:
            last_row = max(last_row, *(int(row[:9]) for _, row in places))
            last_column = max(last_column, *map(column_number, {column.upper() for column, _ in places}))
        if not exact:
            rows += text.count(b"<row") + text.count(b":row")
            if sum(len(cell.findall(text)) for cell in _ANY_CELLS) > len(places):
                width = _MAX_COLUMNS
        for position, part in enumerate(_ROW.split(text) if exact else ()):
            before = in_row * (position == 0)
            in_row = before + len(_CELL.findall(part))
            width = max(width, in_row)
            rows += in_row > 0 and not before
        if strings:
            shared += sum(strings[at] for at in map(int, _STRING.findall(text)) if at < len(strings))
    return Size(max(rows, last_row) * max(width, last_column), written + shared, errors, formulas)


def column_number(letters: bytes) -> int:
    number = 0
    for letter in letters[:6]:
        number = number * 26 + letter - 64
    return number


def _whole_tags(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut only behind a ``>``; text between two tags may be cut from the tag after it."""
    rest = b""
    for chunk in chunks:
        whole, mark, rest_of_chunk = chunk.rpartition(b">")
        if mark:
            yield rest + whole + mark
            rest = rest_of_chunk
        else:
            rest += chunk
            if len(rest) > MAX_TAG_BYTES:
                raise UploadTooLargeError("A text of the workbook is longer than 8 MB.")
    yield rest
