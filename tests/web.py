"""The whole API over a shop in a folder, asked in process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from starlette.testclient import TestClient

from shared.answers.cache import AnswerCache
from shared.api.app import MoreRoutes, create_app
from shared.api.questions import question_router
from shared.keys import SCOPES, Keys
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from shared.uploads import UploadRules, Uploads
from tests.api_parts import api_parts
from tests.shop import TENANT, Shop, shop_in


@dataclass(frozen=True)
class Web:
    """A client with a key that may do everything, and the shop behind the API."""

    client: httpx2.Client
    shop: Shop
    app: FastAPI

    def rows(self, question: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of an answer; fails with the problem when there is none."""
        answer = self.client.get(f"/v1/{question}", params=parameters)
        assert answer.status_code == 200, answer.text
        rows: list[dict[str, Any]] = answer.json()["rows"]
        return rows

    def fresh(self) -> None:
        """The next request sees the newest snapshot."""
        self.shop.reader.refresh()


def web_of(folder: Path) -> Web:
    """An API over a new shop in a folder."""
    shop = shop_in(folder)
    cursors = Cursors(b"a secret of the tests")
    keys = Keys(shop.store)
    uploads = Uploads(shop.store, shop.store, lambda tenant: shop.reader, shop.ingest, cursors, UploadRules("inbox"))
    ask = AskQuestion(lambda tenant: shop.reader, cursors, AnswerCache(1 << 20), QueryRules())
    app = create_app(
        api_parts(
            shop.store,
            lambda tenant: shop.reader,
            uploads,
            keys,
            cursors,
            more=(MoreRoutes(lambda principal: question_router(ask, principal)),),
        )
    )
    token = keys.create(TENANT, SCOPES).token
    client = TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {token}"})
    return Web(client, shop, app)
