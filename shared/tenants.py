"""The tenants of an installation: a small record for each that somebody made, changed by compare-and-swap.

The rule: a tenant is what its credentials and its lake say, so one without a record is active; a record only says what
cannot be seen from them: that it is suspended or deleted, its limits, its label. A deleted one keeps its name taken.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from shared.errors import ConflictError, InputError, NotFoundError, ObjectNotFoundError
from shared.limits import UNLIMITED, Limits
from shared.recent import Recent
from shared.storage.base import ObjectStore
from shared.values import NAME

Status = Literal["active", "suspended", "deleting", "deleted"]

PREFIX = "tenants/"
CACHE_SECONDS = 60.0
"""How long a suspended tenant may still be served by a warm process."""
FREE_AFTER_SECONDS = 2 * CACHE_SECONDS
"""After its deletion nobody gets a tenant's name: for half of that a warm process may still know its keys."""
MAX_TEXT = 200
_TIMES = ("created_at", "changed_at")


class UnknownTenantError(NotFoundError):
    """No tenant of that name."""

    code = "unknown_tenant"


class InvalidTenantError(InputError):
    """A tenant cannot be made or changed like that; the message says why."""

    code = "invalid_tenant"


class TenantExistsError(ConflictError):
    """There is a tenant of that name, or there was one and its name is kept."""

    code = "tenant_exists"
    again = False


class TenantSuspendedError(InputError):
    """The tenant is suspended: its data is kept, and neither asked nor changed until it is resumed."""

    code = "tenant_suspended"
    status = 403


class TenantDeletedError(InputError):
    """The tenant was deleted, or is being deleted."""

    code = "tenant_deleted"
    status = 409


@dataclass(frozen=True)
class Tenant:
    """What is written down of a tenant; without a record, ``created_at`` is None and all else as it begins.

    ``changed_at`` is when the status changed. Of one that is ``deleting`` nothing works, and nobody can undo that.
    """

    name: str
    status: Status = "active"
    created_at: datetime | None = None
    changed_at: datetime | None = None
    label: str = ""
    reason: str = ""
    limits: Limits = UNLIMITED

    @property
    def is_gone(self) -> bool:
        """Deleted, or on the way there."""
        return self.status in ("deleting", "deleted")

    def require_active(self) -> None:
        """Raises TenantSuspendedError, TenantDeletedError."""
        if self.status == "suspended":
            raise TenantSuspendedError("This tenant is suspended; whoever operates this installation can resume it.")
        if self.is_gone:
            raise TenantDeletedError(f"The tenant {self.name} is deleted.")


