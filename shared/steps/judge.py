"""Second step of an ingest: cast every value by contract and judge every row; text in, a typed table with verdicts out.

Nothing is dropped: a row that breaks a rule stays in the staged table with the column, the rule and its original text.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.datasets.contract import DELETED_COLUMN, Column, Contract
from shared.duck import Duck, literal, quoted
from shared.formats.expressions import (
    TimeFormat,
    detect_time_format,
    iso_time_format,
    number_expression,
    time_expression,
)

TRUE_WORDS = "('true', 't', 'yes', 'y', '1', 'on')"
FALSE_WORDS = "('false', 'f', 'no', 'n', '0', 'off')"


@dataclass(frozen=True)
class Shape:
    """How the text table must be read: the header name of each column the file has, and what cannot be seen in a cell."""

    table: str
    columns: dict[str, str]
    originals: tuple[str, ...]
    decimal: str = "."
    timezone: str = "UTC"
    rows_numbered: bool = False
    has_problems: bool = False
    cheap_to_sample: bool = True


@dataclass(frozen=True)
class Staged:
    """Rows of one dataset, typed and judged, in temporary table ``table``; counts are rows of the file.

    ``present`` are the contract's columns the file had: the others keep what the lake holds. ``row_number`` is the SQL of
    a staged row's place in the file, from 1.
    """

    contract: Contract
    table: str
    present: frozenset[str]
    row_number: str
    received: int
    held: int
    duplicate: int
    deletes: bool = False

    @property
    def accepted(self) -> int:
        """Rows that may go into the lake."""
        return self.received - self.held - self.duplicate


def judge(duck: Duck, contract: Contract, shape: Shape) -> Staged:
    """Stage the rows of ``shape.table`` for ``contract``. Raises AmbiguousDatesError, UnreadableFileError.

    The staged table has the contract's columns, then ``_row`` (1-based row of the file), ``_deleted``,
    ``_held`` (NULL, or the struct column, rule, text), ``_original`` (the held row as JSON) and ``_duplicate``; ``_row``
    is there only when the shape numbers its rows, else it is the table's own row id + 1.
    """
    formats = {name: _likely_format(duck, shape, contract, name) for name in _time_columns(contract, shape)}
    _stage(duck, contract, shape, formats)
    wrong = _wrongly_read_times(duck, contract, formats)
    if wrong:
        # The first rows looked like ISO dates and later ones are not: look at the whole column, then read it one way.
        for name in wrong:
            formats[name] = detect_time_format(duck, shape.table, shape.columns[name], date_order=contract.date_order)
        _stage(duck, contract, shape, formats)
    table = staged_table(contract.name)
    _judge_uniqueness(duck, contract, table)
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


def staged_table(dataset: str) -> str:
    """The SQL name of a dataset's staged table."""
    return f"temp.{quoted('staged_' + dataset)}"


def _time_columns(contract: Contract, shape: Shape) -> list[str]:
    return [c.name for c in contract.columns if c.type in ("date", "timestamp") and c.name in shape.columns]


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
    passed_on = [f"{quoted(name)} AS {_raw(name)}" for name in shape.originals]
    passed_on += ["_row"] if shape.rows_numbered else []
    passed_on += ["_problem", "_original AS original"] if shape.has_problems else []
    texts = [f"{_text(contract, column, shape)} AS {_x(column.name)}" for column in contract.columns]
    typed = [f"{_typed(column, shape, formats)} AS {quoted(column.name)}" for column in contract.columns]
    rules = [f"WHEN _problem IS NOT NULL THEN {_held('', 'shape', '_problem')}"] if shape.has_problems else []
    for column in contract.columns:
        rules += _rules(column, shape, is_key=column.name in contract.key)
    whole_row = ", ".join(f"{literal(name)}, {_raw(name)}" for name in shape.originals)
    original = f"json_object({whole_row})::VARCHAR"
    if shape.has_problems:
        original = f"coalesce(original, {original})"
    names = ", ".join(quoted(column.name) for column in contract.columns)
    # The session's zone is the zone of naive times; texts with an offset keep their own.
    duck.execute(f"SET TimeZone = {literal(contract.timezone or shape.timezone)}")
    try:
        duck.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE {quoted("staged_" + contract.name)} AS
            SELECT {names}, {"_row, " if shape.rows_numbered else ""} _deleted, _held,
                CASE WHEN _held IS NOT NULL THEN {original} END AS _original,
                false AS _duplicate
            FROM (
                SELECT *, CASE {" ".join(rules)} END AS _held
                FROM (
                    SELECT *, {", ".join(typed)}
                    FROM (SELECT {", ".join([*passed_on, *texts])}, {_deleted(shape)} AS _deleted FROM {shape.table})
                )
            )
            """
        )
    finally:
        duck.execute("SET TimeZone = 'UTC'")


def _raw(header: str) -> str:
    return quoted("raw " + header)


def _x(name: str) -> str:
    return quoted("text " + name)


def _deleted(shape: Shape) -> str:
    if DELETED_COLUMN not in shape.columns:
        return "false"
    return f"coalesce(lower(trim({quoted(shape.columns[DELETED_COLUMN])})) IN {TRUE_WORDS}, false)"


def _text(contract: Contract, column: Column, shape: Shape) -> str:
    """The cell's text: trimmed, NULL when empty or a word for missing, the default when there is one."""
    default = literal(column.default)
    if column.name not in shape.columns:
        return f"{default}::VARCHAR"
    text = f"nullif(trim({quoted(shape.columns[column.name])}::VARCHAR), '')"
    if contract.null_words:
        words = ", ".join(literal(word) for word in contract.null_words)
        text = f"CASE WHEN {text} NOT IN ({words}) THEN {text} END"
    if column.default is not None:
        text = f"coalesce({text}, {default})"
    return text


