"""What an owner and its reading cell tell each other, as JSON: the file to read, and what came of it.

The rule: a hostile file may have taken the cell over, so what it says is checked like anything from outside.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from shared.datasets.contract import Contract
from shared.datasets.registry import built_in
from shared.formats.table import ReadOptions
from shared.reading.base import ReceivedFile
from shared.sources.known import sources
from shared.steps.judge import Staged
from shared.steps.ledger import Contracts
from shared.steps.order import Order
from shared.steps.reading import Read, Reading
from shared.values import InboxKey

MAX_TEXT = 2_000
MAX_NOTES = 200

_Text = Annotated[str, Field(max_length=MAX_TEXT)]
_Rows = Annotated[int, Field(ge=0)]


class WrongAnswerError(Exception):
    """A cell said what none of ours says."""


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _ToldStaged(_Told):
    """See Staged; ``is_clean`` says that the file has all rows as the lake takes them."""

    contract: str
    present: tuple[str, ...]
    received: _Rows
    held: _Rows
    duplicate: _Rows
    deletes: bool
    is_clean: bool
    statistics: dict[str, dict[Literal["null_count", "min", "max"], str]]

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.held + self.duplicate > self.received or (self.is_clean and self.held + self.duplicate):
            raise ValueError("the rows do not add up")
        return self


class _ToldRead(_Told):
    """See Read."""

    staged: Annotated[tuple[_ToldStaged, ...], Field(min_length=1, max_length=20)]
    primary: _Rows
    source: _Text
    notes: Annotated[tuple[_Text, ...], Field(max_length=MAX_NOTES + 1)]
    rounding: Annotated[tuple[_Text, ...], Field(max_length=MAX_NOTES + 1)]
    new_contracts: Annotated[tuple[str, ...], Field(max_length=20)]


def asked(file: ReceivedFile, folder: Path) -> bytes:
    """The question about a file; ``folder`` is the one that may be written to."""
    dataset, version = file.key.dataset, file.order.contract_version
    needed = {
        name: versions if name == dataset and version is not None else versions[-1:]
        for name, versions in file.registered.items()
    }
    return json.dumps(
        {
            "path": str(file.path.absolute()),
            "folder": str(folder.absolute()),
            "key": asdict(file.key),
            "options": asdict(file.order.options),
            "contract_version": version,
            "reading": asdict(file.reading),
            "contracts": {name: [one.model_dump_json() for one in versions] for name, versions in needed.items()},
        }
    ).encode()


def received(question: bytes) -> tuple[ReceivedFile, Path]:
    """The same in the cell."""
    told = json.loads(question)
    contracts: Contracts = {
        name: tuple(_contract(text) for text in versions) for name, versions in told["contracts"].items()
    }
    order = Order(options=ReadOptions(**told["options"]), contract_version=told["contract_version"])
    path, folder = Path(told["path"]), Path(told["folder"])
    return ReceivedFile(path, folder, InboxKey(**told["key"]), order, Reading(**told["reading"]), contracts), folder


def answer(read: Read) -> bytes:
    """What came of a file, from the cell; the rows themselves are in its folder."""
    staged = [
        {
            "contract": one.contract.model_dump_json(),
            "present": sorted(one.present),
            "received": one.received,
            "held": one.held,
            "duplicate": one.duplicate,
            "deletes": one.deletes,
            "is_clean": one.file is not None,
            "statistics": {name: _counted(found) for name, found in one.statistics.items()},
        }
        for one in read.staged
    ]
    told = {
        "staged": staged,
        "primary": read.primary,
        "source": read.source,
        "notes": _short(read.notes),
        "rounding": _short(read.rounding),
        "new_contracts": [one.model_dump_json() for one in read.new_contracts],
    }
    return json.dumps(told).encode()


def understood(told: bytes, file: ReceivedFile) -> Read:
    """The answer as its owner takes it: all of ``staged`` still without a table. Raises WrongAnswerError."""
    try:
        found = _ToldRead.model_validate_json(told)
        staged = tuple(_staged(one) for one in found.staged)
        new = tuple(map(_contract, found.new_contracts))
    except (ValidationError, RecursionError) as error:
        raise WrongAnswerError("this is no answer") from error
    known = built_in().keys() | file.registered.keys()
    names = [one.contract.name for one in staged]
    if (
        len(set(names)) < len(names)
        or not set(names) <= known | {one.name for one in new}
        or not {one.name for one in new} <= set(names) & (known | {file.key.dataset})
        or found.source not in ("", *(source.name for source in sources()))
        or found.primary >= len(staged)
    ):
        raise WrongAnswerError("these datasets were not asked for")
    return Read(staged, found.primary, found.source, found.notes, new, rounding=found.rounding)


def short(text: str) -> str:
    """No longer than what people read."""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _staged(told: _ToldStaged) -> Staged:
    return Staged(
        contract=_contract(told.contract),
        table="",
        present=frozenset(told.present),
        row_number="",
        received=told.received,
        held=told.held,
        duplicate=told.duplicate,
        deletes=told.deletes,
        file=Path() if told.is_clean else None,
        statistics={
            column: {str(name): text for name, text in found.items()} for column, found in told.statistics.items()
        },
    )


@lru_cache(maxsize=256)
def _contract(text: str) -> Contract:
    """Most files of a process are judged by the same few contracts."""
    return Contract.model_validate_json(text)


def _counted(found: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(found[name]) for name in ("null_count", "min", "max") if name in found}


def _short(notes: tuple[str, ...]) -> list[str]:
    more = [f"{len(notes) - MAX_NOTES:,} more notes are left out."] if len(notes) > MAX_NOTES else []
    return [*map(short, notes[:MAX_NOTES]), *more]
