"""SQL about one cell of a text table: its text, its value, and the rules of its column."""

from __future__ import annotations

from dataclasses import dataclass

from shared.datasets.contract import DELETED_COLUMN, Column, Contract
from shared.duck import literal, quoted
from shared.formats.expressions import TimeFormat, number_expression, time_expression

TRUE_WORDS = "('true', 't', 'yes', 'y', '1', 'on')"
FALSE_WORDS = "('false', 'f', 'no', 'n', '0', 'off')"
HELD_TYPE = 'STRUCT("column" VARCHAR, "rule" VARCHAR, "text" VARCHAR)'
NEVER_HELD = f"NULL::{HELD_TYPE}"


@dataclass(frozen=True)
class Shape:
    """How the text table must be read: the header name of each column the file has, and what cannot be seen in a cell.

    ``checked`` says that the table was read through once: every row splits into cells, and none is blank.
    """

    table: str
    columns: dict[str, str]
    originals: tuple[str, ...]
    decimal: str = "."
    timezone: str = "UTC"
    rows_numbered: bool = False
    has_problems: bool = False
    cheap_to_sample: bool = True
    checked: bool = True


def raw_name(header: str) -> str:
    return quoted("raw " + header)


def text_name(name: str) -> str:
    return quoted("text " + name)


def deleted(shape: Shape) -> str:
    return f"coalesce(lower({deleted_text(shape)}) IN {TRUE_WORDS}, false)"


def deleted_text(shape: Shape) -> str:
    """What the file says about whether a row is deleted; NULL when it says nothing."""
    if DELETED_COLUMN not in shape.columns:
        return "NULL::VARCHAR"
    return f"nullif(trim({quoted(shape.columns[DELETED_COLUMN])}::VARCHAR), '')"


def deleted_rules(contract: Contract, shape: Shape) -> list[Rule]:
    """A row that says neither yes nor no is not kept alive by a guess."""
    if DELETED_COLUMN not in shape.columns:
        return []
    text = text_name(DELETED_COLUMN)
    known = ", ".join(literal(word) for word in contract.null_words)
    missing = f" AND {text} NOT IN ({known})" if known else ""
    broken = f"lower({text}) NOT IN {TRUE_WORDS} AND lower({text}) NOT IN {FALSE_WORDS}{missing}"
    return [Rule(DELETED_COLUMN, "type", broken, text)]


def text_of(contract: Contract, column: Column, shape: Shape) -> str:
    """The cell's text: trimmed, NULL when empty or a word for missing, the default when there is one."""
    default = literal(column.default)
    if column.name not in shape.columns:
        return f"{default}::VARCHAR"
    cell = f"{quoted(shape.columns[column.name])}::VARCHAR"
    # Two comparisons cost less than a trim, which copies every text.
    text = f"CASE WHEN {cell} < '!' OR suffix({cell}, ' ') THEN nullif(trim({cell}), '') ELSE {cell} END"
    if contract.null_words:
        words = ", ".join(literal(word) for word in contract.null_words)
        text = f"CASE WHEN {text} NOT IN ({words}) THEN {text} END"
    if column.default is not None:
        text = f"coalesce({text}, {default})"
    return text


def value_of(column: Column, shape: Shape, formats: dict[str, TimeFormat]) -> str:
    """The value, NULL when the text cannot be read as the column's type."""
    text = text_name(column.name)
    match column.type:
        case "text":
            if column.allowed:
                return f"CASE WHEN {text} IN ({_allowed(column)}) THEN {text} ELSE lower({text}) END"
            return text
        case "integer" | "bigint" | "decimal" | "double":
            return number_expression(text, shape.decimal, column.sql_type)
        case "boolean":
            return (
                f"CASE WHEN lower({text}) IN {TRUE_WORDS} THEN true WHEN lower({text}) IN {FALSE_WORDS} THEN false END"
            )
        case "date" | "timestamp":
            return time_expression(text, formats.get(column.name, TimeFormat()), column.sql_type)
        case "json":
            return f"CASE WHEN json_valid({text}) THEN {text}::JSON END"


@dataclass(frozen=True)
class Rule:
    """A rule of a column: SQL that is true where it is broken, and SQL of the text to show there."""

    column: str
    name: str
    broken: str
    text: str


def rules_of(contract: Contract, column: Column, shape: Shape) -> list[Rule]:
    """The rules of a column that this file can break, in the order in which they are told."""
    is_key = column.name in contract.key
    if column.name not in shape.columns and not (column.default is None and (column.required or is_key)):
        return []
    text, value = text_name(column.name), quoted(column.name)
    there = f"{value} IS NOT NULL"
    found: list[tuple[str, str]] = []
    if column.required or is_key:
        found.append(("required", f"{text} IS NULL AND NOT (_deleted AND {literal(not is_key)})"))
    if column.type != "text":
        found.append(("type", f"{value} IS NULL AND {text} IS NOT NULL"))
    if column.minimum is not None:
        found.append(("minimum", f"{there} AND {value} < {literal(column.minimum)}"))
    if column.maximum is not None:
        found.append(("maximum", f"{there} AND {value} > {literal(column.maximum)}"))
    if column.pattern is not None:
        found.append(("pattern", f"{there} AND NOT regexp_full_match({text}, {literal(column.pattern)})"))
    if column.allowed:
        found.append(("allowed", f"{there} AND {value} NOT IN ({_allowed(column)})"))
    return [Rule(column.name, name, broken, text) for name, broken in found]


def _allowed(column: Column) -> str:
    return ", ".join(literal(word.lower()) for word in column.allowed)


def held_as(column: str, rule: str, text: str) -> str:
    return f"{{'column': {literal(column)}, 'rule': {literal(rule)}, 'text': {text}}}"
