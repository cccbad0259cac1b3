"""How text becomes numbers and times: SQL expressions that give NULL rather than a guess."""

from __future__ import annotations

from dataclasses import dataclass

from shared.duck import Duck, literal, quoted
from shared.errors import AmbiguousDatesError

_ISO = r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?( ?(Z|UTC|[+-]\d{2}(:?\d{2})?))?)?"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M")
_DAY_FIRST = ("%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%d-%m-%y", "%d.%m.%y")
_MONTH_FIRST = ("%m/%d/%Y", "%m-%d-%Y", "%m/%d/%y", "%m-%d-%y")
_YEAR_FIRST = ("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_NAMED = ("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%b/%Y", "%a, %d %b %Y")
SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class TimeFormat:
    """How a column's texts are read as times, all of them the same way.

    ``formats`` are strptime patterns, tried in order; none means ISO 8601, with or without an offset. ``epoch`` is the
    number of units per second of an epoch time, or 0.
    """

    formats: tuple[str, ...] = ()
    epoch: int = 0

    @property
    def is_iso(self) -> bool:
        """The file writes ISO 8601."""
        return not self.formats and not self.epoch


def number_expression(text: str, decimal: str, sql_type: str) -> str:
    """The number that ``text`` (an SQL expression) writes, as ``sql_type``; NULL when it writes none.

    Understands grouped thousands, a currency sign, parentheses for negatives and exponents. ``NaN``, ``inf``, ``95%``,
    ``0x10`` and ``1_000`` are not numbers; with a decimal point, ``1,7`` is not either.
    """
    # Casts take 1_000, 0x10 and, for DOUBLE, words such as inf and nan.
    words = f" AND {text} < ':'" if sql_type == "DOUBLE" else ""
    plain = f"CASE WHEN NOT contains({text}, '_') AND NOT contains({text}, 'x'){words} THEN {text} END"
    bare = f"regexp_replace(trim({text}), '^\\(?\\s*([-+]?)\\s*[$€£¥]?\\s*([-+]?[0-9.,'' ]+)\\s*[$€£¥]?\\s*\\)?$', '\\1\\2')"
    sign = f"CASE WHEN starts_with(trim({text}), '(') THEN '-' ELSE '' END"
    if decimal == ",":
        shape, cleaned = (
            r"[-+]?([0-9]{1,3}([. ''][0-9]{3})+|[0-9]+)(,[0-9]+)?",
            "replace(translate({}, '. ''', ''), ',', '.')",
        )
        # "1.234" is a thousand here, so the cast that would read it as one and a bit must not come first.
        plain = f"CASE WHEN contains({text}, '.') THEN NULL ELSE {plain} END"
    else:
        shape, cleaned = r"[-+]?([0-9]{1,3}([, ''][0-9]{3})+|[0-9]+)(\.[0-9]+)?", "translate({}, ', ''', '')"
    dirty = f"CASE WHEN regexp_full_match({bare}, '{shape}') THEN {sign} || {cleaned.format(bare)} END"
    return f"coalesce(TRY_CAST({plain} AS {sql_type}), TRY_CAST({dirty} AS {sql_type}))"


def time_expression(text: str, found: TimeFormat, sql_type: str) -> str:
    """The instant (TIMESTAMPTZ) or day (DATE) that ``text`` writes; naive times are in the session's zone."""
    if found.epoch:
        instant = f"to_timestamp(TRY_CAST({text} AS DOUBLE) / {found.epoch})"
    elif found.is_iso:
        # A cast to TIMESTAMP would drop an offset without a word; words such as 'epoch' and 'infinity' are no times.
        # DuckDB wants +03:00 where some exports write +0300.
        offset = f"regexp_replace({text}, ' ?([+-][0-9]{{2}})([0-9]{{2}})$', '\\1:\\2')"
        instant = (
            f"CASE WHEN {text} < ':' AND contains({text}, '-') "
            f"THEN coalesce(TRY_CAST({text} AS TIMESTAMPTZ), TRY_CAST({offset} AS TIMESTAMPTZ)) END"
        )
    else:
        patterns = ", ".join(literal(pattern) for pattern in found.formats)
        naive = f"try_strptime({text}, [{patterns}])"
        instant = f"timezone(current_setting('TimeZone'), {naive})"
    return f"CAST({instant} AS DATE)" if sql_type == "DATE" else instant


def iso_time_format(duck: Duck, table: str, column: str) -> TimeFormat | None:
    """ISO, if the first rows of a column all are; else None."""
    wrong = duck.value(
        f"SELECT count(*) FROM (SELECT trim({quoted(column)}) AS text FROM {table} "
        f"WHERE nullif(trim({quoted(column)}), '') IS NOT NULL LIMIT {SAMPLE_ROWS}) "
        f"WHERE NOT regexp_full_match(text, {literal(_ISO)})"
    )
    return None if wrong else TimeFormat()


def detect_time_format(duck: Duck, table: str, column: str, *, date_order: str | None = None) -> TimeFormat:
    """The one way to read a whole column; texts that do not fit it are left to the judge.

    Raises AmbiguousDatesError when every text could be read day first or month first and ``date_order`` does not say.
    """
    texts = f"SELECT trim({quoted(column)}) AS text FROM {table} WHERE nullif(trim({quoted(column)}), '') IS NOT NULL"
    sample = f"({texts} LIMIT {SAMPLE_ROWS})"
    groups = {"dmy": _DAY_FIRST, "mdy": _MONTH_FIRST, "ymd": _YEAR_FIRST, "named": _NAMED}
    # Only patterns that read some of the first rows are tried on all of them: there are fifty.
    likely = {name: _reading(duck, sample, _patterns(days)) for name, days in groups.items()}
    if date_order in ("dmy", "mdy"):
        likely["mdy" if date_order == "dmy" else "dmy"] = ()
    counts = [_count(f"regexp_full_match(text, {literal(pattern)})") for pattern in (_ISO, "[0-9]{10}", "[0-9]{13}")]
    counts += [_count(f"{_parsed(patterns)} IS NOT NULL") for patterns in likely.values()]
    counts.append(_count(f"{_parsed(likely['dmy'])} IS DISTINCT FROM {_parsed(likely['mdy'])}"))
    iso, seconds, millis, dmy, mdy, ymd, named, differing = duck.execute(f"SELECT {', '.join(counts)} FROM ({texts})")[
        0
    ]
    most = max(iso, seconds, millis, dmy, mdy, ymd, named)
    if most == iso:
        return TimeFormat()
    if most in (seconds, millis):
        return TimeFormat(epoch=1 if most == seconds else 1_000)
    if most in (ymd, named):
        return TimeFormat(likely["ymd" if most == ymd else "named"])
    if dmy == mdy and differing:
        raise AmbiguousDatesError(
            f"The dates of column {column} can all be read day first or month first; say date_order dmy or mdy."
        )
    return TimeFormat(likely["dmy" if dmy >= mdy else "mdy"])


def _reading(duck: Duck, sample: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    counts = ", ".join(f"count(try_strptime(text, {literal(pattern)}))" for pattern in patterns)
    found = duck.execute(f"SELECT {counts} FROM {sample}")[0]
    return tuple(pattern for pattern, count in zip(patterns, found, strict=True) if count)


def _parsed(patterns: tuple[str, ...]) -> str:
    return f"try_strptime(text, [{', '.join(map(literal, patterns))}])" if patterns else "NULL::TIMESTAMP"


def _count(condition: str) -> str:
    return f"count(*) FILTER ({condition})"


def _patterns(days: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(day + clock for clock in _CLOCKS for day in days)
