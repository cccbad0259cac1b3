"""Contracts as data: the built-in ones are sound, and a wrong one is refused with the field that is wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from shared.datasets.contract import Contract
from shared.datasets.registry import FOLDER, built_in, contract_from, missing, plain
from shared.errors import ContractError

ROOT = Path(__file__).parent.parent.parent
NUMBERS = ("integer", "bigint", "decimal", "double")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_contract_file_is_named_after_its_dataset(path):
    assert tomllib.loads(path.read_text(encoding="utf-8"))["name"] == path.stem


@pytest.mark.parametrize("contract", built_in().values(), ids=lambda contract: contract.name)
def test_a_built_in_contract_says_what_it_is_and_keeps_to_its_own_rules(contract: Contract):
    assert contract.description.endswith(".")
    assert set(contract.key) <= {column.name for column in contract.columns}
    for column in contract.columns:
        if column.minimum is not None or column.maximum is not None:
            assert column.type in NUMBERS
        if column.default is not None and column.allowed:
            assert column.default in column.allowed
        if column.default is not None and column.type in NUMBERS:
            assert re.fullmatch(r"-?\d+(\.\d+)?", column.default)
    for name, types in ((contract.time_column, ("timestamp", "date")), (contract.updated_column, ("timestamp",))):
        assert name is None or contract.column(name).type in types


@pytest.mark.parametrize("contract", built_in().values(), ids=lambda contract: contract.name)
def test_no_alias_means_two_columns_of_one_dataset(contract: Contract):
    names = [plain(name) for column in contract.columns for name in {plain(n) for n in (column.name, *column.aliases)}]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("contract", built_in().values(), ids=lambda contract: contract.name)
def test_the_own_column_names_are_a_complete_header(contract: Contract):
    assert missing(contract, [column.name for column in contract.columns]) == []


def test_what_names_a_person_is_marked_personal():
    marked = {c.name for c in built_in()["customers"].columns if c.personal}
    assert marked >= {"email", "name"}


def test_money_is_exact_and_quantities_are_whole():
    lines, orders = built_in()["order_items"], built_in()["orders"]
    assert {lines.column(name).type for name in ("unit_price", "discount")} == {"decimal"}
    assert {orders.column(name).type for name in ("discount", "tax", "shipping", "refunded", "total")} == {"decimal"}
    assert lines.column("quantity").type == "integer"


def test_every_dataset_and_column_is_on_the_page_of_datasets():
    page = (ROOT / "docs/datasets.md").read_text(encoding="utf-8")
    for contract in built_in().values():
        section = page.split(f"## {contract.name}\n")[1].split("\n## ")[0]
        assert {column.name for column in contract.columns} == set(re.findall(r"^\| `(\w+)`", section, re.MULTILINE))


GOOD = {"name": "things", "key": ["id"], "columns": [{"name": "id"}]}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"name": "Things"}, "name: .*'Things' is not a dataset name"),
        ({"key": []}, "key: "),
        ({"key": ["other"]}, "not a column of things: other"),
        ({"columns": [{"name": "id"}, {"name": "id"}]}, "two columns have the same name"),
        ({"columns": [{"name": "id", "type": "money"}]}, "columns.0.type: "),
        ({"columns": [{"name": "rowid"}]}, "columns.0.name: .*reserved"),
        ({"columns": [{"name": "id", "pattern": "("}]}, "columns.0.pattern: .*not a regular expression"),
        ({"columns": [{"name": "id", "requird": True}]}, "columns.0.requird: "),
        ({"max_held_ratio": 1.5}, "max_held_ratio: "),
        ({"time_column": "at"}, "not a column of things: at"),
        ({"colour": "blue"}, "colour: "),
    ],
)
def test_a_wrong_contract_is_refused_with_the_field_that_is_wrong(change, told):
    assert contract_from(GOOD).name == "things"
    with pytest.raises(ContractError, match=told):
        contract_from(GOOD | change)
