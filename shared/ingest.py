"""An object was uploaded: bring it into the lake exactly once, or hold it with the reason.

The steps of an ingest are in ``shared/steps``; this file says in which order they come and what happens when one fails.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from shared.catalog.stored import lake_prefix
from shared.catalog.writer import Change, Committed, LakeWriter, Look, NothingToCommit
from shared.commands import command_from, replay_order, run_command
from shared.duck import Duck, StatementError, literal
from shared.erasure import COMMANDS as ABOUT_PERSONS
from shared.erasure import ErasureRules, RunErasure, erase_again
from shared.errors import (
    AppError,
    ConflictError,
    InputError,
    NotFoundError,
    TooManyHeldError,
    UploadTooLargeError,
)
from shared.outcome import Outcome, message_of, outcome_of, skipped
from shared.reading.base import ReadFile, ReceivedFile
from shared.steps import ledger
from shared.steps.erased import Erased, current, erased_in, unwelcome
from shared.steps.expected import ExpectedRow, refuse_changed
from shared.steps.fingerprints import fingerprints_of
from shared.steps.fit import fit_table
from shared.steps.hold import held_key, write_held_rows
from shared.steps.judge import Staged
from shared.steps.merge import FileOnce, apply_merge, plan_merge, tables_with_rows
from shared.steps.new_dataset import refuse_too_many
from shared.steps.order import Order, read_order
from shared.steps.reading import Read, Reading
from shared.steps.receive import COMMANDS, download, identified, inbox_key_from, require_plain, upload_id_of
from shared.steps.report import measure, missing_references, record_held, record_quality
from shared.steps.rollups import apply_rollups, plan_rollups
from shared.steps.withhold import withhold
from shared.storage.base import ObjectStore
from shared.values import InboxKey, RowCounts, UploadedObject

log = logging.getLogger("teal.ingest")
T = TypeVar("T")

ERASED_MEANWHILE = 3
"""How often an upload is looked at anew because somebody was erased meanwhile, before its event has to come again."""


@dataclass(frozen=True)
class IngestRules:
    """What an installation allows and assumes; see the settings of the same names."""

    max_upload_bytes: int = 10 * 2**30
    inline_rows: int = 200
    reading: Reading = field(default_factory=Reading)
    erasure: ErasureRules = field(default_factory=ErasureRules)


class ErasedMeanwhileError(ConflictError):
    """Somebody was erased while an upload was on its way, so it is looked at again."""

    code = "erased_meanwhile"


@dataclass(frozen=True)
class _Run:
    """One upload on its way: its session, the lake it goes to, the row it expects there, and who was erased from it."""

    duck: Duck
    writer: LakeWriter
    tenant: str
    expected: ExpectedRow | None = None
    erased: tuple[Erased, ...] = ()

    def look(self) -> AbstractContextManager[Look]:
        """See LakeWriter.look."""
        return self.writer.look(self.duck)

    def commit(self, author: str, change: Callable[[Change], T], look: Look) -> Committed[T]:
        """See LakeWriter.commit."""
        return self.writer.commit(author, change, duck=self.duck, look=look)


@dataclass(frozen=True)
class IngestUpload:
    """Brings uploads into lakes. Safe to call twice, and at the same time, with the same upload."""

    inbox: ObjectStore
    lake: ObjectStore
    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    read: ReadFile
    rules: IngestRules
    tell: Callable[[Outcome], None]
    work_directory: Path | None = None

    def __call__(self, upload: UploadedObject) -> Outcome:
        """Load, skip or hold; raise only when delivering the event again could help, or when nobody could be told."""
        started = datetime.now(UTC)
        key = inbox_key_from(upload.key)
        if key.dataset != COMMANDS:
            self.read.expect(key.tenant)
        upload = identified(self.inbox, upload)
        with self.session() as duck, TemporaryDirectory(prefix="teal-ingest-", dir=self.work_directory) as folder:
            entry = ledger.Entry(upload_id_of(upload), upload, key.dataset, started)
            run = _Run(duck, self.writer_of(key.tenant), key.tenant)
            if key.dataset == COMMANDS:
                outcome = self._obey(run, entry, Path(folder))
            else:
                outcome = self._bring_in(run, key, entry, Path(folder))
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

    def _obey(self, run: _Run, entry: ledger.Entry, folder: Path) -> Outcome:
        """Run a command that came through the inbox; a command that cannot be obeyed is held with the reason."""
        duck, tenant = run.duck, run.tenant
        with run.look() as look:
            if known := ledger.find(duck, entry.upload).known:
                return skipped(entry, tenant, known)
            try:
                command = command_from(self.inbox.get(entry.upload.key, version=entry.upload.version)[0])
                replay = replay_order(duck, tenant, command) if command.name == "replay" else None
            except (InputError, NotFoundError) as error:
                return self._hold(run, look, entry, error)
        if replay is not None:
            key, order = replay
            return self._bring_in(run, key, replace(entry, dataset=key.dataset), folder, order)
        if command.name in ABOUT_PERSONS:
            prints, rules = (
                fingerprints_of(self.lake, tenant),
                replace(self.rules.erasure, timezone=self.rules.reading.timezone),
            )
            obey = RunErasure(self.lake, self.inbox, tenant, run.writer, prints, rules, folder)
            done, snapshot_id = obey(duck, command, entry)
        else:
            done, snapshot_id = run_command(
                duck,
                run.writer,
                command,
                entry,
                after_rollback=lambda change: erase_again(
                    change, lambda: fingerprints_of(self.lake, tenant), self.rules.reading.timezone
                ),
            )
        return outcome_of(done, tenant, snapshot_id)

    def _bring_in(
        self, run: _Run, key: InboxKey, entry: ledger.Entry, folder: Path, order: Order | None = None
    ) -> Outcome:
        for _ in range(ERASED_MEANWHILE):
            with suppress(ErasedMeanwhileError):
                return self._brought_in(run, key, entry, folder, order)
        return self._brought_in(run, key, entry, folder, order)

    def _brought_in(self, run: _Run, key: InboxKey, entry: ledger.Entry, folder: Path, order: Order | None) -> Outcome:
        duck = run.duck
        with run.look() as look:
            found = ledger.find(duck, entry.upload)
            if found.known:
                return skipped(entry, run.tenant, found.known)
            entry = replace(entry, upload_id=entry.upload.upload_id) if found.is_taken else entry
            if found.later:
                return self._record(run, look, ledger.superseded(entry, found.later))
            filled = tables_with_rows(duck)
            contracts = ledger.contracts(duck) if "teal.contracts" in filled else {}
            run = replace(run, erased=erased_in(duck) if "teal.erased" in filled else ())
            order = order or read_order(self.lake, run.tenant, entry.upload_id)
            entry, run = replace(entry, replay_of=order.replay_of), replace(run, expected=order.expected)
            read: Read | None = None
            try:
                require_plain((order.upload or entry.upload).key)
                if entry.upload.size_bytes > self.rules.max_upload_bytes:
                    raise UploadTooLargeError(f"Files may have {self.rules.max_upload_bytes:,} bytes at most.")
                path, content_hash = download(self.inbox, order.upload or entry.upload, folder)
                entry = replace(entry, content_hash=content_hash)
                log.info("received", extra={"upload_id": entry.upload_id, "bytes": entry.upload.size_bytes})
                if not order.replay_of and (same := ledger.same_content(duck, entry)):
                    return self._record(run, look, same)
                read = self.read(duck, ReceivedFile(path, folder, key, order, self.rules.reading, contracts))
                if run.erased:
                    prints = fingerprints_of(self.lake, run.tenant)
                    read = withhold(duck, read, unwelcome(run.erased, prints), prints, current(contracts))
                entry = replace(entry, source=read.source, notes=read.notes, contract_version=read.version)
                primary = read.staged[read.primary]
                log.info(
                    "judged",
                    extra={"upload_id": entry.upload_id, "received": primary.received, "held": primary.held},
                )
                _refuse_too_many_held(read)
                return self._load(run, look, entry, read, contracts)
            except StatementError:
                raise
            except AppError as error:
                if error.again:
                    raise
                return self._hold(run, look, entry, error, read)

    def _load(self, run: _Run, look: Look, entry: ledger.Entry, read: Read, contracts: ledger.Contracts) -> Outcome:
        """Commit the accepted rows, the rollups, the ledger row and the report: all of it or nothing."""
        duck, tenant, zone = run.duck, run.tenant, self.rules.reading.timezone
        self._write_held_rows(run, entry, read)
        contracts = _fit_tables(run, look, entry, read) if read.new_contracts else contracts
        measured = {staged.contract.name: measure(duck, staged) for staged in read.staged}
        entry = replace(entry, notes=(*entry.notes, *read.rounding))
        file_once = FileOnce(lambda staged, select: self._put_file(run, staged, select))

        def change(change: Change) -> Outcome:
            file_once.start_attempt()
            if not change.as_looked:
                if passed := _passed_over(duck, entry, tenant):
                    ledger.record(duck, passed, now=datetime.now(UTC))
                    change.message = message_of(passed)
                    return outcome_of(passed, tenant, 0)
                if ledger.contracts(duck) != contracts:
                    raise ledger.ContractsChangedError("A contract changed while this upload was judged.")
                if erased_in(duck) != run.erased:
                    raise ErasedMeanwhileError("Somebody was erased while this upload was judged.")
            if run.expected is not None:
                refuse_changed(duck, run.expected)
            plans = [plan_merge(duck, staged) for staged in read.staged]
            touched = plan_rollups(duck, plans, zone)
            for plan in plans:
                apply_merge(change, plan, file_once, inline_rows=self.rules.inline_rows)
            if touched:
                apply_rollups(change, zone)
            added = frozenset(plan.staged.contract.name for plan in plans if plan.added)
            for plan in plans:
                missing = missing_references(duck, plan, added)
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
            return outcome_of(done, tenant, 0)

        committed = run.commit(f"upload {entry.upload_id}", change, look)
        for uri in file_once.unused():
            self.lake.delete(uri.removeprefix(self.lake.uri_of("")))
        return replace(committed.result, snapshot_id=committed.snapshot_id)

    def _hold(self, run: _Run, look: Look, entry: ledger.Entry, error: AppError, read: Read | None = None) -> Outcome:
        """Nothing of the upload goes into the lake but its ledger row and report: held, with a reason, for a replay."""
        received = 0
        if read is not None:
            received = read.staged[read.primary].received
            self._write_held_rows(run, entry, read, whole=error.code)
        counts = RowCounts(received=received, accepted=0, held=received, duplicate=0)
        entry = replace(entry, status="held", reason_code=error.code, reason=error.message, counts=counts)
        return self._record(run, look, entry, read.staged if read else ())

    def _record(self, run: _Run, look: Look, entry: ledger.Entry, held: Sequence[Staged] = ()) -> Outcome:
        """Commit the ledger row of an upload that brings no rows, and the reports of those that are ``held``."""
        measured = [(staged, measure(run.duck, staged)) for staged in held]

        def change(change: Change) -> Outcome:
            if not change.as_looked and (known := ledger.find(run.duck, entry.upload).known):
                raise NothingToCommit(skipped(entry, run.tenant, known))
            for staged, found in measured:
                record_held(run.duck, entry.upload_id, staged, found)
            ledger.record(run.duck, entry, now=datetime.now(UTC))
            change.message = message_of(entry)
            return outcome_of(entry, run.tenant, 0)

        committed = run.commit(f"upload {entry.upload_id}", change, look)
        return replace(committed.result, snapshot_id=committed.snapshot_id)

    def _write_held_rows(self, run: _Run, entry: ledger.Entry, read: Read, *, whole: str = "") -> None:
        key = held_key(run.tenant, entry.upload_id)
        write_held_rows(run.duck, self.lake, key, read.staged, read.primary, whole=whole)

    def _put_file(self, run: _Run, staged: Staged, select: str) -> str:
        """One Parquet file of a dataset in the lake, under a name nobody else uses."""
        key = f"{lake_prefix(run.tenant)}data/main/{staged.contract.name}/teal-{uuid.uuid4().hex}.parquet"
        with TemporaryDirectory(prefix="teal-write-", dir=self.work_directory) as folder:
            path = staged.file
            if path is None:
                path = Path(folder) / "rows.parquet"
                run.duck.execute(f"COPY ({select}) TO {literal(str(path))} (FORMAT parquet)")
            self.lake.put_file(key, path, content_type="application/vnd.apache.parquet")
        return self.lake.uri_of(key)


def _fit_tables(run: _Run, look: Look, entry: ledger.Entry, read: Read) -> ledger.Contracts:
    """Register new contract versions and give their tables the new columns, in a commit of its own.

    DuckLake cannot create a table and inline rows into another one in the same transaction (1.5.5).
    """
    duck = run.duck

    def change(change: Change) -> ledger.Contracts:
        known = ledger.contracts(duck)
        new = [one for one in read.new_contracts if one not in known.get(one.name, ())]
        if any(one.version <= version.version for one in new for version in known.get(one.name, ())):
            raise ledger.ContractsChangedError("Another upload changed the contract at the same time.")
        if not new:
            raise NothingToCommit(known)
        refuse_too_many(known, (one.name for one in new))
        for contract in new:
            fit_table(duck, contract)
            ledger.record_contract(duck, contract, author=f"upload {entry.upload_id}")
        change.message = "contracts: " + ", ".join(f"{one.name} version {one.version}" for one in new)
        return ledger.contracts(duck)

    return run.commit(f"upload {entry.upload_id}", change, look).result


def _passed_over(duck: Duck, entry: ledger.Entry, tenant: str) -> ledger.Entry | None:
    """The entry as skipped when another writer made it needless. Raises NothingToCommit when it is in the ledger."""
    found = ledger.find(duck, entry.upload)
    if found.known:
        raise NothingToCommit(skipped(entry, tenant, found.known))
    if found.later:
        return ledger.superseded(entry, found.later)
    return None if entry.replay_of else ledger.same_content(duck, entry)


def _refuse_too_many_held(read: Read) -> None:
    """Raises TooManyHeldError when more rows were held than the contract of the file's own rows accepts."""
    primary = read.staged[read.primary]
    if primary.held - primary.erased > primary.received * primary.contract.max_held_ratio:
        raise TooManyHeldError(
            f"{primary.held:,} of {primary.received:,} rows break a rule of {primary.contract.name}; "
            f"at most {primary.contract.max_held_ratio:.0%} may. The held rows say which."
        )
