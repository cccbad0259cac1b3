"""Values as bytes: JSON, CSV, Parquet or an Arrow stream; the same rows always give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from shared.duck import Duck, Result, literal

Format = Literal["json", "csv", "parquet", "arrow"]
Numbers = Literal["string", "number"]

MEDIA_TYPES: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
EXTENSIONS: dict[Format, str] = {"json": "json", "csv": "csv", "parquet": "parquet", "arrow": "arrows"}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
"""What spreadsheets run, or take away before they run the rest (OWASP ASVS 1.2.10; Japanese ones read wide forms)."""


def plain(value: Any, numbers: Numbers = "string") -> Any:
    """A value as JSON has it: exact decimals as text (or as numbers), instants in UTC with Z, anything odd as text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(plain(name)): plain(item, numbers) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, numbers) for item in value]
    return _foreign(value, numbers)


def dumped(value: Any, numbers: Numbers = "string") -> bytes:
    """A value as JSON, without blanks."""
    try:
        return _json(value, numbers)
    except (TypeError, ValueError):
        # A number that JSON has not, or a key that is no text: rare, so looked for only now.
        return _json(plain(value, numbers), numbers)


def json_body(told: Mapping[str, Any], result: Result, numbers: Numbers) -> bytes:
    """The rows as objects, after what is told about them. Decimals are strings, or numbers when so asked."""
    return json_around(told, result.columns, result.types, json_rows(result, numbers))


def json_around(told: Mapping[str, Any], columns: Sequence[str], types: Sequence[str], rows: bytes) -> bytes:
    """What is told, then the columns, then rows that are written already."""
    shown = [{"name": name, "type": kind} for name, kind in zip(columns, types, strict=True)]
    return dumped({**told, "columns": shown})[:-1] + b',"rows":' + rows + b"}"


def json_rows(result: Result, numbers: Numbers) -> bytes:
    """The rows as a list of objects."""
    values: Iterable[Sequence[Any]] = result.rows
    if numbers == "string" and result.rows:
        # Most values of an answer are decimals; asked about each of them, the encoder takes twice the time.
        by_column = zip(zip(*result.rows, strict=True), result.types, strict=True)
        values = zip(*(_texts(column) if _is_decimal(kind) else column for column, kind in by_column), strict=True)
    return dumped([dict(zip(result.columns, row, strict=True)) for row in values], numbers)


def _is_decimal(kind: str) -> bool:
    """Not for a list of them."""
    return kind.startswith("DECIMAL") and kind.endswith(")")


def _texts(decimals: Iterable[Decimal | None]) -> list[str | None]:
    return [None if value is None else format(value, "f") for value in decimals]


def csv_body(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """RFC 4180 with a header. Text that a spreadsheet would run as a formula gets a ' in front; numbers never do."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_cell(name) for name in columns])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def parquet_body(duck: Duck, table: str) -> bytes:
    """The rows of a table as one Parquet file."""
    with TemporaryDirectory(prefix="teal-answer-") as folder:
        path = Path(folder) / "answer.parquet"
        duck.execute(f"COPY (FROM {table}) TO {literal(str(path))} (FORMAT parquet)")
        return path.read_bytes()


def arrow_body(duck: Duck, table: str) -> bytes:
    """The rows of a table as an Arrow IPC stream."""
    # A quarter of the package's import time, for one format: loaded when it is asked for.
    from nanoarrow import ArrayStream
    from nanoarrow.ipc import StreamWriter

    out = io.BytesIO()
    with StreamWriter.from_writable(out) as writer:
        writer.write_stream(ArrayStream(duck.relation(f"FROM {table}", {})))
    return out.getvalue()


def _json(value: Any, numbers: Numbers) -> bytes:
    text = json.dumps(
        value,
        ensure_ascii=False,
        separators=(",", ":"),
        allow_nan=False,
        default=lambda odd: _foreign(odd, numbers),
    )
    return text.encode()


def _foreign(value: Any, numbers: Numbers) -> Any:
    """What the encoder of JSON does not know."""
    if isinstance(value, Decimal):
        # A double is exact to 15 digits, eleven of them before the point; who needs more takes the text.
        return format(value, "f") if numbers == "string" else float(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC) if value.tzinfo else value
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    made = plain(value)
    return dumped(made).decode() if isinstance(made, (dict, list)) else made
