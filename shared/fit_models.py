"""Fits the models of lakes: after commits that changed sales, by the schedule; the results are rows of the lake.

The rule: a fit reads one snapshot and names it; what it finds is committed later, as a whole, and never brings back a
customer who was erased meanwhile.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.catalog.writer import LAKE, Change, LakeWriter, NothingToCommit
from shared.datasets.questions.currency import default_of
from shared.duck import Duck
from shared.errors import AppError
from shared.fitted.base import Fitted, FittedModel, Seen
from shared.sql.load import statement

log = logging.getLogger("teal.models")

AUTHOR = "models"
VERSION = 1
"""Of the code: when it is raised, everything is fitted anew."""


@dataclass
class FitReport:
    """What was done for one lake; ``snapshot`` is the one the models saw, None when there was nothing to do."""

    tenant: str
    snapshot: int | None = None
    served: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    seconds: float = 0.0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FitModels:
    """Fits every model of a lake whose sales changed since; twice, or at the same time, does no harm."""

    writer_of: Callable[[str], LakeWriter]
    session: Callable[[], AbstractContextManager[Duck]]
    models: Sequence[FittedModel]
    timezone: str = "UTC"
    currency: str = ""

    def __call__(self, tenant: str, *, anyway: bool = False) -> FitReport:
        """Fit what is due, or everything ``anyway``; an AppError is told in the report."""
        started = time.monotonic()
        report = FitReport(tenant)
        try:
            with self.session() as duck:
                self._fit(duck, self.writer_of(tenant), report, anyway=anyway)
        except AppError as error:
            log.warning("models stopped", extra={"tenant": tenant, "code": error.code}, exc_info=error)
            report.problems.append(f"{error.code}: {error.message}")
        report.seconds = round(time.monotonic() - started, 3)
        log.info("models", extra=vars(report))
        return report

    def _fit(self, duck: Duck, writer: LakeWriter, report: FitReport, *, anyway: bool) -> None:
        with writer.look(duck):
            changed, seen = duck.execute(statement("fitted/due"), {"version": VERSION})[0]
            if not anyway and (changed is None or (seen is not None and seen >= changed)):
                return
            snapshot, committed_at = duck.execute(statement("fitted/newest"))[0]
            at = Seen(duck, snapshot, committed_at, self.timezone, default_of(self.currency))
            fitted = {model.name: model.fit(at) for model in self.models}
        report.snapshot = snapshot
        for name, one in fitted.items():
            for row in one.rows:
                (report.served if row.status == "served" else report.refused).append(f"{name} {row.currency}".strip())
        writer.commit(AUTHOR, lambda change: self._keep(change, fitted, snapshot), duck=duck)

    def _keep(self, change: Change, fitted: dict[str, Fitted], snapshot: int) -> None:
        """Replace the rows there are; raises NothingToCommit when a fit to a newer snapshot was faster."""
        duck = change.duck
        newer = "SELECT count(*) FROM lake.teal.models WHERE version >= $version AND snapshot > $snapshot"
        if duck.value(newer, {"version": VERSION, "snapshot": snapshot}):
            raise NothingToCommit(None)
        now = datetime.now(UTC)
        _replaced(change, "models", f"FROM {_staged_rows(duck, fitted, snapshot, now)}")
        for model in self.models:
            for table in model.tables:
                staged = fitted[model.name].results[table]
                there = " SEMI JOIN lake.teal.customer_totals USING (customer_id)"
                rows = f"FROM {staged}{there if 'customer_id' in duck.columns(staged) else ''}"
                _replaced(change, table, rows)
        change.message = f"models of snapshot {snapshot}"


def _staged_rows(duck: Duck, fitted: dict[str, Fitted], snapshot: int, now: datetime) -> str:
    """A temporary table with the new rows of teal.models."""
    duck.execute(f"CREATE OR REPLACE TEMP TABLE fitted_models AS FROM {LAKE}.teal.models LIMIT 0")
    for one in fitted.values():
        for row in one.rows:
            values: dict[str, Any] = {
                "model": row.model,
                "currency": row.currency,
                "status": row.status,
                "reason": row.reason,
                "snapshot": snapshot,
                "fitted_at": now,
                "version": VERSION,
                "facts": json.dumps(row.facts),
            }
            columns = ", ".join(f"${name} AS {name}" for name in values)
            duck.execute(f"INSERT INTO temp.fitted_models BY NAME SELECT {columns}", values)
    return "temp.fitted_models"


def _replaced(change: Change, table: str, rows: str) -> None:
    name = f"{LAKE}.teal.{table}"
    removed = int(change.duck.execute(f"DELETE FROM {name}")[0][0])
    added = int(change.duck.execute(f"INSERT INTO {name} BY NAME {rows}")[0][0])
    change.touched(f"teal.{table}", added=added, removed=removed)
