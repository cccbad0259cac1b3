"""Jobs behind an API of the tests: a queue whose messages can be held back, and workers with limits of their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from shared.ask_sql import AskSql
from shared.asked_documents import AskedDocuments
from shared.job_records import JobRecords
from shared.jobs import JobRules, Jobs
from shared.paging import Cursors
from shared.published import PublishedQuestions
from shared.query import AskQuestion
from shared.queues.threads import WorkerThreads
from shared.run_job import RunJob, RunRules
from shared.stoppable import StoppableAsk
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlRunner
from shared.stranger_sql.cells import CellRunner
from shared.tenants import Tenants

LOOK_SECONDS = 0.1


@dataclass
class Clock:
    """The time as jobs see it: this machine's, set forward."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class HeldQueue:
    """Hands messages on to threads, or keeps them while it is held."""

    threads: WorkerThreads
    is_held: bool = False
    sent: list[tuple[str, str]] = field(default_factory=list)

    def send(self, tenant: str, job_id: str) -> None:
        """See Queue."""
        self.sent.append((tenant, job_id))
        if not self.is_held:
            self.threads.send(tenant, job_id)

    def release(self) -> None:
        """Deliver everything that was sent so far, once more what was delivered already."""
        self.is_held = False
        for message in self.sent:
            self.threads.send(*message)


@dataclass
class JobParts:
    """What the composition root makes of jobs."""

    store: ObjectStore
    jobs: Jobs
    queue: HeldQueue
    clock: Clock
    ask: AskQuestion
    documents: AskedDocuments
    runners: list[CellRunner] = field(default_factory=list)

    def worker(self, limits: SqlLimits, run_stranger: SqlRunner | None = None) -> RunJob:
        """A new worker; ``run_stranger`` in place of a cell of its own."""
        runner = CellRunner(self.store, limits, max_cells=1)
        self.runners.append(runner)
        rules = replace(self.ask.rules, max_page_rows=self.jobs.rules.page_rows)
        ask = replace(self.ask, run_stranger=run_stranger or runner, rules=rules)
        return RunJob(
            self.jobs.records,
            self.store,
            self.documents,
            StoppableAsk.of(ask, runner.close),
            lambda tenant: Tenants(self.store, operator="operator").now(tenant).require_active(),
            lambda job: None,
            RunRules(limits.seconds, LOOK_SECONDS),
            self.clock,
        )

    def close(self) -> None:
        """End all cells."""
        for runner in self.runners:
            runner.close()


def job_parts(
    store: ObjectStore, ask: AskQuestion, published: PublishedQuestions, cursors: Cursors, limits: SqlLimits
) -> JobParts:
    """Jobs of an API over a store; ``limits`` are those of a job."""
    made: list[JobParts] = []
    work: Callable[[], RunJob] = lambda: made[0].worker(limits)  # noqa: E731 - needs what is made below
    queue, clock = HeldQueue(WorkerThreads(work, pause_seconds=0.05)), Clock()
    rules = JobRules(max_open_jobs=4, page_rows=50_000)
    jobs = Jobs(JobRecords(store), store, ask, cursors, queue, rules, clock)
    documents = AskedDocuments(AskSql(ask.reader_of, cursors, ask), published)
    made.append(JobParts(store, jobs, queue, clock, ask, documents))
    return made[0]
