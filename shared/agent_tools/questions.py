"""Questions as tools: the built-in ones, and those that a tenant published; each takes its own parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from inspect import cleandoc

from shared.agent_tools.base import Call, Paged, Tool, ToolResult, answer_to, parameters_of
from shared.datasets.question import Question
from shared.datasets.questions.registered import QUESTIONS
from shared.keys import Principal
from shared.published import PublishedQuestions
from shared.query import AskQuestion

OWN = "my_"
"""How the names of tools of published questions begin."""


def tool_name(question: str) -> str:
    """``sales_by_period`` for ``sales/by-period``: clients take letters, digits, _ and - alone."""
    return question.replace("/", "_").replace("-", "_")


def question_tools(ask: AskQuestion) -> list[Tool]:
    """Every built-in question."""
    return [
        Tool(
            tool_name(name),
            question.title,
            # The first paragraph; the whole definition is one call away.
            " ".join(cleandoc(question.__doc__ or "").partition("\n\n")[0].split()),
            parameters_of(question, Paged),
            _asking(ask, question),
        )
        for name, question in QUESTIONS.items()
    ]


@dataclass(frozen=True)
class PublishedTools:
    """What the tenant of a key published, at the newest snapshot."""

    ask: AskQuestion
    published: PublishedQuestions

    def listed(self, principal: Principal) -> list[Tool]:
        """A tool for each."""
        found, snapshot = self.published.all(principal.tenant)
        return [self._tool(principal, one.name, snapshot) for one in found]

    def find(self, principal: Principal, name: str) -> Tool | None:
        """The tool of that name. None when there is none."""
        found, snapshot = self.published.all(principal.tenant)
        wanted = [one.name for one in found if OWN + tool_name(one.name) == name]
        return self._tool(principal, wanted[0], snapshot) if wanted else None

    def _tool(self, principal: Principal, name: str, snapshot: int) -> Tool:
        one, question, _ = self.published.one(principal.tenant, name, snapshot=snapshot)
        return Tool(
            OWN + tool_name(name),
            one.definition.title,
            " ".join(one.definition.description.partition("\n\n")[0].split()) or one.definition.title,
            parameters_of(question, Paged),
            lambda call: self._answer(call, name),
        )

    def _answer(self, call: Call, name: str) -> ToolResult:
        own, page = call.apart(Paged)
        given = [(key, json.dumps(value, sort_keys=True)) for key, value in own.items()]
        found = self.published.find(call.principal.tenant, name, given, cursor=page.cursor, **page.place)
        question = found.question.model_validate(own)
        at = {"snapshot": found.snapshot, "was_newest": page.snapshot is None, "subject": found.subject}
        return answer_to(self.ask, call, question, page, **at)


def _asking(ask: AskQuestion, question: type[Question]) -> Callable[[Call], ToolResult]:
    def run(call: Call) -> ToolResult:
        own, page = call.apart(Paged)
        return answer_to(ask, call, question.model_validate(own), page, **page.place)

    return run
