"""Datasets over HTTP: what each promises and holds, how fresh and how clean it is; and a new contract."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.replies import AtAsked, AtQuery, json_reply
from shared.api.uploads import command_reply
from shared.datasets.contract import Contract
from shared.errors import InvalidParameterError
from shared.snapshots import DatasetFacts, Snapshots
from shared.uploads import Uploads


def dataset_router(snapshots: Snapshots, uploads: Uploads) -> APIRouter:
    """The routes under /v1/datasets that are not about rows."""
    router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=GuardedRoute)

    @router.get("", summary="All datasets")
    def list_datasets(request: Request, asker: Asker, asked: AtQuery) -> Response:
        """Each with its size and freshness; there are few, so all come on one page."""
        found, snapshot = snapshots.datasets(asker.tenant, **asked.at)
        body = {"snapshot": snapshot, "datasets": [_short(facts, asked) for facts in found], "next": None}
        return json_reply(request, body, snapshot=snapshot)

    @router.get("/{dataset}", summary="One dataset")
    def get_dataset(request: Request, asker: Asker, dataset: str, asked: AtQuery) -> Response:
        """Its contract, stored schema, statistics, freshness and the newest quality report."""
        facts, snapshot = snapshots.dataset(asker.tenant, dataset, **asked.at)
        body = {
            "snapshot": snapshot,
            **_short(facts, asked),
            "contract": facts.contract.model_dump(mode="json", exclude_defaults=True),
            "schema": [{"name": name, "type": kind} for name, kind in facts.schema.items()],
            "quality": facts.quality,
        }
        return json_reply(request, body, snapshot=snapshot)

    @router.put("/{dataset}", summary="Register a contract")
    def put_contract(request: Request, asker: Asker, dataset: str, contract: Contract) -> Response:
        """A new dataset, or the next version of one: columns may be added and rules changed; a stored column keeps its
        type, and the key stays. The version counts by itself."""
        if contract.name != dataset:
            raise InvalidParameterError("body.name: differs from the address")
        told = contract.model_dump(mode="json", exclude_defaults=True)
        return command_reply(request, uploads.register_contract(asker, told))

    return router


def _short(facts: DatasetFacts, asked: AtAsked) -> Mapping[str, Any]:
    contract = facts.contract
    # Maintenance puts files together; what is said of a named state of the lake never changes.
    stored = {} if asked.at_some_time else {"files": facts.files, "bytes": facts.bytes}
    return {
        "name": facts.name,
        "description": contract.description,
        "contract_version": contract.version,
        "inferred": contract.inferred,
        "key": contract.key,
        "rows": facts.rows,
        **stored,
        "newest_at": facts.newest_at,
        "updated_at": facts.updated_at,
        "uploads": facts.uploads,
        "url": f"/v1/datasets/{facts.name}",
    }
