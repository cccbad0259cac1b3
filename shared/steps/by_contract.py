"""From an open file to one staged dataset: its columns bound to a contract, what the file leaves out derived."""

from __future__ import annotations

from shared.datasets.contract import DELETED_COLUMN, Contract
from shared.datasets.infer import ROW_KEY, column_for
from shared.datasets.registry import bind
from shared.duck import Duck, quoted
from shared.errors import UnknownColumnsError
from shared.formats.expressions import number_expression
from shared.formats.table import TextTable
from shared.sql.load import statement
from shared.steps.judge import LookCloserError, judge
from shared.steps.reading import FileContext, Read
from shared.steps.rules import Shape, text_of


def read_by_contract(
    context: FileContext, table: TextTable, contract: Contract, new: tuple[Contract, ...] = ()
) -> Read:
    """Stage the rows of view ``raw_file``; columns the contract does not know are added, left out or refused.

    Raises UnknownColumnsError, AmbiguousDatesError, LookCloserError. ``new`` are contract versions made for this file.
    """
    duck, order = context.duck, context.order
    bound = bind(contract, table.columns)
    extra = [name for name in table.columns if name not in bound.values()]
    notes = list(table.notes)
    if extra and contract.new_columns == "hold":
        raise UnknownColumnsError(f"{contract.name} has no column {', '.join(extra)}, and takes no new ones.")
    if extra and contract.new_columns == "add":
        added = [column_for(duck, "raw_file", name, table, contract) for name in extra]
        contract = contract.model_copy(
            update={"version": contract.version + 1, "columns": (*contract.columns, *(column for column, _ in added))}
        )
        bound |= {column.name: name for column, name in added}
        notes.append(f"New columns: {', '.join(column.name for column, _ in added)}.")
        new = (contract,)
    elif extra:
        notes.append(f"Columns left out: {', '.join(extra)}.")
    if order.options.date_order:
        contract = contract.model_copy(update={"date_order": order.options.date_order})
    source, numbered = quoted("raw_file"), False
    if contract.key == (ROW_KEY,) and table.rows is None:
        raise LookCloserError  # a blank row would get a key too
    if contract.key == (ROW_KEY,) and ROW_KEY not in bound:
        source, bound[ROW_KEY] = quoted("keyed_file"), ROW_KEY
        _derive_row_keys(duck, table)
    if contract.name == "order_items" and _lines_lack_something(duck, contract, bound):
        _derive_lines(duck, contract, bound, table)
        source, numbered = quoted("derived_lines"), True
        bound |= {"line_id": "line_id", "line_type": "line_type"}
    staged = judge(
        duck,
        contract,
        Shape(
            table=source,
            columns=bound,
            originals=table.columns,
            decimal=table.decimal,
            timezone=context.reading.timezone,
            rows_numbered=numbered,
            has_problems=bool(table.problems),
            cheap_to_sample=not numbered,
            checked=table.rows is not None,
        ),
        context.folder,
    )
    return Read((staged,), 0, "", tuple(notes), new)


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


def _lines_lack_something(duck: Duck, contract: Contract, bound: dict[str, str]) -> bool:
    """Some order line of ``raw_file`` has no id or no type."""
    if not {"line_id", "line_type"} <= bound.keys():
        return True
    lacking = " OR ".join(f"{_cell(contract, bound, name)} IS NULL" for name in ("line_id", "line_type"))
    return bool(duck.value(f"SELECT EXISTS (SELECT 1 FROM raw_file WHERE {lacking})"))


def _cell(contract: Contract, bound: dict[str, str], name: str) -> str:
    """The text of a cell, NULL when the file has no such column or nothing in it."""
    column = contract.column(name)
    if column is None or name not in bound:
        return "NULL::VARCHAR"
    return f"({text_of(contract, column, Shape('raw_file', bound, ()))})"


def _derive_lines(duck: Duck, contract: Contract, bound: dict[str, str], table: TextTable) -> None:
    """View ``derived_lines``: order lines with the line id and type their file does not write."""
    duck.execute("CREATE OR REPLACE TEMP TABLE numbered_file AS FROM raw_file")

    def cell(column: str) -> str:
        return quoted(bound[column]) if column in bound else "NULL::VARCHAR"

    names = {column: cell(column) for column in ("order_id", "product_id")}
    names |= {column: _cell(contract, bound, column) for column in ("line_id", "line_type")}
    for column in ("quantity", "unit_price"):
        names[column] = number_expression(cell(column), table.decimal, "DECIMAL(18,4)")
    select = statement("ingest/derived_lines")
    for column, name in names.items():
        select = select.replace(f"[{column}]", name)
    hidden = [name for name in table.columns if name.lower() in ("line_id", "line_type")]
    hidden += ["_row", "occurrence", "quantity_read", "price_read"]
    rest = f"* EXCLUDE ({', '.join(map(quoted, hidden))})"
    duck.execute(f"CREATE OR REPLACE TEMP VIEW derived_lines AS {select.replace('[rest]', rest)}")
