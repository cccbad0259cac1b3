"""Second step of an ingest: cast every value by contract and judge every row; text in, a typed table with verdicts out.

Nothing is dropped: a row that breaks a rule stays in the staged table with the column, the rule and its original text.
Most files break no rule at all. So a file is first read as if it were clean, straight into the Parquet file that the
lake will take; the first row that is not stops that, and the rows are staged and judged one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.datasets.contract import DELETED_COLUMN, Contract
from shared.duck import Duck, UnreadableInputError, literal, quoted
from shared.formats.expressions import TimeFormat, detect_time_format, iso_time_format
from shared.steps.rules import (
    NEVER_HELD,
    Rule,
    Shape,
    deleted,
    deleted_rules,
    deleted_text,
    held_as,
    raw_name,
    rules_of,
    text_name,
    text_of,
    value_of,
)
from shared.steps.unique import judge_uniqueness, repeated


class LookCloserError(Exception):
    """A file that was opened without reading it through is not all clean: open it again, checked."""


@dataclass(frozen=True)
class Staged:
    """Rows of one dataset, typed and judged, in temporary table ``table``; counts are rows of the file.

    ``present`` are the contract's columns the file had: the others keep what the lake holds. ``row_number`` is the SQL
    of a staged row's place in the file, from 1. ``file`` holds all rows as the lake takes them, if every one was
    accepted; ``statistics`` are what its writer counted by column: ``null_count``, and ``min`` and ``max`` as text.
    ``erased`` of the ``held`` rows are of erased persons, and no fault of the file.
    """

    contract: Contract
    table: str
    present: frozenset[str]
    row_number: str
    received: int
    held: int
    duplicate: int
    deletes: bool = False
    erased: int = 0
    file: Path | None = None
    statistics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def accepted(self) -> int:
        """Rows that may go into the lake."""
        return self.received - self.held - self.duplicate

    def range_of(self, name: str) -> tuple[str, str] | None:
        """Between which texts all values of a text column lie, when the file's writer knows; very long ones are cut."""
        column, found = self.contract.column(name), self.statistics.get(name, {})
        if column is None or column.type != "text" or not {"min", "max"} <= found.keys():
            return None
        return found["min"], found["max"]


def judge(duck: Duck, contract: Contract, shape: Shape, folder: Path, *, maybe_clean: bool = True) -> Staged:
    """Stage the rows of ``shape.table`` for ``contract``; ``folder`` is for files.

    Raises AmbiguousDatesError, UnreadableFileError, and LookCloserError for what was not checked and is not clean.
    The staged table has the contract's columns, then ``_row`` (1-based row of the file), ``_deleted``, ``_held`` (NULL,
    or the struct column, rule, text), ``_original`` (the held row as JSON) and ``_duplicate``; ``_row`` is there only
    when the shape numbers its rows, else it is the table's own row id + 1. Not ``maybe_clean``, the rows are known to
    break a rule.
    """
    if maybe_clean and (clean := judge_clean(duck, contract, shape, folder)) is not None:
        return clean
    if not shape.checked:
        raise LookCloserError
    formats = _likely_formats(duck, contract, shape)
    _stage(duck, contract, shape, formats)
    wrong = _wrongly_read_times(duck, contract, formats)
    if wrong:
        # The first rows looked like ISO dates and later ones are not: look at the whole column, then read it one way.
        for name in wrong:
            formats[name] = detect_time_format(duck, shape.table, shape.columns[name], date_order=contract.date_order)
        _stage(duck, contract, shape, formats)
    table = staged_table(contract.name)
    judge_uniqueness(duck, contract, table)
    received, held, duplicate = duck.execute(
        f"SELECT count(*), count(_held), count(*) FILTER (_duplicate) FROM {table}"
    )[0]
    return Staged(
        contract=contract,
        table=table,
        present=frozenset(shape.columns) - {DELETED_COLUMN},
        row_number="_row" if shape.rows_numbered else "rowid + 1",
        received=received,
        held=held,
        duplicate=duplicate,
        deletes=DELETED_COLUMN in shape.columns,
    )


