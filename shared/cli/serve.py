"""``teal run``: the API on a folder, and whatever is dropped into its inbox."""

from __future__ import annotations

import errno
import signal
import socket
import sys
import threading
from pathlib import Path

import click
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from shared import bootstrap
from shared.cli.options import TENANT
from shared.errors import AppError
from shared.laptop import InboxWatcher, ModelKeeper, laptop_key
from shared.outcome import Outcome
from shared.resources import reader_of
from shared.terminal import err, out
from shared.values import UploadedObject

SAMPLES = Path(__file__).parent.parent.parent / "samples"


@click.command(short_help="Serve the API on a folder and watch its inbox.")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--samples/--no-samples", default=True, help="Bring in UCI Online Retail at the first start.")
def run(host: str, port: int, samples: bool) -> None:
    """Serve the API on a folder, and bring in whatever is dropped into its inbox."""
    from shared.cli.server import server_of

    for uri in (bootstrap.settings().lake, bootstrap.settings().inbox_uri):
        if "://" in uri:
            raise click.ClickException(f"teal run serves a folder of this machine, and not {uri}: see TEAL_LAKE.")
    door = _door(host, port)
    folder = Path(bootstrap.settings().lake).absolute()
    out.print(f"[bold]Teal[/bold] on the folder {escape(str(folder))}", soft_wrap=True)
    key = laptop_key(folder, bootstrap.keys(), TENANT)
    inbox = Path(bootstrap.settings().inbox_uri).absolute() / "inbox" / TENANT / "auto"
    inbox.mkdir(parents=True, exist_ok=True)
    if samples:
        _bring_in_samples()
    stop = threading.Event()
    watcher = InboxWatcher(
        bootstrap.inbox_store(), bootstrap.inbox_bucket(), bootstrap.ingest_upload(), _say_outcome, _say_error
    )
    watcher.done |= _brought_in()
    keeper = ModelKeeper(reader_of(TENANT).current_snapshot, _fit, _say_error)
    threads = [
        threading.Thread(target=work, args=(stop,), name=name, daemon=True)
        for name, work in (("inbox-watcher", watcher.watch), ("model-keeper", keeper.keep))
    ]
    for thread in threads:
        thread.start()
    named = f"[{host}]" if ":" in host else host
    _say_what_to_do(f"http://{named}:{door.getsockname()[1]}", key, inbox)
    # Passed on like Ctrl-C once the server has stopped; by itself it would leave behind what goes with the process.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        server_of(bootstrap.api()).run(sockets=[door])
    except KeyboardInterrupt:
        # The server stopped in good order and passes the signal on; it was meant.
        out.print()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=30)
    out.print("Stopped. The data stays in the folder.")


def _door(host: str, port: int) -> socket.socket:
    """Where requests come in; taken first, so that nothing else is begun when it is somebody else's."""
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            said = f"{host}:{port} is taken, perhaps by another teal run; try --port {port + 1}"
        else:
            said = f"{host}:{port} cannot be served: {str(error.strerror).partition(' (')[0]}"
        raise click.ClickException(said) from error


def _brought_in() -> set[tuple[str, str]]:
    """What the ledger knows already, so that a start does not look at every file of the inbox again."""
    with reader_of(TENANT).pin() as lake:
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
    out.print("\nForecasts, lifetime values and pairs of products are fitted some seconds after the lake changed.")
    out.print("Ctrl-C stops.")


def _say_outcome(key: str, outcome: Outcome) -> None:
    counts = outcome.counts
    colour = {"loaded": "green", "held": "red"}.get(outcome.status, "yellow")
    which = f"/v1/uploads/{outcome.upload_id}/held says which and why." if counts.held else ""
    out.print(
        f"[{colour}]{outcome.status}[/{colour}] {escape(key)}: {counts.accepted:,} accepted, {counts.held:,} held, "
        f"{counts.duplicate:,} duplicate. {escape(outcome.reason or which)}",
        soft_wrap=True,
        highlight=False,
    )


def _fit() -> None:
    report = bootstrap.fit_models()(TENANT)
    if report.served:
        reader_of(TENANT).refresh()
        out.print(
            f"[green]fitted[/green] models to snapshot {report.snapshot} in {report.seconds:.1f} s: "
            f"{', '.join(report.served)}",
            soft_wrap=True,
            highlight=False,
        )


def _say_error(what: str, error: AppError) -> None:
    err.print(f"[red]{error.code}[/red] {escape(what)}: {escape(error.message)}", soft_wrap=True, highlight=False)
