"""What a person reads in a terminal: rows as a table when they fit, one below the other when not; JSON for scripts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

out = Console()
err = Console(stderr=True)

PROSE = frozenset({"message", "reason", "detail", "tables", "before", "after", "author", "label", "notes", "text"})
"""Columns whose text may be folded."""
LEAST_PROSE = 10


def show(rows: list[dict[str, Any]], as_json: bool, nothing: str = "Nothing yet.") -> None:
    """Print rows that all have the keys of the first; ``nothing`` is said to a person when there are none."""
    if as_json:
        print(json.dumps(rows, default=str))
        return
    if not rows:
        out.print(nothing)
        return
    names = list(rows[0])
    cells = [[str(row[n]) if n == "id" else _cell(row[n]) for n in names] for row in rows]
    if not _fits(names, cells):
        for line in cells:
            _table(["", ""], [list(pair) for pair in zip(names, line, strict=True)], numeric=set())
        return
    _table(names, cells, numeric={name for name in names if isinstance(rows[0][name], int)})


def _fits(names: list[str], cells: list[list[str]]) -> bool:
    """Whether the terminal is wide enough for everything but prose to stay in one piece."""
    widths = [max(len(part) for line in cells for part in line[i].split("\n")) for i in range(len(names))]
    needed = (
        LEAST_PROSE if name in PROSE else max(len(name), width) for name, width in zip(names, widths, strict=True)
    )
    return sum(needed) + 2 * len(names) <= out.width


def _table(names: list[str], cells: list[list[str]], numeric: set[str]) -> None:
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0), show_header=any(names))
    for name in names:
        # Prose may be folded; ids, names and numbers stay in one piece, to be copied.
        justify: Any = "right" if name in numeric else "left"
        table.add_column(
            name.replace("_", " "), justify=justify, overflow="fold", no_wrap=bool(name) and name not in PROSE
        )
    for line in cells:
        table.add_row(*map(escape, line))
    out.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, dict) and value and all(isinstance(counts, dict) for counts in value.values()):
        return "\n".join(f"{k} +{v.get('added', 0):,} -{v.get('removed', 0):,}" for k, v in value.items())
    if isinstance(value, dict):
        return ", ".join(f"{k}={_cell(v)}" for k, v in value.items() if v is not None)
    if isinstance(value, list):
        return "\n".join(map(_cell, value)) or "none"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else str(value)
