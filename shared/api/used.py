"""What a request is counted as, and taken down as, once it is answered: who asked, what, how it went; never a value."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.types import Scope

from shared.api.auth import EITHER
from shared.asked import Answer, Asked
from shared.audit import AuditEntry, AuditRecord
from shared.datasets.question import QUESTIONS
from shared.stranger_sql.ad_hoc import SqlQuestion
from shared.usage import Use

MAX_WAIT_SECONDS = 1.0
"""The longest that handing in holds up the end of a request; a function's reply is sent after it, a server's before."""

NOBODY_WAITED = 499
"""The status of a request whose caller went away before it was answered."""

READING = frozenset({"", "read", "sql"})
"""Scopes of routes that change nothing, whatever their method."""

SUBJECTS = ("upload_id", "snapshot_id", "from_id", "to_id", "key_id", "tenant", "job_id", "export_id")
"""Parameters of routes that the audit names: ids that we made. What is not among these, `dataset` and `name` is left
out, and so is all that a path names when there is no such thing: then it may be anything that somebody sent."""

_NAMES = frozenset({*SUBJECTS, "dataset", "name"})
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z")


@dataclass(frozen=True)
class Spent:
    """What answering a question took; ``sql`` is a stranger's text, to be hashed and not to be kept."""

    question: str
    format: str
    bytes_read: int = 0
    requests: int = 0
    dollars: float = 0.0
    from_cache: bool = False
    sql: str = ""


@dataclass(frozen=True)
class Reply:
    """How a request went: ``status`` is 0 when nothing was answered, ``ms`` are milliseconds."""

    status: int
    ms: float
    bytes_sent: int


def spent_on(asked: Asked, answer: Answer | None = None) -> Spent:
    """What an answer took; without one, what is asked."""
    question = asked.question
    told = Spent(question.name, asked.format, sql=question.sql if isinstance(question, SqlQuestion) else "")
    if answer is None:
        return told
    receipt = answer.receipt
    return replace(
        told,
        bytes_read=receipt.bytes_read,
        requests=receipt.requests,
        dollars=receipt.dollars,
        from_cache=answer.content is not None and not answer.timing,
    )


def use_of(scope: Scope, reply: Reply) -> Use | None:
    """What is added up of a request that was answered to a known key."""
    principal = scope["state"].get("principal")
    if principal is None or not reply.status:
        return None
    spent = scope["state"].get("asked") or Spent(_asked_of(scope), "")
    return Use(
        tenant=principal.tenant,
        question=spent.question,
        key_id=principal.key_id,
        status=reply.status,
        milliseconds=reply.ms,
        format=spent.format,
        bytes_sent=0 if scope["method"] == "HEAD" else reply.bytes_sent,
        bytes_read=spent.bytes_read,
        dollars=spent.dollars,
        from_cache=spent.from_cache,
    )


async def entry_of(scope: Scope, reply: Reply, audit: AuditRecord | None) -> AuditEntry:
    """A request as the log and the audit have it.

    A part of the API that knows more says so in ``request.state``: ``tool`` is what a route was called for, ``made``
    the id of what it made.
    """
    state, status = scope["state"], reply.status or NOBODY_WAITED
    principal, spent = state.get("principal"), state.get("asked")
    named = _named_in(scope) if status != 404 else {}
    entry = AuditEntry(
        action=f"mcp {state['tool']}" if "tool" in state else f"{scope['method']} {_template(scope) or '(none)'}",
        outcome=_outcome(status, state.get("error_code", "")),
        changes=_changes(scope),
        tenant=getattr(principal, "tenant", ""),
        key_id=getattr(principal, "key_id", ""),
        request_id=state["request_id"],
        dataset=named.pop("dataset", ""),
        question=spent.question if spent else named.pop("name", ""),
        subject="/".join(filter(None, (*(named.get(name) for name in SUBJECTS), state.get("made")))),
        status=status,
        code=state.get("error_code", ""),
        snapshot=state.get("snapshot"),
        ms=round(reply.ms, 2),
        bytes_sent=reply.bytes_sent,
    )
    if spent is None:
        return entry
    # In a thread, since the first one asks the store for the secret.
    hashed = audit and spent.sql and await run_in_threadpool(audit.hash_of, entry.tenant, spent.sql)
    return replace(
        entry,
        sql_hash=hashed or "",
        bytes_read=spent.bytes_read,
        requests=spent.requests,
        cost_usd=round(spent.dollars, 12),
    )


async def hand_in(*due: Callable[[], Any]) -> None:
    """Hand in what is due. Raises nothing."""
    if due:
        # In threads, since the store may be slow; one that goes on after this does so while the next request runs.
        loop = asyncio.get_running_loop()
        await asyncio.wait([loop.run_in_executor(None, one) for one in due], timeout=MAX_WAIT_SECONDS)


def _asked_of(scope: Scope) -> str:
    """A question's name, or method and template of the route: a path may hold a row's key."""
    path = _template(scope)
    name = path.removeprefix("/v1/")
    if name in QUESTIONS:
        return name
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return f"{method} {path}"


def _outcome(status: int, code: str) -> str:
    """How it went; an agent's tool that was refused is told so with a status of 200."""
    if status >= NOBODY_WAITED or code == "internal":
        return "failed"
    return "refused" if status >= 400 or code else "done"


def _template(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", ""))


def _changes(scope: Scope) -> bool:
    """Whether a request may change something: by its method, unless its route only reads."""
    if scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return False
    admission = getattr(getattr(scope.get("app"), "state", None), "admission", None)
    scope_of = getattr(admission, "scope_of", {})
    needed = scope_of.get((scope["method"], _template(scope)), "")
    return scope["method"] == "DELETE" or not set(needed.split(EITHER)) <= READING


def _named_in(scope: Scope) -> dict[str, str]:
    told = {name: str(value) for name, value in (scope.get("path_params") or {}).items()}
    return {name: value for name, value in told.items() if name in _NAMES and _PLAIN.match(value)}
