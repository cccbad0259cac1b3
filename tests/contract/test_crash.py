"""Eight processes, uploads, duplicates and kill -9 at any step: nothing lost, nothing doubled, and the catalog opens.

A seed decides a run. ``TEAL_CRASH_SEEDS`` says how many there are (default 50): even ones on a folder, odd ones on S3
over HTTP. Seeds 0 and 1 bring in 200 uploads, the others 10 each, since 50 times 200 would take most of an hour on two
cores; ``TEAL_CRASH_UPLOADS`` is another number for all. A failure names its seed: ``-k 'folder and [12]'`` repeats it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import time
import uuid
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

import pytest

from shared.storage.base import ObjectStore
from shared.values import UploadedObject
from tests.crash_check import check
from tests.crash_plan import PROCESSES, Death, Plan, plan_of
from tests.crash_worker import live
from tests.servers import create_gcs_bucket, create_s3_bucket, open_store, s3_server

SEEDS = int(os.environ.get("TEAL_CRASH_SEEDS", "50"))
UPLOADS = int(os.environ.get("TEAL_CRASH_UPLOADS", "0"))
LONG, SHORT = 200, 10
GOOGLE_SEED = 1_000_000
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.crash_worker", "boto3"])


@pytest.mark.parametrize("seed", range(0, SEEDS, 2))
def test_killed_writers_on_a_folder_lose_and_double_nothing(tmp_path, seed):
    survive(tmp_path, {"kind": "folder", "root": str(tmp_path / "store")}, seed)


@pytest.mark.parametrize("seed", range(1, SEEDS, 2))
def test_killed_writers_on_s3_over_http_lose_and_double_nothing(tmp_path, seed):
    with s3_server() as url:
        create_s3_bucket(url, "crash")
        survive(tmp_path, {"kind": "s3", "endpoint": url, "bucket": "crash", "prefix": ""}, seed)


def test_killed_writers_on_google_over_http_lose_and_double_nothing(tmp_path, gcs_spec):
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    create_gcs_bucket(gcs_spec["endpoint"], bucket, token=gcs_spec["token"])
    survive(tmp_path, {**gcs_spec, "bucket": bucket, "prefix": ""}, GOOGLE_SEED)


def survive(folder: Path, spec: dict[str, str], seed: int) -> None:
    uploads = UPLOADS or (LONG if seed in (0, 1) else SHORT)
    plan = plan_of(seed, uploads)
    store = open_store(spec)
    told = [put(store, file.key, file.body) for file in plan.files]
    began = time.monotonic()
    kills = run(plan, told, spec, folder, random.Random(seed), seconds=120 + 3 * uploads)
    seconds = time.monotonic() - began
    print(f"seed {seed}: {uploads} uploads in {seconds:.1f} s, kills: {dict(kills)}")
    assert kills.total(), f"seed {seed}: nobody was killed"
    check(plan, store, f"seed {seed}")
    # Fifty runs leave half a gigabyte of former catalogs; only those of a failure are of use.
    shutil.rmtree(folder)


def put(store: ObjectStore, key: str, body: bytes) -> UploadedObject:
    info = store.put(key, body)
    return UploadedObject("inbox", key, info.version, info.etag, info.size_bytes)


def run(
    plan: Plan, told: list[UploadedObject], spec: dict[str, str], folder: Path, dice: random.Random, seconds: float
) -> Counter[str]:
    """Let every process do its part, and begin again whenever it was killed. Returns how often each step was fatal."""
    writers = [
        Writer(
            spec, [told[number] for number in plan.deliveries[place]], folder / f"writer-{place}", plan.deaths[place]
        )
        for place in range(PROCESSES)
    ]
    by_clock = len(told) // 10
    deadline = time.monotonic() + seconds
    try:
        for writer in writers:
            writer.start()
        while living := [writer for writer in writers if not writer.finished()]:
            assert time.monotonic() < deadline, "the writers did not finish"
            # Some are killed from outside, in the middle of whatever they do.
            if not wait([writer.process.sentinel for writer in living], dice.uniform(0.05, 1.0)) and by_clock:
                by_clock -= 1
                dice.choice(living).process.kill()
    finally:
        for writer in writers:
            writer.process.kill()
    return sum((writer.kills() for writer in writers), Counter())


class Writer:
    """A place at the queue, and the processes that took it one after the other."""

    def __init__(
        self, spec: dict[str, str], uploads: list[UploadedObject], folder: Path, deaths: tuple[Death, ...]
    ) -> None:
        self._spec, self._uploads, self._folder, self._deaths = spec, uploads, folder, list(deaths)
        self._killed = 0
        folder.mkdir()

    def start(self) -> None:
        finished = self._read("done")
        todo = [upload for upload in self._uploads if upload.key not in finished]
        death = self._deaths.pop(0) if self._deaths else Death()
        self.process = FORKS.Process(target=live, args=(self._spec, todo, self._folder, death), daemon=True)
        self.process.start()

    def finished(self) -> bool:
        """Whether all is done; a killed process is followed by another one."""
        if self.process.is_alive():
            return False
        if self.process.exitcode == -9:
            self._killed += 1
            self.start()
            return False
        assert self.process.exitcode == 0, "\n".join(self._read("error"))
        return True

    def kills(self) -> Counter[str]:
        known = Counter(self._read("deaths"))
        return known + Counter({"by the clock": self._killed - known.total()})

    def _read(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []
