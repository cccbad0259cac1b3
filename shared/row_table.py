"""A dataset's table as one request may see it: its columns, conditions on them, an order, and a place in it.

The rule: column names are checked against the table, and values are bound and cast to the column's type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from shared.catalog.reader import PinnedLake
from shared.datasets.contract import Contract
from shared.datasets.filters import OPERATORS, sql_type, taken_apart
from shared.duck import quoted
from shared.errors import ForbiddenError, InvalidParameterError, UnknownColumnError
from shared.keys import PERSONAL_SCOPE


@dataclass(frozen=True)
class Filter:
    """One condition as it was asked for: ``name`` is a column, or a column and an operator joined by ``__``."""

    name: str
    text: str


@dataclass(frozen=True)
class Table:
    """A dataset's table as one request may see it: columns and types, and which ones are blotted out."""

    lake: PinnedLake
    contract: Contract
    types: dict[str, str]
    masked: tuple[str, ...]

    def checked(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The names, all of them columns. Raises UnknownColumnError."""
        for name in names:
            if name not in self.types:
                near = get_close_matches(name, self.types, 1, 0.5)
                hint = f" Did you mean {near[0]}?" if near else f" There are {', '.join(list(self.types)[:20])}."
                raise UnknownColumnError(f"{self.contract.name} has no column {name[:63]}.{hint}", column=name[:63])
        return names

    def selected(self, name: str) -> str:
        """A column in a SELECT list."""
        column = quoted(name)
        return f"NULL::{self.types[name]} AS {column}" if name in self.masked else column

    def order(self, asked: tuple[str, ...]) -> list[tuple[str, bool]]:
        """(column, descending) for each column asked for, then the key, so that no two rows tie."""
        order = [(name.removeprefix("-"), name.startswith("-")) for name in asked]
        self._open(self.checked(tuple(name for name, _ in order)))
        named = {name for name, _ in order}
        return order + [(name, False) for name in self.contract.key if name not in named]

    def conditions(self, filters: Sequence[Filter]) -> tuple[list[str], dict[str, Any]]:
        """SQL conditions and the values bound to them."""
        conditions, bound = [], {}
        for number, asked in enumerate(filters):
            name, operator = self._taken_apart(asked.name)
            self._open((name,))
            parameter = f"f{number}"
            bound[parameter] = self._value(name, operator, asked.text)
            value = f"${parameter}::{self._sql_type(name, operator)}"
            conditions.append(OPERATORS[operator].format(column=quoted(name), value=value))
        return conditions, bound

    def by_key(self, key: str) -> tuple[str, dict[str, Any]]:
        """The condition that finds the row with the key of an address."""
        named = zip(self.contract.key, key_parts(key, self.contract), strict=True)
        filters = [Filter(f"{name}__eq", text) for name, text in named]
        conditions, bound = self.conditions(filters)
        return " AND ".join(conditions), bound

    def _taken_apart(self, asked: str) -> tuple[str, str]:
        if (apart := taken_apart(asked, self.types)) is not None:
            return apart
        name, separator, operator = asked.rpartition("__")
        if separator and name in self.types:
            raise InvalidParameterError(f"{asked}: an operator is one of {', '.join(OPERATORS)}")
        self.checked((name if separator and operator in OPERATORS else asked,))
        raise AssertionError  # pragma: no cover - checked() refuses what is no column

    def _open(self, names: tuple[str, ...]) -> None:
        # A condition on a column would tell its values one guess at a time.
        for name in names:
            if name in self.masked:
                raise ForbiddenError(f"{name} is personal data; the scope {PERSONAL_SCOPE} may ask for it.")

    def _sql_type(self, name: str, operator: str) -> str:
        return sql_type(self.types[name], operator)

    def _value(self, name: str, operator: str, text: str) -> Any:
        """The text, which is bound as it is, once it is known to be one of the column's values."""
        if "\0" in text:
            raise InvalidParameterError(f"{name}: holds a character that no value has")
        value: Any = text.split(",") if operator == "in" else text
        wanted = self._sql_type(name, operator)
        if self.lake.duck.value(f"SELECT TRY_CAST($value AS {wanted}) IS NULL", {"value": value}):
            kind = "true or false" if operator == "null" else wanted.removesuffix("[]")
            raise InvalidParameterError(f"{name}: {text[:80]!r} is not a value of {kind}")
        if operator == "in" and self.lake.duck.value(
            f"SELECT list_contains([x IS NULL FOR x IN TRY_CAST($value AS {wanted})], true)", {"value": value}
        ):
            raise InvalidParameterError(f"{name}: not every part of {text[:80]!r} is a value of {wanted[:-2]}")
        return value


def after(
    order: Sequence[tuple[str, bool]], types: Mapping[str, str], place: Sequence[str | None], bound: dict[str, Any]
) -> str:
    """The condition for rows that come after a place in the order; missing values come last in either direction."""
    alternatives, equal = [], []
    for number, ((name, down), text) in enumerate(zip(order, place, strict=True)):
        column = quoted(name)
        if text is None:
            equal.append(f"{column} IS NULL")
            continue
        value = f"$p{number}::{types[name]}"
        bound[f"p{number}"] = text
        further = f"({column} {'<' if down else '>'} {value} OR {column} IS NULL)"
        alternatives.append(f"({' AND '.join([*equal, further])})")
        equal.append(f"{column} = {value}")
    return f"({' OR '.join(alternatives)})" if alternatives else "false"


def key_parts(key: str, contract: Contract) -> list[str]:
    """A key of an address taken apart: its columns' texts in the contract's order, joined by commas.

    A comma inside a part is written twice. Raises InvalidParameterError when the number of parts is another.
    """
    if len(contract.key) == 1:
        return [key]
    parts = [part.replace("\0", ",") for part in key.replace(",,", "\0").split(",")]
    if "\0" in key or len(parts) != len(contract.key):
        raise InvalidParameterError(f"key: {len(contract.key)} parts joined by commas: {','.join(contract.key)}")
    return parts
