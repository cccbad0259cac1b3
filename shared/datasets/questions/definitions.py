"""Definitions as text, of the API and docs/definitions: made from a question's class and the metrics it answers."""

from __future__ import annotations

from inspect import cleandoc
from typing import Any

from shared.datasets.question import QUESTIONS, Question
from shared.datasets.questions.metrics import COLUMNS
from shared.datasets.questions.ranged import RangeQuestion
from shared.errors import UnknownQuestionError


def definition(name: str) -> dict[str, Any]:
    """What a question or a metric means. Raises UnknownQuestionError."""
    if name in QUESTIONS:
        question = QUESTIONS[name]
        return {
            **described(question),
            "definition": _meaning(question),
            "text": text(name),
            "sql": question.sql_files(),
        }
    if name in COLUMNS:
        metric = COLUMNS[name]
        told = {"name": name, "title": metric.title, "definition": metric.meaning, "formula": metric.formula}
        return {**told, **({"source": metric.source} if metric.source else {}), "text": text(name)}
    raise UnknownQuestionError(f"There is no question or metric {name[:60]}.")


def names() -> list[str]:
    """Everything that is defined: questions, then metrics."""
    return [*QUESTIONS, *COLUMNS]


def described(question: type[Question]) -> dict[str, Any]:
    """Name, address and parameters of a question."""
    return {
        "name": question.name,
        "title": question.title,
        "url": f"/v1/{question.name}",
        "parameters": {name: str(told.get("description", "")) for name, told in _fields(question).items()},
        "columns": {name: COLUMNS[name].meaning for name in question.columns},
        "group_columns": {name: COLUMNS[name].meaning for name in question.group_columns},
    }


def compared_columns(question: type[Question]) -> tuple[str, ...]:
    """What it answers also of the earlier time, with `compare`."""
    if issubclass(question, RangeQuestion) and "compare" in question.model_fields:
        return question.measures.names
    return ()


def text(name: str) -> str:
    """The definition as Markdown; docs/definitions/<name>.md begins with it."""
    if name in COLUMNS:
        metric = COLUMNS[name]
        asked = ", ".join(f"`{question.name}`" for question in QUESTIONS.values() if name in _answered(question))
        lines = [
            f"# {metric.title}",
            "",
            metric.meaning,
            "",
            f"`{name}` = {metric.formula}",
            "",
            f"Answered by {asked}.",
        ]
        return "\n".join([*lines, *(["", f"Source: {metric.source}."] if metric.source else [])]) + "\n"
    question = QUESTIONS[name]
    lines = [f"# {question.title}", "", f"`GET /v1/{name}`", "", _meaning(question), ""]
    lines += ["## Columns", "", "| column | meaning | formula |", "| --- | --- | --- |"]
    lines += [
        f"| `{column}` | {COLUMNS[column].meaning}{_with(question, column)} | {COLUMNS[column].formula} |"
        for column in _answered(question)
    ]
    if compared := compared_columns(question):
        listed = ", ".join(f"`{column}`" for column in compared)
        lines += ["", f"With `compare`, also `<column>_previous` and `<column>_change` of {listed}."]
    lines += ["", "## Parameters", "", "| parameter | meaning | default |", "| --- | --- | --- |"]
    lines += [
        f"| `{field}` | {told.get('description', '')}{_choices(told)} | {_default(told)} |"
        for field, told in _fields(question).items()
    ]
    return "\n".join(lines) + "\n"


def _meaning(question: type[Question]) -> str:
    """Its docstring, then the rules it shares with the other questions of its family."""
    own, *family = [base for base in question.__mro__ if issubclass(base, Question) and base is not Question]
    rules = [cleandoc(one.__doc__ or "").partition("\n\n")[2] for one in family]
    return "\n\n".join([cleandoc(own.__doc__ or ""), *filter(None, rules)])


def _answered(question: type[Question]) -> tuple[str, ...]:
    return (*question.columns, *question.group_columns)


def _with(question: type[Question], column: str) -> str:
    return " With `group_by`." if column in question.group_columns else ""


def _fields(question: type[Question]) -> dict[str, dict[str, Any]]:
    fields: dict[str, dict[str, Any]] = question.model_json_schema(by_alias=True).get("properties", {})
    return fields


def _choices(field: dict[str, Any]) -> str:
    """The values a parameter takes, if they are few and named."""
    kinds = [field, *field.get("anyOf", [])]
    chosen = [value for kind in kinds for value in kind.get("enum", kind.get("items", {}).get("enum", []))]
    return " One of " + ", ".join(f"`{value}`" for value in chosen) + "." if chosen else ""


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "required"
    return "" if field["default"] is None else f"`{str(field['default']).lower()}`"
