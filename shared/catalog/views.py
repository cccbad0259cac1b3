"""A lake as a credential with rules sees it: one SELECT for each dataset, and no other place says what a rule means.

The rule: what cannot be told to be visible is not. A filter that has no value of its column's type lets no row pass, a
row that refers to nothing that is visible is hidden with it, and rules that name what is not there are refused.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from shared.datasets.contract import Contract
from shared.datasets.filters import OPERATORS, sql_type, taken_apart
from shared.datasets.rules import EVERYTHING, DataRules, RowFilter
from shared.duck import literal, quoted
from shared.errors import RulesDoNotFitError

Types = Mapping[str, Mapping[str, str]]
"""The SQL types of the stored columns, by dataset."""

Hidden = Mapping[str, Collection[str]]
"""Columns by dataset that come out empty."""

References = Mapping[str, Mapping[str, str]]
"""By dataset: columns that refer to another dataset, each with that dataset and its column, as `orders.order_id`."""


def references_of(contracts: Mapping[str, Contract]) -> References:
    """Which columns refer to which, by the contracts."""
    return {
        name: {column.name: column.references for column in contract.columns if column.references}
        for name, contract in contracts.items()
    }


def require_fit(rules: DataRules, contracts: Mapping[str, Contract]) -> None:
    """Raises RulesDoNotFitError where a rule names a dataset or a column that there is not.

    A misspelt mask would show what it was meant to hide.
    """
    for dataset, name in [(one.dataset, one.name) for one in rules.rows] + list(rules.masked):
        contract = contracts.get(dataset)
        columns = [column.name for column in contract.columns] if contract else []
        if (dataset, name) in rules.masked and name in columns:
            continue
        if (dataset, name) in rules.masked or taken_apart(name, columns) is None:
            raise RulesDoNotFitError(f"The rules of this key name {dataset}.{name}, which this lake does not have.")


@dataclass(frozen=True)
class Shown:
    """What of a lake is shown: rows and columns by rules, and columns that are hidden for another reason."""

    rules: DataRules = EVERYTHING
    references: References = field(default_factory=dict)
    hidden: Hidden = field(default_factory=dict)


FENCE = f" LIMIT {2**63 - 1}"
"""No condition is tested behind it. Without it the engine may test one of the asker's on a row before the rule that
hides that row, and say in an error what it found there."""

COPIED = "least({column}, {column})"
"""The column's own value, in memory of its own. Without it a column comes with the dictionary of its Parquet file, and
the engine runs some functions on all of that, hidden values too; it does so for functions of one column only."""


def selects(types: Types, shown: Shown, source: str, *, fenced: bool = False) -> dict[str, str]:
    """The SELECT of every dataset; ``source`` is the schema of the tables, as `lake.main`.

    ``fenced`` is for conditions that somebody else writes: they see no row that a rule hides, and prune no files.
    """
    visible = _Visible(types, shown, source)
    found = {}
    for name, columns in types.items():
        empty = {*shown.hidden.get(name, ()), *(column for dataset, column in shown.rules.masked if dataset == name)}
        conditions = visible.conditions(name, ())
        written = COPIED if conditions and fenced else "{column}"
        told = ", ".join(
            f"{f'NULL::{kind}' if column in empty else written.format(column=quoted(column))} AS {quoted(column)}"
            for column, kind in columns.items()
        )
        where = f" WHERE {' AND '.join(conditions)}{FENCE if fenced else ''}" if conditions else ""
        found[name] = f"SELECT {told} FROM {source}.{quoted(name)}{where}"
    return found


class _Visible:
    """The conditions under which rows are visible, told from the tables themselves: a mask changes none of them."""

    def __init__(self, types: Types, shown: Shown, source: str) -> None:
        self._types = types
        self._rules = shown.rules
        self._references = shown.references
        self._source = source

    def conditions(self, dataset: str, above: tuple[str, ...]) -> list[str]:
        """Those of a dataset; ``above`` are the datasets that led here, so that a circle of references ends."""
        found = [self._filter(one) for one in self._rules.rows if one.dataset == dataset]
        above = (*above, dataset)
        for column, reference in self._references.get(dataset, {}).items():
            other, _, key = reference.partition(".")
            if other in above or not self._is_restricted(other, above):
                continue
            if column not in self._types[dataset] or key not in self._types.get(other, {}):
                found.append("false")
                continue
            inner = " AND ".join(self.conditions(other, above))
            found.append(
                f"{quoted(column)} IN (SELECT {quoted(key)} FROM {self._source}.{quoted(other)} WHERE {inner})"
            )
        return found

    def _is_restricted(self, dataset: str, above: tuple[str, ...]) -> bool:
        if any(one.dataset == dataset for one in self._rules.rows):
            return True
        others = (reference.partition(".")[0] for reference in self._references.get(dataset, {}).values())
        return any(self._is_restricted(other, (*above, dataset)) for other in others if other not in (*above, dataset))

    def _filter(self, one: RowFilter) -> str:
        columns = self._types[one.dataset]
        apart = taken_apart(one.name, columns)
        if apart is None:
            return "false"
        name, operator = apart
        kind = sql_type(columns[name], operator)
        texts = one.text.split(",") if operator == "in" else None
        value = literal(one.text) if texts is None else f"[{', '.join(map(literal, texts))}]"
        cast = f"TRY_CAST({value} AS {kind})"
        # `ne` of no value at all would let every row pass.
        return f"coalesce({cast} IS NOT NULL AND {OPERATORS[operator].format(column=quoted(name), value=cast)}, false)"
