"""A cell as its owner sees it: a child process that answers one message at a time, or is killed."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import mkdtemp
from typing import IO, Any

from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.inside import GRACE_SECONDS, NICENESS
from shared.stranger_sql.wire import BrokenWireError, Message, packed, received

START_SECONDS = 20.0
OF_THE_SYSTEM = ("LD_LIBRARY_PATH",)
"""What a cell gets of our environment: where some platforms keep Python's own library. Nothing else."""


class CellEndedError(Exception):
    """The process ended, or said what it must not."""


class CellTooLateError(Exception):
    """The process did not answer in time, and was killed."""


class Cell:
    """One process with a folder of its own. Not for two threads at once. After an error it is of no use.

    Raises OSError when no process can be started.
    """

    def __init__(self, limits: SqlLimits) -> None:
        self.folder = Path(mkdtemp(prefix="teal-cell-"))
        self.limits = limits
        self._is_ready = False
        # The path of modules is ours, wherever this platform put them; the cell's own folder is not on it.
        modules = [os.path.abspath(place) for place in sys.path]
        # Nice from its first moment: starting takes a fifth of a second of work.
        program = (
            f"import os, sys; os.nice({NICENESS}); sys.path[:] = {modules!r}; "
            "from shared.stranger_sql.inside import main; main()"
        )
        self._process = subprocess.Popen(  # noqa: S603 - nothing in it comes from outside
            [sys.executable, "-s", "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in OF_THE_SYSTEM if name in os.environ},
            cwd=self.folder,
            start_new_session=True,
        )
        try:
            self._send(packed(asdict(limits)))
        except CellEndedError:
            pass  # who waits until it is ready is told

    def wait_until_ready(self) -> None:
        """Return once it could run something; it starts while nobody waits. Raises CellEndedError, CellTooLateError."""
        if not self._is_ready:
            self._received(time.monotonic() + START_SECONDS)
            self._is_ready = True

    def ask(self, head: Mapping[str, Any]) -> Message:
        """The answer to a message. Raises CellEndedError, CellTooLateError."""
        self.wait_until_ready()
        self._send(packed(head))
        return self._received(time.monotonic() + self.limits.seconds + GRACE_SECONDS)

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

    def _received(self, until: float) -> Message:
        descriptor = _opened(self._process.stdout).fileno()
        ready = select.poll()
        ready.register(descriptor, select.POLLIN)

        def read(size: int) -> bytes:
            found = bytearray()
            while len(found) < size:
                left = until - time.monotonic()
                if left <= 0 or not ready.poll(1000 * left):
                    raise CellTooLateError("it did not answer in time")
                part = os.read(descriptor, size - len(found))
                if not part:
                    break
                found += part
            return bytes(found)

        try:
            return received(read, self.limits.answer_bytes)
        except BrokenWireError as error:
            raise CellEndedError(str(error)) from error


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101 - both are pipes
    return stream
