"""Deletes tenants whose deletion was ordered, and makes the exports that were: on the schedule, and at once by command.

The rule: the order is a record that ends the tenant's credentials, so what is deleted afterwards cannot be asked for.
Every step may be repeated. What was on its way when the order came may arrive later: it is swept up for some days.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.errors import AppError
from shared.keys import Keys
from shared.storage.base import ObjectStore
from shared.tenant_export import ExportTenant
from shared.tenant_objects import EXPORTS, IN_INBOX, IN_LAKE, delete_below
from shared.tenants import Tenant, Tenants

log = logging.getLogger("teal.tenants")

KEEP_EXPORTS_DAYS = 7.0
SWEEP_DAYS = 8.0
"""Signed URLs live seven days at most, so nobody can put an object here by one after that."""


@dataclass
class TenantReport:
    """What was done for one tenant: exports made, objects and keys deleted; ``status`` is what it is now."""

    tenant: str
    status: str = ""
    exports: int = 0
    deleted: int = 0
    keys: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class FinishTenants:
    """Does what was ordered for tenants; twice, or at the same time, does no harm."""

    tenants: Tenants
    keys: Keys
    lake: ObjectStore
    inbox: ObjectStore
    export: ExportTenant
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __call__(self) -> list[TenantReport]:
        """For every tenant that is written down; what goes wrong with one is told and does not stop the others."""
        reports = []
        for tenant in self.tenants.recorded():
            report = TenantReport(tenant.name, tenant.status)
            try:
                report = self.finish(tenant.name)
            except AppError as error:
                log.warning("tenant not finished", extra={"tenant": tenant.name, "code": error.code}, exc_info=error)
                report.problems.append(f"{error.code}: {error.message}")
            if report.exports or report.deleted or report.problems:
                reports.append(report)
        return reports

    def finish(self, name: str) -> TenantReport:
        """Make what is ordered for one tenant so. Raises as the store and the engine do; then it is to be repeated."""
        tenant = self.tenants.now(name)
        report = TenantReport(name, tenant.status)
        if tenant.status == "deleted":
            if self._is_younger(tenant, SWEEP_DAYS):
                self._delete(name, report)
        else:
            report.exports = len(self.export.run_ordered(name))
            if tenant.status == "deleting":
                self._delete(name, report)
                report.status = self.tenants.mark_deleted(name).status
        self._expire_exports(name, report)
        if report.exports or report.deleted:
            log.info("tenant finished", extra=vars(report))
        return report

    def _delete(self, name: str, report: TenantReport) -> None:
        report.keys += self.keys.delete_all(name)
        # The inbox first: what still lies there could come in again.
        report.deleted += delete_below(self.inbox, IN_INBOX, name)
        report.deleted += delete_below(self.lake, IN_LAKE, name)

    def _expire_exports(self, name: str, report: TenantReport) -> None:
        too_old = self.now() - timedelta(days=KEEP_EXPORTS_DAYS)
        for export in self.export.all(name):
            if export.finished_at is not None and export.finished_at < too_old:
                prefix = f"{EXPORTS}{export.export_id}/"
                report.deleted += delete_below(self.lake, (prefix,), name)

    def _is_younger(self, tenant: Tenant, days: float) -> bool:
        return tenant.changed_at is not None and self.now() - tenant.changed_at < timedelta(days=days)
