"""What a delimited text looks like: delimiter, quotes, where the table starts. Pure: a sample of text in, facts out."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.errors import EmptyFileError, UnreadableFileError
from shared.formats.cells import guess_decimal, has_long_fractions, is_header
from shared.formats.records import Record, Records, Shape, is_blank
from shared.formats.table import Decimal, ReadOptions, counted, unique_names

_COMMON = (",", ";", "\t", "|")
_RARE = ("\x1f", "\x01", "^", "~", ":")
_NAMES = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "|", "\x1f": "unit separator", "\x01": "^A"}
_LEAST_CONSISTENT = 0.6
_STRUCTURE = re.compile(r"[;\t|]|,(?=\S)")
_COMMA_NUMBER = re.compile(r"\s*[-+]?[^\w\s]?\s*\d[\d.\s]*,\d+\s*\D?\s*\Z")
_SCORED_RECORDS = 500


@dataclass(frozen=True)
class Dialect:
    """A delimited text's shape and where its table starts.

    ``names`` are the columns; ``first_line`` is the 1-based line of the first data row and ``plain_start`` says that
    no record before it spans lines; ``rows`` are the sample's first data records; ``long_fractions`` says that some
    number of the sample may have more than four decimals.
    """

    shape: Shape
    names: tuple[str, ...]
    first_line: int
    plain_start: bool
    decimal: Decimal
    notes: tuple[str, ...]
    rows: tuple[Record, ...]
    long_fractions: bool = False


def sniff(sample: str, options: ReadOptions, *, whole: bool) -> Dialect:
    """Find the dialect that splits the sample into equal, clean rows. ``whole``: the sample is the entire text.

    Raises EmptyFileError (nothing, or a header without rows) and UnreadableFileError when no delimiter fits.
    """
    # StringIO with newline="" ends lines at CR, LF and CRLF only, as the file is read later.
    lines = list(io.StringIO(sample.replace("\0", ""), newline=""))
    if not whole and len(lines) > 1:
        lines = lines[:-1]
    skip = min(options.skip_lines or 0, len(lines))
    lines = lines[skip:]
    if not any(line.strip() for line in lines):
        raise EmptyFileError("The file has no text in it, only blank lines.")

    def split(shape: Shape) -> list[Record]:
        return list(Records(iter(lines), shape, whole=whole, first_line=skip + 1))

    shape, records, width = _best_shape(lines, split, options)
    if not options.delimiter:
        _refuse_long_delimiter(records, width, shape.delimiter)
    if options.comment is None and _has_comments(records, width):
        shape = replace(shape, comment="#")
        records = split(shape)
    dialect = _table(records, width, shape, options, whole=whole)
    return replace(dialect, long_fractions=has_long_fractions("".join(lines), dialect.decimal))


def _best_shape(
    lines: list[str], split: Callable[[Shape], list[Record]], options: ReadOptions
) -> tuple[Shape, list[Record], int]:
    text = "".join(lines)
    best: tuple[float, Shape, list[Record], int] | None = None
    tiers = [(options.delimiter,)] if options.delimiter else [_COMMON, _RARE]
    for tier in tiers:
        for delimiter in tier:
            if not options.delimiter and delimiter not in text:
                continue
            for shape in _shapes(text, delimiter, options):
                records = split(shape)
                score, width = _score(records, shape)
                if (width > 1 or options.delimiter) and (best is None or score > best[0]):
                    best = (score, shape, records, width)
        if best and best[0] >= _LEAST_CONSISTENT:
            break
    if options.delimiter and best:
        return best[1], best[2], best[3]
    if not options.delimiter:
        _refuse_two_characters(text)
    if best and best[3] >= _SURE_WIDTH and _even(best[2], best[3]):
        return best[1], best[2], best[3]
    single = Shape("\x1f", options.quote if options.quote is not None else '"', comment=options.comment or "")
    alone = split(single)
    lonely = 0.8 * _score(alone, single)[0]
    if best and best[0] >= max(lonely, 0.3) and (best[0] >= _LEAST_CONSISTENT or _even(best[2], best[3])):
        return best[1], best[2], best[3]
    if lonely >= _LEAST_CONSISTENT:
        return single, alone, 1
    raise UnreadableFileError(
        "No delimiter splits the lines into equally many cells. Name the delimiter, or send a table.",
    )


_SURE_WIDTH = 3
"""Lines that all split into so many cells, from one line on, are a table whatever stands before them."""


def _refuse_two_characters(text: str, delimiter: str = "|") -> None:
    """Refuses a delimiter that is the second of two characters, such as +|: every cell would end with the first."""
    before = Counter(re.findall(r"([+&^~#*!$%|])" + re.escape(delimiter), text))
    if before:
        mark, count = before.most_common(1)[0]
        if count * 2 > text.count(delimiter) and count > text.count("\n"):
            raise UnreadableFileError(
                f"Cells seem to be separated by {mark}{delimiter}. Name the delimiter to read the file."
            )


def _shapes(text: str, delimiter: str, options: ReadOptions) -> list[Shape]:
    comment = options.comment or ""
    # Blanks before quotes are a way of writing when they recur; in single cells they belong to the text.
    blanks = len(re.findall(re.escape(delimiter) + r' +["\']', text))
    space = delimiter != " " and blanks * 5 >= text.count("\n") and blanks > 0
    if options.quote is not None:
        escape = "\\" if options.escape == "\\" else ""
        return [Shape(delimiter, options.quote, escape, blank, comment) for blank in ([True] if space else [False])]
    found = [Shape(delimiter, '"', "", False, comment)]
    if options.escape == "\\" or (options.escape is None and '\\"' in text):
        found.append(Shape(delimiter, '"', "\\", False, comment))
    edge = re.escape(delimiter)
    if re.search(rf"(?:^|{edge} *)'(?:[^']|'')*'(?:{edge}|$)", text, re.MULTILINE):
        found.append(Shape(delimiter, "'", "", False, comment))
        if "\\'" in text:
            found.append(Shape(delimiter, "'", "\\", False, comment))
    if space:
        found += [replace(shape, skip_blanks=True) for shape in found]
    if '"' in text:
        found.append(Shape(delimiter, "", "", False, comment))
    return found


def _filled(records: list[Record]) -> list[Record]:
    return [record for record in records[:_SCORED_RECORDS] if not is_blank(record)]


def _width(records: list[Record]) -> int:
    widths = Counter(len(r.cells) for r in records if not r.problem)
    # Wider rows outweigh a preamble of text lines in a short sample.
    return max(widths, key=lambda width: (widths[width] * min(width, 3), width)) if widths else 0


def _even(records: list[Record], width: int) -> bool:
    """Short files: everything from the first full row on has the same width."""
    filled = _filled(records)
    start = next((i for i, r in enumerate(filled) if len(r.cells) == width), len(filled))
    return len(filled) - start >= 2 and all(len(r.cells) == width for r in filled[start:])


def _score(records: list[Record], shape: Shape) -> tuple[float, int]:
    filled = _filled(records)
    width = _width(filled)
    if not filled or not width:
        return 0.0, 0
    # Empty cells behind the last column are what some programs write, not another width.
    fitting = [r for r in filled if len(r.cells) >= width and not any(r.cells[width:])]
    cells = clean = 0
    marks = tuple(mark for mark in ('"', "'") if mark)
    for record in fitting[:200]:
        for cell in record.cells[:width]:
            cells += 1
            text = cell.strip()
            quoted = len(text) > 1 and text[0] == text[-1] and text[0] in marks
            half = not quoted and text[:1] == '"' and shape.quote != "'"
            # Another delimiter inside is fine where quotes protected it, which the raw line shows.
            split = (
                _STRUCTURE.search(text)
                and not _COMMA_NUMBER.match(text)
                and (shape.quote or '"') + text not in record.original
            )
            prose = shape.delimiter in ",:" and cell[:1] == " " and not shape.skip_blanks
            clean += not (quoted or half or split or prose)
    return len(fitting) / len(filled) * (0.6 + 0.4 * clean / max(cells, 1)), width


def _refuse_long_delimiter(records: list[Record], width: int, delimiter: str) -> None:
    """A delimiter of several characters leaves its rest in, or between, the cells of every row."""
    rows = [r.cells for r in _filled(records) if len(r.cells) == width]
    if width < 2 or len(rows) < 2:
        return
    ends = Counter(cells[i][-1:] for cells in rows for i in range(width - 1))
    mark, times = ends.most_common(1)[0]
    if mark and not mark.isalnum() and mark not in "\"')]}.%-! €$£" and times >= 0.9 * len(rows) * (width - 1):
        raise UnreadableFileError(f"Cells seem to end with {mark + delimiter!r}. Name the delimiter to read the file.")
    if width >= 3 and width % 2 and not any(cells[i] for cells in rows for i in range(1, width, 2)):
        raise UnreadableFileError(f"Cells seem to end with {2 * delimiter!r}. Name the delimiter to read the file.")


def _has_comments(records: list[Record], width: int) -> bool:
    """Lines that start with # and do not have a row's width are comments, if no row starts so."""
    marked = [record for record in records if record.original.startswith("#")]
    odd = [record for record in marked if len(record.cells) != width]
    return width > 1 and bool(odd) and len(odd) == len(marked) and len(odd) * 2 <= len(records)


