"""What a cell costs: how long until it is ready, and what it adds to a warm query beside the same engine without it."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from benchmarks.timing import median_of, share_of, timed
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.cells import sql_cell
from shared.stranger_sql.page import Order, page_of
from tests.stranger import StrangerLake, stranger_lake

STARTS, RUNS = 7, 200
QUERIES = ("SELECT 1 AS x", "SELECT status, sum(total) AS total FROM orders GROUP BY status", "SELECT * FROM orders")


def main() -> None:
    """Milliseconds; the same SQL in this process and in a cell, one after the other."""
    ready = [_seconds_until_ready() for _ in range(STARTS)]
    print(f"ready after {1000 * median_of(ready):.0f} ms (at most {1000 * max(ready):.0f})")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lake = stranger_lake(FolderStore(folder / "store"), SqlLimits())
        started = time.perf_counter()
        lake.run("SELECT 1")
        print(f"the first question of a snapshot: {1000 * (time.perf_counter() - started):.0f} ms")
        print("| query | without | in a cell: p50 | p95 | added |")
        print("| --- | ---: | ---: | ---: | ---: |")
        for sql in QUERIES:
            print(_row(lake, folder, sql))
        lake.runner.close()


def _row(lake: StrangerLake, folder: Path, sql: str) -> str:
    locked = lake.opened(folder)
    order = Order(sql, {}, {}, 1_000, 0, "json", "string")
    without = median_of(timed(lambda: page_of(locked, order, lake.runner.limits), RUNS))
    inside = timed(lambda: lake.run(sql), RUNS)
    locked.close()
    p50 = median_of(inside)
    cells = (without, p50, share_of(inside, 0.95), p50 - without)
    return f"| `{sql}` | {' | '.join(f'{1000 * cell:.1f}' for cell in cells)} |"


def _seconds_until_ready() -> float:
    started = time.perf_counter()
    cell = sql_cell(SqlLimits())
    try:
        cell.wait_until_ready()
        return time.perf_counter() - started
    finally:
        cell.close()
