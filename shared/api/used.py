"""What a request is counted as once it is answered: who asked, what, how it went; never the values asked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Scope

from shared.datasets.question import QUESTIONS
from shared.query import Answer, Asked
from shared.usage import UsageRecord, Use

MAX_WAIT_SECONDS = 1.0
"""The longest that handing in holds up the end of a request; a function's reply is sent after it, a server's before."""


@dataclass(frozen=True)
class Spent:
    """What answering a question took."""

    question: str
    format: str
    bytes_read: int = 0
    dollars: float = 0.0
    from_cache: bool = False


def spent_on(asked: Asked, answer: Answer) -> Spent:
    """What an answer took."""
    from_cache = answer.content is not None and not answer.timing
    receipt = answer.receipt
    return Spent(asked.question.name, asked.format, receipt.bytes_read, receipt.dollars, from_cache)


async def count_use(usage: UsageRecord, scope: Scope, status: int, milliseconds: float, bytes_sent: int) -> None:
    """Count a request that was answered to a known key; hand in what is due. Raises nothing."""
    principal = scope["state"].get("principal")
    if principal is None or not status:
        return
    spent = scope["state"].get("asked") or Spent(_asked_of(scope), "")
    due = usage.add(
        Use(
            tenant=principal.tenant,
            question=spent.question,
            key_id=principal.key_id,
            status=status,
            milliseconds=milliseconds,
            format=spent.format,
            bytes_sent=0 if scope["method"] == "HEAD" else bytes_sent,
            bytes_read=spent.bytes_read,
            dollars=spent.dollars,
            from_cache=spent.from_cache,
        )
    )
    if due:
        # In a thread, since the store may be slow; one that goes on after this does so while the next request runs.
        handing_in = asyncio.get_running_loop().run_in_executor(None, usage.hand_in)
        await asyncio.wait([handing_in], timeout=MAX_WAIT_SECONDS)


def _asked_of(scope: Scope) -> str:
    """A question's name, or method and template of the route: a path may hold a row's key."""
    path = getattr(scope.get("route"), "path", "")
    name = path.removeprefix("/v1/")
    if name in QUESTIONS:
        return name
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return f"{method} {path}"
