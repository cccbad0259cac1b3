"""Publishing a question, and removing one, inside a commit: checked here once more, whoever put the command there."""

from __future__ import annotations

from typing import Any

from shared.catalog.writer import LAKE, Change
from shared.datasets.published import MAX_NAME, checked_name, definition_from
from shared.errors import LimitError, UnknownQuestionError
from shared.sql.load import statement
from shared.stranger_sql.question import checked_definition

MAX_QUESTIONS = 500


class TooManyQuestionsError(LimitError):
    """The tenant has published as many questions as one lake keeps."""

    code = "too_many_questions"


def publish(change: Change, name: str, document: Any, *, author: str) -> int:
    """Record a definition as the next version of its name, and return that.

    Raises InvalidParameterError, InvalidSqlError, RefusedSqlError, TooManyQuestionsError.
    """
    duck, definition = change.duck, definition_from(document)
    checked_definition(duck, definition, [row[0] for row in duck.execute(statement("lake/datasets"), {"alias": LAKE})])
    known = _current(change)
    if checked_name(name) not in known and len(known) >= MAX_QUESTIONS:
        raise TooManyQuestionsError(f"A lake keeps {MAX_QUESTIONS} published questions; remove one first.")
    return _record(change, name, definition.model_dump_json(exclude_defaults=True), author)


def remove(change: Change, name: str, *, author: str) -> int:
    """Record that a question is no more; older snapshots still answer it. Raises UnknownQuestionError."""
    if name not in _current(change):
        raise UnknownQuestionError(f"There is no published question {name[:MAX_NAME]}.")
    return _record(change, name, "", author)


def _record(change: Change, name: str, body: str, author: str) -> int:
    bound = {"name": name, "body": body, "author": author}
    change.duck.execute(statement("published/record"), bound)
    change.touched("teal.questions", added=1)
    change.message = f"question {name} {'published' if body else 'removed'}"
    return int(change.duck.value(statement("published/version"), {"name": name}))


def _current(change: Change) -> frozenset[str]:
    return frozenset(row[0] for row in change.duck.execute(statement("published/names")))
