"""From an open file of a known source to staged datasets: one SELECT for each, then judged like any other rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from shared.datasets.contract import DELETED_COLUMN, Contract
from shared.duck import Duck, literal, quoted
from shared.formats.expressions import detect_time_format, iso_time_format, number_expression, time_expression
from shared.formats.table import TextTable, counted
from shared.sources.known import Source
from shared.steps.judge import LookCloserError, Staged, judge
from shared.steps.reading import FileContext, Read
from shared.steps.rules import Shape


def read_through_source(
    context: FileContext, table: TextTable, source: Source, contracts: Mapping[str, Contract]
) -> Read:
    """Stage every target dataset: first the one with the file's own rows, then those derived from its good rows.

    Raises AmbiguousDatesError, LookCloserError.
    """
    if table.rows is None:
        raise LookCloserError  # what the selects of a source would make of a blank row is theirs to say
    duck, zone = context.duck, source.timezone or context.reading.timezone
    columns = _store_raw_rows(duck, source, table, zone)
    targets = [source.primary, *(name for name in source.selects if name != source.primary)]
    staged: list[Staged] = []
    for target in targets:
        contract = contracts[target].model_copy(update={"date_order": source.date_order})
        shape = replace(_mapped(duck, source, contract), timezone=zone)  # its numbers have a decimal point by now
        staged.append(judge(duck, contract, shape, context.folder))
        if target == source.primary and staged[0].held:
            _keep_originals(duck, staged[0], columns)
            duck.execute(
                "CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + 1 AS _row, * FROM raw_rows "
                f"ANTI JOIN (SELECT _row - 1 AS place FROM {staged[0].table} WHERE _held IS NOT NULL) ON rowid = place"
            )
    held = [_held_beside(one) for one in staged[1:] if one.held]
    notes = (*table.notes, f"Read as {source.title}.", *held)
    return Read(tuple(staged), 0, source.name, notes, long_fractions=table.long_fractions)


def _held_beside(staged: Staged) -> str:
    """The note on held rows that were made from the file's: the upload's counts are of the file's own rows."""
    which = "is held; it has" if staged.held == 1 else "are held; they have"
    rows = f"{counted(staged.held, 'row')} made for {staged.contract.name}"
    return f"{rows} {which} no row number and no part in the counts."


def _store_raw_rows(duck: Duck, source: Source, table: TextTable, zone: str) -> tuple[str, ...]:
    """Table ``raw_rows`` and view ``raw``: the file under the names the selects use, times in ISO, numbers plain.

    Returns the names of the file's own columns there.
    """
    shape = source.shape_for(table.columns)
    assert shape is not None  # noqa: S101 - source_for found the source by this shape
    bound = shape.bind(table.columns)
    names = {header: shape.rename.get(column, column) for column, header in bound.items()}
    renamed = {name: names.get(name, name) for name in table.columns}
    duck.execute(f"SET TimeZone = {literal(zone)}")
    columns = []
    for name, final in renamed.items():
        text = quoted(name)
        if final in source.times and iso_time_format(duck, "raw_file", name) is None:
            found = detect_time_format(duck, "raw_file", name, date_order=source.date_order)
            instant = time_expression(text, found, "TIMESTAMPTZ")
            text = f"coalesce(strftime({instant}, '%Y-%m-%d %H:%M:%S'), {text})"
        elif final in source.numbers:
            text = _plain_number(text, table.decimal)
        columns.append(f"{text} AS {quoted(final)}")
    columns += [f"NULL::VARCHAR AS {quoted(column)}" for column in shape.optional if column not in bound]
    duck.execute(f"CREATE OR REPLACE TEMP TABLE raw_rows AS SELECT {', '.join(columns)} FROM raw_file")
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + 1 AS _row, * FROM raw_rows")
    return tuple(renamed.values())


def _plain_number(text: str, decimal: str) -> str:
    """The text of a number as a cast would take it; what writes no number stays as it is, and no number."""
    number = f"CAST({number_expression(text, decimal, 'DECIMAL(18,4)')} AS VARCHAR)"
    if decimal == ".":
        return f"CASE WHEN TRY_CAST({text} AS DOUBLE) IS NOT NULL THEN {text} ELSE coalesce({number}, {text}) END"
    # 1.5 is no number in a file of decimal commas, and must not become one: in quotes it is none anywhere.
    kept = f"CASE WHEN {number_expression(text, '.', 'DOUBLE')} IS NULL THEN {text} ELSE concat('\"', {text}, '\"') END"
    return (
        f"CASE WHEN regexp_full_match({text}, '[-+]?[0-9]+(,[0-9]+)?') THEN replace({text}, ',', '.') "
        f"ELSE coalesce({number}, {kept}) END"
    )


def _mapped(duck: Duck, source: Source, contract: Contract) -> Shape:
    """View ``mapped_<dataset>``: the rows of a dataset, still as text."""
    view = quoted("mapped_" + contract.name)
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {source.selects[contract.name]}")
    given = [name for name in duck.columns(view) if name != "_row"]
    return Shape(
        table=view,
        columns={name: name for name in given if contract.column(name) or name == DELETED_COLUMN},
        originals=(),
        rows_numbered=contract.name == source.primary,
        cheap_to_sample=False,
    )


def _keep_originals(duck: Duck, staged: Staged, columns: tuple[str, ...]) -> None:
    """Put the file's own row beside each held one; the mapped one is not what was sent."""
    row = ", ".join(f"{literal(name)}, raw.{quoted(name)}" for name in columns)
    duck.execute(
        f"UPDATE {staged.table} AS staged SET _original = json_object({row})::VARCHAR "
        "FROM raw WHERE raw._row = staged._row AND staged._held IS NOT NULL"
    )
