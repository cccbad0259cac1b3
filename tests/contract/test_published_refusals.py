"""What cannot be published or asked, and what nobody learns from the refusal; over a lake in a folder."""

from __future__ import annotations

from typing import Any

import pytest

from shared.commands import Command, run_command
from shared.steps import ledger
from shared.storage.folder import FolderStore
from shared.stranger_sql.base import SqlLimits
from shared.values import UploadedObject
from tests.published_web import PublishedWeb, code_of, published_web_on
from tests.shop import TENANT

HEADER = "order_id,ordered_at,customer_id,status,country,total\n"
GOOD = {"title": "Orders", "sql": "SELECT count(*) AS orders FROM orders WHERE country = $country OR $country IS NULL",
        "parameters": [{"name": "country"}]}  # fmt: skip


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> PublishedWeb:
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("shop")), SqlLimits(seconds=1.0))
    web.shop.upload("orders", "a.csv", HEADER + "1,2024-01-01,c1,paid,DE,5\n2,2024-01-02,c2,paid,FR,7\n")
    web.shop.upload("secrets", "s.csv", "secret_id,plan\n1,take over\n")
    assert web.publish("orders", **{**GOOD}).status_code == 200
    return web


def sql(text: str, **more: Any) -> dict[str, Any]:
    return {"title": "t", "sql": text, **more}


@pytest.mark.parametrize(
    ("document", "code", "detail", "place"),
    [
        (
            sql("SELECT * FROM odrers"),
            "invalid_sql",
            "There is no dataset odrers (line 1, column 15). Did you mean orders?",
            (1, 15),
        ),
        (
            sql("SELECT\n  totl\nFROM orders"),
            "invalid_sql",
            "There is no column totl (line 2, column 3). Did you mean total?",
            (2, 3),
        ),
        (
            sql("SELECT o.totl FROM orders o"),
            "invalid_sql",
            "There is no column totl (line 1, column 8). Did you mean total?",
            (1, 8),
        ),
        (sql("SELECT FROM WHERE"), "invalid_sql", "The SQL could not be read", (1, 13)),
        (sql("SELECT status, sum(total) FROM orders"), "invalid_sql", "must appear in the GROUP BY clause", (1, 8)),
        (sql("SELECT * FROM teal.uploads"), "refused_sql", "Datasets are named", (1, 15)),
        (sql("SELECT * FROM read_text('/etc/passwd')"), "refused_sql", "table function read_text", (1, 15)),
        (sql("DELETE FROM orders"), "refused_sql", "Only one SELECT", None),
        (sql("SELECT now() AS x"), "refused_sql", "now gives another value each time", (1, 8)),
        (sql("SELECT current_date AS x"), "refused_sql", "current_date is another value each time", (1, 8)),
        (sql("SELECT random() AS x"), "refused_sql", "random", (1, 8)),
        (sql("FROM orders USING SAMPLE 10%"), "refused_sql", "sample", None),
        (sql("SELECT first(order_id) FROM orders"), "refused_sql", "depends on the order of rows", (1, 8)),
        (sql("SELECT row_number() OVER () FROM orders"), "refused_sql", "needs ORDER BY in its window", (1, 8)),
        (sql("SELECT count(*) FROM (FROM orders LIMIT 1)"), "refused_sql", "ORDER BY in the same SELECT", None),
        (sql("SELECT $a AS x"), "invalid_sql", "$a is in the SQL and not among the parameters.", None),
        (
            sql("SELECT 1 AS x", parameters=[{"name": "a"}]),
            "invalid_sql",
            "The parameter a is not in the SQL: $a.",
            None,
        ),
        (sql("SELECT status::INTEGER FROM orders"), "failed_sql", "Could not convert string 'paid'", (1, 14)),
        (sql("SELECT count(*) FROM range(9999999) a, range(9999999) b"), "sql_took_too_long", "did not end", None),
        (
            sql("SELECT $a AS x", parameters=[{"name": "a", "required": True}]),
            "invalid_parameter",
            "example.a: is required",
            None,
        ),
        (
            sql("SELECT $a AS x", parameters=[{"name": "a", "type": "integer"}], example={"a": "x"}),
            "invalid_parameter",
            "example.a",
            None,
        ),
        (
            sql("SELECT $a AS x", parameters=[{"name": "a", "type": "integer", "default": "x"}]),
            "invalid_parameter",
            "default: ",
            None,
        ),
        (
            sql("SELECT $limit AS x", parameters=[{"name": "limit"}]),
            "invalid_parameter",
            "every question has limit already",
            None,
        ),
        (sql("SELECT $a AS x", parameters=[{"name": "A"}]), "invalid_parameter", "body.parameters.0.name", None),
        (sql("SELECT $a AS x", parameters=[{"name": "a"}, {"name": "a"}]), "invalid_parameter", "two parameters", None),
        (
            sql("SELECT $a AS x", parameters=[{"name": "a", "type": "date", "allowed": ["x"]}]),
            "invalid_parameter",
            "allowed goes",
            None,
        ),
        (sql("SELECT 1 AS x", colour="red"), "invalid_parameter", "body.colour", None),
        ({"title": "t"}, "invalid_parameter", "body.sql", None),
        (
            sql("SELECT $a AS x", parameters=[{"name": "a", "default": "x", "allowed": ["y"]}], example={"a": "y"}),
            "invalid_parameter",
            "default: ",
            None,
        ),
        (sql("SELECT 1 -- " + "x" * 40_000), "invalid_parameter", "body.sql", None),
    ],
)
def test_what_cannot_be_published_is_a_problem_that_says_why_and_where(web, document, code, detail, place):
    answer = web.admin.put("/v1/published/other", json=document)
    told = answer.json()
    assert code_of(answer) == (422, code)
    assert detail in told["detail"]
    assert (told.get("line"), told.get("column")) == (place or (None, None))
    assert web.reader.get("/v1/published/other").status_code == 404


