"""What keys, tenants and the service itself answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from shared.api.schemas.base import Count, Row


class Key(TypedDict):
    """A key without its secret."""

    key_id: str
    tenant: str
    scopes: list[Literal["read", "write", "sql", "admin"]]
    label: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rules: Annotated[Row, Field(description="As they are given for a new key.")]
    limits: dict[str, float]


class NewKey(Key):
    """A key with its secret, which is shown this once."""

    token: Annotated[str, Field(pattern="^teal_k[0-9a-f]{15}_[0-9a-f]{64}$")]


class Keys(TypedDict):
    """Keys, ended ones too."""

    keys: list[Key]


class Tenant(TypedDict):
    """A tenant; `created_at` is null of one that was never written down."""

    tenant: str
    status: Literal["active", "suspended", "deleting", "deleted"]
    label: str
    reason: str
    created_at: datetime | None
    changed_at: datetime | None
    limits: dict[str, float]


class Tenants(TypedDict):
    """Every tenant."""

    tenants: list[Tenant]


class ExportedFile(TypedDict):
    """A file of an export; held rows lie there as they are, uncounted."""

    name: str
    size_bytes: Count
    rows: Count | None
    url: str


class Export(TypedDict):
    """An export of a tenant: its files once it is done."""

    export_id: str
    tenant: str
    status: Literal["ordered", "done"]
    ordered_at: datetime
    finished_at: datetime | None
    snapshot: int | None
    files: list[ExportedFile]
    urls_expire_at: datetime | None


class DeletedTenant(Tenant):
    """A tenant that is deleted, or is about to be, with the export that was ordered before."""

    export: NotRequired[Export]


class Service(TypedDict):
    """How the service is."""

    status: Literal["alive", "ready"]
    version: str


class ProblemCode(TypedDict):
    """What the code of a problem means."""

    code: str
    status: int
    title: str
    meaning: str
    advice: str
