"""RFM scores and segments: real ones as pandas found them (tests/oracles/rfm.py), and small ones worked out by hand."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from shared.keys import Keys
from tests.shop import TENANT
from tests.web import Web, web_of

ROOT = Path(__file__).parent.parent.parent
ORACLE = json.loads((ROOT / "tests/oracles/rfm.json").read_text())
LONDON = {"timezone": "Europe/London", "limit": 10_000}


@pytest.fixture(scope="module")
def retail(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("retail"))
    web.shop.upload("auto", "online_retail.parquet", ROOT / "samples/online_retail.parquet")
    return web


@pytest.mark.parametrize(
    ("name", "asked"),
    [("all", {}), ("90 days", {"window_days": 90}), ("90 days", {"from": "2011-09-11", "to": "2011-12-10"})],
)
@pytest.mark.parametrize("bins", ["ntile", "quantile"])
def test_scores_of_online_retail_are_those_of_pandas(retail, name, asked, bins):
    rows = retail.rows("customers/rfm", bins=bins, **LONDON, **asked)
    found = {
        row["customer_id"]: (row["recency_days"], row["orders"], Decimal(row["net_sales"]), row["rfm"]) for row in rows
    }
    place = 3 if bins == "ntile" else 4
    assert found == {
        customer: (one[0], one[1], Decimal(one[2]) / 1000, one[place]) for customer, one in ORACLE[name].items()
    }
    assert [row["rfm"] for row in rows] == sorted((row["rfm"] for row in rows), reverse=True)


def group(r: int, f: int, m: int) -> str:
    """Shopify's groups, read off its chart row by row instead of from the rules of the code."""
    columns = ("1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5")
    chart = {
        5: "New|Active|Active|Active|Active|Champions|Champions|Champions|Champions",
        4: "Promising|Active|Active|Active|Active|Loyal|Loyal|Loyal|Loyal",
        3: "Almost lost|Almost lost|Almost lost|Needs attention|Needs attention|Loyal|Loyal|Loyal|Loyal",
        2: "Dormant|Dormant|Dormant|At risk|At risk|At risk|At risk|Previously loyal|Previously loyal",
    }
    return chart[max(r, 2)].split("|")[columns.index(f"{(f + m) / 2:g}")]


@pytest.mark.parametrize("bins", ["ntile", "quantile"])
def test_segments_of_online_retail_are_the_scores_of_pandas_on_the_chart(retail, bins):
    grouped: dict[str, list[list[int]]] = {}
    for days, orders, net, *scores in ORACLE["all"].values():
        grouped.setdefault(group(*map(int, scores[bins == "quantile"])), []).append([days, orders, net])
    rows = {row["segment"]: row for row in retail.rows("customers/segments", bins=bins, **LONDON)}
    assert rows.keys() == {*grouped, "Prospects", None}
    whole = sum(Decimal(row["net_sales"]) for row in rows.values())
    assert whole == Decimal(retail.rows("sales/summary", customers="known")[0]["net_sales"])
    customers = sum(row["size"] for row in rows.values())
    assert customers == 4_372  # the published number of customers, with and without a sale
    for segment, found in grouped.items():
        row, size = rows[segment], len(found)
        days, orders, net = (sum(column) for column in zip(*found, strict=True))
        assert (row["size"], row["orders"], Decimal(row["net_sales"])) == (size, orders, Decimal(net) / 1000)
        expected = {
            "size_share": size / customers,
            "share": net / 1000 / float(whole),
            "mean_recency_days": days / size,
            "orders_per_customer": orders / size,
            "net_sales_per_customer": net / 1000 / size,
        }
        for name, value in expected.items():
            places = len(row[name].partition(".")[2])
            assert float(row[name]) == pytest.approx(value, abs=10**-places), name


