"""The cell that reads uploads: what it has of the house, how it ends, and what becomes of the file then."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import EngineUnavailableError
from shared.reading.base import ReadLimits
from shared.reading.cells import CellReader
from shared.values import UploadedObject
from tests.shop import Shop, shop_in

ROOT = Path(__file__).parent.parent.parent
SMALL = ReadLimits(memory_mb=256, threads=1, temp_mb=64, file_mb=512, seconds=1.0, seconds_per_mb=0.0)


@pytest.fixture
def shop(tmp_path) -> Iterator[Shop]:
    found = shop_in(tmp_path / "lake")
    reader = CellReader(replace(SMALL, seconds=60.0))
    yield replace(found, ingest=replace(found.ingest, read=reader))
    reader.close()


@pytest.fixture
def long_file(tmp_path) -> Path:
    """It takes a second or two to read."""
    path = tmp_path / "long.csv"
    with path.open("w") as out:
        out.write("order_id,ordered_at,total\n")
        out.writelines(f'"o{number}",2024-01-01,1\n' for number in range(600_000))
        out.write("last,never,1\n")
    return path


def reader_of(shop: Shop) -> CellReader:
    assert isinstance(shop.ingest.read, CellReader)
    return shop.ingest.read


def process_of(shop: Shop) -> int:
    warm = reader_of(shop)._idle
    assert warm is not None
    return warm.cell._process.pid


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ends(process: int) -> bool:
    until = time.monotonic() + 4
    while is_alive(process) and time.monotonic() < until:
        time.sleep(0.02)
    return not is_alive(process)


def good(name: str) -> str:
    return f"order_id,ordered_at,total\n{name},2024-01-01,1\n"


def signalled(shop: Shop, number: int, *, times: int) -> threading.Thread:
    """Sends a signal to so many cells in turn, each once it is at work."""

    def run() -> None:
        done: set[int] = set()
        while len(done) < times:
            for warm in list(reader_of(shop)._busy):
                if warm.cell._is_ready and warm.cell._process.pid not in done:
                    time.sleep(0.1)
                    os.kill(warm.cell._process.pid, number)
                    done.add(warm.cell._process.pid)
            time.sleep(0.01)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def test_a_cell_has_nothing_of_our_environment_and_no_more_than_its_limits(shop, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    shop.upload("orders", "a.csv", good("a"))
    of = Path(f"/proc/{process_of(shop)}")
    environment = (of / "environ").read_bytes().split(b"\0")
    assert {pair.partition(b"=")[0] for pair in environment if pair} <= {b"LD_LIBRARY_PATH"}
    assert b"secret" not in (of / "cmdline").read_bytes()
    told = {line[:26].strip(): line[26:].split()[:2] for line in (of / "limits").read_text().splitlines()}
    assert told["Max core file size"] == ["0", "0"]
    assert told["Max data size"] == [str((256 * 3 // 2 + 350) * 2**20)] * 2
    assert told["Max file size"] == [str(512 * 2**20)] * 2
    assert (of / "cwd").resolve().name.startswith("teal-cell-")
    assert {os.readlink(of / f"fd/{own}") for own in (0, 1, 2)} == {"/dev/null"}


def test_a_cell_is_kept_for_the_next_file_of_its_tenant_alone(shop):
    for name in ("a", "b"):
        assert shop.upload("orders", f"{name}.csv", good(name)).status == "loaded"
    first = process_of(shop)
    shop.upload("orders", "c.csv", "nonsense\n" + "\0" * 50)
    assert process_of(shop) == first
    other = shop.store.put("inbox/rival/orders/a.csv", good("r").encode())
    shop.ingest(UploadedObject("inbox", other.key, other.version, other.etag, other.size_bytes))
    assert process_of(shop) != first
    assert ends(first)


def test_nothing_of_a_file_stays_in_the_cell_s_folder(shop):
    shop.upload("orders", "a.csv", good("a") + "b,never,1\n")
    assert list(reader_of(shop)._idle.cell.folder.iterdir()) == []  # type: ignore[union-attr]


def test_a_file_that_kills_every_cell_is_held_and_the_next_one_is_read(shop, long_file):
    killer = signalled(shop, signal.SIGSEGV, times=1)
    outcome = shop.upload("orders", "long.csv", long_file)
    killer.join()
    assert (outcome.status, outcome.reason_code) == ("held", "unreadable")
    assert "broke what reads it" in outcome.reason
    assert shop.upload("orders", "a.csv", good("a")).status == "loaded"
    # It was in a cell that had read another file, so a second one had to break on it too.
    killer = signalled(shop, signal.SIGKILL, times=2)
    outcome = shop.upload("orders", "long2.csv", long_file.read_text().replace("last", "later"))
    killer.join()
    assert (outcome.status, outcome.reason_code) == ("held", "unreadable")
    assert shop.upload("orders", "b.csv", good("b")).status == "loaded"
    assert shop.rows("SELECT count(*) FROM orders") == [(2,)]


def test_a_file_is_not_blamed_for_what_the_one_before_it_did_to_the_cell(shop, long_file):
    shop.upload("orders", "a.csv", good("a"))
    os.kill(process_of(shop), signal.SIGKILL)
    assert shop.upload("orders", "b.csv", good("b")).status == "loaded"
    killer = signalled(shop, signal.SIGSEGV, times=1)
    outcome = shop.upload("orders", "long.csv", long_file)
    killer.join()
    assert (outcome.status, outcome.counts.accepted, outcome.counts.held) == ("loaded", 600_000, 1)


def test_a_file_that_takes_no_end_is_held(shop, long_file):
    slow = replace(shop, ingest=replace(shop.ingest, read=CellReader(SMALL)))
    stopper = signalled(slow, signal.SIGSTOP, times=1)
    started = time.monotonic()
    outcome = slow.upload("orders", "long.csv", long_file)
    stopper.join()
    assert (outcome.status, outcome.reason_code) == ("held", "unreadable")
    assert "cannot be read in 1 seconds" in outcome.reason
    assert time.monotonic() - started < 15
    assert slow.upload("orders", "a.csv", good("a")).status == "loaded"
    reader_of(slow).close()


def test_a_larger_file_has_more_time():
    limits = ReadLimits()
    assert limits.seconds_for(0) == 120
    assert limits.seconds_for(10 * 2**30) > 10 * 3600


def test_a_file_that_needs_more_memory_or_disk_than_it_has_is_held(shop, tmp_path):
    tight = ReadLimits(memory_mb=64, threads=1, temp_mb=1, file_mb=512, seconds=60.0)
    reader = CellReader(tight)
    poor = replace(shop, ingest=replace(shop.ingest, read=reader))
    path = tmp_path / "wide.csv"
    with path.open("w") as out:
        out.write("order_id,ordered_at,total,status\n")
        out.writelines(f'"{number * 7919:030}",never,1,{number:060}\n' for number in range(700_000))
    outcome = poor.upload("orders", "wide.csv", path)
    assert (outcome.status, outcome.reason_code) == ("held", "out_of_memory")
    assert reader._idle is None
    assert poor.upload("orders", "a.csv", good("a")).status == "loaded"
    reader.close()


def test_a_cell_that_does_not_start_is_an_outage_and_the_upload_comes_again(shop, monkeypatch):
    upload = shop.put("orders", "a.csv", good("a"))
    for program in ("/bin/false", "/no/such/program"):
        reader_of(shop).close()
        reader_of(shop)._is_closed = False
        monkeypatch.setattr("sys.executable", program)
        with pytest.raises(EngineUnavailableError):
            shop.ingest(upload)
    monkeypatch.undo()
    assert shop.ingest(upload).status == "loaded"


def test_a_file_that_is_being_read_while_the_process_ends_is_not_held(shop, long_file):
    upload = shop.put("orders", "long.csv", long_file)
    threading.Timer(1.0, reader_of(shop).close).start()
    with pytest.raises(EngineUnavailableError):
        shop.ingest(upload)


OWNER = """
import sys, threading, time
from pathlib import Path
from shared.reading.cells import CellReader
from shared.reading.base import ReceivedFile
from shared.steps.order import Order
from shared.steps.reading import Reading
from shared.values import InboxKey

reader = CellReader()
def tell():
    while not (reader._busy and all(warm.cell._is_ready for warm in reader._busy)):
        time.sleep(0.01)
    time.sleep(0.3)
    print(*(warm.cell._process.pid for warm in reader._busy), flush=True)
threading.Thread(target=tell, daemon=True).start()
path = Path(sys.argv[1])
reader(None, ReceivedFile(path, path.parent, InboxKey("shop", "orders", "a.csv"), Order(), Reading(), {}))
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_cell_outlives_its_owner_however_that_ends(tmp_path, number):
    path = tmp_path / "longer.ndjson"
    path.write_bytes(b'{"order_id":"o","ordered_at":"2024-01-01"}\n' * 3_000_000)
    command = [sys.executable, "-c", OWNER, str(path)]
    owner = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True, start_new_session=True
    )
    assert owner.stdout is not None
    cell = int(owner.stdout.readline())
    assert is_alive(cell)
    # As a terminal does: to all of the group.
    os.killpg(owner.pid, number)
    _, errors = owner.communicate(timeout=20)
    assert ends(cell)
    assert errors.count("Traceback") <= (number == signal.SIGINT)
