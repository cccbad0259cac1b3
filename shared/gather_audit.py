"""Gathers what processes handed in for the audit into one upload of the operator's own lake, on the schedule.

The rule: an entry is there once. The dataset has a row per ``entry_id``, so what is uploaded again changes nothing; an
object is deleted only once the ledger says what became of its upload, or the dataset has its first entry.
"""

from __future__ import annotations

import gzip
import logging
import tomllib
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.audit import DATASET, PREFIX, first_entry_of
from shared.catalog.reader import LakeReader
from shared.datasets.contract import Contract
from shared.datasets.registry import contract_from
from shared.errors import AppError, ObjectNotFoundError
from shared.keys import SCOPES, Principal
from shared.snapshots import contracts_in
from shared.storage.base import ObjectStore
from shared.uploads import UploadOrder, Uploads
from shared.values import UploadedObject

log = logging.getLogger("teal.audit")

AUTHOR = "audit"
MAX_OBJECTS = 5_000
"""Of one run, which is an hour of eighty processes that are asked all the time; the next run goes on."""
AT_ONCE = 8
CONTRACT = Path(__file__).parent / "datasets" / "operators" / "audit.toml"


@dataclass
class GatherReport:
    """What was gathered: objects, the entries uploaded, objects deleted; it ``waits`` while ingest is not done yet."""

    objects: int = 0
    entries: int = 0
    deleted: int = 0
    waits: bool = False
    problems: list[str] = field(default_factory=list)


def audit_contract() -> Contract:
    """The contract of the dataset; no built-in one, since it is in one lake only."""
    return contract_from(tomllib.loads(CONTRACT.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class GatherAudit:
    """Brings the audit into the operator's lake; twice, or at the same time, adds nothing twice."""

    operator: str
    store: ObjectStore
    uploads: Uploads
    reader_of: Callable[[str], LakeReader]
    max_objects: int = MAX_OBJECTS
    work_directory: Path | None = None

    def __call__(self) -> GatherReport:
        """Upload what is there, if there is any; an AppError is told in the report."""
        report = GatherReport()
        try:
            self._gather(report)
        except AppError as error:
            log.warning("gathering stopped", extra={"code": error.code}, exc_info=error)
            report.problems.append(f"{error.code}: {error.message}")
        if report.objects or report.problems:
            log.info("audit gathered", extra=vars(report))
        return report

    def _gather(self, report: GatherReport) -> None:
        keys = [info.key for info in islice(self.store.list(PREFIX), self.max_objects)]
        if not keys:
            return
        if not self._has_contract():
            report.waits = True
            return
        known = self._known(keys)
        new = [key for key in keys if key not in known]
        report.objects = len(new)
        if new:
            settled = self._upload(new, report)
            report.waits = not settled
            known |= settled
        self._delete(sorted(known), report)

    def _has_contract(self) -> bool:
        """Whether the dataset is there as it should be; it is asked for where it is not, and may be there soon."""
        wanted = audit_contract()
        reader = self.reader_of(self.operator)
        reader.refresh()
        with reader.pin() as lake:
            there = contracts_in(lake).get(DATASET)
        if there is not None and {column.name for column in wanted.columns} <= {c.name for c in there.columns}:
            return True
        document = wanted.model_dump(mode="json", exclude_defaults=True)
        return self.uploads.register_contract(self._author(), document).status == "loaded"

    def _known(self, keys: list[str]) -> set[str]:
        """Those whose entries are in the dataset: by an earlier run that stopped, or did not wait for its upload."""
        by_entry = {first_entry_of(key): key for key in keys}
        reader = self.reader_of(self.operator)
        reader.refresh()
        with reader.pin() as lake:
            rows = lake.duck.execute(
                f"SELECT entry_id FROM {DATASET} WHERE list_contains($ids, entry_id)", {"ids": list(by_entry)}
            )
        return {by_entry[row[0]] for row in rows}

    def _upload(self, keys: list[str], report: GatherReport) -> set[str]:
        """Put their lines into the inbox as one file, and wait; the keys that the ledger says are settled."""
        with TemporaryDirectory(prefix="teal-audit-", dir=self.work_directory) as folder:
            path, read = Path(folder) / "audit.ndjson.gz", set[str]()
            with path.open("wb") as plain, gzip.GzipFile(fileobj=plain, mode="wb", mtime=0, compresslevel=6) as file:
                for key, lines in self._lines(keys, report):
                    file.write(lines)
                    report.entries += lines.count(b"\n")
                    read.add(key)
            if not read:
                return set()
            order = UploadOrder(DATASET, path.name, "application/gzip")
            upload_id, at = self.uploads.place(self._author(), order)
            info = self.uploads.inbox.put_file(at, path, content_type=order.content_type)
        bucket, etag = self.uploads.rules.bucket, info.etag.strip('"')
        self.uploads.tell(UploadedObject(bucket, at, info.version, etag, info.size_bytes, info.modified_at))
        state = self.uploads.wait(self.operator, upload_id)
        if state is not None and state.held:
            # They are in the inbox, and are brought in by a replay.
            report.problems.append(f"{state.held} of {state.received} entries are held, as upload {upload_id}")
        return read if state is not None else set()

    def _lines(self, keys: list[str], report: GatherReport) -> Iterator[tuple[str, bytes]]:
        def read(key: str) -> bytes | None:
            try:
                return gzip.decompress(self.store.get(key)[0])
            except ObjectNotFoundError:
                return None  # another run has deleted it
            except (OSError, EOFError, zlib.error) as error:
                log.error("audit object cannot be read", extra={"object_key": key, "error": type(error).__name__})
                return b""

        with ThreadPoolExecutor(AT_ONCE) as pool:
            for first in range(0, len(keys), AT_ONCE * 4):
                some = keys[first : first + AT_ONCE * 4]
                for key, lines in zip(some, pool.map(read, some), strict=True):
                    if lines:
                        yield key, lines
                    elif lines is not None:
                        report.problems.append(f"{key} holds no entries")

    def _delete(self, keys: list[str], report: GatherReport) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            report.deleted = len(list(pool.map(self.store.delete, keys)))

    def _author(self) -> Principal:
        return Principal(self.operator, AUTHOR, frozenset(SCOPES))
