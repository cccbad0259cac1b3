"""Definitions of published questions as text and data, in the shape that built-in ones have."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.datasets.published import PREFIX, Definition, Parameter


def described(name: str, definition: Definition) -> dict[str, Any]:
    """Name, address and parameters, as in the list of questions; ``own`` says that the tenant published it."""
    return {
        "name": PREFIX + name,
        "title": definition.title,
        "url": f"/v1/{PREFIX}{name}",
        "parameters": {one.name: one.description for one in definition.parameters},
        "columns": {},
        "group_columns": {},
        "own": True,
    }


def defined(name: str, definition: Definition, *, version: int, author: str, at: datetime) -> dict[str, Any]:
    """What it means, its text in Markdown, its SQL, and who published it when."""
    return {
        **described(name, definition),
        "definition": definition.description or definition.title,
        "text": text(name, definition),
        "sql": {PREFIX + name: definition.sql},
        "version": version,
        "author": author,
        "published_at": at,
    }


def text(name: str, definition: Definition) -> str:
    """The definition as Markdown."""
    lines = [f"# {definition.title}", "", f"`GET /v1/{PREFIX}{name}`", "", "Published by this tenant.", ""]
    lines += [definition.description, ""] if definition.description else []
    if definition.parameters:
        lines += ["## Parameters", "", "| parameter | type | meaning | default |", "| --- | --- | --- | --- |"]
        lines += [
            f"| `{one.name}` | {one.type} | {_cell(one.description + _choices(one))} | {_cell(_default(one))} |"
            for one in definition.parameters
        ]
        lines += [""]
    return "\n".join([*lines, "## SQL", "", "```sql", definition.sql.strip(), "```"]) + "\n"


def _choices(one: Parameter) -> str:
    return " One of " + ", ".join(f"`{value}`" for value in one.allowed) + "." if one.allowed else ""


def _default(one: Parameter) -> str:
    if one.required:
        return "required"
    return "" if one.default is None else f"`{one.default}`"


def _cell(told: str) -> str:
    """Text in one cell of a table."""
    return told.replace("\n", " ").replace("|", "\\|").strip()
