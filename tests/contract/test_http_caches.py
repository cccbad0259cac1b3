"""Caches, proxies and pages of other origins, H82 to H86 of docs/security.md: nobody gets what was made for another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.api.app import ApiRules
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from tests.api_shop import SECRET, ApiShop, api_shop_in, client_of, code_of
from tests.published_web import OTHER, PublishedWeb, published_web_on
from tests.shop import TENANT

ORDERS = "order_id,ordered_at,total\n"


def web_in(folder: Path) -> PublishedWeb:
    web = published_web_on(FolderStore(folder, SECRET, "http://localhost"), SqlLimits(seconds=10, memory_mb=256))
    web.shop.upload("orders", "o.csv", ORDERS + "".join(f"{n},2024-01-0{n},{n}.50\n" for n in range(1, 8)))
    web.fresh()
    return web


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = web_in(tmp_path_factory.mktemp("out"))
    yield web
    web.runner.close()
    web.later.close()


# --- H82 to H84: caches ----------------------------------------------------------------------------------------------

QUESTION = "/v1/sales/by-period?grain=day"


def test_h82_an_etag_of_one_tenant_is_none_of_another_though_sql_and_snapshot_are_the_same(web: PublishedWeb) -> None:
    own, other = web.client("read", "sql"), web.client("read", "sql", tenant=OTHER)
    for path in (QUESTION, "/v1/datasets/orders/rows", "/v1/sales/summary", "/v1/uploads", "/v1/snapshots"):
        etag = own.get(path).headers["etag"]
        assert own.get(path, headers={"If-None-Match": etag}).status_code == 304
        theirs = other.get(path, headers={"If-None-Match": etag})
        assert (theirs.status_code, theirs.headers["etag"] == etag) == (200, False), path
    sql = {"sql": "SELECT count(*) AS n FROM orders"}
    first, second = own.post("/v1/sql", json=sql), other.post("/v1/sql", json=sql)
    assert (first.json()["rows"], second.json()["rows"]) == ([{"n": 7}], [{"n": 0}])
    assert first.headers["etag"] != second.headers["etag"]


def test_h82_a_lake_that_gets_the_name_of_another_answers_for_itself(tmp_path: Path) -> None:
    """As when a tenant was deleted and its name given to somebody else, whose snapshots are numbered anew."""
    web = web_in(tmp_path)
    snapshot = web.shop.reader.current_snapshot()
    paths = (QUESTION, "/v1/datasets/orders/rows?limit=3")
    asked = [path + at for path in paths for at in ("", f"&snapshot={snapshot}")]
    former = [web.reader.get(path) for path in asked]
    for info in list(web.shop.store.list(f"lake/{TENANT}/")):
        web.shop.store.delete(info.key)
    web.shop.upload("orders", "others.csv", "order_id,ordered_at,total\nX-1,2024-01-01,777\n")
    while web.shop.reader.current_snapshot() < snapshot:
        web.shop.upload("customers", "c.csv", f"customer_id\nc{web.shop.reader.current_snapshot()}\n")
        web.fresh()
    assert web.shop.reader.current_snapshot() == snapshot, "as many snapshots as the former one had"
    for path, before in zip(asked, former, strict=True):
        answer = web.reader.get(path, headers={"If-None-Match": before.headers["etag"]})
        assert (answer.status_code, answer.content != before.content) == (200, True), path
    web.runner.close()


def test_h83_whatever_shapes_an_answer_shapes_its_etag(web: PublishedWeb) -> None:
    client = web.client("read")
    asked = [
        client.get(QUESTION), client.get(QUESTION, headers={"Accept": "text/csv"}),
        client.get(f"{QUESTION}&format=arrow"),
        client.get(f"{QUESTION}&format=parquet"), client.get(f"{QUESTION}&numbers=number"),
        client.get(f"{QUESTION}&limit=3"), client.get(f"{QUESTION}&from=2024-01-02"),
        client.get("/v1/sales/by-period?grain=month"),
        web.client("read", rules={"rows": {"orders": {"status": "paid"}}}).get(QUESTION),
    ]  # fmt: skip
    assert [one.status_code for one in asked] == [200] * len(asked), [one.text[:200] for one in asked]
    etags = [one.headers["etag"] for one in asked]
    assert len(set(etags)) == len(etags)
    for one in asked:
        assert one.headers["cache-control"].startswith("private, ")
        assert {"accept", "authorization"} <= {name.strip().lower() for name in one.headers["vary"].split(",")}


def test_h83_who_sees_more_has_another_answer_and_another_etag(tmp_path: Path) -> None:
    web = web_in(tmp_path)
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc1,Ann,ann@example.org\n")
    web.fresh()
    for path in ("/v1/datasets/customers/rows", "/v1/customers/detail?customer=c1"):
        less, more = web.client("read").get(path), web.client("read", "admin").get(path)
        assert (less.status_code, more.status_code) == (200, 200)
        assert ("ann@" in less.text, "ann@" in more.text) == (False, True), path
        assert less.headers["etag"] != more.headers["etag"]
        again = web.client("read").get(path, headers={"If-None-Match": more.headers["etag"]})
        assert (again.status_code, again.content) == (200, less.content)
    web.runner.close()


def test_h83_what_anybody_may_keep_is_what_everybody_gets(web: PublishedWeb) -> None:
    client = web.client("read", "write", "sql", "admin")
    document = web.app.openapi()["paths"]
    plain = [path for path, told in document.items() if "get" in told and "{" not in path]
    for path in plain:
        answer = client.get(path)
        if "public" in answer.headers["cache-control"]:
            assert answer.content == client_of(web.app, "").get(path).content, path
        else:
            assert answer.headers["cache-control"].startswith("private"), path


def test_h84_after_a_change_the_former_answer_is_not_served(tmp_path: Path) -> None:
    web = web_in(tmp_path)
    made = web.keys.create(TENANT, ["read"])
    client = web.client("read", "write")
    client.headers["authorization"] = f"Bearer {made.token}"
    before = client.get("/v1/sales/summary")
    web.shop.upload("orders", "more.csv", ORDERS + "9,2024-02-01,100\n")
    web.fresh()
    after = client.get("/v1/sales/summary", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()["rows"][0]["orders"]) == (200, 8)
    web.shop.upload("orders", "less.csv", "order_id,_deleted\n9,true\n8,true\n1,true\n")
    web.fresh()
    later = client.get("/v1/sales/summary", headers={"If-None-Match": after.headers["etag"]})
    assert (later.status_code, later.json()["rows"][0]["orders"]) == (200, 6)
    web.keys.revoke(made.key.key_id)
    refused = client.get("/v1/sales/summary", headers={"If-None-Match": later.headers["etag"]})
    assert code_of(refused) == (401, "unauthenticated")
    web.runner.close()


# --- H85, H86: who is in front, and other pages ----------------------------------------------------------------------

IN_FRONT = {
    "X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "gopher", "X-Forwarded-Port": "1",
    "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Prefix": "/evil", "X-Original-URL": "/v1/health",
    "X-Rewrite-URL": "/v1/health", "X-Host": "evil.example",
    "Forwarded": "host=evil.example;proto=http", "X-Original-Host": "evil.example", "Host": "evil.example/x?",
    "X-Amz-Cf-Id": "evil.example", "X-Goog-Authenticated-User-Email": "evil.example", "X-Forwarded-User": "admin",
}  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        f"{QUESTION}&limit=2",
        "/v1/datasets/orders/rows?limit=2",
        "/v1/uploads",
        "/openapi.json",
        "/",
        "/v1/nope",
        "/docs",
    ],
)
def test_h85_no_header_of_a_proxy_changes_an_answer(web: PublishedWeb, path: str) -> None:
    client = web.client("read")
    plain, odd = client.get(path), client.get(path, headers=IN_FRONT)
    differ = {"x-request-id", "server-timing", "teal-receipt"}
    shown = [{name: value for name, value in one.headers.items() if name not in differ} for one in (plain, odd)]
    assert shown[0] == shown[1]
    assert "evil" not in odd.text + str(odd.headers)
    ids = r'"request_id": "[0-9a-f]+"'
    assert re.sub(ids, "", plain.text) == re.sub(ids, "", odd.text)
    assert odd.headers.get("link", "</v1/").startswith("</v1/")


def test_h85_a_body_of_a_get_and_parameters_hidden_in_others_mean_nothing(web: PublishedWeb) -> None:
    client = web.client("read")
    plain = client.get("/v1/datasets/orders/rows?limit=1")
    fat = client.request(
        "GET",
        "/v1/datasets/orders/rows?limit=1",
        content=b"limit=5",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert fat.content == plain.content
    assert code_of(client.get("/v1/datasets/orders/rows?limit=1;limit=5"))[0] == 422
    assert code_of(client.get("/v1/sales/summary?from=2024-01-01;to=2024-01-02"))[0] == 422


SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    rules = ApiRules(cors_origins=(SHOP,))
    return api_shop_in(tmp_path_factory.mktemp("cors"), ingest=False, rules=rules)


@pytest.mark.parametrize(
    "origin",
    ["null", "https://evil.example", f"{SHOP}.evil.example", "https://evil-shop.example", "http://shop.example",
     f"{SHOP}:444", f"{SHOP}/", "https://SHOP.example", "https://a.shop.example", f"{SHOP} ", f"{SHOP},https://evil.example",
     "", "*", f"{SHOP}\x00", f"https://x@{SHOP[8:]}", "file://"],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_h86_no_origin_is_allowed_but_exactly_those_that_are_listed(listed: ApiShop, origin: str, method: str) -> None:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = listed.client.request(method, "/v1/datasets", headers=asked)
    assert "access-control-allow-origin" not in answer.headers
    assert "access-control-allow-credentials" not in answer.headers


def test_h86_a_listed_origin_is_allowed_by_name_without_credentials_and_for_what_the_api_takes(listed: ApiShop) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization",
    }
    preflight = listed.anonymous().options("/v1/datasets", headers=asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, SHOP)
    for answer in (
        preflight,
        listed.client.get("/v1/datasets", headers=asked),
        listed.client.get("/nope", headers=asked),
    ):
        assert answer.headers["access-control-allow-origin"] == SHOP
        assert "access-control-allow-credentials" not in answer.headers
        assert "origin" in answer.headers["vary"].lower()
    for more in ({"Access-Control-Request-Method": "TRACE"}, {"Access-Control-Request-Headers": "x-evil"}):
        assert listed.anonymous().options("/v1/datasets", headers=asked | more).status_code == 400
