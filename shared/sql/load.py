"""Finds SQL statements by name; each is one file of this folder, its leading comment is its documentation."""

from __future__ import annotations

from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent


@cache
def statement(name: str) -> str:
    """The statement in ``<name>.sql``, for example ``sales/by_period``."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def names(prefix: str = "") -> list[str]:
    """All statements whose name starts with ``prefix``."""
    found = (path.relative_to(FOLDER).with_suffix("").as_posix() for path in FOLDER.rglob("*.sql"))
    return sorted(name for name in found if name.startswith(prefix))
