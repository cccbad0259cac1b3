"""What whoever operates an installation may do with its tenants: the same by command and over HTTP.

The rule: only what is there can be changed, so that a misspelt name makes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.keys import Keys
from shared.limits import Limits
from shared.storage.base import ObjectStore
from shared.tenant_export import Export, ExportTenant
from shared.tenant_objects import tenants_in
from shared.tenants import Tenant, Tenants, UnknownTenantError


@dataclass(frozen=True)
class TenantAdmin:
    """``work`` does at once what was ordered for a tenant; in a cloud the schedule does, and it does nothing."""

    tenants: Tenants
    keys: Keys
    lake: ObjectStore
    exports: ExportTenant
    work: Callable[[str], object]

    def all(self) -> list[Tenant]:
        """Every tenant by name: those written down, and those that have a key or a lake."""
        found = {tenant.name: tenant for tenant in self.tenants.recorded()}
        names = {key.tenant for key in self.keys.list()} | tenants_in(self.lake)
        return sorted([*found.values(), *map(Tenant, names - found.keys())], key=lambda tenant: tenant.name)

    def one(self, name: str) -> Tenant:
        """Raises UnknownTenantError."""
        tenant = self.tenants.now(name)
        if tenant.created_at is None and not self._is_there(name):
            raise UnknownTenantError("There is no such tenant.")
        return tenant

    def change(self, name: str, *, label: str | None = None, limits: Limits | None = None) -> Tenant:
        """See Tenants.change. Raises UnknownTenantError too."""
        self.one(name)
        return self.tenants.change(name, label=label, limits=limits)

    def suspend(self, name: str, reason: str = "") -> Tenant:
        """See Tenants.suspend. Raises UnknownTenantError too."""
        self.one(name)
        return self.tenants.suspend(name, reason)

    def resume(self, name: str) -> Tenant:
        """See Tenants.resume. Raises UnknownTenantError too."""
        self.one(name)
        return self.tenants.resume(name)

    def export(self, name: str) -> Export:
        """Order an export into the lakes' store. Raises UnknownTenantError, TenantDeletedError."""
        self.one(name)
        self.tenants.refuse_gone(name)
        export = self.exports.order(name)
        self.work(name)
        return self.exports.one(name, export.export_id)

    def delete(self, name: str, *, export: bool = True) -> tuple[Tenant, Export | None]:
        """Order a deletion, after an export unless told not to; a second order only goes on with the first.

        Raises UnknownTenantError, InvalidTenantError.
        """
        known = self.one(name)
        self.tenants.refuse_operator(name)
        # Ordered before the deletion is: whoever stops in between has an export too many, and no deletion without one.
        ordered = self.exports.order(name) if export and not known.is_gone else None
        if not export:
            self.exports.withdraw(name)
        self.tenants.order_deletion(name)
        self.work(name)
        return self.tenants.now(name), ordered and self.exports.one(name, ordered.export_id)

    def _is_there(self, name: str) -> bool:
        if next(iter(self.lake.list(f"lake/{name}/")), None) is not None:
            return True
        return bool(self.keys.list(name))
