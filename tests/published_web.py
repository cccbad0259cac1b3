"""The API with published questions over a lake on any store: a key that publishes, one that asks, another tenant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from shared.agent_tools.toolbox import Toolbox
from shared.allowance import Allowance
from shared.answers.cache import AnswerCache
from shared.api.app import MoreRoutes, create_app
from shared.api.jobs import job_router
from shared.api.mcp import mcp_router
from shared.api.published import asking_router, publishing_router
from shared.api.questions import question_router
from shared.api.schema import schema_router
from shared.api.sql import sql_router
from shared.ask_sql import AskSql
from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.datasets.rules import DataRules
from shared.describe_lake import DescribeLake
from shared.formats.table import ReadOptions
from shared.keys import Keys
from shared.limits import Limits
from shared.paging import Cursors
from shared.published import PublishedQuestions
from shared.query import AskQuestion, QueryRules
from shared.restricted import RestrictedLakes
from shared.rows import Rows
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits
from shared.stranger_sql.cells import CellRunner
from shared.uploads import UploadRules, Uploads
from tests.api_parts import api_parts
from tests.jobs_web import JobParts, job_parts
from tests.shop import TENANT, Shop, shop_on

OTHER = "rival"


@dataclass(frozen=True)
class PublishedWeb:
    """Clients by what their key may do, and the shop behind the API."""

    app: FastAPI
    shop: Shop
    keys: Keys
    admin: httpx2.Client
    reader: httpx2.Client
    rival: httpx2.Client
    runner: CellRunner
    reader_of: Callable[[str], LakeReader] = field(repr=False)
    later: JobParts = field(repr=False)

    def client(
        self, *scopes: str, rules: Mapping[str, Any] | None = None, tenant: str = TENANT, **limits: float
    ) -> TestClient:
        """A client with a new key."""
        within = {"rules": DataRules.from_document(rules or {}), "limits": Limits.from_document(limits)}
        token = self.keys.create(tenant, scopes, **within).token
        return TestClient(self.app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})

    def publish(self, name: str, sql: str, **more: Any) -> httpx2.Response:
        """Publish a question; its title is its name unless one is given."""
        answer = self.admin.put(f"/v1/published/{name}", json={"title": name, "sql": sql, **more})
        self.fresh()
        return answer

    def rows(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of an answer; fails with the problem when there is none."""
        answer = self.reader.get(f"/v1/my/{name}", params=parameters)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    def fresh(self) -> None:
        """The next request sees the newest snapshot."""
        for tenant in (TENANT, OTHER):
            self.reader_of(tenant).refresh()


def published_web_on(store: ObjectStore, limits: SqlLimits | None = None) -> PublishedWeb:
    """An API over a new shop on a store, wired as the composition root wires it."""
    shop = shop_on(store)

    @cache
    def reader_of(tenant: str) -> LakeReader:
        if tenant == TENANT:
            return shop.reader
        return LakeReader(StoredCatalog(store, tenant), shop.reader._open_duck)

    cursors = Cursors(b"a secret of the tests")
    read_options = frozenset(one.name for one in fields(ReadOptions))
    uploads = Uploads(store, store, reader_of, shop.ingest, cursors, UploadRules("inbox"), read_options)
    runner = CellRunner(store, limits or SqlLimits(seconds=5))
    restricted = RestrictedLakes(reader_of, lambda tenant: StoredCatalog(store, tenant), shop.reader._open_duck)
    ask = AskQuestion(reader_of, cursors, AnswerCache(1 << 20), QueryRules(), runner, restricted.pin, Allowance(store))
    published = PublishedQuestions(reader_of, runner, cursors, uploads)
    ask_sql = AskSql(reader_of, cursors, ask)
    describe = DescribeLake(reader_of, published, runner.limits, ask.rules.max_page_rows)
    rows = Rows(reader_of, cursors, restricted=restricted.pin, allowance=ask.allowance)
    keys = Keys(store)
    later = job_parts(store, ask, published, cursors, SqlLimits(seconds=30, memory_mb=256, temp_mb=64))
    app = create_app(
        api_parts(
            store,
            reader_of,
            uploads,
            keys,
            cursors,
            rows=rows,
            more=(
                MoreRoutes(lambda principal: question_router(ask, principal, published), keeps_rules=True),
                MoreRoutes(lambda _: asking_router(ask, published), keeps_rules=True),
                MoreRoutes(lambda _: publishing_router(published), scope="admin"),
                MoreRoutes(lambda _: sql_router(ask_sql), "sql", keeps_rules=True),
                MoreRoutes(lambda _: schema_router(describe), "read or sql", keeps_rules=True),
                MoreRoutes(lambda _: mcp_router(lambda: Toolbox(describe, ask_sql)), "read or sql", keeps_rules=True),
                MoreRoutes(lambda _: job_router(later.jobs), "read or sql", keeps_rules=True),
            ),
            jobs=later.jobs,
        )
    )

    def client(tenant: str, *scopes: str) -> TestClient:
        token = keys.create(tenant, scopes).token
        return TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})

    return PublishedWeb(
        app,
        shop,
        keys,
        admin=client(TENANT, "read", "admin"),
        reader=client(TENANT, "read"),
        rival=client(OTHER, "read", "admin"),
        runner=runner,
        reader_of=reader_of,
        later=later,
    )


def code_of(response: httpx2.Response) -> tuple[int, str]:
    """Status and code of a problem."""
    told: Mapping[str, Any] = response.json()
    return response.status_code, told.get("code", "")
