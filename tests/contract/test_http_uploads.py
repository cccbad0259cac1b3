"""Uploads, H11, H60 to H63, H70, H71, H73 and H74 of docs/security.md; what is in a file: test_hostile_files.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import httpx2
import pytest

from shared.errors import InputError, ObjectNotFoundError
from shared.inbox import UPLOAD_ID
from shared.steps.by_contract import MAX_NEW_COLUMNS
from shared.steps.new_dataset import KEYWORDS, READERS
from shared.values import NAME, UploadedObject
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


def inbox(api: ApiShop) -> set[str]:
    return {info.key for info in api.shop.store.list("inbox/")}


def rows(api: ApiShop, dataset: str = "orders") -> list[dict[str, Any]]:
    api.shop.reader.refresh()
    found: list[dict[str, Any]] = api.client.get(f"/v1/datasets/{dataset}/rows?limit=1000").json()["rows"]
    return found


# --- H60, H61: names of files and folders ----------------------------------------------------------------------------

FOLDERS = [
    "../x", "..%2fx", "%2e%2e/", "%252e", "..\\x", "/etc/x", "C:\\x", "s3://other/x", "x?s3_endpoint=h", "x#y", "x*",
    "{a,b}", ".", "..", " ", "x" * 10_000, "x/y", "x\ny", "x\0y", "x;y", "ｏrders", "orders ",
    "-x", "1x", "_commands", "_x",
]  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS, ids=range(len(FOLDERS)))
def test_h60_a_dataset_that_is_no_name_is_refused_and_nothing_is_put(quiet: ApiShop, name: str) -> None:
    before = inbox(quiet)
    assert NAME.match(name) is None or name.startswith("_")
    assert code_of(quiet.client.post("/v1/uploads", json={"dataset": name, "filename": "a.csv"}))[0] == 422
    sent = quiet.client.post("/v1/uploads", params={"dataset": name, "filename": "a.csv"}, content=b"a\n1\n")
    assert code_of(sent)[0] == 422
    assert inbox(quiet) == before


FILES = [
    *(name for name in FOLDERS if len(name) < 200), "a\r\nX-Evil: 1.csv", "a\"b'c`d.csv", "\u202egnp.csv", "🦆.csv",
    "....csv", "a%00.csv", "CON", "a.csv/../../../x", "a" * 255,
]  # fmt: skip


@pytest.mark.parametrize("name", FILES, ids=range(len(FILES)))
def test_h60_h61_the_key_of_a_file_is_made_here_whatever_the_file_is_called(quiet: ApiShop, name: str) -> None:
    before = inbox(quiet)
    told = quiet.client.post("/v1/uploads", params={"dataset": "orders", "filename": name}, content=b"a\n1\n")
    new = inbox(quiet) - before
    if told.status_code == 400:
        assert new == set(), "a name without any letter or digit"
        return
    [key] = new
    assert told.status_code == 202
    *folder, upload, file = key.split("/")
    assert folder == ["inbox", TENANT, "orders"]
    assert UPLOAD_ID.match(upload)
    assert file.strip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
    assert not file.startswith((".", "-"))
    assert "x-evil" not in told.headers
    asked = quiet.client.post("/v1/uploads", json={"dataset": "orders", "filename": name}).json()
    assert all(part not in asked["url"] for part in ("..", "\\", "%0", "%25", "evil:", "{"))


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_h60_a_file_without_a_name_or_with_an_endless_one_is_refused(quiet: ApiShop, name: str) -> None:
    assert code_of(quiet.client.post("/v1/uploads", json={"filename": name}))[0] == 422


# --- H62, H63: names inside the lake ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["main", "lake", "memory", "temp", "system", "information_schema", "duckdb_logs", "pg_class", "sqlite_master",
     "read_csv", "select", "order", "table", "parquet_scan", "pragma_version", "ducklake_x"],
)  # fmt: skip
def test_h62_a_dataset_is_not_called_as_the_engine_calls_something(api: ApiShop, name: str) -> None:
    contract = {"name": name, "columns": [{"name": "a"}], "key": ["a"]}
    refused = api.client.put(f"/v1/datasets/{name}", json=contract)
    assert (code_of(refused), refused.json()["reason_code"]) == ((422, "command_refused"), "contract")
    held = api.client.post(f"/v1/uploads?dataset={name}&filename=a.csv", content=b"a,b\n1,2\n")
    assert (code_of(held), held.json()["reason_code"]) == ((422, "upload_held"), "contract")
    assert code_of(api.client.get(f"/v1/datasets/{name}")) == (404, "unknown_dataset")


@pytest.mark.parametrize(
    "name", ['orders"; DROP TABLE orders; --', "x.csv", "SELECT", "Orders", "a-b", "a b", "auto", "_x"]
)
def test_h62_a_dataset_is_called_by_a_plain_lower_case_name(api: ApiShop, name: str) -> None:
    contract = {"name": name, "columns": [{"name": "a"}], "key": ["a"]}
    assert code_of(api.client.request("PUT", f"/v1/datasets/{name}", json=contract))[0] in (404, 422)
    assert code_of(api.client.get(f"/v1/datasets/{name}"))[0] == 404


def test_h62_the_words_that_are_refused_are_those_of_this_engine() -> None:
    with duckdb.connect() as engine:
        asked = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        assert {word for (word,) in engine.execute(asked).fetchall()} == KEYWORDS
        asked = "SELECT function_name FROM duckdb_functions() WHERE function_type IN ('table', 'table_macro')"
        functions = {name for (name,) in engine.execute(asked).fetchall()}
    assert functions >= READERS
    assert {name for name in functions if name.startswith("read_")} <= READERS


HEADERS = [
    'a""b', "c\nd", "a b", "A-B", "a_b", "rowid", "filename", "snapshot_id", "file_row_number", "select", "É", "日本",
    "x;y", "$a", "a.b", "--", "1a", "_row", "row_key", "'); DROP TABLE orders; --", "a\x01b", "a_b_2",
]  # fmt: skip


def test_h63_any_header_becomes_plain_columns_that_hold_their_own_values_every_time(api: ApiShop) -> None:
    def file(order: list[int], row: int) -> str:
        names = ",".join(f'"{HEADERS[n]}"' for n in order)
        return f"id,{names}\nr{row}," + ",".join(f"v{n}r{row}" for n in order) + "\n"

    there = list(range(len(HEADERS)))
    for row, order in enumerate((there, there[::-1], there[7:] + there[:7])):
        sent = api.client.post(f"/v1/uploads?dataset=odd&filename={row}.csv", content=file(order, row))
        assert sent.status_code == 201, sent.text
    told = rows(api, "odd")
    names = [column["name"] for column in api.client.get("/v1/datasets/odd").json()["contract"]["columns"]]
    assert all(NAME.match(name) for name in names)
    assert len(names) == len(set(names)) == len(HEADERS) + 1
    for row in told:
        number = row["id"][1:]
        assert set(row.values()) == {row["id"], *(f"v{n}r{number}" for n in there)}
    by_column = [{row[name].partition("r")[0] for row in told} for name in names if name != "id"]
    assert all(len(found) == 1 for found in by_column), "a header is the same column in every file"


def test_h63_a_name_that_stands_twice_among_new_columns_makes_two(api: ApiShop) -> None:
    body = "order_id,ordered_at,Foo Bar,foo-bar,FOO_BAR\n77,2024-01-01,a,b,c\n"
    assert api.client.post("/v1/uploads?dataset=orders&filename=f.csv", content=body).status_code == 201
    [row] = [row for row in rows(api) if row["order_id"] == "77"]
    assert [row[name] for name in ("foo_bar", "foo_bar_2", "foo_bar_3")] == ["a", "b", "c"]


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
