"""What the HTTP API promises, over a real lake in a folder with its real ingest."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.ipc
import pyarrow.parquet
import pytest

from shared.keys import Keys
from shared.storage.folder import FolderStore
from tests.api_shop import ApiShop, api_shop_in, code_of

ORDERS = "order_id,ordered_at,customer_id,status,country,total,updated_at\n"


@pytest.fixture(scope="module")
def shared_api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    """An API with 25 orders, which no test changes."""
    api = api_shop_in(tmp_path_factory.mktemp("api"))
    lines = "".join(
        f"{n:02},2024-01-{n:02}T10:00:00Z,{'' if n % 5 == 0 else f'c{n % 3}'},paid,{'DE' if n % 2 else ''},{n}.50,\n"
        for n in range(1, 26)
    )
    assert api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=ORDERS + lines).status_code == 201
    return api


@pytest.fixture
def api(tmp_path: Path) -> ApiShop:
    return api_shop_in(tmp_path)


# --- uploads ---------------------------------------------------------------------------------------------------------


def test_one_request_brings_a_small_file_in_and_tells_what_became_of_it(api):
    answer = api.client.post(
        "/v1/uploads?dataset=orders&filename=o.csv", content=ORDERS + "1,2024-01-01,c,paid,DE,5,\n"
    )
    told = answer.json()
    assert (answer.status_code, told["status"], told["accepted"]) == (201, "loaded", 1)
    assert api.shop.rows("SELECT order_id, total FROM orders") == [("1", 5)]
    assert api.client.get(f"/v1/uploads/{told['upload_id']}").json()["snapshot"] == told["snapshot"]


def test_a_signed_url_takes_the_file_and_the_status_follows(api):
    created = api.client.post(
        "/v1/uploads", json={"dataset": "orders", "filename": "my orders.csv", "content_type": "text/csv"}
    )
    told = created.json()
    assert (created.status_code, created.headers["location"]) == (201, told["status_url"])
    assert api.client.get(told["status_url"]).json()["status"] == "waiting"
    put = api.anonymous().put(told["url"], content=ORDERS + "1,2024-01-01,c,paid,DE,5,\n", headers=told["headers"])
    assert put.status_code == 200, put.text
    state = api.client.get(told["status_url"]).json()
    assert (state["status"], state["filename"], state["received"], state["accepted"]) == (
        "loaded",
        "my orders.csv",
        1,
        1,
    )


def test_a_file_that_arrived_and_was_not_looked_at_is_received(tmp_path):
    api = api_shop_in(tmp_path, ingest=False)
    answer = api.client.post(
        "/v1/uploads?dataset=orders&filename=o.csv", content=ORDERS + "1,2024-01-01,c,paid,DE,5,\n"
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "received")
    assert api.client.get(answer.headers["location"]).json()["status"] == "received"


def test_a_signed_url_takes_only_what_it_was_made_for(api):
    wanted = {"dataset": "orders", "filename": "o.csv", "content_type": "text/csv", "size_bytes": 5}
    told = api.client.post("/v1/uploads", json=wanted).json()
    stranger = api.anonymous()
    assert code_of(stranger.put(told["url"], content=b"12345", headers={"Content-Type": "a/b"}))[0] == 415
    assert code_of(stranger.put(told["url"], content=b"123456", headers=told["headers"])) == (413, "body_too_large")
    assert code_of(stranger.put(told["url"], content=b"1234", headers=told["headers"])) == (400, "wrong_size")
    assert code_of(stranger.put(told["url"] + "x", content=b"12345", headers=told["headers"]))[0] == 401
    assert code_of(stranger.get(told["url"]))[0] == 401
    assert api.client.get(told["status_url"]).json()["status"] == "waiting"


def test_a_held_file_is_a_problem_that_says_why_and_can_be_corrected(api):
    answer = api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=b"a,b\n1,2\n")
    assert code_of(answer) == (422, "upload_held")
    assert answer.json()["reason_code"] == "unknown_columns"
    held = answer.json()["upload_id"]
    assert api.client.get(f"/v1/uploads/{held}").json()["status"] == "held"
    corrected = api.client.post("/v1/uploads", json={"dataset": "orders", "filename": "o.csv", "replaces": held}).json()
    body = ORDERS + "1,2024-01-01,c,paid,DE,5,\n"
    assert api.anonymous().put(corrected["url"], content=body, headers=corrected["headers"]).status_code == 200
    state = api.client.get(corrected["status_url"]).json()
    assert (state["status"], state["replay_of"]) == ("loaded", held)


@pytest.mark.parametrize(
    ("body", "reason"), [(b"order_id,ordered_at\n", "empty_file"), (b"\x89PNG\r\n\x1a\n", "unreadable")]
)
def test_what_is_no_table_is_held(api, body, reason):
    answer = api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=body)
    assert (code_of(answer), answer.json()["reason_code"]) == ((422, "upload_held"), reason)


def test_a_file_without_bytes_is_refused_at_once(api):
    assert code_of(api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=b"")) == (400, "empty_file")


def test_held_rows_come_back_as_they_were_sent(api):
    body = ORDERS + "1,2024-01-01,c,paid,DE,5,\n2,yesterday,c,paid,DE,5,\n3,2024-01-01,c,paid,DE,=five,\n"
    told = api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=body + "4,2024-01-01,,,,1,\n").json()
    assert (told["received"], told["accepted"], told["held"]) == (4, 2, 2)
    rows = api.client.get(f"/v1/uploads/{told['upload_id']}/held").json()["rows"]
    assert [(row["row"], row["column"], row["rule"], row["text"]) for row in rows] == [
        (2, "ordered_at", "type", "yesterday"),
        (3, "total", "type", "=five"),
    ]
    assert json.loads(rows[0]["original"])["ordered_at"] == "yesterday"
    page = api.client.get(f"/v1/uploads/{told['upload_id']}/held?limit=1")
    rest = api.client.get(f"/v1/uploads/{told['upload_id']}/held?limit=1&cursor={page.json()['next']}").json()
    assert (rest["rows"], rest["next"]) == (rows[1:], None)
    text = api.client.get(f"/v1/uploads/{told['upload_id']}/held?format=csv").text
    assert [row["text"] for row in csv.DictReader(io.StringIO(text))] == ["yesterday", "'=five"]
    report = api.client.get(f"/v1/uploads/{told['upload_id']}/quality").json()["datasets"]
    assert report[0]["measures"]["ordered_at"]["rules"] == {"type": 1}


def test_a_replay_reads_the_same_file_by_another_contract(api):
    body = ORDERS + "1,2024-01-01,c,paid,DE,-5,\n"
    contract = api.client.get("/v1/datasets/orders").json()["contract"]
    strict = json.loads(json.dumps(contract))
    next(c for c in strict["columns"] if c["name"] == "total")["minimum"] = 0
    assert api.client.put("/v1/datasets/orders", json=strict).status_code == 200
    held = api.client.post("/v1/uploads?dataset=orders&filename=o.csv", content=body).json()["upload_id"]
    assert api.client.put("/v1/datasets/orders", json=contract).status_code == 200
    replayed = api.client.post(f"/v1/uploads/{held}/replay", json={}).json()
    assert (replayed["status"], replayed["accepted"], replayed["replay_of"]) == ("loaded", 1, held)
    assert code_of(api.client.post(f"/v1/uploads/{replayed['upload_id']}/replay"))[1] == "nothing_to_replay"


def test_uploads_are_listed_newest_first_by_pages(api):
    for number in range(5):
        body = ORDERS + f"{number},2024-01-01,c,paid,DE,5,\n"
        api.client.post(f"/v1/uploads?dataset=orders&filename={number}.csv", content=body)
    api.client.post("/v1/uploads?dataset=orders&filename=bad.csv", content=b"a,b\n1,2\n")
    first = api.client.get("/v1/uploads?limit=4").json()
    api.client.post("/v1/uploads?dataset=orders&filename=late.csv", content=ORDERS + "9,2024-01-01,c,paid,DE,5,\n")
    second = api.client.get(f"/v1/uploads?limit=4&cursor={first['next']}").json()
    names = [one["filename"] for one in first["uploads"] + second["uploads"]]
    assert (names, second["next"]) == (["bad.csv", "4.csv", "3.csv", "2.csv", "1.csv", "0.csv"], None)
    assert [one["filename"] for one in api.client.get("/v1/uploads?status=held").json()["uploads"]] == ["bad.csv"]


# --- datasets and snapshots ------------------------------------------------------------------------------------------


def test_a_dataset_tells_its_contract_schema_size_freshness_and_quality(shared_api):
    told = shared_api.client.get("/v1/datasets/orders").json()
    assert (told["rows"], told["uploads"], told["contract_version"]) == (25, 1, 1)
    assert told["newest_at"] == "2024-01-25T10:00:00Z"
    assert {"name": "total", "type": "DECIMAL(18,4)"} in told["schema"]
    assert (told["quality"]["received"], told["quality"]["accepted"]) == (25, 25)
    assert told["quality"]["measures"]["customer_id"]["missing"] == 5
    names = [one["name"] for one in shared_api.client.get("/v1/datasets").json()["datasets"]]
    assert names == sorted(names)
    assert "orders" in names
    assert "products" in names


def test_a_new_contract_makes_a_dataset_and_a_changed_type_is_refused(api):
    contract = {"name": "visits", "key": ["id"], "columns": [{"name": "id"}, {"name": "pages", "type": "integer"}]}
    assert api.client.put("/v1/datasets/visits", json=contract).status_code == 200
    assert api.client.post("/v1/datasets/visits/rows", json={"id": "a", "pages": 3}).status_code == 200
    assert api.client.get("/v1/datasets/visits/rows/a").json()["row"] == {"id": "a", "pages": 3}
    contract["columns"][1]["type"] = "text"
    refused = api.client.put("/v1/datasets/visits", json=contract)
    assert (code_of(refused), refused.json()["reason_code"]) == ((422, "command_refused"), "contract")
    assert code_of(api.client.put("/v1/datasets/other", json=contract)) == (422, "invalid_parameter")
    assert code_of(api.client.put("/v1/datasets/visits", json={**contract, "x": 1})) == (422, "invalid_parameter")
    for name in ("auto", "_commands"):
        reserved = api.client.put(f"/v1/datasets/{name}", json={**contract, "name": name})
        assert code_of(reserved) == (422, "invalid_parameter")


def test_snapshots_tell_what_they_did_and_older_ones_still_answer(api):
    for number in (1, 2):
        api.client.post("/v1/datasets/orders/rows", json={"order_id": str(number), "ordered_at": "2024-01-01"})
    found = api.client.get("/v1/snapshots").json()
    newest, before = found["snapshots"][:2]
    assert newest["tables"]["orders"] == {"added": 1, "removed": 0}
    assert api.client.get(f"/v1/snapshots/{newest['id']}").json() == newest
    then = api.client.get(f"/v1/datasets/orders/rows?snapshot={before['id']}").json()
    assert ([row["order_id"] for row in then["rows"]], then["snapshot"]) == (["1"], before["id"])
    at = before["committed_at"]
    assert api.client.get("/v1/datasets/orders/rows", params={"as_of": at}).json() == then
    assert api.client.get("/v1/datasets/orders", params={"snapshot": before["id"]}).json()["rows"] == 1
    page = api.client.get("/v1/snapshots?limit=1").json()
    assert page["snapshots"] == [newest]
    assert api.client.get(f"/v1/snapshots?limit=1&cursor={page['next']}").json()["snapshots"] == [before]
    assert code_of(api.client.get("/v1/snapshots/999")) == (404, "snapshot_not_found")
    assert code_of(api.client.get("/v1/datasets/orders/rows?snapshot=999")) == (404, "snapshot_not_found")
    assert code_of(api.client.get("/v1/datasets?snapshot=1&as_of=2024-01-01"))[1] == "invalid_parameter"


def test_changes_between_snapshots_are_net_and_by_key(api):
    def put(order: str, status: str) -> int:
        body = {"ordered_at": "2024-01-01T00:00:00Z", "status": status}
        return int(api.client.put(f"/v1/datasets/orders/rows/{order}", json=body).json()["snapshot"])

    put("kept", "a"), put("gone", "a"), put("back", "a")
    start = put("changed", "a")
    put("new", "a"), put("changed", "b"), put("short", "x"), put("back", "b")
    api.client.delete("/v1/datasets/orders/rows/gone")
    end = int(api.client.delete("/v1/datasets/orders/rows/short").json()["snapshot"])
    counts = api.client.get(f"/v1/snapshots/{start}/changes/{end}").json()["datasets"]
    assert counts == {"orders": {"added": 1, "removed": 1, "changed": 2}}
    told = api.client.get(f"/v1/snapshots/{start}/changes/{end}?dataset=orders").json()
    seen = {(one["before"] or one["after"])["order_id"]: one for one in told["rows"]}
    assert {name: one["change"] for name, one in seen.items()} == {
        "back": "changed",
        "changed": "changed",
        "gone": "removed",
        "new": "added",
    }
    assert (seen["changed"]["before"]["status"], seen["changed"]["after"]["status"]) == ("a", "b")
    assert (seen["gone"]["after"], seen["new"]["before"]) == (None, None)
    assert api.client.get(f"/v1/snapshots/{end}/changes/{end}").json()["datasets"] == {}
    assert code_of(api.client.get(f"/v1/snapshots/{end}/changes/{start}"))[1] == "invalid_parameter"
    paged = api.client.get(f"/v1/snapshots/{start}/changes/{end}?dataset=orders&limit=3").json()
    query = f"dataset=orders&limit=3&cursor={paged['next']}"
    rest = api.client.get(f"/v1/snapshots/{start}/changes/{end}?{query}").json()
    assert paged["rows"] + rest["rows"] == told["rows"]


def test_a_rollback_is_a_new_snapshot_equal_to_the_old_one(api):
    first = api.client.post("/v1/datasets/orders/rows", json={"order_id": "1", "ordered_at": "2024-01-01"}).json()
    api.client.post("/v1/datasets/orders/rows", json={"order_id": "2", "ordered_at": "2024-01-01"})
    assert api.client.post(f"/v1/snapshots/{first['snapshot']}/rollback").json()["status"] == "loaded"
    assert [row["order_id"] for row in api.client.get("/v1/datasets/orders/rows").json()["rows"]] == ["1"]
    assert code_of(api.client.post("/v1/snapshots/999/rollback")) == (404, "snapshot_not_found")


# --- rows: lists -----------------------------------------------------------------------------------------------------


def ids(response) -> list[int]:
    assert response.status_code == 200, response.text
    return [int(row["order_id"]) for row in response.json()["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("order_id=07", [7]),
        ("total__gte=23.5", [23, 24, 25]),
        ("total__lt=2.5&country__null=false", [1]),
        ("customer_id__null=true&order=-total", [25, 20, 15, 10, 5]),
        ("ordered_at__gt=2024-01-24T00:00:00Z", [24, 25]),
        ("ordered_at__lte=2024-01-01", []),
        ("order_id__in=03,05,99", [3, 5]),
        ("customer_id=c1&country=DE&order=-ordered_at&limit=2", [19, 13]),
        ("country__ne=DE&total__lt=5", [2, 4]),
        ("status__contains=AI&total__eq=4.50", [4]),
        ("status=x' OR 1=1 --", []),
    ],
)
def test_rows_are_filtered_by_values_of_their_columns(shared_api, query, expected):
    assert ids(shared_api.client.get(f"/v1/datasets/orders/rows?{query}")) == expected


@pytest.mark.parametrize("order", ["", "order=country,-total", "order=-country,customer_id", "order=-customer_id"])
def test_pages_put_together_are_the_whole_list(shared_api, order):
    whole = ids(shared_api.client.get(f"/v1/datasets/orders/rows?{order}"))
    assert sorted(whole) == list(range(1, 26))
    paged, cursor = [], ""
    for _ in range(10):
        page = shared_api.client.get(f"/v1/datasets/orders/rows?{order}&limit=4{cursor}")
        paged += ids(page)
        if page.json()["next"] is None:
            assert "link" not in page.headers
            break
        assert page.headers["link"].endswith('; rel="next"')
        cursor = f"&cursor={page.json()['next']}"
    assert paged == whole


def test_a_page_keeps_to_its_snapshot_while_rows_come(api):
    for number in range(4):
        api.client.post("/v1/datasets/orders/rows", json={"order_id": str(number), "ordered_at": "2024-01-01"})
    page = api.client.get("/v1/datasets/orders/rows?limit=2").json()
    api.client.post("/v1/datasets/orders/rows", json={"order_id": "15", "ordered_at": "2024-01-01"})
    rest = api.client.get(f"/v1/datasets/orders/rows?limit=2&cursor={page['next']}").json()
    assert ([row["order_id"] for row in rest["rows"]], rest["snapshot"]) == (["2", "3"], page["snapshot"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("orders/rows?totl=5", (422, "unknown_column")),
        ("orders/rows?totl__gte=5", (422, "unknown_column")),
        ("orders/rows?order=nope", (422, "unknown_column")),
        ("orders/rows?columns=nope", (422, "unknown_column")),
        ("orders/rows?total=five", (422, "invalid_parameter")),
        ("orders/rows?total__in=5,five", (422, "invalid_parameter")),
        ("orders/rows?ordered_at__gte=2024-13-01", (422, "invalid_parameter")),
        ("orders/rows?total__like=5", (422, "invalid_parameter")),
        ("orders/rows?limit=1001", (422, "page_too_large")),
        ("orders/rows?limit=0", (422, "invalid_parameter")),
        ("orders/rows?limit=x", (422, "invalid_parameter")),
        ("orders/rows?snapshot=0", (422, "invalid_parameter")),
        ("orders/rows?as_of=soon", (422, "invalid_parameter")),
        ("orders/rows?cursor=abc", (400, "invalid_cursor")),
        ("orders/rows?format=xml", (422, "invalid_parameter")),
        ("nope/rows", (404, "unknown_dataset")),
        ("nope", (404, "unknown_dataset")),
        ("orders?limt=1", (422, "invalid_parameter")),
        ("orders/rows/99", (404, "unknown_row")),
        ("order_items/rows/99", (422, "invalid_parameter")),
    ],
)
def test_bad_questions_have_stable_codes(shared_api, path, expected):
    assert code_of(shared_api.client.get(f"/v1/datasets/{path}")) == expected


def test_the_nearest_column_is_named(shared_api):
    assert "Did you mean total?" in shared_api.client.get("/v1/datasets/orders/rows?totl=5").json()["detail"]


def test_a_cursor_is_for_one_tenant_and_one_list(shared_api):
    cursor = shared_api.client.get("/v1/datasets/orders/rows?limit=2").json()["next"]
    other = shared_api.client_with("read", tenant="other")
    for client, query in ((other, ""), (shared_api.client, "&country=DE"), (shared_api.client, "&order=total")):
        assert code_of(client.get(f"/v1/datasets/orders/rows?cursor={cursor}{query}")) == (400, "invalid_cursor")
    changed = ("A" if cursor[30] != "A" else "B").join((cursor[:30], cursor[31:]))
    assert code_of(shared_api.client.get(f"/v1/datasets/orders/rows?cursor={changed}")) == (400, "invalid_cursor")


def test_money_is_exact_and_numbers_are_there_for_who_wants_them(shared_api):
    row = shared_api.client.get("/v1/datasets/orders/rows/07").json()["row"]
    assert (row["total"], row["ordered_at"]) == ("7.5000", "2024-01-07T10:00:00Z")
    text = shared_api.client.get("/v1/datasets/orders/rows?order_id=07&columns=total&numbers=number").text
    assert '"rows":[{"total":7.5}]' in text


def test_rows_come_as_csv_too(shared_api):
    query = "columns=order_id,total&limit=2"
    by_format = shared_api.client.get(f"/v1/datasets/orders/rows?{query}&format=csv")
    by_accept = shared_api.client.get(f"/v1/datasets/orders/rows?{query}", headers={"Accept": "text/csv"})
    assert by_format.text == by_accept.text == "order_id,total\r\n01,1.5000\r\n02,2.5000\r\n"
    assert by_format.headers["content-type"] == "text/csv; charset=utf-8"


MEDIA = {"parquet": "application/vnd.apache.parquet", "arrow": "application/vnd.apache.arrow.stream"}


def table_of(answer: httpx2.Response, wanted: str) -> pyarrow.Table:
    """A body as another library reads it."""
    assert (answer.status_code, answer.headers["content-type"]) == (200, MEDIA[wanted]), answer.text
    if wanted == "parquet":
        return pyarrow.parquet.read_table(io.BytesIO(answer.content))
    return pyarrow.ipc.open_stream(answer.content).read_all()


def as_json(value: Any) -> Any:
    """A value of pyarrow's as this API's JSON writes it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value) if isinstance(value, Decimal) else value


