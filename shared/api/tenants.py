"""Tenants over HTTP, for the operator alone: everybody else gets the same answer whatever they ask."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from shared.api.auth import GuardedRoute
from shared.api.documents import LIMITS, Strict, WithLimits, pattern_of
from shared.api.keys import KeyDesk, key_router
from shared.api.replies import Asked, json_reply
from shared.limits import Limits
from shared.tenant_admin import TenantAdmin
from shared.tenant_export import Export
from shared.tenants import Tenant
from shared.values import NAME

TenantName = Annotated[str, Path(description="The tenant's name.")]


class NewTenantBody(WithLimits):
    """A tenant to write down."""

    tenant: str = Field(
        ...,
        description="A lower-case name: a-z, 0-9 and _, at most 63.",
        json_schema_extra={"pattern": pattern_of(NAME)},
    )
    label: str = Field("", max_length=200)
    again: bool = Field(False, description="Take the name of a tenant that was deleted.")


class TenantBody(Strict):
    """What may be changed; what is left out stays, and `limits` take the place of all former ones."""

    label: str | None = Field(None, max_length=200)
    limits: dict[str, Any] | None = Field(None, description="As for a new tenant.", json_schema_extra=LIMITS)


class ReasonBody(Strict):
    """Why a tenant is suspended; for the operator, it is not shown to the tenant."""

    reason: str = Field("", max_length=200)


class DeleteAsked(Asked):
    """How a tenant is deleted."""

    export: Annotated[bool, Field(description="Export everything first.")] = True


def tenant_router(admin: TenantAdmin) -> APIRouter:
    """The routes under /v1/tenants."""
    router = APIRouter(prefix="/v1/tenants", tags=["tenants"], route_class=GuardedRoute)

    @router.get("", summary="All tenants")
    def list_tenants(request: Request) -> Response:
        """Those that were written down, the deleted ones too, and those that have a key or a lake."""
        return json_reply(request, {"tenants": [told_of(tenant) for tenant in admin.all()]})

    @router.post("", status_code=201, summary="A new tenant")
    def create_tenant(request: Request, body: NewTenantBody) -> Response:
        """It has no key yet: make its first one with `POST /v1/tenants/{tenant}/keys`."""
        made = admin.tenants.create(body.tenant, label=body.label, limits=body.as_limits(), again=body.again)
        return json_reply(request, told_of(made), status=201, headers={"Location": f"/v1/tenants/{made.name}"})

    @router.get("/{tenant}", summary="One tenant")
    def get_tenant(request: Request, tenant: TenantName) -> Response:
        return json_reply(request, told_of(admin.one(tenant)))

    @router.patch("/{tenant}", summary="Change a tenant's label or limits")
    def change_tenant(request: Request, tenant: TenantName, body: TenantBody) -> Response:
        """Warm processes notice within a minute."""
        limits = None if body.limits is None else Limits.from_document(body.limits)
        return json_reply(request, told_of(admin.change(tenant, label=body.label, limits=limits)))

    @router.delete("/{tenant}", status_code=202, summary="Delete a tenant")
    def delete_tenant(request: Request, tenant: TenantName, asked: Annotated[DeleteAsked, Query()]) -> Response:
        """Its credentials end now; the next round of maintenance exports everything and then deletes it all. It cannot
        be undone: suspend a tenant that may come back. Asked again with `export=false`, an export that cannot be made
        is done without."""
        gone, export = admin.delete(tenant, export=asked.export)
        body = told_of(gone) | ({"export": _exported(admin, export)} if export else {})
        return json_reply(request, body, status=202, headers={"Location": f"/v1/tenants/{tenant}"})

    @router.post("/{tenant}/suspend", summary="Suspend a tenant")
    def suspend_tenant(request: Request, tenant: TenantName, body: ReasonBody | None = None) -> Response:
        """Within a minute nothing of it is answered (403 `tenant_suspended`); uploads that come are held."""
        return json_reply(request, told_of(admin.suspend(tenant, (body or ReasonBody()).reason)))

    @router.post("/{tenant}/resume", summary="Resume a tenant")
    def resume_tenant(request: Request, tenant: TenantName) -> Response:
        """Uploads that were held meanwhile can be replayed."""
        return json_reply(request, told_of(admin.resume(tenant)))

    @router.post("/{tenant}/export", status_code=202, summary="Export a tenant")
    def export_tenant(request: Request, tenant: TenantName) -> Response:
        """Everything of the newest snapshot, as Parquet and JSON; made by the next round of maintenance."""
        export = admin.export(tenant)
        place = f"/v1/tenants/{tenant}/exports/{export.export_id}"
        return json_reply(request, _exported(admin, export), status=202, headers={"Location": place})

    @router.get("/{tenant}/exports/{export_id}", summary="An export")
    def get_export(request: Request, tenant: TenantName, export_id: str) -> Response:
        """When it is done: its files with URLs, signed for a quarter of an hour. It is kept for seven days."""
        headers = {"Cache-Control": "no-store"}
        return json_reply(request, _exported(admin, admin.exports.one(tenant, export_id)), headers=headers)

    return router


def tenant_key_router(admin: TenantAdmin, desk: KeyDesk) -> APIRouter:
    """The routes under /v1/tenants/{tenant}/keys."""

    def named(tenant: TenantName) -> str:
        return admin.tenants.refuse_gone(tenant).name

    return key_router(desk, "/v1/tenants/{tenant}/keys", named, "of any tenant")


def told_of(tenant: Tenant) -> dict[str, Any]:
    """A tenant as JSON has it."""
    return {
        "tenant": tenant.name,
        "status": tenant.status,
        "label": tenant.label,
        "reason": tenant.reason,
        "created_at": tenant.created_at,
        "changed_at": tenant.changed_at,
        "limits": tenant.limits.document(),
    }


def _exported(admin: TenantAdmin, export: Export) -> dict[str, Any]:
    urls = admin.exports.urls(export)
    files = [
        {"name": file.name, "size_bytes": file.size_bytes, "rows": file.rows, "url": urls[file.name].url}
        for file in export.files
    ]
    return {
        "export_id": export.export_id,
        "tenant": export.tenant,
        "status": export.status,
        "ordered_at": export.ordered_at,
        "finished_at": export.finished_at,
        "snapshot": export.snapshot or None,
        "files": files,
        "urls_expire_at": min((url.expires_at for url in urls.values()), default=None),
    }
