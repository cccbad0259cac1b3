"""One life of a writer in the crash test: it brings in what it is told of until all is done, or dies by ``kill -9``.

It is forked from a server that has imported everything (and opened no DuckDB), so that a life begins in milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.duck import Duck, open_duck
from shared.errors import AppError
from shared.ingest import IngestRules, IngestUpload
from shared.reading.base import ReceivedFile
from shared.sessions import Sessions
from shared.steps.reading import FileContext, Read
from shared.steps.recognise import read_and_judge
from shared.storage.base import ObjectStore
from shared.values import UploadedObject
from tests.crash_plan import Death
from tests.servers import open_store


class Fate:
    """Counts the steps of this life and ends it where the plan says; the last line of ``log`` tells where that was."""

    def __init__(self, death: Death, log: Path) -> None:
        self._death = death
        self._log = log
        self._steps = self._swaps = 0

    def step(self, name: str) -> None:
        """Before anything that could be the last thing."""
        self._steps += 1
        if self._steps == self._death.step:
            self._die(name)

    def swap_begins(self) -> None:
        """Before a catalog is swapped."""
        self._swaps += 1
        if self._swaps != self._death.swap or self._death.delay < 0:
            return
        if not self._death.delay:
            self._die("before the swap")
        threading.Timer(self._death.delay, self._die, ["around the swap"]).start()

    def swap_ended(self) -> None:
        """After a catalog was swapped."""
        if self._swaps == self._death.swap and self._death.delay < 0:
            self._die("after the swap")

    def _die(self, name: str) -> None:
        with self._log.open("a") as file:
            file.write(name + "\n")
        os.kill(os.getpid(), signal.SIGKILL)


class MortalDuck(Duck):
    """A session in which every statement may be the last."""

    def __init__(self, duck: Duck, fate: Fate) -> None:
        super().__init__(duck.connection)
        self._fate = fate

    def execute(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """See Duck.execute."""
        self._fate.step("a statement")
        return super().execute(sql, parameters)


class MortalStore:
    """A store in which every request may be the last, before it is sent or after it was answered."""

    def __init__(self, store: ObjectStore, fate: Fate) -> None:
        self._store = store
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def asked(*values: Any, **named: Any) -> Any:
            self._fate.step(f"before {name}")
            answer = found(*values, **named)
            self._fate.step(f"after {name}")
            return answer

        return asked

    def put_if_match(self, *values: Any, **named: Any) -> Any:
        """See ObjectStore.put_if_match."""
        self._fate.step("before put_if_match")
        self._fate.swap_begins()
        answer = self._store.put_if_match(*values, **named)
        self._fate.swap_ended()
        self._fate.step("after put_if_match")
        return answer


class ReadHere:
    """Reads in the session itself, which may die at every statement of it; lives are too short to start a cell in."""

    def expect(self, tenant: str) -> None:
        """Nothing has to start."""

    def __call__(self, duck: Duck, file: ReceivedFile) -> Read:
        """See ReadFile."""
        context = FileContext(duck, file.order, file.reading, file.folder)
        return read_and_judge(context, file.path, file.key, file.registered)


def live(spec: dict[str, str], uploads: Sequence[UploadedObject], folder: Path, death: Death) -> None:
    """Bring in every upload; what failed for now comes again at the end, as a queue would deliver it.

    ``folder`` is the writer's own: ``done`` lists what it finished, ``deaths`` where it died, ``error`` why it gave up.
    """
    tempfile.tempdir = str(folder)
    # As in a deployed function, where it is not: DuckDB would import it in every life, slower than an upload.
    sys.modules["pandas"] = None  # type: ignore[assignment]  # how an import is made to fail
    try:
        ingest = _ingest(open_store(spec), Fate(death, folder / "deaths"), spec["kind"] == "folder")
        waiting = list(uploads)
        while waiting:
            upload = waiting.pop(0)
            try:
                ingest(upload)
            except AppError as error:
                if not error.again:
                    raise
                waiting.append(upload)
                continue
            with (folder / "done").open("a") as file:
                file.write(upload.key + "\n")
    except BaseException:
        (folder / "error").write_text(traceback.format_exc())
        raise


def _ingest(store: ObjectStore, fate: Fate, local: bool) -> IngestUpload:
    mortal: Any = MortalStore(store, fate)

    def session() -> Duck:
        extensions = ("ducklake",) if local else ("httpfs", "ducklake")
        duck = MortalDuck(open_duck(memory_limit_mb=512, threads=1, extensions=extensions), fate)
        duck.grant(mortal.duck_access(), "lake_store")
        return duck

    return IngestUpload(
        inbox=mortal,
        lake=mortal,
        writer_of=lambda tenant: LakeWriter(StoredCatalog(mortal, tenant), session),
        session=Sessions(session, lambda duck: None),
        read=ReadHere(),
        rules=IngestRules(),
        tell=lambda outcome: None,
    )