def test_the_pages_of_scores_add_up(retail):
    rows, asked = [], {**LONDON, "limit": 1_500}
    path = "/v1/customers/rfm"
    while path:
        body = retail.client.get(path, params=asked).json()
        rows += body["rows"]
        asked, path = {**asked, "cursor": body["next"]}, path if body["next"] else ""
    assert rows == retail.rows("customers/rfm", **LONDON)


def test_segment_and_customer_choose_what_is_shown_but_not_who_is_ranked(retail):
    rows = retail.rows("customers/rfm", **LONDON)
    lost = retail.rows("customers/rfm", segment=["At risk", "Dormant"], **LONDON)
    assert lost == [row for row in rows if row["segment"] in ("At risk", "Dormant")]
    assert retail.rows("customers/rfm", customer=["12347"], **LONDON) == [
        row for row in rows if row["customer_id"] == "12347"
    ]


# --- by hand ---------------------------------------------------------------------------------------------------------

DAYS = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 2, "f": 3, "g": 4}
"""On which day of January each customer ordered, once, for ten a day."""


@pytest.fixture(scope="module")
def ties(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("ties"))
    rows = [f"{one},2024-01-{day:02}T12:00:00Z,{one},{10 * day},EUR" for one, day in DAYS.items()]
    rows += ["8,2024-01-05T00:00:00Z,,99,USD", "9,2024-01-02T09:00:00Z,h,-20,EUR"]
    web.shop.upload("orders", "o.csv", "\n".join(["order_id,ordered_at,customer_id,total,currency", *rows]) + "\n")
    people = "customer_id,name,country,created_at\na,Ada,DE,2023-01-01\np,Pia,DE,2023-01-01\nq,Quin,FR,2024-02-01\n"
    web.shop.upload("customers", "c.csv", people)
    web.fresh()
    return web


def scores(web: Web, **asked: object) -> dict[str, str]:
    return {row["customer_id"]: row["rfm"] for row in web.rows("customers/rfm", **asked)}


def test_ranks_break_ties_by_customer_id_and_the_lowest_fifths_are_larger(ties):
    # seven customers: two with score 1, two with 2, then one each. Everybody ordered once, so F follows the id alone.
    assert scores(ties) == {
        "a": "111", "b": "111", "c": "222", "d": "222", "e": "333", "f": "444", "g": "555",
    }  # fmt: skip


def test_quantiles_give_equal_values_equal_scores(ties):
    # R and M: below a and b is nobody, so 1; below c, d, e are 2 of 7, 1 + 10 // 7 = 2; below f are 5, 1 + 25 // 7 = 4;
    # below g are 6, 1 + 30 // 7 = 5. Everybody has one order: nobody is worse, so F is 1.
    assert scores(ties, bins="quantile") == {
        "a": "111", "b": "111", "c": "212", "d": "212", "e": "212", "f": "414", "g": "515",
    }  # fmt: skip


def test_fixed_limits_give_a_point_each(ties):
    # the guest's order ends the data on 5 January: recency is 5, 5, 4, 4, 4, 3, 2 days to the 6th
    fixed = {"bins": "fixed", "recency": "2,3,4,9", "monetary": "15,20,30.01,1000"}
    assert scores(ties, **fixed) == {
        "g": "514", "f": "413", "c": "313", "d": "313", "e": "313", "a": "211", "b": "211",
    }  # fmt: skip


def test_to_moves_the_moment_and_looks_at_nothing_after_it(ties):
    rows = ties.rows("customers/rfm", to="2024-01-02T18:00:00Z")
    assert {row["customer_id"]: row["recency_days"] for row in rows} == {"a": 1, "b": 1, "c": 0, "d": 0, "e": 0}
    assert [row["last_order"] for row in rows] == ["2024-01-02"] * 3 + ["2024-01-01"] * 2


