"""What the steps that read a file share: how it is to be read, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.datasets.contract import Contract
from shared.duck import Duck
from shared.steps.judge import Staged
from shared.steps.order import Order


@dataclass(frozen=True)
class Read:
    """A file that was read and judged; ``staged[primary]`` has one row per row of the file.

    ``long_fractions`` is False when a sample of the file has no number of more than four decimals. ``rounding`` are
    notes on values that are rounded if the rows go into the lake.
    """

    staged: tuple[Staged, ...]
    primary: int
    source: str
    notes: tuple[str, ...]
    new_contracts: tuple[Contract, ...] = ()
    long_fractions: bool = True
    rounding: tuple[str, ...] = ()

    @property
    def version(self) -> int:
        """The contract version the file's own rows were judged by."""
        return self.staged[self.primary].contract.version


@dataclass(frozen=True)
class Reading:
    """What holds for a whole installation while files are read."""

    infer_datasets: bool = True
    timezone: str = "UTC"


@dataclass(frozen=True)
class FileContext:
    """Where a file is read and what was asked for it; ``folder`` is for files of this upload alone."""

    duck: Duck
    order: Order
    reading: Reading
    folder: Path
