"""From an open file to one staged dataset: its columns bound to a contract, what the file leaves out derived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shared.datasets.contract import DELETED_COLUMN, MAX_COLUMNS, Contract
from shared.datasets.infer import ROW_KEY, column_for
from shared.datasets.registry import bind
from shared.duck import Duck, quoted
from shared.errors import ContractError, UnknownColumnsError
from shared.formats.expressions import number_expression
from shared.formats.table import TextTable
from shared.sql.load import statement
from shared.steps.judge import LookCloserError, Staged, judge, judge_clean
from shared.steps.reading import FileContext, Read
from shared.steps.rules import Shape, text_of

MAX_NEW_COLUMNS = 100
"""A lake takes about a twentieth of a second for each, and a file that brings more is seldom what its name says."""


def read_by_contract(
    context: FileContext, table: TextTable, contract: Contract, new: tuple[Contract, ...] = ()
) -> Read:
    """Stage the rows of view ``raw_file``; columns the contract does not know are added, left out or refused.

    Raises UnknownColumnsError, ContractError, AmbiguousDatesError, LookCloserError. ``new`` are contract versions made
    for this file.
    """
    duck, order = context.duck, context.order
    bound = bind(contract, table.columns)
    extra = [name for name in table.columns if name not in bound.values()]
    notes = list(table.notes)
    if extra and contract.new_columns == "hold":
        raise UnknownColumnsError(f"{contract.name} has no column {', '.join(extra)}, and takes no new ones.")
    if extra and contract.new_columns == "add":
        _require_room(contract, extra)
        columns = list(contract.columns)
        for name in extra:
            columns.append(column_for(duck, "raw_file", name, table, columns=columns, headers=extra))
            bound[columns[-1].name] = name
        added = columns[len(contract.columns) :]
        contract = contract.model_copy(update={"version": contract.version + 1, "columns": tuple(columns)})
        notes.append(f"New columns: {', '.join(column.name for column in added)}.")
        new = (contract,)
    elif extra:
        notes.append(f"Columns left out: {', '.join(extra)}.")
    if order.options.date_order:
        contract = contract.model_copy(update={"date_order": order.options.date_order})
    source = quoted("raw_file")
    if contract.key == (ROW_KEY,) and table.rows is None:
        raise LookCloserError  # a blank row would get a key too
    if contract.key == (ROW_KEY,) and ROW_KEY not in bound:
        source, bound[ROW_KEY] = quoted("keyed_file"), ROW_KEY
        _derive_row_keys(duck, table)
    shape = Shape(
        table=source,
        columns=bound,
        originals=table.columns,
        decimal=table.decimal,
        timezone=context.reading.timezone,
        has_problems=bool(table.problems),
        checked=table.rows is not None,
    )
    judged = _judge_lines if contract.name == "order_items" else judge
    staged = judged(duck, contract, shape, context.folder)
    return Read((staged,), 0, "", tuple(notes), new, table.long_fractions)


def _require_room(contract: Contract, extra: Sequence[str]) -> None:
    """Raises ContractError where a file has more new columns than one may bring, or the dataset may have."""
    if len(extra) > MAX_NEW_COLUMNS:
        raise ContractError(
            f"{contract.name} has none of {len(extra):,} columns of the file, such as {extra[0]}; a file may bring "
            f"{MAX_NEW_COLUMNS} new ones."
        )
    if len(contract.columns) + len(extra) > MAX_COLUMNS:
        raise ContractError(f"{contract.name} has {len(contract.columns):,} columns; it may have {MAX_COLUMNS:,}.")


def _judge_lines(duck: Duck, contract: Contract, shape: Shape, folder: Path) -> Staged:
    """Stage order lines; those without an id or a type get one. See judge for what is raised."""
    complete = {"line_id", "line_type"} <= shape.columns.keys()
    # Most files leave nothing out: the clean pass finds that out on its way.
    if complete and (clean := judge_clean(duck, _every_line_typed(contract), shape, folder)) is not None:
        return replace(clean, contract=contract)
    if complete and not _lines_lack_something(duck, contract, shape):
        return judge(duck, contract, shape, folder, maybe_clean=False)
    _derive_lines(duck, contract, shape)
    derived = {"line_id": "line_id", "line_type": "line_type"}
    return judge(
        duck,
        contract,
        replace(
            shape,
            table=quoted("derived_lines"),
            columns=shape.columns | derived,
            rows_numbered=True,
            cheap_to_sample=False,
        ),
        folder,
    )


def _every_line_typed(contract: Contract) -> Contract:
    """The contract, but a line without a type breaks it; one without an id, a part of the key, does so anyway."""
    columns = (
        column.model_copy(update={"required": True}) if column.name == "line_type" else column
        for column in contract.columns
    )
    return contract.model_copy(update={"columns": tuple(columns)})


def _derive_row_keys(duck: Duck, table: TextTable) -> None:
    """View ``keyed_file``: the file with a key made from each whole row, numbered from the second of equal rows."""
    cells = ", ".join(quoted(name) for name in table.columns if name.lower() != DELETED_COLUMN)
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE hashed_file AS SELECT *, md5(row(" + cells + ")::VARCHAR) AS hash FROM raw_file"
    )
    duck.execute(
        "CREATE OR REPLACE TEMP VIEW keyed_file AS SELECT * EXCLUDE (hash, place, occurrence), "
        f"hash || CASE WHEN occurrence > 1 THEN ':' || occurrence ELSE '' END AS {ROW_KEY} "
        "FROM (SELECT *, rowid AS place, row_number() OVER (PARTITION BY hash ORDER BY rowid) AS occurrence "
        "FROM hashed_file) ORDER BY place"
    )


def _lines_lack_something(duck: Duck, contract: Contract, shape: Shape) -> bool:
    """Some order line has no id or no type."""
    lacking = " OR ".join(f"{_text(contract, shape, name)} IS NULL" for name in ("line_id", "line_type"))
    return bool(duck.value(f"SELECT EXISTS (SELECT 1 FROM {shape.table} WHERE {lacking})"))


def _text(contract: Contract, shape: Shape, name: str) -> str:
    """The text of a cell, NULL when the file has no such column or nothing in it."""
    column = contract.column(name)
    if column is None or name not in shape.columns:
        return "NULL::VARCHAR"
    return f"({text_of(contract, column, shape)})"


def _derive_lines(duck: Duck, contract: Contract, shape: Shape) -> None:
    """View ``derived_lines``: order lines with the line id and type their file does not write."""
    duck.execute(f"CREATE OR REPLACE TEMP TABLE numbered_file AS FROM {shape.table}")

    def cell(column: str) -> str:
        return quoted(shape.columns[column]) if column in shape.columns else "NULL::VARCHAR"

    names = {column: cell(column) for column in ("order_id", "product_id")}
    names |= {column: _text(contract, shape, column) for column in ("line_id", "line_type")}
    for column in ("quantity", "unit_price"):
        names[column] = number_expression(cell(column), shape.decimal, "DECIMAL(18,4)")
    select = statement("ingest/derived_lines")
    for column, name in names.items():
        select = select.replace(f"[{column}]", name)
    hidden = [name for name in shape.originals if name.lower() in ("line_id", "line_type")]
    hidden += ["_row", "occurrence", "quantity_read", "price_read"]
    rest = f"* EXCLUDE ({', '.join(map(quoted, hidden))})"
    duck.execute(f"CREATE OR REPLACE TEMP VIEW derived_lines AS {select.replace('[rest]', rest)}")
