"""Run a job: take it, ask, keep the answer, and write down what became of it.

The rule: what is delivered twice runs once, and a worker that dies loses only its time. What the record says counts: a
worker that is no longer named there stops, and what it found is dropped.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.answers.encode import EXTENSIONS
from shared.asked import Answer
from shared.asked_documents import AskedDocuments
from shared.catalog.stored import lake_prefix
from shared.errors import AppError
from shared.job import ANSWERS, LEASE_SECONDS, Done, Job, JobFailedError, JobTookTooLongError, problem_of
from shared.job_records import JobRecords
from shared.stoppable import StoppableAsk
from shared.storage.base import ObjectStore

log = logging.getLogger("teal.jobs")

LATE_SECONDS = 5.0
"""What a question may take beyond its time before it is stopped from outside: a cell ends itself."""


@dataclass(frozen=True)
class RunRules:
    """``seconds`` is what a question may take; the record is looked at every ``look_seconds`` meanwhile."""

    seconds: float = 300.0
    look_seconds: float = 1.0


@dataclass(frozen=True)
class RunJob:
    """One worker: runs one job at a time. ``tell`` hears of every job that ended."""

    records: JobRecords
    lake: ObjectStore
    documents: AskedDocuments
    ask: StoppableAsk
    require_active: Callable[[str], None]
    tell: Callable[[Job], None]
    rules: RunRules = RunRules()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, tenant: str, job_id: str) -> None:
        """Run a job unless it has ended or another worker has it.

        Raises what is again to be tried (an outage); whatever else goes wrong is written down as the job's problem.
        """
        worker = secrets.token_hex(8)
        job = self.records.change(tenant, job_id, lambda job: job.taken_by(worker, self.now()))
        if job is None:
            log.info("nothing to do for a job", extra={"tenant": tenant, "job_id": job_id})
        elif job.status == "failed":
            log.error("job given up", extra=_told(job))
            self.tell(job)
        else:
            self._run(job)

    def _run(self, job: Job) -> None:
        started = time.monotonic()
        with self._watched(job) as watch:
            try:
                self.require_active(job.tenant)
                done = self._kept(job, self.ask(self.documents.asked_from(job.asked, job.by)))
                ended = job.ended("done", self.now(), done=done)
            except Exception as error:
                # Whatever it is, somebody waits for the end of the job.
                if watch.is_lost:
                    log.info("job stopped", extra=_told(job))
                    return
                if isinstance(error, AppError) and error.again and not watch.is_late:
                    self._put_back(job)
                    raise
                ended = job.ended("failed", self.now(), problem=_problem(job, error, is_late=watch.is_late))
        if self._change(job, lambda _: ended) is None:
            log.info("job was not ours any more", extra=_told(job))
            return
        milliseconds = int((time.monotonic() - started) * 1000)
        log.info(f"job {ended.status}", extra={**_told(job), "ms": milliseconds, "code": ended.problem.get("code")})
        self.tell(ended)

    def _kept(self, job: Job, answer: Answer) -> Done:
        """The answer in the lake's store."""
        assert answer.content is not None  # noqa: S101 - only who names an ETag is told that he has it
        key = f"{lake_prefix(job.tenant)}{ANSWERS}{job.job_id}.{EXTENSIONS[job.asked['format']]}"
        self.lake.put(key, answer.content, content_type=answer.media_type)
        receipt = answer.receipt
        return Done(
            key=key,
            media_type=answer.media_type,
            etag=answer.etag,
            snapshot=answer.snapshot,
            bytes=len(answer.content),
            cursor=answer.cursor,
            bytes_read=receipt.bytes_read,
            requests=receipt.requests,
            milliseconds=round(receipt.milliseconds, 1),
        )

    def _put_back(self, job: Job) -> None:
        try:
            self._change(job, Job.put_back)
        except AppError as error:
            # Then it is another worker's when the lease is over.
            log.warning("job was not put back", extra={**_told(job), "code": error.code})

    def _change(self, job: Job, change: Callable[[Job], Job | None]) -> Job | None:
        """Change the record while this worker has the job."""
        return self.records.change(
            job.tenant, job.job_id, lambda found: change(found) if found.is_run_by(job.worker) else None
        )

    @contextmanager
    def _watched(self, job: Job) -> Iterator[_Watch]:
        watch = _Watch(self, job)
        watch.start()
        try:
            yield watch
        finally:
            watch.ended.set()
            watch.join()


class _Watch(threading.Thread):
    """Stops the question when it is too late or the job is no longer this worker's; else renews the lease in time."""

    def __init__(self, run: RunJob, job: Job) -> None:
        super().__init__(name="job-watch", daemon=True)
        self.ended = threading.Event()
        self.is_lost = self.is_late = False
        self._run_job, self._job = run, job
        self._late_at = time.monotonic() + run.rules.seconds + LATE_SECONDS

    def run(self) -> None:
        while not self.ended.wait(self._run_job.rules.look_seconds):
            try:
                self._look()
            except AppError as error:
                log.warning("a job's record was not seen", extra={**_told(self._job), "code": error.code})

    def _look(self) -> None:
        run, job = self._run_job, self._job
        self.is_late = self.is_late or time.monotonic() > self._late_at
        if not self.is_late:
            found = run.records.find(job.tenant, job.job_id)
            self.is_lost = found is None or not found.is_run_by(job.worker)
            if found is not None and not self.is_lost and _ends_soon(found, run.now()):
                run._change(job, lambda found: found.renewed(run.now()))
        if self.is_late or self.is_lost:
            run.ask.stop()


def _ends_soon(job: Job, now: datetime) -> bool:
    return job.lease_until is not None and job.lease_until < now + timedelta(seconds=LEASE_SECONDS * 2 / 3)


def _problem(job: Job, error: Exception, *, is_late: bool) -> dict[str, object]:
    """What its asker is told of an error; of a defect nothing but that there was one."""
    if is_late:
        return problem_of(JobTookTooLongError("This did not end in the time a job has. Ask for less."))
    if isinstance(error, AppError) and error.status < 500:
        return problem_of(error)
    log.error("unexpected", extra=_told(job), exc_info=error)
    return problem_of(JobFailedError("Something went wrong here. The job's id finds it in the logs."))


def _told(job: Job) -> dict[str, object]:
    return {"tenant": job.tenant, "job_id": job.job_id, "question": job.question, "attempt": job.attempts}
