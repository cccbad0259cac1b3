"""Functions a stranger's SQL may call, by name; what is not here is refused. A spec watches DuckDB's own inventory.

Left out on purpose: what reads the engine's state, settings, secrets or files, what waits or writes; what ends the
process (``from_json`` and its like on deep texts, ``url_decode``); and what takes time or memory that neither the
deadline nor the memory limit bounds (``repeat``, ``format``, ``levenshtein``, ``GLOB``, ``list_distinct``, lists from
``range``).
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The names in a text, separated by blanks."""
    return frozenset(text.split())


TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest", "json_each"})
"""What may stand in FROM with arguments."""

_OPERATORS = words(
    """+ - * / // % ** ^ & | << >> ~ || @ ~~ !~~ ~~* !~~* ->> like_escape not_like_escape ilike_escape
    not_ilike_escape xor add subtract multiply divide"""
)
_NUMBERS = words(
    """abs acos asin atan atan2 bit_count cbrt ceil ceiling cos cosh cot degrees even exp fdiv floor fmod gamma gcd
    greatest isfinite isinf isnan lcm least lgamma ln log log10 log2 mod nextafter pi pow power radians round
    round_even roundbankers sign signbit sin sinh sqrt tan tanh trunc greatest_common_divisor
    least_common_multiple"""
)
_TEXTS = words(
    """ascii base64 bit_length char_length character_length chr concat concat_ws contains ends_with from_base64
    from_hex hash hex instr lcase left length length_grapheme left_grapheme len lower lpad ltrim md5
    nfc_normalize octet_length ord position prefix replace reverse right right_grapheme rpad rtrim sha1 sha256
    split split_part starts_with str_split string_split string_to_array strip_accents strlen strpos substr
    substring substring_grapheme suffix to_base64 to_hex translate trim ucase unhex unicode upper url_encode"""
)
_PATTERNS = words("regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches regexp_replace")
_TIMES = words(
    """age century date_add date_diff date_part date_sub date_trunc datediff datepart datesub datetrunc day dayname
    dayofmonth dayofweek dayofyear days_in_month decade epoch epoch_ms epoch_ns epoch_us era hour isodow isoyear
    julian last_day make_date make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz
    microsecond millennium millisecond minute month monthname nanosecond quarter second strftime strptime
    time_bucket timezone timezone_hour timezone_minute to_centuries to_days to_decades to_hours to_microseconds
    to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds to_timestamp to_weeks to_years
    try_strptime week weekday weekofyear year yearweek normalized_interval"""
)
_CHOICES = words("coalesce constant_or_null error if ifnull nullif typeof alias")
_LISTS = words(
    """array_append array_apply array_concat array_contains array_extract array_filter array_has array_has_all
    array_has_any array_indexof array_length array_position array_prepend array_reverse array_reverse_sort
    array_slice array_sort array_to_string array_transform array_value array_zip element_at flatten list_append
    list_apply list_avg list_concat list_contains list_count list_element list_extract list_filter list_first
    list_has list_has_all list_has_any list_indexof list_last list_max list_median list_min list_pack
    list_position list_prepend list_product list_reverse list_reverse_sort list_slice list_sort list_stddev_pop
    list_stddev_samp list_sum list_transform list_value list_where list_zip unnest unpivot_list list_select
    array_select"""
)
_STRUCTS = words(
    """cardinality map map_concat map_contains map_entries map_extract map_extract_value map_from_entries map_keys
    map_values row struct_concat struct_extract struct_extract_at struct_insert struct_pack struct_update"""
)
_JSON = words(
    """json_array json_array_length json_exists json_extract json_extract_path json_extract_path_text
    json_extract_string json_group_array json_group_object json_keys json_object json_quote json_type json_valid
    json_value to_json row_to_json array_to_json"""
)
_AGGREGATES = words(
    """any_value approx_count_distinct approx_quantile arbitrary arg_max arg_max_null arg_min arg_min_null argmax
    argmin array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif
    covar_pop covar_samp entropy favg first fsum geomean geometric_mean group_concat histogram kahan_sum
    kurtosis kurtosis_pop last list listagg mad max max_by mean median min min_by mode product quantile
    quantile_cont quantile_disc regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx
    regr_sxy regr_syy sem skewness stddev stddev_pop stddev_samp string_agg sum sumkahan var_pop var_samp
    variance wavg weighted_avg"""
)
_WINDOWS = words(
    """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank rank rank_dense row_number"""
)

