"""Options that several commands take, and what they mean."""

from __future__ import annotations

from pathlib import Path

import click

from shared.keys import SCOPES, Principal
from shared.remote import RemoteApi
from shared.values import NAME

TENANT = "shop"
"""The tenant of a laptop, unless another one is named."""


def _tenant(context: click.Context, parameter: click.Parameter, told: str) -> str:
    if not NAME.match(told):
        raise click.BadParameter("a lower-case name: a-z, 0-9 and _, at most 63")
    return told


def _pairs(context: click.Context, parameter: click.Parameter, told: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(map(pair, told))


def pair(told: str) -> tuple[str, str]:
    """Name and value of ``name=value``. Raises UsageError."""
    name, equals, value = told.removeprefix("--").partition("=")
    if not (name and equals):
        raise click.UsageError(f"Parameters are name=value; not {told}")
    return name, value


tenant_option = click.option("--tenant", default=TENANT, show_default=True, callback=_tenant, help="Whose lake.")
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for scripts.")
url_option = click.option("--url", default="", help="Ask this API instead of the store the settings name.")
key_option = click.option("--key", default="", help="The API key for --url; @FILE reads it from a file.")
read_option = click.option(
    "--option",
    "options",
    multiple=True,
    callback=_pairs,
    help="How to read the files, as name=value: date_order=dmy, decimal=',', delimiter=';', sheet=Orders …",
)


def api_at(url: str, key: str) -> RemoteApi | None:
    """The installation to ask instead of a store, if one was named. Raises UsageError."""
    if bool(url) != bool(key):
        raise click.UsageError("--url needs --key." if url else "--key goes with --url.")
    if url and click.get_current_context().get_parameter_source("tenant") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--tenant does not go with --url: the key says whose lake it is.")
    try:
        return RemoteApi(url, Path(key[1:]).read_text().strip() if key.startswith("@") else key) if url else None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{key[1:]} cannot be read.") from error


def operator(tenant: str) -> Principal:
    """Who works at this machine: nobody's key, and every right."""
    return Principal(tenant=tenant, key_id="teal", scopes=frozenset(SCOPES))
