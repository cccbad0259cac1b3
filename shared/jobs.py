"""Jobs as who asks sees them: submit a question, see what became of it, end it, and get its answer.

The rule: a job is asked of the snapshot that was there when it was submitted, so that it has the same answer whenever
and however often it is run. Who runs it is ``shared/run_job.py``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from shared.answers.encode import EXTENSIONS
from shared.asked import Answer, Asked, Receipt
from shared.asked_documents import digest_of, document_of
from shared.errors import AppError, ForbiddenError, InputError, ObjectNotFoundError, UnavailableError
from shared.job import (
    JOB_ID,
    Done,
    Job,
    JobCancelledError,
    JobExpiredError,
    JobNotDoneError,
    UnknownJobError,
    made_at,
    new_job_id,
)
from shared.job_records import JobRecords, Request
from shared.keys import Principal
from shared.paging import Cursors, Page, page_size
from shared.query import AskQuestion
from shared.queues.base import Queue
from shared.storage.base import ObjectStore, SignedUrl

log = logging.getLogger("teal.jobs")

MAX_KEPT = 10_000
"""Jobs of a tenant that are kept, whatever became of them."""

_POLL_SECONDS = (0.02, 0.03, 0.05, 0.1, 0.15, 0.25, 0.5)
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")


class JobsFullError(UnavailableError):
    """The tenant has as many open jobs, or as many kept ones, as it may have; some have to end first."""

    code = "jobs_full"
    status = 429


class InvalidIdempotencyKeyError(InputError):
    """The ``Idempotency-Key`` is too long, or not of visible ASCII characters."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReusedError(InputError):
    """The ``Idempotency-Key`` was used for another request at this address."""

    code = "idempotency_key_reused"
    status = 422


@dataclass(frozen=True)
class JobRules:
    """What an installation allows; see the settings of the same names. ``page_rows`` is the largest page of a job."""

    max_open_jobs: int = 10
    keep_hours: float = 24
    page_rows: int = 100_000
    signed_url_seconds: int = 900


