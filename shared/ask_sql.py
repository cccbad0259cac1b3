"""Ask SQL of a snapshot: what it may see there is known before it runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.catalog.reader import LakeReader, PinnedLake
from shared.paging import Cursors, subject_of
from shared.query import AskQuestion
from shared.remembered import Remembered
from shared.snapshots import contracts_in
from shared.stranger_sql.ad_hoc import SqlQuestion
from shared.stranger_sql.explain import explained
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
        counts_bytes: bool = False,
        runs_here: bool = True,
    ) -> tuple[SqlQuestion, int]:
        """The question about the snapshot that is asked, or that a cursor keeps to, and that snapshot.

        ``needs_tables`` is for a quote, which runs nothing, ``counts_bytes`` for who may not read any number of them.
        Raises SnapshotNotFoundError, InvalidCursorError; with either RefusedSqlError, InvalidSqlError; and SqlBusyError
        where it is run in this process.
        """
        if self.ask.run_stranger is not None and runs_here and not needs_tables:
            self.ask.run_stranger.require_room(tenant)
        if cursor:
            subject = subject_of(question.name, question.model_dump(mode="json"))
            snapshot, as_of = self.cursors.open(tenant, subject, cursor)["snapshot"], None
        looks = needs_tables or counts_bytes
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            personal = self.known(tenant, lake, personal_in)
            return question.of(personal, _read(lake, question.sql, personal) if looks else ()), lake.snapshot_id


def _read(lake: PinnedLake, sql: str, datasets: Personal) -> Collection[str]:
    """The datasets that SQL reads; an EXPLAIN reads none."""
    text, is_explain = explained(sql)
    tables = SqlGuard(lake.duck, datasets).check(text).tables
    return () if is_explain else tables


def personal_in(lake: PinnedLake) -> Personal:
    """The personal columns of every dataset of a snapshot."""
    return {
        name: frozenset(column.name for column in contract.columns if column.personal)
        for name, contract in contracts_in(lake).items()
    }
