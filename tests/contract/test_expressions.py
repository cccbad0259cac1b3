"""A text becomes the number or the time it writes, or nothing: never another one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.duck import Duck, open_duck
from shared.errors import AmbiguousDatesError
from shared.formats.expressions import TimeFormat, detect_time_format, number_expression, time_expression


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=400, threads=2, extensions=())


NUMBERS = {
    ".": {
        "2.55": "2.55", "47,072.02": "47072.02", "1,7": None, "$4.00 ": "4", "(4.00)": "-4", "(4.00": None, "95%": None,
        "NaN": None, "INF": None, "-inf": None, "infinity": None, "1_000": None, "0x10": None, "1e5": "100000",
        "-2.00E-02": "-0.02", "1,234,567": "1234567", "12,34": None, "0,123": None, "1.2.3": None, "-$4.00": "-4",
        "1 234.5": "1234.5", "1\u00a0234.5": "1234.5", "1'234.50": "1234.5", "(1,234.50)": "-1234.5", "--4": None,
        ".5": "0.5", "$.50": "0.5", "5.": "5", "": None, "abc": None, "true": None, "1,2345": None, "4 5": None,
        "1e400": None, "9" * 400: None, "+5": "5", "\u22124.5": "-4.5", "$-4.00": "-4", "-(4.00)": None,
        "($4.00)": "-4", "4.00)": None, "$4.00$": None, "-$-4": None, "1.5_0": None, "1,234 567": None, "1\n234": None,
        "12,345.": "12345",
    },
    ",": {
        "1.234,56": "1234.56", "1,7": "1.7", "0,611": "0.611", "1.234": "1234", "12.34": None, "2.55": None,
        "200.000.000": "200000000", "-1,5": "-1.5", "1,2,3": None, "4,00 €": "4", "€ 4,00": "4", ",5": "0.5",
        "1_000,5": None, "nan": None, "0,123": "0.123", "1\u202f234,5": "1234.5", "(1.234,5)": "-1234.5", "-inf": None,
        "1e400": None, "1.234.56": None, "1,234.56": None, "+1,5": "1.5",
    },
}  # fmt: skip


@pytest.mark.parametrize("sql_type", ["DECIMAL(18,4)", "DOUBLE"])
@pytest.mark.parametrize(("decimal", "text"), [(sign, text) for sign, texts in NUMBERS.items() for text in texts])
def test_a_text_is_the_number_it_writes_or_none(duck, decimal, text, sql_type):
    found = number(duck, text, decimal, sql_type)
    expected = NUMBERS[decimal][text]
    # A DOUBLE is the float nearest to the text, as Python's own float() finds it; a DECIMAL is the text itself.
    exact = float if sql_type == "DOUBLE" else Decimal
    assert found == (None if expected is None else exact(expected))
    assert found is None or type(found) is exact


def number(duck: Duck, text: str, decimal: str, sql_type: str):
    return duck.execute(
        f"SELECT {number_expression('c', decimal, sql_type)} FROM (SELECT unnest([?, '1', NULL]) AS c)", [text]
    )[0][0]


@pytest.mark.parametrize(
    ("decimal", "text", "expected"),
    [
        (".", "7", 7), (".", "-7", -7), (".", "+7", 7), (".", "6.0", 6), (".", "6.", 6), (".", "6.5", None),
        (".", "1e3", 1000), (".", "1.5e3", None), (".", "15e-1", None), (".", "0x10", None), (".", "0b1", None),
        (".", "1_000", None), (".", "1,000", 1000), (".", "(3)", -3), (".", "4,5", None), (".", "99999999999", None),
        (",", "6,0", 6), (",", "6,5", None), (",", "1.000", 1000), (",", "1.00", None), (",", "-1.000.000", -1000000),
    ],
)  # fmt: skip
def test_a_whole_number_is_never_rounded_to(duck, decimal, text, expected):
    assert number(duck, text, decimal, "INTEGER") == expected


def times(duck: Duck, texts: list[str], date_order: str | None = None) -> list[str | None]:
    values = ", ".join(f"({i}, '{text}')" for i, text in enumerate(texts))
    duck.execute(f"CREATE OR REPLACE TEMP TABLE texts AS SELECT * FROM (VALUES {values}) v(i, c)")
    found = detect_time_format(duck, "texts", "c", date_order=date_order)
    rows = duck.execute(f"SELECT ({time_expression('c', found, 'TIMESTAMPTZ')})::VARCHAR FROM texts ORDER BY i")
    return [row[0].removesuffix("+00").removesuffix(" 00:00:00") if row[0] else None for row in rows]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-01T15:00:00Z", "2020-01-01T15:00:00+03:00"], ["2020-01-01 15:00:00", "2020-01-01 12:00:00"]),
        (["2020-01-01 15:00 +0300", "2020-01-01T15:00Z"], ["2020-01-01 12:00:00", "2020-01-01 15:00:00"]),
        (["epoch", "2020-01-01", "infinity"], [None, "2020-01-01", None]),
        (["epoch", "13/02/2020", "infinity"], [None, "2020-02-13", None]),
        (["2020-01-01 (BC)", "2020-01-02"], [None, "2020-01-02"]),
        (["2020-02-30", "2020-02-28"], [None, "2020-02-28"]),
        (["03/04/2020", "13/02/2020"], ["2020-04-03", "2020-02-13"]),
        (["03/04/2020", "02/13/2020"], ["2020-03-04", "2020-02-13"]),
        (["13/02/20", "14/03/21"], ["2020-02-13", "2021-03-14"]),
        (["13/02/20", "14/03/2021"], ["2020-02-13", "2021-03-14"]),
        (["11-May-11", "27-May-11"], ["2011-05-11", "2011-05-27"]),
        (["10/31/2016 11:07:15 PM", "1/2/2016 1:07 am"], ["2016-10-31 23:07:15", "2016-01-02 01:07:00"]),
        (["31.12.2020 10:00"], ["2020-12-31 10:00:00"]),
        (["2018/3/31", "2018/12/01"], ["2018-03-31", "2018-12-01"]),
        (["1582636000", "1582636001"], ["2020-02-25 13:06:40", "2020-02-25 13:06:41"]),
        (["05/05/2020"], ["2020-05-05"]),
        (["1582636000", "1582636000123", "1582636001"], ["2020-02-25 13:06:40", None, "2020-02-25 13:06:41"]),
        (["1582636000", "inf", "1e300", "1582636001"], ["2020-02-25 13:06:40", None, None, "2020-02-25 13:06:41"]),
        (["2020-01-01", "01-10-17", "-2020-01-01", "-infinity"], ["2020-01-01", None, None, None]),
        (["2020-01-01 10:00:00+99", "2020-01-01 10:00:00-02"], [None, "2020-01-01 12:00:00"]),
        (["2020-01-01 10:00:00 CST", "2020-01-01 10:00:00 America/Chicago"], [None, "2020-01-01 16:00:00"]),
        (["2020-01-01T10:00:00.5Z", "2020-01-01T10:00"], ["2020-01-01 10:00:00.5", "2020-01-01 10:00:00"]),
        (["13/02/202", "13/02/2020", "14/02/2020"], [None, "2020-02-13", "2020-02-14"]),
        (["20201231", "20200102", "2020111"], ["2020-12-31", "2020-01-02", None]),
        (["May 11, 2011", "epoch", "Infinity"], ["2011-05-11", None, None]),
        (["13/02/2020"] * 200 + ["02/14/2020"], ["2020-02-13"] * 200 + [None]),
    ],
)
def test_a_column_of_times_is_read_one_way(duck, texts, expected):
    assert times(duck, texts) == expected


@pytest.mark.parametrize(
    "texts",
    [
        ["03/04/2020"],
        ["01-01-13", "01-10-17"],
        ["13/02/2020", "02/13/2020", "03/04/2020"],
        ["13/02/2020", "02/13/2020", "14/02/2020", "03/04/2020"],
    ],
)
def test_dates_that_read_both_ways_are_not_guessed(duck, texts):
    with pytest.raises(AmbiguousDatesError):
        times(duck, texts)
    assert len(times(duck, texts, "dmy")) == len(texts)


def test_the_sender_may_say_the_order_of_dates(duck):
    assert times(duck, ["03/04/2020"], "dmy") == ["2020-04-03"]
    assert times(duck, ["03/04/2020"], "mdy") == ["2020-03-04"]


@pytest.mark.parametrize(
    ("text", "instant", "day"),
    [
        ("2024-07-01 10:00:00", "2024-07-01 08:00:00", "2024-07-01"),
        ("2024-07-01", "2024-06-30 22:00:00", "2024-07-01"),
        ("2024-07-01T23:30:00Z", "2024-07-01 23:30:00", "2024-07-02"),
        ("2024-07-01 10:00:0Z", None, None),
        ("2024-07-01T10:00:00-05:00", "2024-07-01 15:00:00", "2024-07-01"),
        ("2024-07-01 10:00", "2024-07-01 08:00:00", "2024-07-01"),
        ("1880-01-01 00:00:00+00:53:28", "1879-12-31 23:06:32", "1880-01-01"),
    ],
)
def test_a_naive_time_is_in_the_zone_of_the_session_and_no_other_one_is(duck, text, instant, day):
    """Berlin is two hours ahead of UTC in July."""
    session = duck.cursor()
    session.execute("SET TimeZone = 'Europe/Berlin'")
    found, at = [
        session.value(f"SELECT ({time_expression('c', TimeFormat(), kind)})::{text_type} FROM (SELECT ? AS c)", [text])
        for kind, text_type in (("TIMESTAMPTZ", "TIMESTAMPTZ"), ("DATE", "VARCHAR"))
    ]
    session.execute("SET TimeZone = 'UTC'")
    assert at == day
    assert session.value("SELECT (?::TIMESTAMPTZ)::VARCHAR", [found]) == (instant and instant + "+00")


def test_the_days_of_other_formats_are_in_the_zone_of_the_session(duck):
    session = duck.cursor()
    session.execute("SET TimeZone = 'Europe/Berlin'")
    german = TimeFormat(("%d.%m.%Y %H:%M",))
    sql = f"SELECT epoch({time_expression('c', german, 'TIMESTAMPTZ')}) FROM (SELECT '01.07.2024 10:00' AS c)"
    assert session.value(sql) == 1_719_820_800  # date -u -d '2024-07-01 08:00' +%s
