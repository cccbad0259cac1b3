"""The known foreign file shapes: each folder here is a source, with a TOML file and one SELECT per target dataset."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from pathlib import Path

from shared.datasets.contract import Contract
from shared.datasets.registry import bind, missing, plain

FOLDER = Path(__file__).parent

MANY_COLUMNS = 8
"""A source with so many columns is not met by chance."""


@dataclass(frozen=True)
class Shape:
    """One header of a source: the columns it must have, those it may have, and what they are called in the SELECTs."""

    columns: tuple[str, ...]
    rename: dict[str, str]
    optional: tuple[str, ...] = ()
    aliases: dict[str, list[str]] = field(default_factory=dict)

    def bind(self, header: Sequence[str]) -> dict[str, str]:
        """Which header name is which column of ours; a column's own name wins over its aliases."""
        headers = {plain(name): name for name in reversed(header)}
        bound: dict[str, str] = {}
        for column in (*self.columns, *self.optional):
            if plain(column) in headers:
                bound[column] = headers[plain(column)]
        for column in (*self.columns, *self.optional):
            for alias in self.aliases.get(column, ()):
                name = headers.get(plain(alias))
                if column not in bound and name is not None and name not in bound.values():
                    bound[column] = name
        return bound

    def fits(self, header: Sequence[str]) -> bool:
        """Every column it must have is there."""
        return set(self.columns) <= self.bind(header).keys()


@dataclass(frozen=True)
class Source:
    """A foreign file shape. ``selects`` by target dataset; the ``primary`` target has one row per row of the file.

    ``times`` are the raw columns that are brought to ISO text first, so that the SELECTs may compare them. ``numbers``
    are brought to plain digits with a decimal point, so that the SELECTs and the judge read the same.
    """

    name: str
    title: str
    primary: str
    selects: dict[str, str]
    shapes: tuple[Shape, ...]
    times: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    timezone: str | None = None
    date_order: str | None = None

    def shape_for(self, header: Sequence[str]) -> Shape | None:
        """The shape whose columns are all in the header."""
        return next((shape for shape in self.shapes if shape.fits(header)), None)


@cache
def sources() -> tuple[Source, ...]:
    """All known sources; one with more columns comes first, since it is the more specific one."""
    found = [_source(path.parent) for path in FOLDER.glob("*/source.toml")]
    return tuple(sorted(found, key=lambda source: (-max(len(s.columns) for s in source.shapes), source.name)))


def source_for(header: Sequence[str]) -> Source | None:
    """The source this header belongs to, or None."""
    return next((source for source in sources() if source.shape_for(header)), None)


def nearly(header: Sequence[str]) -> bool:
    """The header lacks at most two columns of a source with many: taking it for something else would be a guess."""
    for source in sources():
        for shape in source.shapes:
            lacking = set(shape.columns) - shape.bind(header).keys()
            if len(shape.columns) >= MANY_COLUMNS and 0 < len(lacking) <= 2:
                return True
    return False


def nearest(header: Sequence[str], contracts: Sequence[Contract]) -> str:
    """A sentence for a person: what the header comes closest to, and what is missing."""
    guesses: list[tuple[float, str, list[str]]] = []
    for source in sources():
        for shape in source.shapes:
            lacking = [column for column in shape.columns if column not in shape.bind(header)]
            guesses.append((1 - len(lacking) / len(shape.columns), source.title, lacking))
    for contract in contracts:
        lacking = missing(contract, header)
        if not lacking:
            continue
        there = len(contract.required() & bind(contract, header).keys())
        guesses.append((there / (there + len(lacking)) - 0.01, contract.name, lacking))
    share, name, lacking = max(guesses)
    if share <= 0:
        return (
            f"{', '.join(header[:20])} resemble no known dataset. Send the file to a dataset with a name of your own, "
            "and its columns are inferred."
        )
    hints = [
        f"{column} (is it {close[0]}?)" if (close := get_close_matches(column, header, 1, 0.6)) else column
        for column in lacking
    ]
    return f"It comes closest to {name}, but has no column {', '.join(hints)}."


def _source(folder: Path) -> Source:
    told = tomllib.loads((folder / "source.toml").read_text(encoding="utf-8"))
    return Source(
        name=folder.name,
        title=told["title"],
        primary=told["primary"],
        selects={target: (folder / f"{target}.sql").read_text(encoding="utf-8") for target in told["targets"]},
        shapes=tuple(
            Shape(tuple(s["columns"]), s.get("rename", {}), tuple(s.get("optional", ())), s.get("aliases", {}))
            for s in told["shapes"]
        ),
        times=tuple(told.get("times", ())),
        numbers=tuple(told.get("numbers", ())),
        timezone=told.get("timezone"),
        date_order=told.get("date_order"),
    )