def _typed(column: Column, shape: Shape, formats: dict[str, TimeFormat]) -> str:
    """The value, NULL when the text cannot be read as the column's type."""
    text = _x(column.name)
    match column.type:
        case "text":
            return f"lower({text})" if column.allowed else text
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


def _rules(column: Column, shape: Shape, *, is_key: bool) -> list[str]:
    """WHEN … THEN clauses, one per rule of the column that this file can break."""
    if column.name not in shape.columns and not (column.default is None and (column.required or is_key)):
        return []
    text, value, name = _x(column.name), quoted(column.name), column.name
    there = f"{value} IS NOT NULL"
    number = number_expression(text, shape.decimal, "DOUBLE")
    rules = []
    if column.required or is_key:
        rules.append(
            f"WHEN {text} IS NULL AND NOT (_deleted AND {literal(not is_key)}) THEN {_held(name, 'required', text)}"
        )
    if column.type != "text":
        rules.append(f"WHEN {text} IS NOT NULL AND {value} IS NULL THEN {_held(name, 'type', text)}")
    if column.type in ("integer", "bigint"):
        # A cast rounds 6.5 to 7: a quantity that is not whole is held, never rounded.
        rules.append(
            f"WHEN {there} AND translate({text}, '.,eE', '') <> {text} "
            f"AND {number} <> {value} THEN {_held(name, 'type', text)}"
        )
    if column.minimum is not None:
        rules.append(f"WHEN {there} AND {value} < {literal(column.minimum)} THEN {_held(name, 'minimum', text)}")
    if column.maximum is not None:
        rules.append(f"WHEN {there} AND {value} > {literal(column.maximum)} THEN {_held(name, 'maximum', text)}")
    if column.pattern is not None:
        rules.append(
            f"WHEN {there} AND NOT regexp_full_match({text}, {literal(column.pattern)}) THEN {_held(name, 'pattern', text)}"
        )
    if column.allowed:
        words = ", ".join(literal(word.lower()) for word in column.allowed)
        rules.append(f"WHEN {there} AND {value} NOT IN ({words}) THEN {_held(name, 'allowed', text)}")
    return rules


def _held(column: str, rule: str, text: str) -> str:
    return f"{{'column': {literal(column)}, 'rule': {literal(rule)}, 'text': {text}}}"


def _judge_uniqueness(duck: Duck, contract: Contract, table: str) -> None:
    """Inside one file a key may come once. Exact copies and older versions are duplicates; contradictions are held."""
    key = ", ".join(quoted(name) for name in contract.key)
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE repeated AS "
        f"SELECT {key} FROM {table} WHERE _held IS NULL GROUP BY {key} HAVING count(*) > 1"
    )
    if not duck.value("SELECT count(*) FROM repeated"):
        return
    everything = ", ".join([*(quoted(column.name) for column in contract.columns), "_deleted"])
    updated = quoted(contract.updated_column) if contract.updated_column else "NULL"
    # The newest of a key wins; another row that is equally new and says something else makes all of them doubtful.
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE rivals AS
        WITH placed AS (
            SELECT
                rowid AS place_in_file,
                {key},
                md5(row({everything})::VARCHAR) AS content,
                {updated} AS updated,
                first(md5(row({everything})::VARCHAR)) OVER newest AS winner,
                first({updated}) OVER newest AS winner_updated,
                row_number() OVER newest AS place
            FROM {table} SEMI JOIN repeated USING ({key})
            WHERE _held IS NULL
            WINDOW newest AS (PARTITION BY {key} ORDER BY {updated} DESC NULLS LAST, rowid)
        )
        SELECT
            place_in_file,
            place > 1 AS is_duplicate,
            bool_or(content <> winner AND updated IS NOT DISTINCT FROM winner_updated) OVER (PARTITION BY {key})
                AS is_doubtful
        FROM placed
        """
    )
    first_key = contract.key[0]
    held = _held(first_key, "unique", f"staged.{quoted(first_key)}::VARCHAR")
    duck.execute(
        f"""
        UPDATE {table} AS staged
        SET _duplicate = is_duplicate AND NOT is_doubtful,
            _held = CASE WHEN is_doubtful THEN {held} END
        FROM rivals
        WHERE rivals.place_in_file = staged.rowid
        """
    )