def test_the_map_is_the_callers_and_its_first_rule_that_fits_counts(ties):
    asked = {"map": ["Late:r=1", "Rich:m=4-5", "Middle:fm=2.5-3.5, r=2-3"]}
    rows = {row["segment"]: row["size"] for row in ties.rows("customers/segments", **asked)}
    # c and d have FM 2, e has 3; h only returned; q came after the end of the data
    assert rows == {"Late": 2, "Rich": 2, "Middle": 1, "Other": 2, "Prospects": 1, None: 1}


def test_prospects_never_bought_and_who_bought_before_the_range_is_in_no_segment(ties):
    asked = {"from": "2024-01-03", "to": "2024-03-01", "map": ["All"]}
    rows = {row["segment"]: (row["size"], row["net_sales"]) for row in ties.rows("customers/segments", **asked)}
    assert rows == {"All": (2, "70.0000"), "Prospects": (2, "0.0000"), None: (6, "0.0000")}
    french = ties.rows("customers/segments", to="2024-03-01", map=["All"], country=["FR"])
    assert [(row["segment"], row["size"]) for row in french] == [("All", 0), ("Prospects", 1)]


def test_the_groups_are_all_there_also_without_customers(tmp_path):
    web = web_of(tmp_path)
    rows = web.rows("customers/segments")
    assert [row["segment"] for row in rows] == [
        "Champions", "Loyal", "Active", "New", "Promising", "Needs attention", "Almost lost", "Previously loyal",
        "At risk", "Dormant", "Prospects",
    ]  # fmt: skip
    assert {(row["size"], row["net_sales"], row["share"]) for row in rows} == {(0, "0.0000", None)}
    assert web.rows("customers/rfm") == []


def test_names_are_shown_to_who_may_see_them(ties):
    assert ties.rows("customers/rfm", customer=["a"])[0]["label"] == "Ada"
    token = Keys(ties.shop.store).create(TENANT, ["read"]).token
    asked = {"params": {"customer": "a"}, "headers": {"Authorization": f"Bearer {token}"}}
    assert ties.client.get("/v1/customers/rfm", **asked).json()["rows"][0]["label"] is None


def test_two_currencies_are_never_added(tmp_path):
    web = web_of(tmp_path)
    rows = "1,2024-01-01,a,10,EUR\n2,2024-01-02,b,20,USD\n3,2024-02-02,b,20,USD\n"
    web.shop.upload("orders", "o.csv", "order_id,ordered_at,customer_id,total,currency\n" + rows)
    for question in ("rfm", "segments"):
        answer = web.client.get(f"/v1/customers/{question}")
        assert (answer.status_code, answer.json()["code"]) == (400, "mixed_currencies")
    assert web.rows("customers/rfm", **{"from": "2024-02-01"})[0]["net_sales"] == "20.0000"
    web.shop.upload("rates", "r.csv", "day,base,currency,rate\n2024-01-01,EUR,USD,0.5\n2024-02-01,EUR,USD,0.25\n")
    assert [row["net_sales"] for row in web.rows("customers/rfm", convert="EUR")] == ["15.0000", "10.0000"]


@pytest.mark.parametrize(
    "asked",
    [
        "bins=fixed",
        "bins=fixed&monetary=1,2,3",
        "bins=fixed&monetary=1,2,2,3",
        "bins=fixed&monetary=1,2,NaN,4",
        "bins=fixed&monetary=1,2,3,Infinity",
        "window_days=30&from=2024-01-01",
        "window_days=0",
        "map=VIP:r=6",
        "map=VIP:r=5-4",
        "map=VIP:r=1,r=2",
        "map=VIP:x=1",
        "map=:r=1",
        "map=Prospects:r=1",
        "&".join(["map=VIP"] * 51),
        "bins=best",
        "customers=guest",
    ],
)
def test_what_cannot_be_asked_of_scores_is_refused_with_a_reason(ties, asked):
    for question in ("rfm", "segments"):
        answer = ties.client.get(f"/v1/customers/{question}?{asked}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter"), answer.text
