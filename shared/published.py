"""Questions that tenants publish: found at the snapshot that is asked, tried before they are published, removed.

The rule: a question means at a snapshot what it meant when that was committed, so the same snapshot always gives the
same answer. Everything is the tenant's own; what another tenant published is not there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from shared.ask_sql import personal_in
from shared.catalog.reader import LakeReader, PinnedLake
from shared.datasets.published import PREFIX, Definition, checked_name
from shared.datasets.question import Context
from shared.errors import InvalidParameterError, UnknownQuestionError
from shared.keys import Principal
from shared.paging import Cursors, subject_of
from shared.remembered import Remembered
from shared.sql.load import statement as sql_of
from shared.stranger_sql.base import SqlRun, SqlRunner
from shared.stranger_sql.question import PublishedQuestion, checked_definition, question_of
from shared.upload_state import UploadState
from shared.uploads import Uploads


@dataclass(frozen=True)
class Published:
    """One question as it is published at a snapshot."""

    name: str
    version: int
    definition: Definition
    author: str
    published_at: datetime


@dataclass
class Shelf:
    """What a tenant has published at one snapshot, and what its SQL may read there."""

    questions: Mapping[str, Published]
    tables: frozenset[str]
    hidden: Mapping[str, frozenset[str]]
    _classes: dict[str, type[PublishedQuestion]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def one(self, name: str) -> Published:
        """Raises UnknownQuestionError, with the nearest of the tenant's own names."""
        if name not in self.questions:
            near = get_close_matches(name, self.questions, 1, 0.5)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise UnknownQuestionError(f"There is no published question {name[:63]} in this snapshot.{hint}")
        return self.questions[name]

    def question(self, name: str, lake: PinnedLake) -> type[PublishedQuestion]:
        """The question's class, made when it is first asked here. Raises RefusedSqlError, InvalidSqlError."""
        with self._lock:
            if name not in self._classes:
                definition = self.one(name).definition
                checked = checked_definition(lake.duck, definition, self.tables)
                self._classes[name] = question_of(name, definition, checked, self.hidden)
            return self._classes[name]


@dataclass(frozen=True)
class Found:
    """A question at a snapshot; ``subject`` names its list of pages."""

    question: type[PublishedQuestion]
    snapshot: int
    subject: str


@dataclass(frozen=True)
class PublishedQuestions:
    """The published questions of all tenants; the tenant comes from a credential."""

    reader_of: Callable[[str], LakeReader]
    run: SqlRunner
    cursors: Cursors
    uploads: Uploads
    timezone: str = "UTC"
    shelves: Remembered[Shelf] = field(default_factory=Remembered)

    def all(self, tenant: str, **at: Any) -> tuple[list[Published], int]:
        """Every question published at a snapshot, by name, and that snapshot."""
        with self.reader_of(tenant).pin(**at) as lake:
            return list(self.shelves(tenant, lake, _shelf).questions.values()), lake.snapshot_id

    def one(self, tenant: str, name: str, **at: Any) -> tuple[Published, type[PublishedQuestion], int]:
        """One of them, with its class. Raises UnknownQuestionError."""
        with self.reader_of(tenant).pin(**at) as lake:
            shelf = self.shelves(tenant, lake, _shelf)
            return shelf.one(name), shelf.question(name, lake), lake.snapshot_id

    def history(self, tenant: str, name: str, **at: Any) -> list[dict[str, Any]]:
        """Every version of a name up to a snapshot, newest first: when and by whom it was published or removed."""
        with self.reader_of(tenant).pin(**at) as lake:
            rows = lake.duck.execute(sql_of("published/history"), {"name": name}) if _has_table(lake) else []
        return [
            {"version": version, "author": author, "published_at": _instant(at), "removed": removed}
            for version, author, at, removed in rows
        ]

    def find(
        self,
        tenant: str,
        name: str,
        given: Sequence[tuple[str, str]],
        *,
        snapshot: int | None = None,
        as_of: datetime | None = None,
        cursor: str | None = None,
    ) -> Found:
        """The question as it was at the snapshot that is asked, or that a cursor keeps to.

        Raises UnknownQuestionError, SnapshotNotFoundError, InvalidCursorError.
        """
        # The parameters as they were given: what they mean is known once the snapshot is.
        subject = subject_of(PREFIX + name, {"given": sorted(given)})
        if cursor:
            snapshot, as_of = self.cursors.open(tenant, subject, cursor)["snapshot"], None
        with self.reader_of(tenant).pin(snapshot, as_of) as lake:
            question = self.shelves(tenant, lake, _shelf).question(name, lake)
            return Found(question, lake.snapshot_id, subject)

    def publish(self, principal: Principal, name: str, definition: Definition) -> UploadState:
        """Try a definition on the newest snapshot with its example, and publish it.

        Raises InvalidParameterError, InvalidSqlError, RefusedSqlError, FailedSqlError, SqlTookTooLongError,
        SqlNeedsTooMuchError; their details say ``line`` and ``column`` where there is a place.
        """
        self._try(principal.tenant, checked_name(name), definition)
        document = definition.model_dump(mode="json", exclude_defaults=True)
        return self.uploads.command(principal, "publish_question", {"name": name, "definition": document})

    def remove(self, principal: Principal, name: str) -> UploadState:
        """Remove a question; older snapshots still answer it. Raises UnknownQuestionError."""
        reader = self.reader_of(principal.tenant)
        reader.refresh()
        with reader.pin() as lake:
            self.shelves(principal.tenant, lake, _shelf).one(name)
        return self.uploads.command(principal, "remove_question", {"name": name})

    def _try(self, tenant: str, name: str, definition: Definition) -> None:
        reader = self.reader_of(tenant)
        reader.refresh()
        with reader.pin() as lake:
            shelf = self.shelves(tenant, lake, _shelf)
            checked = checked_definition(lake.duck, definition, shelf.tables)
            question = question_of(name, definition, checked, shelf.hidden)
            statement = _example(question).statement(Context(lake.committed_at, self.timezone))
            # Not asked as a question: nothing of an answer to what is not published may be kept.
            self.run(SqlRun(tenant, lake, statement, limit=1))


def _example(question: type[PublishedQuestion]) -> PublishedQuestion:
    """The question with the values of its example. Raises InvalidParameterError."""
    try:
        return question.model_validate(question.definition.example)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        message = "is required, so the example needs a value" if first["type"] == "missing" else first["msg"]
        raise InvalidParameterError(f"example.{where}: {message.removeprefix('Value error, ')}") from error


def _shelf(lake: PinnedLake) -> Shelf:
    rows = lake.duck.execute(sql_of("published/current")) if _has_table(lake) else []
    questions = {
        name: Published(name, version, Definition.model_validate_json(body), author, _instant(at))
        for name, version, body, author, at in rows
    }
    personal = personal_in(lake)
    return Shelf(questions, frozenset(personal), personal)


def _has_table(lake: PinnedLake) -> bool:
    return bool(lake.duck.value(sql_of("published/exists"), {"alias": lake.alias}))


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
