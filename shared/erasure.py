"""Commands about persons: erase one, or let one come in again.

The rule: the ledger says that a person is erased only once everything is done. What is done before that (a commit of
the tables, then the objects beside them) does no harm when it is done again, so a command that comes again goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared.catalog.writer import LAKE, Change, LakeWriter, NothingToCommit
from shared.commands import Command
from shared.duck import Duck
from shared.erasure_command import ALREADY, ERASE, FILES, MODES, READMIT
from shared.errors import InvalidParameterError, UnknownCustomerError
from shared.steps import ledger
from shared.steps.erase import ErasedRows, erase_rows, record
from shared.steps.erased import Erased, current, erased_in, mentions_of, unwelcome
from shared.steps.fingerprints import Fingerprints
from shared.storage.base import ObjectStore
from shared.traces import Found, Traces

COMMANDS = frozenset({ERASE, READMIT})
LISTED = 100
"""Files that a receipt names; all of them are counted."""


@dataclass(frozen=True)
class ErasureRules:
    """``trace_days`` is how long after its erasure a person may still be in older snapshots and their files."""

    timezone: str = "UTC"
    trace_days: float = 31.0
    search_seconds: float = 120.0


@dataclass(frozen=True)
class RunErasure:
    """Obeys the commands about persons of one tenant."""

    lake: ObjectStore
    inbox: ObjectStore
    tenant: str
    writer: LakeWriter
    fingerprints: Fingerprints
    rules: ErasureRules
    folder: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self, duck: Duck, command: Command, entry: ledger.Entry) -> tuple[ledger.Entry, int]:
        """Do what a command says; one that cannot be done is held. Returns its ledger entry and the snapshot."""
        entry = replace(entry, source=command.name, status="loaded")
        person = str(command.arguments.get("person", ""))
        mode, files = (
            str(command.arguments.get(name, first[0])) for name, first in (("mode", MODES), ("files", FILES))
        )
        if len(person) != 64 or mode not in MODES or files not in FILES:
            error = InvalidParameterError("A person is named by a fingerprint; mode and files have two values each.")
            return self._tell(duck, command, _held(entry, error.code, error.message))
        if command.name == READMIT:
            return self._readmit(duck, command, entry, person)
        return self._erase(duck, command, entry, self._asked(entry, person, mode), delete=files == "delete")

    def _asked(self, entry: ledger.Entry, person: str, mode: str) -> Erased:
        now = self.now()
        gone_after = now + timedelta(days=self.rules.trace_days)
        return Erased(person, (), mode, entry.upload_id, "", 0, now, gone_after)

    def _erase(
        self, duck: Duck, command: Command, entry: ledger.Entry, asked: Erased, *, delete: bool
    ) -> tuple[ledger.Entry, int]:
        done = self.writer.commit(command.author, lambda change: self._take_out(change, asked), duck=duck)
        erased, was_known = done.result
        with self.writer.look(duck):
            found = self._look_beside(duck, erased, delete=delete)
        if not (erased.snapshot_id or was_known or found.held_rows):
            error = UnknownCustomerError("There is no such customer.")
            return self._tell(duck, command, _held(entry, error.code, error.message))
        receipt = {**erased.receipt, **_told(found, erased.receipt)}
        told = replace(erased, searched_to=found.searched_to, receipt=receipt)
        is_new = told.upload_id == entry.upload_id
        reason = "Erased a person." if is_new else "This person was erased already."
        entry = replace(entry, reason=reason, status="loaded" if is_new else "skipped")
        entry = entry if is_new else replace(entry, reason_code=ALREADY)

        def finish(change: Change) -> None:
            newest = {one.person: one for one in erased_in(duck)}.get(asked.person)
            base = newest or replace(told, snapshot_id=_next_snapshot(duck))
            record(duck, replace(base, searched_to=told.searched_to, receipt=told.receipt), self.fingerprints)
            change.message = f"{command.name}: {reason}"

        return self._tell(duck, command, entry, finish)

    def _take_out(self, change: Change, asked: Erased) -> tuple[Erased, bool]:
        """Inside a commit: the tables without the person, and the erasure as it is remembered from now on."""
        duck = change.duck
        former = {one.person: one for one in erased_in(duck)}.get(asked.person)
        was_known = former is not None
        persons = (replace(asked, emails=former.emails if former else ()),)
        rows = erase_rows(change, persons, self.fingerprints, self.rules.timezone)
        if former is not None and not former.lifted_at and not rows.changed and former.mode == asked.mode:
            raise NothingToCommit((former, True))
        if not rows.is_known and former is None:
            raise NothingToCommit((asked, False))
        emails = {*rows.emails, *(former.emails if former else ())}
        interrupted = former.receipt if former is not None and former.upload_id == asked.upload_id else {}
        counted = _added(interrupted.get("datasets", {}), rows)
        erased = replace(
            asked,
            emails=tuple(sorted(emails)),
            snapshot_id=_next_snapshot(duck),
            receipt={"datasets": counted},
        )
        record(duck, erased, self.fingerprints)
        change.message = f"erase: {rows.changed} rows of a person"
        return erased, was_known

    def _look_beside(self, duck: Duck, erased: Erased, *, delete: bool) -> Found:
        contracts = current(ledger.contracts(duck))
        self.fingerprints.make_ready(duck)
        mentions = mentions_of((erased,), self.fingerprints, contracts.values())
        traces = Traces(duck, self.lake, self.inbox, self.tenant, mentions, contracts, self.folder)
        settled = duck.execute(f"SELECT DISTINCT upload_id FROM {LAKE}.teal.uploads")
        found = Found(held_rows=traces.held_rows())
        if erased.snapshot_id or found.held_rows:
            found.answers = traces.answers()
            found.records = traces.records(frozenset(upload_id for (upload_id,) in settled))
            traces.files(found, delete=delete, after=erased.searched_to, seconds=self.rules.search_seconds)
        return found

    def _readmit(self, duck: Duck, command: Command, entry: ledger.Entry, person: str) -> tuple[ledger.Entry, int]:
        with self.writer.look(duck):
            known = any(one.person == person and one.lifted_at is None for one in erased_in(duck))
        if not known:
            return self._tell(duck, command, _held(entry, UnknownCustomerError.code, "No such person is erased."))

        def lift(change: Change) -> None:
            for one in erased_in(duck):
                if one.person == person:
                    record(duck, replace(one, lifted_at=one.lifted_at or self.now()), self.fingerprints)
            change.message = "readmit: a person may come in again"

        return self._tell(duck, command, replace(entry, reason="This person may come in again."), lift)

    def _tell(
        self,
        duck: Duck,
        command: Command,
        entry: ledger.Entry,
        effect: Callable[[Change], None] = lambda change: None,
    ) -> tuple[ledger.Entry, int]:
        """Write the ledger row of a command, with what belongs into the same commit."""

        def change(change: Change) -> ledger.Entry:
            if known := ledger.find(duck, entry.upload).known:
                reason = f"This version was already brought in as {known}."
                raise NothingToCommit(replace(entry, upload_id=known, status="skipped", reason_code="", reason=reason))
            change.message = f"{command.name}: {entry.reason}"
            effect(change)
            ledger.record(duck, entry, now=self.now())
            change.message += f"; upload {entry.upload_id}"
            return entry

        committed = self.writer.commit(command.author, change, duck=duck)
        return committed.result, committed.snapshot_id


def erase_again(change: Change, fingerprints: Callable[[], Fingerprints], zone: str) -> None:
    """Take out everybody who was erased: after a rollback, whose rows may be older than their erasure."""
    if erased := erased_in(change.duck):
        key = fingerprints()
        erase_rows(change, unwelcome(erased, key), key, zone)


def _held(entry: ledger.Entry, code: str, reason: str) -> ledger.Entry:
    return replace(entry, status="held", reason_code=code, reason=reason)


def _next_snapshot(duck: Duck) -> int:
    return int(duck.value(f"FROM {LAKE}.current_snapshot()")) + 1


def _added(former: dict[str, dict[str, int]], rows: ErasedRows) -> dict[str, dict[str, int]]:
    """Counts of this run and of one that was interrupted."""
    names = sorted(former.keys() | rows.datasets.keys())
    zero = {"deleted": 0, "anonymised": 0}
    both = {name: (former.get(name, zero), rows.datasets.get(name, zero)) for name in names}
    return {name: {word: one[word] + other[word] for word in zero} for name, (one, other) in both.items()}


def _told(found: Found, former: Mapping[str, Any]) -> dict[str, Any]:
    """What was found beside the tables, by all runs together; ``kept`` files are those of the last one."""
    files = former.get("files", {})
    return {
        "held_rows": former.get("held_rows", 0) + found.held_rows,
        "answers": former.get("answers", 0) + found.answers,
        "records": former.get("records", 0) + found.records,
        "files": {
            "deleted": files.get("deleted", 0) + len(found.deleted),
            "kept": len(found.kept),
            "unsearched": found.unsearched,
            "deleted_uploads": [*files.get("deleted_uploads", ()), *found.deleted][:LISTED],
            "kept_uploads": found.kept[:LISTED],
        },
    }
