"""Money has four decimals: a note on every column whose values have more in the file, since the lake rounds them.

Counting them means to read the file once more, so it takes a reason: a number of more decimals among the first rows, or
an amount that uses all four, as nine of ten do that were rounded. A file of cents pays for neither.
"""

from __future__ import annotations

from shared.datasets.contract import Contract
from shared.datasets.registry import bind
from shared.duck import Duck, literal, quoted
from shared.formats.expressions import number_expression
from shared.formats.table import SERVICE_COLUMNS, counted
from shared.sources.known import sources
from shared.steps.judge import Staged
from shared.steps.reading import Read

SAMPLE_ROWS = 1_000
_LONG_FRACTION = "[.,][0-9]{4}[0-9]*[1-9]"


def notes_on_rounding(duck: Duck, read: Read) -> tuple[str, ...]:
    """One note for every column of ``raw_file`` with numbers of more than four decimals, and how many they are."""
    rounded = any(_to_the_last_decimal(duck, staged) for staged in read.staged)
    headers = _amounts(duck, read) if rounded or read.long_fractions else []
    if not headers or not (rounded or _has_any(duck, headers)):
        return ()
    counts = ", ".join(f"count(*) FILTER ({_is_rounded(name)} AND {_is_number(name)})" for name in headers)
    found = zip(headers, duck.execute(f"SELECT {counts} FROM raw_file")[0], strict=True)
    return tuple(
        f"Column {header}: {counted(count, 'value')} with more than 4 decimals {'is' if count == 1 else 'are'} rounded."
        for header, count in found
        if count
    )


def _to_the_last_decimal(duck: Duck, staged: Staged) -> bool:
    """Some amount needs its last decimal, as a rounded one does."""
    decimals = (c.name for c in staged.contract.columns if c.type == "decimal" and c.name in staged.present)
    used = " OR ".join(f"{quoted(name)} % 0.001 <> 0" for name in decimals)
    return bool(used and duck.value(f"SELECT bool_or({used}) FROM {staged.table} WHERE _held IS NULL"))


def _amounts(duck: Duck, read: Read) -> list[str]:
    """The file's columns that become decimals, in its order."""
    staged = read.staged[read.primary]
    columns = tuple(name for name in duck.columns("raw_file") if name not in SERVICE_COLUMNS)
    amounts = _numbers(read.source, columns) if read.source else _decimals(staged.contract, columns)
    return [name for name in columns if name in amounts]


def _decimals(contract: Contract, columns: tuple[str, ...]) -> set[str]:
    bound = bind(contract, columns)
    return {bound[column.name] for column in contract.columns if column.type == "decimal" and column.name in bound}


def _numbers(source: str, columns: tuple[str, ...]) -> set[str]:
    """The columns of a known source's file that its SELECTs take numbers from."""
    known = next(one for one in sources() if one.name == source)
    shape = known.shape_for(columns)
    bound = shape.bind(columns) if shape else {}
    return {header for name, header in bound.items() if shape and shape.rename.get(name, name) in known.numbers}


def _has_any(duck: Duck, headers: list[str]) -> bool:
    """Some of the first rows have such a number."""
    sample = f"(SELECT {', '.join(map(quoted, headers))} FROM raw_file LIMIT {SAMPLE_ROWS})"
    condition = " OR ".join(map(_is_rounded, headers))
    return bool(duck.value(f"SELECT EXISTS (SELECT 1 FROM {sample} WHERE {condition})"))


def _is_rounded(column: str) -> str:
    """The text has digits behind the fourth decimal that are not zero."""
    text = quoted(column)
    plain = f"regexp_matches({text}, {literal(_LONG_FRACTION)})"
    small = f"TRY_CAST({text} AS DECIMAL(38, 12)) <> TRY_CAST({text} AS DECIMAL(18, 4))"
    return f"CASE WHEN contains({text}, 'e') OR contains({text}, 'E') THEN {small} ELSE {plain} END"


def _is_number(column: str) -> str:
    """Read with either decimal sign; what is none with the file's own is held."""
    tried = (number_expression(quoted(column), sign, "DOUBLE") for sign in (".", ","))
    return f"coalesce({', '.join(tried)}) IS NOT NULL"
