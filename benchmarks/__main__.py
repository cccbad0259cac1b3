"""Measures side by side in one run and prints ratios: ``make bench``. Times depend on the machine, ratios much less."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from tests.web import web_of

ROWS = 100_000
RUNS = 5


def main() -> None:
    """Ingest against DuckDB's bare copy of the same file, then warm answers on Online Retail."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _ingest(folder)
        _answers(folder)


def _ingest(folder: Path) -> None:
    file = folder / "lines.csv"
    duckdb.sql(
        f"COPY (SELECT 'o' || i // 4 AS order_id, 'l' || i % 4 AS line_id, 'p' || i % 977 AS product_id, "
        f"1 + i % 5 AS quantity, (100 + i % 9000) / 100 AS unit_price, 'sale' AS line_type FROM range({ROWS}) AS r(i)) "
        f"TO '{file}'"
    )
    bare = _timed(lambda: duckdb.sql(f"COPY (FROM read_csv('{file}')) TO '{folder / 'bare.parquet'}'"))
    web = web_of(folder / "ingest")
    web.shop.upload("order_items", "warm.csv", "order_id,line_id,quantity,unit_price\nx,1,1,1\n")
    times = []
    for run in range(RUNS):
        body = file.read_text().replace("\no", f"\nr{run}o")
        upload = web.shop.put("order_items", f"{run}.csv", body)
        started = time.perf_counter()
        web.shop.ingest(upload)
        web.fresh()
        web.rows("sales/summary")
        times.append(time.perf_counter() - started)
    ours = statistics.median(times)
    print(f"{ROWS:,} order lines: bare CSV to Parquet {bare:.3f} s, event to answer {ours:.3f} s, speed {bare / ours:.0%}")


def _answers(folder: Path) -> None:
    web = web_of(folder / "retail")
    started = time.perf_counter()
    web.shop.upload("auto", "online_retail.parquet", Path("samples/online_retail.parquet"))
    print(f"Online Retail, 541,909 lines into four datasets: {time.perf_counter() - started:.2f} s")
    parameters = [{"grain": "month", "from": f"2010-12-{day:02}"} for day in range(1, 29)]
    each = iter(parameters)
    fresh = _timed(lambda: web.rows("sales/by-period", **next(each)), runs=25)
    etag = web.client.get("/v1/sales/summary").headers["ETag"]
    same = _timed(lambda: web.client.get("/v1/sales/summary", headers={"If-None-Match": etag}), runs=100)
    print(f"warm sales/by-period, each time other parameters: p50 {fresh * 1000:.1f} ms; 304: p50 {same * 1000:.2f} ms")


def _timed(work: Callable[[], object], runs: int = RUNS) -> float:
    """Median seconds of several runs."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    main()