@pytest.mark.parametrize("name", ["Sales", "a_b", "-a", "a-", "a--b", "1a", "a" * 64, "a.b", "%C3%BC"])
def test_a_name_is_words_joined_by_hyphens(web, name):
    assert code_of(web.admin.put(f"/v1/published/{name}", json=GOOD)) == (422, "invalid_parameter")


def test_a_built_in_question_cannot_be_shadowed(web):
    before = web.reader.get("/v1/quality").content
    assert web.publish("quality", "SELECT 1 AS one").status_code == 200
    assert web.reader.get("/v1/quality").json()["rows"] != [{"one": 1}]
    assert web.rows("quality") == [{"one": 1}]
    assert before
    assert web.admin.put("/v1/published/sales/summary", json=GOOD).status_code == 404


@pytest.mark.parametrize(
    ("query", "code", "detail"),
    [
        ("contry=DE", "invalid_parameter", "query.contry: there is no such parameter; did you mean country?"),
        ("country=DE&country=FR", "invalid_parameter", "query.country: is given twice"),
        ("value_of_country=DE", "invalid_parameter", "there is no such parameter"),
        ("limit=0", "invalid_parameter", "limit"),
        ("limit=1000000", "page_too_large", "10,000"),
        ("snapshot=1&as_of=2024-01-01", "invalid_parameter", "not for both"),
        ("country=%00", "invalid_parameter", "NUL"),
    ],
)
def test_a_wrong_parameter_is_named(web, query, code, detail):
    answer = web.reader.get(f"/v1/my/orders?{query}")
    assert code_of(answer) == (422, code)
    assert detail in answer.json()["detail"]


def test_publishing_needs_admin_and_asking_read(web):
    writer_key = web.keys.create(TENANT, ("write",)).token
    headers = {"Authorization": f"Bearer {writer_key}"}
    for method, path in (("PUT", "/v1/published/x"), ("DELETE", "/v1/published/orders")):
        assert code_of(web.reader.request(method, path, json=GOOD)) == (403, "forbidden")
    for path in ("/v1/my/orders", "/v1/published", "/v1/published/orders", "/v1/openapi.json"):
        assert code_of(web.reader.get(path, headers=headers)) == (403, "forbidden")
        assert web.reader.get(path, headers={"Authorization": ""}).status_code == 401


def test_another_tenant_learns_nothing(web):
    same = [
        web.rival.get(path)
        for path in ("/v1/my/orders", "/v1/my/nothing", "/v1/published/orders", "/v1/definitions/my/orders")
    ]
    assert {code_of(answer) for answer in same} == {(404, "unknown_question")}
    assert all("Did you mean" not in answer.text for answer in same)
    assert web.rival.get("/v1/published").json()["questions"] == []
    for name in ("secrets", "secret"):
        answer = web.rival.put("/v1/published/x", json=sql(f"SELECT * FROM {name}"))
        assert code_of(answer) == (422, "invalid_sql")
        assert "Did you mean secrets" not in answer.json()["detail"]
    assert code_of(web.rival.put("/v1/published/x", json=sql("SELECT * FROM shop.main.secrets"))) == (
        422,
        "refused_sql",
    )
    assert web.rival.put("/v1/published/orders", json=GOOD).status_code == 200
    web.fresh()
    assert web.rival.get("/v1/my/orders").json()["rows"] == [{"orders": 0}]
    assert web.rows("orders") == [{"orders": 2}]


def test_a_trial_leaves_no_answer_behind(web):
    assert web.publish("tried", "SELECT 'old' AS word").status_code == 200
    assert web.admin.put("/v1/published/tried", json=sql("SELECT 'new' AS word, 1/0 AS y, $a AS a")).status_code == 422
    answer = web.reader.get("/v1/my/tried?limit=1").json()
    assert answer["rows"] == [{"word": "old"}]


def test_a_question_whose_dataset_is_not_there_at_a_snapshot_says_so(web):
    assert web.publish("plans", "SELECT plan FROM secrets").status_code == 200
    assert web.rows("plans") == [{"plan": "take over"}]
    assert code_of(web.reader.get("/v1/my/plans?snapshot=1")) == (404, "unknown_question")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"name": "evil", "definition": sql("SELECT * FROM read_text('/etc/passwd')")}, "refused_sql"),
        ({"name": "evil", "definition": sql("SELECT $x")}, "invalid_sql"),
        ({"name": "../evil", "definition": sql("SELECT 1")}, "invalid_parameter"),
        ({"name": "evil", "definition": {"title": "t"}}, "invalid_parameter"),
        ({"name": "evil"}, "invalid_input"),
    ],
)
def test_a_command_that_came_another_way_is_checked_too(web, arguments, code):
    body = b"a command in the inbox"
    info = web.shop.store.put("inbox/shop/_commands/x/x.json", body)
    upload = UploadedObject("inbox", "inbox/shop/_commands/x/x.json", info.version, code + str(arguments), len(body))
    from datetime import UTC, datetime

    entry = ledger.Entry(upload.upload_id, upload, "_commands", datetime.now(UTC))
    duck = web.shop.writer.open_duck()
    done, _ = run_command(duck, web.shop.writer, Command("publish_question", "somebody", arguments), entry)
    assert (done.status, done.reason_code) == ("held", code)
    web.fresh()
    assert web.reader.get("/v1/my/evil").status_code == 404
