"""A published question is asked like a built-in one: formats, pages, ETags, time travel, quote; on any store."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pandas
import pyarrow.ipc
import pytest

from shared.datasets.question import QUESTIONS
from shared.rollback import roll_back
from tests.published_web import PublishedWeb, published_web_on

HEADER = "order_id,ordered_at,customer_id,status,country,total\n"
ORDERS = [(f"{n:03}", f"c{n % 7}", "paid" if n % 3 else "open", ("DE", "FR", "AT")[n % 3], n % 10) for n in range(120)]
SQL = """
SELECT country, count(*) AS orders, sum(total) AS total
FROM orders
WHERE total >= $least AND (len($countries) = 0 OR country IN $countries) AND ordered_at < $until
GROUP BY ALL
ORDER BY orders DESC;
"""
QUESTION: dict[str, Any] = {
    "title": "Orders by country",
    "description": "Orders of at least an amount, by country.",
    "parameters": [
        {"name": "least", "type": "decimal", "default": "0", "minimum": 0, "description": "Smallest total."},
        {"name": "countries", "type": "text_list", "default": [], "allowed": ["DE", "FR", "AT"]},
        {"name": "until", "type": "timestamp", "default": "committed_at"},
    ],
    "example": {"least": "2.50"},
}


def lines(orders: list[tuple]) -> str:
    return HEADER + "".join(
        f"{number},2024-01-01T10:00:00Z,{customer},{status},{country},{total}\n"
        for number, customer, status, country, total in orders
    )


def by_country(orders: list[tuple], least: float = 0, countries: tuple[str, ...] = ("DE", "FR", "AT")) -> list[tuple]:
    """What the question answers, in plain Python."""
    found: dict[str, list[int]] = {}
    for _, _, _, country, total in orders:
        if total >= least and country in countries:
            found.setdefault(country, []).append(total)
    rows = [(country, len(totals), Decimal(sum(totals))) for country, totals in found.items()]
    return sorted(rows, key=lambda row: (-row[1], *row))


def told(rows: list[dict]) -> list[tuple]:
    return [(row["country"], row["orders"], Decimal(row["total"])) for row in rows]


@pytest.fixture
def web(store) -> PublishedWeb:
    web = published_web_on(store)
    web.shop.upload("orders", "a.csv", lines(ORDERS))
    answer = web.publish("by-country", SQL, **QUESTION)
    assert answer.status_code == 200, answer.text
    return web


stores = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)
folder = pytest.mark.parametrize("store_spec", ["folder"], indirect=True)


@stores
def test_it_answers_with_its_parameters_like_any_question(web):
    assert told(web.rows("by-country")) == by_country(ORDERS)
    assert told(web.rows("by-country", least="2.5")) == by_country(ORDERS, 2.5)
    assert told(web.rows("by-country", countries=["FR", "AT"])) == by_country(ORDERS, countries=("FR", "AT"))
    assert web.rows("by-country", until="2023-12-31") == []
    answer = web.reader.get("/v1/my/by-country?least=3")
    body = answer.json()
    assert {name: body[name] for name in ("question", "parameters", "definition", "next")} == {
        "question": "my/by-country",
        "parameters": {"least": "3", "countries": []},
        "definition": "/v1/definitions/my/by-country",
        "next": None,
    }
    assert [(one["name"], one["type"]) for one in body["columns"]] == [
        ("country", "VARCHAR"),
        ("orders", "BIGINT"),
        ("total", "DECIMAL(38,4)"),
    ]
    assert answer.headers["teal-snapshot"] == str(body["snapshot"])
    assert answer.headers["teal-receipt"].startswith("bytes=")
    assert answer.headers["cache-control"] == "private, max-age=0, must-revalidate"
    assert web.reader.get("/v1/my/by-country?numbers=number").json()["rows"][0]["total"] == float(
        by_country(ORDERS)[0][2]
    )
    assert web.reader.head("/v1/my/by-country").headers["etag"]


@stores
def test_every_format_holds_the_same_rows(web):
    expected = by_country(ORDERS)
    csv = pandas.read_csv(io.BytesIO(web.reader.get("/v1/my/by-country?format=csv").content), dtype=str)
    parquet = pandas.read_parquet(io.BytesIO(web.reader.get("/v1/my/by-country?format=parquet").content))
    arrow = web.reader.get("/v1/my/by-country", headers={"Accept": "application/vnd.apache.arrow.stream"})
    for frame in (csv, parquet, pyarrow.ipc.open_stream(arrow.content).read_all().to_pandas()):
        rows = [(row.country, int(row.orders), Decimal(row.total)) for row in frame.itertuples()]
        assert rows == expected


@stores
def test_an_answer_that_the_caller_has_is_304_until_data_or_definition_change(web):
    def etag(path: str = "/v1/my/by-country") -> str:
        return str(web.reader.get(path).headers["etag"])

    first = etag()
    again = web.reader.get("/v1/my/by-country", headers={"If-None-Match": first})
    assert (again.status_code, again.content) == (304, b"")
    assert etag("/v1/my/by-country?least=1") != first
    assert etag("/v1/my/by-country?format=csv") != first
    assert web.admin.get("/v1/my/by-country").headers["etag"] != first  # who may see personal data gets an answer apart
    web.publish("by-country", SQL.replace("DESC", "ASC"), **QUESTION)
    second = etag()
    assert second != first
    web.shop.upload("orders", "b.csv", lines([("900", "c1", "paid", "DE", 5)]))
    assert etag() not in (first, second)


@stores
def test_the_same_snapshot_gives_the_same_bytes_whatever_is_published_later(web):
    first = web.reader.get("/v1/my/by-country")
    snapshot, moment = first.headers["teal-snapshot"], datetime.now(UTC)
    web.shop.upload("orders", "b.csv", lines([("900", "c1", "paid", "DE", 5)]))
    web.publish("by-country", "SELECT country, -count(*) AS orders, 0.0 AS total FROM orders GROUP BY ALL")
    web.admin.delete("/v1/published/by-country")
    web.fresh()
    assert web.reader.get("/v1/my/by-country").status_code == 404
    pinned = web.reader.get(f"/v1/my/by-country?snapshot={snapshot}")
    assert (pinned.status_code, pinned.content) == (200, first.content)
    assert "immutable" in pinned.headers["cache-control"]
    then = web.reader.get("/v1/my/by-country", params={"as_of": moment.isoformat()})
    assert (then.status_code, then.content) == (200, first.content)
    assert told(web.reader.get(f"/v1/my/by-country?snapshot={snapshot}&least=2").json()["rows"]) == by_country(
        ORDERS, 2
    )


@stores
def test_pages_keep_to_the_definition_and_the_data_of_their_first_one(web):
    web.publish("by-total", "SELECT total, order_id FROM orders ORDER BY total")
    expected = sorted((total, number) for number, _, _, _, total in ORDERS)
    rows, path, pages = [], "/v1/my/by-total?limit=50", 0
    while path:
        answer = web.reader.get(path)
        assert answer.status_code == 200, answer.text
        rows += answer.json()["rows"]
        if pages == 0:
            web.shop.upload("orders", "b.csv", lines([("000a", "c1", "paid", "DE", 0)]))
            web.publish("by-total", "SELECT total, order_id FROM orders ORDER BY total DESC")
        path, pages = answer.links["next"]["url"] if answer.links else "", pages + 1
    assert pages == 3
    assert [(int(Decimal(row["total"])), row["order_id"]) for row in rows] == expected
    assert web.reader.get("/v1/my/by-total?limit=50&cursor=forged").json()["code"] == "invalid_cursor"


@stores
def test_a_rollback_brings_a_former_definition_back(web):
    snapshot = int(web.reader.get("/v1/my/by-country").headers["teal-snapshot"])
    web.publish("by-country", "SELECT 1 AS one")
    assert web.rows("by-country") == [{"one": 1}]
    roll_back(web.shop.writer, snapshot, author="test")
    web.fresh()
    assert told(web.rows("by-country")) == by_country(ORDERS)


@folder
def test_a_quote_says_what_asking_would_read(web):
    quote = web.reader.get("/v1/my/by-country?dry_run=1").json()
    assert (quote["question"], quote["files"]) == ("my/by-country", 1)
    assert quote["bytes"] > 0


@folder
def test_its_definition_and_its_history_are_told(web):
    web.publish("by-country", SQL, **{**QUESTION, "title": "Again"})
    one = web.reader.get("/v1/published/by-country").json()
    author = web.admin.headers["authorization"].split("_")[1]
    assert (one["title"], one["version"], one["author"], one["url"]) == ("Again", 2, author, "/v1/my/by-country")
    assert one["definition"]["sql"] == SQL
    assert [(version["version"], version["removed"]) for version in one["history"]] == [(2, False), (1, False)]
    earlier = web.reader.get(f"/v1/published/by-country?snapshot={one['snapshot'] - 1}").json()
    assert (earlier["title"], earlier["version"], len(earlier["history"])) == ("Orders by country", 1, 1)
    served = web.reader.get("/v1/definitions/my/by-country").json()
    assert (served["own"], served["definition"]) == (True, QUESTION["description"])
    assert served["sql"] == {"my/by-country": SQL}
    assert "| `least` | decimal | Smallest total. | `0` |" in served["text"]
    listed = web.reader.get("/v1/questions").json()["questions"]
    assert [one["name"] for one in listed if one.get("own")] == ["my/by-country"]
    assert "my/by-country" not in QUESTIONS
    message = web.reader.get("/v1/snapshots").json()["snapshots"][0]
    assert message["author"] == author
    assert message["message"].startswith("question by-country published")


@folder
def test_the_tenants_own_document_describes_its_parameters_and_the_public_one_does_not(web):
    own = web.reader.get("/v1/openapi.json").json()
    operation = own["paths"]["/v1/my/by-country"]["get"]
    parameters = {one["name"]: one for one in operation["parameters"]}
    assert operation["summary"] == "Orders by country"
    assert parameters["countries"]["schema"]["items"]["enum"] == ["DE", "FR", "AT"]
    assert {"least", "until", "snapshot", "as_of", "format", "limit", "cursor", "dry_run"} <= set(parameters)
    assert "name" not in parameters
    assert own["paths"].keys() - {"/v1/my/by-country"} == web.reader.get("/openapi.json").json()["paths"].keys() - {
        "/v1/my/{name}"
    }
    assert "by-country" not in web.reader.get("/openapi.json").text
    assert "/v1/my/by-country" not in web.rival.get("/v1/openapi.json").json()["paths"]


@folder
def test_personal_data_comes_out_empty_unless_the_key_may_see_it(web):
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc1,Ann,ann@example.org\n")
    web.publish("people", "SELECT customer_id, email FROM customers WHERE $like IS NULL OR email LIKE $like",
                parameters=[{"name": "like"}])  # fmt: skip
    assert web.rows("people") == [{"customer_id": "c1", "email": None}]
    assert web.rows("people", like="ann%") == []
    seen = web.admin.get("/v1/my/people").json()["rows"]
    assert seen == [{"customer_id": "c1", "email": "ann@example.org"}]
    assert web.rows("people") == [{"customer_id": "c1", "email": None}]
