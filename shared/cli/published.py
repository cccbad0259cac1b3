"""``teal questions``: the questions a tenant published, publishing one from a file, and removing one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from shared import bootstrap
from shared.cli.lake import obeyed
from shared.cli.options import json_option, operator, tenant_option
from shared.datasets.published import definition_from
from shared.terminal import show


@click.group(invoke_without_command=True)
@tenant_option
@json_option
@click.pass_context
def questions(context: click.Context, tenant: str, as_json: bool) -> None:
    """Questions you published: SQL of your own under a name."""
    if context.invoked_subcommand is None:
        _list(tenant, as_json)


@questions.command("list")
@tenant_option
@json_option
def list_questions(tenant: str, as_json: bool) -> None:
    """All published questions with version and author."""
    _list(tenant, as_json)


def _list(tenant: str, as_json: bool) -> None:
    rows = [
        {
            "question": f"my/{one.name}",
            "title": one.definition.title,
            "version": one.version,
            "author": one.author,
            "published": one.published_at,
        }
        for one in bootstrap.published_questions().all(tenant)[0]
    ]
    show(rows, as_json, nothing="Nothing is published yet: teal questions publish QUESTION.toml")


@questions.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@tenant_option
def publish(file: Path, tenant: str) -> None:
    """Publish a question from a TOML or JSON file: name, title, sql, parameters, example."""
    document = _read(file)
    name = str(document.pop("name", file.stem))
    obeyed(bootstrap.published_questions().publish(operator(tenant), name, definition_from(document)))


@questions.command()
@click.argument("name")
@tenant_option
def remove(name: str, tenant: str) -> None:
    """Remove a question; older snapshots still answer it."""
    obeyed(bootstrap.published_questions().remove(operator(tenant), name.removeprefix("my/")))


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{file.name} is not valid: {error}") from error
    if not isinstance(document, dict):
        raise click.UsageError(f"{file.name} is not a question: it needs title and sql.")
    return document
