"""A CSV file of 2 GB with a memory limit of 1 GB. Takes minutes and 10 GB of disk: only when it is named."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb

ROWS = 27_000_000
LIMIT_MB = 1_024


def main() -> None:
    """27 million orders; prints the size, the time and the largest memory of the process that brings them in."""
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "large.csv"
        duckdb.sql(
            "COPY (SELECT 'o' || lpad(i::VARCHAR, 9, '0') AS order_id, 'c' || i % 777777 AS customer_id, "
            "TIMESTAMP '2024-01-01' + INTERVAL (i % 500000) MINUTE AS ordered_at, 'completed' AS status, "
            "['GB', 'DE', 'FR'][1 + i % 3] AS country, 'EUR' AS currency, "
            "((100 + i % 9000) / 100)::DECIMAL(9, 2) AS total, 'x' || i || '@mail.com' AS note "
            f"FROM range({ROWS}) AS r(i)) TO '{file}'"
        )
        command = [sys.executable, "-m", "tests.large_upload", f"{name}/lake", str(file), str(LIMIT_MB)]
        done = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        size = file.stat().st_size / 1e9
        print(
            f"{size:.2f} GB, {done['accepted']:,} of {ROWS:,} rows {done['status']} in {done['seconds']} s; "
            f"memory limit {LIMIT_MB:,} MB, largest {done['peak_mb']:,} MB"
        )
