"""``teal`` on the command line: the same use cases as the functions, on the store the settings name.

Exit codes: 0 done, 1 done but something was held or found wrong, 2 wrong use or bad input, 3 unavailable for now.
"""

from __future__ import annotations

import json
import sys
import threading

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from shared import bootstrap
from shared.errors import AppError
from shared.keys import SCOPES, Principal
from shared.uploads import UploadState
from shared.values import UploadedObject

TENANT = "shop"
"""The tenant of a laptop, unless another one is named."""

SAMPLES = Path(__file__).parent.parent / "samples"

out = Console()
err = Console(stderr=True)
tenant_option = click.option("--tenant", default=TENANT, show_default=True, help="Whose lake.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Teal: a bucket becomes an analytics API."""


def run_main() -> NoReturn:
    """The console script: errors become a line and an exit code."""
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        err.print("Stopped.")
        sys.exit(130)
    except AppError as error:
        err.print(f"[red]{error.code}[/red]: {error.message}")
        sys.exit(3 if error.again else 2)
    sys.exit(0)


# --- run -------------------------------------------------------------------------------------------------------------


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True)
@click.option("--samples/--no-samples", default=True, help="Bring in UCI Online Retail at the first start.")
def run(host: str, port: int, samples: bool) -> None:
    """Serve the API on a folder, and bring in whatever is dropped into its inbox."""
    import uvicorn

    folder = Path(bootstrap.settings().lake).absolute()
    out.print(f"[bold]Teal[/bold] on the folder {folder}")
    key = _laptop_key(folder)
    inbox = folder / "inbox" / TENANT / "auto"
    inbox.mkdir(parents=True, exist_ok=True)
    if samples:
        _bring_in_samples()
    stop = threading.Event()
    watcher = threading.Thread(target=_watch, args=(stop,), name="inbox-watcher", daemon=True)
    watcher.start()
    base = f"http://{host}:{port}"
    _say_what_to_do(base, key, inbox)
    server = uvicorn.Server(
        uvicorn.Config(bootstrap.api(), host=host, port=port, log_level="warning", server_header=False)
    )
    try:
        server.run()
    finally:
        stop.set()
        watcher.join(timeout=30)
        out.print("Stopped. The data stays in the folder.")
    if not server.started:
        raise click.ClickException(f"Port {port} is taken; choose another: teal run --port {port + 1}")


def _laptop_key(folder: Path) -> str:
    """The key printed at every start: made at the first one and kept, readable by its owner alone, beside the data."""
    path = folder / "laptop.key"
    if path.exists():
        return path.read_text().strip()
    token = bootstrap.keys().create(TENANT, SCOPES, label="laptop").token
    folder.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(token)
    return token


def _bring_in_samples() -> None:
    source = SAMPLES / "online_retail.parquet"
    key = f"inbox/{TENANT}/auto/online_retail.parquet"
    if not source.exists() or any(True for _ in bootstrap.inbox_store().list(key)):
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=out) as progress:
        task = progress.add_task("Bringing in UCI Online Retail, 541,909 lines (CC BY 4.0)", total=1)
        bootstrap.inbox_store().put_file(key, source)
        outcome = bootstrap.ingest_upload()(UploadedObject("inbox", key))
        progress.update(task, completed=1)
    counts = outcome.counts
    out.print(f"  {outcome.status}: {counts.accepted:,} accepted, {counts.held:,} held, {counts.duplicate:,} duplicate")


def _say_what_to_do(base: str, key: str, inbox: Path) -> None:
    out.print(f"\n  API    {base}/      reference {base}/docs")
    out.print(f"  Key    {key}", soft_wrap=True)
    out.print(f"  Inbox  {inbox}   (drop a CSV, JSON, Parquet or Excel file)\n", soft_wrap=True)
    out.print("Try, in another terminal:\n")
    auth = f"-H 'Authorization: Bearer {key}'"
    for line in (
        f"curl {auth} '{base}/v1/sales/summary'",
        f"curl {auth} '{base}/v1/sales/by-period?grain=month&format=csv'",
        f"curl {auth} --data-binary @my.csv -H 'Content-Type: text/csv' '{base}/v1/uploads?dataset=auto&filename=my.csv'",
    ):
        out.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    out.print("\nCtrl-C stops.")


