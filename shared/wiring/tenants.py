"""Wires who may ask, and what the operator does with tenants."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared.audit import AuditEntry
from shared.credentials import Credentials
from shared.resources import general_limits, inbox_store, keys, lake_store, reader_of, settings, tenants, work_folder
from shared.tenant_admin import TenantAdmin
from shared.tenant_export import ExportTenant
from shared.tokens import Tokens
from shared.wiring.records import audit

if TYPE_CHECKING:
    from shared.tenant_deletion import FinishTenants, TenantReport


@cache
def credentials() -> Credentials:
    """Who asks, by whatever they present."""
    tokens = Tokens(settings().jwt_issuers, operator=settings().operator)
    return Credentials(keys(), tokens, tenants(), general_limits())


@cache
def tenant_admin() -> TenantAdmin:
    """What the operator does with tenants; on a folder it is done at once, in a cloud by the schedule."""
    at_once = "://" not in settings().lake

    def work(tenant: str) -> None:
        if at_once:
            finish_tenants().finish(tenant)

    return TenantAdmin(tenants(), keys(), lake_store(), export_tenant(), work)


@cache
def export_tenant() -> ExportTenant:
    """Everything a tenant brought, as files."""
    chosen = settings()
    return ExportTenant(lake_store(), reader_of, work_folder(), chosen.signed_url_seconds)


@cache
def finish_tenants() -> FinishTenants:
    """Makes the exports and deletions that were ordered."""
    from shared.tenant_deletion import FinishTenants

    return FinishTenants(tenants(), keys(), lake_store(), inbox_store(), export_tenant())


def finish_what_was_ordered() -> list[TenantReport]:
    """Do what was ordered for tenants, and say so in the audit."""
    reports = finish_tenants()()
    for report in reports:
        action, outcome = f"tenant {report.status}", "failed" if report.problems else "done"
        audit()(AuditEntry(action, outcome, changes=True, tenant=report.tenant))
    return reports
