"""Promises about the whole: SQL files, settings, errors, contracts, sources and the tree agree with each other."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shared import errors
from shared.api import questions  # noqa: F401 - registers all of them
from shared.datasets.question import QUESTIONS
from shared.datasets.registry import built_in
from shared.settings import Settings
from shared.sources.known import sources
from shared.sql.load import names, statement

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("name", names())
def test_every_statement_begins_with_what_it_is_for(name):
    assert re.match(r"-- \S.{10,}", statement(name))


@pytest.mark.parametrize("name", names())
def test_every_statement_has_one_door_in_the_code(name):
    code = "".join(path.read_text() for path in (ROOT / "shared").rglob("*.py"))
    assert re.search(rf"['\"]{name}['\"]", code) or name.startswith("schema/")


def test_every_setting_is_explained():
    page = (ROOT / "docs/settings.md").read_text()
    documented = set(re.findall(r"`TEAL_([A-Z0-9_]+)`", page))
    assert documented == {name.upper() for name in Settings.model_fields}


def all_errors(kind: type = errors.AppError) -> list[type]:
    return [kind, *(one for child in kind.__subclasses__() for one in all_errors(child))]


def test_every_error_code_is_documented():
    import shared.bootstrap  # defines the errors that live beside their use
    import shared.ingest
    import shared.tidy  # noqa: F401 - as above

    page = (ROOT / "docs/errors.md").read_text()
    codes = {one.code for one in all_errors() if one is not errors.AppError}
    assert not {code for code in codes if f"`{code}`" not in page}


def test_references_of_contracts_exist():
    contracts = built_in()
    for contract in contracts.values():
        for column in contract.columns:
            if column.references:
                dataset, target = column.references.split(".")
                assert contracts[dataset].column(target)


def test_sources_name_known_datasets():
    for source in sources():
        assert set(source.selects) <= set(built_in())
        assert source.primary in source.selects


def test_every_question_is_defined():
    for name, question in QUESTIONS.items():
        assert question.title
        assert question.__doc__
        assert question.sql_files()
        assert name in (ROOT / "README.md").read_text()


def test_every_question_has_a_reference_and_an_independent_computation():
    page = (ROOT / "tests/oracles/README.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z/-]+)` \| (.+) \|$", page, re.M))
    assert rows.keys() == QUESTIONS.keys()
    for name, row in rows.items():
        reference, computed = row.split(" | ")
        assert reference
        files = [ROOT / "tests" / file for file in re.findall(r"`(\S+\.py)`", computed)]
        assert files
        assert all(file.exists() for file in files), name
        assert any(name in file.read_text() for file in files), f"none of them asks {name}"


def test_importing_the_core_loads_no_cloud_sdk_and_no_engine():
    code = (
        "import shared.errors, shared.values, shared.settings, shared.events, shared.datasets.registry, sys;"
        "print([m for m in ('boto3', 'botocore', 'google.cloud.storage', 'duckdb', 'fastapi') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["duckdb", "boto3", "botocore", "google", "python_calamine", "iminuit"])
def test_a_foreign_library_has_one_door(module):
    doors = {"duckdb": {"duck.py"}, "google": {"gcs.py", "pubsub.py"}}
    doors |= {"boto3": {"s3.py", "aws_clients.py"}, "botocore": {"s3.py", "aws_clients.py", "sqs.py"}}
    doors["python_calamine"], doors["iminuit"] = {"sheets.py"}, {"maximum.py"}
    for path in (ROOT / "shared").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            imported = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            imported += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == module for name in imported):
                assert path.name in doors[module], path


def test_every_module_says_its_role():
    for path in [*(ROOT / "shared").rglob("*.py"), *(ROOT / "functions").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        if tree.body:
            assert ast.get_docstring(tree), path
