"""Questions as JSON, to be asked by another process: what is written down, and the same question read from it.

The rule: a document is ours. It lies in the lake's store, where no caller writes, and who asks is never read from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.ask_sql import AskSql
from shared.asked import Asked
from shared.datasets.published import PREFIX
from shared.datasets.question import Question
from shared.datasets.questions.registered import QUESTIONS
from shared.errors import UnknownQuestionError
from shared.keys import Principal
from shared.published import PublishedQuestions
from shared.stranger_sql.ad_hoc import SqlQuestion

_BESIDE = ("snapshot", "format", "numbers", "limit", "cursor", "was_newest", "subject")
"""What is asked beside the question; a time is no part of it, since a snapshot stands for it by then."""


def document_of(asked: Asked) -> dict[str, Any]:
    """A question at a snapshot, in JSON's own types; who asks is told apart from it."""
    is_sql = isinstance(asked.question, SqlQuestion)
    # The parameters of SQL came as JSON, and one of them may be a number that strict JSON has not.
    parameters = asked.question.model_dump(mode="python" if is_sql else "json", by_alias=True)
    beside = {name: getattr(asked, name) for name in _BESIDE}
    return {"question": asked.question.name, "parameters": parameters, **beside}


def digest_of(document: Mapping[str, Any]) -> str:
    """The same for the same request, whichever snapshot was the newest when it came."""
    asked = {**document, "snapshot": None if document["was_newest"] else document["snapshot"]}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class AskedDocuments:
    """Reads documents: built-in questions, SQL, and what tenants published."""

    ask_sql: AskSql
    published: PublishedQuestions

    def asked_from(self, document: Mapping[str, Any], principal: Principal) -> Asked:
        """The question that ``document_of`` wrote down, as that principal asks it.

        Raises UnknownQuestionError, SnapshotNotFoundError, and StoreUnavailableError.
        """
        beside = {name: document[name] for name in _BESIDE}
        return Asked.by(principal, self._question(document, principal), **beside)

    def _question(self, document: Mapping[str, Any], principal: Principal) -> Question:
        name, parameters, tenant = document["question"], document["parameters"], principal.tenant
        if name == SqlQuestion.name:
            asked = SqlQuestion.model_validate(parameters)
            at = {"snapshot": document["snapshot"], "counts_bytes": principal.limits.counts_bytes}
            return self.ask_sql.find(tenant, asked, runs_here=False, **at)[0]
        if name.startswith(PREFIX):
            found = self.published.find(tenant, name.removeprefix(PREFIX), (), snapshot=document["snapshot"])
            return found.question.model_validate(parameters)
        if name not in QUESTIONS:
            raise UnknownQuestionError(f"There is no question {name[:63]}.")
        return QUESTIONS[name].model_validate(parameters)
