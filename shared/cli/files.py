"""``teal upload``: files into the inbox of a store, or through the API of an installation."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from shared import bootstrap
from shared.cli.options import api_at, json_option, key_option, operator, read_option, tenant_option, url_option
from shared.remote import RemoteApi
from shared.terminal import err, out, show
from shared.uploads import UploadOrder
from shared.values import UploadedObject

SHOWN_HELD = 5
"""Held rows of a file that are shown at once; all of them are behind the API."""

WAYS_OUT = {
    "ambiguous_dates": "Send it again with --option date_order=dmy (day first) or --option date_order=mdy.",
    "unknown_columns": "Name the dataset it belongs to, or a new one, with --dataset NAME.",
}
"""What a person at a command line can do about a file that was held as a whole, by reason code."""

Options = Mapping[str, str | int | bool]


@click.command(short_help="Put files into the inbox and bring them in.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dataset", default="auto", show_default=True, help="Which one; auto lets the header decide.")
@read_option
@click.option("--wait", default=60.0, show_default=True, help="With --url: seconds to wait for the outcome.")
@tenant_option
@url_option
@key_option
@json_option
def upload(  # noqa: PLR0917 - click passes every option by name
    files: tuple[Path, ...],
    dataset: str,
    options: tuple[tuple[str, str], ...],
    wait: float,
    tenant: str,
    url: str,
    key: str,
    as_json: bool,
) -> None:
    """Put files into the inbox and bring them in now."""
    api, read = api_at(url, key), {name: _value(name, text) for name, text in options}
    rows = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, disable=as_json or not err.is_terminal, transient=True) as progress:
        task = progress.add_task("Bringing in", total=len(files))
        for file in files:
            progress.update(task, description=file.name)
            told = api.upload(file, dataset, read, wait_seconds=wait) if api else _brought(file, dataset, read, tenant)
            rows.append(_row(file, told))
            progress.advance(task)
    if as_json:
        show(rows, as_json)
    else:
        _tell(rows, api, tenant)
    unsettled = any(row["status"] not in ("loaded", "held", "skipped", "rolled_back") for row in rows)
    sys.exit(3 if unsettled else 1 if any(row["status"] == "held" or row["held"] for row in rows) else 0)


def _value(name: str, text: str) -> str | int | bool:
    """A read option's value, which a command line has only as text."""
    if name in ("skip_lines", "header_row") and text.isdecimal():
        return int(text)
    if name == "header" and text in ("true", "false"):
        return text == "true"
    return text.replace("\\t", "\t")


def _brought(file: Path, dataset: str, options: Options, tenant: str) -> dict[str, Any]:
    bootstrap.tenants().refuse_gone(tenant)
    order = UploadOrder(dataset, file.name, size_bytes=file.stat().st_size, options=options)
    upload_id, key = bootstrap.uploads().place(operator(tenant), order)
    bootstrap.inbox_store().put_file(key, file)
    # The bucket's own event may be as fast as we are; under one identity, one of the two finds the other's work done.
    bootstrap.ingest_upload()(UploadedObject(bootstrap.inbox_bucket(), key))
    return asdict(bootstrap.uploads().state(tenant, upload_id))


def _row(file: Path, told: Mapping[str, Any]) -> dict[str, Any]:
    counts = {name: told.get(name) or 0 for name in ("received", "accepted", "held", "duplicate")}
    return {
        "file": file.name,
        "upload_id": told["upload_id"],
        "status": told["status"],
        **counts,
        "reason_code": told.get("reason_code") or "",
        "reason": told.get("reason") or "",
        "notes": list(told.get("notes") or ()),
    }


def _tell(rows: list[dict[str, Any]], api: RemoteApi | None, tenant: str) -> None:
    """What a person reads: what became of each file, and what to do about one that was held."""
    shown = [name for name in rows[0] if name not in ("reason_code", "notes")]
    show([{name: row[name] for name in shown} for row in rows], as_json=False)
    for row in rows:
        for line in (*row["notes"], *filter(None, [WAYS_OUT.get(row["reason_code"])])):
            out.print(f"{row['file']}: {line}", markup=False, highlight=False, soft_wrap=True)
        _show_held(api, tenant, row)


def _show_held(api: RemoteApi | None, tenant: str, row: Mapping[str, Any]) -> None:
    """The first rows that were put aside: what a person asks next."""
    if not row["held"]:
        return
    upload_id = row["upload_id"]
    if api:
        held = api.held(upload_id, SHOWN_HELD)
    else:
        held = [asdict(one) for one in bootstrap.uploads().reports.held_rows(tenant, upload_id, limit=SHOWN_HELD).items]
    which = f"the first {len(held)} of {row['held']:,}" if len(held) < row["held"] else f"{row['held']:,}"
    out.print(f"Put aside from {row['file']}, {which}:", markup=False, highlight=False)
    show([{name: one[name] for name in ("row", "column", "rule", "text")} for one in held], as_json=False)