def table_start(rows: list[list[str]], width: int) -> int:
    """How many leading rows are titles or remarks: less than half filled, before the first row of full width."""
    for index, cells in enumerate(rows[:100]):
        filled = sum(1 for cell in cells if cell.strip())
        if len(cells) == width and (filled > 1 or width == 1 or filled * 2 > width):
            return index
        if filled > max(1, width // 2):
            return index  # a header with a cell too few or too many: its rows will say so
    return 0


def _table(records: list[Record], width: int, shape: Shape, options: ReadOptions, *, whole: bool) -> Dialect:
    notes: list[str] = []
    start = 0
    filled = [r for r in records if not is_blank(r)]
    if not filled:
        raise EmptyFileError("The file has no rows.")
    if options.skip_lines is None and options.header is not False:
        start = table_start([r.cells for r in filled], width)
        if start:
            notes.append(f"{counted(start, 'line')} before the header {'was' if start == 1 else 'were'} skipped.")
    table = filled[start:]
    first, rest = table[0], table[1:]
    header = options.header
    if header is None:
        header = first.problem == "" and is_header(first.cells, [r.cells for r in rest if not r.problem])
        if not header:
            notes.append("The first line looks like data, so the columns are called column_1, column_2, …")
    if header and first.problem:
        raise UnreadableFileError(f"The header cannot be read: {first.problem} (line {first.line}).", line=first.line)
    if header and not rest and not whole:
        raise UnreadableFileError(f"The row behind line {first.line} is longer than any row of a table.")
    if header and not rest:
        raise EmptyFileError("The file has a header but no rows.")
    names = first.cells if header else [f"column_{i}" for i in range(1, width + 1)]
    columns, renamed = unique_names(names)
    data = rest if header else table
    if len(columns) == 1:
        notes.append("Only one column was found.")
    if shape.delimiter != "," and len(columns) > 1:
        notes.append(f"Cells are separated by {_NAMES.get(shape.delimiter, shape.delimiter)}.")
    if shape.comment:
        notes.append(f"Lines that start with {shape.comment} are comments.")
    decimal, why = guess_decimal([r.cells for r in data if not r.problem], shape.delimiter)
    notes += renamed
    if options.decimal is None and why:
        notes.append(why)
    plain = all(r.lines == 1 for r in records if r.line < data[0].line)
    return Dialect(shape, columns, data[0].line, plain, options.decimal or decimal, tuple(notes), tuple(data[:50]))
