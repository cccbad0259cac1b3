"""How questions grow with their lake: each standard question warm and in process, on a shop and on a larger one.

Every repetition asks with other parameters, so that no kept answer is measured; questions over all time, which have
none to change, ask for a page of another length.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.timing import median_of, share_of
from shared.answers.cache import AnswerCache
from shared.api.questions import QUESTIONS
from shared.asked import Asked
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.duck import Duck, open_duck
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.sample.make import make_sample
from shared.sample.shop import SampleOrder
from shared.storage.folder import FolderStore
from tests.shop import TENANT, shop_in

SEED = 7
FIRST, PAST = date(2022, 1, 1), date(2025, 1, 1)
PAGE = 100
"""Rows of a page of what has many."""
MAX_MILLISECONDS, LEAST_RUNS = 15_000, 4
"""What takes long is seen after a few runs."""


@dataclass(frozen=True)
class Case:
    """One standard question: its name, what is asked beside the range, and the range of the n-th repetition."""

    question: str
    asked: dict[str, Any]
    days: int | None = None

    @property
    def told(self) -> str:
        """The question as a row of the table names it."""
        given = [f"{key}={' '.join(value) if isinstance(value, list) else value}" for key, value in self.asked.items()]
        length = {None: "", 30: "a month", 90: "a quarter", 365: "a year"}[self.days]
        return f"`{self.question}` {' '.join((*given, *([length] if length else [])))}".strip()

    def parameters(self, n: int) -> dict[str, Any]:
        """The parameters of the n-th repetition."""
        if self.days is None:
            return self.asked
        first = PAST - timedelta(days=self.days + 7 + 3 * n)
        return {**self.asked, "from": str(first), "to": str(first + timedelta(days=self.days))}


def cases() -> Iterator[Case]:
    """Every standard question, as a shop with several currencies asks it."""
    euro, into = {"currency": "EUR"}, {"convert": "EUR"}
    for money in (euro, into):
        for days in (30, 90, 365, None):
            yield Case("sales/summary", money, days)
    yield Case("sales/summary", {**into, "compare": "previous_year"}, 90)
    yield Case("sales/summary", {**euro, "country": ["DE"]}, 90)
    yield Case("sales/summary", {**euro, "channel": ["web"]}, 90)
    yield Case("sales/summary", {**euro, "kind": "goods"}, 90)
    for grain, days in (("day", 30), ("day", 365), ("week", 365), ("month", 365), ("month", None), ("hour", 30)):
        yield Case("sales/by-period", {"grain": grain, **into}, days)
    yield Case("sales/by-period", {"grain": "month", **euro, "compare": "previous_year"}, 365)
    yield Case("sales/by-period", {"grain": "month", **euro, "country": ["DE"]}, 365)
    yield Case("sales/by-period", {"grain": "month", **into, "group_by": "channel"}, 365)
    for dimension in ("country", "channel", "category", "product", "customer"):
        for days in (30, 365):
            yield Case("sales/by", {"dimension": dimension, **into}, days)
    for days in (30, 365):
        yield Case("sales/heatmap", into, days)
        yield Case("sales/returns", {"dimension": "product", **into}, days)
    yield Case("sales/returns", {"grain": "month", **into}, 365)
    yield Case("sales/new-vs-returning", {"grain": "month", **into}, 365)
    yield Case("sales/new-vs-returning", {"grain": "month", **into}, None)
    for days in (30, 90, 365):
        yield Case("products/performance", into, days)
    yield Case("products/detail", {"product": ["P01000"], **into}, 90)
    for question in ("customers/top", "customers/rfm", "customers/segments"):
        yield Case(question, into, None)
        yield Case(question, euro, None)
        yield Case(question, into, 365)
    yield Case("customers/cohorts", {}, None)
    yield Case("customers/cohorts", {"metric": "ltv", **into}, None)
    yield Case("customers/repeat-rate", {}, None)
    yield Case("customers/repeat-rate", {}, 365)
    yield Case("customers/detail", {"customer": "C000000004", **into}, None)
    yield Case("events/sessions", {}, 30)
    yield Case("events/conversion", {"first": "view"}, 30)
    yield Case("events/funnel", {"step": ["view", "add_to_cart", "purchase"]}, 30)


@dataclass(frozen=True)
class Measured:
    """Milliseconds of one case."""

    p50: float
    p95: float
    processor: float
    """What all threads worked, which depends on other work of the machine much less."""


def main(options: Sequence[str] = ()) -> None:
    """Prints a table; ``--lines`` and ``--times`` say how large the two shops are."""
    parser = argparse.ArgumentParser(prog="growth")
    parser.add_argument("--lines", type=int, default=100_000, help="order lines of the smaller shop")
    parser.add_argument("--times", type=int, nargs="*", default=[10], help="how much larger the others are")
    parser.add_argument("--runs", type=int, default=30, help="repetitions")
    parser.add_argument("--lakes", type=Path, help="a folder that keeps the lakes for another run")
    parser.add_argument("--only", default="", help="only questions that contain this")
    chosen = parser.parse_args(options)
    sizes = [chosen.lines, *(chosen.lines * times for times in chosen.times)]
    with _folder(chosen.lakes) as folder:
        asking = [_asking(_lake(folder, lines)) for lines in sizes]
        print(f"| question | {' | '.join(f'{lines:,} lines: p50 | p95 | work' for lines in sizes)} | ratio |")
        print("| --- |" + " ---: |" * (3 * len(sizes) + 1))
        for case in cases():
            if chosen.only in case.told:
                print(_row(case, [_measured(ask, case, chosen.runs) for ask in asking]), flush=True)


def _row(case: Case, found: Sequence[Measured]) -> str:
    """A row of the table in Markdown: milliseconds on each lake, and how much more work the largest is."""
    cells = " | ".join(f"{one.p50:.1f} | {one.p95:.1f} | {one.processor:.1f}" for one in found)
    return f"| {case.told} | {cells} | {found[-1].processor / found[0].processor:.1f} |"


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _lake(folder: Path, lines: int) -> Path:
    """A lake with a shop of so many lines; made when it is not there."""
    place = folder / f"{lines}"
    if place.exists():
        return place
    shop = shop_in(place)
    with tempfile.TemporaryDirectory(dir=folder) as sample:
        made = Path(sample) / "sample"
        order = SampleOrder(lines, SEED, FIRST, PAST)
        for dataset in make_sample(order, made, lambda done, share: None, memory_limit_mb=1_024, threads=2):
            for file in sorted((made / dataset).iterdir()):
                outcome = shop.upload(dataset, file.name, file)
                if outcome.status != "loaded":
                    raise RuntimeError(f"{file.name}: {outcome.status} {outcome.reason}")
                file.unlink()
                shop.store.delete(f"inbox/{TENANT}/{dataset}/{file.name}")
    shop.reader.close()
    return place


def _asking(lake: Path) -> AskQuestion:
    """Asks one lake, as an installation does."""
    store = FolderStore(lake)

    def session() -> Duck:
        duck = open_duck(memory_limit_mb=1_024, threads=2)
        duck.grant(store.duck_access(), "lake_store")
        return duck

    reader = LakeReader(StoredCatalog(store, TENANT), session)
    return AskQuestion(lambda tenant: reader, Cursors(b"of the benchmark"), AnswerCache(0), QueryRules())


def _measured(ask: AskQuestion, case: Case, runs: int) -> Measured:
    """The first answer brings rollups into memory, and is not among those that are measured."""
    times: list[float] = []
    work: list[float] = []
    while len(times) <= runs and (sum(times) < MAX_MILLISECONDS or len(times) < LEAST_RUNS):
        n = len(times)
        question = QUESTIONS[case.question].model_validate(case.parameters(n))
        started, worked = time.perf_counter(), time.process_time()
        ask(Asked(question=question, tenant=TENANT, limit=PAGE + n))
        times.append(1000 * (time.perf_counter() - started))
        work.append(1000 * (time.process_time() - worked))
    return Measured(median_of(times[1:]), share_of(times[1:], 0.95), median_of(work[1:]))
