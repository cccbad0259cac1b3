"""Ask a question of a snapshot: the same snapshot and parameters always give the same bytes.

Nothing starts an engine that an ETag can answer, and nothing in a body depends on when it was asked.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shared.allowance import Allowance
from shared.answers.cache import AnswerCache, Body
from shared.answers.encode import (
    MEDIA_TYPES,
    arrow_body,
    csv_body,
    json_around,
    json_body,
    parquet_body,
)
from shared.answers.etags import matches
from shared.asked import Answer, Asked, Receipt
from shared.catalog.reader import LakeReader, PinnedLake, PinRestricted, pinned
from shared.catalog.views import References, references_of, require_fit
from shared.datasets.contract import Contract
from shared.datasets.question import Context, Statement
from shared.datasets.rules import EVERYTHING
from shared.duck import Result, quoted
from shared.facts import Facts, facts_of
from shared.paging import Cursors, page_size, subject_of
from shared.remembered import Remembered
from shared.snapshots import contracts_in
from shared.stranger_sql.base import SqlRun, SqlRunner, StrangerStatement
from shared.stranger_sql.errors import RefusedSqlError

CODE_VERSION = "6"
"""Part of every ETag: raised when the same question may give other bytes than before."""


@dataclass(frozen=True)
class QueryRules:
    """What an installation allows; see the settings of the same names."""

    max_page_rows: int = 10_000
    timezone: str = "UTC"
    currency: str = ""


@dataclass(frozen=True)
class AskQuestion:
    """Answers questions about all tenants' lakes; every one names its tenant."""

    reader_of: Callable[[str], LakeReader]
    cursors: Cursors
    cache: AnswerCache
    rules: QueryRules
    run_stranger: SqlRunner | None = None
    restricted: PinRestricted | None = None
    allowance: Allowance | None = None
    known_facts: Remembered[Facts] = field(default_factory=Remembered)
    known_contracts: Remembered[dict[str, Contract]] = field(default_factory=Remembered)

    def __call__(self, asked: Asked) -> Answer:
        """The answer, from the cache, from the ETag alone, or from the lake.

        Raises InvalidParameterError, MixedCurrenciesError, MissingRateError, SnapshotNotFoundError, InvalidCursorError,
        PageTooLargeError, RulesDoNotFitError, and QueryTooLargeError, DayUsedUpError, AnswerTooLargeError by the limits
        of who asks.
        """
        started = time.perf_counter()
        subject = asked.subject or subject_of(asked.question.name, asked.question.model_dump(mode="json"))
        position = self.cursors.open(asked.tenant, subject, asked.cursor) if asked.cursor else {}
        snapshot, as_of = position.get("snapshot", asked.snapshot), None if position else asked.as_of
        limit = self._limit(asked)
        if as_of is None:
            lake_id, newest = self.reader_of(asked.tenant).newest()
            known = self._known(asked, (lake_id, newest if snapshot is None else snapshot), limit, position)
            if known is not None:
                return known
        with self._pinned(asked, snapshot, as_of) as lake:
            opened = time.perf_counter()
            etag = self._etag(asked, (lake.lake_id, lake.snapshot_id), limit, position)
            body, phases = self._made(asked, lake, subject, limit, int(position.get("offset", 0)))
        if self.allowance is not None:
            self.allowance.spend(asked.tenant, asked.limits, body.bytes_read)
        if body.repeatable:
            self.cache.put(etag, body)
        else:
            # Whatever keeps answers by their ETag must not take it for one of the same question.
            etag = f'"{hashlib.sha256(body.content).hexdigest()[:32]}"'
        finished = time.perf_counter()
        timing = {"lake": (opened - started) * 1000, **phases}
        receipt = Receipt(body.bytes_read, body.requests, (finished - started) * 1000)
        answer = Answer(
            etag=etag,
            snapshot=lake.snapshot_id,
            media_type=MEDIA_TYPES[asked.format],
            pinned=asked.pinned,
            receipt=receipt,
            cursor=body.cursor,
            timing=timing,
        )
        return self._delivered(asked, answer, body)

    def quote(self, asked: Asked) -> dict[str, Any]:
        """What asking would touch: files and bytes from the catalog's statistics; nothing is run.

        Raises what asking raises about parameters.
        """
        self._limit(asked)
        with self._pinned(asked, asked.snapshot, asked.as_of) as lake:
            facts = self._facts(asked, lake)
            context = self._context(asked, lake, facts)
            asked.question.statement(context)
            asked.question.keeps(context)  # what is wrong with a parameter may show here alone
            files, size = facts.touched(asked.question.tables())
            return {
                "question": asked.question.name,
                "snapshot": lake.snapshot_id,
                "files": files,
                "bytes": size,
                "cost_usd": f"{Receipt(size, files, 50).dollars:.9f}",
            }

    def _pinned(self, asked: Asked, snapshot: int | None, as_of: datetime | None) -> AbstractContextManager[PinnedLake]:
        # A cell opens the lake itself, and keeps the rules in there.
        rules = EVERYTHING if asked.question.is_strangers else asked.rules
        return pinned(self.reader_of, self.restricted, asked.tenant, rules, snapshot=snapshot, as_of=as_of)

    def _known(self, asked: Asked, state: tuple[str, int], limit: int, position: Mapping[str, Any]) -> Answer | None:
        """The answer without an engine, if the caller has it already or this process still does."""
        etag = self._etag(asked, state, limit, position)
        media, snapshot, pinned = MEDIA_TYPES[asked.format], state[1], asked.pinned
        # An ETag of ours comes from an answer; * matches any there is, so whether there is one has to be seen first.
        if "*" not in asked.if_none_match and matches(asked.if_none_match, etag):
            return Answer(etag, snapshot, media, pinned, Receipt())
        body = self.cache.get(etag)
        if body is None:
            return None
        return self._delivered(asked, Answer(etag, snapshot, media, pinned, Receipt(), cursor=body.cursor), body)

    def _allow(self, asked: Asked, facts: Facts) -> None:
        """Raises QueryTooLargeError, DayUsedUpError."""
        if self.allowance is not None:
            self.allowance.require(asked.tenant, asked.limits, facts.touched(asked.question.tables())[1])

    def _delivered(self, asked: Asked, answer: Answer, body: Body) -> Answer:
        """Raises AnswerTooLargeError."""
        asked.limits.require_answer(len(body.content))
        return answer if matches(asked.if_none_match, answer.etag) else replace(answer, content=body.content)

    def _made(
        self, asked: Asked, lake: PinnedLake, subject: str, limit: int, offset: int
    ) -> tuple[Body, dict[str, float]]:
        started = time.perf_counter()
        facts = self._facts(asked, lake)
        self._allow(asked, facts)
        context = replace(self._context(asked, lake, facts), rows_wanted=offset + limit + 1)
        wanted = asked.question.statement(context)
        if isinstance(wanted, StrangerStatement):
            how = (asked.format, asked.numbers, asked.rules, self._references(asked, lake))
            run = SqlRun(asked.tenant, lake, wanted, limit, offset, *how, is_awaited=asked.is_awaited)
            return self._of_stranger(asked, run, subject, facts)
        for kept in asked.question.keeps(context):
            lake.duck.keep(kept.name, kept.made_of, kept.statement.sql, _bound(kept.statement))
        # In the statement itself: then the engine sorts no more than the page needs, and works out what is shown of it.
        page = f"{wanted.sql}\nLIMIT {limit + 1} OFFSET {offset}"
        as_table = asked.format in ("parquet", "arrow")
        if as_table:
            lake.duck.execute(f"CREATE OR REPLACE TEMP TABLE {_PAGE} AS {page}", _bound(wanted))
            page = f"FROM {_PAGE}"
        result = lake.duck.query(page, {} if as_table else _bound(wanted))
        seen = None
        if wanted.has_seen:
            result, seen = _without_seen(result)
        if seen is not None:
            for doubt, look in asked.question.doubts(context, seen):
                look(lake.duck.execute(doubt.sql, doubt.values))
        cursor = None
        if len(result.rows) > limit:
            result = Result(result.columns, result.types, result.rows[:limit])
            cursor = self._next(asked, lake, subject, offset + limit)
        ran = time.perf_counter()
        more = {**(asked.question.told(seen) if seen is not None else {}), **asked.question.based_on(context)}
        told = self._head(asked, lake, cursor, more)
        content = _encoded(asked, lake, told, result)
        files, size = facts.touched(asked.question.tables())
        phases = {"engine": (ran - started) * 1000, "encode": (time.perf_counter() - ran) * 1000}
        return Body(content, cursor, size, files), phases

    def _of_stranger(self, asked: Asked, run: SqlRun, subject: str, facts: Facts) -> tuple[Body, dict[str, float]]:
        """The answer of SQL that is not ours. Raises what an ``SqlRunner`` raises."""
        if self.run_stranger is None:
            raise RefusedSqlError("This installation runs no SQL but its own.")
        started = time.perf_counter()
        page = self.run_stranger(run)
        ran = time.perf_counter()
        cursor = self._next(asked, run.lake, subject, run.offset + run.limit) if page.more else None
        content = page.body
        if asked.format == "json":
            content = json_around(self._head(asked, run.lake, cursor, {}), page.columns, page.types, page.body)
        files, size = facts.touched(page.tables)
        phases = {"engine": (ran - started) * 1000, "encode": (time.perf_counter() - ran) * 1000}
        return Body(content, cursor, size, files, page.repeatable), phases

    def _references(self, asked: Asked, lake: PinnedLake) -> References:
        """What is needed to keep the rules of who asks. Raises RulesDoNotFitError."""
        if not asked.rules:
            return {}
        contracts = self.known_contracts(asked.tenant, lake, contracts_in)
        require_fit(asked.rules, contracts)
        return references_of(contracts)

    def _next(self, asked: Asked, lake: PinnedLake, subject: str, offset: int) -> str:
        return self.cursors.seal(asked.tenant, subject, {"snapshot": lake.snapshot_id, "offset": offset})

    def _head(self, asked: Asked, lake: PinnedLake, cursor: str | None, more: Mapping[str, Any]) -> Mapping[str, Any]:
        """What JSON says before the rows."""
        return {
            "question": asked.question.name,
            "snapshot": lake.snapshot_id,
            "committed_at": lake.committed_at.isoformat().replace("+00:00", "Z"),
            "parameters": asked.question.model_dump(mode="json", by_alias=True, exclude_none=True),
            **more,
            **({"definition": url} if (url := asked.question.definition_url) else {}),
            "next": cursor,
        }

    def _limit(self, asked: Asked) -> int:
        """Rows of a page: an answer is given as a whole as far as one page goes, unless less is asked for."""
        largest = min(self.rules.max_page_rows, asked.limits.page_rows or self.rules.max_page_rows)
        return largest if asked.limit is None else page_size(asked.limit, largest)

    def _context(self, asked: Asked, lake: PinnedLake, facts: Facts) -> Context:
        return Context(
            committed_at=lake.committed_at,
            timezone=self.rules.timezone,
            currency=self.rules.currency,
            sees_personal=asked.sees_personal,
            span=facts.span,
            rollup_zone=facts.rollup_zone,
            places=facts.places,
            tables=frozenset(facts.files),
            rate_currencies=facts.rate_currencies,
            fits=facts.fits,
            customer_bytes=facts.touched(("teal.customer_totals",))[1],
        )

    def _facts(self, asked: Asked, lake: PinnedLake) -> Facts:
        return self.known_facts(asked.tenant, lake, facts_of)

    def _etag(self, asked: Asked, state: tuple[str, int], limit: int, position: Mapping[str, Any]) -> str:
        """``state`` is the lake's identity and the snapshot's id."""
        shape = [
            CODE_VERSION,
            asked.tenant,
            *state,
            asked.question.name,
            asked.question.model_dump(mode="json", exclude_none=True),
            asked.format,
            asked.numbers if asked.format == "json" else "",
            limit,
            position.get("offset", 0),
            asked.sees_personal and asked.question.personal,
            asked.rules.digest,
            self.rules.timezone,
            self.rules.currency,
        ]
        return '"' + hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:32] + '"'


_PAGE = "temp.answer_page"
_PARAMETER = re.compile(r"\$([a-z]\w*)")


def _bound(wanted: Statement) -> dict[str, Any]:
    """The values that the SQL names; the engine refuses others, and what is kept needs them no more."""
    return {name: wanted.values[name] for name in set(_PARAMETER.findall(wanted.sql)) if name in wanted.values}


def _encoded(asked: Asked, lake: PinnedLake, told: Mapping[str, Any], result: Result) -> bytes:
    if asked.format == "json":
        return json_body(told, result, asked.numbers)
    if asked.format == "csv":
        return csv_body(result.columns, result.rows)
    columns = ", ".join(quoted(name) for name in result.columns)
    rows = f"(SELECT {columns} FROM {_PAGE} LIMIT {len(result.rows)})"
    return parquet_body(lake.duck, rows) if asked.format == "parquet" else arrow_body(lake.duck, rows)


def _without_seen(result: Result) -> tuple[Result, Any]:
    """The rows as they are answered, and what their last column says; None when there is no row to doubt."""
    seen = result.rows[0][-1] if result.rows else None
    return Result(result.columns[:-1], result.types[:-1], [row[:-1] for row in result.rows]), seen
