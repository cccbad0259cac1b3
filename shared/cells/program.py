"""The program of every cell: a process of one task at a time that can be killed at any moment, whatever it is doing.

It reads messages from where its standard input was and answers where its standard output was. It has no environment,
no more than the operating system was told to let it have, and ends by itself when nobody stops it: the alarm that ends
it needs no Python, and neither does who waits for the end of its owner.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from shared.cells.wire import BrokenWireError, packed, received

GRACE_SECONDS = 1.0
"""An answer may be so much too late, since what is asked ends itself when its time is over."""

Serve = Callable[[Mapping[str, Any], bytes], bytes]
"""From a message to the message that answers it."""


@dataclass(frozen=True)
class Bounds:
    """What the operating system lets a cell have: bytes of its own memory, and of its largest file."""

    memory_bytes: int
    file_bytes: int


def run(bounds_of: Callable[[Mapping[str, Any]], Bounds], start: Callable[[Mapping[str, Any]], Serve]) -> None:
    """Serve until there is nobody to serve. What the owner tells first gives the bounds, and then what serves.

    ``start`` imports what it needs itself: what is imported counts too.
    """
    wire_in, wire_out = _streams()
    told, _ = received(wire_in.read, 0)
    _bind(bounds_of(told))
    # Who kills the cell deletes its folder, and nothing of it may be elsewhere.
    tempfile.tempdir = str(Path.cwd())
    threading.Thread(target=_end_with_the_owner, args=(wire_in.fileno(),), daemon=True).start()
    serve = start(told)
    _send(wire_out, packed({"ready": True}))
    while True:
        try:
            head, body = received(wire_in.read)
        except BrokenWireError:
            return
        signal.setitimer(signal.ITIMER_REAL, head["seconds"] + GRACE_SECONDS)
        reply = serve(head["asked"], body)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(wire_out, reply)


def _streams() -> tuple[BinaryIO, BinaryIO]:
    """The two ends of the wire, moved away: what DuckDB prints must not be taken for an answer."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for own in (0, 1, 2):
        os.dup2(nowhere, own)
    return streams


def _bind(bounds: Bounds) -> None:
    for what, size in (
        (resource.RLIMIT_DATA, bounds.memory_bytes),
        (resource.RLIMIT_FSIZE, bounds.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (size, size))


def _end_with_the_owner(wire: int) -> None:
    """End at once when the other end of the wire is closed: an owner that was killed closes nothing else."""
    waiting = select.poll()
    waiting.register(wire, 0)
    waiting.poll()
    os.kill(os.getpid(), signal.SIGKILL)


def _send(wire: BinaryIO, message: bytes) -> None:
    wire.write(message)
    wire.flush()
