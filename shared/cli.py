"""``teal`` on the command line: the same use cases as the functions, on the store the settings name.

Exit codes: 0 done, 1 done but something was held or found wrong, 2 wrong use or bad input, 3 unavailable for now.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shared import bootstrap
from shared.catalog.stored import StoredCatalog
from shared.doctor import Doctor
from shared.errors import AppError
from shared.ingest import Outcome
from shared.keys import SCOPES, Principal
from shared.laptop import InboxWatcher, laptop_key
from shared.restore import RestoreCatalog
from shared.sessions import Sessions
from shared.terminal import err, out, show
from shared.uploads import UploadState
from shared.values import UploadedObject

TENANT = "shop"
"""The tenant of a laptop, unless another one is named."""

SAMPLES = Path(__file__).parent.parent / "samples"

tenant_option = click.option("--tenant", default=TENANT, show_default=True, help="Whose lake.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
url_option = click.option("--url", default="", help="Ask this API instead of the store the settings name.")
key_option = click.option("--key", default="", help="The API key for --url; @FILE reads it from a file.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Teal: a bucket becomes an analytics API."""


def run_main() -> NoReturn:
    """The console script: errors become a line and an exit code."""
    # What a use case logs, a command says in its own words; `run` logs as the functions do.
    logging.getLogger("teal").addHandler(logging.NullHandler())
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        err.print("Stopped.")
        sys.exit(130)
    except AppError as error:
        err.print(f"[red]{error.code}[/red]: {escape(error.message)}", soft_wrap=True)
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

    door = _door(host, port)
    folder = Path(bootstrap.settings().lake).absolute()
    out.print(f"[bold]Teal[/bold] on the folder {escape(str(folder))}", soft_wrap=True)
    key = laptop_key(folder, bootstrap.keys(), TENANT)
    inbox = folder / "inbox" / TENANT / "auto"
    inbox.mkdir(parents=True, exist_ok=True)
    if samples:
        _bring_in_samples()
    stop = threading.Event()
    watcher = InboxWatcher(
        bootstrap.inbox_store(), bootstrap.inbox_bucket(), bootstrap.ingest_upload(), _say_outcome, _say_error
    )
    watcher.done |= _brought_in()
    thread = threading.Thread(target=watcher.watch, args=(stop,), name="inbox-watcher", daemon=True)
    thread.start()
    _say_what_to_do(f"http://{host}:{port}", key, inbox)
    config = uvicorn.Config(bootstrap.api(), log_level="warning", server_header=False)
    try:
        uvicorn.Server(config).run(sockets=[door])
    except KeyboardInterrupt:
        # The server stopped in good order and passes the signal on; it was meant.
        out.print()
    finally:
        stop.set()
        thread.join(timeout=30)
    out.print("Stopped. The data stays in the folder.")


