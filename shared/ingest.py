"""An object was uploaded: bring it into the lake exactly once, or hold it with the reason.

The steps of an ingest are in ``shared/steps``; this file says in which order they come and what happens when one fails.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.catalog.stored import lake_prefix
from shared.catalog.writer import Change, LakeWriter, NothingToCommit
from shared.commands import command_from, replay_order, run_command
from shared.duck import Duck, StatementError, literal
from shared.errors import AppError, InputError, NotFoundError, TooManyHeldError, UploadTooLargeError
from shared.steps import ledger
from shared.steps.fit import fit_table
from shared.steps.hold import write_held_rows
from shared.steps.merge import FileOnce, apply_merge, plan_merge
from shared.steps.order import Order, read_order
from shared.steps.receive import COMMANDS, download, inbox_key_from, upload_id_of
from shared.steps.recognise import Read, Reading, read_and_judge
from shared.steps.report import measure, missing_references, record_quality
from shared.steps.rollups import apply_order_totals, plan_order_totals
from shared.storage.base import ObjectStore
from shared.values import InboxKey, RowCounts, UploadedObject

log = logging.getLogger("teal.ingest")


@dataclass(frozen=True)
class Outcome:
    """What became of an upload: ``status`` is loaded, held or skipped; ``snapshot_id`` is the state that says so."""

    upload_id: str
    tenant: str
    dataset: str
    status: str
    counts: RowCounts
    snapshot_id: int
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class IngestRules:
    """What an installation allows and assumes; see the settings of the same names."""

    max_upload_bytes: int = 10 * 2**30
    inline_rows: int = 200
    reading: Reading = Reading()


@dataclass(frozen=True)
class IngestUpload:
    """Brings uploads into lakes. Safe to call twice, and at the same time, with the same upload."""

    inbox: ObjectStore
    lake: ObjectStore
    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    rules: IngestRules
    tell: Callable[[Outcome], None]
    work_directory: Path | None = None

    def __call__(self, upload: UploadedObject) -> Outcome:
        """Load, skip or hold; raise only when delivering the event again could help, or when nobody could be told."""
        started = datetime.now(UTC)
        key = inbox_key_from(upload.key)
        upload = self._identified(upload)
        writer = self.writer_of(key.tenant)
        with self.session() as duck, TemporaryDirectory(prefix="teal-ingest-", dir=self.work_directory) as folder:
            entry = ledger.Entry(upload_id_of(upload), upload, key.dataset, started)
            if key.dataset == COMMANDS:
                outcome = self._obey(duck, writer, key.tenant, entry, Path(folder))
            else:
                outcome = self._bring_in(duck, writer, key, entry, Path(folder))
        log.info(
            "upload %s",
            outcome.status,
            extra={
                "tenant": outcome.tenant,
                "upload_id": outcome.upload_id,
                "dataset": outcome.dataset,
                "reason_code": outcome.reason_code,
                "received": outcome.counts.received,
                "accepted": outcome.counts.accepted,
                "held": outcome.counts.held,
                "duplicate": outcome.counts.duplicate,
                "snapshot": outcome.snapshot_id,
                "duration_ms": int((datetime.now(UTC) - started).total_seconds() * 1000),
            },
        )
        self.tell(outcome)
        return outcome

    def _identified(self, upload: UploadedObject) -> UploadedObject:
        """The upload with everything its event left out, so that every delivery has the same identity."""
        if (upload.version or upload.etag) and upload.size_bytes >= 0:
            return replace(upload, etag=upload.etag.strip('"'))
        info = self.inbox.head(upload.key)
        return replace(upload, version=info.version, etag=info.etag.strip('"'), size_bytes=info.size_bytes)

    def _obey(self, duck: Duck, writer: LakeWriter, tenant: str, entry: ledger.Entry, folder: Path) -> Outcome:
        """Run a command that came through the inbox; a command that cannot be obeyed is held with the reason."""
        with writer.look(duck):
            if (known := ledger.seen(duck, entry.upload)) is not None:
                return self._skipped(entry, tenant, known[0])
            try:
                command = command_from(self.inbox.get(entry.upload.key, version=entry.upload.version)[0])
                replay = replay_order(duck, tenant, command) if command.name == "replay" else None
            except (InputError, NotFoundError) as error:
                command, replay, failure = None, None, error
        if command is None:
            return self._hold(duck, writer, tenant, entry, failure, None)
        if replay is not None:
            key, order = replay
            return self._bring_in(duck, writer, key, replace(entry, dataset=key.dataset), folder, order)
        done, snapshot_id = run_command(duck, writer, command, entry)
        return self._outcome(done, tenant, snapshot_id)

    def _bring_in(
        self,
        duck: Duck,
        writer: LakeWriter,
        key: InboxKey,
        entry: ledger.Entry,
        folder: Path,
        order: Order | None = None,
    ) -> Outcome:
        with writer.look(duck):
            known = ledger.seen(duck, entry.upload)
            if known is not None:
                return self._skipped(entry, key.tenant, known[0])
            entry = replace(entry, upload_id=ledger.free_id(duck, entry))
            contracts = ledger.contracts(duck)
            order = order or read_order(self.lake, key.tenant, entry.upload_id)
            entry = replace(entry, replay_of=order.replay_of)
            read, same, failure = None, None, None
            try:
                if entry.upload.size_bytes > self.rules.max_upload_bytes:
                    raise UploadTooLargeError(f"Files may have {self.rules.max_upload_bytes:,} bytes at most.")
                path, content_hash = download(self.inbox, order.upload or entry.upload, folder)
                entry = replace(entry, content_hash=content_hash)
                log.info("received", extra={"upload_id": entry.upload_id, "bytes": entry.upload.size_bytes})
                same = None if order.replay_of else ledger.same_content(duck, content_hash, key.dataset)
                if same is None:
                    read = read_and_judge(duck, path, key, contracts, order, self.rules.reading, folder)
                    entry = replace(entry, source=read.source, notes=read.notes, contract_version=read.version)
                    _refuse_too_many_held(read)
            except StatementError:
                raise
            except AppError as error:
                if error.again:
                    raise
                failure = error
        if failure is not None:
            return self._hold(duck, writer, key.tenant, entry, failure, read)
        if same is not None:
            counts = RowCounts(received=same[2], accepted=0, held=0, duplicate=same[2])
            reason = f"The same bytes are in the lake already, from upload {same[0]}."
            entry = replace(entry, status="skipped", reason_code="same_content", reason=reason, counts=counts)
            return self._record(duck, writer, key.tenant, entry)
        assert read is not None  # noqa: S101 - read above unless the content was the same
        return self._load(duck, writer, key.tenant, entry, read, contracts)

    def _load(
        self, duck: Duck, writer: LakeWriter, tenant: str, entry: ledger.Entry, read: Read, contracts: ledger.Contracts
    ) -> Outcome:
        """Commit the accepted rows, the rollups, the ledger row and the report: all of it or nothing."""
        write_held_rows(duck, self.lake, tenant, entry.upload_id, read.staged, read.primary)
        contracts = self._fit_tables(duck, writer, read, entry) if read.new_contracts else contracts
        measured = {staged.contract.name: measure(duck, staged) for staged in read.staged}
        file_once = FileOnce(lambda dataset, select: self._write_file(duck, tenant, dataset, select))

        def change(change: Change) -> Outcome:
            file_once.start_attempt()
            if (known := ledger.seen(duck, entry.upload)) is not None:
                reason = f"This version was already brought in as {known[0]}."
                raise NothingToCommit(self._outcome(replace(entry, status="skipped", reason=reason), tenant, 0))
            if ledger.contracts(duck) != contracts:
                raise ledger.ContractsChangedError("A contract changed while this upload was judged by the former one.")
            plans = [plan_merge(duck, staged) for staged in read.staged]
            touched = plan_order_totals(duck, plans)
            for plan in plans:
                apply_merge(change, plan, file_once, inline_rows=self.rules.inline_rows)
            apply_order_totals(change, touched)
            for plan in plans:
                missing = missing_references(duck, plan)
                record_quality(duck, entry.upload_id, plan, measured[plan.staged.contract.name], missing)
            unchanged = plans[read.primary].unchanged
            primary = read.staged[read.primary]
            counts = RowCounts(
                received=primary.received,
                accepted=primary.accepted - unchanged,
                held=primary.held,
                duplicate=primary.duplicate + unchanged,
            )
            done = replace(entry, status="loaded", counts=counts)
            ledger.record(duck, done, now=datetime.now(UTC))
            file = entry.upload.key.rsplit("/", 1)[-1]
            change.message = f"{file}: {counts.accepted:,} of {counts.received:,} rows accepted"
            return self._outcome(done, tenant, 0)

        committed = writer.commit(f"upload {entry.upload_id}", change, duck=duck)
        for uri in file_once.unused():
            self.lake.delete(uri.removeprefix(self.lake.uri_of("")))
        return replace(committed.result, snapshot_id=committed.snapshot_id)

    def _fit_tables(self, duck: Duck, writer: LakeWriter, read: Read, entry: ledger.Entry) -> ledger.Contracts:
        """Register new contract versions and give their tables the new columns, in a commit of its own.

        DuckLake cannot create a table and inline rows into another one in the same transaction (1.5.5).
        """

        def change(change: Change) -> ledger.Contracts:
            known = ledger.contracts(duck)
            new = [one for one in read.new_contracts if one not in known.get(one.name, ())]
            if any(one.version <= version.version for one in new for version in known.get(one.name, ())):
                raise ledger.ContractsChangedError("Another upload changed the contract at the same time.")
            if not new:
                raise NothingToCommit(known)
            for contract in new:
                fit_table(duck, contract)
                ledger.record_contract(duck, contract, author=f"upload {entry.upload_id}")
            change.message = "contracts: " + ", ".join(f"{one.name} version {one.version}" for one in new)
            return ledger.contracts(duck)

        return writer.commit(f"upload {entry.upload_id}", change, duck=duck).result

    def _hold(
        self, duck: Duck, writer: LakeWriter, tenant: str, entry: ledger.Entry, error: AppError, read: Read | None
    ) -> Outcome:
        """Nothing of the upload goes into the lake but its ledger row: held, with the reason, to be replayed."""
        received = read.staged[read.primary].received if read else 0
        if read:
            write_held_rows(duck, self.lake, tenant, entry.upload_id, read.staged, read.primary)
        entry = replace(
            entry,
            status="held",
            reason_code=error.code,
            reason=error.message,
            counts=RowCounts(received=received, accepted=0, held=received, duplicate=0),
        )
        return self._record(duck, writer, tenant, entry)

    def _record(self, duck: Duck, writer: LakeWriter, tenant: str, entry: ledger.Entry) -> Outcome:
        def change(change: Change) -> Outcome:
            if (known := ledger.seen(duck, entry.upload)) is not None:
                raise NothingToCommit(self._outcome(replace(entry, status="skipped", reason=known[0]), tenant, 0))
            ledger.record(duck, entry, now=datetime.now(UTC))
            change.message = f"{entry.upload.key.rsplit('/', 1)[-1]}: {entry.status}, {entry.reason_code}"
            return self._outcome(entry, tenant, 0)

        committed = writer.commit(f"upload {entry.upload_id}", change, duck=duck)
        return replace(committed.result, snapshot_id=committed.snapshot_id)

    def _skipped(self, entry: ledger.Entry, tenant: str, known: str) -> Outcome:
        reason = f"This version was already brought in as {known}."
        return self._outcome(replace(entry, upload_id=known, status="skipped", reason=reason), tenant, 0)

    def _outcome(self, entry: ledger.Entry, tenant: str, snapshot_id: int) -> Outcome:
        return Outcome(
            upload_id=entry.upload_id,
            tenant=tenant,
            dataset=entry.dataset,
            status=entry.status,
            counts=entry.counts,
            snapshot_id=snapshot_id,
            reason_code=entry.reason_code,
            reason=entry.reason,
        )

    def _write_file(self, duck: Duck, tenant: str, dataset: str, select: str) -> str:
        """One Parquet file of a dataset in the lake, under a name nobody else uses."""
        key = f"{lake_prefix(tenant)}data/main/{dataset}/teal-{uuid.uuid4().hex}.parquet"
        with TemporaryDirectory(prefix="teal-write-", dir=self.work_directory) as folder:
            path = Path(folder) / "rows.parquet"
            duck.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
            self.lake.put_file(key, path, content_type="application/vnd.apache.parquet")
        return self.lake.uri_of(key)


def _refuse_too_many_held(read: Read) -> None:
    """Raises TooManyHeldError when more rows were held than the contract of the file's own rows accepts."""
    primary = read.staged[read.primary]
    if primary.held > primary.received * primary.contract.max_held_ratio:
        raise TooManyHeldError(
            f"{primary.held:,} of {primary.received:,} rows break a rule of {primary.contract.name}; "
            f"at most {primary.contract.max_held_ratio:.0%} may. The held rows say which."
        )
