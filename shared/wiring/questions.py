"""Wires how questions are answered: our own, and those of strangers in their cells."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING

from shared.allowance import Allowance
from shared.answers.cache import AnswerCache
from shared.catalog.reader import PinnedLake
from shared.datasets.rules import DataRules
from shared.published import PublishedQuestions
from shared.query import AskQuestion, QueryRules
from shared.resources import catalog_of, cursors, lake_store, reader_of, settings, work_folder
from shared.snapshots import Snapshots
from shared.stranger_sql.base import SqlLimits, SqlRunner
from shared.stranger_sql.cells import CellRunner
from shared.wiring.arrivals import uploads

if TYPE_CHECKING:
    from shared.restricted import RestrictedLakes


@cache
def snapshots() -> Snapshots:
    """What lakes hold, read-only."""
    return Snapshots(reader_of, cursors(), settings().max_page_rows)


@cache
def ask_question() -> AskQuestion:
    """The use case behind every question."""
    chosen = settings()
    return AskQuestion(
        reader_of=reader_of,
        cursors=cursors(),
        cache=AnswerCache(chosen.answer_cache_mb * 2**20),
        rules=QueryRules(
            max_page_rows=chosen.max_page_rows,
            timezone=chosen.timezone,
            currency=chosen.currency,
        ),
        run_stranger=run_stranger(),
        restricted=pin_restricted,
        allowance=allowance(),
    )


@cache
def allowance() -> Allowance:
    return Allowance(lake_store())


def pin_restricted(
    tenant: str, rules: DataRules, snapshot: int | None, as_of: datetime | None
) -> AbstractContextManager[PinnedLake]:
    return _restricted_lakes().pin(tenant, rules, snapshot, as_of)


@cache
def _restricted_lakes() -> RestrictedLakes:
    """Imported by the first key with rules."""
    from shared.resources import grant_lake, open_session
    from shared.restricted import RestrictedLakes

    chosen = settings()
    return RestrictedLakes(
        reader_of,
        catalog_of,
        open_session,
        refresh_access=grant_lake,
        timezone=chosen.timezone,
        work_directory=work_folder(),
    )


@cache
def run_stranger() -> SqlRunner:
    """What runs SQL that is not ours; another way to do so is another class here."""
    return CellRunner(lake_store(), sql_limits(), settings().sql_at_once)


def sql_limits() -> SqlLimits:
    chosen = settings()
    return SqlLimits(
        seconds=chosen.sql_seconds,
        answer_bytes=chosen.sql_answer_mb * 2**20,
        memory_mb=chosen.sql_memory_mb or chosen.memory_limit_mb // 2,
        temp_mb=chosen.sql_temp_mb,
        threads=chosen.threads,
        # A function of AWS answers one request at a time.
        spares_core="AWS_LAMBDA_FUNCTION_NAME" not in os.environ,
    )


@cache
def published_questions() -> PublishedQuestions:
    """The questions that tenants published."""
    return PublishedQuestions(reader_of, run_stranger(), cursors(), uploads(), settings().timezone)