def _door(host: str, port: int) -> socket.socket:
    """Where requests come in; taken first, so that nothing else is begun when it is somebody else's."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise click.UsageError(
            f"{host}:{port} is taken or not ours ({error.strerror}); try --port {port + 1}"
        ) from error


def _brought_in() -> set[tuple[str, str]]:
    """What the ledger knows already, so that a start does not look at every file of the inbox again."""
    with bootstrap.reader_of(TENANT).pin() as lake:
        return {(key, etag) for key, etag in lake.duck.execute("SELECT object_key, etag FROM teal.uploads")}


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
        f"curl {auth} -H 'Content-Type: text/csv' --data-binary @my.csv '{base}/v1/uploads?filename=my.csv'",
    ):
        out.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)
    out.print("\nCtrl-C stops.")


def _say_outcome(key: str, outcome: Outcome) -> None:
    counts = outcome.counts
    colour = {"loaded": "green", "held": "red"}.get(outcome.status, "yellow")
    out.print(
        f"[{colour}]{outcome.status}[/{colour}] {escape(key)}: {counts.accepted:,} accepted, {counts.held:,} held, "
        f"{counts.duplicate:,} duplicate. {escape(outcome.reason)}"
    )


def _say_error(what: str, error: AppError) -> None:
    err.print(f"[red]{error.code}[/red] {escape(what)}: {escape(error.message)}")


# --- files in --------------------------------------------------------------------------------------------------------


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dataset", default="auto", show_default=True)
@click.option("--wait", default=60.0, show_default=True, help="With --url: seconds to wait for the outcome.")
@tenant_option
@url_option
@key_option
@json_option
def upload(  # noqa: PLR0917 - click passes every option by name
    files: tuple[Path, ...], dataset: str, wait: float, tenant: str, url: str, key: str, as_json: bool
) -> None:
    """Put files into the inbox and bring them in now."""
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=as_json) as progress:
        task = progress.add_task("Bringing in", total=len(files))
        for file in files:
            progress.update(task, description=file.name)
            rows.append(_sent(file, dataset, wait, url, key) if url else _brought(file, dataset, tenant))
            progress.advance(task)
    show(rows, as_json)
    unsettled = any(row["status"] not in ("loaded", "held", "skipped", "rolled_back") for row in rows)
    sys.exit(3 if unsettled else 1 if any(row["status"] == "held" or row["held"] for row in rows) else 0)


def _brought(file: Path, dataset: str, tenant: str) -> dict[str, Any]:
    key = f"inbox/{tenant}/{dataset}/{file.name}"
    bootstrap.inbox_store().put_file(key, file)
    # The bucket's own event may be as fast as we are; under one identity, one of the two finds the other's work done.
    outcome = bootstrap.ingest_upload()(UploadedObject(bootstrap.inbox_bucket(), key))
    counts = outcome.counts
    return {
        "file": file.name,
        "upload_id": outcome.upload_id,
        "status": outcome.status,
        "received": counts.received,
        "accepted": counts.accepted,
        "held": counts.held,
        "duplicate": counts.duplicate,
        "reason": outcome.reason,
    }


def _sent(file: Path, dataset: str, wait: float, url: str, key: str) -> dict[str, Any]:
    from shared.remote import RemoteApi

    told = RemoteApi(url, _key_from(key)).upload(file, dataset, wait_seconds=wait)
    counts = {name: told.get(name) or 0 for name in ("received", "accepted", "held", "duplicate")}
    return {
        "file": file.name,
        "upload_id": told["upload_id"],
        "status": told["status"],
        **counts,
        "reason": told.get("reason") or "",
    }


def _key_from(text: str) -> str:
    if not text:
        raise click.UsageError("--url needs --key.")
    try:
        return Path(text[1:]).read_text().strip() if text.startswith("@") else text
    except OSError as error:
        raise click.UsageError(f"{text[1:]} cannot be read.") from error


# --- questions -------------------------------------------------------------------------------------------------------


@main.command(context_settings={"ignore_unknown_options": True})
@click.argument("question")
@click.argument("parameters", nargs=-1)
@click.option("--format", "wanted", default="json", type=click.Choice(["json", "csv"]), show_default=True)
@click.option("--param", "named", multiple=True, help="A parameter as name=value; plain name=value works too.")
@tenant_option
@url_option
@key_option
def ask(  # noqa: PLR0917 - as above
    question: str, parameters: tuple[str, ...], wanted: str, named: tuple[str, ...], tenant: str, url: str, key: str
) -> None:
    """Ask a question, e.g. teal ask sales/by-period grain=month from=2011-01-01."""
    import asyncio

    import httpx

    pairs = [_pair(parameter) for parameter in (*parameters, *named)]
    if url:
        from shared.remote import RemoteApi

        click.echo(RemoteApi(url, _key_from(key)).ask(question, pairs, wanted))
        return
    made = bootstrap.keys().create(
        tenant, ("read",), label="teal ask", expires_at=datetime.now(UTC) + timedelta(minutes=10)
    )

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(bootstrap.api())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            params = httpx.QueryParams([*pairs, ("format", wanted)])
            answer = await client.get(
                f"/v1/{question}", params=params, headers={"Authorization": f"Bearer {made.token}"}
            )
            if answer.status_code != 303:
                return answer
            kept = answer.headers["Location"]
            # A folder's signed URLs are answered by this very application, a bucket's by the bucket.
            return await client.get(kept) if kept.startswith(("/", "http://localhost/")) else httpx.get(kept)

    try:
        answer = asyncio.run(get())
    finally:
        # It lived for this one question; unlike a revoked key it leaves nothing to list.
        bootstrap.lake_store().delete(f"keys/{made.key.key_id}.json")
    if answer.status_code >= 400:
        problem = answer.json()
        err.print(f"[red]{problem.get('code')}[/red]: {escape(str(problem.get('detail')))}", soft_wrap=True)
        sys.exit(3 if answer.status_code >= 500 else 2)
    click.echo(answer.text)


def _pair(parameter: str) -> tuple[str, str]:
    name, equals, value = parameter.removeprefix("--").partition("=")
    if not (name and equals):
        raise click.UsageError(f"Parameters are name=value; not {parameter}")
    return name, value


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
    show([{"change": row.change, "before": row.before, "after": row.after} for row in found.rows], as_json)


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
@click.option("--restore-catalog", is_flag=True, help="Put a lost or damaged catalog back from its kept versions.")
@tenant_option
@json_option
def doctor(restore_catalog: bool, tenant: str, as_json: bool) -> None:
    """Examine the stores, the extensions, the catalog, and every data file."""
    parts = (
        bootstrap.lake_store(),
        bootstrap.inbox_store(),
        lambda name: StoredCatalog(bootstrap.lake_store(), name),
        Sessions(bootstrap.open_session, bootstrap.grant_lake),
    )
    if restore_catalog:
        _restore(RestoreCatalog(*parts), tenant)
    found = Doctor(*parts)(tenant)
    show([{"check": f.check, "ok": "yes" if f.ok else "NO", "detail": f.detail} for f in found], as_json)
    sys.exit(0 if all(f.ok for f in found if f.required) else 1)


def _restore(restore: RestoreCatalog, tenant: str) -> None:
    done = restore(tenant)
    if not done.changed:
        err.print("The catalog is whole; nothing was restored.")
    elif done.version_at is None:
        err.print(f"{done.files_brought_back} deleted files are back.")
    else:
        err.print(f"The catalog of {done.version_at:%Y-%m-%d %H:%M:%S} UTC is back, as snapshot {done.snapshot_id}.")
    if not done.again:
        return
    err.print(f"{len(done.again)} files of the inbox are not in the ledger; bringing them in.")
    for info in done.again:
        outcome = bootstrap.ingest_upload()(
            UploadedObject(bootstrap.inbox_bucket(), info.key, info.version, info.etag.strip('"'), info.size_bytes)
        )
        err.print(f"  {outcome.status} {escape(info.key)}")


@main.command()
@json_option
def tidy(as_json: bool) -> None:
    """Merge small files, expire old snapshots, delete what nothing needs, verify."""
    reports = bootstrap.tidy()()
    rows = [vars(report) for report in reports]
    show(rows, as_json)
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


if __name__ == "__main__":
    run_main()
