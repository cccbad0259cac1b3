"""The API over any store with usage counted, for several tenants, and the fold; real parts, as the root wires them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx2
from fastapi import FastAPI

from shared.answers.cache import AnswerCache
from shared.api.app import MoreRoutes, create_app
from shared.api.questions import question_router
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.catalog.writer import LakeWriter
from shared.duck import Duck, open_duck
from shared.fold_usage import FoldUsage
from shared.keys import Keys
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.sessions import Sessions
from shared.storage.base import ObjectStore
from shared.uploads import UploadRules, Uploads
from shared.usage import UsageRecord
from tests.api_parts import api_parts
from tests.api_shop import client_of
from tests.shop import shop_on


@dataclass(frozen=True)
class UsageWeb:
    """An app, and what it stands on."""

    app: FastAPI
    store: ObjectStore
    keys: Keys
    usage: UsageRecord | None
    reader_of: Any

    def client(self, tenant: str, *scopes: str) -> tuple[httpx2.Client, str]:
        """A client with a new key of a tenant, and the key's id."""
        made = self.keys.create(tenant, scopes or ("read",))
        return client_of(self.app, made.token), made.key.key_id

    def fold(self, tenant: str, **more: Any) -> Any:
        """Fold what was handed in; the next request sees it."""
        report = FoldUsage(**{**fold_parts(self.store), **more})(tenant)
        self.reader_of(tenant).refresh()
        return report


def session_on(store: ObjectStore) -> Duck:
    """A session that reaches the store."""
    duck = open_duck(memory_limit_mb=512, threads=1)
    duck.grant(store.duck_access(), "lake_store")
    return duck


def fold_parts(store: ObjectStore) -> dict[str, Any]:
    """What a fold needs."""
    return {
        "store": store,
        "writer_of": lambda tenant: LakeWriter(StoredCatalog(store, tenant), lambda: session_on(store)),
        "session": Sessions(lambda: session_on(store), lambda duck: None),
    }


def usage_web(store: ObjectStore, usage: UsageRecord | None, tenants: tuple[str, ...] = ("acme", "bolt")) -> UsageWeb:
    """The API; each tenant's lake holds one order."""
    for tenant in tenants:
        LakeWriter(StoredCatalog(store, tenant), lambda: session_on(store)).commit(
            "test",
            lambda change: change.duck.execute(
                "INSERT INTO lake.main.orders BY NAME "
                "SELECT '1' AS order_id, TIMESTAMPTZ '2024-01-01 10:00:00+00' AS ordered_at"
            ),
        )

    @cache
    def reader_of(tenant: str) -> LakeReader:
        return LakeReader(StoredCatalog(store, tenant), lambda: session_on(store))

    cursors, keys = Cursors(b"a secret of the tests"), Keys(store)
    shop = shop_on(store)
    uploads = Uploads(store, store, reader_of, shop.ingest, cursors, UploadRules("inbox"))
    ask = AskQuestion(reader_of, cursors, AnswerCache(1 << 20), QueryRules())
    app = create_app(
        api_parts(
            store,
            reader_of,
            uploads,
            keys,
            cursors,
            more=(MoreRoutes(lambda principal: question_router(ask, principal)),),
            usage=usage,
        )
    )
    return UsageWeb(app, store, keys, usage, reader_of)


@contextmanager
def rows_of(web: UsageWeb, tenant: str) -> Any:
    """A session with the newest snapshot of a tenant's lake."""
    web.reader_of(tenant).refresh()
    with web.reader_of(tenant).pin() as lake:
        yield lake.duck
