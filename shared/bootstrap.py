"""The composition root: wires the use cases by settings, and names concrete adapters as only ``resources`` does too.

Everything here is made once per process and kept warm. What only one function needs is imported by that function's use
case, so that the others start without it. Importing this module, and making the API, asks no store for anything.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from shared.answers.large import LargeAnswers
from shared.ask_sql import AskSql
from shared.describe_lake import DescribeLake
from shared.edits import EditRows
from shared.last_used import last_used
from shared.resources import cursors, inbox_store, keys, lake_store, reader_of, settings, signing_secret
from shared.rows import Rows
from shared.wiring.arrivals import object_arrived, persons, uploads
from shared.wiring.jobs import jobs
from shared.wiring.questions import allowance, ask_question, pin_restricted, published_questions, snapshots, sql_limits
from shared.wiring.records import audit, usage
from shared.wiring.tenants import credentials, tenant_admin

if TYPE_CHECKING:
    from fastapi import FastAPI

    from shared.agent_tools.toolbox import Toolbox
from shared.resources import inbox_bucket, start, start_early, store_at, tenants
from shared.wiring.arrivals import announce, ingest_all, ingest_upload
from shared.wiring.jobs import job_worker, run_job
from shared.wiring.questions import run_stranger
from shared.wiring.tenants import export_tenant, finish_tenants
from shared.wiring.upkeep import (
    doctor,
    fit_models,
    fold_usage,
    gather_audit,
    maintain,
    rebuild_rollups,
    restore_catalog,
    tidy,
    tidy_lakes,
)


@cache
def api() -> FastAPI:
    """The HTTP API."""
    from shared.api.app import ApiParts, ApiRules, MoreRoutes, create_app
    from shared.api.auth import OPERATOR
    from shared.api.jobs import job_router
    from shared.api.keys import KeyDesk, own_key_router
    from shared.api.mcp import mcp_router
    from shared.api.objects import LocalObjects
    from shared.api.published import asking_router, publishing_router
    from shared.api.questions import question_router
    from shared.api.schema import schema_router
    from shared.api.sql import sql_router
    from shared.api.tenants import tenant_key_router, tenant_router

    rows = Rows(reader_of, cursors(), settings().max_page_rows, pin_restricted, allowance())
    own, docs, origins = published_questions(), settings().docs_enabled, settings().cors_origins
    ask_sql = AskSql(reader_of, cursors(), ask_question())
    describe = DescribeLake(reader_of, own, sql_limits(), settings().max_page_rows)
    desk = KeyDesk(keys(), lambda tenant: last_used(lake_store(), tenant))

    def tools() -> Toolbox:
        from shared.agent_tools.toolbox import Toolbox

        return Toolbox(describe, ask_sql)

    return create_app(
        ApiParts(
            authenticator=credentials(),
            uploads=uploads(),
            rows=rows,
            edits=EditRows(reader_of, rows, uploads()),
            snapshots=snapshots(),
            persons=persons(),
            ready=_ready,
            more=(
                MoreRoutes(lambda principal: question_router(ask_question(), principal, own), keeps_rules=True),
                MoreRoutes(lambda _: asking_router(ask_question(), own, docs_enabled=docs), keeps_rules=True),
                MoreRoutes(lambda _: publishing_router(own), scope="admin"),
                MoreRoutes(lambda _: own_key_router(desk), scope="admin"),
                MoreRoutes(lambda _: tenant_router(tenant_admin()), scope=OPERATOR),
                MoreRoutes(lambda _: tenant_key_router(tenant_admin(), desk), scope=OPERATOR),
                MoreRoutes(lambda _: sql_router(ask_sql), "sql", keeps_rules=True),
                MoreRoutes(lambda _: schema_router(describe), "read or sql", keeps_rules=True),
                MoreRoutes(lambda _: mcp_router(tools, origins=origins), "read or sql", keeps_rules=True),
                MoreRoutes(lambda _: job_router(jobs()), scope="read or sql", keeps_rules=True),
            ),
            objects=LocalObjects(
                store=inbox_store(),
                signing_secret=signing_secret(),
                max_bytes=settings().max_upload_mb * 2**20,
                arrived=object_arrived,
            )
            if "://" not in settings().inbox_uri
            else None,
            jobs=jobs(),
            large=LargeAnswers(lake_store(), settings().max_inline_bytes, settings().signed_url_seconds),
            usage=usage() if settings().usage else None,
            audit=audit(),
            rules=ApiRules(
                docs_enabled=settings().docs_enabled,
                cors_origins=settings().cors_origins,
                operator=settings().operator,
            ),
        )
    )


def _ready() -> None:
    """Raises UnavailableError while the lake's store does not answer."""
    next(iter(lake_store().list("keys/")), None)


__all__ = [
    "announce",
    "api",
    "ask_question",
    "audit",
    "credentials",
    "doctor",
    "export_tenant",
    "finish_tenants",
    "fit_models",
    "fold_usage",
    "gather_audit",
    "inbox_bucket",
    "inbox_store",
    "ingest_all",
    "ingest_upload",
    "job_worker",
    "jobs",
    "keys",
    "lake_store",
    "maintain",
    "persons",
    "published_questions",
    "rebuild_rollups",
    "restore_catalog",
    "run_job",
    "run_stranger",
    "settings",
    "snapshots",
    "start",
    "start_early",
    "store_at",
    "tenant_admin",
    "tenants",
    "tidy",
    "tidy_lakes",
    "uploads",
    "usage",
]
