"""What nothing needs any more, by its age and by who knows of it; tidy deletes it.

The rule: what might still be wanted stays. Deleting early loses data, deleting late costs a little.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.catalog.stored import lake_prefix
from shared.job import ANSWERS as JOB_ANSWERS
from shared.job import RECORDS as JOB_RECORDS
from shared.lake_files import ScheduledFile
from shared.storage.base import ObjectInfo, ObjectStore

KEEP_ANSWERS_DAYS = 7
"""Signed links live seven days at most, so no link to a stored answer or an upload is older."""
DELETERS = 8
"""Deletions at a time: one by one, a bucket takes minutes for what a busy day leaves behind."""


@dataclass(frozen=True)
class TidyRules:
    """What is kept and for how long; see the settings of the same names.

    ``max_seconds`` bounds the merging of one lake, and a quarter of it the deleting.
    """

    keep_snapshots_days: float = 30
    orphan_grace_hours: float = 24
    keep_held_days: float = 90
    keep_jobs_hours: float = 24
    max_seconds: float = 480.0


def delete_probes(store: ObjectStore, rules: TidyRules) -> None:
    """Delete what looked whether the store works, and stayed."""
    too_old = store.clock() - timedelta(hours=rules.orphan_grace_hours)
    for info in list(store.list(".probe/")):
        if info.modified_at < too_old:
            store.delete(info.key)


def delete_jobs(store: ObjectStore, rules: TidyRules) -> None:
    """Delete records of jobs; those of tenants without a lake too."""
    too_old = store.clock() - timedelta(hours=rules.keep_jobs_hours)
    old = [info.key for info in store.list(JOB_RECORDS) if info.modified_at < too_old]

    def delete(key: str) -> None:
        store.delete(key)
        # What was asked stays nowhere; a bucket's lifecycle does the same for its own former versions.
        store.forget_versions(key, datetime.max.replace(tzinfo=UTC))

    with ThreadPoolExecutor(DELETERS) as pool:
        list(pool.map(delete, old))


def outdated(listing: dict[str, ObjectInfo], tenant: str, rules: TidyRules, now: datetime) -> Iterator[ObjectInfo]:
    """Held rows and stored answers of a lake that were kept for long enough."""
    prefix = lake_prefix(tenant)
    keep = (
        ("held/", timedelta(days=rules.keep_held_days)),
        (JOB_ANSWERS, timedelta(hours=rules.keep_jobs_hours)),
        ("answers/", timedelta(days=KEEP_ANSWERS_DAYS)),
    )
    for key, info in listing.items():
        for folder, long in keep:
            if key.startswith(prefix + folder):
                if info.modified_at < now - long:
                    yield info
                break


def unneeded(
    data: dict[str, ObjectInfo],
    needed: set[str | None],
    scheduled: list[ScheduledFile],
    *,
    too_old: datetime,
    restored_at: datetime | None,
) -> list[str]:
    """Keys of data files that may be deleted. Pure: same facts, same decision.

    No snapshot needs them; they were written before ``too_old``, so no commit in flight will need them; and they were
    not needed at ``too_old`` already, so no reader of an older catalog has them open: by their schedule, or, for what a
    restored catalog does not know, by the time of the restore.
    """
    since = {file.key: file.since for file in scheduled}
    unscheduled_since = restored_at or datetime.min.replace(tzinfo=UTC)
    return sorted(
        key
        for key, info in data.items()
        if key not in needed and info.modified_at < too_old and since.get(key, unscheduled_since) < too_old
    )
