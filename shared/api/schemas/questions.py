"""What questions, their definitions and jobs answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from shared.api.schemas.base import OPEN, Count, Next, Row, RowColumn, SnapshotId
from shared.datasets.published import Definition


class Answer(TypedDict):
    """The answer to a question; some questions say more of themselves, such as `currency` or the `model` behind it."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # Pydantic's documented way

    question: str
    snapshot: SnapshotId
    committed_at: datetime
    parameters: Annotated[Row, Field(description="The question's own parameters, defaults among them.")]
    definition: NotRequired[Annotated[str, Field(description="Where the numbers are explained.")]]
    next: Next
    columns: list[RowColumn]
    rows: list[Row]


class Quote(TypedDict):
    """What asking would read and cost (`dry_run`)."""

    question: str
    snapshot: SnapshotId
    files: Count
    bytes: Count
    cost_usd: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]{9}$")]


class QuestionTold(TypedDict):
    """A question: texts by the names of its parameters and columns."""

    name: str
    title: str
    url: str
    parameters: dict[str, str]
    columns: dict[str, str]
    group_columns: dict[str, str]
    own: NotRequired[Annotated[bool, Field(description="The tenant published it.")]]


class QuestionDefined(QuestionTold):
    """What a question means; `text` is all of it in Markdown, `sql` what it asks by name."""

    definition: str
    text: str
    sql: dict[str, str]
    version: NotRequired[int]
    author: NotRequired[str]
    published_at: NotRequired[datetime]


class MetricDefined(TypedDict):
    """What a metric means."""

    name: str
    title: str
    definition: str
    formula: str
    source: NotRequired[str]
    text: str


class Questions(TypedDict):
    """Every question."""

    questions: list[QuestionTold]


class Definitions(TypedDict):
    """Every question and every metric."""

    definitions: list[QuestionDefined | MetricDefined]


class PublishedTold(TypedDict):
    """A question that the tenant published."""

    name: str
    title: str
    version: Annotated[int, Field(ge=1)]
    author: str
    published_at: datetime
    url: str
    definition_url: str


class PublishedVersion(TypedDict):
    """One version of a published question, or its removal."""

    version: int
    author: str
    published_at: datetime
    removed: bool


class PublishedOne(PublishedTold):
    """A published question as it was published, and every version there was."""

    snapshot: SnapshotId
    definition: Definition
    history: list[PublishedVersion]


class PublishedAll(TypedDict):
    """The tenant's questions at a snapshot."""

    snapshot: SnapshotId
    questions: list[PublishedTold]
    next: None


class JobRequest(TypedDict):
    """What was asked."""

    parameters: Row
    limit: int | None


class JobProblem(TypedDict):
    """Why a job failed, with what else the problem says."""

    __pydantic_config__ = OPEN  # type: ignore[misc]  # Pydantic's documented way

    type: str
    code: str
    detail: str


class Job(TypedDict):
    """A question that is answered later; what is not known yet is left out, and so is what the key may not see."""

    job_id: Annotated[str, Field(pattern="^[0-9a-f]{44}$")]
    status: Literal["queued", "running", "done", "failed", "cancelled"]
    question: str
    format: Literal["json", "csv", "parquet", "arrow"]
    created_at: datetime
    started_at: NotRequired[datetime]
    finished_at: NotRequired[datetime]
    expires_at: datetime
    attempts: Count
    snapshot: NotRequired[SnapshotId]
    bytes: NotRequired[Count]
    next: NotRequired[str]
    problem: NotRequired[JobProblem]
    request: NotRequired[JobRequest]
    status_url: str
    result_url: NotRequired[str]


class Jobs(TypedDict):
    """A page of jobs."""

    jobs: list[Job]
    next: Next
