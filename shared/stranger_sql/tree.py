"""SQL as DuckDB's own parser reads it, so that there is no second grammar to disagree with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.duck import Duck
from shared.stranger_sql.errors import InvalidSqlError, RefusedSqlError

Node = dict[str, Any]
NOWHERE = 2**64 - 1
"""What the parser gives as the place of what has none."""

MAX_BYTES = 32_768
MAX_COMMENTS = 50
"""The lexer takes quadratic time for nested comments, and holds the interpreter meanwhile."""
_SIGNS = re.compile(r"(?:\+|-(?!-)){50}")
"""Signs in a row, where none begins a comment: the lexer takes cubic time for them, minutes for four thousand."""
MAX_DEPTH = 150
"""Levels of the tree. The parser takes a thousand parentheses; what runs the tree would not."""


def tree_of(duck: Duck, sql: str) -> Node:
    """The one SELECT that a text is. Raises RefusedSqlError, InvalidSqlError with line and column."""
    if len(sql.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise RefusedSqlError(f"The SQL may have {MAX_BYTES:,} bytes at most.")
    # A NUL would end the text for some readers of it and not for others.
    if any(letter == "\0" or "\ud800" <= letter <= "\udfff" for letter in sql) or sql.count("/*") > MAX_COMMENTS:
        raise RefusedSqlError("The SQL holds characters, or a number of comments, that are not read here.")
    if _SIGNS.search(sql):
        raise RefusedSqlError("The SQL holds more signs in a row than are read here.")
    try:
        told = json.loads(duck.value("SELECT json_serialize_sql($sql)", {"sql": sql}))
    except RecursionError:
        raise RefusedSqlError("The SQL is nested too deeply.") from None
    if told["error"]:
        if told.get("error_type") == "not implemented":
            raise RefusedSqlError("Only one SELECT is read here; a PIVOT needs its values: IN (…).")
        place = place_of(sql, int(told["position"])) if str(told.get("position", "")).isdigit() else {}
        raise InvalidSqlError(f"The SQL could not be read: {told.get('error_message', '')[:200]}{said(place)}", **place)
    if len(told["statements"]) != 1:
        raise RefusedSqlError("Exactly one SELECT is read here.")
    statement: Node = told["statements"][0]
    return statement


def place_of(sql: str, offset: int) -> dict[str, int]:
    """Line and column, both from 1, of a place that the parser counts in bytes; {} for none."""
    if offset >= NOWHERE:
        return {}
    before = sql.encode("utf-8", "replace")[:offset].decode("utf-8", "ignore")
    return {"line": before.count("\n") + 1, "column": len(before) - (before.rfind("\n") + 1) + 1}


def said(place: Mapping[str, int]) -> str:
    """A place as a message has it."""
    return f" (line {place['line']}, column {place['column']})" if place else ""


def nodes(root: Any) -> Iterator[tuple[Any, int]]:
    """Every dict of a tree with its depth, what holds others first; not what a type is made of.

    Raises RefusedSqlError when it is too deep.
    """
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise RefusedSqlError("The SQL is nested too deeply.")
        if isinstance(node, dict):
            yield node, depth
            if node.keys() == {"id", "type_info"}:
                continue
            waiting += [(child, depth + 1) for child in node.values() if isinstance(child, (dict, list))]
        elif isinstance(node, list):
            waiting += [(child, depth) for child in node if isinstance(child, (dict, list))]
