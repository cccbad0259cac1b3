"""What became of uploads: their state, their quality, and the rows that were put aside."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from shared.api.schemas.base import Count, Next, SnapshotId


class Upload(TypedDict):
    """What became of an upload, a command among them; what is not known, or empty, is left out."""

    upload_id: str
    status: Literal["waiting", "received", "loaded", "held", "skipped", "rolled_back"]
    dataset: NotRequired[str]
    filename: NotRequired[str]
    source: NotRequired[str]
    contract_version: NotRequired[int]
    received: NotRequired[Count]
    accepted: NotRequired[Count]
    held: NotRequired[Count]
    duplicate: NotRequired[Count]
    reason_code: NotRequired[str]
    reason: NotRequired[str]
    notes: NotRequired[list[str]]
    replay_of: NotRequired[str]
    size_bytes: NotRequired[Count]
    received_at: NotRequired[datetime]
    committed_at: NotRequired[datetime]
    duration_ms: NotRequired[Count]
    snapshot: NotRequired[Annotated[int, Field(ge=0, description="What it became.")]]


class UploadPlace(TypedDict):
    """Where to put the file: one PUT with these headers."""

    upload_id: str
    url: str
    method: Literal["PUT"]
    headers: dict[str, str]
    expires_at: datetime
    status_url: str


class Uploads(TypedDict):
    """A page of uploads."""

    snapshot: SnapshotId
    uploads: list[Upload]
    next: Next


class Measured(TypedDict):
    """What was measured of a column: missing and invalid values, and the invalid ones by rule."""

    missing: Count
    invalid: Count
    rules: dict[str, Count]


class QualityReport(TypedDict):
    """How good the rows of a dataset were that one upload brought."""

    dataset: str
    contract_version: NotRequired[int]
    upload_id: NotRequired[str]
    received: Count
    accepted: Count
    held: Count
    duplicate: Count
    valid: NotRequired[Annotated[int, Field(description="Rows that break no rule.")]]
    missing_references: Count
    newest_at: NotRequired[datetime | None]
    measures: dict[str, Measured]
    measured_at: datetime


class UploadQuality(TypedDict):
    """An upload's quality report, dataset by dataset."""

    upload_id: str
    snapshot: SnapshotId
    datasets: list[QualityReport]


class HeldRow(TypedDict):
    """A row that was put aside: its 1-based place in the file, what it breaks, and what was sent."""

    row: int | None
    dataset: str
    column: str
    rule: str
    text: str | None
    original: str


class HeldRows(TypedDict):
    """A page of rows that were put aside."""

    upload_id: str
    rows: list[HeldRow]
    next: Next
