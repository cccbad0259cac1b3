"""The cell: what it has of the house, how it ends, and that nobody else gets what one tenant used."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import EngineUnavailableError
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits, SqlRun, StrangerStatement
from shared.stranger_sql.cells import MAX_WAITING, sql_cell
from shared.stranger_sql.errors import CrashedSqlError, SqlBusyError, SqlTookTooLongError
from shared.stranger_sql.inside import NICENESS
from tests.shop import TENANT
from tests.stranger import StrangerLake, stranger_lake

LONG = "SELECT count(*) FROM range(10000000) a, range(10000000) b"
SMALL = SqlLimits(seconds=1.0, memory_mb=256, temp_mb=64)


@pytest.fixture
def lake(tmp_path) -> Iterator[StrangerLake]:
    lake = stranger_lake(FolderStore(tmp_path), SMALL)
    yield lake
    lake.runner.close()


def process_of(lake: StrangerLake) -> int:
    (taken,) = lake.runner._idle
    return taken.cell._process.pid


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_cell_has_nothing_of_our_environment_and_no_more_than_its_limits(lake, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    lake.rows("SELECT 1")
    of = Path(f"/proc/{process_of(lake)}")
    environment = (of / "environ").read_bytes().split(b"\0")
    assert {pair.partition(b"=")[0] for pair in environment if pair} <= {b"LD_LIBRARY_PATH"}
    assert b"secret" not in (of / "cmdline").read_bytes()
    told = {line[:26].strip(): line[26:].split()[:2] for line in (of / "limits").read_text().splitlines()}
    assert told["Max core file size"] == ["0", "0"]
    assert told["Max data size"] == [str(712 * 2**20)] * 2
    assert told["Max file size"] == [str(128 * 2**20)] * 2
    # the nineteenth field; the second may hold blanks
    assert int((of / "stat").read_text().rpartition(")")[2].split()[16]) >= 10
    assert (of / "cwd").resolve().name.startswith("teal-cell-")
    assert {os.readlink(f"/proc/{process_of(lake)}/fd/{own}") for own in (0, 1, 2)} == {"/dev/null"}


@pytest.mark.parametrize("spares_core", [True, False])
def test_a_cell_leaves_a_core_to_others_where_there_are_several(spares_core):
    cores = os.sched_getaffinity(0)
    cell = sql_cell(SqlLimits(memory_mb=128, spares_core=spares_core))
    try:
        cell.wait_until_ready()
        assert len(os.sched_getaffinity(cell.process)) == (max(1, len(cores) - 1) if spares_core else len(cores))
        assert os.getpriority(os.PRIO_PROCESS, cell.process) == NICENESS
    finally:
        cell.close()


def test_a_cell_is_kept_for_the_next_question_of_its_tenant_alone(lake):
    assert lake.rows("SELECT count(*) FROM orders") == [(200,)]
    first = process_of(lake)
    lake.rows("SELECT 2")
    assert process_of(lake) == first
    lake.runner.max_cells = 1
    with lake.shop.reader.pin() as pinned:
        # Said to be of another tenant, these files are outside of what is opened for that tenant.
        run = SqlRun("rival", pinned, StrangerStatement("SELECT count(*) FROM orders"), 10)
        with pytest.raises(EngineUnavailableError):
            lake.runner(run)
    assert not is_alive(first)


def test_a_cell_that_dies_is_an_error_and_the_next_question_has_another(lake):
    lake.rows("SELECT 1")
    died = process_of(lake)
    threading.Timer(0.4, os.kill, (died, signal.SIGKILL)).start()
    with pytest.raises(CrashedSqlError):
        lake.run(LONG)
    assert lake.rows("SELECT 1 AS x") == [(1,)]
    assert process_of(lake) != died


def test_a_cell_that_takes_no_interrupt_is_killed_in_time(lake):
    lake.rows("SELECT 1")
    stuck = process_of(lake)
    started = time.monotonic()
    # Stopped as a whole, it takes neither an interrupt nor its own alarm.
    threading.Timer(0.2, os.kill, (stuck, signal.SIGSTOP)).start()
    with pytest.raises(SqlTookTooLongError):
        lake.run(LONG)
    assert SMALL.seconds < time.monotonic() - started < SMALL.seconds + 1.5
    assert not is_alive(stuck)
    assert lake.rows("SELECT 1 AS x") == [(1,)]


def test_sql_waits_for_a_cell_and_is_refused_when_none_comes_free(tmp_path):
    lake = stranger_lake(FolderStore(tmp_path), SqlLimits(seconds=2.0, memory_mb=256, temp_mb=64))
    lake.runner.max_cells = 1
    lake.rows("SELECT 1")
    taken = threading.Barrier(2)

    def occupy() -> None:
        with lake.runner._lent(TENANT):
            taken.wait()
            released.wait()

    released = threading.Event()
    other = threading.Thread(target=occupy)
    other.start()
    taken.wait()
    try:
        with pytest.raises(SqlBusyError):
            lake.rows("SELECT 1")
        threading.Timer(0.3, released.set).start()
        assert lake.rows("SELECT 1 AS x") == [(1,)]
    finally:
        released.set()
        other.join()
        lake.runner.close()


def test_one_tenant_leaves_a_cell_to_the_others(lake):
    lake.runner.max_cells = 2
    with lake.runner._lent(TENANT), pytest.raises(SqlBusyError):
        lake.rows("SELECT 1")
    with lake.runner._lent("rival"):
        assert lake.rows("SELECT 1 AS x") == [(1,)]


def test_few_wait_and_the_others_are_told_at_once(lake):
    lake.runner.max_cells = 1
    told: list[float] = []

    def ask() -> None:
        started = time.monotonic()
        with pytest.raises(SqlBusyError):
            lake.rows("SELECT 1")
        told.append(time.monotonic() - started)

    refused: list[str] = []
    with lake.runner._lent(TENANT):
        asking = [threading.Thread(target=ask) for _ in range(12)]
        for one in asking:
            one.start()
        while len(told) < 12 - MAX_WAITING:
            time.sleep(0.01)
        for _ in range(12):
            with pytest.raises(SqlBusyError) as busy:
                lake.runner.require_room(TENANT)
            refused.append(busy.value.code)
        for one in asking:
            one.join()
    assert len(refused) == 12
    lake.runner.require_room(TENANT)
    assert sum(seconds >= SMALL.seconds for seconds in told) == MAX_WAITING
    assert sum(seconds < SMALL.seconds / 2 for seconds in told) == 12 - MAX_WAITING
    assert lake.rows("SELECT 1 AS x") == [(1,)]


def test_nothing_is_left_behind(lake):
    lake.rows("SELECT 1")
    (taken,) = lake.runner._idle
    folder, process = taken.cell.folder, process_of(lake)
    # What it spills is in its own folder, which goes with it, also when it is killed.
    assert list(folder.glob("teal-sql-*/spill"))
    threading.Timer(0.4, lake.runner.close).start()
    with pytest.raises(CrashedSqlError):
        lake.run(LONG)
    assert not folder.exists()
    assert not is_alive(process)
    assert (lake.runner._idle, lake.runner._busy) == ([], [])


def test_a_newer_snapshot_is_read_in_the_same_cell(lake):
    assert lake.rows("SELECT count(*) FROM products") == [(1,)]
    first = process_of(lake)
    for n in range(3):
        lake.shop.upload("products", f"{n}.csv", f"product_id,name\nq{n},Quill\n")
        assert lake.rows("SELECT count(*) FROM products") == [(n + 2,)]
    assert process_of(lake) == first
    (taken,) = lake.runner._idle
    assert len(list(taken.cell.folder.glob("catalog-*"))) <= 2


def test_a_cell_that_does_not_start_is_an_outage(lake, monkeypatch):
    for program in ("/bin/false", "/no/such/program"):
        monkeypatch.setattr("sys.executable", program)
        with pytest.raises(EngineUnavailableError):
            lake.rows("SELECT 1")
    monkeypatch.undo()
    assert lake.rows("SELECT 1 AS x") == [(1,)]
