"""Makes checked SQL ready to run: its parameters get their types, and its rows a total order.

The rule: the text is edited by guess and the guess is proved. Whatever is written must be read by DuckDB's parser as
the very tree that was meant, else the SQL is refused. (Writing a tree as text is no way: DuckDB 1.5.5 turns `1e10`
into another type, and a CROSS JOIN before a NATURAL JOIN into another join.)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from shared.duck import Duck
from shared.errors import AppError
from shared.stranger_sql.errors import RefusedSqlError
from shared.stranger_sql.guard import CheckedSql
from shared.stranger_sql.tree import NOWHERE, Node, tree_of

_TAIL = re.compile(r"\b(LIMIT|OFFSET|FETCH)\b", re.IGNORECASE)
MAX_GUESSES = 20


def made_ready(duck: Duck, checked: CheckedSql, types: Mapping[str, str], columns: Callable[[str], int]) -> str:
    """The SQL with every ``$name`` cast to its type, and ordered by all its columns behind its own ORDER BY.

    An answer's types then do not depend on the values, and no two different rows tie: what a page holds, and what a
    LIMIT leaves, is the same every time. ``columns`` counts those of a text. Raises RefusedSqlError.
    """
    sql, statement = _without_end(duck, checked)
    if types:
        casts = {
            name: tree_of(duck, f"SELECT CAST($p AS {kind})")["node"]["select_list"][0] for name, kind in types.items()
        }
        statement = _typed(statement, casts)
        # IN (…) would be a list of one; INTERVAL wants the parentheses.
        parameter = re.compile(rf"(\bIN\s+)?\$({'|'.join(map(re.escape, types))})\b", re.IGNORECASE)
        typed = parameter.sub(lambda found: _cast(found[1] or "", found[2], types), sql)
        sql = _proved(duck, statement, [typed], "A text in quotes must not hold the name of a parameter with its $.")
    if statement["node"].get("from_table", {}).get("type") == "SHOW_REF":
        return sql  # the order of DESCRIBE is the table's
    statement = _ordered(statement, count := columns(sql))
    return _proved(
        duck, statement, _with_order(sql, count), "The SQL must end with its ORDER BY and LIMIT, written plainly."
    )


def _cast(before: str, name: str, types: Mapping[str, str]) -> str:
    cast = f"CAST(${name} AS {types[name]})"
    return f"{before}{cast}" if before else f"({cast})"


def _without_end(duck: Duck, checked: CheckedSql) -> tuple[str, Node]:
    """The SQL without a semicolon at its end, and its tree."""
    ends = [found.start() for found in re.finditer(";", checked.sql)]
    # The shortest text that says the same has no semicolon but in quotes.
    guesses = [*(checked.sql[:place] for place in ends[:MAX_GUESSES]), checked.sql]
    message = "The SQL must not have a semicolon but at its end."
    return _proved(duck, checked.statement, guesses, message), checked.statement


def _with_order(sql: str, count: int) -> Iterator[str]:
    """Guesses of how the text is ordered by its columns: at its end, or before the words of a LIMIT."""
    order = ", ".join(str(place) for place in range(1, count + 1))
    for place in (len(sql), *_last(_TAIL.finditer(sql))):
        for start in ("ORDER BY ", ", "):
            yield f"{sql[:place]}\n{start}{order}\n{sql[place:]}"
    # ORDER BY ALL says it already.
    yield sql


def _last(found: Iterator[re.Match[str]]) -> list[int]:
    """Where something was found, the last first."""
    return [one.start() for one in found][::-1][:MAX_GUESSES]


def _proved(duck: Duck, meant: Node, guesses: Any, otherwise: str) -> str:
    """The first guess that is read as what was meant. Raises RefusedSqlError when none is."""
    wanted = _bare(meant)
    for guess in guesses:
        try:
            if _bare(tree_of(duck, guess)) == wanted:
                return str(guess)
        except AppError:
            continue
    raise RefusedSqlError(otherwise)


def _bare(node: Any) -> Any:
    """A tree without the places in the text."""
    if isinstance(node, list):
        return [_bare(child) for child in node]
    if isinstance(node, dict):
        return {name: _bare(child) for name, child in node.items() if name not in ("query_location", "named_param_map")}
    return node


def _typed(node: Any, casts: Mapping[str, Node]) -> Any:
    if isinstance(node, list):
        return [_typed(child, casts) for child in node]
    if not isinstance(node, dict):
        return node
    if node.get("class") == "PARAMETER" and node["identifier"] in casts:
        return {**casts[node["identifier"]], "alias": node["alias"], "child": {**node, "alias": ""}}
    return {name: _typed(child, casts) for name, child in node.items()}


def _ordered(statement: Node, columns: int) -> Node:
    node = statement["node"]
    own = [order for one in node["modifiers"] if one["type"] == "ORDER_MODIFIER" for order in one["orders"]]
    if len(own) == 1 and _is_all(own[0]):
        return statement
    ordered = {"type": "ORDER_MODIFIER", "orders": own + [_by_place(place) for place in range(1, columns + 1)]}
    # DISTINCT comes before the order and LIMIT after it, as the parser writes them.
    first = [one for one in node["modifiers"] if one["type"] == "DISTINCT_MODIFIER"]
    last = [one for one in node["modifiers"] if one["type"] not in ("DISTINCT_MODIFIER", "ORDER_MODIFIER")]
    return {**statement, "node": {**node, "modifiers": [*first, ordered, *last]}}


def _is_all(order: Node) -> bool:
    expression = order["expression"]
    return expression["class"] == "STAR" and not expression["expr"] and not expression["exclude_list"]


def _by_place(place: int) -> Node:
    constant = {
        "class": "CONSTANT",
        "type": "VALUE_CONSTANT",
        "alias": "",
        "query_location": NOWHERE,
        "value": {"type": {"id": "INTEGER", "type_info": None}, "is_null": False, "value": place},
    }
    return {"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT", "expression": constant}
