"""The built-in contracts, and how a file's header is matched to a contract's columns."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from shared.datasets.contract import DELETED_COLUMN, Contract
from shared.errors import ContractError

FOLDER = Path(__file__).parent / "contracts"


@cache
def built_in() -> dict[str, Contract]:
    """Every built-in contract by dataset name."""
    paths = sorted(FOLDER.glob("*.toml"))
    return {path.stem: contract_from(tomllib.loads(path.read_text(encoding="utf-8"))) for path in paths}


def contract_from(document: dict[str, Any]) -> Contract:
    """A contract from TOML or JSON data. Raises ContractError saying which field is wrong."""
    try:
        contract = Contract.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "contract"
        raise ContractError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
    if contract.name == "auto" or contract.name.startswith("_"):
        raise ContractError("name: auto and names that start with _ are reserved")
    return contract


def plain(name: str) -> str:
    """A header name without case, blanks and punctuation: ``Order ID`` and ``order_id`` are the same."""
    return re.sub(r"[\W_]+", "", name.casefold())


def bind(contract: Contract, header: Sequence[str]) -> dict[str, str]:
    """Which header name holds which column of the contract; the column's own name wins over its aliases.

    A name that stands there letter by letter wins over one that differs in case, blanks or punctuation.
    """
    exact: dict[str, str] = {}
    alike: dict[str, str] = {}
    deleted: str | None = None
    for name in header:
        if name.lower() == DELETED_COLUMN:
            deleted = name
        else:
            exact[name] = name
            alike.setdefault(plain(name), name)
    bound: dict[str, str] = {}
    taken: set[str] = set()
    for headers, spelled in ((exact, str), (alike, plain)):
        for names in ((lambda c: (c.name,)), (lambda c: c.aliases)):
            for column in contract.columns:
                match = next((headers[spelled(n)] for n in names(column) if spelled(n) in headers), None)
                if column.name not in bound and match is not None and match not in taken:
                    bound[column.name] = match
                    taken.add(match)
    if deleted is not None:
        bound[DELETED_COLUMN] = deleted
    return bound


def missing(contract: Contract, header: Sequence[str]) -> list[str]:
    """Required columns of the contract that the header does not have; to delete rows, their key is enough."""
    bound = bind(contract, header)
    if DELETED_COLUMN in bound and set(contract.key) <= bound.keys():
        return []
    return _lacking(contract, bound)


def _lacking(contract: Contract, bound: dict[str, str]) -> list[str]:
    derived = {"line_id"} if contract.name == "order_items" else set()
    return sorted(contract.required() - bound.keys() - derived)


def best(contracts: Iterable[Contract], header: Sequence[str]) -> Contract | None:
    """The contract whose required columns are all there and which knows the most of the header, or None."""
    known = list(contracts)
    fitting = [contract for contract in known if not _lacking(contract, bind(contract, header))]
    if not fitting:
        # Keys to delete: of one dataset alone, which knows every column there is.
        fitting = [c for c in known if not missing(c, header) and len(bind(c, header)) == len(header)]
        return fitting[0] if len(fitting) == 1 else None
    # What a contract knows comes first: a table of products with a category_id and a name is not one of categories.
    ranked = sorted(fitting, key=lambda c: (len(bind(c, header)), len(c.required() & bind(c, header).keys())))
    return ranked[-1] if ranked else None
