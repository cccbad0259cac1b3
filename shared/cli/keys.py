"""``teal keys``: API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import click

from shared import bootstrap
from shared.cli.grants import limit_option, limits_from, mask_option, only_option, rules_from
from shared.cli.options import json_option, tenant_option
from shared.datasets.rules import DataRules
from shared.keys import SCOPES
from shared.last_used import last_used
from shared.terminal import out, show


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@tenant_option
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="Repeatable. [default: read and write; with --only or --mask, read]",
)
@click.option("--label", default="", help="What it is for.")
@click.option("--days", type=click.IntRange(min=1), help="Expires after so many days; without it, never.")
@only_option
@mask_option
@limit_option
def create_key(  # noqa: PLR0917 - click passes every option by name
    tenant: str,
    scopes: tuple[str, ...],
    label: str,
    days: int | None,
    only: tuple[str, ...],
    mask: tuple[str, ...],
    limits: tuple[str, ...],
) -> None:
    """A new key; it is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    rules = rules_from(only, mask)
    bootstrap.tenants().refuse_gone(tenant)
    made = bootstrap.keys().create(
        tenant,
        scopes or (("read",) if rules else ("read", "write")),
        label=label,
        expires_at=expires_at,
        rules=rules,
        limits=limits_from(limits),
    )
    click.echo(made.token)


@keys.command("list")
@click.option("--tenant", default=None, help="Only of this tenant.")
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """All keys, without their secrets; when each was last used is told to within some minutes."""
    found, used = bootstrap.keys().list(tenant), last_used(bootstrap.lake_store(), tenant)
    show(
        [
            {
                "key_id": key.key_id,
                "tenant": key.tenant,
                "scopes": " ".join(key.scopes),
                "label": key.label,
                "created": key.created_at,
                "expires": key.expires_at,
                "revoked": key.revoked_at,
                "last_used": used.get(key.key_id),
                "rules": key.rules.document() if as_json else _said(key.rules),
                "limits": key.limits.document(),
            }
            for key in found
        ],
        as_json,
    )


@keys.command("revoke")
@click.argument("key_id")
def revoke_key(key_id: str) -> None:
    """End a key; a warm function may take it for one more minute."""
    bootstrap.keys().revoke(key_id)
    out.print(f"{key_id} is revoked.")


@keys.command("rotate")
@click.argument("key_id")
@click.option("--grace", default=0.0, show_default=True, help="Seconds for which the former key still works.")
def rotate_key(key_id: str, grace: float) -> None:
    """A new key like that one; it is shown this once, and the former one ends."""
    click.echo(bootstrap.keys().rotate(key_id, grace_seconds=grace).token)


def _said(rules: DataRules) -> list[str] | None:
    """Rules as they were typed."""
    told: dict[str, Any] = {"only": [f"{one.dataset}.{one.name}={one.text}" for one in rules.rows]}
    told["mask"] = [f"{dataset}.{column}" for dataset, column in rules.masked]
    return [f"{how} {what}" for how, whats in told.items() for what in whats] or None
