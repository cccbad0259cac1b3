"""Whether docs/security.md is true: every HTTP case has a row, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import shared

ROOT = Path(shared.__file__).parent.parent
PAGE = ROOT / "docs" / "security.md"

CASES = [
    f"H{n:02}" for first, last in ((1, 12), (20, 33), (40, 50), (60, 74), (80, 99)) for n in range(first, last + 1)
]

WITHOUT_A_TEST = {"H98"}
"""Cases that cannot occur, and nothing could show it."""


def rows() -> list[tuple[str, str, str, list[str]]]:
    """Case, what is tried, what becomes of it, and the tests, of each row of the table."""
    lines = PAGE.read_text(encoding="utf-8").partition("## HTTP cases")[2].splitlines()
    told = [[part.strip() for part in line.strip("|").split(" | ")] for line in lines if line.startswith("| H")]
    return [(case, what, answer, re.findall(r"`([^`]+)`", tests)) for case, what, answer, tests in told]


def tests_in(stem: str) -> frozenset[str]:
    """The names of the tests of the file of that name, wherever it is."""
    [path] = (ROOT / "tests").rglob(f"{stem}.py")
    return tests_of(path)


@cache
def tests_of(path: Path) -> frozenset[str]:
    """The names of the tests of a file."""
    functions = ast.parse(path.read_text(encoding="utf-8")).body
    return frozenset(one.name for one in functions if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"))


def test_every_case_has_one_row_in_order():
    assert [case for case, *_ in rows()] == CASES


@pytest.mark.parametrize(("case", "what", "answer", "tests"), rows(), ids=[case for case, *_ in rows()])
def test_every_test_that_a_row_names_is_there(case, what, answer, tests):
    assert what
    assert answer
    assert tests or case in WITHOUT_A_TEST
    for named in tests:
        stem, _, name = named.partition("::")
        found = [one for one in tests_in(stem) if one == name or (name.endswith("*") and one.startswith(name[:-1]))]
        assert found, named


def test_every_test_that_is_called_after_a_case_is_in_its_row():
    named = {case: tests for case, _, _, tests in rows()}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for test in sorted(tests_of(path)):
            for number in re.findall(r"(?<=_)h(\d\d)(?=_)", test.partition("test")[2]):
                patterns = [one.partition("::")[2] for one in named[f"H{number}"] if one.startswith(f"{path.stem}::")]
                assert any(test == one or (one.endswith("*") and test.startswith(one[:-1])) for one in patterns), test


def test_every_file_of_tests_that_the_page_names_is_there():
    text = PAGE.read_text(encoding="utf-8").partition("## HTTP cases")[0]
    for stem in re.findall(r"`(?:tests/\w+/)?(test_\w+)\.py`", text):
        assert any((ROOT / "tests").rglob(f"{stem}.py")), stem
