"""The program of a cell that reads uploaded files of one tenant, each with a DuckDB of its own that can open no other.

What it answers is a description; the rows are left as files in the folder it was told.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.cells.program import Bounds, Serve, run
from shared.cells.wire import packed

if TYPE_CHECKING:
    from pathlib import Path

    from shared.duck import Duck
    from shared.errors import AppError
    from shared.reading.base import ReadLimits, ReceivedFile

PROGRAM = __name__
OWN_MEMORY_MB = 350
"""What a process with DuckDB in it takes beside what DuckDB counts: Python's objects, a workbook among them."""
BROKEN, AGAIN = "broken", "again"
"""What is told instead of an error's code: the file broke what reads it, or it is not to blame for what went wrong."""
ROOM_BYTES = 64 * 2**20
_ELSEWHERE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE})
"""What no file is to blame for."""
_BREAKS = frozenset({"InternalException", "FatalException"})


def main() -> None:
    """Serve until there is nobody to serve."""
    run(_bounds, _start)


def _bounds(told: Mapping[str, Any]) -> Bounds:
    return Bounds(
        # DuckDB counts most of what it takes, not all: half as much again.
        memory_bytes=(told["memory_mb"] * 3 // 2 + OWN_MEMORY_MB) * 2**20,
        file_bytes=told["file_mb"] * 2**20,
    )


def _start(told: Mapping[str, Any]) -> Serve:
    from shared.reading.base import ReadLimits

    limits = ReadLimits(**told)
    # What the first file would wait for: a first instance links its functions, and contracts are read from files.
    _warm_up(limits)

    def serve(_: Mapping[str, Any], question: bytes) -> bytes:
        from shared.errors import AppError
        from shared.reading.told import received

        file, folder = received(question)
        try:
            return packed({}, _answer(file, folder, limits))
        except AppError as error:
            return packed(_told(error, folder))
        except MemoryError:
            return packed({"error": "out_of_memory", "message": "This needs more memory than reading a file has."})
        except OSError as error:
            return packed({"error": AGAIN if error.errno in _ELSEWHERE else BROKEN, "message": type(error).__name__})
        except BaseException as error:  # noqa: BLE001 - whatever it is, the cell is ended after it
            return packed({"error": BROKEN, "message": type(error).__name__})

    return serve


def _warm_up(limits: ReadLimits) -> None:
    from shared.datasets.registry import built_in
    from shared.reading import told  # noqa: F401 - imported before anybody waits for it
    from shared.sources.known import sources
    from shared.steps import recognise  # noqa: F401 - the same

    built_in()
    sources()
    _opened(limits).close()


def _opened(limits: ReadLimits) -> Duck:
    from pathlib import Path

    from shared.duck import open_duck

    return open_duck(
        memory_limit_mb=limits.memory_mb,
        threads=limits.threads,
        temp_directory=Path.cwd(),
        max_temp_gb=limits.temp_mb / 1024,
        extensions=(),
    )


def _answer(file: ReceivedFile, folder: Path, limits: ReadLimits) -> bytes:
    from shared.cells.lock import lock
    from shared.duck import literal
    from shared.reading.parcel import pack
    from shared.reading.told import answer
    from shared.steps.reading import FileContext
    from shared.steps.recognise import read_and_judge

    duck = _opened(limits)
    try:
        duck.execute(f"SET temp_directory = {literal(f'{folder}/spill')}")
        lock(
            duck,
            home=folder,
            files=[str(file.path)],
            folders=[f"{folder}/"],
            own_folders=[f"{folder}/spill/"],
            changeable=["TimeZone"],
        )
        read = read_and_judge(FileContext(duck, file.order, file.reading, folder), file.path, file.key, file.registered)
        for staged in read.staged:
            pack(duck, staged, folder)
        return answer(read)
    finally:
        # What it took is free for whoever works with the rows next.
        duck.close()


def _told(error: AppError, folder: Path) -> dict[str, Any]:
    """An error as it is told: the sender's as it is, one of the engine by whose fault it is."""
    from shared.duck import StatementError, UnreadableInputError
    from shared.errors import EngineUnavailableError, UnreadableFileError
    from shared.reading.told import short

    cause = type(error.__cause__).__name__
    if isinstance(error, UnreadableInputError):
        # The engine's own words hold the line and the path of the file.
        error = UnreadableFileError("The file could not be read to its end: a line or a value of it is damaged.")
    if isinstance(error, StatementError) or (isinstance(error, EngineUnavailableError) and cause in _BREAKS):
        return {"error": BROKEN, "message": cause}
    if isinstance(error, EngineUnavailableError):
        # All it reads and writes is here, so that the file is to blame unless the disk is.
        is_full = "No space left" in str(error.__cause__) or shutil.disk_usage(folder).free < ROOM_BYTES
        return {"error": BROKEN if cause == "IOException" and not is_full else AGAIN, "message": cause}
    details = {name: value for name, value in error.details.items() if isinstance(value, (str, int, float))}
    return {"error": error.code, "message": short(error.message), "details": details}
