"""How text becomes numbers and times: SQL expressions that give NULL rather than a guess.

The plain way of writing comes first and costs little more than the bare cast. What follows it must not repeat a
subexpression: DuckDB would compute the repeated one for every row, also where the plain way was enough.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.duck import Duck, literal, quoted
from shared.errors import AmbiguousDatesError

_OFFSET = r"Z|UTC|GMT|[+-](0\d|1[0-5])(:?[0-5]\d(:[0-5]\d)?)?"
_PLACE = "[A-Z][A-Za-z_]+/[A-Za-z_/]+"
_ISO = rf"\d{{4}}-\d{{1,2}}-\d{{1,2}}([ T]\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?( ?({_OFFSET}|{_PLACE}))?)?"
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", "T%H:%M")
# Years of two digits come first: %Y takes 20 for the year 20, while %y does not take 2020.
_DAY_FIRST = ("%d/%m/%y", "%d-%m-%y", "%d.%m.%y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
_MONTH_FIRST = ("%m/%d/%y", "%m-%d-%y", "%m/%d/%Y", "%m-%d-%Y")
_YEAR_FIRST = ("%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
_NAMED = ("%d-%b-%y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d/%b/%Y", "%a, %d %b %Y")
_EPOCH_DIGITS = {1: "[0-9]{9,10}", 1_000: "[0-9]{12,13}"}
"""1973 to 2286; a count of seconds among milliseconds would be a day in January 1970."""
_LONE_DIGITS = "^[0-9]{1,7}([ T]|$)"
"""For %Y%m%d, 2020111 is the eleventh of January and the first of November."""
SAMPLE_ROWS = 1_000
MOST_CONTRADICTIONS = 0.01
"""So many dates may contradict the others before their order counts as unknown: typing errors do happen."""

_GAP = r"[ \x{a0}\x{202f}\x{2009}]"
_BLANK = r"[\s\x{a0}\x{202f}\x{2009}]"
LONGEST_NUMBER = 100
_CURRENCY = "[$€£¥]"
_SIGN = "[-+−]"


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
    ``0x10`` and ``1_000`` are not numbers; with a decimal point, ``1,7`` is not either. A whole number is not rounded
    to: ``6.5`` is no INTEGER, ``6.0`` is.
    """
    whole = sql_type in ("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "HUGEINT")
    other = "." if decimal == "," else ","
    if whole:
        # A cast would round 6.5 and take 0x10.
        plain = f"CASE WHEN regexp_full_match({text}, '[-+]?[0-9]+') THEN {text} END"
    elif decimal == ",":
        # "1.234" is a thousand here, so the cast that would read it as one and a bit must not come first.
        plain = f"CASE WHEN NOT contains({text}, '.') AND NOT contains({text}, '_') THEN replace({text}, ',', '.') END"
    else:
        plain = f"CASE WHEN NOT contains({text}, '_') THEN {text} END"
    first = f"TRY_CAST({plain} AS {sql_type})"
    if sql_type == "DOUBLE":
        first = f"CASE WHEN isfinite({first}) THEN {first} END"
    # One pattern takes the text whole or not at all, one translation cleans it; a second sign makes the cast fail.
    groups = "|".join(f"[1-9][0-9]{{0,2}}({sign}[0-9]{{3}})+" for sign in (f"\\{other}", _GAP, "''"))
    fraction = rf"\{decimal}0*" if whole else rf"\{decimal}[0-9]*"
    digits = f"({groups}|[0-9]+)({fraction})?" + ("([eE][+]?[0-9]+)?" if whole else rf"|\{decimal}[0-9]+")
    amount = f"({_CURRENCY}?{_BLANK}*({digits})|({digits}){_BLANK}*{_CURRENCY})"
    signed = f"{_SIGN}?{_BLANK}*({_CURRENCY}{_BLANK}*{_SIGN})?{_BLANK}*{amount}"
    pattern = rf"{_BLANK}*({signed}|\({_BLANK}*{amount}{_BLANK}*\)){_BLANK}*"
    taken = f"strlen({text}) <= {LONGEST_NUMBER} AND regexp_full_match({text}, '{pattern}')"
    kept = f"translate({text}, '(−{decimal})+$€£¥ {other}''\u00a0\u202f\u2009', '--.')"
    return f"coalesce({first}, TRY_CAST(CASE WHEN {taken} THEN {kept} END AS {sql_type}))"


def time_expression(text: str, found: TimeFormat, sql_type: str) -> str:
    """The instant (TIMESTAMPTZ) or day (DATE) that ``text`` writes; naive times are in the session's zone."""
    if found.is_iso:
        return _iso_day(text) if sql_type == "DATE" else _iso_instant(text)
    if found.epoch:
        digits = f"CASE WHEN regexp_full_match({text}, '{_EPOCH_DIGITS[found.epoch]}') THEN {text} END"
        instant = f"to_timestamp(TRY_CAST({digits} AS DOUBLE) / {found.epoch})"
    else:
        instant = _in_zone(_parsed(text, found.formats))
    return f"CAST({instant} AS DATE)" if sql_type == "DATE" else instant


def _iso_day(text: str) -> str:
    # A day of its own is the same day in every zone.
    plain = f"CASE WHEN {text} LIKE '____-__-__' AND {text} >= '0001' THEN TRY_CAST({text} AS DATE)"
    return f"{plain} ELSE CAST({_iso_instant(text)} AS DATE) END"


def _iso_instant(text: str) -> str:
    """Only what has the shape of ISO 8601 is cast: a cast takes ``epoch``, ``01-10-17`` and offsets of 99 hours too."""
    clocks = " OR ".join(f"{text} LIKE '____-__-__{clock}'" for clock in (" __:__:__", "", "T__:__:__"))
    naive = f"{text} >= '0001' AND ({clocks}) AND NOT ends_with({text}, 'Z')"
    utc = f"{text} >= '0001' AND {text} LIKE '____-__-__T__:__:__%Z'"
    wall = f"TRY_CAST({text} AS TIMESTAMP)"
    # DuckDB wants seconds before an offset and no blank.
    seconds = rf"regexp_replace({text}, '^([^:]*:[0-9][0-9]) ?({_OFFSET})$', '\1:00\2')"
    closed = rf"regexp_replace({seconds}, ' ({_OFFSET})$', '\1')"
    shaped = f"CASE WHEN {text} >= '0001' AND regexp_full_match({text}, '{_ISO}') THEN {closed} END"
    return (
        f"CASE WHEN {naive} THEN {_in_zone(wall)} WHEN {utc} THEN {_as_utc(wall)} "
        f"ELSE TRY_CAST({shaped} AS TIMESTAMPTZ) END"
    )


def _in_zone(wall: str) -> str:
    """A wall clock's instant in the session's zone; in UTC without asking the calendar, which takes twice the cast."""
    zone = "current_setting('TimeZone')"
    return f"CASE WHEN {zone} IN ('UTC', 'Etc/UTC') THEN {_as_utc(wall)} ELSE timezone({zone}, {wall}) END"


def _as_utc(wall: str) -> str:
    return f"make_timestamptz(epoch_us({wall}))"


def _parsed(text: str, formats: tuple[str, ...]) -> str:
    """The wall clock one of the formats reads; NULL for words (strptime takes ``epoch``) and years before 1000."""
    if not formats:
        return "NULL::TIMESTAMP"
    named = any(pattern in formats for pattern in _patterns(_NAMED))
    sensible = f"regexp_matches({text}, '[0-9]')" if named else f"{text} >= '0' AND {text} < ':'"
    if any(pattern.startswith("%Y%m%d") for pattern in formats):
        sensible += f" AND NOT regexp_matches({text}, '{_LONE_DIGITS}')"
    patterns = ", ".join(map(literal, formats))
    tried = f"try_strptime(CASE WHEN {sensible} THEN {text} END, [{patterns}])"
    return f"list_filter([{tried}], lambda wall: wall >= TIMESTAMP '1000-01-01')[1]"


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

    Raises AmbiguousDatesError when the texts could be read day first or month first and neither they nor ``date_order``
    say which.
    """
    texts = f"SELECT trim({quoted(column)}) AS text FROM {table} WHERE nullif(trim({quoted(column)}), '') IS NOT NULL"
    sample = f"({texts} LIMIT {SAMPLE_ROWS})"
    groups = {"dmy": _DAY_FIRST, "mdy": _MONTH_FIRST, "ymd": _YEAR_FIRST, "named": _NAMED}
    # Only patterns that read some of the first rows are tried on all of them: there are fifty.
    likely = {name: _reading(duck, sample, _patterns(days)) for name, days in groups.items()}
    if date_order in ("dmy", "mdy"):
        likely["mdy" if date_order == "dmy" else "dmy"] = ()
    shapes = {"iso": _ISO, "seconds": _EPOCH_DIGITS[1], "millis": _EPOCH_DIGITS[1_000]}
    read = {name: f"regexp_full_match(text, {literal(shape)})" for name, shape in shapes.items()}
    read |= {name: f"{_parsed('text', patterns)} IS NOT NULL" for name, patterns in likely.items()}
    day, month = _parsed("text", likely["dmy"]), _parsed("text", likely["mdy"])
    read |= {"differing": f"{day} <> {month}", "day_only": f"{month} IS NULL AND {day} IS NOT NULL"}
    counts = ", ".join(f"count(*) FILTER ({condition})" for condition in read.values())
    found = dict(zip(read, duck.execute(f"SELECT {counts} FROM ({texts})")[0], strict=True))
    differing, day_only = found.pop("differing"), found.pop("day_only")
    month_only = found["mdy"] - (found["dmy"] - day_only)
    most = max(found, key=lambda name: found[name])
    match most:
        case "iso":
            return TimeFormat()
        case "seconds" | "millis":
            return TimeFormat(epoch=1 if most == "seconds" else 1_000)
        case "ymd" | "named":
            return TimeFormat(likely[most])
    # One proof decides; proofs of both orders decide nothing, unless those of one are no more than typing errors.
    if differing and min(day_only, month_only) >= MOST_CONTRADICTIONS * max(day_only, month_only):
        proofs = "some only one way, some only the other way" if day_only else "all of them both ways"
        raise AmbiguousDatesError(
            f"The dates of column {column} can be read day first or month first, {proofs}; say date_order dmy or mdy."
        )
    return TimeFormat(likely["dmy" if day_only >= month_only else "mdy"])


def _reading(duck: Duck, sample: str, patterns: tuple[str, ...]) -> tuple[str, ...]:
    counts = ", ".join(f"count({_parsed('text', (pattern,))})" for pattern in patterns)
    found = duck.execute(f"SELECT {counts} FROM {sample}")[0]
    return tuple(pattern for pattern, count in zip(patterns, found, strict=True) if count)


def _patterns(days: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(day + clock for clock in _CLOCKS for day in days)
