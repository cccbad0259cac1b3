"""The API with its audit over any store, its ingest in the same process, and the gathering; wired as the root does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import httpx2
from fastapi import FastAPI

from shared.answers.cache import AnswerCache
from shared.api.app import MoreRoutes, create_app
from shared.api.questions import question_router
from shared.api.sql import sql_router
from shared.ask_sql import AskSql
from shared.audit import AuditRecord
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.gather_audit import GatherAudit
from shared.keys import Keys
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.cells import CellRunner
from shared.uploads import UploadRules, Uploads
from shared.values import UploadedObject
from tests.api_parts import api_parts
from tests.api_shop import client_of
from tests.shop import shop_on
from tests.usage_web import session_on

OPERATOR = "operator"


@dataclass
class AuditWeb:
    """An app, and what it stands on; while ``deaf``, nobody brings in what is put into the inbox."""

    app: FastAPI
    store: ObjectStore
    keys: Keys
    audit: AuditRecord
    reader_of: Callable[[str], LakeReader]
    gather: GatherAudit
    runner: CellRunner
    heard: dict[str, Any]

    def client(self, tenant: str, *scopes: str) -> tuple[httpx2.Client, str]:
        """A client with a new key of a tenant, and the key's id."""
        made = self.keys.create(tenant, scopes or ("read",))
        return client_of(self.app, made.token), made.key.key_id

    def rows(self) -> list[dict[str, Any]]:
        """The operator's dataset, oldest first, read without the API; empty before there is one."""
        reader = self.reader_of(OPERATOR)
        reader.refresh()
        with reader.pin() as lake:
            if "audit" not in lake.tables():
                return []
            result = lake.duck.query("SELECT * FROM audit ORDER BY ended_at, entry_id")
            return [dict(zip(result.columns, row, strict=True)) for row in result.rows]

    def deaf(self, deaf: bool = True) -> None:
        """Whether objects in the inbox stay where they are, as while a function is slow."""
        self.heard["deaf"] = deaf

    def catch_up(self) -> None:
        """Bring in what nobody did."""
        for upload in self.heard.pop("missed", []):
            self.heard["ingest"](upload)


def audit_web(store: ObjectStore, record: AuditRecord) -> AuditWeb:
    """The API; every tenant's lake is new."""

    @cache
    def reader_of(tenant: str) -> LakeReader:
        return LakeReader(StoredCatalog(store, tenant), lambda: session_on(store), freshness_seconds=0)

    ingest = replace(shop_on(store).ingest, tell=lambda outcome: reader_of(outcome.tenant).refresh())
    heard: dict[str, Any] = {"ingest": ingest, "deaf": False}

    def announce(upload: UploadedObject) -> None:
        if heard["deaf"]:
            heard.setdefault("missed", []).append(upload)
        else:
            ingest(upload)

    cursors, keys = Cursors(b"a secret of the tests"), Keys(store)
    uploads = Uploads(store, store, reader_of, announce, cursors, UploadRules("inbox", write_wait_seconds=0.2))
    runner = CellRunner(store, SqlLimits(seconds=5.0, memory_mb=256, temp_mb=64))
    ask = AskQuestion(reader_of, cursors, AnswerCache(1 << 20), QueryRules(), runner)
    app = create_app(
        api_parts(
            store,
            reader_of,
            uploads,
            keys,
            cursors,
            more=(
                MoreRoutes(lambda principal: question_router(ask, principal)),
                MoreRoutes(lambda _: sql_router(AskSql(reader_of, cursors, ask)), "sql"),
            ),
            audit=record,
        )
    )
    gather = GatherAudit(OPERATOR, store, uploads, reader_of)
    return AuditWeb(app, store, keys, record, reader_of, gather, runner, heard)
