"""The grammar of filters on rows, wherever they are told: ``column=value`` or ``column__op=value``."""

from __future__ import annotations

from collections.abc import Collection

OPERATORS = {
    "eq": "{column} = {value}",
    "ne": "{column} IS DISTINCT FROM {value}",
    "gt": "{column} > {value}",
    "gte": "{column} >= {value}",
    "lt": "{column} < {value}",
    "lte": "{column} <= {value}",
    "in": "list_contains({value}, {column})",
    "contains": "contains(lower({column}::VARCHAR), lower({value}))",
    "null": "({column} IS NULL) = {value}",
}
"""What may follow ``column__`` in a filter; ``in`` takes values separated by commas."""


def taken_apart(asked: str, columns: Collection[str]) -> tuple[str, str] | None:
    """Column and operator of a filter's name; None when it names no column, or no operator of one."""
    if asked in columns:
        return asked, "eq"
    name, separator, operator = asked.rpartition("__")
    return (name, operator) if separator and name in columns and operator in OPERATORS else None


def sql_type(column_type: str, operator: str) -> str:
    """The SQL type of what an operator compares a column with."""
    if operator == "contains":
        return "VARCHAR"
    if operator == "null":
        return "BOOLEAN"
    return column_type + ("[]" if operator == "in" else "")
