"""Jobs in the lake's store: one object each, changed only while it is what was read; and which of a tenant's are open.

Below ``jobs/<tenant>/``: ``<job_id>.json``, an empty ``open/<job_id>`` for each that was not seen to have ended, and
``requests/<digest>.json`` for each ``Idempotency-Key``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import dropwhile, islice, takewhile

from shared.errors import ObjectNotFoundError, PreconditionFailedError
from shared.job import JOB_ID, RECORDS, Job
from shared.storage.base import ObjectStore

READERS = 8
"""Records read at a time."""
_ATTEMPTS = 20


@dataclass(frozen=True)
class Request:
    """What an ``Idempotency-Key`` was first used for: a job, and the digest of what was asked."""

    job_id: str
    digest: str


@dataclass(frozen=True)
class JobRecords:
    """The jobs of all tenants. Every method raises StoreUnavailableError besides what it says."""

    store: ObjectStore

    def find(self, tenant: str, job_id: str) -> Job | None:
        """One of a tenant's jobs."""
        found = self._read(tenant, job_id)
        return found and found[0]

    def add(self, job: Job) -> Job:
        """Write down a new job; where there is one of its id, that one is returned and stays."""
        try:
            self.store.put_if_match(_key(job.tenant, job.job_id), _body(job), etag="")
        except PreconditionFailedError:
            found = self.find(job.tenant, job.job_id)
            if found is not None:
                return found
            raise
        self.store.put(f"{_folder(job.tenant)}open/{job.job_id}", b"")
        return job

    def change(self, tenant: str, job_id: str, change: Callable[[Job], Job | None]) -> Job | None:
        """The job as ``change`` made it of the one that is there; None where that is not there or was left as it is.

        ``change`` is called again when somebody else was faster. Raises PreconditionFailedError when many were.
        """
        for _ in range(_ATTEMPTS):
            found = self._read(tenant, job_id)
            changed = found and change(found[0])
            if found is None or changed is None:
                return None
            try:
                self.store.put_if_match(_key(tenant, job_id), _body(changed), etag=found[1])
                return changed
            except PreconditionFailedError as error:
                lost = error
        raise lost

    def drop(self, job: Job) -> None:
        """Forget a job that nobody was told of."""
        self.store.delete(_key(job.tenant, job.job_id))
        self.store.delete(f"{_folder(job.tenant)}open/{job.job_id}")

    def ids(self, tenant: str, after: str = "") -> Iterator[str]:
        """The ids of a tenant's jobs, newest first."""
        prefix = _folder(tenant)
        names = (info.key.removeprefix(prefix).removesuffix(".json") for info in self.store.list(prefix))
        # Ids are hexadecimal, so they come before the folders.
        return dropwhile(lambda job_id: job_id <= after, takewhile(lambda name: JOB_ID.match(name), names))

    def several(self, tenant: str, job_ids: list[str]) -> list[Job]:
        """Those of these jobs that are there, in the same order."""
        if len(job_ids) < 2:
            return [job for job in (self.find(tenant, one) for one in job_ids) if job]
        with ThreadPoolExecutor(READERS) as pool:
            return [job for job in pool.map(lambda one: self.find(tenant, one), job_ids) if job]

    def open(self, tenant: str) -> list[Job]:
        """A tenant's jobs that wait or run. What ended meanwhile is not looked at the next time."""
        prefix = f"{_folder(tenant)}open/"
        noted = [info.key.removeprefix(prefix) for info in self.store.list(prefix)]
        found = [job for job in self.several(tenant, noted) if job.is_open]
        for ended in set(noted) - {job.job_id for job in found}:
            self.store.delete(prefix + ended)
        return found

    def has_more_than(self, tenant: str, most: int) -> bool:
        """Whether so many jobs are kept for a tenant, whatever became of them."""
        return next(islice(self.ids(tenant), most, None), None) is not None

    def first_of(self, tenant: str, request: str, told: Request, is_over: Callable[[Request], bool]) -> Request:
        """What was written down first for a request's name, which is a digest; what is over counts no more.

        Raises PreconditionFailedError when it changes all the time.
        """
        key = f"{_folder(tenant)}requests/{request}.json"
        body = json.dumps(vars(told)).encode()
        for _ in range(_ATTEMPTS):
            etag = ""
            try:
                found, info = self.store.get(key)
                first, etag = Request(**json.loads(found)), info.etag
                if not is_over(first):
                    return first
            except ObjectNotFoundError:
                pass
            try:
                self.store.put_if_match(key, body, etag=etag)
                return told
            except PreconditionFailedError as error:
                lost = error
        raise lost

    def _read(self, tenant: str, job_id: str) -> tuple[Job, str] | None:
        if not JOB_ID.match(job_id):
            return None
        try:
            body, info = self.store.get(_key(tenant, job_id))
        except ObjectNotFoundError:
            return None
        return Job.from_document(json.loads(body)), info.etag


def _folder(tenant: str) -> str:
    return f"{RECORDS}{tenant}/"


def _key(tenant: str, job_id: str) -> str:
    return f"{_folder(tenant)}{job_id}.json"


def _body(job: Job) -> bytes:
    return json.dumps(job.document(), ensure_ascii=False).encode("utf-8", "surrogatepass")