def _watch(stop: threading.Event) -> None:
    """Bring in files of the inbox folder whose size has stopped changing; the ledger knows those that are done."""
    store = bootstrap.inbox_store()
    sizes: dict[str, str] = {}
    done: set[tuple[str, str]] = set()
    while not stop.wait(1.0):
        try:
            found = {info.key: info for info in store.list("inbox/")}
        except AppError as error:
            err.print(f"[red]{error.code}[/red]: {error.message}")
            continue
        for key, info in found.items():
            seen = f"{info.size_bytes} {info.modified_at}"
            if (key, info.etag) in done or sizes.get(key) != seen:
                sizes[key] = seen
                continue
            try:
                outcome = bootstrap.ingest_upload()(UploadedObject("inbox", key))
            except AppError as error:
                if not error.again:
                    done.add((key, info.etag))
                err.print(f"[red]{key}[/red]: {error.message}")
                continue
            done.add((key, info.etag))
            if outcome.status != "skipped" or outcome.reason_code:
                counts = outcome.counts
                colour = {"loaded": "green", "held": "red"}.get(outcome.status, "yellow")
                out.print(
                    f"[{colour}]{outcome.status}[/{colour}] {key}: {counts.accepted:,} accepted, {counts.held:,} held, "
                    f"{counts.duplicate:,} duplicate. {outcome.reason}"
                )


# --- files in --------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dataset", default="auto", show_default=True)
@tenant_option
@json_option
def upload(files: tuple[Path, ...], dataset: str, tenant: str, as_json: bool) -> None:
    """Put files into the inbox and bring them in now."""
    outcomes = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=as_json) as progress:
        task = progress.add_task("Bringing in", total=len(files))
        for file in files:
            progress.update(task, description=file.name)
            key = f"inbox/{tenant}/{dataset}/{file.name}"
            bootstrap.inbox_store().put_file(key, file)
            outcomes.append((file.name, bootstrap.ingest_upload()(UploadedObject("inbox", key))))
            progress.advance(task)
    rows = [
        {
            "file": name,
            "upload_id": o.upload_id,
            "status": o.status,
            "received": o.counts.received,
            "accepted": o.counts.accepted,
            "held": o.counts.held,
            "duplicate": o.counts.duplicate,
            "reason": o.reason,
        }
        for name, o in outcomes
    ]
    _show(rows, as_json)
    sys.exit(1 if any(o.status == "held" or o.counts.held for _, o in outcomes) else 0)


# --- questions -------------------------------------------------------------------------------------------------------


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("question")
@click.argument("parameters", nargs=-1)
@click.option("--format", "wanted", default="json", type=click.Choice(["json", "csv"]), show_default=True)
@tenant_option
def ask(question: str, parameters: tuple[str, ...], wanted: str, tenant: str) -> None:
    """Ask a question, e.g. teal ask sales/by-period grain=month from=2011-01-01."""
    import asyncio

    import httpx

    pairs = [tuple(parameter.removeprefix("--").split("=", 1)) for parameter in parameters]
    if wrong := [pair[0] for pair in pairs if len(pair) != 2]:
        raise click.UsageError(f"Parameters are name=value; not {wrong[0]}")
    expires_at = datetime.now(UTC) + timedelta(minutes=10)
    token = bootstrap.keys().create(tenant, ("read",), label="teal ask", expires_at=expires_at).token

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(bootstrap.api())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            params = httpx.QueryParams([*pairs, ("format", wanted)])
            return await client.get(f"/v1/{question}", params=params, headers={"Authorization": f"Bearer {token}"})

    answer = asyncio.run(get())
    bootstrap.keys().revoke(token.split("_")[1])
    if answer.status_code >= 400:
        problem = answer.json()
        err.print(f"[red]{problem.get('code')}[/red]: {problem.get('detail')}")
        sys.exit(3 if answer.status_code >= 500 else 2)
    click.echo(answer.text)


# --- the lake --------------------------------------------------------------------------------------------------------


@main.group()
def datasets() -> None:
    """Datasets and their contracts."""


@datasets.command("list")
@tenant_option
@json_option
def list_datasets(tenant: str, as_json: bool) -> None:
    """All datasets with size and freshness."""
    found, _ = bootstrap.snapshots().datasets(tenant)
    rows = [
        {
            "dataset": one.name,
            "rows": one.rows,
            "files": one.files,
            "bytes": one.bytes,
            "newest": str(one.newest_at or ""),
            "updated": str(one.updated_at or ""),
        }
        for one in found
    ]
    _show(rows, as_json)


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
    _obeyed(bootstrap.uploads().command(_operator(tenant), "register_contract", {"contract": contract}))


