"""A queue and its workers in this process, for a server that stays: threads, begun by the first job.

What waits here is forgotten when the process ends; whoever asks for such a job afterwards has it sent again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger("teal.jobs")

Work = Callable[[str, str], None]
"""Does one job; raises what another delivery may help with."""

THREADS = 2
DELIVERIES = 5
PAUSE_SECONDS = 2.0
"""Before a job whose delivery failed is delivered again."""


class WorkerThreads:
    """Each thread makes a worker of its own, and takes first what is of a tenant that has no job running."""

    def __init__(
        self, worker: Callable[[], Work], *, threads: int = THREADS, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._worker = worker
        self._threads = threads
        self._pause_seconds = pause_seconds
        self._changed = threading.Condition()
        self._waiting: dict[tuple[str, str], tuple[int, float]] = {}
        self._running: list[tuple[str, str]] = []
        self._started = 0

    def send(self, tenant: str, job_id: str) -> None:
        """See Queue."""
        with self._changed:
            if (tenant, job_id) in self._running:
                return
            self._waiting.setdefault((tenant, job_id), (1, time.monotonic()))
            if self._started < min(self._threads, len(self._waiting) + len(self._running)):
                self._started += 1
                threading.Thread(target=self._serve, name=f"jobs-{self._started}", daemon=True).start()
            self._changed.notify()

    def _serve(self) -> None:
        work = self._worker()
        while True:
            job, delivery = self._take()
            again = False
            try:
                work(*job)
            except Exception as error:  # noqa: BLE001 - the thread goes on with the next job
                again = delivery < DELIVERIES
                log.warning(
                    "a job was not done", extra={"job_id": job[1], "error": type(error).__name__, "again": again}
                )
            with self._changed:
                self._running.remove(job)
                if again:
                    self._waiting[job] = (delivery + 1, time.monotonic() + self._pause_seconds)
                self._changed.notify_all()

    def _take(self) -> tuple[tuple[str, str], int]:
        """The next job, once one is due, and which delivery of it this is."""
        with self._changed:
            while True:
                now = time.monotonic()
                due = [job for job, (_, at) in self._waiting.items() if at <= now]
                if due:
                    busy = {tenant for tenant, _ in self._running}
                    job = next((one for one in due if one[0] not in busy), due[0])
                    delivery, _ = self._waiting.pop(job)
                    self._running.append(job)
                    return job, delivery
                later = min((at for _, at in self._waiting.values()), default=None)
                self._changed.wait(None if later is None else later - now)
