"""Where a place in a text that was run lies in the text that was asked, and what is told of an engine's error."""

from __future__ import annotations

import json

import pytest

from shared.stranger_sql.errors import RefusedSqlError
from shared.stranger_sql.explain import explained
from shared.stranger_sql.functions import ELSEWHERE, FUNCTIONS
from shared.stranger_sql.mistakes import Ran, mistake


class BinderException(Exception):
    """As the engine's own is called."""


def test_a_place_is_told_as_far_as_the_texts_are_the_same():
    asked = "SELECT 'ü',\n  x FROM t ORDER BY y"
    ran = Ran(asked, f"DESCRIBE {asked}", "DESCRIBE ")
    assert ran.place(len("DESCRIBE SELECT 'ü',\n  ".encode())) == {"line": 2, "column": 3}
    changed = Ran("SELECT $n + x", "DESCRIBE SELECT CAST($n AS BIGINT) + x", "DESCRIBE ")
    assert changed.place(len("DESCRIBE SELECT ")) == {"line": 1, "column": 8}
    assert changed.place(len("DESCRIBE SELECT CAST($n AS BIGINT) + ")) == {}
    assert ran.place(3) == ran.place(10_000) == {}


def test_what_the_engine_calls_its_own_places_is_left_out():
    told = {"exception_type": "Binder", "exception_message": 'Ambiguous "x" (use: memory.main.a.x or lake.main.b.x)!'}
    assert mistake(BinderException(f"Binder Error: {json.dumps(told)}")).message == 'Ambiguous "x" (use: a.x or b.x).'


@pytest.mark.parametrize("text", ["", "no json", "Binder Error: {", "Binder Error: []", "Binder Error: 3"])
def test_an_error_of_any_shape_is_told(text):
    assert mistake(BinderException(text)).code == "invalid_sql"


def test_one_explain_is_taken_off_and_every_letter_stays_in_its_place():
    for sql in ("EXPLAIN SELECT 1", "/* a */ -- b\n\texplain/**/SELECT 1", "\n Explain\nSELECT 1"):
        text, is_explain = explained(sql)
        assert is_explain
        assert (len(text), text.index("SELECT")) == (len(sql), sql.index("SELECT"))
        assert "EXPLAIN" not in text.upper()
    for sql in ("SELECT 'EXPLAIN'", "-- EXPLAIN SELECT 1\nSELECT 2", "EXPLAINED", "'' EXPLAIN SELECT 1", ""):
        assert explained(sql) == (sql, False)
    for sql in ("EXPLAIN ANALYZE SELECT 1", "explain (FORMAT JSON) SELECT 1", "EXPLAIN analyze(SELECT 1)"):
        with pytest.raises(RefusedSqlError):
            explained(sql)
    assert explained("EXPLAIN EXPLAIN SELECT 1")[0].split() == ["EXPLAIN", "SELECT", "1"]
    assert not explained("/*" * 20_000 + "EXPLAIN")[1]


def test_functions_of_other_engines_lead_to_functions_that_are_allowed():
    assert set(ELSEWHERE.values()) <= FUNCTIONS
    assert not FUNCTIONS & ELSEWHERE.keys()
