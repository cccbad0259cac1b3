"""What keeping the rollups costs: orders and their lines brought in with them and without, into an empty lake and after
a long history of other orders of the same customers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

import shared.ingest
from benchmarks.timing import median_of
from tests.shop import Shop, shop_in

LINES = 1_000_000
LINES_OF_ORDER = 3
CUSTOMERS = 90_000
DAYS = 365
RUNS = 3
HISTORY = 6
"""Years before the last one, each as large."""


def main() -> None:
    """Seconds with and without rollups, and the share of the time that they take."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        without = [_loaded(folder, f"none-{run}", run, rollups=False) for run in range(RUNS)]
        empty = [_loaded(folder, f"all-{run}", run, rollups=True) for run in range(RUNS)]
        _tell("into an empty lake", without, empty)
        for rollups in (False, True):
            shop = shop_in(folder / f"history-{rollups}")
            with _only(rollups=rollups):
                times = [_year(folder, shop, year) for year in range(HISTORY + RUNS)]
            if not rollups:
                without = times[HISTORY:]
        _tell(f"after {HISTORY * LINES:,} lines of the same customers", without, times[HISTORY:])


def _loaded(folder: Path, name: str, year: int, *, rollups: bool) -> float:
    with _only(rollups=rollups):
        return _year(folder, shop_in(folder / name), year)


def _year(folder: Path, shop: Shop, year: int) -> float:
    """Seconds to bring in the orders and the lines of one year."""
    file = folder / "year.csv"
    day = f"(TIMESTAMP '2015-01-01' + INTERVAL ({year * DAYS}) DAY + INTERVAL (i * {DAYS * 86_400} // $n) SECOND)"
    orders = LINES // LINES_OF_ORDER
    customer = f"(hash(i + {year * 31}) % {CUSTOMERS})::BIGINT"
    selects = {
        "orders": (
            orders,
            f"'{year}-' || lpad(i::VARCHAR, 7, '0') AS order_id, {day} AS ordered_at, "
            f"'c' || {customer} AS customer_id, ['DE', 'FR', 'GB', 'US'][1 + {customer} % 4] AS country, "
            "['web', 'app', 'store'][1 + i * 5 % 3] AS channel, "
            f"['EUR', 'EUR', 'GBP', 'USD'][1 + {customer} % 4] AS currency, "
            "(i % 700)::DECIMAL(9, 2) / 100 AS shipping",
        ),
        "order_items": (
            orders * LINES_OF_ORDER,
            f"'{year}-' || lpad((i // {LINES_OF_ORDER})::VARCHAR, 7, '0') AS order_id, "
            f"(i % {LINES_OF_ORDER})::VARCHAR AS line_id, 'p' || (hash(i) % 5000) AS product_id, "
            "1 + i % 3 AS quantity, (100 + i % 9000)::DECIMAL(9, 2) / 100 AS unit_price",
        ),
    }
    seconds = 0.0
    for dataset, (rows, columns) in selects.items():
        duckdb.sql(f"COPY (SELECT {columns.replace('$n', str(rows))} FROM range({rows}) AS r(i)) TO '{file}'")
        upload = shop.put(dataset, f"{year}.csv", file)
        started = time.perf_counter()
        outcome = shop.ingest(upload)
        seconds += time.perf_counter() - started
        if outcome.status != "loaded" or outcome.counts.accepted != rows:
            raise RuntimeError(f"{dataset}: {outcome.status} {outcome.reason}")
    return seconds


@contextmanager
def _only(*, rollups: bool) -> Iterator[None]:
    """With no rollups, what a commit plans for them is nothing."""
    plan = shared.ingest.plan_rollups
    if not rollups:
        shared.ingest.plan_rollups = lambda *given: False  # type: ignore[assignment] # the benchmark's other half
    try:
        yield
    finally:
        shared.ingest.plan_rollups = plan


def _tell(where: str, without: list[float], loading: list[float]) -> None:
    bare, whole = median_of(without), median_of(loading)
    print(
        f"{LINES:,} lines {where}: {bare:.2f} s without rollups, {whole:.2f} s with: {1 - bare / whole:.0%} of the time"
    )
