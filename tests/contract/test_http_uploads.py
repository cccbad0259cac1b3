"""Uploads, H11, H70, H71, H73 and H74 of docs/security.md; what is in a file: test_hostile_files.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from shared.errors import InputError, ObjectNotFoundError
from shared.steps.by_contract import MAX_NEW_COLUMNS
from shared.values import UploadedObject
from tests.api_shop import ApiShop, api_shop_in, code_of
from tests.shop import TENANT

ORDERS = "order_id,ordered_at,total\n1,2024-01-01,5\n2,2024-01-02,6\n"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    return api_shop_in(tmp_path_factory.mktemp("uploads"))


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    """Nothing becomes of what is uploaded."""
    return api_shop_in(tmp_path_factory.mktemp("quiet"), ingest=False, write_wait_seconds=0.1)


def rows(api: ApiShop, dataset: str = "orders") -> list[dict[str, Any]]:
    api.shop.reader.refresh()
    found: list[dict[str, Any]] = api.client.get(f"/v1/datasets/{dataset}/rows?limit=1000").json()["rows"]
    return found


# --- H74: new columns ------------------------------------------------------------------------------------------------


def test_h74_no_file_brings_more_new_columns_than_it_may_and_older_snapshots_stay_as_they_were(api: ApiShop) -> None:
    base = "product_id,name\np1,Pen\n"
    before = api.client.post("/v1/uploads?dataset=products&filename=p.csv", content=base).json()["snapshot"]
    for count in (MAX_NEW_COLUMNS + 1, 900):
        head = ",".join(f"n{n}" for n in range(count))
        wide = f"product_id,name,{head}\np2,Ink{',1' * count}\n"
        held = api.client.post("/v1/uploads?dataset=products&filename=w.csv", content=wide)
        assert (code_of(held), held.json()["reason_code"]) == ((422, "upload_held"), "contract")
    few = "product_id,name,material\np2,Ink,oil\n"
    assert api.client.post("/v1/uploads?dataset=products&filename=m.csv", content=few).status_code == 201
    old = api.client.get(f"/v1/datasets/products/rows?snapshot={before}").json()
    assert [row["name"] for row in old["rows"]] == ["Pen"]
    assert "material" not in {column["name"] for column in old["columns"]}
    assert {row["product_id"]: row["material"] for row in rows(api, "products")} == {"p1": None, "p2": "oil"}


def test_h74_a_changed_type_and_a_dropped_column_are_refused_and_the_rows_stay(api: ApiShop) -> None:
    columns = [{"name": "id", "type": "integer"}, {"name": "note"}]
    contract = {"name": "notes", "columns": columns, "key": ["id"]}
    assert api.client.put("/v1/datasets/notes", json=contract).status_code == 200
    assert api.client.post("/v1/uploads?dataset=notes&filename=n.csv", content="id,note\n1,a\n").status_code == 201
    for change in (
        [{"name": "id", "type": "text"}, {"name": "note"}],
        [{"name": "id", "type": "integer"}],
        [{"name": "id", "type": "integer"}, {"name": "note", "type": "date"}],
    ):
        assert code_of(api.client.put("/v1/datasets/notes", json={**contract, "columns": change})) == (
            422,
            "command_refused",
        )
    other_key = {**contract, "key": ["note"]}
    assert code_of(api.client.put("/v1/datasets/notes", json=other_key)) == (422, "command_refused")
    assert rows(api, "notes") == [{"id": 1, "note": "a"}]


# --- H11, H70, H71: signed URLs --------------------------------------------------------------------------------------


def placed(api: ApiShop, **more: Any) -> dict[str, Any]:
    answer = api.client.post("/v1/uploads", json={"dataset": "orders", "filename": "o.csv", **more})
    told: dict[str, Any] = answer.json()
    return told


def put(api: ApiShop, told: dict[str, Any], body: str | bytes, **headers: str) -> httpx2.Response:
    return api.anonymous().put(told["url"], content=body, headers={**told["headers"], **headers})


def test_h11_a_signed_url_is_for_its_object_method_kind_and_size_alone(api: ApiShop) -> None:
    told = placed(api, content_type="text/csv", size_bytes=len(ORDERS))
    other = placed(api)
    path, _, query = told["url"].partition("?")
    foreign = {
        path.replace(f"/{TENANT}/", "/rival/"), path.replace("/orders/", "/customers/"), other["url"].partition("?")[0],
        path.replace("/inbox/", "/lake/"), f"{path}/../x.csv", f"{path}%00", path.replace("/inbox/", "/inbox//"),
    }  # fmt: skip
    for where in foreign:
        assert code_of(api.anonymous().put(f"{where}?{query}", content=ORDERS, headers=told["headers"]))[0] in (
            401,
            404,
        )
    for change in ("size=9999999", "type=text/html", "expires=9999999999", "method=GET", "filename=x", "signature="):
        name = change.partition("=")[0]
        kept = "&".join(part for part in query.split("&") if not part.startswith(f"{name}="))
        for forged in (f"{kept}&{change}", f"{change}&{query}", f"{query}&{change}"):
            answer = api.anonymous().put(f"{path}?{forged}", content=ORDERS, headers=told["headers"])
            assert code_of(answer) == (401, "unauthenticated"), forged
    for method in ("GET", "HEAD", "POST", "DELETE", "PATCH"):
        assert api.anonymous().request(method, told["url"]).status_code in (401, 405)
    assert put(api, told, ORDERS[:-1]).status_code == 400
    assert put(api, told, ORDERS, **{"Content-Type": "text/html"}).status_code == 415
    assert api.client.get(told["status_url"]).json()["status"] == "waiting", "nothing of all that was taken"


def test_h70_what_is_stored_is_never_shown_as_a_page(api: ApiShop) -> None:
    store = api.shop.store
    for name in ("x.html", "x.svg", "x.htm", "x.xhtml", "x.js", "x.csv", "x"):
        store.put(f"lake/{TENANT}/answers/{name}", b"<script>alert(1)</script>")
        answer = api.anonymous().get(store.sign_get(f"lake/{TENANT}/answers/{name}", seconds=60).url)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["content-type"].partition(";")[0] in ("text/csv", "application/octet-stream"), name


def test_h71_before_the_put_an_upload_waits_and_the_same_put_twice_is_one_commit(tmp_path: Path) -> None:
    api = api_shop_in(tmp_path)
    told = placed(api)
    assert api.client.get(told["status_url"]).json()["status"] == "waiting"
    assert code_of(api.client.post(f"{told['status_url']}/replay")) == (409, "nothing_to_replay")
    for _ in range(2):
        assert put(api, told, ORDERS).status_code == 200
    state = api.client.get(told["status_url"]).json()
    assert (state["status"], state["accepted"]) == ("loaded", 2)
    loaded = [one for one in api.client.get("/v1/uploads").json()["uploads"] if one["status"] == "loaded"]
    assert len(loaded) == 1
    assert len(rows(api)) == 2


def test_h71_other_bytes_under_the_same_url_are_another_upload_and_take_nothing_back(tmp_path: Path) -> None:
    api = api_shop_in(tmp_path)
    told = placed(api)
    assert put(api, told, ORDERS).status_code == 200
    first = api.client.get(told["status_url"]).json()
    assert put(api, told, "order_id,ordered_at,total\n1,2024-01-01,999\n").status_code == 200
    api.shop.reader.refresh()
    listed = api.client.get("/v1/uploads").json()["uploads"]
    assert [one["status"] for one in listed] == ["loaded", "loaded"]
    assert len({one["upload_id"] for one in listed}) == 2
    assert api.client.get(told["status_url"]).json() == first, "what it said of the first stays so"
    old = api.client.get(f"/v1/datasets/orders/rows?snapshot={first['snapshot']}").json()["rows"]
    assert [row["total"] for row in old] == ["5.0000", "6.0000"]


def test_h71_an_object_that_was_swapped_before_it_was_read_is_loaded_as_what_it_is(tmp_path: Path) -> None:
    api = api_shop_in(tmp_path, ingest=False, write_wait_seconds=0.1)
    shop = api.shop
    event = shop.put("orders", "a.csv", ORDERS)
    swapped = shop.put("orders", "a.csv", "order_id,ordered_at,total\n9,2024-01-09,9\n")
    outcomes = [shop.ingest(one) for one in (event, swapped, event, swapped)]
    shop.reader.refresh()
    assert [one.status for one in outcomes].count("loaded") >= 1
    assert {row["order_id"] for row in rows(api)} <= {"1", "2", "9"}
    assert "9" in {row["order_id"] for row in rows(api)}
    again = [shop.ingest(one).status for one in (event, swapped)]
    assert again == ["skipped", "skipped"]


def test_h71_a_url_that_has_expired_takes_nothing(quiet: ApiShop) -> None:
    url = quiet.shop.store.sign_put(f"inbox/{TENANT}/orders/x/o.csv", seconds=1, content_type="text/csv").url
    late = url.replace(f"expires={url.partition('expires=')[2].partition('&')[0]}", "expires=1")
    headers = {"Content-Type": "text/csv"}
    assert code_of(quiet.anonymous().put(late, content=ORDERS, headers=headers)) == (401, "unauthenticated")


# --- H73: events -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    ["inbox/shop/orders/never.csv", "lake/shop/catalog.ducklake", "keys/x.json", "inbox/shop",
     "inbox/../lake/shop/orders/a.csv",
     "inbox/SHOP/orders/a.csv", "inbox/shop/orders/../../rival/orders/a.csv", "inbox/shop/orders/a?x=1", ""],
)  # fmt: skip
def test_h73_an_event_about_what_is_not_in_the_inbox_changes_nothing(api: ApiShop, key: str) -> None:
    before = {info.key: info.etag for info in api.shop.store.list("lake/") if "/data/" in info.key}
    count = len(rows(api))
    try:
        status = api.shop.ingest(UploadedObject("another-bucket", key, "", "an-etag", 12)).status
    except (InputError, ObjectNotFoundError):
        status = "raised"
    assert status in ("held", "raised")
    api.shop.reader.refresh()
    assert len(rows(api)) == count
    after = {info.key: info.etag for info in api.shop.store.list("lake/") if "/data/" in info.key}
    assert {name: after.get(name) for name in before} == before


def test_h73_a_replayed_event_is_skipped(api: ApiShop) -> None:
    event = api.shop.put("orders", "replayed.csv", "order_id,ordered_at,total\n500,2024-01-01,5\n")
    assert [api.shop.ingest(event).status for _ in range(3)] == ["loaded", "skipped", "skipped"]
    assert json.dumps(rows(api)).count('"500"') == 1
