"""The program of a cell: a process that runs a stranger's SQL for one tenant, and can be killed at any moment.

It reads messages from where its standard input was and answers where its standard output was. It has no environment,
no more memory than it may have, and ends by itself when nobody stops it: the alarm that ends it needs no Python.
"""

from __future__ import annotations

import os
import resource
import signal
import tempfile
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from shared.stranger_sql.wire import BrokenWireError, packed, received

if TYPE_CHECKING:
    from shared.stranger_sql.base import SqlLimits
    from shared.stranger_sql.locked import LockedDuck

MAX_SESSIONS = 2
"""Snapshots that are open at once, or the same one with other columns hidden."""
OWN_MEMORY_MB = 200
"""What a process with DuckDB in it takes beside what DuckDB counts."""
GRACE_SECONDS = 1.0
NICENESS = 15
"""Questions of ours go before SQL of others."""


def main() -> None:
    """Serve until there is nobody to serve."""
    wire_in, wire_out = _streams()
    told, _ = received(wire_in.read, 0)
    _bound(told["memory_mb"], told["temp_mb"], told["answer_bytes"])
    # Who kills the cell deletes its folder, and nothing of it may be elsewhere.
    tempfile.tempdir = str(Path.cwd())
    # Not before the bounds: what is imported counts too.
    from shared.stranger_sql.base import SqlLimits

    serve = _Server(SqlLimits(**told), Path.cwd())
    wire_out.write(packed({"ready": True}))
    wire_out.flush()
    while True:
        try:
            head, _ = received(wire_in.read, 0)
        except BrokenWireError:
            return
        signal.setitimer(signal.ITIMER_REAL, told["seconds"] + GRACE_SECONDS)
        reply = serve(head)
        signal.setitimer(signal.ITIMER_REAL, 0)
        wire_out.write(reply)
        wire_out.flush()


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of the wire, moved away: what DuckDB prints must not be taken for an answer."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for own in (0, 1, 2):
        os.dup2(nowhere, own)
    return streams


def _bound(memory_mb: int, temp_mb: int, answer_bytes: int) -> None:
    bytes_of = {
        resource.RLIMIT_DATA: (2 * memory_mb + OWN_MEMORY_MB) * 2**20,
        # Above what DuckDB may spill, so that DuckDB says it first: this would look like a broken disk.
        resource.RLIMIT_FSIZE: max(2 * temp_mb * 2**20, answer_bytes),
        resource.RLIMIT_CORE: 0,
    }
    for what, size in bytes_of.items():
        resource.setrlimit(what, (size, size))


class _Server:
    """Answers one message after the other."""

    def __init__(self, limits: SqlLimits, folder: Path) -> None:
        from shared.duck import open_duck

        self._limits = limits
        self._sessions: OrderedDict[str, LockedDuck] = OrderedDict()
        # Linking the extensions takes a tenth of a second, once in a process: before anybody waits for it.
        open_duck(memory_limit_mb=limits.memory_mb, threads=1, temp_directory=folder).close()

    def __call__(self, head: Mapping[str, Any]) -> bytes:
        from shared.errors import AppError
        from shared.stranger_sql.errors import told_error
        from shared.stranger_sql.page import Order, page_of

        try:
            page = page_of(self._session(head["lake"], head["hidden"]), Order(**head["order"]), self._limits)
        except AppError as error:
            return packed({"error": error.code, "message": error.message, "details": error.details})
        except BaseException as error:  # noqa: BLE001 - whatever it is, the cell is ended after it
            safe = told_error(type(error).__name__, "")
            return packed({"error": safe.code, "message": safe.message, "details": {}})
        told = {name: value for name, value in vars(page).items() if name != "body"}
        return packed(told, page.body)

    def _session(self, lake: Mapping[str, Any], hidden: Mapping[str, list[str]]) -> LockedDuck:
        from shared.stranger_sql.locked import OpenLake, open_locked
        from shared.values import DuckAccess

        key = repr((lake["catalog"], sorted(hidden.items())))
        if key not in self._sessions:
            while len(self._sessions) >= MAX_SESSIONS:
                self._sessions.popitem(last=False)[1].close()
            expires = lake["access"].pop("expires_at")
            access = DuckAccess(**lake["access"], expires_at=expires and datetime.fromisoformat(expires))
            opened = OpenLake(Path(lake["catalog"]), lake["data_uri"], access, lake["snapshot"])
            self._sessions[key] = open_locked(opened, hidden, self._limits)
        self._sessions.move_to_end(key)
        return self._sessions[key]
