"""``teal tenants``: make, suspend, bound, export and delete the tenants of an installation."""

from __future__ import annotations

import json
from pathlib import Path

import click

from shared import bootstrap
from shared.cli.grants import limit_option, limits_from
from shared.cli.options import json_option
from shared.tenants import Tenant
from shared.terminal import err, out, show


@click.group()
def tenants() -> None:
    """Tenants: one lake each."""


@tenants.command("create")
@click.argument("name")
@click.option("--label", default="", help="Who it is.")
@limit_option
@click.option("--again", is_flag=True, help="Take the name of a tenant that was deleted.")
def create_tenant(name: str, label: str, limits: tuple[str, ...], again: bool) -> None:
    """Write a tenant down; its lake is made by its first upload."""
    bootstrap.tenants().create(name, label=label, limits=limits_from(limits), again=again)
    out.print(f"{name} is there. Its first key: teal keys create --tenant {name}", highlight=False, soft_wrap=True)


@tenants.command("list")
@json_option
def list_tenants(as_json: bool) -> None:
    """All tenants: those written down, the deleted ones too, and those that have a key or a lake."""
    show([_row(tenant) for tenant in bootstrap.tenant_admin().all()], as_json)


@tenants.command("show")
@click.argument("name")
def show_tenant(name: str) -> None:
    """What is written down of a tenant, its keys and its exports, as JSON."""
    admin = bootstrap.tenant_admin()
    told = _row(admin.one(name)) | {
        "keys": [key.key_id for key in bootstrap.keys().list(name)],
        "exports": [
            {"export_id": one.export_id, "status": one.status, "snapshot": one.snapshot}
            for one in admin.exports.all(name)
        ],
    }
    click.echo(json.dumps(told, indent=2, default=str))


@tenants.command("suspend")
@click.argument("name")
@click.option("--reason", default="", help="Why; the tenant does not see it.")
def suspend_tenant(name: str, reason: str) -> None:
    """Answer a tenant nothing more, within a minute; its data stays, and its uploads are held."""
    bootstrap.tenant_admin().suspend(name, reason)
    out.print(f"{name} is suspended. Undo it with: teal tenants resume {name}", highlight=False, soft_wrap=True)


@tenants.command("resume")
@click.argument("name")
def resume_tenant(name: str) -> None:
    """Serve a suspended tenant again; uploads held meanwhile can be replayed."""
    bootstrap.tenant_admin().resume(name)
    out.print(f"{name} is active.", highlight=False)


@tenants.command("limit")
@click.argument("name")
@limit_option
@click.option("--none", "no_limits", is_flag=True, help="Take all limits away.")
def limit_tenant(name: str, limits: tuple[str, ...], no_limits: bool) -> None:
    """Give a tenant these limits, in the place of all former ones."""
    if bool(limits) == no_limits:
        raise click.UsageError("Say --limit NAME=VALUE, or --none to take all limits away.")
    tenant = bootstrap.tenant_admin().change(name, limits=limits_from(limits))
    said = ", ".join(f"{limit}={value:,}" for limit, value in tenant.limits.document().items())
    out.print(f"{name}: {said or 'no limits of its own'}.", highlight=False, soft_wrap=True)


@tenants.command("export")
@click.argument("name")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export_tenant(name: str, folder: Path) -> None:
    """Write everything of a tenant's newest snapshot into an empty folder: Parquet and JSON."""
    bootstrap.tenant_admin().one(name)
    _export(name, folder)


@tenants.command("delete")
@click.argument("name")
@click.option(
    "--export", "folder", type=click.Path(file_okay=False, path_type=Path), help="Export into this folder first."
)
@click.option("--no-export", is_flag=True, help="Do not export anything.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete_tenant(name: str, folder: Path | None, no_export: bool, yes: bool) -> None:
    """Delete a tenant: its keys, uploads and lake. It cannot be undone; an interrupted one is repeated."""
    if (folder is None) != no_export:
        raise click.UsageError("Say --export FOLDER, or --no-export.")
    admin = bootstrap.tenant_admin()
    known = admin.one(name)
    admin.tenants.refuse_operator(name)
    if not yes:
        # The name and not just "y": the wrong tenant is gone for good too.
        told = click.prompt(f"All data and keys of {name} will be deleted. Type its name to go on", err=True)
        if told != name:
            raise click.UsageError("That is another name; nothing was done.")
    if folder is not None and not known.is_gone:
        # Suspended while it is exported, so that nothing comes in which would be in neither.
        admin.suspend(name, known.reason or "is exported and deleted")
        _export(name, folder)
    admin.exports.withdraw(name)
    admin.tenants.order_deletion(name)
    report = bootstrap.finish_tenants().finish(name)
    out.print(f"{name} is {report.status}: {report.keys:,} keys, {report.deleted:,} objects.", highlight=False)
    if "://" in bootstrap.settings().lake:
        err.print("Former versions stay in the buckets until their lifecycle rules delete them.", soft_wrap=True)


def _export(name: str, folder: Path) -> None:
    done = bootstrap.export_tenant().into_folder(name, folder)
    size = sum(file.size_bytes for file in done.files)
    out.print(
        f"Exported snapshot {done.snapshot} of {name}: {len(done.files):,} files, {size:,} bytes, listed in "
        f"{folder / 'export.json'}",
        highlight=False,
        soft_wrap=True,
    )


def _row(tenant: Tenant) -> dict[str, object]:
    return {
        "tenant": tenant.name,
        "status": tenant.status,
        "label": tenant.label,
        "created": tenant.created_at,
        "changed": tenant.changed_at,
        "reason": tenant.reason,
        "limits": tenant.limits.document(),
    }
