"""The HTTP API over a lake in a folder, with its ingest in the same process: real parts, wired as for `teal run`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from shared.answers.large import LargeAnswers
from shared.api.app import ApiRules, MoreRoutes, create_app
from shared.api.objects import LocalObjects
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.formats.table import ReadOptions
from shared.keys import SCOPES, Keys
from shared.paging import Cursors
from shared.rows import Rows
from shared.snapshots import Snapshots
from shared.storage.base import ObjectInfo
from shared.storage.folder import FolderStore
from shared.uploads import UploadRules, Uploads
from shared.values import UploadedObject
from tests.api_parts import api_parts
from tests.shop import TENANT, Shop, shop_on

SECRET = b"a secret of the tests, 32 bytes."
PAGE = 1_000


@dataclass(frozen=True)
class ApiShop:
    """An app, the shop behind it, and clients with keys."""

    app: FastAPI
    shop: Shop
    keys: Keys
    client: TestClient

    def client_with(self, *scopes: str, tenant: str = TENANT) -> TestClient:
        """A client with a new key of these scopes."""
        return client_of(self.app, self.keys.create(tenant, scopes).token)

    def anonymous(self) -> TestClient:
        """A client without a key."""
        return client_of(self.app, "")


def api_shop_in(
    folder: Path,
    *,
    ingest: bool = True,
    public_url: str = "http://testserver",
    rules: ApiRules | None = None,
    more: tuple[MoreRoutes, ...] = (),
    write_wait_seconds: float = 5.0,
    max_inline_bytes: int = 0,
) -> ApiShop:
    """An API over a folder; without ``ingest`` nothing ever becomes of an upload."""
    store = FolderStore(folder, SECRET, public_url)
    shop = shop_on(store)
    reader_of = readers(shop, store)

    def announce(upload: UploadedObject) -> None:
        if ingest:
            shop.ingest(upload)

    def arrived(info: ObjectInfo) -> None:
        if info.key.startswith("inbox/"):
            announce(UploadedObject("inbox", info.key, info.version, info.etag, info.size_bytes))

    cursors = Cursors(SECRET)
    uploads = Uploads(
        inbox=store,
        lake=store,
        reader_of=reader_of,
        announce=announce,
        cursors=cursors,
        rules=UploadRules(bucket="inbox", write_wait_seconds=write_wait_seconds if ingest else 0.1, max_page_rows=PAGE),
        read_options=frozenset(field.name for field in fields(ReadOptions)),
    )
    rows = Rows(reader_of, cursors, PAGE)
    keys = Keys(store)
    parts = api_parts(
        store,
        reader_of,
        uploads,
        keys,
        cursors,
        rows=rows,
        snapshots=Snapshots(reader_of, cursors, PAGE),
        more=more,
        objects=LocalObjects(store, SECRET, max_bytes=10_000_000, arrived=arrived),
        large=LargeAnswers(store, max_inline_bytes) if max_inline_bytes else None,
        rules=rules or ApiRules(),
    )
    app = create_app(parts)
    return ApiShop(app, shop, keys, client_of(app, keys.create(TENANT, SCOPES).token))


def readers(shop: Shop, store: FolderStore) -> Any:
    """Readers by tenant, the shop's own one for the shop's tenant."""

    @cache
    def reader_of(tenant: str) -> LakeReader:
        if tenant == TENANT:
            return shop.reader
        return LakeReader(StoredCatalog(store, tenant), shop.reader._open_duck)

    return reader_of


def client_of(app: FastAPI, token: str) -> TestClient:
    """A client that presents a token, if it has one."""
    return TestClient(app, headers={"Authorization": f"Bearer {token}"} if token else {}, follow_redirects=False)


def code_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem; fails when it is none."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]
