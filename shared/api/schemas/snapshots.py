"""What snapshots, and the erasure of persons, answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared.api.schemas.base import Count, Next, Row, RowColumn, SnapshotId


class Touched(TypedDict):
    """Rows of a table that a commit added and removed."""

    added: Count
    removed: Count


class Snapshot(TypedDict):
    """A commit: when, by whom, why, and the tables it touched."""

    id: int
    committed_at: datetime
    author: str
    message: str
    tables: dict[str, Touched]


class Snapshots(TypedDict):
    """A page of snapshots."""

    snapshot: SnapshotId
    snapshots: list[Snapshot]
    next: Next


class Changed(Touched):
    """Rows of a dataset that differ between two snapshots."""

    changed: Count


class RowChange(TypedDict):
    """How one row differs."""

    change: Literal["added", "removed", "changed"]
    before: Row | None
    after: Row | None


# `from` is a word of Python.
Changes = TypedDict(
    "Changes",
    {
        "from": int,
        "to": int,
        "datasets": dict[str, Changed],
        "columns": NotRequired[list[RowColumn]],
        "rows": NotRequired[list[RowChange]],
        "next": NotRequired[str | None],
    },
)
Changes.__doc__ = "What differs between two snapshots: counts by dataset, or the rows of the one that was asked for."


class ErasedRows(TypedDict):
    """What was changed in a table."""

    deleted: Count
    anonymised: Count


class ErasedFiles(TypedDict):
    """Inbox files that mention the person: counted, and named up to a number."""

    deleted: Count
    kept: Count
    unsearched: Count
    deleted_uploads: list[str]
    kept_uploads: list[str]


class Erasure(TypedDict):
    """An erasure without saying of whom; `gone_after` is when the last trace is due to be gone."""

    upload_id: str
    mode: Literal["anonymise", "delete"]
    erased_at: datetime
    snapshot: int
    gone_after: datetime
    forgotten_at: NotRequired[datetime]
    gone_at: NotRequired[datetime]
    lifted_at: NotRequired[datetime]
    older_snapshots: Count
    datasets: dict[str, ErasedRows]
    held_rows: Count
    answers: Count
    records: Count
    files: ErasedFiles


class Erasures(TypedDict):
    """Every erasure, newest first."""

    erasures: list[Erasure]


class ErasureReceipt(Erasure):
    """What erasing a person did."""

    status: Literal["erased", "already_erased"]
