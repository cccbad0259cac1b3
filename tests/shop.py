"""A lake in a folder for tests: the real use cases, wired as the composition root wires them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import Change, LakeWriter
from shared.duck import Duck, open_duck
from shared.ingest import IngestRules, IngestUpload
from shared.outcome import Outcome
from shared.reading.base import ReadLimits
from shared.reading.cells import CellReader
from shared.sessions import Sessions
from shared.steps.reading import Reading
from shared.steps.rollups import renew_rollups
from shared.storage.base import ObjectStore
from shared.storage.folder import FolderStore
from shared.values import UploadedObject

TENANT = "shop"
READER = CellReader(ReadLimits(memory_mb=1_024, threads=2))
"""One for all lakes of a test process: its cell stays warm."""


@dataclass(frozen=True)
class Shop:
    """One tenant on one store."""

    store: ObjectStore
    ingest: IngestUpload
    reader: LakeReader
    writer: LakeWriter

    def put(self, dataset: str, name: str, body: bytes | str | Path) -> UploadedObject:
        """Put a file into the inbox; nothing is ingested yet."""
        key = f"inbox/{TENANT}/{dataset}/{name}"
        if isinstance(body, Path):
            info = self.store.put_file(key, body)
        else:
            info = self.store.put(key, body.encode() if isinstance(body, str) else body)
        return UploadedObject("inbox", key, info.version, info.etag, info.size_bytes)

    def upload(self, dataset: str, name: str, body: bytes | str | Path) -> Outcome:
        """Put a file into the inbox and bring it in."""
        outcome = self.ingest(self.put(dataset, name, body))
        self.reader.refresh()
        return outcome

    def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """Ask the newest snapshot."""
        self.reader.refresh()
        with self.reader.pin() as lake:
            return lake.duck.execute(sql, parameters)


def shop_on(store: ObjectStore, **rules: Any) -> Shop:
    """A shop on any store."""

    def session() -> Duck:
        duck = open_duck(memory_limit_mb=1_024, threads=2)
        duck.grant(store.duck_access(), "lake_store")
        return duck

    def renew(change: Change, tables: frozenset[str]) -> None:
        renew_rollups(change, tables, reading.timezone)

    def writer_of(tenant: str) -> LakeWriter:
        return LakeWriter(StoredCatalog(store, tenant), session, renew=renew)

    reading = Reading(**rules)
    ingest = IngestUpload(
        inbox=store,
        lake=store,
        writer_of=writer_of,
        session=Sessions(session, lambda duck: None),
        read=READER,
        rules=IngestRules(reading=reading),
        tell=lambda outcome: None,
    )
    return Shop(store, ingest, LakeReader(StoredCatalog(store, TENANT), session), writer_of(TENANT))


def shop_in(folder: Path, **rules: Any) -> Shop:
    """A shop in a folder."""
    return shop_on(FolderStore(folder), **rules)


def of(columns: str) -> Callable[[Shop, str], list[tuple[Any, ...]]]:
    """A question for some columns of a table, in a fixed order."""
    return lambda shop, table: shop.rows(f"SELECT {columns} FROM {table} ORDER BY ALL")


@contextmanager
def no_change(shop: Shop, table: str) -> Any:
    """Fails if the block changes a table."""
    before = shop.rows(f"SELECT * FROM {table} ORDER BY ALL")
    yield
    assert shop.rows(f"SELECT * FROM {table} ORDER BY ALL") == before
