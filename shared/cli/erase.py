"""``teal erase`` and ``teal erasures``: take a person out of a lake, and see what is left of whom was."""

from __future__ import annotations

import json
from typing import Any

import click

from shared import bootstrap
from shared.cli.options import json_option, operator, tenant_option
from shared.erasure_command import FILES, MODES
from shared.errors import UnavailableError
from shared.terminal import out, show


@click.command(short_help="Erase a person.")
@click.argument("customer_id")
@click.option("--mode", type=click.Choice(MODES), default=MODES[0], show_default=True, help="What becomes of orders.")
@click.option(
    "--files", type=click.Choice(FILES), default=FILES[0], show_default=True, help="Inbox files that are all loaded."
)
@click.option("--readmit", is_flag=True, help="Let the person's data come in again instead.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@tenant_option
@json_option
def erase(  # noqa: PLR0917 - click passes every option by name
    customer_id: str, mode: str, files: str, readmit: bool, yes: bool, tenant: str, as_json: bool
) -> None:
    """Erase a person from datasets, rollups, held rows, stored answers and inbox files.

    Orders stay as those of a guest, or go with --mode delete. It cannot be undone; older snapshots show the person
    until they expire.
    """
    if readmit:
        state = bootstrap.persons().readmit(operator(tenant), customer_id)
        _said({"status": "readmitted", "upload_id": state.upload_id}, as_json)
        return
    if not yes:
        click.confirm(f"Erase {customer_id} from the lake {tenant}? This cannot be undone", abort=True, err=True)
    done = bootstrap.persons().erase(operator(tenant), customer_id, mode=mode, files=files)
    if not done.told:
        raise UnavailableError("It is in the inbox and was not read yet; the lake's own ingest will read it.")
    _said({"status": "already erased" if done.already else "erased", **done.told}, as_json)


@click.command()
@tenant_option
@json_option
def erasures(tenant: str, as_json: bool) -> None:
    """Persons that were erased, without saying who, and what is left of them."""
    found = bootstrap.persons().erasures(tenant)
    columns = ("upload_id", "mode", "erased_at", "gone_after", "gone_at", "older_snapshots")
    show([{name: one.get(name) for name in columns} for one in found], as_json, nothing="Nobody was erased.")


def _said(told: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([told], default=str))
        return
    files = told.pop("files", {})
    show([{name: value for name, value in told.items() if name != "datasets"}], as_json=False)
    rows = [{"dataset": name, **counts} for name, counts in told.get("datasets", {}).items()]
    if rows:
        show(rows, as_json=False)
    if files:
        what = ", ".join(f"{files[word]} {word}" for word in ("deleted", "kept", "unsearched"))
        out.print(f"Inbox files that mention the person: {what}.", highlight=False)
        for one in files["kept_uploads"]:
            out.print(f"Kept: {one['upload_id'] or 'a file'} ({one['dataset']}, {one['status']})", highlight=False)