@dataclass(frozen=True)
class Jobs:
    """The jobs of all tenants; who asks comes from a credential. Without a queue none are taken."""

    records: JobRecords
    lake: ObjectStore
    ask: AskQuestion
    cursors: Cursors
    queue: Queue | None
    rules: JobRules = JobRules()
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def submit(self, principal: Principal, asked: Asked, *, route: str = "", idempotency_key: str = "") -> Job:
        """Have a question asked later; with a key, the job that a former request of that route with it began.

        Raises JobsFullError, InvalidIdempotencyKeyError, IdempotencyKeyReusedError, PageTooLargeError,
        SnapshotNotFoundError, QueueUnavailableError.
        """
        asked = self._settled(asked)
        document, now = document_of(asked), self.now()
        job = Job(
            job_id=new_job_id(now),
            by=principal,
            question=asked.question.name,
            asked=document,
            created_at=now,
            sent_at=now,
            expires_at=now + timedelta(hours=self.rules.keep_hours),
        )
        if idempotency_key:
            job = self._first(job, route, idempotency_key)
            if known := self.records.find(job.tenant, job.job_id):
                return known
        self._require_room(job.tenant)
        added = self.records.add(job)
        if added is job:
            self._send(job)
        return added

    def state(self, principal: Principal, job_id: str) -> Job:
        """One job. Raises UnknownJobError, also for what the credential may not see, and JobExpiredError."""
        job = self._seen(principal, job_id)
        if job.is_forgotten(self.now()) and self.queue is not None:
            # Its worker died, or the message was lost; of those who look, one tells a worker again.
            told = self.records.change(job.tenant, job_id, self._told_again)
            if told is not None:
                self.queue.send(job.tenant, job_id)
                return told
        return job

    def newest(self, principal: Principal, *, limit: int | None = None, cursor: str | None = None) -> Page:
        """Jobs that the credential sees, newest first; a page has fewer than ``limit`` where others are between them.

        Raises InvalidParameterError, PageTooLargeError, InvalidCursorError.
        """
        rows = page_size(limit, 1_000)
        after = self.cursors.open(principal.tenant, "jobs", cursor)["after"] if cursor else ""
        ids = []
        for job_id in self.records.ids(principal.tenant, after):
            ids.append(job_id)
            if len(ids) > rows:
                break
        following = self.cursors.seal(principal.tenant, "jobs", {"after": ids[rows - 1]}) if len(ids) > rows else None
        now = self.now()
        found = self.records.several(principal.tenant, ids[:rows])
        return Page([job for job in found if job.is_seen_by(principal) and job.expires_at > now], following, 0)

    def cancel(self, principal: Principal, job_id: str) -> Job:
        """End a job that still waits or runs; one that has ended stays as it is.

        Raises as ``state``, and ForbiddenError for a job that another credential submitted.
        """
        job = self._seen(principal, job_id)
        if not job.is_of(principal):
            raise ForbiddenError("A job is ended by the key that submitted it, or by one with the scope admin.")
        ended = self.records.change(
            job.tenant, job_id, lambda job: job.ended("cancelled", self.now()) if job.is_open else None
        )
        if ended is not None:
            log.info("job cancelled", extra={"tenant": job.tenant, "job_id": job_id, "question": job.question})
        return ended or self._seen(principal, job_id)

    def wait(self, job: Job, seconds: float) -> Job:
        """The job once it has ended, or as it is when the time is over."""
        give_up_at = time.monotonic() + seconds
        for attempt in range(1_000_000):
            job = self.records.find(job.tenant, job.job_id) or job
            pause = _POLL_SECONDS[min(attempt, len(_POLL_SECONDS) - 1)]
            if not job.is_open or time.monotonic() + pause > give_up_at:
                break
            time.sleep(pause)
        return job

    def url_of(self, job: Job) -> SignedUrl:
        """Where the answer of a job can be fetched for a while.

        Raises JobNotDoneError, JobCancelledError, and JobExpiredError where the answer went sooner than the job.
        """
        name = f"{job.question.replace('/', '-')}.{EXTENSIONS[job.asked['format']]}"
        try:
            kept = self.lake.head(_done(job).key)
        except ObjectNotFoundError:
            raise JobExpiredError(_EXPIRED) from None
        return self.lake.sign_get(kept.key, seconds=self.rules.signed_url_seconds, filename=name)

    def answer(self, job: Job) -> Answer:
        """The answer of a job, as asking at once would have given it. Raises as ``url_of``."""
        done = _done(job)
        try:
            content = self.lake.get(done.key)[0]
        except ObjectNotFoundError:
            raise JobExpiredError(_EXPIRED) from None
        return Answer(
            etag=done.etag,
            snapshot=done.snapshot,
            media_type=done.media_type,
            pinned=not job.asked["was_newest"],
            receipt=Receipt(done.bytes_read, done.requests, done.milliseconds),
            content=content,
            cursor=done.cursor,
            timing={"job": done.milliseconds},
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _settled(self, asked: Asked) -> Asked:
        """The question with nothing left open that could mean something else later: its snapshot and its page."""
        own = asked.limits.page_rows
        usual, largest = (min(most, own or most) for most in (self.ask.rules.max_page_rows, self.rules.page_rows))
        limit = usual if asked.limit is None else page_size(asked.limit, largest)
        asked = replace(asked, limit=limit, if_none_match="")
        if asked.cursor:
            return replace(asked, as_of=None)
        with self.ask.reader_of(asked.tenant).pin(asked.snapshot, asked.as_of) as lake:
            was_newest = asked.was_newest or (asked.snapshot is None and asked.as_of is None)
            return replace(asked, snapshot=lake.snapshot_id, as_of=None, was_newest=was_newest)

    def _first(self, job: Job, route: str, key: str) -> Job:
        """The job by the id that the first request with this key got."""
        if not _KEY.match(key):
            raise InvalidIdempotencyKeyError("An Idempotency-Key has 1 to 255 visible ASCII characters.")
        # Who may not see each other's jobs do not share keys either.
        by = [job.by.rules.digest, sorted(job.by.scopes)]
        name = hashlib.sha256(json.dumps([route, key, by]).encode()).hexdigest()
        told = Request(job.job_id, digest_of(job.asked))
        oldest = self.now() - timedelta(hours=self.rules.keep_hours)
        first = self.records.first_of(job.tenant, name, told, lambda request: made_at(request.job_id) < oldest)
        if first.digest != told.digest:
            raise IdempotencyKeyReusedError("This Idempotency-Key was used for another request at this address.")
        return replace(job, job_id=first.job_id)

    def _require_room(self, tenant: str) -> None:
        if len(self.records.open(tenant)) >= self.rules.max_open_jobs:
            raise JobsFullError(f"{self.rules.max_open_jobs} jobs may be open at once; wait for one, or cancel one.")
        if self.records.has_more_than(tenant, MAX_KEPT):
            raise JobsFullError(f"{MAX_KEPT:,} jobs are kept at most; they go {self.rules.keep_hours:g} hours after.")

    def _send(self, job: Job) -> None:
        assert self.queue is not None  # noqa: S101 - who submits has looked
        try:
            self.queue.send(job.tenant, job.job_id)
        except AppError:
            self.records.drop(job)
            raise
        log.info("job submitted", extra={"tenant": job.tenant, "job_id": job.job_id, "question": job.question})

    def _told_again(self, job: Job) -> Job | None:
        return replace(job, sent_at=self.now()) if job.is_forgotten(self.now()) else None

    def _seen(self, principal: Principal, job_id: str) -> Job:
        if not JOB_ID.match(job_id):
            raise UnknownJobError(_UNKNOWN)
        # By the id alone, whether or not there is such a job: what is told of it says nothing about others' jobs.
        if made_at(job_id) < self.now() - timedelta(hours=self.rules.keep_hours):
            raise JobExpiredError(_EXPIRED)
        job = self.records.find(principal.tenant, job_id)
        if job is None or not job.is_seen_by(principal):
            raise UnknownJobError(_UNKNOWN)
        return job


_UNKNOWN = "There is no such job."
_EXPIRED = "The job was kept for a time and is gone."


def _done(job: Job) -> Done:
    if job.done is not None:
        return job.done
    if job.status == "cancelled":
        raise JobCancelledError("The job was cancelled, so it has no answer.")
    raise JobNotDoneError("The job has no answer yet.", status_url=f"/v1/jobs/{job.job_id}")
