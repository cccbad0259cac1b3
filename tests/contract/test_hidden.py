"""The process that owns cells is closed to them, whatever runs in one."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.cells import sql_cell

REPOSITORY = Path(__file__).parents[2]

LOOK = """
import ctypes, os
from shared.cells.hidden import hide

def seen():
    found, told = os.pipe()
    if not os.fork():
        for name in ("environ", "maps", "mem", "fd/0"):
            try:
                os.close(os.open(f"/proc/{os.getppid()}/{name}", os.O_RDONLY))
                os.write(told, f"{name} ".encode())
            except OSError:
                pass
        os._exit(0)
    os.wait()
    os.close(told)
    return os.read(found, 100).decode().split()

if not os.getuid():  # root reads everything; nobody else should
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
before = seen()
hide()
print(before, seen(), open("/proc/self/status").read(5), len(os.listdir("/proc/self/fd")) > 2)
"""


def test_a_child_of_the_same_user_reads_neither_environment_nor_memory():
    told = subprocess.run(
        [sys.executable, "-c", LOOK],
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    before, _, rest = told.stdout.partition("] ")
    assert {"environ", "maps"} <= set(before.strip("[").replace("'", "").split(", "))
    assert rest.strip() == "[] Name: True"


def test_whoever_has_started_a_cell_is_hidden():
    cell = sql_cell(SqlLimits(memory_mb=128))
    cell.close()
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
