"""The one format everything else is brought into: a clean UTF-8 CSV file that DuckDB streams without guessing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from shared.duck import Duck, literal, quoted
from shared.errors import UnreadableFileError
from shared.formats.table import SERVICE_COLUMNS, counted


class NormalFile:
    """Writes rows of text: line, problem, original, then the cells. Later rows may have more cells than earlier."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.problems = 0
        self.first_problem = ""
        self._file = path.open("w", encoding="utf-8", errors="replace", newline="", buffering=1 << 20)
        # QUOTE_ALL: csv quotes a lone carriage return only in newer Pythons, and DuckDB must not see it bare.
        self._writer = csv.writer(self._file, quoting=csv.QUOTE_ALL, lineterminator="\n")

    def __enter__(self) -> NormalFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, line: int, cells: Sequence[str]) -> None:
        """One row; ``line`` is where it starts in the file, 1-based."""
        self.rows += 1
        self._writer.writerow((line, "", "", *cells))

    def write_problem(self, line: int, problem: str, original: str) -> None:
        """One row that could not be split into cells, with its raw text."""
        self.rows += 1
        self.problems += 1
        self.first_problem = self.first_problem or f"line {line}: {problem}"
        self._writer.writerow((line, problem, original.rstrip("\r\n")))

    def open(self, duck: Duck, name: str, columns: Sequence[str]) -> tuple[str, ...]:
        """Make the view ``name`` over what was written, and say in notes how many rows have a problem.

        Raises UnreadableFileError when no row is without one.
        """
        if self.problems and self.problems == self.rows:
            raise UnreadableFileError(f"No row could be read; {self.first_problem}.")
        service = ["_line", "_problem", "_original"]
        fields = [f"s{i}" for i in range(3)] + [f"c{i}" for i in range(len(columns))]
        source = csv_source(self.path, fields, quote='"', parallel=False, pad=True, line_end="\\n")
        shown = [f"c{i} AS {quoted(column)}" for i, column in enumerate(columns)]
        if self.problems:
            shown += [f"s{service.index(column)} AS {column}" for column in SERVICE_COLUMNS]
            shown = [
                text.replace("s0 AS", "CAST(s0 AS BIGINT) AS") if text == "s0 AS _line" else text for text in shown
            ]
        duck.execute(f"CREATE OR REPLACE TEMP VIEW {quoted(name)} AS SELECT {', '.join(shown)} FROM {source}")
        if not self.problems:
            return ()
        return (f"{counted(self.problems, 'row')} could not be split into cells ({self.first_problem}).",)


def csv_source(
    path: Path,
    fields: Sequence[str],
    *,
    delimiter: str = ",",
    quote: str,
    skip: int = 0,
    compression: str = "",
    parallel: bool = True,
    pad: bool = False,
    line_end: str = "",
    longest_line: int = 8_000_000,
) -> str:
    """``read_csv(…)`` that takes the file as text and guesses nothing; empty cells are NULL.

    ``line_end`` is written with a backslash; without it the first one in the file counts, even one inside quotes.
    """
    ends = f"new_line = {literal(line_end)}, " if line_end else ""
    columns = ", ".join(f"{literal(field)}: 'VARCHAR'" for field in fields)
    kind = {"gz": "gzip", "zst": "zstd"}.get(compression, "none")
    return (
        f"read_csv({literal(str(path))}, auto_detect = false, header = false, skip = {skip}, "
        f"delim = {literal(delimiter)}, quote = {literal(quote)}, escape = {literal(quote)}, comment = '', "
        f"compression = {literal(kind)}, columns = {{{columns}}}, null_padding = {literal(pad)}, "
        f"{ends}parallel = {literal(parallel)}, max_line_size = {longest_line}, buffer_size = {2 * longest_line})"
    )
