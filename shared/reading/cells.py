"""Reads uploads in cells: child processes, each of one tenant, so that a file that breaks its reader breaks no more.

The rule: a cell that broke, was too late or ran out of memory is not used again, and neither is one of another tenant.
"""

from __future__ import annotations

import atexit
import logging
import threading
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp
from time import monotonic
from typing import Any

from shared.cells.process import Cell, CellEndedError, CellTooLateError
from shared.duck import Duck, OutOfMemoryError
from shared.errors import (
    AmbiguousDatesError,
    AppError,
    ContractError,
    EmptyFileError,
    EngineUnavailableError,
    InputError,
    UnknownColumnsError,
    UnreadableFileError,
    UploadTooLargeError,
)
from shared.reading.base import ReadLimits, ReceivedFile
from shared.reading.inside import AGAIN, PROGRAM
from shared.reading.parcel import WrongParcelError, show
from shared.reading.told import WrongAnswerError, asked, short, understood
from shared.steps.reading import Read

log = logging.getLogger("teal.ingest")

ANSWER_BYTES = 64 * 2**20
LARGE_BYTES = 64 * 2**20
"""After a file of this size a cell is ended: the memory it took is needed by what comes after the reading."""
MAX_CELLS = 4
"""Files that are read at once."""
_KINDS: dict[str, type[AppError]] = {
    kind.code: kind
    for kind in (
        AmbiguousDatesError, ContractError, EmptyFileError, InputError, OutOfMemoryError, UnknownColumnsError,
        UnreadableFileError, UploadTooLargeError,
    )
}  # fmt: skip
"""What a cell may say of a file."""
_KEEPS_CELL = frozenset({None, *_KINDS.keys() - {OutOfMemoryError.code}})
"""Answers after which a cell is as good as before; None is that of a file that was read."""
_NOT_STARTED = "The process that reads files could not be started; asking again may help."


_BROKE = "The file broke what reads it, so nothing of it was taken in. It may be damaged, or made to do harm."


class _BrokeError(Exception):
    """The cell broke on a file, or may have."""


@dataclass(eq=False)
class _Warm:
    """A cell and how many files it was given; one that had none yet may be any tenant's."""

    cell: Cell
    tenant: str
    files: int = 0


@dataclass
class CellReader:
    """The ``ReadFile`` of an installation; it keeps one cell warm. Any thread may use it."""

    limits: ReadLimits = field(default_factory=ReadLimits)

    def __post_init__(self) -> None:
        self._idle: _Warm | None = None
        self._busy: set[_Warm] = set()
        self._is_closed = False
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(MAX_CELLS)
        atexit.register(self.close)

    @property
    def process(self) -> int | None:
        """The number of the process that is kept warm; None while there is none."""
        warm = self._idle
        return warm.cell.process if warm else None

    def expect(self, tenant: str) -> None:
        """See ReadFile."""
        try:
            self._put_back(self._taken(tenant))
        except EngineUnavailableError:
            log.warning("no process that reads files could be started")

    def __call__(self, duck: Duck, file: ReceivedFile) -> Read:
        """See ReadFile."""
        with self._places:
            warm = self._taken(file.key.tenant)
            try:
                return self._read(duck, file, warm)
            except _BrokeError:
                if warm.files == 1:
                    raise UnreadableFileError(_BROKE) from None
            # A file before this one may have damaged the cell: a new one decides.
            try:
                return self._read(duck, file, self._new(file.key.tenant))
            except _BrokeError:
                raise UnreadableFileError(_BROKE) from None

    def close(self) -> None:
        """End all cells. A file that is still being read was not read, whatever it is."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, None
            for warm in self._busy:
                warm.cell.kill()
        if idle is not None:
            idle.cell.close()

    def _taken(self, tenant: str) -> _Warm:
        """The warm cell if it may read this tenant's files, else a new one. Raises EngineUnavailableError."""
        with self._lock:
            warm, self._idle = self._idle, None
        if warm is not None and warm.files and warm.tenant != tenant:
            warm.cell.close()
            warm = None
        if warm is None:
            return self._new(tenant)
        warm.tenant = tenant
        return warm

    def _new(self, tenant: str) -> _Warm:
        try:
            return _Warm(Cell(PROGRAM, asdict(self.limits), answer_bytes=ANSWER_BYTES), tenant)
        except OSError as error:
            raise EngineUnavailableError(_NOT_STARTED) from error

    def _put_back(self, warm: _Warm) -> None:
        with self._lock:
            if self._idle is None and not self._is_closed:
                self._idle = warm
                return
        warm.cell.close()

    def _read(self, duck: Duck, file: ReceivedFile, warm: _Warm) -> Read:
        """Raises _BrokeError, and what a ReadFile raises."""
        folder = Path(mkdtemp(prefix="read-", dir=file.folder))
        keeps = False
        with self._lock:
            self._busy.add(warm)
        try:
            warm.files += 1
            told, body = self._answer(warm.cell, file, folder)
            keeps = file.path.stat().st_size < LARGE_BYTES and told.get("error") in _KEEPS_CELL
            if "error" in told:
                raise _error_of(told)
            read = understood(body, file)
            return replace(read, staged=tuple(show(duck, one, folder) for one in read.staged))
        except (WrongAnswerError, WrongParcelError) as error:
            keeps = False
            log.error("a cell gave a wrong answer", extra={"error": str(error)})
            raise _BrokeError from error
        finally:
            with self._lock:
                self._busy.discard(warm)
            if keeps:
                self._put_back(warm)
            else:
                warm.cell.close()

    def _answer(self, cell: Cell, file: ReceivedFile, folder: Path) -> tuple[dict[str, Any], bytes]:
        try:
            cell.wait_until_ready()
        except (CellEndedError, CellTooLateError) as error:
            raise EngineUnavailableError(_NOT_STARTED) from error
        seconds = self.limits.seconds_for(file.path.stat().st_size)
        until = monotonic() + seconds
        try:
            return cell.ask({}, asked(file, folder), seconds=seconds)
        except (CellEndedError, CellTooLateError) as error:
            if self._is_closed:
                raise EngineUnavailableError("This process ends; the file was not read to its end.") from error
            if monotonic() >= until:
                raise UnreadableFileError(f"The file cannot be read in {seconds:,.0f} seconds.") from error
            log.warning("a file broke its cell", extra={"error": str(error)})
            raise _BrokeError from error


def _error_of(told: dict[str, Any]) -> Exception:
    """What a cell says went wrong, as its owner raises it."""
    code = told["error"]
    if code == AGAIN:
        return EngineUnavailableError("The engine could not read or write; asking again may help.")
    if code not in _KINDS:
        kind = str(told.get("message"))
        log.warning("a file broke its reader", extra={"error": kind[:80] if kind.isidentifier() else "unknown"})
        return _BrokeError()
    line = told.get("details", {}).get("line")
    return _KINDS[code](short(str(told.get("message"))), **({"line": line} if isinstance(line, int) else {}))
