"""What a tool for agents is: a name, what it takes as JSON Schema, and what it does for whoever calls it.

The rule: a tool asks by the use case that HTTP asks by, so with the same rules and limits; it knows nothing of the
protocol that calls it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.asked import Answer, Asked, instant_of
from shared.datasets.question import Question
from shared.keys import Principal
from shared.paging import DEFAULT_LIMIT
from shared.query import AskQuestion
from shared.stranger_sql.base import always
from shared.values import LARGEST_WHOLE

MAX_ANSWER_BYTES = 250_000
"""Of one call; an agent reads all of it. A reply holds it twice, as text and as data."""
COPIES = 4
"""How many times the bytes of an answer a reply may have: once as data, and once as text with each quote escaped."""


class At(BaseModel):
    """Which state of the lake."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot: Annotated[
        int | None, Field(ge=1, le=LARGEST_WHOLE, description="Of this snapshot; default the newest.")
    ] = None
    as_of: Annotated[datetime | None, Field(description="As of this instant.")] = None

    @property
    def place(self) -> dict[str, Any]:
        """As use cases take it; a time without an offset is UTC. Raises InvalidParameterError when both are given."""
        return {"snapshot": self.snapshot, "as_of": instant_of(self.as_of, self.snapshot)}


class Paged(At):
    """And which page of the answer."""

    limit: Annotated[int | None, Field(description=f"Rows; default {DEFAULT_LIMIT}.")] = None
    cursor: Annotated[str | None, Field(max_length=4096, description="`next` of the answer before.")] = None


_Beside = TypeVar("_Beside", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One call of a tool; ``note`` is told what is asked before it is, and then with its answer.

    ``is_awaited`` is as in ``Asked``.
    """

    principal: Principal
    arguments: Mapping[str, Any]
    note: Callable[[Asked, Answer | None], None] = lambda asked, answer: None
    is_awaited: Callable[[], bool] = always

    def apart(self, beside: type[_Beside]) -> tuple[dict[str, Any], _Beside]:
        """A question's own arguments, and those that every one takes. Raises ValidationError for the latter."""
        common = {name: value for name, value in self.arguments.items() if name in beside.model_fields}
        own = {name: value for name, value in self.arguments.items() if name not in common}
        return own, beside.model_validate(common)


@dataclass(frozen=True)
class ToolResult:
    """What a call came to: ``text`` for who reads, and the same as data where it is data.

    ``facts`` are about it and no part of it: what it cost.
    """

    text: str
    data: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """A tool: ``parameters`` are a JSON Schema of its arguments, and one of ``scopes`` is needed to call it.

    ``run`` raises AppError, and ValidationError for arguments that do not fit.
    """

    name: str
    title: str
    description: str
    parameters: Mapping[str, Any]
    run: Callable[[Call], ToolResult]
    scopes: frozenset[str] = frozenset({"read"})

    def is_open_to(self, principal: Principal) -> bool:
        """Whether this credential may call it."""
        return not self.scopes.isdisjoint(principal.scopes)


def answer_to(ask: AskQuestion, call: Call, question: Question, page: Paged, **at: Any) -> ToolResult:
    """The answer to a question, as HTTP gives it in JSON; ``at`` names the snapshot, as in ``Asked``."""
    asker = call.principal
    largest = min(ask.rules.max_page_rows, asker.limits.page_rows or ask.rules.max_page_rows)
    of_key = asker.limits.answer_bytes
    most = MAX_ANSWER_BYTES if of_key is None else min(MAX_ANSWER_BYTES, of_key // COPIES)
    asked = Asked.by(
        asker,
        question,
        limit=min(DEFAULT_LIMIT, largest) if page.limit is None else page.limit,
        cursor=page.cursor,
        limits=replace(asker.limits, answer_bytes=most),
        is_awaited=call.is_awaited,
        **at,
    )
    call.note(asked, None)
    answer = ask(asked)
    call.note(asked, answer)
    assert answer.content is not None  # noqa: S101 - nobody named an ETag
    receipt = answer.receipt
    facts = {
        "bytes": receipt.bytes_read,
        "requests": receipt.requests,
        "ms": round(receipt.milliseconds, 1),
        "cost_usd": f"{receipt.dollars:.9f}",
    }
    return ToolResult(answer.content.decode(), json.loads(answer.content), {"receipt": facts})


def parameters_of(*models: type[BaseModel]) -> dict[str, Any]:
    """One JSON Schema for the fields of all: as short as it can be, since an agent reads those of every tool."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    for model in models:
        schema = model.model_json_schema(by_alias=True)
        properties |= {name: _short(told) for name, told in schema.get("properties", {}).items()}
        required += schema.get("required", [])
    told = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**told, "required": required} if required else told


def _short(told: Mapping[str, Any]) -> dict[str, Any]:
    """A property without what says nothing: a title made of its name, and null for what may be left out."""
    rest = {name: value for name, value in told.items() if name not in ("title", "anyOf")}
    kinds = [kind for kind in told.get("anyOf", ()) if kind != {"type": "null"}]
    if rest.get("default", ...) is None:
        del rest["default"]
    if len(kinds) == 1:
        return {**kinds[0], **rest}
    return {**rest, **({"anyOf": kinds} if kinds else {})}
