"""Warm answers over HTTP in process: each time with other parameters, so that no cache helps, and 304."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

from benchmarks.timing import median_of, timed
from tests.web import web_of

RETAIL = Path(__file__).parent.parent / "samples/online_retail.parquet"
RUNS = 60


def main() -> None:
    """The first questions on Online Retail."""
    with tempfile.TemporaryDirectory() as folder:
        web = web_of(Path(folder))
        web.shop.upload("auto", "online_retail.parquet", RETAIL)
        first, last = date(2010, 12, 1), date(2011, 12, 10)
        ranges = (
            {"from": str(first + timedelta(days=n % 30)), "to": str(last + timedelta(days=n // 30))}
            for n in range(10_000)
        )
        for name, parameters in (
            ("sales/by-period", {"grain": "month"}),
            ("sales/by-period", {"grain": "day"}),
            ("sales/summary", {}),
            ("sales/by", {"dimension": "country"}),
        ):
            times = timed(lambda name=name, asked=parameters: web.rows(name, **asked, **next(ranges)), RUNS)
            told = " ".join(f"{key}={value}" for key, value in parameters.items())
            print(f"{name} {told}: p50 {median_of(times) * 1000:.1f} ms, least {min(times) * 1000:.1f} ms")
        etag = web.client.get("/v1/sales/summary").headers["ETag"]
        same = timed(lambda: web.client.get("/v1/sales/summary", headers={"If-None-Match": etag}), 300)
        print(f"304: p50 {median_of(same) * 1000:.2f} ms, least {min(same) * 1000:.2f} ms")
