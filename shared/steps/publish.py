"""Publishing a question, and removing one, inside a commit: checked here once more, whoever put the command there."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from shared.catalog.writer import LAKE, Change
from shared.datasets.published import MAX_NAME, QUESTION_NAME, Definition
from shared.errors import InvalidParameterError, LimitError, UnknownQuestionError
from shared.sql.load import statement
from shared.stranger_sql.question import checked_definition

MAX_QUESTIONS = 500


class TooManyQuestionsError(LimitError):
    """The tenant has published as many questions as one lake keeps."""

    code = "too_many_questions"


def checked_name(name: str) -> str:
    """The name of a question. Raises InvalidParameterError."""
    if len(name) > MAX_NAME or not QUESTION_NAME.match(name):
        raise InvalidParameterError(f"name: a-z and 0-9 in words joined by -, at most {MAX_NAME}, as in late-orders")
    return name


def definition_from(document: Any) -> Definition:
    """A definition from JSON data. Raises InvalidParameterError."""
    try:
        return Definition.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "definition"
        raise InvalidParameterError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


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
