"""Names that strangers choose, H60 to H63 of docs/security.md: of datasets, files and columns."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from shared.inbox import UPLOAD_ID
from shared.steps.new_dataset import KEYWORDS, READERS
from shared.values import NAME
from tests.api_shop import ApiShop, api_shop_in, code_of
from tests.shop import TENANT


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
