"""What one crash run does, decided by its seed alone: the files, who is told of them how often, and who dies where.

What the lake must hold afterwards is computed here from the plan, without the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.shop import TENANT

PROCESSES = 8
STEPS_OF_AN_UPLOAD = 90
"""About so many statements and requests bring in one upload that loses no race."""
FILE_ROWS = 250
"""More rows than go into the lake inline: they are written as a Parquet file before the transaction."""
HEADERS = {"orders": "order_id,ordered_at,total,updated_at", "customers": "customer_id,created_at,city,updated_at"}
FIRST_DAY = datetime(2024, 1, 1)


@dataclass(frozen=True)
class Row:
    """One version of a row: the newest version of a key is what the lake must hold."""

    key: str
    value: int
    version: int

    @property
    def line(self) -> str:
        """The row as CSV."""
        made = FIRST_DAY + timedelta(days=self.value % 28)
        return (
            f"{self.key},{made:%Y-%m-%d},{self.value},{FIRST_DAY + timedelta(minutes=self.version):%Y-%m-%dT%H:%M:%S}"
        )


@dataclass(frozen=True)
class File:
    """One upload: its good rows, and how many bad ones follow them."""

    key: str
    dataset: str
    rows: tuple[Row, ...]
    bad: int

    @property
    def body(self) -> bytes:
        """The file; a bad row has no date."""
        broken = [f"bad-{number},never,1,2024-01-01" for number in range(self.bad)]
        return "\n".join([HEADERS[self.dataset], *(row.line for row in self.rows), *broken, ""]).encode()


@dataclass(frozen=True)
class Death:
    """A process kills itself before its ``step``-th step, or ``delay`` seconds into its ``swap``-th catalog swap.

    A step is a statement to DuckDB, the beginning of a request to the store, or the end of one; a ``delay`` of -1 is
    the moment after the swap's answer, when only the lake knows that it went well.
    """

    step: int = 0
    swap: int = 0
    delay: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Files, the deliveries of each process (places in ``files``), and the deaths of its first lives."""

    files: tuple[File, ...]
    deliveries: tuple[tuple[int, ...], ...]
    deaths: tuple[tuple[Death, ...], ...]

    def newest(self, dataset: str) -> dict[str, int]:
        """Key to value of a dataset when every file is in."""
        versions = sorted({row for file in self.of(dataset) for row in file.rows}, key=lambda row: row.version)
        return {row.key: row.value for row in versions}

    def versions(self, dataset: str) -> int:
        """How many different versions of rows the files hold: more can never be accepted."""
        return len({row for file in self.of(dataset) for row in file.rows})

    def of(self, dataset: str) -> list[File]:
        """The files of a dataset."""
        return [file for file in self.files if file.dataset == dataset]


def plan_of(seed: int, uploads: int) -> Plan:
    """The plan of a seed."""
    dice = random.Random(seed)
    files: list[File] = []
    for number in range(uploads):
        files.append(_file(dice, number, files))
    deliveries: list[tuple[int, ...]] = []
    deaths = []
    for place in range(PROCESSES):
        # Everybody has files of his own, and hears of some that others have too.
        told = list(range(place, uploads, PROCESSES)) + dice.sample(range(uploads), uploads // 40)
        dice.shuffle(told)
        # Two neighbours begin with the same file, so that both find it new and only one may commit it.
        deliveries.append((deliveries[-1][0], *told) if place % 2 else tuple(told))
        lives = dice.choice((0, 1, 1, 2)) if uploads < 100 else dice.choice((1, 2, 3))
        deaths.append(tuple(_death(dice, min(len(told), 4)) for _ in range(lives)))
    return Plan(tuple(files), tuple(deliveries), tuple(deaths))


def _file(dice: random.Random, number: int, former: Sequence[File]) -> File:
    dataset = dice.choice(tuple(HEADERS))
    key = f"inbox/{TENANT}/{dataset}/{number}.csv"
    before = [file for file in former if file.dataset == dataset]
    kind = dice.choices(("new", "same", "corrected", "bad", "large"), (60, 12, 12, 10, 6))[0]
    if kind == "same" and before:
        same = dice.choice(before)
        return File(key, dataset, same.rows, same.bad)
    count = FILE_ROWS if kind == "large" else 20 if kind == "bad" else dice.randint(1, 4)
    rows = [Row(f"{number}-{line}", dice.randint(1, 9_999), number) for line in range(count)]
    if kind == "corrected" and before:
        # Older versions may come in later; they must change nothing then.
        wrong = dice.sample(dice.choice(before).rows, 1)[0]
        rows.append(Row(wrong.key, dice.randint(1, 9_999), number))
    return File(key, dataset, tuple(rows), bad=1 if kind == "bad" else 0)


def _death(dice: random.Random, deliveries: int) -> Death:
    if dice.random() < 0.5:
        return Death(step=dice.randint(1, STEPS_OF_AN_UPLOAD * deliveries))
    # The swap is where it matters: half of the deaths are there, before it, in it and after it.
    return Death(swap=dice.randint(1, deliveries), delay=dice.choice((0.0, dice.uniform(0.0, 0.02), -1.0)))
