"""A cell as its owner sees it: a child process that answers one message at a time, or is killed."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any

from shared.cells.hidden import hide
from shared.cells.program import GRACE_SECONDS
from shared.cells.wire import BrokenWireError, Message, packed, received

START_SECONDS = 20.0
LOOK_SECONDS = 0.25
"""How often is looked whether somebody still waits."""
OF_THE_SYSTEM = ("LD_LIBRARY_PATH",)
"""What a cell gets of our environment: where some platforms keep Python's own library. Nothing else."""


class CellEndedError(Exception):
    """The process ended, or said what it must not."""


class CellTooLateError(Exception):
    """The process did not answer in time, and was killed."""


class CellUnawaitedError(Exception):
    """Nobody waits for the answer any more."""


class Cell:
    """One process with a folder of its own. Not for two threads at once. After an error it is of no use.

    ``program`` is a module whose ``main`` it runs, ``told`` the first message to it, ``answer_bytes`` the longest body
    that it may answer; ``niceness`` is how much others go before it, ``cores`` those it may run on, if not all. Raises
    OSError when no process can be started.
    """

    def __init__(
        self,
        program: str,
        told: Mapping[str, Any],
        *,
        answer_bytes: int,
        niceness: int = 0,
        cores: Collection[int] = (),
    ) -> None:
        hide()
        self.folder = Path(mkdtemp(prefix="teal-cell-"))
        self._answer_bytes = answer_bytes
        self._is_ready = False
        # The path of modules is ours, wherever this platform put them; the cell's own folder is not on it.
        modules = [os.path.abspath(place) for place in sys.path]
        # Nice from its first moment: starting takes a fifth of a second of work.
        gently = f"os.nice({niceness})"
        if cores:
            gently += f"; os.sched_setaffinity(0, {list(cores)})"
        script = f"import os, sys; {gently}; sys.path[:] = {modules!r}; from {program} import main; main()"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
                [sys.executable, "-s", "-P", "-c", script],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in OF_THE_SYSTEM if name in os.environ},
                cwd=self.folder,
                start_new_session=True,
            )
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        try:
            self._send(packed(told))
        except CellEndedError:
            pass  # who waits until it is ready is told

    @property
    def process(self) -> int:
        """Its number."""
        return self._process.pid

    def wait_until_ready(self) -> None:
        """Return once it could run something; it starts while nobody waits. Raises CellEndedError, CellTooLateError."""
        if not self._is_ready:
            self._received(time.monotonic() + START_SECONDS)
            self._is_ready = True

    def ask(
        self,
        asked: Mapping[str, Any],
        body: bytes = b"",
        *,
        seconds: float,
        is_awaited: Callable[[], bool] = lambda: True,
    ) -> Message:
        """The answer to a message, which may take so long and ``is_awaited`` meanwhile.

        Raises CellEndedError, CellTooLateError, CellUnawaitedError.
        """
        self.wait_until_ready()
        self._send(packed({"asked": asked, "seconds": seconds}, body))
        return self._received(time.monotonic() + seconds + GRACE_SECONDS, is_awaited)

    def kill(self) -> None:
        """Kill it; whoever waits for its answer is told that it ended."""
        # One that ended and was waited for has no number any more: it may be another's.
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it and delete its folder. Nobody may wait for its answer."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _send(self, message: bytes) -> None:
        try:
            stream = _opened(self._process.stdin)
            stream.write(message)
            stream.flush()
        except (BrokenPipeError, ValueError) as error:
            raise CellEndedError("it takes no message") from error

    def _received(self, until: float, is_awaited: Callable[[], bool] = lambda: True) -> Message:
        descriptor = _opened(self._process.stdout).fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)

        def read(size: int) -> bytes:
            found = bytearray()
            while len(found) < size:
                left = until - time.monotonic()
                if left <= 0:
                    raise CellTooLateError("it did not answer in time")
                if not ready.poll(1000 * min(left, LOOK_SECONDS)):
                    if not is_awaited():
                        raise CellUnawaitedError("nobody waits for the answer")
                    continue
                part = os.read(descriptor, size - len(found))
                if not part:
                    break
                found += part
            return bytes(found)

        try:
            return received(read, self._answer_bytes)
        except BrokenWireError as error:
            raise CellEndedError(str(error)) from error


def all_but_one_core() -> list[int]:
    """Of those this process may run on; none where there is one, or no choice."""
    return sorted(os.sched_getaffinity(0))[1:] if hasattr(os, "sched_getaffinity") else []


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - both are pipes
    return stream