@pytest.mark.parametrize("wanted", list(MEDIA))
@pytest.mark.parametrize(
    "query",
    [
        "",
        "customer_id=c1&order=-ordered_at&limit=2",
        "columns=total,order_id,total&total__gte=20&order=country",
        "status=none",
        "columns=order_id&snapshot=1&limit=1",
    ],
)
def test_rows_come_as_parquet_and_as_an_arrow_stream_too(shared_api, wanted, query):
    address = f"/v1/datasets/orders/rows?{query}"
    told = shared_api.client.get(address).json()
    by_format = shared_api.client.get(f"{address}&format={wanted}")
    by_accept = shared_api.client.get(address, headers={"Accept": f"{MEDIA[wanted]}, application/json"})
    assert by_format.content == by_accept.content
    table = table_of(by_format, wanted)
    assert table.column_names == [column["name"] for column in told["columns"]]
    assert [{name: as_json(value) for name, value in row.items()} for row in table.to_pylist()] == told["rows"]
    assert by_format.headers["teal-snapshot"] == str(told["snapshot"])
    assert ("link" in by_format.headers) == (told["next"] is not None)
    again = shared_api.client.get(f"{address}&format={wanted}", headers={"If-None-Match": by_format.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_types_of_a_file_are_those_of_the_dataset(shared_api):
    answer = shared_api.client.get("/v1/datasets/orders/rows?columns=order_id,ordered_at,total&format=parquet")
    assert [str(kind) for kind in table_of(answer, "parquet").schema.types] == [
        "string",
        "timestamp[us, tz=UTC]",
        "decimal128(18, 4)",
    ]


@pytest.mark.parametrize("wanted", ["csv", *MEDIA])
def test_pages_of_files_follow_the_link_and_are_the_whole_list(shared_api, wanted):
    address, found = f"/v1/datasets/orders/rows?format={wanted}&order=-country,customer_id&limit=4", []
    while address:
        answer = shared_api.client.get(address)
        if wanted == "csv":
            found += [row["order_id"] for row in csv.DictReader(io.StringIO(answer.text))]
        else:
            found += table_of(answer, wanted)["order_id"].to_pylist()
        address = answer.links.get("next", {}).get("url", "")
    whole = shared_api.client.get("/v1/datasets/orders/rows?order=-country,customer_id").json()["rows"]
    assert found == [row["order_id"] for row in whole]
    assert len(found) == 25


def test_a_page_begun_as_json_goes_on_as_a_file(shared_api):
    cursor = shared_api.client.get("/v1/datasets/orders/rows?limit=23").json()["next"]
    rest = shared_api.client.get(f"/v1/datasets/orders/rows?limit=23&cursor={cursor}&format=parquet")
    assert table_of(rest, "parquet")["order_id"].to_pylist() == ["24", "25"]


@pytest.mark.parametrize("wanted", list(MEDIA))
def test_personal_data_is_empty_in_files_too(api, wanted):
    api.client.put("/v1/datasets/customers/rows/c1", json={"email": "ann@example.org", "country": "DE"})
    address = f"/v1/datasets/customers/rows?format={wanted}&columns=customer_id,email"
    assert table_of(api.client.get(address), wanted).to_pylist() == [{"customer_id": "c1", "email": "ann@example.org"}]
    masked = api.client_with("read").get(address)
    assert table_of(masked, wanted).to_pylist() == [{"customer_id": "c1", "email": None}]
    assert b"ann@" not in masked.content
    refused = api.client_with("read").get(f"{address}&email__contains=ann")
    assert code_of(refused) == (403, "forbidden")


def test_every_format_of_rows_is_in_the_document(shared_api):
    told = shared_api.client.get("/openapi.json").json()["paths"]["/v1/datasets/{dataset}/rows"]["get"]
    assert set(told["responses"]["200"]["content"]) == {"application/json", "text/csv", *MEDIA.values()}
    (format,) = [one for one in told["parameters"] if one["name"] == "format"]
    assert "parquet" in json.dumps(format["schema"])


def test_the_length_of_an_answer_is_told_without_it(shared_api):
    address = "/v1/datasets/orders/rows?format=parquet"
    head, whole = shared_api.client.head(address), shared_api.client.get(address)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(whole.content)))
    assert head.headers["etag"] == whole.headers["etag"]