class Tenants:
    """The records, in the lakes' store under ``tenants/``; shared by all threads of a process."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        operator: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache_seconds: float = CACHE_SECONDS,
    ) -> None:
        self._store = store
        self._operator = operator
        self._now = now
        self._recent: Recent[Tenant] = Recent(cache_seconds, 4_096)

    def standing(self, name: str) -> Tenant:
        """The tenant as it was a minute ago at most; one nobody wrote down is active. Raises StoreUnavailableError."""
        tenant = self._recent.get(name)
        if tenant is None:
            tenant = self.now(name)
            self._recent.put(name, tenant)
        return tenant

    def knows(self, name: str) -> bool:
        """Whether ``standing`` answers from memory."""
        return name in self._recent

    def now(self, name: str) -> Tenant:
        """The tenant as it is written down this moment; one nobody wrote down is active."""
        return self._read(name)[0]

    def recorded(self) -> list[Tenant]:
        """All that are written down, by name; the deleted ones too."""
        names = [info.key.removeprefix(PREFIX).removesuffix(".json") for info in self._store.list(PREFIX)]
        found = (self.now(name) for name in names)
        return [tenant for tenant in found if tenant.created_at is not None]

    def create(self, name: str, *, label: str = "", limits: Limits = UNLIMITED, again: bool = False) -> Tenant:
        """Write a tenant down; ``again`` takes the name of one that was deleted.

        Raises InvalidTenantError, TenantExistsError, PreconditionFailedError.
        """
        if not NAME.match(name):
            raise InvalidTenantError("A tenant is a lower-case name: a-z, 0-9 and _, at most 63.")
        former, etag = self._read(name)
        if former.status == "deleted" and not again:
            raise TenantExistsError(f"There was a tenant {name}, which was deleted; say so to use its name again.")
        if etag and former.status != "deleted":
            raise TenantExistsError(f"There is a tenant {name} already.")
        now = self._now()
        if former.changed_at and (free_at := former.changed_at + timedelta(seconds=FREE_AFTER_SECONDS)) > now:
            message = f"The tenant {name} was deleted just now; its name is free at {free_at:%H:%M:%S} UTC."
            raise TenantExistsError(message)
        return self._write(Tenant(name, "active", now, now, label[:MAX_TEXT], limits=limits), etag)

    def change(self, name: str, *, label: str | None = None, limits: Limits | None = None) -> Tenant:
        """Another label, or other limits in the place of all former ones. Raises TenantDeletedError."""
        tenant, etag = self._living(name)
        changed = replace(
            tenant,
            label=tenant.label if label is None else label[:MAX_TEXT],
            limits=tenant.limits if limits is None else limits,
        )
        return self._write(changed, etag)

    def suspend(self, name: str, reason: str = "") -> Tenant:
        """Stop serving a tenant; nothing of it is deleted. Raises InvalidTenantError, TenantDeletedError."""
        self.refuse_operator(name)
        return self._turn(*self._living(name), "suspended", reason)

    def resume(self, name: str) -> Tenant:
        """Serve a suspended tenant again. Raises TenantDeletedError."""
        return self._turn(*self._living(name), "active", "")

    def order_deletion(self, name: str) -> Tenant:
        """From now on nothing of the tenant works; what deletes it is in ``shared/tenant_deletion.py``.

        A second order changes nothing. Raises InvalidTenantError.
        """
        self.refuse_operator(name)
        tenant, etag = self._read(name)
        return tenant if tenant.is_gone else self._turn(tenant, etag, "deleting", "")

    def mark_deleted(self, name: str) -> Tenant:
        """What is left of a tenant is that there was one. Raises PreconditionFailedError."""
        tenant, etag = self._read(name)
        now = self._now()
        if tenant.status != "deleted":
            tenant = self._write(Tenant(name, "deleted", tenant.created_at or now, now), etag)
        self._store.forget_versions(_object_key(name), datetime.max.replace(tzinfo=UTC))
        return tenant

    def refuse_operator(self, name: str) -> None:
        """Raises InvalidTenantError for the tenant without which nobody could undo it."""
        if name == self._operator:
            raise InvalidTenantError("The operator's own tenant can be neither suspended nor deleted.")

    def refuse_gone(self, name: str) -> Tenant:
        """The tenant as it is now. Raises TenantDeletedError."""
        return self._living(name)[0]

    def _living(self, name: str) -> tuple[Tenant, str]:
        tenant, etag = self._read(name)
        if tenant.is_gone:
            raise TenantDeletedError(f"The tenant {name} is deleted.")
        return tenant, etag

    def _turn(self, tenant: Tenant, etag: str, status: Status, reason: str) -> Tenant:
        if tenant.status == status and etag:
            return tenant
        return self._write(replace(tenant, status=status, reason=reason[:MAX_TEXT], changed_at=self._now()), etag)

    def _read(self, name: str) -> tuple[Tenant, str]:
        if not NAME.match(name):
            raise UnknownTenantError("There is no such tenant.")
        try:
            body, info = self._store.get(_object_key(name))
        except ObjectNotFoundError:
            return Tenant(name), ""
        return _tenant_from(body), info.etag

    def _write(self, tenant: Tenant, etag: str) -> Tenant:
        tenant = tenant if tenant.created_at else replace(tenant, created_at=self._now())
        self._store.put_if_match(_object_key(tenant.name), _document(tenant), etag=etag)
        self._recent.forget(tenant.name)
        return tenant


def _object_key(name: str) -> str:
    return f"{PREFIX}{name}.json"


def _document(tenant: Tenant) -> bytes:
    told = {**tenant.__dict__, "limits": tenant.limits.document()}
    told |= {name: moment.isoformat() for name in _TIMES if (moment := told[name]) is not None}
    return json.dumps(told, indent=1).encode()


def _tenant_from(body: bytes) -> Tenant:
    told: dict[str, Any] = json.loads(body)
    times = {name: datetime.fromisoformat(told[name]) if told.get(name) else None for name in _TIMES}
    return Tenant(**{**told, **times, "limits": Limits.from_document(told.get("limits") or {})})
