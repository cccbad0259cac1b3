"""Ask SQL of a snapshot: what it may see there is known before it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.catalog.reader import LakeReader, PinnedLake
from shared.paging import Cursors, subject_of
from shared.query import AskQuestion
from shared.remembered import Remembered
from shared.snapshots import contracts_in
from shared.stranger_sql.ad_hoc import SqlQuestion
from shared.stranger_sql.guard import SqlGuard

Personal = Mapping[str, frozenset[str]]
"""The columns of each dataset that a contract marks personal; every dataset is there."""


@dataclass(frozen=True)
class AskSql:
    """Makes SQL a question about one snapshot of a tenant's lake; ``ask`` answers it."""

    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    ask: AskQuestion
    known: Remembered[Personal] = field(default_factory=Remembered)

    def find(
        self,
        tenant: str,
        question: SqlQuestion,
        *,
        snapshot: int | None = None,
        as_of: datetime | None = None,
        cursor: str | None = None,
        needs_tables: bool = False,
    ) -> tuple[SqlQuestion, int]:
        """The question about the snapshot that is asked, or that a cursor keeps to, and that snapshot.

        ``needs_tables`` is for a quote, which runs nothing. Raises SnapshotNotFoundError, InvalidCursorError; with it
        RefusedSqlError, InvalidSqlError, and without it SqlBusyError.
        """
        if self.ask.run_stranger is not None and not needs_tables:
            self.ask.run_stranger.require_room(tenant)
        if cursor:
            subject = subject_of(question.name, question.model_dump(mode="json"))
            snapshot, as_of = self.cursors.open(tenant, subject, cursor)["snapshot"], None
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            personal = self.known(tenant, lake, personal_in)
            tables = SqlGuard(lake.duck, personal).check(question.sql).tables if needs_tables else ()
            return question.of(personal, tables), lake.snapshot_id


def personal_in(lake: PinnedLake) -> Personal:
    """The personal columns of every dataset of a snapshot."""
    return {
        name: frozenset(column.name for column in contract.columns if column.personal)
        for name, contract in contracts_in(lake).items()
    }
