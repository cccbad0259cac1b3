"""What reads an uploaded file promises: its rows judged and staged in the caller's session, or the reason why not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared.duck import Duck
from shared.steps.ledger import Contracts
from shared.steps.order import Order
from shared.steps.reading import Read, Reading
from shared.values import InboxKey


@dataclass(frozen=True)
class ReadLimits:
    """What reading one file may take. ``file_mb`` bounds every file that is written for it, in megabytes.

    A file has ``seconds``, and ``seconds_per_mb`` more for each of its megabytes: a compressed one is many times larger
    than it looks, and ten gigabytes of it are honest too.
    """

    memory_mb: int = 1_024
    threads: int = 2
    temp_mb: int = 4_096
    file_mb: int = 20_480
    seconds: float = 120.0
    seconds_per_mb: float = 4.0

    def seconds_for(self, size_bytes: int) -> float:
        """How long a file of that size may be read."""
        return self.seconds + self.seconds_per_mb * size_bytes / 2**20


@dataclass(frozen=True)
class ReceivedFile:
    """A file on local disk and what is known about it; ``folder`` is for files of this upload alone, and stays.

    ``registered`` are the contracts of its tenant.
    """

    path: Path
    folder: Path
    key: InboxKey
    order: Order
    reading: Reading
    registered: Contracts


class ReadFile(Protocol):
    """Reads files that strangers made."""

    def expect(self, tenant: str) -> None:
        """A file of this tenant comes soon; what takes time to start may start now."""

    def __call__(self, duck: Duck, file: ReceivedFile) -> Read:
        """The rows, staged in temporary views of ``duck`` over files in the folder.

        Raises UnreadableFileError, also when the file broke what read it, EmptyFileError, UploadTooLargeError,
        UnknownColumnsError, AmbiguousDatesError, ContractError, OutOfMemoryError; EngineUnavailableError when nothing
        is known about the file.
        """
