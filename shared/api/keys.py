"""API keys over HTTP: a tenant's own, for its `admin` keys, and any tenant's, for the operator.

The rule: a key of another tenant is answered like one that does not exist. A token is in one answer, and in none after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.documents import NewKeyBody, Strict
from shared.api.replies import json_reply
from shared.keys import ApiKey, Keys, NewKey

KeyId = Annotated[str, Path(description="The key's id, the part of it that is no secret.")]
UsedAt = Callable[[str], dict[str, datetime]]

_ONCE = {"Cache-Control": "no-store"}
_MAX_GRACE_SECONDS = 90 * 86_400


class RotateBody(Strict):
    """How a key is replaced."""

    grace_seconds: float = Field(
        0, strict=True, ge=0, le=_MAX_GRACE_SECONDS, description="For so long the former key still works."
    )


@dataclass(frozen=True)
class KeyDesk:
    """The keys, and when each was last used."""

    keys: Keys
    used_at: UsedAt


def own_key_router(desk: KeyDesk) -> APIRouter:
    """The routes under /v1/keys, about the keys of whoever asks."""

    def tenant(asker: Asker) -> str:
        return asker.tenant

    return key_router(desk, "/v1/keys", tenant, "of this tenant")


def key_router(desk: KeyDesk, prefix: str, tenant_of: Callable[..., str], whose: str) -> APIRouter:
    """The routes under a prefix, about the keys of the tenant that ``tenant_of``, a dependency, tells."""
    router = APIRouter(prefix=prefix, tags=["keys"], route_class=GuardedRoute)
    whose_tenant = Depends(tenant_of)

    @router.get("", summary=f"Keys {whose}")
    def list_keys(request: Request, tenant: str = whose_tenant) -> Response:
        """Without their secrets, which nobody has but their owners; ended ones too."""
        used = desk.used_at(tenant)
        told = [told_of(key, used.get(key.key_id)) for key in desk.keys.list(tenant)]
        return json_reply(request, {"keys": told}, headers=_ONCE)

    @router.post("", status_code=201, summary=f"A new key {whose}")
    def create_key(request: Request, body: NewKeyBody, tenant: str = whose_tenant) -> Response:
        """`token` is shown this once. Any scope may be given, and any rules and limits: what the tenant may not, none
        of its keys may."""
        desk.keys.refuse_too_many(tenant)
        made = desk.keys.create(
            tenant,
            body.scopes,
            label=body.label,
            expires_at=body.ends_at,
            rules=body.as_rules(),
            limits=body.as_limits(),
        )
        return _made(request, made, prefix)

    @router.get("/{key_id}", summary=f"One key {whose}")
    def get_key(request: Request, key_id: KeyId, tenant: str = whose_tenant) -> Response:
        key = desk.keys.get(key_id, tenant=tenant)
        return json_reply(request, told_of(key, desk.used_at(key.tenant).get(key_id)), headers=_ONCE)

    @router.delete("/{key_id}", summary=f"Revoke a key {whose}")
    def revoke_key(request: Request, key_id: KeyId, tenant: str = whose_tenant) -> Response:
        """It ends within a minute everywhere; revoked again, it stays as it is."""
        return json_reply(request, told_of(desk.keys.revoke(key_id, tenant=tenant)), headers=_ONCE)

    @router.post("/{key_id}/rotate", status_code=201, summary=f"Replace a key {whose}")
    def rotate_key(
        request: Request, key_id: KeyId, body: RotateBody | None = None, tenant: str = whose_tenant
    ) -> Response:
        """A key like that one, whose `token` is shown this once; the former one ends after `grace_seconds`."""
        grace = (body or RotateBody()).grace_seconds
        return _made(request, desk.keys.rotate(key_id, grace_seconds=grace, tenant=tenant), prefix)

    return router


def told_of(key: ApiKey, used_at: datetime | None = None) -> dict[str, Any]:
    """A key as JSON has it: never its hash."""
    return {
        "key_id": key.key_id,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "label": key.label,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": used_at,
        "rules": key.rules.document() if key.rules else {},
        "limits": key.limits.document(),
    }


def _made(request: Request, made: NewKey, prefix: str) -> Response:
    request.state.made = made.key.key_id
    place = f"{prefix.replace('{tenant}', made.key.tenant)}/{made.key.key_id}"
    return json_reply(
        request, {"token": made.token, **told_of(made.key)}, status=201, headers={**_ONCE, "Location": place}
    )
