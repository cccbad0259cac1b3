"""Memory is bounded by a setting, not by the file."""

from __future__ import annotations

import json
import subprocess
import sys

import duckdb

LIMIT_MB = 256
ROWS = 4_000_000
OTHER_MB = 480
"""Beside DuckDB's limit: the program itself, and buffers of fixed size for reading text and writing Parquet.

It holds for the process that commits and for the cell that reads; they are at work one after the other.
"""


def test_a_file_larger_than_the_memory_is_brought_in(tmp_path):
    file = tmp_path / "large.csv"
    duckdb.sql(
        "COPY (SELECT 'o' || lpad(i::VARCHAR, 9, '0') AS order_id, 'c' || i % 7777 AS customer_id, "
        "TIMESTAMP '2024-01-01' + INTERVAL (i % 500000) MINUTE AS ordered_at, 'paid' AS status, 'EUR' AS currency, "
        "'a customer note of some length that nobody reads ' || i AS note, "
        f"((100 + i % 9000) / 100)::DECIMAL(9, 2) AS total FROM range({ROWS}) AS r(i)) TO '{file}'"
    )
    assert file.stat().st_size > 1.5 * LIMIT_MB * 1_000_000
    command = [sys.executable, "-m", "tests.large_upload", str(tmp_path / "lake"), str(file), str(LIMIT_MB)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=270)
    told = json.loads(done.stdout)
    assert (told["status"], told["accepted"]) == ("loaded", ROWS), told["reason"]
    assert 0 < told["cell_peak_mb"] < LIMIT_MB + OTHER_MB, told
    assert told["peak_mb"] < LIMIT_MB + OTHER_MB, told
