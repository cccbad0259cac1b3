"""Limits over HTTP: how often, how many at once, how many rows and bytes; told in time, and nobody else pays."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from shared.limits import Limits
from shared.storage.folder import FolderStore
from tests.published_web import PublishedWeb, code_of, published_web_on


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("limits")))
    orders = "".join(f"o{n},2024-01-0{1 + n % 9},c{n % 3},10.00\n" for n in range(500))
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total\n" + orders)
    web.fresh()
    yield web
    web.runner.close()


def test_too_many_requests_are_told_when_to_come_again(web: PublishedWeb) -> None:
    client = web.client("read", requests_per_second=0.2)
    first, second, third = (client.get("/v1/sales/summary") for _ in range(3))
    assert (first.status_code, first.headers["ratelimit"]) == (200, '"key";r=1;t=5')
    assert first.headers["ratelimit-policy"] == '"key";q=2;w=10'
    assert second.headers["ratelimit"] == '"key";r=0;t=10'
    assert code_of(third) == (429, "too_many_requests")
    assert 1 <= int(third.headers["retry-after"]) <= 5
    assert third.headers["ratelimit"] == '"key";r=0;t=10'
    assert web.client("read").get("/v1/sales/summary").status_code == 200, "another key of the tenant"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/sales/summary", {"X-Forwarded-For": "203.0.113.9"}),
        ("/v1/sales/summary?currency=EUR", {"Forwarded": "for=203.0.113.9"}),
        ("/v1/questions", {"X-Real-IP": "203.0.113.9"}),
        ("/v1/datasets", {"User-Agent": "another"}),
        ("/v1/uploads/u1", {}),
    ],
)
def test_no_other_path_or_header_is_a_way_round(web: PublishedWeb, path: str, headers: dict[str, str]) -> None:
    client = web.client("read", requests_per_second=0.1)
    assert client.get("/v1/sales/summary").status_code == 200
    assert code_of(client.get(path, headers=headers)) == (429, "too_many_requests")


def test_keys_of_one_tenant_share_its_pace_and_no_other_tenant_pays(tmp_path: Path) -> None:
    web = published_web_on(FolderStore(tmp_path))
    admission = web.app.state.admission

    class OfTenant:
        """Keys whose tenants may ask five times in ten seconds."""

        def verify(self, token: str):
            return replace(web.keys.verify(token), tenant_limits=Limits(requests_per_second=0.5))

        def knows(self, token: str) -> bool:
            return web.keys.knows(token)

    object.__setattr__(admission, "authenticator", OfTenant())
    keys = [web.client("read") for _ in range(3)]
    told = [keys[number % 3].get("/v1/questions").status_code for number in range(7)]
    assert told == [200] * 5 + [429] * 2
    assert web.rival.get("/v1/questions").headers["ratelimit"] == '"tenant";r=4;t=2'
    web.runner.close()


def test_so_many_at_once_and_the_next_when_one_has_ended(web: PublishedWeb) -> None:
    client = web.client("sql", concurrent_requests=1)
    slow = {"sql": "SELECT count(*) FROM range(100000000) a, range(30) b WHERE a.range % 7 = b.range"}

    async def at_once() -> list[int]:
        transport = httpx2.ASGITransport(app=web.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://x", headers=client.headers) as asking:
            first = asyncio.create_task(asking.post("/v1/sql", json=slow))
            await asyncio.sleep(0.5)
            others = [await asking.post("/v1/sql", json={"sql": "SELECT 1"}) for _ in range(3)]
            return [code_of(one) for one in others] + [(await first).status_code in (200, 422)]

    assert asyncio.run(at_once()) == [(429, "too_many_at_once")] * 3 + [True]
    assert client.post("/v1/sql", json={"sql": "SELECT 1"}).status_code == 200


def test_rows_of_a_page(web: PublishedWeb) -> None:
    client = web.client("read", "sql", page_rows=10)
    assert len(client.get("/v1/datasets/orders/rows").json()["rows"]) == 10
    assert code_of(client.get("/v1/datasets/orders/rows?limit=11")) == (422, "page_too_large")
    told = client.post("/v1/sql", json={"sql": "SELECT order_id FROM orders"}).json()
    assert (len(told["rows"]), bool(told["next"])) == (10, True)
    assert code_of(client.get("/v1/customers/top?limit=11")) == (422, "page_too_large")


def test_bytes_of_one_question_are_told_by_a_dry_run_and_by_the_refusal(web: PublishedWeb) -> None:
    client = web.client("read", "sql", query_bytes=100)
    for ask in (
        lambda dry: client.get("/v1/sales/by?dimension=product" + ("&dry_run=1" if dry else "")),
        lambda dry: client.post("/v1/sql", json={"sql": "SELECT sum(total) FROM orders", "dry_run": dry}),
    ):
        quoted = ask(True).json()["bytes"]
        refused = ask(False)
        assert code_of(refused) == (422, "query_too_large")
        assert refused.json()["bytes"] == quoted > 100
    assert code_of(client.get("/v1/datasets/orders/rows")) == (422, "query_too_large")
    assert client.post("/v1/sql", json={"sql": "SELECT 1"}).status_code == 200


def test_bytes_of_a_day_run_out_and_what_is_known_still_answers(web: PublishedWeb) -> None:
    probe = web.client("sql").post("/v1/sql", json={"sql": "SELECT sum(total) FROM orders", "dry_run": True})
    size = probe.json()["bytes"]
    client = web.client("read", "sql", day_bytes=2 * size)
    answers = [client.post("/v1/sql", json={"sql": f"SELECT sum(total) + {n} FROM orders"}) for n in range(4)]
    assert [one.status_code for one in answers] == [200, 200, 429, 429]
    assert code_of(answers[2]) == (429, "day_used_up")
    assert 0 < int(answers[2].headers["retry-after"]) <= 86_400
    again = client.post("/v1/sql", json={"sql": "SELECT sum(total) + 0 FROM orders"})
    assert again.status_code == 200, "it is in the cache, and reads nothing"


def test_bytes_of_an_answer(web: PublishedWeb) -> None:
    client = web.client("read", "sql", answer_bytes=2_000)
    assert client.get("/v1/sales/summary").status_code == 200
    for answer in (
        client.post("/v1/sql", json={"sql": "SELECT * FROM orders"}),
        client.post("/v1/sql", json={"sql": "SELECT * FROM orders", "format": "csv"}),
        client.get("/v1/datasets/orders/rows?limit=400"),
    ):
        assert code_of(answer) == (422, "answer_too_large")


def test_bytes_of_an_upload(web: PublishedWeb) -> None:
    client = web.client("write", upload_bytes=100)
    assert code_of(client.post("/v1/uploads", json={"filename": "a.csv", "size_bytes": 101})) == (
        422,
        "upload_too_large",
    )
    assert code_of(client.post("/v1/uploads?filename=a.csv", content=b"x" * 101)) == (422, "upload_too_large")
    assert code_of(client.post("/v1/uploads?filename=a.csv", content=b"x" * 100)) == (422, "upload_held")


def test_limits_hold_for_all_threads_together(web: PublishedWeb) -> None:
    client = web.client("read", requests_per_second=1.0)
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda _: client.get("/v1/questions").status_code, range(24)))
    assert 10 <= told.count(200) <= 12  # ten at once, and one a second while they come
    assert set(told) == {200, 429}