def judge_clean(duck: Duck, contract: Contract, shape: Shape, folder: Path) -> Staged | None:
    """One pass from text to the lake's own file; None as soon as one row is not clean. Raises AmbiguousDatesError."""
    if shape.has_problems or DELETED_COLUMN in shape.columns:
        return None
    formats = _likely_formats(duck, contract, shape)
    file = folder / f"{contract.name}.parquet"
    texts = [f"{text_of(contract, column, shape)} AS {text_name(column.name)}" for column in contract.columns]
    typed = [f"{value_of(column, shape, formats)} AS {quoted(column.name)}" for column in contract.columns]
    rules = [rule for column in contract.columns for rule in rules_of(contract, column, shape)]
    first, *others = (quoted(column.name) for column in contract.columns)
    stop = f"CASE {' '.join(f'WHEN {rule.broken} THEN true' for rule in rules)} ELSE false END" if rules else "false"
    checked_first = f"CASE WHEN {stop} THEN error('not clean') ELSE {first} END AS {first}"
    try:
        with _zone(duck, contract.timezone or shape.timezone):
            written = duck.execute(
                f"""
                COPY (
                    SELECT {", ".join([checked_first, *others])}
                    FROM (
                        SELECT *, {", ".join(typed)}
                        FROM (SELECT {", ".join(texts)}, false AS _deleted FROM {shape.table})
                    )
                ) TO {literal(str(file))} (FORMAT parquet, RETURN_STATS)
                """
            )
    except UnreadableInputError:
        return None  # a row broke a rule, or does not split into cells
    duck.execute(
        f"CREATE OR REPLACE TEMP VIEW {quoted('clean_' + contract.name)} AS "
        f"SELECT *, false AS _deleted, {NEVER_HELD} AS _held, false AS _duplicate "
        f"FROM read_parquet({literal(str(file))})"
    )
    table = f"temp.{quoted('clean_' + contract.name)}"
    (_, received, _, _, counted, *_) = written[0]
    if not received or repeated(duck, contract, table):
        return None
    statistics = {column.name: counted[quoted(column.name)] for column in contract.columns}
    return Staged(contract, table, frozenset(shape.columns), "NULL", received, 0, 0, file=file, statistics=statistics)


@contextmanager
def _zone(duck: Duck, timezone: str) -> Iterator[None]:
    """The session's zone is the zone of naive times; texts with an offset keep their own."""
    duck.execute(f"SET TimeZone = {literal(timezone)}")
    try:
        yield
    finally:
        duck.execute("SET TimeZone = 'UTC'")


def staged_table(dataset: str) -> str:
    """The SQL name of a dataset's staged table."""
    return f"temp.{quoted('staged_' + dataset)}"


def _likely_formats(duck: Duck, contract: Contract, shape: Shape) -> dict[str, TimeFormat]:
    names = [c.name for c in contract.columns if c.type in ("date", "timestamp") and c.name in shape.columns]
    return {name: _likely_format(duck, shape, contract, name) for name in names}


def _likely_format(duck: Duck, shape: Shape, contract: Contract, name: str) -> TimeFormat:
    """ISO when the first rows are; else the one format that reads the whole column."""
    if not shape.cheap_to_sample:
        return TimeFormat()
    iso = iso_time_format(duck, shape.table, shape.columns[name])
    return iso or detect_time_format(duck, shape.table, shape.columns[name], date_order=contract.date_order)


def _wrongly_read_times(duck: Duck, contract: Contract, formats: dict[str, TimeFormat]) -> list[str]:
    optimistic = [name for name, found in formats.items() if found.is_iso]
    if not optimistic:
        return []
    rows = duck.execute(f"SELECT DISTINCT _held.column FROM {staged_table(contract.name)} WHERE _held.rule = 'type'")
    return [name for name in optimistic if (name,) in rows]


def _stage(duck: Duck, contract: Contract, shape: Shape, formats: dict[str, TimeFormat]) -> None:
    """One pass over the file: trim, cast, judge. Rules are tried in the order of the columns; the first one counts."""
    passed_on = [f"{quoted(name)} AS {raw_name(name)}" for name in shape.originals]
    passed_on += ["_row"] if shape.rows_numbered else []
    passed_on += ["_problem", "_original AS original"] if shape.has_problems else []
    passed_on += [f"{deleted_text(shape)} AS {text_name(DELETED_COLUMN)}"]
    texts = [f"{text_of(contract, column, shape)} AS {text_name(column.name)}" for column in contract.columns]
    typed = [f"{value_of(column, shape, formats)} AS {quoted(column.name)}" for column in contract.columns]
    rules = [Rule("", "shape", "_problem IS NOT NULL", "_problem")] if shape.has_problems else []
    rules += deleted_rules(contract, shape)
    for column in contract.columns:
        rules += rules_of(contract, column, shape)
    verdict = " ".join(f"WHEN {rule.broken} THEN {held_as(rule.column, rule.name, rule.text)}" for rule in rules)
    whole_row = ", ".join(f"{literal(name)}, {raw_name(name)}" for name in shape.originals)
    original = f"json_object({whole_row})::VARCHAR"
    if shape.has_problems:
        original = f"coalesce(original, {original})"
    names = ", ".join(quoted(column.name) for column in contract.columns)
    with _zone(duck, contract.timezone or shape.timezone):
        duck.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {quoted("staged_" + contract.name)} AS
            SELECT {names}, {"_row, " if shape.rows_numbered else ""} _deleted, _held,
                CASE WHEN _held IS NOT NULL THEN {original} END AS _original,
                false AS _duplicate
            FROM (
                SELECT *, {f"CASE {verdict} END" if rules else NEVER_HELD} AS _held
                FROM (
                    SELECT *, {", ".join(typed)}
                    FROM (SELECT {", ".join([*passed_on, *texts])}, {deleted(shape)} AS _deleted FROM {shape.table})
                )
            )
            """
        )
