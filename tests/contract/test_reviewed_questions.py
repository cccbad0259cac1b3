"""Parameters at the edge of what questions and rows take: refused with a code, and bounded in what they cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from shared.cli.questions import ask
from tests.api_shop import code_of
from tests.maintained import tidy_of
from tests.servers import REPOSITORY
from tests.shop import TENANT
from tests.web import Web, web_of

ORDERS = (
    "order_id,ordered_at,customer_id,total,country\n"
    "1,2024-01-05T10:00:00Z,c1,10.50,DE\n"
    "2,2024-03-06T10:00:00Z,c2,20,FR\n"
    "3,2024-04-07T10:00:00Z,c2,5,FR\n"
)


@pytest.fixture(scope="module")
def web(tmp_path_factory) -> Web:
    web = web_of(tmp_path_factory.mktemp("reviewed"))
    assert web.shop.upload("orders", "orders.csv", ORDERS).status == "loaded"
    return web


@pytest.mark.parametrize(
    "asked",
    [
        "sales/summary?from=0001-01-01&to=0001-02-01&compare=previous_year",
        "sales/summary?from=0001-01-01&to=2011-02-01&compare=previous_period",
        "sales/by-period?from=0001-01-01&to=0001-02-01&compare=previous_period",
        "sales/by?dimension=country&from=0001-01-01&to=0001-02-01&compare=previous_year",
        "sales/by-period?from=0001-01-01T00:00:00Z&to=0001-02-01&timezone=America/New_York",
        "sales/summary?from=0001-01-01T00:00:00%2B14:00",
        "sales/summary?to=9999-12-31T23:00:00-12:00",
        "sales/by-period?grain=year&to=9999-12-31T23:00:00Z&timezone=Asia/Tokyo",
    ],
)
def test_a_time_that_no_calendar_has_is_refused(web, asked):
    assert code_of(web.client.get(f"/v1/{asked}")) == (422, "invalid_parameter")


def test_the_first_and_the_last_day_there_are_can_be_asked_for(web):
    assert web.rows("sales/summary", **{"from": "0001-01-01", "to": "9999-12-31"})[0]["orders"] == 3
    rows = web.rows("sales/by-period", **{"from": "0001-01-01", "to": "9999-12-31", "grain": "year"})
    assert len(rows) == 9_999
    assert [row["period"] for row in rows if row["orders"]] == ["2024-01-01"]


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("grain=hour&from=0001-01-01&to=9999-12-31", 422),
        ("grain=hour&from=0001-01-01", 422),
        ("grain=hour&to=9999-12-31", 422),
        ("grain=day&from=0001-01-01&to=9999-12-31", 422),
        ("grain=hour&from=0001-01-01&to=9999-12-31&fill=false", 200),
        ("grain=hour&limit=1", 200),
        ("grain=hour&from=2004-01-01&to=2024-01-01&limit=1", 200),
    ],
)
def test_periods_without_end_are_refused_before_anything_is_run(web, asked, status):
    started = time.monotonic()
    answer = web.client.get(f"/v1/sales/by-period?{asked}")
    assert answer.status_code == status, answer.text
    assert status == 200 or "200,000 periods" in answer.json()["detail"]
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("more", ["", "&dry_run=1"])
@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("limit=0", (422, "invalid_parameter")),
        ("limit=-1", (422, "invalid_parameter")),
        ("limit=10001", (422, "page_too_large")),
        ("timezone=Mars", (422, "invalid_timezone")),
        ("timezone=", (422, "invalid_timezone")),
        ("from=yesterday", (422, "invalid_parameter")),
        ("from=2024-02-01&to=2024-01-01", (422, "invalid_parameter")),
        ("compare=previous_year", (422, "invalid_parameter")),
        ("snapshot=999999", (404, "snapshot_not_found")),
    ],
)
def test_what_is_wrong_is_refused_whatever_the_caller_has_already(web, asked, problem, more):
    address = f"/v1/sales/summary?{asked}{more}"
    assert code_of(web.client.get(address)) == problem
    assert code_of(web.client.get(address, headers={"If-None-Match": "*"})) == problem


def test_whoever_has_any_answer_gets_none_again(web):
    address = "/v1/sales/summary?country=DE"
    assert web.client.get(address, headers={"If-None-Match": "*"}).status_code == 304
    etag = web.client.get(address).headers["etag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        assert web.client.get(address, headers={"If-None-Match": given}).status_code == 304
    assert web.client.get(address, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_period_after_one_without_orders_is_beside_zeros(web):
    asked = {"grain": "month", "from": "2024-01-01", "to": "2024-05-01", "compare": "previous_period"}
    rows = web.rows("sales/by-period", **asked)
    told = [(row["net_sales"], row["net_sales_previous"], row["net_sales_change"]) for row in rows]
    assert [(float(now), float(then), change and float(change)) for now, then, change in told] == [
        (10.5, 0, None),
        (0, 10.5, -1),
        (20, 0, None),
        (5, 20, -0.75),
    ]
    assert [(row["orders_previous"], row["units_previous"]) for row in rows][::2] == [(0, 0), (0, 0)]
    assert [row["aov_previous"] is None for row in rows] == [True, False, True, False]
    sparse = web.rows("sales/by-period", **asked, fill=False)
    assert [(row["period"], row["orders_previous"]) for row in sparse] == [
        ("2024-01-01", None),
        ("2024-03-01", None),
        ("2024-04-01", 1),
    ]


def test_what_is_said_of_datasets_at_a_snapshot_survives_maintenance(tmp_path):
    web = web_of(tmp_path)
    for number in range(6):
        body = f"order_id,ordered_at,total\n{number},2024-01-0{number + 1},1\n"
        web.shop.upload("orders", f"{number}.csv", body)
    newest = web.client.get("/v1/datasets/orders").json()
    assert newest["files"] > 1
    at = newest["snapshot"]
    then = web.client.get(f"/v1/snapshots/{at}").json()["committed_at"]
    addresses = [
        f"/v1/datasets{path}?{asked}" for path in ("", "/orders") for asked in (f"snapshot={at}", f"as_of={then}")
    ]
    before = [web.client.get(address).content for address in addresses]
    assert b'"rows":6' in before[2]
    assert not any(b'"files"' in body or b'"bytes"' in body for body in before)
    tidy_of(web.shop).tidy(TENANT)
    fresh = web_of(tmp_path)
    assert [fresh.client.get(address).content for address in addresses] == before
    assert fresh.client.get("/v1/datasets/orders").json()["files"] < newest["files"]


def test_a_put_can_insist_that_it_creates(tmp_path):
    web, address = web_of(tmp_path), "/v1/datasets/orders/rows/1"
    create = {"If-None-Match": "*"}
    assert web.client.put(address, json={"ordered_at": "2024-01-01", "total": 1}, headers=create).status_code == 200
    refused = web.client.put(address, json={"ordered_at": "2024-01-02", "total": 2}, headers=create)
    assert code_of(refused) == (412, "row_changed")
    assert web.client.get(address).json()["row"]["total"] == "1.0000"


def test_an_edit_takes_one_of_several_etags_and_no_weak_one(tmp_path):
    web, address = web_of(tmp_path), "/v1/datasets/orders/rows/1"
    etag = web.client.put(address, json={"ordered_at": "2024-01-01"}).headers["etag"]
    weak = web.client.patch(address, json={"total": 2}, headers={"If-Match": f"W/{etag}"})
    assert code_of(weak) == (412, "row_changed")
    listed = web.client.patch(address, json={"total": 2}, headers={"If-Match": f'"other", {etag}'})
    assert listed.status_code == 200
    assert web.client.patch(address, json={"total": 3}, headers={"If-Match": "*"}).status_code == 200


@pytest.mark.parametrize("given", ["*", '"some"'])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_an_edit_of_a_row_that_is_gone_is_refused_when_it_insists_on_one(web, method, given):
    body = None if method == "DELETE" else {"ordered_at": "2024-01-01"}
    headers = {"If-Match": given}
    answer = web.client.request(method, "/v1/datasets/orders/rows/none", json=body, headers=headers)
    assert code_of(answer) == (412, "row_changed")
    assert web.client.get("/v1/datasets/orders/rows/none").status_code == 404


def test_the_command_takes_json_as_every_other_does_and_no_two_formats():
    refused = CliRunner().invoke(ask, ["sales/summary", "--json", "--format", "csv"])
    assert (refused.exit_code, "cannot both be" in refused.output) == (2, True)


def test_the_command_writes_json_for_scripts(tmp_path):
    orders = tmp_path / "orders.csv"
    orders.write_text(ORDERS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}

    def teal(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-m", "shared.cli", *arguments],
            env={**environment, "TEAL_LAKE": str(tmp_path / "lake"), "TEAL_FRESHNESS_SECONDS": "0"},
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    teal("upload", str(orders), "--dataset", "orders")
    told = teal("ask", "sales/summary", "--json")
    assert json.loads(told)["rows"][0]["orders"] == 3
    assert teal("ask", "sales/summary", "--json", "--format", "json") == told