@main.group(invoke_without_command=True)
@tenant_option
@json_option
@click.option("--limit", default=20, show_default=True)
@click.pass_context
def snapshots(context: click.Context, tenant: str, as_json: bool, limit: int) -> None:
    """Snapshots of a lake, newest first."""
    if context.invoked_subcommand is None:
        found, _, _ = bootstrap.snapshots().newest(tenant, limit=limit)
        rows = [
            {"id": s.id, "time": str(s.committed_at), "author": s.author, "message": s.message, "tables": s.tables}
            for s in found
        ]
        _show(rows, as_json)


@snapshots.command()
@click.argument("start", type=int)
@click.argument("end", type=int)
@click.argument("dataset")
@tenant_option
@json_option
def changes(start: int, end: int, dataset: str, tenant: str, as_json: bool) -> None:
    """Rows that changed between two snapshots."""
    found = bootstrap.snapshots().changes(tenant, start, end, dataset=dataset, limit=1_000, sees_personal=True)
    _show([{"change": row.change, "before": row.before, "after": row.after} for row in found.rows], as_json)


@main.command()
@click.argument("snapshot", type=int)
@tenant_option
def rollback(snapshot: int, tenant: str) -> None:
    """Make the lake equal to an old snapshot; nothing is erased."""
    _obeyed(bootstrap.uploads().command(_operator(tenant), "rollback", {"snapshot": snapshot}))


def _operator(tenant: str) -> Principal:
    return Principal(tenant=tenant, key_id="teal", scopes=frozenset(SCOPES))


def _obeyed(told: UploadState) -> NoReturn:
    out.print(told.reason or told.status)
    sys.exit(0 if told.status == "loaded" else 1)


@main.command()
@click.option("--restore-catalog", is_flag=True, help="Put back a lost catalog from its kept versions.")
@tenant_option
@json_option
def doctor(restore_catalog: bool, tenant: str, as_json: bool) -> None:
    """Examine the store, the extensions, the catalogs and every data file."""
    from shared import doctor as practice

    if restore_catalog:
        told = practice.restore_catalog(bootstrap.lake_store(), tenant, bootstrap.writer_of(tenant), bootstrap.tidy())
        out.print(f"Restored: {told}.")
    found = practice.Doctor(bootstrap.lake_store(), bootstrap.tidy()).examine()
    _show([{"check": f.check, "ok": "yes" if f.ok else "NO", "detail": f.detail} for f in found], as_json)
    sys.exit(0 if all(f.ok for f in found) else 1)


@main.command()
@json_option
def tidy(as_json: bool) -> None:
    """Merge small files, expire old snapshots, delete what nothing needs, verify."""
    reports = bootstrap.tidy()()
    _show([{**vars(report), "problems": "; ".join(report.problems)} for report in reports], as_json)
    sys.exit(1 if any(report.problems for report in reports) else 0)


# --- keys ------------------------------------------------------------------------------------------------------------


@main.group()
def keys() -> None:
    """API keys."""


@keys.command("create")
@tenant_option
@click.option("--scope", "scopes", multiple=True, default=("read", "write"), show_default=True)
@click.option("--label", default="")
@click.option("--days", type=int, help="Expires after so many days.")
def create_key(tenant: str, scopes: tuple[str, ...], label: str, days: int | None) -> None:
    """A new key; it is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    click.echo(bootstrap.keys().create(tenant, scopes, label=label, expires_at=expires_at).token)


@keys.command("list")
@click.option("--tenant", default=None, help="Only of this tenant.")
@json_option
def list_keys(tenant: str | None, as_json: bool) -> None:
    """All keys, without their secrets."""
    _show(
        [
            {
                "key_id": key.key_id,
                "tenant": key.tenant,
                "scopes": " ".join(key.scopes),
                "label": key.label,
                "created_at": str(key.created_at),
                "expires_at": str(key.expires_at or ""),
                "revoked_at": str(key.revoked_at or ""),
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


def _show(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, default=str))
        return
    if not rows:
        out.print("Nothing yet.")
        return
    table = Table(header_style="bold")
    numeric: Callable[[Any], bool] = lambda value: isinstance(value, int) and not isinstance(value, bool)  # noqa: E731
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="right" if numeric(rows[0][name]) else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{value:,}" if numeric(value) else _cell(value) for value in row.values()))
    out.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict) and all(isinstance(counts, dict) for counts in value.values()):
        return ", ".join(f"{k} +{v.get('added', 0):,} -{v.get('removed', 0):,}" for k, v in value.items())
    return "" if value is None else str(value)


if __name__ == "__main__":
    run_main()
