"""Ingest beside DuckDB's bare copy of the same CSV file to Parquet: time, ratio, and the time until it is answered.

Processor time is of this process and the cell that reads; it says more than the clock on a machine others use too.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.timing import median_of
from tests.shop import READER
from tests.web import web_of

SIZES = (100_000, 1_000_000)
ORDERS = 500_000
RUNS = 5
RETAIL = Path(__file__).parent.parent / "samples/online_retail.parquet"


def main() -> None:
    """Order lines of several sizes, orders with totals, and Online Retail into four datasets at once."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for rows in SIZES:
            _lines(folder / str(rows), rows)
        _orders(folder / "orders", ORDERS)
        _retail(folder / "retail")
    READER.close()
    for what, who in (("this process", resource.RUSAGE_SELF), ("a cell that read", resource.RUSAGE_CHILDREN)):
        print(f"largest memory of {what}: {resource.getrusage(who).ru_maxrss / 1024:,.0f} MB")


def _lines(folder: Path, rows: int) -> None:
    folder.mkdir()
    file = folder / "lines.csv"
    duckdb.sql(
        f"COPY (SELECT 'o' || i // 4 AS order_id, 'l' || i % 4 AS line_id, 'p' || i % 977 AS product_id, "
        f"1 + i % 5 AS quantity, ((100 + i % 9000) / 100)::DECIMAL(9, 2) AS unit_price, 'sale' AS line_type "
        f"FROM range({rows}) AS r(i)) TO '{file}'"
    )
    _several(folder, "order_items", file, f"{rows:,} order lines")


def _orders(folder: Path, rows: int) -> None:
    folder.mkdir()
    file = folder / "orders.csv"
    duckdb.sql(
        f"COPY (SELECT 'o' || i AS order_id, 'c' || i % 7777 AS customer_id, "
        f"TIMESTAMP '2024-01-01' + INTERVAL (i) MINUTE AS ordered_at, ['GB', 'DE', 'FR'][1 + i % 3] AS country, "
        f"'EUR' AS currency, ((100 + i % 9000) / 100)::DECIMAL(9, 2) AS total FROM range({rows}) AS r(i)) TO '{file}'"
    )
    _several(folder, "orders", file, f"{rows:,} orders with their totals")


def _several(folder: Path, dataset: str, file: Path, what: str) -> None:
    """The same file several times into one lake, each time with other orders."""
    web = web_of(folder / "lake")
    web.shop.upload("order_items", "warm.csv", "order_id,line_id,quantity,unit_price\nx,1,1,1\n")
    bare, loading, answering, working = [], [], [], []
    for run in range(RUNS):
        bare.append(_bare(file))
        upload = web.shop.put(dataset, f"{run}.csv", file.read_text().replace("\no", f"\nr{run}o"))
        started, worked = time.perf_counter(), _processor_seconds()
        web.shop.ingest(upload)
        loading.append(time.perf_counter() - started)
        working.append(_processor_seconds() - worked)
        web.fresh()
        web.rows("sales/summary")
        answering.append(time.perf_counter() - started)
    _tell(what, bare, loading)
    print(f"    from the event to the answer: {median_of(answering):.3f} s; of processors {median_of(working):.2f} s")


def _retail(folder: Path) -> None:
    folder.mkdir()
    file = folder / "retail.csv"
    duckdb.sql(f"COPY (FROM '{RETAIL}') TO '{file}'")
    bare, loading = [], []
    for run in range(3):
        bare.append(_bare(file))
        web = web_of(folder / f"lake{run}")
        upload = web.shop.put("auto", "retail.csv", file)
        started = time.perf_counter()
        web.shop.ingest(upload)
        loading.append(time.perf_counter() - started)
    _tell("Online Retail, 541,909 lines into four datasets", bare, loading)


def _processor_seconds() -> float:
    """What this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    ended = sum(one.ru_utime + one.ru_stime for one in used)
    warm = READER.process
    return ended + (sum(map(int, _stat_of(warm)[11:13])) / os.sysconf("SC_CLK_TCK") if warm else 0.0)


def _stat_of(process: int) -> list[str]:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def _bare(file: Path) -> float:
    started = time.perf_counter()
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"COPY (FROM read_csv('{file}')) TO '{file}.parquet'")
    return time.perf_counter() - started


def _tell(what: str, bare: list[float], loading: list[float]) -> None:
    ours, theirs = median_of(loading), median_of(bare)
    print(f"{what}: bare CSV to Parquet {theirs:.3f} s, ingest {ours:.3f} s, {theirs / ours:.0%} of its speed")
