"""Wires what comes in: uploads and commands, what brings them into lakes, and who hears of it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

from shared.audit import DATASET as AUDIT_DATASET
from shared.audit import AuditEntry
from shared.formats.table import ReadOptions
from shared.inbox import UPLOAD_ID
from shared.logs import errors_end_here
from shared.persons import Persons
from shared.resources import (
    cursors,
    general_limits,
    inbox_bucket,
    inbox_store,
    lake_store,
    reader_of,
    sessions,
    settings,
    tenants,
    work_folder,
    writer_of,
)
from shared.storage.base import ObjectInfo
from shared.uploads import UploadRules, Uploads
from shared.values import UploadedObject
from shared.wiring.records import audit

if TYPE_CHECKING:
    from shared.admitted_ingest import AdmittedIngest
    from shared.announce.base import Announce
    from shared.ingest import IngestUpload
    from shared.outcome import Outcome


log = logging.getLogger("teal.ingest")


@cache
def ingest_upload() -> AdmittedIngest:
    """The use case behind every upload event."""
    from shared.admitted_ingest import AdmittedIngest

    admitted = (_ingest(), tenants(), inbox_store(), writer_of, sessions(), reader_of, _tell, general_limits())
    return AdmittedIngest(*admitted)


def _ingest() -> IngestUpload:
    from shared.erasure import ErasureRules
    from shared.ingest import IngestRules, IngestUpload
    from shared.reading.base import ReadLimits
    from shared.reading.cells import CellReader
    from shared.steps.reading import Reading

    chosen = settings()
    return IngestUpload(
        inbox=inbox_store(),
        lake=lake_store(),
        writer_of=writer_of,
        session=sessions(),
        read=CellReader(
            ReadLimits(
                memory_mb=chosen.memory_limit_mb,
                threads=chosen.threads,
                temp_mb=int(chosen.max_temp_gb * 1024),
                file_mb=2 * chosen.max_upload_mb,
                seconds=chosen.read_seconds,
            )
        ),
        rules=IngestRules(
            max_upload_bytes=chosen.max_upload_mb * 2**20,
            inline_rows=chosen.inline_rows,
            reading=Reading(infer_datasets=chosen.infer_datasets, timezone=chosen.timezone),
            erasure=ErasureRules(trace_days=chosen.keep_snapshots_days + chosen.orphan_grace_hours / 24),
        ),
        tell=_tell,
        work_directory=work_folder(),
    )


@errors_end_here()
def ingest_all(uploads: Iterable[UploadedObject]) -> None:
    """Ingest every upload one message tells of; the first error is raised once all had their turn, as LoggedError."""
    errors: list[Exception] = []
    for upload in uploads:
        try:
            ingest_upload()(upload)
        except Exception as error:  # noqa: BLE001 - raised below
            # Not the key, which ends in a file's name.
            made = next((part for part in upload.key.split("/") if UPLOAD_ID.match(part)), upload.upload_id)
            log.warning("upload failed", extra={"upload_id": made, "error": type(error).__name__})
            errors.append(error)
    if errors:
        raise errors[0]


def _tell(outcome: Outcome) -> None:
    """Readers of this process see a commit at once, whatever their freshness interval; then the world is told."""
    if reader_of.cache_info().currsize:
        reader_of(outcome.tenant).refresh()
    announce()(outcome)
    if (outcome.tenant, outcome.dataset) != (settings().operator, AUDIT_DATASET):
        # An upload of entries that made an entry would never come to an end.
        audit()(
            AuditEntry(
                "ingest",
                outcome.status,
                changes=True,
                tenant=outcome.tenant,
                dataset=outcome.dataset,
                subject=outcome.upload_id,
                code=outcome.reason_code,
                snapshot=outcome.snapshot_id or None,
            )
        )


@cache
def announce() -> Announce:
    """Tells the world what became of an upload, in every way that was set up."""
    from shared.announce.base import Announce, Way

    chosen = settings()
    ways: list[Way] = []
    if chosen.metrics_namespace:
        from shared.announce.emf import EmbeddedMetrics

        ways.append(EmbeddedMetrics(chosen.metrics_namespace))
    if chosen.announce_to.startswith("arn:"):
        from shared.announce.sns import SnsTopic

        ways.append(SnsTopic(chosen.announce_to, endpoint_url=chosen.announce_endpoint))
    elif chosen.announce_to:
        from shared.announce.pubsub import PubSubTopic

        ways.append(PubSubTopic(chosen.announce_to, endpoint_url=chosen.announce_endpoint))
    return Announce(tuple(ways))


@cache
def uploads() -> Uploads:
    """Uploads as their senders see them."""
    chosen = settings()
    return Uploads(
        inbox=inbox_store(),
        lake=lake_store(),
        reader_of=reader_of,
        announce=tell_ingest,
        cursors=cursors(),
        rules=UploadRules(
            bucket=inbox_bucket(),
            write_wait_seconds=chosen.write_wait_seconds,
            signed_url_seconds=chosen.signed_url_seconds,
            max_upload_bytes=chosen.max_upload_mb * 2**20,
            max_page_rows=chosen.max_page_rows,
        ),
        read_options=frozenset(field.name for field in fields(ReadOptions)),
    )


def tell_ingest(upload: UploadedObject) -> None:
    """A folder has no events, so whoever puts an object into it brings it in; a bucket tells the function itself."""
    if "://" not in settings().inbox_uri:
        ingest_upload()(upload)


@cache
def persons() -> Persons:
    """The erasure of persons, as who asks for it sees it."""
    return Persons(lake_store(), uploads(), reader_of)


def object_arrived(info: ObjectInfo) -> None:
    if info.key.startswith("inbox/"):
        tell_ingest(
            UploadedObject(inbox_bucket(), info.key, info.version, info.etag, info.size_bytes, info.modified_at)
        )
