"""A job: a question that is answered later; a value with what is written down of it, and what may become of it.

Pure: same job, same moment, same decision. Who stores it is ``shared/job_records.py``.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from shared.datasets.rules import DataRules
from shared.errors import AppError, ConflictError, InputError, LimitError, NotFoundError
from shared.keys import Principal
from shared.limits import Limits

Status = Literal["queued", "running", "done", "failed", "cancelled"]
OPEN: tuple[Status, ...] = ("queued", "running")

MAX_ATTEMPTS = 3
"""A worker that dies takes its attempt along; what kills three of them is not tried again."""

LEASE_SECONDS = 60.0
"""A worker that is not heard of for so long is taken for dead."""

RECORDS = "jobs/"
"""Where the jobs of all tenants are written down."""

ANSWERS = "answers/jobs/"
"""Below a lake: the answers of jobs, each of one job, so that it ends with it."""

JOB_ID = re.compile(r"[0-9a-f]{44}\Z")
_LAST_MILLISECOND = 2**48 - 1
_TIMES = ("created_at", "sent_at", "started_at", "finished_at", "expires_at", "lease_until")


class UnknownJobError(NotFoundError):
    """No job of that id that this credential may see."""

    code = "unknown_job"


class JobExpiredError(NotFoundError):
    """The job was kept for a time and is gone, and so is its answer."""

    code = "job_expired"


class JobNotDoneError(ConflictError):
    """The job still waits or runs, so it has no answer yet."""

    code = "job_not_done"


class JobCancelledError(InputError):
    """The job was cancelled, so it has no answer."""

    code = "job_cancelled"
    status = 409


class JobFailedError(InputError):
    """Nobody could finish the job, and it is not tried again; the logs say why."""

    code = "job_failed"
    status = 422


class JobTookTooLongError(LimitError):
    """The question did not end in the time a job has."""

    code = "job_took_too_long"


@dataclass(frozen=True)
class Done:
    """What an answer is beside its bytes, which lie under ``key`` in the lake's store."""

    key: str
    media_type: str
    etag: str
    snapshot: int
    bytes: int
    cursor: str | None = None
    bytes_read: int = 0
    requests: int = 0
    milliseconds: float = 0.0


@dataclass(frozen=True)
class Job:
    """One question of a tenant. ``asked`` is its document (see ``shared/asked_documents.py``), ``by`` who asked.

    ``worker`` names who runs it until ``lease_until``; ``problem`` has ``code``, ``detail`` and ``details`` of what
    went wrong. Times are UTC; ``sent_at`` is when a worker was last told of it.
    """

    job_id: str
    by: Principal
    question: str
    asked: Mapping[str, Any]
    created_at: datetime
    sent_at: datetime
    expires_at: datetime
    status: Status = "queued"
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    worker: str = ""
    lease_until: datetime | None = None
    done: Done | None = None
    problem: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.by.tenant

    @property
    def scope(self) -> str:
        """The scope by which it was asked, which its answer needs too."""
        return "sql" if self.question == "sql" else "read"

    @property
    def is_open(self) -> bool:
        """Whether it still waits or runs."""
        return self.status in OPEN

    def is_seen_by(self, principal: Principal) -> bool:
        """Whether a credential may know of it: of its tenant, with its scope, and allowed to see what the answer shows.

        An answer shows what the rules of the one who asked let through, and personal data only to who may see it.
        """
        return (
            principal.tenant == self.tenant
            and self.scope in principal.scopes
            and principal.rules.digest == self.by.rules.digest
            and (principal.sees_personal or not self.by.sees_personal)
        )

    def is_of(self, principal: Principal) -> bool:
        """Whether a credential that sees it may also end it, and read what was asked."""
        return principal.key_id == self.by.key_id or "admin" in principal.scopes

    def is_run_by(self, worker: str) -> bool:
        """Whether that worker still has it."""
        return self.status == "running" and self.worker == worker

    def is_forgotten(self, now: datetime) -> bool:
        """Whether it should have been begun, or its worker has died, and nobody was told for a while."""
        due = self.status == "queued" or (self.lease_until is not None and self.lease_until < now)
        return self.is_open and due and self.sent_at < now - timedelta(seconds=LEASE_SECONDS)

    def taken_by(self, worker: str, now: datetime) -> Self | None:
        """The job in the hands of a worker, or failed where too many had it; None where it is not theirs to do."""
        taken = self.status == "running" and self.lease_until is not None and self.lease_until > now
        if not self.is_open or taken or self.expires_at <= now:
            return None
        if self.attempts >= MAX_ATTEMPTS:
            return self.ended("failed", now, problem=problem_of(JobFailedError(_GIVEN_UP)))
        claimed = replace(self, status="running", worker=worker, attempts=self.attempts + 1)
        return replace(claimed, started_at=self.started_at or now).renewed(now)

    def renewed(self, now: datetime) -> Self:
        """The job with a worker that was just heard of."""
        return replace(self, lease_until=now + timedelta(seconds=LEASE_SECONDS))

    def put_back(self) -> Self:
        """The job as it waits for another worker."""
        return replace(self, status="queued", worker="", lease_until=None)

    def ended(
        self, status: Status, now: datetime, *, done: Done | None = None, problem: Mapping[str, Any] | None = None
    ) -> Self:
        """The job as it stays."""
        return replace(
            self, status=status, finished_at=now, worker="", lease_until=None, done=done, problem=problem or {}
        )

    def document(self) -> dict[str, Any]:
        """As it is stored, in JSON's own types."""
        by = {
            "tenant": self.by.tenant,
            "key_id": self.by.key_id,
            "scopes": sorted(self.by.scopes),
            "rules": self.by.rules.document(),
            "limits": self.by.limits.document(),
        }
        times = {name: _text(getattr(self, name)) for name in _TIMES}
        return {**vars(self), "by": by, "done": self.done and vars(self.done), **times}

    @classmethod
    def from_document(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``document`` writes."""
        by = told["by"]
        principal = Principal(
            by["tenant"],
            by["key_id"],
            frozenset(by["scopes"]),
            DataRules.from_document(by["rules"]),
            Limits.from_document(by["limits"]),
        )
        times = {name: told[name] and datetime.fromisoformat(told[name]) for name in _TIMES}
        return cls(**{**told, **times, "by": principal, "done": told["done"] and Done(**told["done"])})


def new_job_id(now: datetime) -> str:
    """128 random bits behind the time: by their ids, jobs are sorted from the newest to the oldest."""
    return f"{_LAST_MILLISECOND - int(now.timestamp() * 1000):012x}{secrets.token_hex(16)}"


def made_at(job_id: str) -> datetime:
    """When an id was made, to the millisecond."""
    return datetime.fromtimestamp((_LAST_MILLISECOND - int(job_id[:12], 16)) / 1000, UTC)


def problem_of(error: AppError) -> dict[str, Any]:
    """What is written down of an error that its asker may read."""
    return {"code": error.code, "detail": error.message, "details": dict(error.details)}


_GIVEN_UP = "The job was begun several times and never ended; it may need more memory than a worker has."


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
