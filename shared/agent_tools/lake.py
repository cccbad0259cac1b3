"""Tools about a lake rather than of its rows: what there is to ask, and what a number means."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.agent_tools.base import At, Call, Tool, ToolResult, parameters_of
from shared.agent_tools.questions import OWN, tool_name
from shared.datasets.published_text import text as text_of_published
from shared.datasets.question import QUESTIONS
from shared.datasets.questions.definitions import definition
from shared.describe_lake import SQL_SCOPE, DescribeLake
from shared.lake_ddl import ddl_of


class Meant(BaseModel):
    """What is to be explained."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=100, description="A tool of a question, or a column of an answer.")]


def lake_tools(describe: DescribeLake) -> list[Tool]:
    """The schema, and definitions."""
    by_tool = {tool_name(name): name for name in QUESTIONS}

    def schema(call: Call) -> ToolResult:
        _, at = call.apart(At)
        return ToolResult(ddl_of(describe(call.principal, **at.place)))

    def meaning(call: Call) -> ToolResult:
        name = Meant.model_validate(call.arguments).name
        own = name.removeprefix(OWN).replace("_", "-")
        if name.startswith(OWN):
            one = describe.published.one(call.principal.tenant, own)[0]
            return ToolResult(text_of_published(one.name, one.definition))
        return ToolResult(str(definition(by_tool.get(name, name))["text"]))

    return [
        Tool(
            "describe_lake",
            "Describe the lake",
            "Every dataset as commented CREATE TABLE: columns, types, keys, references. Call it before you write SQL.",
            parameters_of(At),
            schema,
            frozenset({"read", SQL_SCOPE}),
        ),
        Tool(
            "definition",
            "What a number means",
            "The definition of a question or of one of its columns: meaning, formula, parameters.",
            parameters_of(Meant),
            meaning,
        ),
    ]
