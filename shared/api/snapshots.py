"""Snapshots over HTTP: which there are, what each did, what differs between two, and going back to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.replies import Asked, ListQuery, Numbers, json_reply, next_link
from shared.api.uploads import command_reply
from shared.snapshots import Snapshots
from shared.uploads import Uploads
from shared.values import LARGEST_WHOLE, Snapshot

SnapshotId = Annotated[int, Path(ge=1, le=LARGEST_WHOLE, description="A snapshot's id.")]


class ChangesAsked(Asked):
    """Which changes."""

    dataset: Annotated[str | None, Field(description="A dataset: its changed rows. Without: counts of all.")] = None
    limit: Annotated[int | None, Field(ge=1, description="Rows of a page; default 100.")] = None
    cursor: Annotated[str | None, Field(max_length=4096, description="`next` of the page before.")] = None
    numbers: Annotated[Numbers, Field(description="Exact decimals as strings, or as JSON numbers.")] = "string"


def snapshot_router(snapshots: Snapshots, uploads: Uploads) -> APIRouter:
    """The routes under /v1/snapshots."""
    router = APIRouter(prefix="/v1/snapshots", tags=["snapshots"], route_class=GuardedRoute)

    @router.get("", summary="Snapshots, newest first")
    def list_snapshots(request: Request, asker: Asker, asked: ListQuery) -> Response:
        """Each commit with its time, author, message and rows added and removed by table."""
        found, after, newest = snapshots.newest(asker.tenant, limit=asked.limit, cursor=asked.cursor, **asked.at)
        body = {"snapshot": newest, "snapshots": [_told(one) for one in found], "next": after}
        return json_reply(request, body, snapshot=newest, headers=next_link(request, after))

    @router.get("/{snapshot_id}", summary="One snapshot")
    def get_snapshot(request: Request, asker: Asker, snapshot_id: SnapshotId) -> Response:
        """When it was committed, by whom, why, and which tables it touched."""
        return json_reply(request, _told(snapshots.one(asker.tenant, snapshot_id)), snapshot=snapshot_id)

    @router.get("/{from_id}/changes/{to_id}", summary="What differs between two snapshots")
    def get_changes(
        request: Request, asker: Asker, from_id: SnapshotId, to_id: SnapshotId, asked: Annotated[ChangesAsked, Query()]
    ) -> Response:
        """Rows added, removed and changed by key: counts per dataset, or with `dataset=` each row before and after."""
        found = snapshots.changes(
            asker.tenant,
            from_id,
            to_id,
            dataset=asked.dataset,
            limit=asked.limit,
            cursor=asked.cursor,
            sees_personal=asker.sees_personal,
        )
        body: dict[str, Any] = {"from": from_id, "to": to_id, "datasets": found.datasets}
        if asked.dataset is not None:
            body["columns"] = [{"name": name, "type": kind} for name, kind in found.types.items()]
            body["rows"] = [{"change": one.change, "before": one.before, "after": one.after} for one in found.rows]
            body["next"] = found.next
        return json_reply(request, body, snapshot=to_id, headers=next_link(request, found.next), numbers=asked.numbers)

    @router.post("/{snapshot_id}/rollback", summary="Make the lake what it was at a snapshot")
    def roll_back(request: Request, asker: Asker, snapshot_id: SnapshotId) -> Response:
        """A new snapshot that equals the old one; nothing is erased, and this too can be rolled back."""
        snapshots.one(asker.tenant, snapshot_id)
        state = uploads.command(asker, "rollback", {"snapshot": snapshot_id})
        return command_reply(request, state)

    return router


def _told(one: Snapshot) -> Mapping[str, Any]:
    return {
        "id": one.id,
        "committed_at": one.committed_at,
        "author": one.author,
        "message": one.message,
        "tables": one.tables,
    }
