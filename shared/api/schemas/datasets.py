"""What datasets, their rows and the schema of a lake answer."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired

from typing_extensions import TypedDict

from shared.api.schemas.base import Count, Next, Row, RowColumn, SnapshotId
from shared.api.schemas.uploads import QualityReport
from shared.datasets.contract import Contract


class DatasetTold(TypedDict):
    """A dataset: its size and freshness; `files` and `bytes` only of the newest snapshot."""

    name: str
    description: str
    contract_version: int
    inferred: bool
    key: list[str]
    rows: Count
    files: NotRequired[Count]
    bytes: NotRequired[Count]
    newest_at: datetime | None
    updated_at: datetime | None
    uploads: Count
    url: str


class DatasetOne(DatasetTold):
    """A dataset with its contract, the stored columns, and its newest quality report."""

    snapshot: SnapshotId
    contract: Contract
    schema: list[RowColumn]
    quality: QualityReport | None


class Datasets(TypedDict):
    """Every dataset of a snapshot."""

    snapshot: SnapshotId
    datasets: list[DatasetTold]
    next: None


class Rows(TypedDict):
    """A page of rows; `masked` names the columns that are empty because the key may not see them."""

    dataset: str
    snapshot: SnapshotId
    columns: list[RowColumn]
    masked: NotRequired[list[str]]
    rows: list[Row]
    next: Next


class OneRow(TypedDict):
    """One row."""

    dataset: str
    snapshot: SnapshotId
    columns: list[RowColumn]
    masked: NotRequired[list[str]]
    row: Row


class RowMistake(TypedDict):
    """A rule that a row breaks: the row's place in what was sent, the column, the rule, the value."""

    row: int | None
    where: str
    rule: str
    value: str | None
    message: str


class Edited(TypedDict):
    """What an edit did; `row` is the row after it, `errors` name the rows that were put aside."""

    upload_id: str
    snapshot: SnapshotId
    changed: bool
    received: Count
    accepted: Count
    held: Count
    duplicate: Count
    errors: NotRequired[list[RowMistake]]
    row: NotRequired[Row]
    masked: NotRequired[list[str]]


class SchemaColumn(TypedDict):
    """A column as the key may know it; what does not hold of it is left out."""

    name: str
    type: str
    description: NotRequired[str]
    required: NotRequired[Literal[True]]
    allowed: NotRequired[list[str]]
    references: NotRequired[str]
    personal: NotRequired[Literal[True]]
    masked: NotRequired[Literal[True]]


class SchemaDataset(TypedDict):
    """A dataset as the key may know it."""

    name: str
    description: str
    key: list[str]
    time_column: str | None
    columns: list[SchemaColumn]


class SchemaQuestion(TypedDict):
    """A published question."""

    name: str
    title: str


class SchemaSql(TypedDict):
    """What SQL may do, and what it may take."""

    rule: str
    max_seconds: float
    max_bytes: int
    page_rows: int
    functions: list[str]
    table_functions: list[str]


class Schema(TypedDict):
    """What can be asked; `partial` says that the key sees some of the rows alone."""

    snapshot: SnapshotId
    committed_at: datetime
    partial: bool
    datasets: list[SchemaDataset]
    published: list[SchemaQuestion]
    sql: NotRequired[SchemaSql]
