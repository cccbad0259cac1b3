"""What of a lake a credential may see: the rows that pass fixed filters, and the columns that are not blotted out.

Pure values; what they mean on a snapshot is in ``shared/catalog/views.py``, and no other place decides it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from shared.errors import InvalidKeyRequestError
from shared.values import NAME

MAX_RULES = 100
MAX_TEXT = 4_096


class _Document(BaseModel):
    """What ``DataRules.document`` writes. What is of another shape is a mistake, and never the same as no rules."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rows: dict[str, dict[str, str]] = {}
    masked: dict[str, list[str]] = {}


@dataclass(frozen=True)
class RowFilter:
    """Only rows of ``dataset`` for which this holds: ``name`` is a column, or a column and an operator joined by ``__``
    as in the filters of rows, and ``text`` the value."""

    dataset: str
    name: str
    text: str


@dataclass(frozen=True)
class DataRules:
    """What a credential may see of its lake: rows for which all filters hold; ``masked`` are dataset and column.

    Rows that refer to a row that is not visible are not visible either: order lines follow their orders.
    """

    rows: tuple[RowFilter, ...] = ()
    masked: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows or self.masked)

    @property
    def digest(self) -> str:
        """The same for the same rules, "" for none: part of every key under which something seen is kept."""
        if not self:
            return ""
        return hashlib.sha256(json.dumps(self.document(), sort_keys=True).encode()).hexdigest()[:24]

    def document(self) -> dict[str, Any]:
        """As it is stored and told: filters and columns by dataset, in a stable order."""
        rows: dict[str, dict[str, str]] = {}
        for one in sorted(self.rows, key=lambda one: (one.dataset, one.name)):
            rows.setdefault(one.dataset, {})[one.name] = one.text
        masked: dict[str, list[str]] = {}
        for dataset, column in sorted(self.masked):
            masked.setdefault(dataset, []).append(column)
        return {"rows": rows, "masked": masked}

    @classmethod
    def from_document(cls, told: Mapping[str, Any]) -> Self:
        """Read what ``document`` writes. Raises InvalidKeyRequestError."""
        try:
            document = _Document.model_validate(told)
        except ValidationError:
            raise InvalidKeyRequestError(_SHAPE) from None
        given = sorted(document.rows.items())
        filters = tuple(RowFilter(dataset, *one) for dataset, told in given for one in sorted(told.items()))
        columns = tuple(sorted({(dataset, column) for dataset, told in document.masked.items() for column in told}))
        names = [one.dataset for one in filters] + [one.name for one in filters]
        names += [name for pair in columns for name in pair]
        if not all(NAME.match(name) for name in names):
            raise InvalidKeyRequestError(_SHAPE)
        if any(len(one.text) > MAX_TEXT or "\0" in one.text for one in filters):
            raise InvalidKeyRequestError(_SHAPE)
        if len(filters) + len(columns) > MAX_RULES:
            raise InvalidKeyRequestError(f"A key may have {MAX_RULES} rules at most.")
        return cls(filters, columns)


EVERYTHING = DataRules()
"""No rules."""

_SHAPE = (
    'Rules look like {"rows": {"orders": {"country__in": "DE,AT"}}, "masked": {"customers": ["name"]}}: '
    "filters as for rows, and columns, by dataset."
)
