"""What single cells look like: data or a name, decimal point or decimal comma. Pure, on a sample."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared.formats.table import Decimal

_NUMBER = re.compile(r"[-+(]?\s*[$€£¥]?\s*[-+]?(?:\d[\d.,' ]*|\.\d+)(?:[eE][-+]?\d+)?\s*[%€$£)]?")
_TIME = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}.*|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}(?:\s.*)?|\d{1,2}-[A-Za-z]{3}-\d{2,4}|\d{1,2}:\d\d.*"
)
_YEAR = re.compile(r"(?:19|20|21)\d\d")
_COMMA_FRACTION = re.compile(r"[-+(]?\s*[$€£]?\s*\d[\d. ']*,\d+\s*[%€$£)]?")
_POINT_FRACTION = re.compile(r"[-+(]?\s*[$€£]?\s*\d[\d, ']*\.\d+\s*[%€$£)]?")
_COMMA_GROUPS = re.compile(r"[-+(]?\s*[$€£]?\s*[1-9]\d{0,2}(?:,\d{3})+\s*[%€$£)]?")
_POINT_GROUPS = re.compile(r"[-+(]?\s*[$€£]?\s*[1-9]\d{0,2}(?:\.\d{3})+\s*[%€$£)]?")

_LONG_FRACTION = {".": re.compile(r"\.\d{5}"), ",": re.compile(r",\d{5}")}


def is_value(cell: str) -> bool:
    """A number or a time rather than a word."""
    text = cell.strip()
    return bool(_NUMBER.fullmatch(text) or _TIME.fullmatch(text))


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: no value in it, or only years over columns of something else.

    Where every cell is a word nobody can tell, and a header is what files have.
    """
    values = [index for index, cell in enumerate(first) if is_value(cell)]
    if not values:
        return True
    years = [first[index].strip() for index in values]
    several = len(years) > 1 and len(set(years)) == len(years) and len(years) < len(first)
    if several and all(_YEAR.fullmatch(year) for year in years):
        return not all(_years_below(rows, index) for index in values)
    for index in values:
        below = [row[index] for row in rows if index < len(row) and row[index].strip()]
        if sum(map(is_value, below)) * 10 >= len(below) * 9:
            return False
    return len(values) * 2 < len(first)


def _years_below(rows: Sequence[Sequence[str]], index: int) -> bool:
    below = [row[index].strip() for row in rows if index < len(row) and row[index].strip()]
    return bool(below) and all(_YEAR.fullmatch(cell) for cell in below)


def has_long_fractions(text: str, decimal: Decimal) -> bool:
    """Whether a sample of text may hold a number of more than four decimals; it need not be one, the look is quick."""
    return bool(_LONG_FRACTION[decimal].search(text)) or "e-" in text or "E-" in text


def guess_decimal(rows: Sequence[Sequence[str]], delimiter: str) -> tuple[Decimal, str]:
    """The decimal sign of the table's numbers and a note on it, or "" where nothing had to be decided.

    In a file separated by commas the point is the decimal sign: a comma inside a quoted cell groups thousands, or the
    sender must say so, since taking it for a fraction would be a guess.
    """
    commas = points = comma_groups = point_groups = 0
    for row in rows:
        for cell in row:
            if "," not in cell and "." not in cell:
                continue
            text = cell.strip()
            if _COMMA_GROUPS.fullmatch(text):
                comma_groups += 1
            elif _POINT_GROUPS.fullmatch(text):
                point_groups += 1
            elif _COMMA_FRACTION.fullmatch(text):
                commas += 1
            elif _POINT_FRACTION.fullmatch(text):
                points += 1
    if delimiter == ",":
        if commas:
            return (
                ".",
                'Numbers such as "1,7" are not read as numbers in a comma-separated file; name the decimal sign.',
            )
        return ".", ""
    if commas > points:
        return ",", "The decimal sign is a comma."
    if points or not (comma_groups or point_groups):
        return ".", ""
    if not comma_groups:
        return ".", "The decimal sign is taken to be a point, as in 1.234; nothing in the file proves it."
    if delimiter == ";" and not point_groups:
        return ",", "The decimal sign is taken to be a comma, as in 1,234; nothing in the file proves it."
    return ".", "Commas are taken to group thousands, as in 1,234; nothing in the file proves it."
