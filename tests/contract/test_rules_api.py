"""Keys with rules over HTTP: questions, rows, published questions and SQL show a part; all else is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.api.auth import PUBLIC, SCOPE_OF
from shared.errors import InvalidKeyRequestError
from shared.keys import READING
from shared.storage.folder import FolderStore
from tests.published_web import PublishedWeb, code_of, published_web_on
from tests.shop import TENANT

RULES = {"rows": {"orders": {"country": "DE"}}, "masked": {"orders": ["channel"], "customers": ["country"]}}


@pytest.fixture(scope="module")
def web(tmp_path_factory):
    web = published_web_on(FolderStore(tmp_path_factory.mktemp("rules")))
    orders = "".join(f"o{n},2024-01-0{1 + n % 9},c{n % 3},{'DE' if n % 4 else 'FR'},web,10.00\n" for n in range(40))
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,country,channel,total\n" + orders)
    lines = "".join(f"o{n},1,p1,1,10.00\n" for n in range(40))
    web.shop.upload("order_items", "l.csv", "order_id,line_id,product_id,quantity,unit_price\n" + lines)
    web.shop.upload("customers", "c.csv", "customer_id,name,email,country\nc0,Ann,ann@example.org,DE\n")
    web.fresh()
    yield web
    web.runner.close()


@pytest.fixture(scope="module")
def part(web):
    return web.client("read", "sql", rules=RULES)


@pytest.fixture(scope="module")
def whole(web):
    return web.client("read", "sql")


def asked(client, sql: str) -> list[list[object]]:
    answer = client.post("/v1/sql", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    return [list(row.values()) for row in answer.json()["rows"]]


def test_questions_and_rows_show_the_part(part, whole):
    assert part.get("/v1/sales/summary").json()["rows"][0]["orders"] == 30
    assert whole.get("/v1/sales/summary").json()["rows"][0]["orders"] == 40
    rows = part.get("/v1/datasets/orders/rows").json()
    assert ({row["country"] for row in rows["rows"]}, len(rows["rows"])) == ({"DE"}, 30)
    assert rows["masked"] == ["channel"]
    assert part.get("/v1/datasets/orders/rows/o0").status_code == 404  # it is French
    assert part.get("/v1/datasets/orders/rows/o1").json()["row"]["channel"] is None


def test_sql_shows_the_part_whatever_it_says(part, whole):
    assert asked(part, "SELECT count(*), count(DISTINCT country), count(channel) FROM orders") == [[30, 1, 0]]
    assert asked(whole, "SELECT count(*), count(DISTINCT country), count(channel) FROM orders") == [[40, 2, 40]]
    assert asked(part, "SELECT count(*) FROM order_items") == [[30]]
    assert asked(part, "SELECT count(*) FROM orders WHERE country = 'FR' OR true") == [[30]]
    assert asked(part, "SELECT country, email FROM customers") == [[None, None]]
    for sql in ("SELECT count(*) FROM lake.main.orders", "SELECT count(*) FROM memory.main.orders o, lake.orders"):
        assert part.post("/v1/sql", json={"sql": sql}).status_code == 422
    assert asked(part, "SELECT count(*) FROM main.orders") == [[30]]


def test_a_published_question_shows_each_key_its_part(web, part, whole):
    assert web.publish("count-orders", "SELECT count(*) AS n FROM orders").status_code == 200
    assert part.get("/v1/my/count-orders").json()["rows"] == [{"n": 30}]
    assert whole.get("/v1/my/count-orders").json()["rows"] == [{"n": 40}]


def test_an_answer_for_one_is_never_that_for_the_other(part, whole):
    for path in ("/v1/sales/summary", "/v1/my/count-orders"):
        etag = whole.get(path).headers["etag"]
        told = part.get(path, headers={"If-None-Match": etag})
        assert (told.status_code, told.headers["etag"] != etag) == (200, True)


def test_whatever_shows_the_whole_lake_is_refused(web, part):
    """Every route of the table that a key with rules might have the scope for."""
    refused = 0
    for (method, path), scope in web.app.state.admission.scope_of.items():
        if scope not in ("read", "sql") or (method, path) in web.app.state.admission.keeps_rules:
            continue
        address = path.replace("{key:path}", "x").replace("{from_id}", "1").replace("{to_id}", "1")
        for name in ("upload_id", "dataset", "snapshot_id", "name"):
            address = address.replace("{" + name + "}", "1")
        assert code_of(part.request(method, address)) == (403, "rules_not_kept"), (method, path)
        refused += 1
    assert refused > 5


def test_what_keeps_rules_is_in_the_table(web):
    admission = web.app.state.admission
    assert set(admission.keeps_rules) <= set(admission.scope_of)
    assert all(set(admission.scope_of[route].split(" or ")) <= READING for route in admission.keeps_rules)
    assert all(scope != PUBLIC or "/v1/objects" in path or "{" not in path or "name" in path or "code" in path
               for (_, path), scope in SCOPE_OF.items())  # fmt: skip


@pytest.mark.parametrize("scopes", [("read", "write"), ("admin",), ("read", "admin")])
def test_a_key_that_writes_has_no_rules(web, scopes):
    with pytest.raises(InvalidKeyRequestError, match="read and sql"):
        web.client(*scopes, rules=RULES)


def test_a_rotated_key_keeps_its_rules(web):
    former = web.keys.list(TENANT)
    kept = next(key for key in former if key.rules)
    made = web.keys.rotate(kept.key_id)
    assert made.key.rules == kept.rules
    assert web.keys.verify(made.token).rules.document() == RULES


def test_rules_that_do_not_fit_show_nothing(web: PublishedWeb, tmp_path: Path):
    client = web.client("read", "sql", rules={"rows": {"ordres": {"country": "DE"}}})
    for path in ("/v1/sales/summary", "/v1/datasets/orders/rows", "/v1/my/count-orders"):
        assert code_of(client.get(path)) == (403, "rules_do_not_fit")
    assert code_of(client.post("/v1/sql", json={"sql": "SELECT 1"})) == (403, "rules_do_not_fit")
