"""Is it alive, is it ready: for load balancers and for people at night."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter

from shared.api.auth import GuardedRoute


def system_router(ready: Callable[[], None], version: str) -> APIRouter:
    """``ready`` raises UnavailableError while the lake's store cannot be reached."""
    router = APIRouter(prefix="/v1", tags=["service"], route_class=GuardedRoute)

    @router.get("/health", summary="Alive: this process answers")
    async def health() -> dict[str, str]:
        return {"status": "alive", "version": version}

    @router.get("/ready", summary="Ready: the lake's store answers too")
    def is_ready() -> dict[str, Any]:
        ready()
        return {"status": "ready", "version": version}

    return router