def test_an_unchanged_answer_is_not_sent_again(shared_api):
    answer = shared_api.client.get("/v1/datasets/orders/rows")
    again = shared_api.client.get("/v1/datasets/orders/rows", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["teal-snapshot"] == answer.headers["teal-snapshot"]


# --- rows: edits -----------------------------------------------------------------------------------------------------


def test_a_row_is_created_read_changed_and_deleted(api):
    address = "/v1/datasets/orders/rows/A%2F1"
    put = api.client.put(address, json={"ordered_at": "2024-01-01T00:00:00Z", "country": "DE", "total": "5.10"})
    assert put.status_code == 200, put.text
    row = put.json()["row"]
    assert (row["order_id"], row["country"], row["total"], row["status"]) == ("A/1", "DE", "5.1000", "completed")
    assert row["updated_at"] is not None
    patched = api.client.patch(address, json={"country": None, "total": 6}).json()
    assert (patched["row"]["country"], patched["row"]["total"]) == (None, "6.0000")
    assert patched["row"]["ordered_at"] == "2024-01-01T00:00:00Z"
    assert patched["snapshot"] > put.json()["snapshot"]
    assert api.client.get(address).json()["row"] == patched["row"]
    replaced = api.client.put(address, json={"ordered_at": "2024-01-02T00:00:00Z"}).json()["row"]
    assert (replaced["country"], replaced["total"]) == (None, None)
    assert api.client.delete(address).json()["changed"] is True
    assert code_of(api.client.get(address)) == (404, "unknown_row")
    assert api.client.get(address, params={"snapshot": patched["snapshot"]}).json()["row"] == patched["row"]
    assert code_of(api.client.delete(address)) == (404, "unknown_row")
    assert code_of(api.client.patch(address, json={"total": 1})) == (404, "unknown_row")


def test_an_edit_made_again_after_another_counts_again(api):
    contract = {"name": "things", "key": ["id"], "columns": [{"name": "id"}, {"name": "value"}]}
    api.client.put("/v1/datasets/things", json=contract)
    for value in ("a", "b", "a"):
        assert api.client.put("/v1/datasets/things/rows/1", json={"value": value}).json()["row"]["value"] == value
    same = api.client.put("/v1/datasets/things/rows/1", json={"value": "a"}).json()
    assert (same["changed"], same["duplicate"]) == (False, 1)


def test_a_key_of_several_columns_is_joined_by_commas(api):
    address = "/v1/datasets/order_items/rows/a%2C%2Cb,7"
    body = {"quantity": 2, "unit_price": "1.25", "product_id": "p"}
    put = api.client.put(address, json=body)
    assert put.status_code == 200, put.text
    row = put.json()["row"]
    assert (row["order_id"], row["line_id"], row["quantity"]) == ("a,b", "7", 2)
    assert api.client.get(address).json()["row"] == row


def test_a_row_that_breaks_a_rule_is_refused_with_the_rule(api):
    refused = api.client.put("/v1/datasets/orders/rows/1", json={"ordered_at": "yesterday"})
    assert code_of(refused) == (422, "row_held")
    assert [(e["where"], e["rule"], e["value"]) for e in refused.json()["errors"]] == [
        ("ordered_at", "type", "yesterday")
    ]
    missing = api.client.put("/v1/datasets/orders/rows/1", json={"total": 5})
    assert [(e["where"], e["rule"]) for e in missing.json()["errors"]] == [("ordered_at", "required")]
    assert code_of(api.client.get("/v1/datasets/orders/rows/1")) == (404, "unknown_row")


def test_many_rows_are_one_commit_and_the_bad_ones_are_named(api):
    rows = [{"order_id": str(n), "ordered_at": "2024-01-01" if n != 3 else "never"} for n in range(5)]
    answer = api.client.post("/v1/datasets/orders/rows", json=rows).json()
    assert (answer["accepted"], answer["held"], [e["row"] for e in answer["errors"]]) == (4, 1, [4])
    assert len(api.client.get("/v1/datasets/orders/rows").json()["rows"]) == 4
    many = [{"order_id": str(n), "ordered_at": "2024-01-01"} for n in range(1_001)]
    assert code_of(api.client.post("/v1/datasets/orders/rows", json=many)) == (422, "too_many_rows")
    assert code_of(api.client.post("/v1/datasets/orders/rows", json=[])) == (422, "invalid_parameter")
    assert code_of(api.client.post("/v1/datasets/orders/rows", json={"ordr_id": "1"})) == (422, "unknown_column")
    assert code_of(api.client.post("/v1/datasets/nope/rows", json={"id": "1"})) == (404, "unknown_dataset")


def test_an_edit_can_insist_on_the_row_it_read(api):
    address = "/v1/datasets/orders/rows/1"
    etag = api.client.put(address, json={"ordered_at": "2024-01-01"}).headers["etag"]
    assert api.client.get(address).headers["etag"] == etag
    assert api.client.patch(address, json={"total": 1}, headers={"If-Match": etag}).status_code == 200
    assert code_of(api.client.patch(address, json={"total": 2}, headers={"If-Match": etag})) == (412, "row_changed")
    assert code_of(api.client.delete(address, headers={"If-Match": etag})) == (412, "row_changed")


def test_an_edit_that_is_not_in_yet_is_accepted_with_a_place_to_look(tmp_path):
    api = api_shop_in(tmp_path, ingest=False)
    answer = api.client.put("/v1/datasets/orders/rows/1", json={"ordered_at": "2024-01-01"})
    assert (answer.status_code, answer.json()["status"]) == (202, "received")
    assert answer.headers["location"] == f"/v1/uploads/{answer.json()['upload_id']}"
    assert answer.headers["retry-after"] == "1"


def test_the_key_of_the_address_is_the_key(api):
    body = {"order_id": "2", "ordered_at": "2024-01-01"}
    assert code_of(api.client.put("/v1/datasets/orders/rows/1", json=body)) == (422, "invalid_parameter")


def test_personal_data_is_for_keys_that_may_see_it_and_survives_those_that_may_not(api):
    address = "/v1/datasets/customers/rows/c1"
    api.client.put(address, json={"email": "ann@example.org", "country": "DE"})
    plain = api.client_with("read", "write")
    seen = plain.get(address).json()
    assert seen["row"]["email"] is None
    assert "email" in seen["masked"]
    assert code_of(plain.get("/v1/datasets/customers/rows?email=ann@example.org")) == (403, "forbidden")
    assert code_of(plain.get("/v1/datasets/customers/rows?order=email")) == (403, "forbidden")
    assert "ann@" not in plain.get("/v1/datasets/customers/rows").text
    assert plain.put(address, json={**seen["row"], "country": "FR"}).status_code == 200
    row = api.client.get(address).json()["row"]
    assert (row["email"], row["country"]) == ("ann@example.org", "FR")
    newest = api.client.get("/v1/snapshots?limit=1").json()["snapshots"][0]["id"]
    changes = f"/v1/snapshots/{newest - 1}/changes/{newest}?dataset=customers"
    assert "ann@" in api.client.get(changes).text
    assert "ann@" not in plain.get(changes).text


# --- who may ask -----------------------------------------------------------------------------------------------------


def test_without_a_key_and_with_a_wrong_one_the_answer_is_the_same(shared_api):
    good = shared_api.client.headers["authorization"]
    wrong = [
        "",
        "Bearer",
        "Bearer x",
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.replace("_k", "_k0", 1),
        "Basic " + good.split()[1],
        "Bearer teal_k000000000000000_" + "0" * 64,
    ]
    bodies = set()
    for value in wrong:
        answer = shared_api.anonymous().get("/v1/datasets", headers={"Authorization": value} if value else {})
        assert code_of(answer) == (401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="teal"'
        bodies.add(json.dumps({**answer.json(), "request_id": ""}))
    assert len(bodies) == 1


def test_a_key_comes_by_its_own_header_too(shared_api):
    token = shared_api.client.headers["authorization"].split()[1]
    assert shared_api.anonymous().get("/v1/datasets", headers={"X-API-Key": token}).status_code == 200


def test_a_key_does_what_its_scopes_say_and_no_more(shared_api):
    reader = shared_api.client_with("read")
    assert reader.get("/v1/datasets").status_code == 200
    assert code_of(reader.post("/v1/uploads", json={"filename": "x"})) == (403, "forbidden")
    assert code_of(reader.put("/v1/datasets/x", content=b"{")) == (403, "forbidden")
    assert code_of(shared_api.client_with("admin").get("/v1/datasets")) == (403, "forbidden")


def test_a_tenant_sees_nothing_of_another(shared_api):
    other = shared_api.client_with("read", "write", "admin", tenant="other")
    upload = shared_api.client.get("/v1/uploads").json()["uploads"][0]["upload_id"]
    assert other.get("/v1/datasets/orders").json()["rows"] == 0
    assert other.get("/v1/uploads").json()["uploads"] == []
    for path in (f"uploads/{upload}", f"uploads/{upload}/quality", f"uploads/{upload}/held"):
        assert code_of(other.get(f"/v1/{path}")) == (404, "unknown_upload")
    assert code_of(other.post(f"/v1/uploads/{upload}/replay")) == (404, "unknown_upload")
    assert code_of(other.get("/v1/datasets/orders/rows/07")) == (404, "unknown_row")


@pytest.mark.parametrize("name", ["_commands", "../other", "Orders", "o/r", "", "a" * 64])
def test_no_dataset_name_leads_out_of_the_tenants_inbox(api, name):
    assert code_of(api.client.post("/v1/uploads", json={"dataset": name, "filename": "x.csv"}))[0] == 422
    assert list(api.shop.store.list("inbox/")) == []


@pytest.mark.parametrize("name", ["../../x.csv", "..\\x.csv", "a/../b.csv", "?x#y.csv", "\nn.csv", ".hidden.csv"])
def test_no_filename_leads_out_of_its_folder(api, name):
    told = api.client.post("/v1/uploads", params={"dataset": "orders", "filename": name}, content=b"a,b\n1,2\n").json()
    keys = [info.key for info in api.shop.store.list("inbox/")]
    assert len(keys) == 1
    assert keys[0].startswith(f"inbox/shop/orders/{told['upload_id']}/")
    assert keys[0].count("/") == 4


def test_a_revoked_key_ends(tmp_path):
    api = api_shop_in(tmp_path)
    made = api.keys.create("shop", ["read"])
    client = api.anonymous()
    headers = {"Authorization": f"Bearer {made.token}"}
    assert client.get("/v1/datasets", headers=headers).status_code == 200
    api.keys.revoke(made.key.key_id)
    assert client.get("/v1/datasets", headers=headers).status_code == 401
    assert made.token.split("_")[2] not in json.dumps([body_of(api, info.key) for info in api.shop.store.list("keys/")])


def body_of(api: ApiShop, key: str) -> str:
    return api.shop.store.get(key)[0].decode()


# --- requests and responses ------------------------------------------------------------------------------------------


def test_bodies_are_checked_before_they_are_read(shared_api):
    client, as_json = shared_api.client, {"Content-Type": "application/json"}
    row = "/v1/datasets/orders/rows/1"
    assert code_of(client.put(row, content=b"{", headers=as_json)) == (400, "malformed_json")
    assert code_of(client.put(row, content=b"\xff\xfe", headers=as_json)) == (400, "malformed_json")
    assert code_of(client.put(row, content=b"{}", headers={"Content-Type": "text/plain"}))[0] == 415
    assert code_of(client.put(row, content=b" " * 1_000_001, headers=as_json)) == (413, "body_too_large")
    assert code_of(client.put(row, content=iter([b" " * 600_000] * 2), headers=as_json)) == (413, "body_too_large")
    assert code_of(client.put(row, json=[1])) == (422, "invalid_parameter")
    assert code_of(client.post("/v1/uploads", json={"filename": "x", "extra": 1})) == (422, "invalid_parameter")
    assert code_of(client.post("/v1/uploads", json={"filename": "x", "options": {"delim": 1}}))[0] == 422
    foo = {"filename": "x", "options": {"date_order": "foo"}}
    assert code_of(client.post("/v1/uploads", json=foo)) == (422, "invalid_parameter")
    assert code_of(client.post("/v1/uploads?dataset=orders&nope=1", content=b"x"))[0] == 422
    big = api_body(4_500_001)
    assert code_of(client.post("/v1/uploads?dataset=orders&filename=x", content=big)) == (413, "body_too_large")
    assert code_of(shared_api.anonymous().put(row, content=b"{", headers=as_json)) == (401, "unauthenticated")


def api_body(size: int) -> bytes:
    return b"x" * size


def test_an_error_body_names_its_explanation(shared_api):
    answer = shared_api.client.get("/v1/datasets/nope")
    told = answer.json()
    assert set(told) == {"type", "title", "status", "code", "detail", "request_id"}
    explained = shared_api.anonymous().get(told["type"]).json()
    assert (explained["code"], explained["status"]) == ("unknown_dataset", 404)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert code_of(shared_api.anonymous().get("/v1/problems/nope")) == (404, "not_found")


def test_alive_and_ready_need_no_key(shared_api):
    assert shared_api.anonymous().get("/v1/health").json()["status"] == "alive"
    assert shared_api.anonymous().get("/v1/ready").json()["status"] == "ready"


def test_a_large_answer_is_read_through_its_signed_url(api):
    store = api.shop.store
    assert isinstance(store, FolderStore)
    store.put("lake/shop/answers/x.csv", b"a\n1\n2\n")
    url = store.sign_get("lake/shop/answers/x.csv", seconds=60, filename="answer ü.csv").url
    answer = api.anonymous().get(url)
    assert (answer.content, answer.headers["content-type"]) == (b"a\n1\n2\n", "text/csv; charset=utf-8")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''answer%20%C3%BC.csv"
    part = api.anonymous().get(url, headers={"Range": "bytes=2-3"})
    assert (part.status_code, part.content) == (206, b"1\n")
    assert code_of(api.anonymous().get(url.replace("x.csv", "y.csv")))[0] == 401
    keys = Keys(store).create("shop", ["read"])
    assert code_of(api.anonymous().get(f"/v1/objects/keys/{keys.key.key_id}.json"))[0] == 401
