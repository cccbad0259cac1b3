"""What a connection keeps never shows: answers are the same as of one that keeps nothing, whatever was asked before."""

from __future__ import annotations

import json
import random
from itertools import product
from typing import Any

import pytest

from shared.answers.cache import AnswerCache
from shared.api.questions import QUESTIONS
from shared.asked import Asked
from shared.datasets.questions import customers
from shared.errors import InvalidParameterError
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from tests.shop import TENANT, Shop, shop_in

ORDERS = "order_id,ordered_at,customer_id,total,currency\n"
RATES = "currency,base,day,rate\n" + "".join(f"USD,EUR,2024-{month:02}-01,0.{80 + month}\n" for month in range(1, 13))
MONEY: tuple[dict[str, Any], ...] = ({"currency": "EUR"}, {"currency": "USD"}, {"convert": "EUR"}, {"convert": "USD"})
RANGES: tuple[dict[str, Any], ...] = ({}, {"from": "2024-03-01"}, {"to": "2024-06-01"}, {"kind": "goods"})
ASKED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("customers/top", {}),
    ("customers/top", {"by": "orders"}),
    ("customers/rfm", {}),
    ("customers/rfm", {"bins": "quantile", "segment": ["Loyal", "At risk"]}),
    ("customers/rfm", {"customer": ["c1", "c2"]}),
    ("customers/segments", {}),
    ("customers/segments", {"map": ["VIP:r=4-5,fm=4-5"]}),
    ("customers/cohorts", {"metric": "ltv"}),
    ("customers/cohorts", {"grain": "quarter", "metric": "net_sales"}),
    ("customers/repeat-rate", {"up_to": 3}),
)
CASES = [(name, asked | money | dates) for (name, asked), money, dates in product(ASKED, MONEY, RANGES)]
CASES += [("customers/detail", {"customer": "c3", **money}) for money in MONEY]


def orders_of(seed: int) -> str:
    dice = random.Random(seed)
    return ORDERS + "".join(
        f"{seed}-{n},2024-{dice.randint(1, 12):02}-{dice.randint(1, 28):02},c{dice.randrange(25)},"
        f"{dice.choice((10, 25.5, 99, -4))},{dice.choice(('EUR', 'USD'))}\n"
        for n in range(200)
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Shop:
    shop = shop_in(tmp_path_factory.mktemp("kept"))
    shop.upload("orders", "1.csv", orders_of(1))
    shop.upload("rates", "1.csv", RATES)
    shop.upload("customers", "1.csv", "customer_id,name\n" + "".join(f"c{n},Customer {n}\n" for n in range(30)))
    return shop


def asking(shop: Shop) -> AskQuestion:
    return AskQuestion(lambda tenant: shop.reader, Cursors(b"kept"), AnswerCache(0), QueryRules())


def rows_of(ask: AskQuestion, name: str, asked: dict[str, Any], limit: int | None = None) -> Any:
    question = QUESTIONS[name].model_validate(asked)
    content = ask(Asked(question=question, tenant=TENANT, sees_personal=True, limit=limit)).content
    return json.loads(content or b"{}")["rows"]


def test_answers_are_the_same_whatever_was_kept_before(shop, monkeypatch):
    dice = random.Random(3)
    ask = asking(shop)
    kept = {json.dumps(case): rows_of(ask, *case) for case in dice.sample(CASES * 2, 2 * len(CASES))}
    assert sum(len(rows) > 3 for rows in kept.values()) > len(CASES) / 2
    monkeypatch.setattr(customers, "MAX_KEPT", -1)
    for case in dice.sample(CASES, 60):
        shop.reader.close()  # the next one is a new connection, which keeps nothing yet
        assert rows_of(ask, *case) == kept[json.dumps(case)], case


def test_a_quote_refuses_what_asking_refuses(shop):
    question = QUESTIONS["customers/rfm"].model_validate({"convert": "EUR", "map": ["VIP:r=9"]})
    for way in (asking(shop), asking(shop).quote):
        with pytest.raises(InvalidParameterError):
            way(Asked(question=question, tenant=TENANT))


def test_a_page_begins_where_the_one_before_ended(shop):
    ask = asking(shop)
    for name in ("customers/top", "customers/rfm"):
        whole = rows_of(ask, name, {"convert": "EUR"})
        question = QUESTIONS[name].model_validate({"convert": "EUR"})
        cursor, rows = None, []
        while len(rows) < len(whole):
            answer = ask(Asked(question=question, tenant=TENANT, sees_personal=True, limit=4, cursor=cursor))
            told = json.loads(answer.content or b"{}")
            rows += told["rows"]
            cursor = told["next"]
        assert (rows, cursor) == (whole, None)


def test_what_is_kept_belongs_to_its_snapshot(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("orders", "1.csv", f"{ORDERS}1,2024-01-01,a,10,EUR\n2,2024-01-02,b,20,EUR\n")
    asked = ("customers/top", {"currency": "EUR"})
    assert [row["customer_id"] for row in rows_of(asking(shop), *asked)] == ["b", "a"]
    shop.upload("orders", "2.csv", f"{ORDERS}3,2024-01-03,a,15,EUR\n")
    assert [row["customer_id"] for row in rows_of(asking(shop), *asked)] == ["a", "b"]
