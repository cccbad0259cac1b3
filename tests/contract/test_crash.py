"""Eight processes, two hundred uploads, duplicates, and kill -9 at any step: nothing lost, nothing doubled.

``TEAL_CRASH_SEEDS`` sets how many seeds are tried (default one on a folder, and one over HTTP with a quarter of the uploads,
since a seed takes minutes on two cores); a failure prints its seed.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from shared.values import UploadedObject
from tests.servers import create_gcs_bucket, open_store
from tests.shop import TENANT, shop_on

ROOT = Path(__file__).parent.parent.parent
PROCESSES, UPLOADS, KILLS = 8, 200, 12
SEEDS = int(os.environ.get("TEAL_CRASH_SEEDS", "0"))


@pytest.mark.parametrize("seed", range(SEEDS or 1))
def test_killed_writers_on_a_folder_lose_and_double_nothing(tmp_path, seed):
    survive(tmp_path, {"kind": "folder", "root": str(tmp_path / "store")}, seed, UPLOADS)


@pytest.mark.parametrize("seed", range(100, 100 + (SEEDS or 1)))
def test_killed_writers_over_http_lose_and_double_nothing(tmp_path, gcs_spec, seed):
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    create_gcs_bucket(gcs_spec["endpoint"], bucket, token=gcs_spec["token"])
    survive(tmp_path, {**gcs_spec, "bucket": bucket, "prefix": ""}, seed, UPLOADS if SEEDS else UPLOADS // 4)


def survive(folder: Path, spec: dict[str, str], seed: int, count: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    store = open_store(spec)
    uploads, expected = [], {}
    bodies: list[str] = []
    for number in range(count):
        repeats = bool(bodies) and dice.random() < 0.1
        body = (
            dice.choice(bodies)
            if repeats
            else "order_id,ordered_at,total\n"
            + "".join(
                f"{number}-{line},2024-01-{1 + number % 28:02},{line + 1}\n" for line in range(dice.randint(1, 4))
            )
        )
        bodies.append(body)
        for row in body.splitlines()[1:]:
            expected[row.split(",")[0]] = int(row.split(",")[2])
        key = f"inbox/{TENANT}/orders/{number}.csv"
        info = store.put(key, body.encode())
        uploads.append(
            {"bucket": "inbox", "key": key, "version": info.version, "etag": info.etag, "size_bytes": info.size_bytes}
        )
    (folder / "spec.json").write_text(json.dumps(spec))
    work = [Worker(folder, place, uploads[place::PROCESSES] + dice.sample(uploads, 5)) for place in range(PROCESSES)]
    for worker in work:
        worker.start()
    kills = 0
    deadline = time.monotonic() + 240
    while any(worker.running() for worker in work):
        assert time.monotonic() < deadline, f"seed {seed}: the writers did not finish"
        time.sleep(dice.uniform(0.05, 0.8))
        victim = dice.choice(work)
        if kills < KILLS and victim.running():
            victim.kill()
            victim.start()
            kills += 1
    assert not [worker.errors() for worker in work if worker.errors()], f"seed {seed}"
    # A queue delivers what nobody finished once more.
    shop = shop_on(store)
    for upload in uploads:
        shop.ingest(UploadedObject(**upload))
    rows = shop.rows("SELECT order_id, total::INTEGER FROM orders")
    assert len(rows) == len(expected), f"seed {seed}"
    assert dict(rows) == expected, f"seed {seed}"
    assert shop.rows("SELECT sum(amount)::INTEGER FROM teal.order_totals") == [(sum(expected.values()),)]
    ledger = shop.rows(
        "SELECT count(*), count(DISTINCT object_key), bool_and(received = accepted + held + duplicate), "
        "sum(accepted) FROM teal.uploads"
    )
    assert ledger == [(count, count, True, len(expected))], f"seed {seed}"


class Worker:
    """One writer and what it has still to do."""

    def __init__(self, folder: Path, place: int, uploads: list[dict]) -> None:
        self.folder, self.place, self.uploads = folder, place, uploads
        self.done = folder / f"done-{place}.txt"
        self.log = folder / f"log-{place}.txt"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        finished = set(self.done.read_text().split()) if self.done.exists() else set()
        todo = self.folder / f"todo-{self.place}.json"
        todo.write_text(json.dumps([upload for upload in self.uploads if upload["key"] not in finished]))
        command = [
            sys.executable,
            "-m",
            "tests.crash_worker",
            str(self.folder / "spec.json"),
            str(todo),
            str(self.done),
        ]
        with self.log.open("a") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def errors(self) -> str:
        return self.log.read_text() if self.process.returncode else ""
