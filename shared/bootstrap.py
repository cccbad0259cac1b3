"""The composition root: wires the use cases by settings, and names concrete adapters as only ``resources`` does too.

Everything here is made once per process and kept warm. What only one function needs is imported by that function's use
case, so that the others start without it. Importing this module, and making the API, asks no store for anything.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

from shared.answers.cache import AnswerCache
from shared.answers.large import LargeAnswers
from shared.ask_sql import AskSql
from shared.catalog.stored import StoredCatalog
from shared.edits import EditRows
from shared.formats.table import ReadOptions
from shared.persons import Persons
from shared.published import PublishedQuestions
from shared.query import AskQuestion, QueryRules
from shared.resources import (
    cursors,
    inbox_bucket,
    inbox_store,
    keys,
    lake_store,
    reader_of,
    sessions,
    settings,
    signing_secret,
    start,
    start_early,
    store_at,
    writer_of,
)
from shared.rows import Rows
from shared.snapshots import Snapshots
from shared.storage.base import ObjectInfo
from shared.stranger_sql.base import SqlLimits, SqlRunner
from shared.stranger_sql.cells import CellRunner
from shared.uploads import UploadRules, Uploads
from shared.usage import UsageRecord
from shared.values import UploadedObject

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.announce.base import Announce
    from shared.doctor import Doctor
    from shared.fit_models import FitModels, FitReport
    from shared.fold_usage import FoldReport, FoldUsage
    from shared.ingest import IngestUpload
    from shared.outcome import Outcome
    from shared.restore import RestoreCatalog
    from shared.tidy import TidyLakes, TidyReport


log = logging.getLogger("teal.ingest")


@cache
def ingest_upload() -> IngestUpload:
    """The use case behind every upload event."""
    from shared.erasure import ErasureRules
    from shared.ingest import IngestRules, IngestUpload
    from shared.steps.reading import Reading

    chosen = settings()
    return IngestUpload(
        inbox=inbox_store(),
        lake=lake_store(),
        writer_of=writer_of,
        session=sessions(),
        rules=IngestRules(
            max_upload_bytes=chosen.max_upload_mb * 2**20,
            inline_rows=chosen.inline_rows,
            reading=Reading(infer_datasets=chosen.infer_datasets, timezone=chosen.timezone),
            erasure=ErasureRules(trace_days=chosen.keep_snapshots_days + chosen.orphan_grace_hours / 24),
        ),
        tell=_tell,
        work_directory=chosen.temp_directory,
    )


def ingest_all(uploads: Iterable[UploadedObject]) -> None:
    """Ingest every upload one message tells of; the first error is raised once all had their turn."""
    errors: list[Exception] = []
    for upload in uploads:
        try:
            ingest_upload()(upload)
        except Exception as error:  # noqa: BLE001 - raised below
            log.warning("upload failed", extra={"object_key": upload.key, "error": type(error).__name__})
            errors.append(error)
    if errors:
        raise errors[0]


def _tell(outcome: Outcome) -> None:
    """Readers of this process see a commit at once, whatever their freshness interval; then the world is told."""
    if reader_of.cache_info().currsize:
        reader_of(outcome.tenant).refresh()
    announce()(outcome)


@cache
def announce() -> Announce:
    """Tells the world what became of an upload, in every way that was set up."""
    from shared.announce.base import Announce, Way

    chosen = settings()
    ways: list[Way] = []
    if chosen.metrics_namespace:
        from shared.announce.emf import EmbeddedMetrics

        ways.append(EmbeddedMetrics(chosen.metrics_namespace))
    if chosen.announce_to.startswith("arn:"):
        from shared.announce.sns import SnsTopic

        ways.append(SnsTopic(chosen.announce_to, endpoint_url=chosen.announce_endpoint))
    elif chosen.announce_to:
        from shared.announce.pubsub import PubSubTopic

        ways.append(PubSubTopic(chosen.announce_to, endpoint_url=chosen.announce_endpoint))
    return Announce(tuple(ways))


@cache
def uploads() -> Uploads:
    """Uploads as their senders see them."""
    chosen = settings()
    return Uploads(
        inbox=inbox_store(),
        lake=lake_store(),
        reader_of=reader_of,
        announce=_announce,
        cursors=cursors(),
        rules=UploadRules(
            bucket=inbox_bucket(),
            write_wait_seconds=chosen.write_wait_seconds,
            signed_url_seconds=chosen.signed_url_seconds,
            max_upload_bytes=chosen.max_upload_mb * 2**20,
            max_page_rows=chosen.max_page_rows,
        ),
        read_options=frozenset(field.name for field in fields(ReadOptions)),
    )


def _announce(upload: UploadedObject) -> None:
    """A folder has no events, so whoever puts an object into it brings it in; a bucket tells the function itself."""
    if "://" not in settings().inbox_uri:
        ingest_upload()(upload)


@cache
def persons() -> Persons:
    """The erasure of persons, as who asks for it sees it."""
    return Persons(lake_store(), uploads(), reader_of)


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
    )


@cache
def run_stranger() -> SqlRunner:
    """What runs SQL that is not ours; another way to do so is another class here."""
    chosen = settings()
    return CellRunner(lake_store(), SqlLimits(memory_mb=chosen.memory_limit_mb // 2, threads=chosen.threads))


@cache
def published_questions() -> PublishedQuestions:
    """The questions that tenants published."""
    return PublishedQuestions(reader_of, run_stranger(), cursors(), uploads(), settings().timezone)


@cache
def usage() -> UsageRecord:
    """What this process was asked; what it still has when it ends in good order is handed in."""
    record = UsageRecord(lake_store())
    atexit.register(record.hand_in_all)
    return record


@cache
def api() -> FastAPI:
    """The HTTP API."""
    from shared.api.app import ApiParts, ApiRules, MoreRoutes, create_app
    from shared.api.objects import LocalObjects
    from shared.api.published import asking_router, publishing_router
    from shared.api.questions import question_router
    from shared.api.sql import sql_router

    rows = Rows(reader_of, cursors(), settings().max_page_rows)
    return create_app(
        ApiParts(
            authenticator=keys(),
            uploads=uploads(),
            rows=rows,
            edits=EditRows(reader_of, rows, uploads()),
            snapshots=snapshots(),
            persons=persons(),
            ready=_ready,
            more=(
                MoreRoutes(lambda principal: question_router(ask_question(), principal, published_questions())),
                MoreRoutes(
                    lambda _: asking_router(ask_question(), published_questions(), docs_enabled=settings().docs_enabled)
                ),
                MoreRoutes(lambda _: publishing_router(published_questions()), scope="admin"),
                MoreRoutes(lambda _: sql_router(AskSql(reader_of, cursors(), ask_question())), scope="sql"),
            ),
            objects=LocalObjects(
                store=inbox_store(),
                signing_secret=signing_secret(),
                max_bytes=settings().max_upload_mb * 2**20,
                arrived=_arrived,
            )
            if "://" not in settings().inbox_uri
            else None,
            large=LargeAnswers(lake_store(), settings().max_inline_bytes, settings().signed_url_seconds),
            usage=usage() if settings().usage else None,
            rules=ApiRules(docs_enabled=settings().docs_enabled, cors_origins=settings().cors_origins),
        )
    )


@cache
def tidy() -> TidyLakes:
    """The use case behind the schedule."""
    from shared.tidy import TidyLakes, TidyRules

    chosen = settings()
    rules = TidyRules(
        keep_snapshots_days=chosen.keep_snapshots_days,
        orphan_grace_hours=chosen.orphan_grace_hours,
        keep_held_days=chosen.keep_held_days,
    )
    return TidyLakes(lake_store(), writer_of, sessions(), rules)


def maintain() -> list[FoldReport | TidyReport | FitReport]:
    """What the schedule does: fold usage, tidy every lake, then fit the models of those whose sales changed."""
    folded = [fold_usage()(tenant) for tenant in tidy().tenants()]
    return [*folded, *tidy()(), *(fit_models()(tenant) for tenant in tidy().tenants())]


@cache
def fold_usage() -> FoldUsage:
    """Brings what was asked into the lakes."""
    from shared.fold_usage import FoldUsage

    return FoldUsage(lake_store(), writer_of, sessions())


@cache
def fit_models() -> FitModels:
    """Fits the models of lakes; needs numpy, which only the package of the function tidy and the laptop have."""
    from shared.fit_models import FitModels
    from shared.fitted.baskets import BasketModel
    from shared.fitted.lifetime import LifetimeModel
    from shared.fitted.series import AnomalyModel, ForecastModel

    chosen = settings()
    models = (LifetimeModel(), ForecastModel(), AnomalyModel(), BasketModel())
    return FitModels(writer_of, sessions(), models, chosen.timezone, chosen.currency)


def rebuild_rollups(tenant: str) -> tuple[int, int]:
    """Make a lake's rollups anew: the number of order totals, and the snapshot."""
    from shared.steps.rollups import rebuild_rollups as rebuild

    with sessions()() as duck:
        done = writer_of(tenant).commit("rebuild", lambda change: rebuild(change, settings().timezone), duck=duck)
    return done.result, done.snapshot_id