UNREPEATABLE = words(
    """current_localtime current_localtimestamp gen_random_uuid get_current_time get_current_timestamp now random
    today transaction_timestamp uuid uuidv4 uuidv7 approx_quantile"""
)
"""Another value each time, or on another machine: not in a question whose answer must stay the same."""

VALUES_WITHOUT_PARENTHESES = frozenset(
    {"current_date", "current_time", "current_timestamp", "localtime", "localtimestamp"}
)
"""Look like a column and are the time now."""

REFUSED_VALUES = frozenset(
    {"current_catalog", "current_role", "current_schema", "current_user", "session_user", "user"}
)
"""Look like a column and are the engine's state, unless a table is named before them."""

FUNCTIONS = UNREPEATABLE.union(
    _OPERATORS, _NUMBERS, _TEXTS, _PATTERNS, _TIMES, _CHOICES, _LISTS, _STRUCTS, _JSON, _AGGREGATES, _WINDOWS
)
"""Every function that may be called anywhere else."""

ELSEWHERE = {
    "charindex": "strpos",
    "collect_list": "list",
    "date_format": "strftime",
    "dateadd": "date_add",
    "format_date": "strftime",
    "getdate": "now",
    "isnull": "ifnull",
    "json_query": "json_extract",
    "locate": "strpos",
    "nvl": "coalesce",
    "percentile_cont": "quantile_cont",
    "percentile_disc": "quantile_disc",
    "regexp_like": "regexp_matches",
    "regexp_substr": "regexp_extract",
    "str_to_date": "strptime",
    "sysdate": "now",
    "to_char": "strftime",
    "to_date": "strptime",
    "unix_timestamp": "epoch",
}
"""What functions of other engines are called here; named when one of them is refused."""

SMALL_NUMBERS = {"lpad": (1,), "rpad": (1,), "nth_value": (1,)}
"""Arguments, counted from 0, that must be written as a whole number of at most MAX_SMALL_NUMBER."""
MAX_SMALL_NUMBER = 10_000

WRITTEN_PATTERNS = dict.fromkeys(_PATTERNS - {"regexp_escape"}, 1)
"""Arguments that must be written as a text of at most MAX_PATTERN characters: compiling a pattern cannot be stopped."""
MAX_PATTERN = 500

NEEDS_ORDER = words(
    """any_value arbitrary array_agg first group_concat last list listagg string_agg json_group_array"""
)
"""Aggregates whose result depends on the order of the rows, unless they say ORDER BY inside."""

NEEDS_WINDOW_ORDER = frozenset({"first_value", "lag", "last_value", "lead", "nth_value", "ntile", "row_number"})
"""Window functions that mean nothing without ORDER BY in their window."""

TYPES = words(
    """BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT FLOAT DOUBLE
    DECIMAL VARCHAR CHAR BLOB DATE TIME TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS INTERVAL UUID LIST
    STRUCT MAP ARRAY NULL INTEGER_LITERAL STRING_LITERAL"""
) | {"TIMESTAMP WITH TIME ZONE", "TIME WITH TIME ZONE"}
"""Types a value may be cast to."""
NAMED_TYPES = frozenset({"json"})

SYSTEM_PREFIXES = ("duckdb_", "pg_", "pragma_", "sqlite_", "ducklake_", "__")
"""How names of the engine's own views begin: no dataset and no CTE of such a name is read."""


def is_system_name(name: str) -> bool:
    """Whether the engine has, or may come to have, a view of its own with this name."""
    return name.startswith(SYSTEM_PREFIXES)
