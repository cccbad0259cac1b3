"""Wires what keeps lakes in order: the schedule, and what an operator calls by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from shared.audit import AuditEntry
from shared.logs import errors_end_here
from shared.resources import catalog_of, inbox_store, lake_store, reader_of, sessions, settings, work_folder, writer_of
from shared.wiring.arrivals import uploads
from shared.wiring.records import audit
from shared.wiring.tenants import finish_what_was_ordered

if TYPE_CHECKING:
    from shared.doctor import Doctor
    from shared.fit_models import FitModels, FitReport
    from shared.fold_usage import FoldReport, FoldUsage
    from shared.gather_audit import GatherAudit, GatherReport
    from shared.restore import RestoreCatalog
    from shared.tenant_deletion import TenantReport
    from shared.tidy import TidyLakes, TidyReport


@cache
def tidy() -> TidyLakes:
    """The use case behind the schedule."""
    from shared.leftovers import TidyRules
    from shared.tidy import TidyLakes

    chosen = settings()
    rules = TidyRules(
        keep_snapshots_days=chosen.keep_snapshots_days,
        orphan_grace_hours=chosen.orphan_grace_hours,
        keep_held_days=chosen.keep_held_days,
        keep_jobs_hours=chosen.keep_jobs_hours,
    )
    return TidyLakes(lake_store(), writer_of, sessions(), rules)


@errors_end_here()
def maintain() -> list[TenantReport | FoldReport | TidyReport | FitReport | GatherReport]:
    """What the schedule does: finish what was ordered for tenants, fold usage, tidy all lakes, fit models to sales that
    changed, gather the audit.

    Raises LoggedError.
    """
    finished = finish_what_was_ordered()
    tenants = tidy().tenants()
    folded = [fold_usage()(tenant) for tenant in tenants]
    tidied = tidy_lakes(tenants)
    fitted = [fit_models()(tenant) for tenant in tenants]
    return [*finished, *folded, *tidied, *fitted, gather_audit()()]


def tidy_lakes(tenants: Iterable[str] | None = None) -> list[TidyReport]:
    """Tidy these lakes, or all, and say in the audit of which something went."""
    reports = tidy()(tenants)
    for report in reports:
        # Of the operator's lake only what is wrong: else each round would leave an entry that the next one tidies.
        did = report.tenant != settings().operator and (report.expired or report.deleted or report.rewritten)
        if did or report.problems:
            outcome = "failed" if report.problems else "done"
            audit()(AuditEntry("tidy", outcome, changes=True, tenant=report.tenant))
    return reports


@cache
def gather_audit() -> GatherAudit:
    """Brings what was done into the operator's lake."""
    from shared.gather_audit import GatherAudit

    # What a bucket's event brings in is there at the next round; a schedule has no time to wait for it.
    hasty = replace(uploads(), rules=replace(uploads().rules, write_wait_seconds=0))
    return GatherAudit(settings().operator, lake_store(), hasty, reader_of, work_directory=work_folder())


@cache
def fold_usage() -> FoldUsage:
    """Brings what was asked into the lakes."""
    from shared.fold_usage import FoldUsage

    return FoldUsage(lake_store(), writer_of, sessions())


@cache
def fit_models() -> FitModels:
    """Fits the models of lakes; needs numpy, which only the package of the function tidy and the laptop have."""
    from shared.fit_models import FitModels
    from shared.fitted.baskets import BasketModel
    from shared.fitted.lifetime import LifetimeModel
    from shared.fitted.series import AnomalyModel, ForecastModel

    chosen = settings()
    models = (LifetimeModel(), ForecastModel(), AnomalyModel(), BasketModel())
    return FitModels(writer_of, sessions(), models, chosen.timezone, chosen.currency)


def rebuild_rollups(tenant: str) -> tuple[int, int]:
    """Make a lake's rollups anew: the number of order totals, and the snapshot."""
    from shared.steps.rollups import rebuild_rollups as rebuild

    with sessions()() as duck:
        done = writer_of(tenant).commit("rebuild", lambda change: rebuild(change, settings().timezone), duck=duck)
    return done.result, done.snapshot_id


def doctor() -> Doctor:
    """Looks whether this installation and a lake are healthy."""
    from shared.doctor import Doctor

    return Doctor(lake_store(), inbox_store(), catalog_of, sessions())


def restore_catalog() -> RestoreCatalog:
    """Brings a lost catalog back."""
    from shared.restore import RestoreCatalog

    return RestoreCatalog(lake_store(), inbox_store(), catalog_of, sessions())
