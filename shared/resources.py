"""What every use case stands on: settings, stores, sessions, readers, writers, keys; once per process, kept warm.

Adapters are imported inside the branch that needs them, so that each cloud's package carries only its own SDK; what
only one function needs is imported when it is made, so that the others start without it. Importing this module asks no
store for anything.
"""

from __future__ import annotations

import atexit
import shutil
import threading
from concurrent.futures import Future
from functools import cache
from pathlib import Path
from queue import Empty, SimpleQueue
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.duck import Duck, open_duck
from shared.keys import Keys
from shared.limits import Limits
from shared.logs import configure
from shared.paging import Cursors
from shared.secret import secret_in_folder, secret_in_store
from shared.settings import Settings
from shared.storage.base import ObjectStore
from shared.tenants import Tenants

if TYPE_CHECKING:
    from shared.catalog.writer import LakeWriter
    from shared.sessions import Sessions


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


def inbox_bucket() -> str:
    """What events call the inbox: the bucket's name, or "inbox" for a folder."""
    scheme, _, rest = settings().inbox_uri.partition("://")
    return rest.partition("/")[0] if scheme in ("s3", "gs") else "inbox"


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


@cache
def work_folder() -> Path:
    """Where this process keeps what it needs while it runs; it goes with the process."""
    folder = Path(mkdtemp(prefix="teal-", dir=settings().temp_directory))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _open_session() -> Duck:
    chosen = settings()
    return open_duck(
        memory_limit_mb=chosen.memory_limit_mb,
        threads=chosen.threads,
        # A folder of its own: two instances give their temporary files the same names.
        temp_directory=Path(mkdtemp(prefix="spill-", dir=work_folder())),
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
        work_directory=work_folder(),
    )


@cache
def writer_of(tenant: str) -> LakeWriter:
    """The writer of a tenant's lake."""
    from shared.catalog.writer import LakeWriter
    from shared.steps.rollups import renew_rollups

    return LakeWriter(
        StoredCatalog(lake_store(), tenant),
        open_lake_session,
        attempts=settings().commit_attempts,
        work_directory=work_folder(),
        max_seconds=settings().orphan_grace_hours * 3600 / 2,
        renew=lambda change, tables: renew_rollups(change, tables, settings().timezone),
    )


@cache
def keys() -> Keys:
    """The API keys."""
    return Keys(lake_store())


@cache
def tenants() -> Tenants:
    """What is written down of tenants."""
    return Tenants(lake_store(), operator=settings().operator)


def sessions() -> Sessions:
    """Sessions that can reach the lake, one for each piece of work."""
    from shared.sessions import Sessions

    return Sessions(open_session, grant_lake)


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


def general_limits() -> Limits:
    """What holds for every tenant that has no limits of its own."""
    chosen = settings()
    return Limits(
        requests_per_second=chosen.max_requests_per_second or None,
        concurrent_requests=chosen.max_concurrent_requests or None,
        query_bytes=int(chosen.max_query_gb * 2**30) or None,
        day_bytes=int(chosen.max_day_gb * 2**30) or None,
        answer_bytes=int(chosen.max_answer_mb * 2**20) or None,
        stored_bytes=int(chosen.max_stored_gb * 2**30) or None,
    )


def catalog_of(tenant: str) -> StoredCatalog:
    return StoredCatalog(lake_store(), tenant)
