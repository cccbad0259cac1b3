"""What is told of uploads that were looked at: the ledger's list, quality reports, the rows that were put aside.

The rule: it reads the ledger and what lies beside it; it writes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.catalog.reader import LakeReader
from shared.errors import InvalidParameterError, NotFoundError
from shared.inbox import COMMANDS
from shared.paging import Cursors, Page, page_size, subject_of
from shared.sql.load import statement
from shared.steps.hold import held_now
from shared.storage.base import ObjectStore
from shared.upload_state import STATUSES, HeldRow, UploadState, state_from


class NoReportError(NotFoundError):
    """The upload has no quality report, since its rows were not judged. The message says why."""

    code = "no_report"


class HeldRowsExpiredError(NotFoundError):
    """The upload's held rows were kept for a time and are gone; the ledger still says how many they were."""

    code = "held_rows_expired"


@dataclass(frozen=True)
class UploadReports:
    """The uploads of all tenants as the ledger has them; ``state_of`` knows those that are on their way too."""

    lake: ObjectStore
    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    max_page_rows: int
    state_of: Callable[[str, str], UploadState]

    def newest(
        self,
        tenant: str,
        *,
        status: str | None = None,
        dataset: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        snapshot: int | None = None,
        as_of: datetime | None = None,
    ) -> Page:
        """The ledger, newest first. Raises InvalidParameterError, InvalidCursorError, PageTooLargeError."""
        if status is not None and status not in STATUSES:
            raise InvalidParameterError(f"status: one of {', '.join(STATUSES)}")
        rows = page_size(limit, self.max_page_rows)
        subject = subject_of("uploads", {"status": status, "dataset": dataset})
        position = self.cursors.open(tenant, subject, cursor) if cursor else {}
        with self.reader_of(tenant).pin(position.get("snapshot", snapshot), None if position else as_of) as lake:
            result = lake.duck.query(
                statement("uploads/newest"),
                {
                    "status": status,
                    "dataset": dataset,
                    "after_at": position.get("at"),
                    "after_id": position.get("id"),
                    "rows": rows + 1,
                },
            )
            pinned = lake.snapshot_id
        states = [state_from(dict(zip(result.columns, row, strict=True))) for row in result.rows]
        after = None
        if len(states) > rows:
            last = states[rows - 1]
            assert last.received_at is not None  # noqa: S101 - the ledger always has it
            place = {"at": last.received_at.isoformat(), "id": last.upload_id, "snapshot": pinned}
            after = self.cursors.seal(tenant, subject, place)
        return Page(states[:rows], after, pinned)

    def quality(
        self, tenant: str, upload_id: str, *, snapshot: int | None = None, as_of: datetime | None = None
    ) -> tuple[list[dict[str, Any]], int]:
        """The quality report per dataset, and the snapshot it was read from. ``valid`` rows break no rule.

        Raises UnknownUploadError, and NoReportError when nothing was measured.
        """
        state = self.state_of(tenant, upload_id)
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            result = lake.duck.query(statement("uploads/quality"), {"upload_id": upload_id})
            pinned = lake.snapshot_id
        if not result.rows:
            raise NoReportError(why_no_report(state, pinned))
        return [report_from(dict(zip(result.columns, row, strict=True))) for row in result.rows], pinned

    def held_rows(self, tenant: str, upload_id: str, *, limit: int | None = None, cursor: str | None = None) -> Page:
        """The rows that were put aside: those that break a rule in the order of the file, then those held with them.

        Rows with a number are as many as the ledger says are held. Raises UnknownUploadError, HeldRowsExpiredError.
        """
        state = self.state_of(tenant, upload_id)
        rows = page_size(limit, self.max_page_rows)
        subject = subject_of("held", {"upload": upload_id})
        position = self.cursors.open(tenant, subject, cursor) if cursor else {"after": -1}
        with self.reader_of(tenant).pin() as lake:
            # What an attempt that was not the one that counts has left there is no part of the upload.
            if not state.settled or state.status == "skipped":
                return Page([], None, lake.snapshot_id)
            key = held_now(self.lake, tenant, upload_id)
            if key is None:
                if state.held:
                    raise HeldRowsExpiredError("The held rows were kept for a time and are gone.")
                return Page([], None, lake.snapshot_id)
            found = lake.duck.execute(
                statement("uploads/held"),
                {"uri": self.lake.uri_of(key), "after": position["after"], "rows": rows + 1},
            )
            pinned = lake.snapshot_id
        after = None
        if len(found) > rows:
            after = self.cursors.seal(tenant, subject, {"after": found[rows - 1][0]})
        return Page([HeldRow(*row[1:]) for row in found[:rows]], after, pinned)


def report_from(row: dict[str, Any]) -> dict[str, Any]:
    """A report with ``valid``, the rows that break no rule: of a file that is held as a whole they are held too."""
    measures = json.loads(row["measures"] or "{}")
    broken = sum(column["invalid"] for column in measures.values())
    return {**row, "valid": row["received"] - broken, "measures": measures}


def why_no_report(state: UploadState, snapshot: int) -> str:
    """A sentence for a person who asks for the report in ``snapshot``."""
    if not state.settled:
        return "The upload has not been looked at yet, so it has no quality report."
    if state.snapshot is not None and state.snapshot > snapshot:
        return "The upload came after this snapshot, which has no quality report of it."
    if state.dataset == COMMANDS:
        return "The upload was a command and no file, so it has no quality report."
    if state.status == "skipped":
        return f"The file was skipped, so it has no quality report. {state.reason}"
    return f"No row of the file could be judged, so it has no quality report. {state.reason}".rstrip()
