"""What a dataset that is not there yet may be called, and how many there may be."""

from __future__ import annotations

from collections.abc import Iterable

from shared.datasets.registry import built_in
from shared.errors import ContractError, LimitError
from shared.steps.ledger import Contracts
from shared.stranger_sql.functions import is_system_name, words

MAX_DATASETS = 1_000
"""Of a lake, beside the built-in ones: each is a table of the catalog, which every cold reader gets as a whole."""

PLACES = frozenset({"main", "memory", "lake", "temp", "system", "teal", "information_schema"})
"""Catalogs and schemas that SQL about a dataset meets; ``is_system_name`` has the engine's views."""

READERS = words(
    """glob parquet_scan query query_table read_blob read_csv read_csv_auto read_duckdb read_json read_json_auto
    read_json_objects read_json_objects_auto read_ndjson read_ndjson_auto read_ndjson_objects read_parquet read_text
    sniff_csv"""
)
"""Functions that read files or other tables: a dataset of such a name would look like one in any SQL."""

KEYWORDS = words(
    """all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create default
    deferrable desc describe distinct do else end except false fetch for foreign from group having in initially
    intersect into lambda lateral leading limit not null offset on only or order pivot pivot_longer pivot_wider placing
    primary qualify references returning select show some summarize symmetric table then to trailing true union unique
    unpivot using variadic when where window with"""
)
"""Words that SQL reads as its own wherever they stand without quotes."""


class TooManyDatasetsError(LimitError):
    """The lake has as many datasets as one may have."""

    code = "too_many_datasets"
    status = 409


def require_free_name(name: str) -> None:
    """Raises ContractError where the engine or its language has the name already."""
    if is_system_name(name) or name in PLACES or name in READERS:
        raise ContractError(f"A dataset cannot be called {name}: the engine has that name itself.")
    if name in KEYWORDS:
        raise ContractError(f"A dataset cannot be called {name}: that is a word of SQL.")


def refuse_too_many(known: Contracts, names: Iterable[str]) -> None:
    """Raises TooManyDatasetsError where there are too many contracts for one more."""
    if len(known) >= MAX_DATASETS and not set(names) <= known.keys() | built_in().keys():
        raise TooManyDatasetsError(f"A lake has {MAX_DATASETS:,} datasets at most, and this one has them.")
