"""Lines of text to records of cells, with Python's csv tokenizer: strict, streaming, and never losing a line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TextIO

from shared.errors import UnreadableFileError

MAX_RECORD_CHARACTERS = 500_000
"""A longer record is a quote that never closes, or not a table; DuckDB's own limit is 2 MB."""
MAX_BROKEN_RECORDS = 10_000
_SEPARATOR = "\x1f"

csv.field_size_limit(2 * MAX_RECORD_CHARACTERS)  # the default of 131,072 is less than a product description can have


@dataclass(frozen=True)
class Shape:
    """How cells are told apart. ``quote`` "" means none; ``escape`` "" means that a quote is doubled.

    ``comment`` is what a line that is no record starts with, or "". ``delimiter`` may have several characters.
    """

    delimiter: str
    quote: str = '"'
    escape: str = ""
    skip_blanks: bool = False
    comment: str = ""

    def csv_options(self) -> dict[str, Any]:
        """The same for Python's csv module."""
        return {
            "delimiter": self.delimiter if len(self.delimiter) == 1 else _SEPARATOR,
            "quotechar": self.quote or None,
            "quoting": csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            "escapechar": self.escape or None,
            "doublequote": True,
            "skipinitialspace": self.skip_blanks,
            "strict": True,
        }


class Record(NamedTuple):
    """Cells, the 1-based line they start on, how many lines they take, and why they could not be read (else "")."""

    line: int
    cells: list[str]
    lines: int
    problem: str
    original: str


class _TooLongError(Exception):
    """The record under way is longer than any honest one."""


def lines_of(text: TextIO) -> Iterator[str]:
    """Physical lines with their ends. Raises UnreadableFileError for one that is too long to be a line."""
    for number, line in enumerate(iter(lambda: text.readline(MAX_RECORD_CHARACTERS + 1), ""), start=1):
        if len(line) > MAX_RECORD_CHARACTERS:
            raise UnreadableFileError(f"Line {number} has more than {MAX_RECORD_CHARACTERS:,} characters.", line=number)
        yield line


class _Feed:
    """Hands lines to the tokenizer and remembers which ones the record under way took."""

    def __init__(self, lines: Iterator[str], shape: Shape, first_line: int) -> None:
        self.lines = lines
        self.again: deque[str] = deque()
        self.taken: list[str] = []
        self.line = first_line
        self.comments = 0
        self.characters = 0
        self.comment = shape.comment
        self.delimiter = shape.delimiter if len(shape.delimiter) > 1 else ""

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        while True:
            line = self.again.popleft() if self.again else next(self.lines)
            if self.comment and not self.taken and line.startswith(self.comment):
                self.line += 1
                self.comments += 1
                continue
            if self.taken:
                self.characters += len(line)
                if self.characters > MAX_RECORD_CHARACTERS:
                    self.again.appendleft(line)
                    raise _TooLongError
            self.taken.append(line)
            return line.replace(self.delimiter, _SEPARATOR) if self.delimiter else line

    def next_record(self) -> None:
        self.line += len(self.taken)
        self.taken.clear()
        self.characters = 0

    def give_back_all_but_first(self) -> str:
        first, *rest = self.taken
        self.again.extendleft(reversed(rest))
        self.taken = [first]
        return first


class Records(Iterator[Record]):
    """All records; one that cannot be split has no cells and a problem, and reading goes on with the next line.

    ``whole`` is False for a sample, whose last record may be cut: reading then ends there without a problem. After the
    last record ``comments`` counts the comment lines that were passed over.
    """

    def __init__(self, lines: Iterator[str], shape: Shape, *, whole: bool = True, first_line: int = 1) -> None:
        self._feed = _Feed(lines, shape, first_line)
        self._options = shape.csv_options()
        self._quote = shape.quote
        self._whole = whole
        self._broken = 0
        self._reader = csv.reader(self._feed, **self._options)

    @property
    def comments(self) -> int:
        return self._feed.comments

    def __next__(self) -> Record:
        feed = self._feed
        feed.next_record()
        try:
            cells = next(self._reader)
        except (csv.Error, _TooLongError) as error:
            return self._problem(error)
        line, lines = feed.line, len(feed.taken)
        return Record(line, cells, lines, "", "".join(feed.taken) if lines > 1 else feed.taken[0])

    def _problem(self, error: Exception) -> Record:
        feed = self._feed
        unclosed = isinstance(error, _TooLongError) or "unexpected end" in str(error)
        if not feed.taken or (unclosed and not self._whole):
            raise StopIteration from error
        self._broken += 1
        if self._broken > MAX_BROKEN_RECORDS:
            raise UnreadableFileError(
                f"More than {MAX_BROKEN_RECORDS:,} rows have quotes that do not close, the last on line {feed.line}.",
                line=feed.line,
            ) from error
        original = feed.give_back_all_but_first()
        self._reader = csv.reader(feed, **self._options)
        if unclosed:
            problem = f"a quote ({self._quote}) is opened on line {feed.line} and never closed"
        else:
            problem = f"text follows a closing quote ({self._quote})"
        return Record(feed.line, [], 1, problem, original)


def is_blank(record: Record) -> bool:
    """A line without any text, or a record all of whose cells are empty."""
    return not record.problem and (not any(record.cells) or (len(record.cells) == 1 and not record.cells[0].strip()))
