"""What others feel of a tenant's hostile SQL: their `sales/summary` alone, and beside fifty hostile queries."""

from __future__ import annotations

import itertools
import tempfile
import threading
import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks.timing import median_of, share_of
from shared.answers.cache import AnswerCache
from shared.api.questions import QUESTIONS
from shared.asked import Asked
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.errors import AppError
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits, SqlRun, StrangerStatement
from shared.stranger_sql.cells import CellRunner
from tests.shop import TENANT, shop_on
from tests.stranger import cases

HOSTILE, RUNS = 50, 300
ORDERS = 20_000
RIVAL = "rival"


def main() -> None:
    """Milliseconds of both, and their ratio; the budget is 2."""
    with tempfile.TemporaryDirectory() as name:
        store = FolderStore(Path(name))
        shop = shop_on(store)
        first = date(2024, 1, 1)
        shop.upload(
            "orders",
            "o.csv",
            "order_id,ordered_at,customer_id,total\n"
            + "".join(f"{n},{first + timedelta(days=n % 366)},c{n % 999},{n % 70}\n" for n in range(ORDERS)),
        )
        ask = AskQuestion(lambda tenant: shop.reader, Cursors(b"benchmark"), AnswerCache(0), QueryRules())
        alone = _summaries(ask, first)
        rival = LakeReader(StoredCatalog(store, RIVAL), shop.reader._open_duck)
        runner = CellRunner(store, SqlLimits(seconds=2))
        ended = threading.Event()
        attacks = itertools.cycle([sql for _, sql in cases("stopped")])
        asking = [threading.Thread(target=_attack, args=(runner, rival, attacks, ended)) for _ in range(HOSTILE)]
        for one in asking:
            one.start()
        time.sleep(1)
        beside = _summaries(ask, first)
        ended.set()
        for one in asking:
            one.join()
        runner.close()
        rival.close()
    for what, times in (("alone", alone), (f"beside {HOSTILE} hostile queries of another", beside)):
        print(f"sales/summary {what}: p50 {1000 * median_of(times):.1f} ms, p95 {1000 * share_of(times, 0.95):.1f} ms")
    print(f"p95 is {share_of(beside, 0.95) / share_of(alone, 0.95):.1f} times as long")


def _summaries(ask: AskQuestion, first: date) -> list[float]:
    """Seconds of one after the other, each of another range; the first is not counted."""
    times = []
    for n in range(RUNS + 1):
        asked = {"from": str(first + timedelta(days=n % 180)), "to": str(first + timedelta(days=200 + n % 150))}
        question = QUESTIONS["sales/summary"].model_validate(asked)
        started = time.perf_counter()
        ask(Asked(question=question, tenant=TENANT, limit=10 + n))
        times.append(time.perf_counter() - started)
    return times[1:]


def _attack(runner: CellRunner, reader: LakeReader, attacks: itertools.cycle[str], ended: threading.Event) -> None:
    while not ended.is_set():
        try:
            runner.require_room(RIVAL)
            with reader.pin() as lake:
                runner(SqlRun(RIVAL, lake, StrangerStatement(next(attacks)), 100))
        except AppError:
            # As a client does that is told to ask again in a moment.
            ended.wait(0.2)
