"""Ingests one CSV file in a process of its own and prints as JSON what became of it and the memory it took.

``python -m tests.large_upload <folder> <file> <memory_limit_mb>``; also used by ``make bench``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
import time
from pathlib import Path


def main(folder: str, file: str, memory_limit_mb: str) -> None:
    """Put the file into the inbox of a new folder lake and bring it in."""
    os.environ |= {"TEAL_LAKE": folder, "TEAL_MEMORY_LIMIT_MB": memory_limit_mb, "TEAL_MAX_TEMP_GB": "8"}
    from shared import bootstrap
    from shared.values import UploadedObject

    key = "inbox/shop/orders/large.csv"
    bootstrap.inbox_store().put_file(key, Path(file))
    ingest = bootstrap.ingest_upload()
    before = peak_mb()
    cells: dict[str, int] = {}
    threading.Thread(target=watch_children, args=(cells,), daemon=True).start()
    started = time.perf_counter()
    outcome = ingest(UploadedObject("inbox", key))
    told = {
        "status": outcome.status,
        "reason": outcome.reason,
        "accepted": outcome.counts.accepted,
        "seconds": round(time.perf_counter() - started, 1),
        "before_mb": before,
        "peak_mb": peak_mb(),
        "cell_peak_mb": max(cells.values(), default=0),
    }
    print(json.dumps(told))


def peak_mb(process: str = "self") -> int:
    """The most memory a process has had; Linux counts its parent's into what getrusage says."""
    status = Path(f"/proc/{process}/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024**2


def watch_children(peaks: dict[str, int]) -> None:
    """Keep the most memory that each child of this process has had, by its number; only Linux tells."""
    while True:
        for told in Path("/proc/self/task").glob("*/children"):
            for process in told.read_text().split():
                try:
                    peaks[process] = peak_mb(process)
                except (OSError, IndexError):
                    continue  # it ended meanwhile
        time.sleep(0.05)


if __name__ == "__main__":
    main(*sys.argv[1:])
