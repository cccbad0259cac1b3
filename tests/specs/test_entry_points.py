"""Entry points translate: no branch, no waiting loop, no rescue; and each imports its own cloud's libraries only."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parent.parent.parent / "functions"
ENTRY_POINTS = sorted(FUNCTIONS.glob("*/*.py"))
DECISIONS = (ast.If, ast.IfExp, ast.Try, ast.TryStar, ast.Match, ast.While, ast.BoolOp, ast.With, ast.comprehension)
MAX_LINES = 40


def decisions_in(source: str) -> list[str]:
    """Names of the deciding nodes of a module; a filter of a comprehension is one, a plain comprehension is not."""
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, DECISIONS)]
    return [type(node).__name__ for node in found if not isinstance(node, ast.comprehension) or node.ifs]


def imports_of(path: Path) -> set[str]:
    """Top-level names of everything a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_every_function_has_one_entry_point_per_cloud() -> None:
    found = {str(path.relative_to(FUNCTIONS)) for path in ENTRY_POINTS if path.name != "__init__.py"}
    functions, files = ("query", "work", "ingest", "tidy"), ("handler.py", "main.py")
    assert found == {f"{name}/{file}" for name in functions for file in files}


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=lambda path: str(path.relative_to(FUNCTIONS)))
def test_an_entry_point_decides_nothing(path: Path) -> None:
    source = path.read_text()
    assert decisions_in(source) == []
    assert len(source.splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("if x:\n    y()", ["If"]),
        ("y = 1 if x else 2", ["IfExp"]),
        ("try:\n    y()\nfinally:\n    z()", ["Try"]),
        ("while x:\n    y()", ["While"]),
        ("match x:\n    case 1:\n        y()", ["Match"]),
        ("y = x or z", ["BoolOp"]),
        ("y = [x for x in z if x]", ["comprehension"]),
        ("y = [x for x in z]\nfor x in z:\n    y(x)", []),
    ],
)
def test_the_check_sees_a_planted_decision(source: str, found: list[str]) -> None:
    assert decisions_in(source) == found


def test_a_cloud_s_entry_point_imports_only_its_own_libraries() -> None:
    allowed = {
        "handler.py": {"__future__", "typing", "mangum", "aws_lambda_powertools", "shared"},
        "main.py": {"__future__", "typing", "functions_framework", "cloudevents", "starlette", "flask", "shared"},
    }
    for path in ENTRY_POINTS:
        assert imports_of(path) <= allowed.get(path.name, set()), path
