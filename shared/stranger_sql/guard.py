"""Lets a stranger's SQL pass only when every part of its tree is known and harmless; what it does not know is refused.

The rule: exactly one SELECT over named datasets, with functions and types from a list. Nothing is run here. It is one
of several layers: what runs the SQL is locked as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from shared.duck import Duck
from shared.stranger_sql import functions as known
from shared.stranger_sql.errors import InvalidSqlError, RefusedSqlError
from shared.stranger_sql.tree import Node, nodes, place_of, said, tree_of

CTE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}\Z")

MAX_GROUPINGS = 256
MAX_TABLES = 64
"""Planning takes no interrupts, and its time grows with both faster than in proportion."""

EXPRESSIONS = known.words(
    """BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA OPERATOR PARAMETER
    POSITIONAL_REFERENCE STAR SUBQUERY WINDOW"""
)
QUERIES = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})
TABLES = frozenset(
    {"BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "SHOW_REF"}
)
MODIFIERS = frozenset({"ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"})
SHAPES = frozenset(
    frozenset(names.split())
    for names in (
        "node named_param_map",
        "map",
        "key value",
        "aliases key_targets materialized query",
        "alias star_expr values",
        "entries pivot_enum pivot_expressions unpivot_names",
        "is_percentage method sample_size seed",
        "then_expr when_expr",
        "type is_null value",
        "type is_null",
        "upper lower",
        "children",
        "catalog column schema table",
        "id type_info",
        "expression null_order type",
    )
)
"""Dicts of the tree that are none of the above, by their keys."""


@dataclass(frozen=True)
class Doubt:
    """Why the same data may give another answer, and where in the text that is."""

    message: str
    place: Mapping[str, int]


@dataclass(frozen=True)
class CheckedSql:
    """SQL that passed: its tree, the datasets it reads, the parameters it names, and what makes it unrepeatable."""

    sql: str
    statement: Node
    tables: frozenset[str]
    parameters: frozenset[str]
    doubts: tuple[Doubt, ...]


class SqlGuard:
    """Checks SQL over some datasets, whose names are in lower case."""

    def __init__(self, duck: Duck, tables: Collection[str]) -> None:
        self._duck = duck
        self._tables = frozenset(name for name in tables if not known.is_system_name(name))

    def check(self, sql: str) -> CheckedSql:
        """Raises RefusedSqlError, InvalidSqlError; their details say ``line`` and ``column`` where there is a place."""
        statement = tree_of(self._duck, sql)
        look = _Look(sql, self._tables)
        for node, _ in nodes(statement):
            look.at(node)
        tables = look.tables_read()
        look.doubt_order(statement["node"])
        return CheckedSql(sql, statement, tables, frozenset(look.parameters), tuple(look.doubts))


class _Look:
    """One look at one tree: refuses what it meets, remembers what has to be known at the end."""

    def __init__(self, sql: str, tables: frozenset[str]) -> None:
        self._sql = sql
        self._tables = tables
        self._named: list[Node] = []
        self._ctes: set[str] = set()
        self._table_functions: set[int] = set()
        self._table_count = 0
        self.parameters: set[str] = set()
        self.doubts: list[Doubt] = []

    def at(self, node: Node) -> None:
        """Refuse a node, or take note of it; a node is seen before what is inside it."""
        kind = str(node.get("type"))
        if "class" in node:
            self._expression(node)
        elif kind in QUERIES and "modifiers" in node:
            self._query(node)
        elif "alias" in node and "sample" in node:
            self._table(node)
        elif kind not in MODIFIERS and frozenset(node) not in SHAPES:
            self._refuse("This part of the SQL is not known here.", node)

    def tables_read(self) -> frozenset[str]:
        """The datasets among the names in FROM. Raises InvalidSqlError for any other name."""
        read = set()
        for node in self._named:
            name = node["table_name"].lower()
            if node["catalog_name"] or node["schema_name"].lower() not in ("", "main"):
                self._refuse("Datasets are named without a catalog, and without a schema or with main.", node)
            elif name in self._tables:
                read.add(name)
            elif name not in self._ctes or node["schema_name"]:
                near = get_close_matches(name, self._tables | self._ctes, 1, 0.5)
                hint = f" Did you mean {near[0]}?" if near else ""
                place = self._place(node)
                raise InvalidSqlError(f"There is no dataset {name[:63]}{said(place)}.{hint}", **place)
        return frozenset(read)

    def doubt_order(self, top: Node) -> None:
        """Doubt every LIMIT below the top that cuts rows in no order; the top is ordered before it is run."""
        for node, _ in nodes(top):
            if node is top or str(node.get("type")) not in QUERIES or "modifiers" not in node:
                continue
            kinds = {one["type"] for one in node["modifiers"]}
            cuts = kinds & {"LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER"} or any(
                one.get("distinct_on_targets") for one in node["modifiers"]
            )
            if cuts and "ORDER_MODIFIER" not in kinds:
                self.doubts.append(Doubt("LIMIT and DISTINCT ON need ORDER BY in the same SELECT", {}))

    # --- queries and tables ------------------------------------------------------------------------------------------

    def _query(self, node: Node) -> None:
        for entry in node["cte_map"]["map"]:
            self._cte(entry["key"], node)
        if node.get("cte_name"):
            self._cte(node["cte_name"], node)
        if len(node.get("group_sets", ())) > MAX_GROUPINGS:
            self._refuse(f"GROUP BY may have {MAX_GROUPINGS} groupings at most; a CUBE doubles them per column.", node)
        self._sampled(node)

    def _cte(self, name: str, node: Node) -> None:
        if not CTE_NAME.match(name) or known.is_system_name(name.lower()):
            self._refuse("A WITH needs a plain name of letters, digits and _, and none of the engine's own.", node)
        self._ctes.add(name.lower())

    def _table(self, node: Node) -> None:
        kind = node.get("type")
        if kind not in TABLES:
            self._refuse("This kind of table is not allowed.", node)
        self._sampled(node)
        self._table_count += 1
        if self._table_count > MAX_TABLES:
            self._refuse(f"The SQL may name {MAX_TABLES} tables at most.", node)
        if kind == "BASE_TABLE":
            if node["at_clause"]:
                self._refuse("Another state of the lake is asked with snapshot= or as_of=.", node)
            self._named.append(node)
        elif kind == "TABLE_FUNCTION":
            function = node["function"]
            if function.get("class") != "FUNCTION":
                self._refuse("This kind of table is not allowed.", node)
            self._table_functions.add(id(function))
        elif kind == "SHOW_REF" and (not node["query"] or node["table_name"]):
            self._refuse("SHOW is not allowed; DESCRIBE and SUMMARIZE of a dataset or a SELECT are.", node)

    def _sampled(self, node: Node) -> None:
        if node.get("sample"):
            self._doubt("a sample holds other rows each time", node)

    # --- expressions -------------------------------------------------------------------------------------------------

    def _expression(self, node: Node) -> None:
        kind = node["class"]
        if kind not in EXPRESSIONS:
            self._refuse("This kind of expression is not allowed.", node)
        check: Callable[[Node], None] | None = getattr(self, f"_{kind.lower()}", None)
        if check is not None:
            check(node)

    def _parameter(self, node: Node) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", node["identifier"]):
            self._refuse("Parameters are named, in lower case: $country.", node)
        self.parameters.add(node["identifier"])

    def _cast(self, node: Node) -> None:
        waiting = [node["cast_type"]]
        while waiting:
            kind = waiting.pop()
            if isinstance(kind, list):
                waiting += kind
            elif isinstance(kind, dict):
                waiting += kind.values()
                if "id" in kind and not _is_known_type(kind):
                    self._refuse(f"The type {str(kind['id'])[:40]} is not allowed here.", node)

    def _column_ref(self, node: Node) -> None:
        names = [name.lower() for name in node["column_names"]]
        if len(names) == 1 and names[0] in known.VALUES_WITHOUT_PARENTHESES:
            self._doubt(f"{names[0]} is another value each time", node)
        elif len(names) == 1 and names[0] in known.REFUSED_VALUES:
            self._refuse(f"{names[0]} is the engine's own; a column of that name needs its dataset before it.", node)

    def _function(self, node: Node) -> None:
        name = node["function_name"].lower()
        if id(node) in self._table_functions:
            if name not in known.TABLE_FUNCTIONS or node["schema"] or node["catalog"]:
                self._refuse(f"The table function {name[:60]} is not allowed.", node)
            return
        self._called(name, node)
        self._sizes(name, node)
        if node["export_state"]:
            self._refuse("States of aggregates are not allowed.", node)
        if name in known.NEEDS_ORDER and not node["order_bys"]["orders"]:
            self._doubt(f"{name} depends on the order of rows: {name}(… ORDER BY …)", node)

    def _window(self, node: Node) -> None:
        name = node["function_name"].lower()
        self._called(name, node)
        self._sizes(name, node)
        if node["offset_expr"] and not _small(node["offset_expr"]):
            self._refuse(f"{name} takes an offset written as a number up to {known.MAX_SMALL_NUMBER:,}.", node)
        if name in known.NEEDS_WINDOW_ORDER and not (node["orders"] or node["arg_orders"]):
            self._doubt(f"{name} needs ORDER BY in its window", node)
        elif name in known.NEEDS_ORDER and not (node["orders"] or node["arg_orders"]):
            self._doubt(f"{name} depends on the order of rows", node)

    def _called(self, name: str, node: Node) -> None:
        if node["catalog"] or node["schema"] not in ("", "main"):
            self._refuse("Functions are called by their name alone.", node)
        if name not in known.FUNCTIONS:
            near = (
                [known.ELSEWHERE[name]] if name in known.ELSEWHERE else get_close_matches(name, known.FUNCTIONS, 1, 0.8)
            )
            hint = f" Did you mean {near[0]}?" if near else ""
            self._refuse(f"The function {name[:60]} is not allowed.", node, hint)
        if name in known.UNREPEATABLE or (name == "age" and len(node["children"]) == 1):
            self._doubt(f"{name} gives another value each time", node)

    def _sizes(self, name: str, node: Node) -> None:
        for place in known.SMALL_NUMBERS.get(name, ()):
            if place < len(node["children"]) and not _small(node["children"][place]):
                self._refuse(f"{name} takes a length written as a number up to {known.MAX_SMALL_NUMBER:,}.", node)
        place = known.WRITTEN_PATTERNS.get(name, len(node["children"]))
        if place < len(node["children"]) and not _short_text(node["children"][place]):
            self._refuse(f"{name} takes a pattern written as a text of up to {known.MAX_PATTERN} characters.", node)

    # --- what is said ------------------------------------------------------------------------------------------------

    def _refuse(self, message: str, node: Node, hint: str = "") -> None:
        place = self._place(node)
        raise RefusedSqlError(f"{message.removesuffix('.')}{said(place)}.{hint}", **place)

    def _doubt(self, message: str, node: Node) -> None:
        self.doubts.append(Doubt(message, self._place(node)))

    def _place(self, node: Node) -> dict[str, int]:
        return place_of(self._sql, int(node.get("query_location", 2**64 - 1)))


def _is_known_type(kind: Node) -> bool:
    told = kind["type_info"] or {}
    if kind["id"] in known.TYPES:
        # GEOMETRY is a BLOB by another name, with casts of its own.
        return not told.get("alias")
    own = not (told.get("catalog") or told.get("schema") or told.get("user_type_modifiers"))
    return kind["id"] == "UNBOUND" and own and str(told.get("name", "")).lower() in known.NAMED_TYPES


def _small(node: Node) -> bool:
    """Whether an expression is written as a small whole number."""
    value = _written(node)
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= known.MAX_SMALL_NUMBER


def _short_text(node: Node) -> bool:
    value = _written(node)
    return isinstance(value, str) and len(value) <= known.MAX_PATTERN


def _written(node: Node) -> object:
    """The value of a constant; None for any other expression."""
    return node["value"].get("value") if node.get("class") == "CONSTANT" else None
