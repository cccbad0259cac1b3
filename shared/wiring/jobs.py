"""Wires questions that are answered later, on both sides of the queue."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from shared.ask_sql import AskSql
from shared.audit import AuditEntry
from shared.logs import errors_end_here
from shared.resources import cursors, lake_store, reader_of, settings, tenants
from shared.stranger_sql.cells import CellRunner
from shared.wiring.questions import ask_question, published_questions, sql_limits
from shared.wiring.records import audit

if TYPE_CHECKING:
    from shared.job import Job
    from shared.jobs import Jobs
    from shared.queues.base import Queue
    from shared.run_job import RunJob

HERE = "here"
"""In place of a queue's address: threads of this process work on jobs."""


@cache
def jobs() -> Jobs:
    """Questions that are answered later."""
    from shared.job_records import JobRecords
    from shared.jobs import JobRules, Jobs

    chosen = settings()
    rules = JobRules(
        max_open_jobs=chosen.max_open_jobs,
        keep_hours=chosen.keep_jobs_hours,
        page_rows=chosen.job_page_rows,
        signed_url_seconds=chosen.signed_url_seconds,
    )
    return Jobs(JobRecords(lake_store()), lake_store(), ask_question(), cursors(), _job_queue(), rules)


def _job_queue() -> Queue | None:
    """What tells a worker of a job; None where there is nobody to tell."""
    chosen = settings()
    told = _jobs_go_to()
    if told == HERE:
        from shared.queues.threads import WorkerThreads

        return WorkerThreads(job_worker)
    if told.startswith("projects/"):
        from shared.queues.pubsub import PubSubQueue

        return PubSubQueue(told, endpoint_url=chosen.jobs_endpoint)
    if told:
        from shared.queues.sqs import SqsQueue

        return SqsQueue(told, region=chosen.region, endpoint_url=chosen.jobs_endpoint)
    return None


def _jobs_go_to() -> str:
    """The address of a queue, HERE, or "" for nowhere."""
    return settings().jobs_to or ("" if "://" in settings().lake else HERE)


def job_worker() -> RunJob:
    """A worker that runs one job at a time, with cells of its own."""
    from shared.asked_documents import AskedDocuments
    from shared.job_records import JobRecords
    from shared.run_job import RunJob, RunRules
    from shared.stoppable import StoppableAsk

    chosen, general = settings(), ask_question()
    limits = replace(
        sql_limits(),
        seconds=chosen.job_seconds,
        answer_bytes=chosen.job_answer_mb * 2**20,
        # A worker of its own has nobody else to serve.
        spares_core=_jobs_go_to() == HERE,
    )
    runner = CellRunner(lake_store(), limits, max_cells=1)
    ask = replace(general, run_stranger=runner, rules=replace(general.rules, max_page_rows=chosen.job_page_rows))
    return RunJob(
        JobRecords(lake_store()),
        lake_store(),
        AskedDocuments(AskSql(reader_of, cursors(), general), published_questions()),
        StoppableAsk.of(ask, runner.close),
        lambda tenant: tenants().now(tenant).require_active(),
        _tell_of_job,
        # A look at a folder costs nothing.
        RunRules(chosen.job_seconds, look_seconds=1.0 if "://" in chosen.lake else 0.1),
    )


def _tell_of_job(job: Job) -> None:
    done = job.done
    audit()(
        AuditEntry(
            "job",
            job.status,
            changes=False,
            tenant=job.tenant,
            key_id=job.by.key_id,
            question=str(job.asked["question"]),
            subject=job.job_id,
            code=str(job.problem.get("code", "")),
            snapshot=done.snapshot if done else None,
            bytes_read=done.bytes_read if done else None,
            requests=done.requests if done else None,
            ms=done.milliseconds if done else None,
        )
    )


@cache
def _only_worker() -> RunJob:
    return job_worker()


@errors_end_here()
def run_job(tenant: str, job_id: str) -> None:
    """Run a job that a message tells of. Raises LoggedError where delivering it again may help."""
    _only_worker()(tenant, job_id)