def doctor() -> Doctor:
    """Looks whether this installation and a lake are healthy."""
    from shared.doctor import Doctor

    return Doctor(lake_store(), inbox_store(), _catalog_of, sessions())


def restore_catalog() -> RestoreCatalog:
    """Brings a lost catalog back."""
    from shared.restore import RestoreCatalog

    return RestoreCatalog(lake_store(), inbox_store(), _catalog_of, sessions())


def _catalog_of(tenant: str) -> StoredCatalog:
    return StoredCatalog(lake_store(), tenant)


def _arrived(info: ObjectInfo) -> None:
    if info.key.startswith("inbox/"):
        _announce(UploadedObject(inbox_bucket(), info.key, info.version, info.etag, info.size_bytes, info.modified_at))


def _ready() -> None:
    """Raises UnavailableError while the lake's store does not answer."""
    next(iter(lake_store().list("keys/")), None)


__all__ = [
    "announce",
    "api",
    "ask_question",
    "doctor",
    "fit_models",
    "fold_usage",
    "inbox_bucket",
    "inbox_store",
    "ingest_all",
    "ingest_upload",
    "keys",
    "lake_store",
    "maintain",
    "persons",
    "published_questions",
    "rebuild_rollups",
    "restore_catalog",
    "run_stranger",
    "settings",
    "snapshots",
    "start",
    "start_early",
    "store_at",
    "tidy",
    "uploads",
    "usage",
]
