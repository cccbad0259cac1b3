"""``teal datasets``, ``teal snapshots`` and ``teal rollback``: what a lake holds and held."""

from __future__ import annotations

import json
from pathlib import Path

import click

from shared import bootstrap
from shared.cli.options import json_option, operator, tenant_option
from shared.errors import CommandRefusedError, UnavailableError
from shared.terminal import out, show
from shared.upload_state import UploadState


@click.group(invoke_without_command=True)
@tenant_option
@json_option
@click.pass_context
def datasets(context: click.Context, tenant: str, as_json: bool) -> None:
    """Datasets and their contracts."""
    if context.invoked_subcommand is None:
        _list(tenant, as_json)


@datasets.command("list")
@tenant_option
@json_option
def list_datasets(tenant: str, as_json: bool) -> None:
    """All datasets with size and freshness."""
    _list(tenant, as_json)


def _list(tenant: str, as_json: bool) -> None:
    found, _ = bootstrap.snapshots().datasets(tenant)
    rows = [
        {
            "dataset": one.name,
            "rows": one.rows,
            "files": one.files,
            "bytes": one.bytes,
            "newest": one.newest_at,
            "updated": one.updated_at,
        }
        for one in found
    ]
    show(rows, as_json)


@datasets.command("show")
@click.argument("name")
@tenant_option
def show_dataset(name: str, tenant: str) -> None:
    """Contract, schema and freshness of one dataset, as JSON."""
    found, snapshot = bootstrap.snapshots().dataset(tenant, name)
    told = {"snapshot": snapshot, "rows": found.rows, "schema": found.schema, "contract": found.contract.model_dump()}
    click.echo(json.dumps(told, indent=2, default=str))


@datasets.command("add")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
def add_dataset(file: Path, tenant: str) -> None:
    """Register a contract from a TOML or JSON file."""
    import tomllib

    try:
        text = file.read_text()
        contract = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{file.name} is not valid: {error}") from error
    if not isinstance(contract, dict):
        raise click.UsageError(f"{file.name} is not a contract: it needs name, columns and key.")
    obeyed(bootstrap.uploads().register_contract(operator(tenant), contract))


@click.group(invoke_without_command=True)
@tenant_option
@json_option
@click.option("--limit", default=20, show_default=True)
@click.pass_context
def snapshots(context: click.Context, tenant: str, as_json: bool, limit: int) -> None:
    """Snapshots of a lake, newest first."""
    if context.invoked_subcommand is None:
        found, _, _ = bootstrap.snapshots().newest(tenant, limit=limit)
        rows = [
            {"id": s.id, "time": s.committed_at, "author": s.author, "message": s.message, "tables": s.tables}
            for s in found
        ]
        show(rows, as_json)


@snapshots.command()
@click.argument("start", type=int)
@click.argument("end", type=int)
@click.argument("dataset")
@tenant_option
@json_option
def changes(start: int, end: int, dataset: str, tenant: str, as_json: bool) -> None:
    """Rows that changed between two snapshots."""
    found = bootstrap.snapshots().changes(tenant, start, end, dataset=dataset, limit=1_000, sees_personal=True)
    show(
        [{"change": row.change, "before": row.before, "after": row.after} for row in found.rows],
        as_json,
        nothing="No row differs.",
    )


@click.command()
@click.argument("snapshot", type=int)
@tenant_option
def rollback(snapshot: int, tenant: str) -> None:
    """Make the lake equal to an old snapshot; nothing is erased."""
    obeyed(bootstrap.uploads().command(operator(tenant), "rollback", {"snapshot": snapshot}))


def obeyed(told: UploadState) -> None:
    """Say what became of a command. Raises CommandRefusedError, and UnavailableError when nobody has read it yet."""
    if told.status == "held":
        raise CommandRefusedError(told.reason)
    if not told.settled:
        raise UnavailableError("It is in the inbox and was not read yet; the lake's own ingest will read it.")
    out.print(told.reason or told.status, highlight=False, soft_wrap=True)
