"""The composition root: picks adapters by settings and wires the use cases; the only place that names concrete ones.

Everything here is made once per process and kept warm. Adapters are imported inside the branch that needs them, so that
each cloud's package carries only its own SDK; what only one function needs is imported by that function's use case, so
that the others start without it. Importing this module, and making the API, asks no store for anything.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import fields
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from shared.answers.cache import AnswerCache
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.duck import Duck, open_duck
from shared.edits import EditRows
from shared.formats.table import ReadOptions
from shared.keys import Keys
from shared.logs import configure
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.rows import Rows
from shared.secret import secret_in_folder, secret_in_store
from shared.settings import Settings
from shared.snapshots import Snapshots
from shared.storage.base import ObjectInfo, ObjectStore
from shared.uploads import UploadRules, Uploads
from shared.values import UploadedObject

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.announce.base import Announce
    from shared.catalog.writer import LakeWriter
    from shared.ingest import IngestUpload, Outcome
    from shared.sessions import Sessions
    from shared.tidy import TidyLakes


@cache
def settings() -> Settings:
    """What this installation chose."""
    return Settings()


@cache
def store_at(uri: str) -> ObjectStore:
    """The store behind a uri: a folder, ``s3://bucket[/prefix]`` or ``gs://bucket[/prefix]``."""
    scheme, _, rest = uri.partition("://")
    bucket, _, prefix = rest.partition("/")
    chosen = settings()
    if scheme == "s3":
        from shared.storage.s3_reads import s3_store

        return s3_store(bucket, prefix, region=chosen.region, endpoint_url=chosen.s3_endpoint)
    if scheme == "gs":
        from shared.storage.gcs import GcsStore

        return GcsStore(bucket, prefix, endpoint=chosen.gcs_endpoint)
    from shared.storage.folder import FolderStore

    return FolderStore(Path(uri).absolute(), signing_secret(), chosen.public_url)


@cache
def signing_secret() -> bytes:
    """The secret that signs cursors and local URLs: from the settings, else one kept in the lake's store."""
    told = settings().signing_secret.get_secret_value()
    if told:
        return told.encode()
    if "://" in settings().lake:
        return secret_in_store(lake_store())
    return secret_in_folder(Path(settings().lake).absolute())


def lake_store() -> ObjectStore:
    """Where the lakes are."""
    return store_at(settings().lake)


def inbox_store() -> ObjectStore:
    """Where files are dropped."""
    return store_at(settings().inbox_uri)


def start() -> None:
    """What a function does before anything else: its logs are JSON lines from the level that was set."""
    configure(settings().log_level, for_google=settings().lake.startswith("gs://"))


_early: SimpleQueue[Future[Duck]] = SimpleQueue()


def start_early() -> None:
    """Start, and open the first session in a thread while the rest of the program is still being imported.

    Reading the engine's extensions from disk and linking them needs no Python.
    """
    start()
    opened: Future[Duck] = Future()

    def open_now() -> None:
        try:
            opened.set_result(_open_session())
        except BaseException as error:  # noqa: BLE001 - handed to whoever takes the session
            opened.set_exception(error)

    _early.put(opened)
    threading.Thread(target=open_now, name="start-early", daemon=True).start()


def open_session() -> Duck:
    """A DuckDB instance with this installation's limits; the one that was opened early, if nobody took it yet."""
    try:
        return _early.get_nowait().result()
    except Empty:
        return _open_session()


def _open_session() -> Duck:
    chosen = settings()
    return open_duck(
        memory_limit_mb=chosen.memory_limit_mb,
        threads=chosen.threads,
        temp_directory=chosen.temp_directory,
        max_temp_gb=chosen.max_temp_gb,
    )


def grant_lake(duck: Duck) -> None:
    """Renew a session's access to the lake's store."""
    duck.grant(lake_store().duck_access(), "lake_store")


def open_lake_session() -> Duck:
    """A session that can reach the lake."""
    duck = open_session()
    grant_lake(duck)
    return duck


