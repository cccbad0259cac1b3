"""``teal keys``: API keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from shared import bootstrap
from shared.cli.options import json_option, tenant_option
from shared.keys import SCOPES
from shared.terminal import out, show


@click.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@tenant_option
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), default=("read", "write"), show_default=True
)
@click.option("--label", default="", help="What it is for.")
@click.option("--days", type=click.IntRange(min=1), help="Expires after so many days; without it, never.")
def create_key(tenant: str, scopes: tuple[str, ...], label: str, days: int | None) -> None:
    """A new key; it is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    click.echo(bootstrap.keys().create(tenant, scopes, label=label, expires_at=expires_at).token)


@keys.command("list")
@click.option("--tenant", default=None, help="Only of this tenant.")
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """All keys, without their secrets."""
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
            }
            for key in bootstrap.keys().list(tenant)
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
