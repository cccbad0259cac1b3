"""The program of a cell that runs a stranger's SQL for one tenant: opens snapshots locked and answers with pages."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.cells.program import Bounds, run
from shared.cells.wire import packed

if TYPE_CHECKING:
    from shared.stranger_sql.base import SqlLimits
    from shared.stranger_sql.locked import LockedDuck

PROGRAM = __name__
MAX_SESSIONS = 2
"""Snapshots that are open at once, or the same one with something else hidden."""
OWN_MEMORY_MB = 200
"""What a process with DuckDB in it takes beside what DuckDB counts."""
NICENESS = 15
"""Questions of ours go before SQL of others."""


def main() -> None:
    """Serve until there is nobody to serve."""
    run(_bounds, _start)


def _bounds(told: Mapping[str, Any]) -> Bounds:
    return Bounds(
        memory_bytes=(2 * told["memory_mb"] + OWN_MEMORY_MB) * 2**20,
        # Above what DuckDB may spill, so that DuckDB says it first: this would look like a broken disk.
        file_bytes=max(2 * told["temp_mb"] * 2**20, told["answer_bytes"]),
    )


def _start(told: Mapping[str, Any]) -> _Server:
    from shared.stranger_sql.base import SqlLimits

    return _Server(SqlLimits(**told), Path.cwd())


class _Server:
    """Answers one message after the other."""

    def __init__(self, limits: SqlLimits, folder: Path) -> None:
        from shared.duck import open_duck

        self._limits = limits
        self._sessions: OrderedDict[str, LockedDuck] = OrderedDict()
        # Linking the extensions takes a tenth of a second, once in a process: before anybody waits for it.
        open_duck(memory_limit_mb=limits.memory_mb, threads=1, temp_directory=folder).close()

    def __call__(self, head: Mapping[str, Any], _: bytes) -> bytes:
        from shared.errors import AppError
        from shared.stranger_sql.errors import told_error
        from shared.stranger_sql.page import Order, page_of

        try:
            page = page_of(self._session(head["lake"], head["shown"]), Order(**head["order"]), self._limits)
        except AppError as error:
            return packed({"error": error.code, "message": error.message, "details": error.details})
        except BaseException as error:  # noqa: BLE001 - whatever it is, the cell is ended after it
            safe = told_error(type(error).__name__, "")
            return packed({"error": safe.code, "message": safe.message, "details": {}})
        told = {name: value for name, value in vars(page).items() if name != "body"}
        return packed(told, page.body)

    def _session(self, lake: Mapping[str, Any], told: Mapping[str, Any]) -> LockedDuck:
        from shared.catalog.views import Shown
        from shared.datasets.rules import DataRules
        from shared.stranger_sql.locked import OpenLake, open_locked
        from shared.values import DuckAccess

        key = json.dumps([lake["catalog"], told], sort_keys=True)
        if key not in self._sessions:
            while len(self._sessions) >= MAX_SESSIONS:
                self._sessions.popitem(last=False)[1].close()
            expires = lake["access"].pop("expires_at")
            access = DuckAccess(**lake["access"], expires_at=expires and datetime.fromisoformat(expires))
            opened = OpenLake(Path(lake["catalog"]), lake["data_uri"], access, lake["snapshot"])
            shown = Shown(DataRules.from_document(told["rules"]), told["references"], told["hidden"])
            self._sessions[key] = open_locked(opened, shown, self._limits)
        self._sessions.move_to_end(key)
        return self._sessions[key]
