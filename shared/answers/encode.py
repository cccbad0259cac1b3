"""An answer's rows as bytes: JSON, CSV, Parquet or an Arrow stream; the same rows always give the same bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
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
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def json_body(told: Mapping[str, Any], result: Result, numbers: Numbers) -> bytes:
    """The rows as objects, after what is told about them. Decimals are strings, or numbers when so asked."""
    rows = [
        {name: _plain(value, numbers) for name, value in zip(result.columns, row, strict=True)} for row in result.rows
    ]
    columns = [{"name": name, "type": kind} for name, kind in zip(result.columns, result.types, strict=True)]
    body = {**told, "columns": columns, "rows": rows}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def csv_body(result: Result) -> bytes:
    """RFC 4180 with a header. Text that a spreadsheet would run as a formula gets a ' in front; numbers never do."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(result.columns)
    for row in result.rows:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()


def parquet_body(duck: Duck, sql: str, values: Mapping[str, Any]) -> bytes:
    """The rows of a statement as one Parquet file."""
    with TemporaryDirectory(prefix="teal-answer-") as folder:
        path = Path(folder) / "answer.parquet"
        duck.execute(f"COPY ({sql}) TO {literal(str(path))} (FORMAT parquet)", values)
        return path.read_bytes()


def arrow_body(duck: Duck, sql: str, values: Mapping[str, Any]) -> bytes:
    """The rows of a statement as an Arrow IPC stream."""
    # A quarter of the package's import time, for one format: loaded when it is asked for.
    from nanoarrow import ArrayStream
    from nanoarrow.ipc import StreamWriter

    out = io.BytesIO()
    with StreamWriter.from_writable(out) as writer:
        writer.write_stream(ArrayStream(duck.relation(sql, values)))
    return out.getvalue()


def _plain(value: Any, numbers: Numbers) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f") if numbers == "string" else float(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    return value


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return "'" + value if value.startswith(_FORMULA_STARTS) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return _plain(value, "string")
