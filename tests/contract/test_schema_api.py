"""GET /v1/schema: what a key may know of a lake before it writes SQL, as JSON and as SQL, and nothing of its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from shared.storage.folder import FolderStore
from tests.published_web import PublishedWeb, code_of, published_web_on

RULES = {"rows": {"orders": {"country": "Frankia"}}, "masked": {"orders": ["channel"]}}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PublishedWeb]:
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("schema")))
    web.shop.upload(
        "orders", "o.csv", "order_id,ordered_at,country,channel,total\no1,2024-01-01,Germania,shop7,90210.5\n"
    )
    contract = {
        "name": "visits",
        "description": "Words; DROP TABLE x\n-- and more.",
        "columns": [
            {"name": "order", "type": "text", "description": "First line\nSELECT 1;"},
            {"name": "day", "type": "date", "required": True},
            {"name": "kind", "allowed": ["a", "b"]},
            {"name": "order_id", "references": "orders.order_id"},
            {"name": "who", "personal": True},
        ],
        "key": ["order", "day"],
        "time_column": "day",
    }
    web.admin.put("/v1/datasets/visits", json=contract)
    web.publish("late-orders", "SELECT count(*) AS n FROM orders", title="Late\norders")
    web.fresh()
    yield web
    web.runner.close()


def schema(client: Any, **asked: Any) -> dict[str, Any]:
    answer = client.get("/v1/schema", params=asked)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def dataset(told: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in told["datasets"] if one["name"] == name)


def test_every_dataset_is_there_with_its_columns_key_and_references(web):
    told = schema(web.reader)
    listed = web.reader.get("/v1/datasets").json()
    assert [one["name"] for one in told["datasets"]] == [one["name"] for one in listed["datasets"]]
    assert told["snapshot"] == listed["snapshot"]
    assert told["partial"] is False
    assert told["published"] == [{"name": "my/late-orders", "title": "Late\norders"}]
    for one in told["datasets"]:
        stored = web.reader.get(f"/v1/datasets/{one['name']}").json()["schema"]
        assert [{"name": c["name"], "type": c["type"]} for c in one["columns"]] == stored
    own = dataset(told, "visits")
    assert (own["key"], own["time_column"]) == (["order", "day"], "day")
    assert own["columns"] == [
        {"name": "order", "type": "VARCHAR", "description": "First line\nSELECT 1;", "required": True},
        {"name": "day", "type": "DATE", "required": True},
        {"name": "kind", "type": "VARCHAR", "allowed": ["a", "b"]},
        {"name": "order_id", "type": "VARCHAR", "references": "orders.order_id"},
        {"name": "who", "type": "VARCHAR", "personal": True, "masked": True},
    ]


def test_what_is_empty_for_a_key_is_masked(web):
    def masked(client: Any) -> set[str]:
        found = schema(client)["datasets"]
        return {f"{one['name']}.{c['name']}" for one in found for c in one["columns"] if c.get("masked")}

    personal = {"customers.email", "customers.name", "visits.who"}
    assert masked(web.reader) == personal
    assert masked(web.admin) == set()
    part = web.client("read", "sql", rules=RULES)
    assert masked(part) == {*personal, "orders.channel"}
    rows = web.client("read", "sql").post("/v1/sql", json={"sql": "SELECT channel FROM orders"}).json()["rows"]
    assert rows == [{"channel": "shop7"}]


def test_a_key_with_rules_is_told_that_it_sees_a_part_and_nothing_of_the_rest(web):
    part, whole = web.client("read", "sql", rules=RULES), web.client("read", "sql")
    told = schema(part)
    assert told["partial"] is True
    texts = [json.dumps(told), part.get("/v1/schema?format=sql").text, json.dumps(schema(whole))]
    assert not any(value in text for text in texts for value in ("Frankia", "Germania", "shop7", "90210"))
    misfit = web.client("read", "sql", rules={"masked": {"orders": ["no_such_column"]}})
    assert code_of(misfit.get("/v1/schema")) == (403, "rules_do_not_fit")


def test_what_sql_may_do_is_told_to_those_who_may_ask_it(web):
    assert "sql" not in schema(web.reader)
    told = schema(web.client("sql", page_rows=50))["sql"]
    assert (told["max_seconds"], told["page_rows"], told["max_bytes"]) == (5, 50, 32_768)
    assert {"count", "sum", "date_trunc"} <= set(told["functions"])
    assert not {"getenv", "read_csv", "+"} & set(told["functions"])
    assert code_of(web.client("write").get("/v1/schema")) == (403, "forbidden")


@pytest.mark.parametrize("asked", [{"params": {"format": "sql"}}, {"headers": {"Accept": "text/plain"}}])
def test_as_sql_it_makes_the_same_tables_elsewhere(web, asked):
    answer = web.client("read", "sql").get("/v1/schema", **asked)
    assert answer.headers["content-type"].startswith("text/plain")
    with duckdb.connect() as other:
        other.execute(answer.text)
        made = {
            name: {column: kind for column, kind, *_ in other.execute(f'DESCRIBE "{name}"').fetchall()}
            for (name,) in other.execute("SELECT table_name FROM duckdb_tables()").fetchall()
        }
    told = {one["name"]: {c["name"]: c["type"] for c in one["columns"]} for one in schema(web.reader)["datasets"]}
    assert made == told
    lines = answer.text.splitlines()
    assert "-- Words; DROP TABLE x -- and more. A row happens at day." in lines
    assert '    "order" VARCHAR, -- First line SELECT 1;' in lines
    assert "    kind VARCHAR, -- one of a, b" in lines
    assert "    order_id VARCHAR, -- references orders.order_id" in lines
    assert "    who VARCHAR, -- empty in every row for this key" in lines
    assert "-- Published question my/late-orders: Late orders" in lines


def test_it_is_asked_again_for_nothing_and_at_any_snapshot(web):
    for form in ("json", "sql"):
        first = web.reader.get("/v1/schema", params={"format": form})
        again = web.reader.get("/v1/schema", params={"format": form}, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert first.headers["teal-snapshot"] == str(schema(web.reader)["snapshot"])
    other = web.client("read", rules=RULES).get("/v1/schema", headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200
    older = schema(web.reader, snapshot=1)
    assert "visits" not in {one["name"] for one in older["datasets"]}
    assert older["published"] == []
    assert schema(web.rival)["published"] == []
    assert "visits" not in json.dumps(schema(web.rival))
    assert code_of(web.reader.get("/v1/schema?snapshot=999")) == (404, "snapshot_not_found")
    assert code_of(web.reader.get("/v1/schema?formt=sql")) == (422, "invalid_parameter")
