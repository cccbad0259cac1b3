"""The row that an edit was made against: sent along with the edit and compared inside its commit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.duck import Duck, quoted
from shared.errors import RowChangedError
from shared.steps.merge import lake_table

Texts = Mapping[str, str | None]
"""A row as text by column, unmasked."""


@dataclass(frozen=True)
class ExpectedRow:
    """``key`` are its parts as text by column; ``fingerprint`` is of the whole row, "" when there must be none."""

    dataset: str
    key: dict[str, str]
    fingerprint: str


def texts_of(duck: Duck, source: str, types: Mapping[str, str], condition: str, bound: dict[str, Any]) -> Texts:
    """The row that a condition finds, {} when there is none."""
    texts = ", ".join(f"{quoted(name)}::VARCHAR" for name in types)
    rows = duck.execute(f"SELECT {texts} FROM {source} WHERE {condition} LIMIT 1", bound)
    return dict(zip(types, rows[0], strict=True)) if rows else {}


def fingerprint_of(row: Texts) -> str:
    """The same while the row is; a column that came since and is empty changes nothing."""
    told = json.dumps({name: text for name, text in row.items() if text is not None}, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest() if row else ""


def refuse_changed(duck: Duck, expected: ExpectedRow) -> None:
    """Raises RowChangedError when the lake's row is not the expected one. Runs inside the commit."""
    table = lake_table(expected.dataset)
    types = duck.columns(table)
    condition = " AND ".join(f"{quoted(name)} = ${name}::{types[name]}" for name in expected.key)
    row = texts_of(duck, table, types, condition, expected.key)
    if fingerprint_of(row) != expected.fingerprint:
        raise RowChangedError("The row was changed while this edit was on its way. Read it again.")
