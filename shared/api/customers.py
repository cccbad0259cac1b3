"""The erasure of a person over HTTP, what was erased, and letting somebody in again."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from shared.api.auth import Asker, GuardedRoute
from shared.api.replies import Asked, json_reply
from shared.api.uploads import command_reply, upload_reply
from shared.persons import Erasure, Persons

CustomerKey = Annotated[str, Path(description="The customer's id, percent-encoded.")]


class EraseAsked(Asked):
    """How a person is erased."""

    mode: Annotated[
        Literal["anonymise", "delete"],
        Field(description="`anonymise` keeps orders and events as those of a guest; `delete` takes them away too."),
    ] = "anonymise"
    files: Annotated[
        Literal["delete", "keep"],
        Field(description="Inbox files that mention the person and are in the lake as a whole: delete or keep them."),
    ] = "delete"


def customer_router(persons: Persons) -> APIRouter:
    """The routes that change what is known about people."""
    router = APIRouter(prefix="/v1", tags=["customers"], route_class=GuardedRoute)

    @router.get("/erasures", summary="Persons that were erased")
    def list_erasures(request: Request, asker: Asker) -> Response:
        """Newest first, without saying who: what was changed, when the last trace is due to be gone, what is left."""
        return json_reply(request, {"erasures": persons.erasures(asker.tenant)})

    @router.delete("/customers/{key:path}", summary="Erase a person")
    def erase_customer(
        request: Request, asker: Asker, key: CustomerKey, asked: Annotated[EraseAsked, Query()]
    ) -> Response:
        """From every dataset, rollup, held row and stored answer; sums stay right. The answer is a receipt; asked
        again, it says `already_erased`. Older snapshots still show the person until they expire."""
        return _receipt(request, persons.erase(asker, key, mode=asked.mode, files=asked.files))

    @router.post("/customers/{key:path}/readmit", summary="Let an erased person come in again")
    def readmit_customer(request: Request, asker: Asker, key: CustomerKey) -> Response:
        """From now on, what is uploaded about the person is taken in as it is; nothing that was erased comes back."""
        return command_reply(request, persons.readmit(asker, key))

    return router


def _receipt(request: Request, erasure: Erasure) -> Response:
    """200 with what was done, or 202 while it is not."""
    if not erasure.told:
        return upload_reply(request, erasure.state)
    body: dict[str, Any] = {"status": "already_erased" if erasure.already else "erased", **erasure.told}
    return json_reply(request, body, snapshot=erasure.state.snapshot)
