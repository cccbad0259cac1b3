"""Who may see and do what, H01 to H11 of docs/security.md, beside what test_tenants_apart.py does with two at once."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from shared.errors import AppError
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from shared.values import NAME
from tests.api_shop import code_of
from tests.published_web import OTHER, PublishedWeb, published_web_on
from tests.shop import TENANT

ORDERS = "order_id,ordered_at,total\n" + "".join(f"{n},2024-01-{n:02},{n}\n" for n in range(1, 8))


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    """The first tenant has orders, a held upload, a published question and a job; the other one has nothing."""
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("apart")), SqlLimits(seconds=10, memory_mb=256))
    web.shop.upload("orders", "o.csv", ORDERS)
    web.fresh()
    assert web.publish("secret-plan", "SELECT count(*) AS n FROM orders").status_code == 200
    yield web
    web.runner.close()
    web.later.close()


@pytest.fixture(scope="module")
def owner(web: PublishedWeb) -> httpx2.Client:
    return web.client("read", "write", "sql", "admin")


@pytest.fixture(scope="module")
def stranger(web: PublishedWeb) -> httpx2.Client:
    return web.client("read", "write", "sql", "admin", tenant=OTHER)


@pytest.fixture(scope="module")
def owned(web: PublishedWeb, owner: httpx2.Client) -> dict[str, str]:
    """Ids of things of the first tenant."""
    held = owner.post("/v1/uploads?dataset=orders&filename=h.csv", content="order_id,ordered_at,total\nx,never,y\n")
    job = owner.get("/v1/sales/summary", headers={"Prefer": "respond-async"})
    assert (held.status_code, job.status_code) == (422, 202)
    return {"upload": held.json()["upload_id"], "job": job.json()["job_id"]}


def stripped(answer: httpx2.Response) -> tuple[int, str]:
    """Status and body without what differs between any two requests."""
    return answer.status_code, re.sub(r'"request_id": ?"[^"]*"|[0-9a-f]{16,}|j[0-9a-z_]{20,}', "", answer.text)


def test_h01_what_is_another_tenants_looks_like_what_never_was(
    web: PublishedWeb, owner: httpx2.Client, stranger: httpx2.Client, owned: dict[str, str]
) -> None:
    upload, job = owned["upload"], owned["job"]
    never_upload, never_job = "u" + "0" * 23, job[:-8] + "00000000"
    asked: list[tuple[str, str, str, Any]] = [
        ("GET", f"/v1/uploads/{upload}", f"/v1/uploads/{never_upload}", None),
        ("GET", f"/v1/uploads/{upload}/quality", f"/v1/uploads/{never_upload}/quality", None),
        ("GET", f"/v1/uploads/{upload}/held", f"/v1/uploads/{never_upload}/held", None),
        ("POST", f"/v1/uploads/{upload}/replay", f"/v1/uploads/{never_upload}/replay", {}),
        ("GET", f"/v1/jobs/{job}", f"/v1/jobs/{never_job}", None),
        ("GET", f"/v1/jobs/{job}/result", f"/v1/jobs/{never_job}/result", None),
        ("DELETE", f"/v1/jobs/{job}", f"/v1/jobs/{never_job}", None),
        ("GET", "/v1/my/secret-plan", "/v1/my/never-plan", None),
        ("GET", "/v1/published/secret-plan", "/v1/published/never-plan", None),
        ("DELETE", "/v1/published/secret-plan", "/v1/published/never-plan", None),
        ("GET", "/v1/datasets/orders/rows/3", "/v1/datasets/orders/rows/never", None),
        ("PATCH", "/v1/datasets/orders/rows/3", "/v1/datasets/orders/rows/never", {"total": "1"}),
        ("DELETE", "/v1/datasets/orders/rows/3", "/v1/datasets/orders/rows/never", None),
    ]
    for method, there, never, body in asked:
        answer = stranger.request(method, there, json=body)
        like = stranger.request(method, never, json=body)
        told, expected = stripped(answer), stripped(like)
        name, none = there.rpartition("/")[2], never.rpartition("/")[2]
        assert told[0] == expected[0] == 404, (method, there, answer.text)
        assert told[1].replace(name, "") == expected[1].replace(none, ""), (method, there)
    rows = owner.get("/v1/datasets/orders/rows").json()["rows"]
    assert [row["total"] for row in rows] == [f"{n}.0000" for n in range(1, 8)]
    assert owner.get("/v1/my/secret-plan").json()["rows"] == [{"n": 7}]
    assert owner.get(f"/v1/jobs/{job}").json()["status"] != "cancelled"


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-Tenant-Id": TENANT}, ""), ({"X-Tenant": TENANT}, ""), ({"Tenant": TENANT}, ""),
        ({"Host": f"{TENANT}.example"}, ""), ({"X-Forwarded-Host": f"{TENANT}.example"}, ""),
        ({"X-Original-URL": f"/{TENANT}/v1/datasets"}, ""), ({"Cookie": f"tenant={TENANT}"}, ""),
        ({}, f"?tenant={TENANT}"), ({}, f"?tenant_id={TENANT}"),
    ],
)  # fmt: skip
def test_h02_no_header_and_no_parameter_names_the_tenant(
    stranger: httpx2.Client, headers: dict[str, str], query: str
) -> None:
    answer = stranger.get(f"/v1/datasets/orders/rows{query}", headers=headers)
    if query:
        assert code_of(answer)[0] == 422
    else:
        assert answer.json()["rows"] == []
    asked = stranger.post("/v1/sql", json={"sql": "SELECT 1", "tenant": TENANT}, headers=headers)
    assert code_of(asked) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    "name",
    ["shop/../rival", "../shop", "SHOP", "Shop", "shop ", " shop", "shop.", "shop\n", "ｓｈｏｐ", "ſhop", "shоp",
     "shop\u200b", "", "*", ".", "..", "a" * 64, "1shop", "shop/x", "shop\x00"],
)  # fmt: skip
def test_h03_no_spelling_of_a_name_is_a_tenant_but_its_own(web: PublishedWeb, name: str) -> None:
    assert NAME.match(name) is None
    with pytest.raises(AppError):
        web.keys.create(name, ["read"])


@pytest.mark.parametrize(
    "named",
    ["0", "1", "-1", "2", "*", "%2A", "[]", "{}", "%5B1%5D", "null", "true", "..", "%2e%2e", "u" * 24, "u" + "g" * 23],
)
def test_h04_what_is_no_id_finds_nothing(stranger: httpx2.Client, named: str) -> None:
    for path in (f"/v1/uploads/{named}", f"/v1/uploads/{named}/held", f"/v1/jobs/{named}", f"/v1/jobs/{named}/result"):
        assert code_of(stranger.get(path))[0] in (404, 405), path
    replaces = stranger.post("/v1/uploads", json={"filename": "a.csv", "replaces": named})
    assert code_of(replaces) == (404, "unknown_upload")


def test_h04_an_id_is_a_text(stranger: httpx2.Client) -> None:
    for wrong in (1, [], {}, None, True, ["u" + "0" * 23]):
        assert code_of(stranger.post("/v1/uploads", json={"filename": "a.csv", "replaces": wrong}))[0] == 422


LISTS = (
    "/v1/datasets/orders/rows", "/v1/uploads", "/v1/snapshots", "/v1/sales/by-period?grain=day", "/v1/my/all-orders",
)  # fmt: skip


@pytest.fixture(scope="module")
def cursors(web: PublishedWeb, owner: httpx2.Client) -> dict[str, str]:
    """A cursor of the first tenant for every list."""
    assert web.publish("all-orders", "SELECT order_id FROM orders").status_code == 200
    found = {path: owner.get(path, params={**query_of(path), "limit": 1}).json()["next"] for path in LISTS}
    found["sql"] = owner.post("/v1/sql", json={"sql": "SELECT order_id FROM orders", "limit": 1}).json()["next"]
    assert all(found.values())
    return found


def query_of(path: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in path.partition("?")[2].split("&") if pair)


def turned(client: httpx2.Client, where: str, cursor: str) -> httpx2.Response:
    """Ask for the next page of a list."""
    if where == "sql":
        return client.post("/v1/sql", json={"sql": "SELECT order_id FROM orders", "limit": 1, "cursor": cursor})
    return client.get(where, params={**query_of(where), "limit": 1, "cursor": cursor})


def test_h05_a_cursor_is_for_its_tenant_and_its_list_alone(
    web: PublishedWeb, owner: httpx2.Client, stranger: httpx2.Client, cursors: dict[str, str]
) -> None:
    for where, cursor in cursors.items():
        assert turned(owner, where, cursor).status_code == 200
        answer = turned(stranger, where, cursor)
        assert code_of(answer) in ((400, "invalid_cursor"), (404, "unknown_question")), where
        for other in cursors:
            if other != where:
                assert code_of(turned(owner, other, cursor)) == (400, "invalid_cursor"), (where, other)


def test_h06_a_cursor_that_was_changed_is_refused(owner: httpx2.Client, cursors: dict[str, str]) -> None:
    for where, cursor in cursors.items():
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = json.loads(raw[16:])
        changes = [raw[:16] + json.dumps({**position, "snapshot": 1, "offset": 5}).encode(), raw[16:], raw + b" "]
        changes += [raw[:n] + bytes([raw[n] ^ 1]) + raw[n + 1 :] for n in (0, 15, 16, len(raw) - 1)]
        forged = [base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in changes]
        for wrong in (*forged, cursor + "=", cursor + "A", cursor[:-1], "A", "é", "0", "null", "x" * 5_000):
            assert code_of(turned(owner, where, wrong))[0] in (400, 422), (where, wrong)


@pytest.mark.parametrize(
    "name",
    ["id", "tenant_id", "tenant", "data_path", "catalog", "owner", "role", "quota", "created_at", "scopes", "limits"],
)
def test_h07_no_body_says_more_than_its_address_takes(owner: httpx2.Client, name: str) -> None:
    contract = {"name": "mine", "columns": [{"name": "a"}], "key": ["a"]}
    published = {"title": "t", "sql": "SELECT 1 AS a"}
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", "/v1/datasets/mine", contract),
        ("PUT", "/v1/published/mine", published),
        ("POST", "/v1/uploads", {"filename": "a.csv"}),
        ("POST", "/v1/sql", {"sql": "SELECT 1"}),
        ("POST", f"/v1/uploads/{'u' + '0' * 23}/replay", {}),
    ]
    for method, path, body in asked:
        assert code_of(owner.request(method, path, json={**body, name: "x"})) == (422, "invalid_parameter"), path
    column = {**contract, "columns": [{"name": "a", name: "x"}]}
    assert code_of(owner.put("/v1/datasets/mine", json=column)) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    "more",
    [
        {"settings": {"memory_limit": "8GB"}}, {"memory_limit": "8GB"}, {"timeout": 1e9}, {"max_rows": -1},
        {"role": "admin"}, {"seconds": 1e9}, {"limit": -1}, {"limit": 0}, {"limit": 10**9}, {"snapshot": -1},
        {"snapshot": 10**30}, {"snapshot": "1; DROP"}, {"format": "exe"}, {"numbers": "float"}, {"as_of": "yesterday"},
        {"cursor": 1}, {"sql": ["SELECT 1"]}, {"sql": {"a": 1}}, {"sql": None}, {"sql": ""}, {"dry_run": "perhaps"},
        {"snapshot": 1, "as_of": "2024-01-01"},
    ],
)  # fmt: skip
def test_h08_no_query_raises_its_own_limits(owner: httpx2.Client, more: dict[str, Any]) -> None:
    answer = owner.post("/v1/sql", json={"sql": "SELECT 1 AS a", **more})
    assert code_of(answer)[0] == 422, answer.text


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({"X-HTTP-Method-Override": "DELETE"}, {}), ({"X-HTTP-Method": "DELETE"}, {}),
        ({"X-Method-Override": "DELETE"}, {}), ({}, {"_method": "DELETE"}),
    ],
)  # fmt: skip
def test_h10_a_method_is_that_of_the_request_line(
    web: PublishedWeb, owner: httpx2.Client, headers: dict[str, str], query: dict[str, str]
) -> None:
    for method in ("GET", "POST"):
        owner.request(method, "/v1/datasets/orders/rows/3", params=query, headers=headers)
        owner.request(method, "/v1/published/secret-plan", params=query, headers=headers)
    assert owner.get("/v1/datasets/orders/rows/3").status_code == 200
    assert owner.get("/v1/my/secret-plan").status_code == 200
    reader = web.client("read")
    assert code_of(reader.request("DELETE", "/v1/datasets/orders/rows/3", headers=headers)) == (403, "forbidden")
