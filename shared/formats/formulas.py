"""Formulas that nobody calculated: cells of a sheet that say how to get a value and do not have it, by column.

A program that writes a workbook without calculating it leaves them so; a spreadsheet shows values, a reader finds none.
"""

from __future__ import annotations

import html
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from shared.formats.archives import member_chunks
from shared.formats.workbooks import MAX_TAG_BYTES, PLACE, column_number

_SHEET = re.compile(rb"""<(?:\w+:)?sheet\s((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_RELATION = re.compile(rb"""<(?:\w+:)?Relationship\s((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
_ATTRIBUTE = re.compile(rb"""\b(?:\w+:)?(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)')""")
_EMPTY_VALUE = rb"<(?:\w+:)?v\s*(?:/>|>\s*</(?:\w+:)?v\s*>)"
_UNCALCULATED = re.compile(
    rb"(?:</(?:\w+:)?f\s*>|<(?:\w+:)?f(?:\s[^<>]*)?/>)\s*(" + _EMPTY_VALUE + rb")?\s*</(?:\w+:)?c\s*>"
)
_IS_TEXT = re.compile(rb"""\st\s*=\s*["']str["']""")


def uncalculated(
    path: Path, members: list[zipfile.ZipInfo], sheet: str, with_formulas: Collection[str], first_row: int
) -> dict[int, int]:
    """How many formulas of a sheet have no value, by 1-based column, from row ``first_row`` on.

    ``with_formulas`` are the members that have any formula: the others are not read again.
    """
    member = _member_of(path, members, sheet)
    if member is None or member.filename not in with_formulas:
        return {}
    found: Counter[int] = Counter()
    for text in _whole_cells(member_chunks(path, member)):
        end = 0
        for match in _UNCALCULATED.finditer(text):
            start = max(text.rfind(b"<c ", end, match.start()), text.rfind(b":c ", end, match.start()), end)
            cell, end = text[start : match.start()].partition(b">")[0], match.end()
            # A formula that gives an empty text has a value: it is written as one.
            place = None if match[1] and _IS_TEXT.search(cell) else PLACE.search(cell)
            if place and int(place[2][:9]) >= first_row:
                found[column_number(place[1].upper())] += 1
    return dict(sorted(found.items()))


def _member_of(path: Path, members: list[zipfile.ZipInfo], sheet: str) -> zipfile.ZipInfo | None:
    """The file of the archive that a sheet is in."""
    by_name = {member.filename.lower(): member for member in members}
    texts = [
        b"".join(member_chunks(path, by_name[name])) if name in by_name else b""
        for name in ("xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    ]
    ids = {told.get("name"): told.get("id") for told in _told(_SHEET, texts[0])}
    targets = {told.get("Id"): told.get("Target", "") for told in _told(_RELATION, texts[1])}
    target = targets.get(ids.get(sheet), "")
    return by_name.get(posixpath.normpath(posixpath.join("/xl", target)).lstrip("/").lower())


def _told(tag: re.Pattern[bytes], text: bytes) -> Iterator[dict[str, str]]:
    for attributes in tag.findall(text):
        yield {
            name.decode(): html.unescape((double or single).decode("utf-8", "replace"))
            for name, double, single in _ATTRIBUTE.findall(attributes)
        }


def _whole_cells(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut only behind a cell's end."""
    rest = b""
    for chunk in chunks:
        whole, mark, rest_of_chunk = (rest + chunk).rpartition(b"c>")
        if mark:
            yield whole + mark
        rest = rest_of_chunk[-MAX_TAG_BYTES:]
    yield rest