@cache
def reader_of(tenant: str) -> LakeReader:
    """The warm reader of a tenant's lake."""
    return LakeReader(
        StoredCatalog(lake_store(), tenant),
        open_session,
        freshness_seconds=settings().freshness_seconds,
        refresh_access=grant_lake,
        work_directory=settings().temp_directory,
    )


@cache
def writer_of(tenant: str) -> LakeWriter:
    """The writer of a tenant's lake."""
    from shared.catalog.writer import LakeWriter

    return LakeWriter(
        StoredCatalog(lake_store(), tenant),
        open_lake_session,
        attempts=settings().commit_attempts,
        work_directory=settings().temp_directory,
    )


@cache
def keys() -> Keys:
    """The API keys."""
    return Keys(lake_store())


def _sessions() -> Sessions:
    from shared.sessions import Sessions

    return Sessions(open_session, grant_lake)


@cache
def ingest_upload() -> IngestUpload:
    """The use case behind every upload event."""
    from shared.ingest import IngestRules, IngestUpload
    from shared.steps.reading import Reading

    chosen = settings()
    return IngestUpload(
        inbox=inbox_store(),
        lake=lake_store(),
        writer_of=writer_of,
        session=_sessions(),
        rules=IngestRules(
            max_upload_bytes=chosen.max_upload_mb * 2**20,
            inline_rows=chosen.inline_rows,
            reading=Reading(infer_datasets=chosen.infer_datasets, timezone=chosen.timezone),
        ),
        tell=_tell,
        work_directory=chosen.temp_directory,
    )


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


class _StoredCursors(Cursors):
    """Cursors whose secret is fetched by the first list that has a next page, not by every cold start."""

    def __init__(self) -> None:
        pass

    @property
    def secret(self) -> bytes:
        return signing_secret()


@cache
def cursors() -> Cursors:
    """Signs and opens the cursors of all lists."""
    return _StoredCursors()


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


def inbox_bucket() -> str:
    """What events call the inbox: the bucket's name, or "inbox" for a folder."""
    scheme, _, rest = settings().inbox_uri.partition("://")
    return rest.partition("/")[0] if scheme in ("s3", "gs") else "inbox"


def _announce(upload: UploadedObject) -> None:
    """A folder has no events, so whoever puts an object into it brings it in; a bucket tells the function itself."""
    if "://" not in settings().inbox_uri:
        ingest_upload()(upload)


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
        lake=lake_store(),
        cursors=cursors(),
        cache=AnswerCache(chosen.answer_cache_mb * 2**20),
        rules=QueryRules(
            max_page_rows=chosen.max_page_rows,
            max_inline_bytes=chosen.max_inline_bytes,
            signed_url_seconds=chosen.signed_url_seconds,
            timezone=chosen.timezone,
            currency=chosen.currency,
        ),
    )


@cache
def api() -> FastAPI:
    """The HTTP API."""
    from shared.api.app import ApiParts, ApiRules, MoreRoutes, create_app
    from shared.api.objects import LocalObjects
    from shared.api.questions import question_router

    rows = Rows(reader_of, cursors(), settings().max_page_rows)
    return create_app(
        ApiParts(
            authenticator=keys(),
            uploads=uploads(),
            rows=rows,
            edits=EditRows(reader_of, rows, uploads()),
            snapshots=snapshots(),
            ready=_ready,
            more=(MoreRoutes(lambda principal: question_router(ask_question(), principal)),),
            objects=LocalObjects(
                store=inbox_store(),
                signing_secret=signing_secret(),
                max_bytes=settings().max_upload_mb * 2**20,
                arrived=_arrived,
            )
            if "://" not in settings().inbox_uri
            else None,
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
    return TidyLakes(lake_store(), writer_of, _sessions(), rules)


def _arrived(info: ObjectInfo) -> None:
    if info.key.startswith("inbox/"):
        _announce(UploadedObject(inbox_bucket(), info.key, info.version, info.etag, info.size_bytes, info.modified_at))


def _ready() -> None:
    """Raises UnavailableError while the lake's store does not answer."""
    next(iter(lake_store().list("keys/")), None)
