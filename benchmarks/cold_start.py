"""Cold starts of the built query function under AWS's runtime emulator, from spawn to the first answer off S3 by HTTP.

Other work on the machine only ever adds time, so the least of many runs is the figure; the processor time of the whole
process tree, which load hardly changes, is printed beside it, and the load too. Linux only, since it reads ``/proc``.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

from shared.values import UploadedObject
from tests.functions.runtimes import lambda_runtime, recorded
from tests.servers import create_s3_bucket, ministack_server
from tests.tools import package

BUDGET_SECONDS = 0.8
RUNS = 15
HANDLER = "functions.query.handler.handle"
PATHS = {
    "health": "/v1/health",
    "rows": "/v1/datasets/orders/rows",
    "a question": "/v1/sales/summary",
}
ORDERS = "order_id,customer_id,ordered_at,status,currency,total\n" + "".join(
    f"A-{n},c{n % 7},2026-01-{1 + n % 28:02}T10:00:00Z,paid,EUR,{n}.50\n" for n in range(500)
)


def main() -> None:
    """Print the least and the median of each kind of first answer, and their share of the budget."""
    folder = package("aws", "query")
    with ministack_server() as address, tempfile.TemporaryDirectory() as work:
        settings, token = _lake(address)
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in PATHS}
        for _ in range(RUNS):
            for name, path in PATHS.items():
                runs[name].append(_cold_start(folder, settings, Path(work), path, token))
    print(f"cold start to first answer, {RUNS} runs each, machine load {os.getloadavg()[0]:.1f}:")
    for name, timed in runs.items():
        seconds = [run[0] for run in timed]
        print(
            f"  {name}: least {min(seconds):.2f} s, median {statistics.median(seconds):.2f} s, "
            f"processor {min(run[1] for run in timed):.2f} s; "
            f"{min(seconds) / BUDGET_SECONDS:.0%} of the budget of {BUDGET_SECONDS} s"
        )


def _lake(address: str) -> tuple[dict[str, str], str]:
    """A lake with 500 orders, made by the real ingest; the settings that reach it, and a key."""
    settings = {"TEAL_LAKE": "s3://cold-lake", "TEAL_INBOX": "s3://cold-inbox", "TEAL_S3_ENDPOINT": address}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for bucket in ("cold-lake", "cold-inbox"):
        create_s3_bucket(address, bucket)
    with patch.dict(os.environ, settings | keys):
        from shared import bootstrap

        info = bootstrap.inbox_store().put("inbox/acme/orders/orders.csv", ORDERS.encode())
        bootstrap.ingest_upload()(UploadedObject("cold-inbox", info.key, info.version, info.etag, info.size_bytes))
        return settings, bootstrap.keys().create("acme", ["read"]).token


def _cold_start(folder: Path, settings: dict[str, str], work: Path, path: str, token: str) -> tuple[float, float]:
    """Seconds on the clock, and seconds of processor time."""
    event = recorded("api_gateway_v2")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"]["authorization"] = f"Bearer {token}"
    started = time.monotonic()
    with lambda_runtime(folder, HANDLER, settings, work) as runtime:
        answer = runtime.invoke(event)
        seconds = time.monotonic() - started
        if answer.get("statusCode") != 200:
            sys.exit(f"{path}: {answer}\n{runtime.log.read_text()[-2000:]}")
        return seconds, runtime.processor_seconds()


if __name__ == "__main__":
    main()
