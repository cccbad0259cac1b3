"""Options that say what a key or a tenant may see and take, turned into rules and limits."""

from __future__ import annotations

import re

import click

from shared.datasets.rules import DataRules
from shared.limits import Limits

only_option = click.option(
    "--only",
    multiple=True,
    metavar="DATASET.FILTER=VALUE",
    help="Only these rows, as in the filters of rows: orders.country=DE, orders.total__gte=100. Repeatable.",
)
mask_option = click.option(
    "--mask", multiple=True, metavar="DATASET.COLUMN", help="Empty this column: customers.name. Repeatable."
)
limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=VALUE",
    help="requests_per_second, concurrent_requests, page_rows, query_bytes, day_bytes, answer_bytes, upload_bytes or "
    "stored_bytes; bytes may end in kB, MB or GB. Repeatable.",
)

_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?(kB|MB|GB)?\Z", re.IGNORECASE)
_TIMES = {"kb": 1_000, "mb": 1_000_000, "gb": 1_000_000_000}


def rules_from(only: tuple[str, ...], mask: tuple[str, ...]) -> DataRules:
    """Rules from what was typed. Raises UsageError, InvalidKeyRequestError."""
    rows: dict[str, dict[str, str]] = {}
    for told in only:
        where, equals, value = told.partition("=")
        dataset, dot, name = where.partition(".")
        if not (equals and dot and dataset and name):
            raise click.UsageError(f"--only is DATASET.FILTER=VALUE, as orders.country=DE; not {told}")
        if name in rows.setdefault(dataset, {}):
            raise click.UsageError(f"--only {where} is given twice; several values are {where}__in=A,B")
        rows[dataset][name] = value
    masked: dict[str, list[str]] = {}
    for told in mask:
        dataset, dot, column = told.partition(".")
        if not (dot and dataset and column):
            raise click.UsageError(f"--mask is DATASET.COLUMN, as customers.name; not {told}")
        masked.setdefault(dataset, []).append(column)
    return DataRules.from_document({"rows": rows, "masked": masked})


def limits_from(told: tuple[str, ...]) -> Limits:
    """Limits from what was typed. Raises UsageError, InvalidKeyRequestError."""
    found: dict[str, float] = {}
    for one in told:
        name, _, text = one.partition("=")
        match = _NUMBER.match(text.strip())
        if match is None:
            raise click.UsageError(f"--limit is NAME=VALUE, as requests_per_second=5 or day_bytes=20GB; not {one}")
        number = float(match[1]) * _TIMES.get((match[2] or "").lower(), 1)
        found[name] = int(number) if number.is_integer() else number
    return Limits.from_document(found)
