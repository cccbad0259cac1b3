"""Answers too large for one reply of a platform: kept in the lake, fetched from a signed URL, by their tenant."""

from __future__ import annotations

import duckdb
import pytest

from shared.answers.cache import AnswerCache
from shared.api.app import MoreRoutes
from shared.api.questions import question_router
from shared.paging import Cursors
from shared.query import AskQuestion, QueryRules
from tests.api_shop import SECRET, ApiShop, api_shop_in, code_of
from tests.shop import TENANT

ROWS = "".join(f"{number},2024-01-{number % 28 + 1:02},{number}\n" for number in range(900))
MOST = 2_500
ADDRESSES = [
    "/v1/datasets/orders/rows?limit=900",
    "/v1/datasets/orders/rows?limit=900&format=csv",
    "/v1/datasets/orders/rows?limit=900&format=parquet",
    "/v1/sales/by-period?grain=day",
    "/v1/sales/by-period?grain=day&format=csv",
]


def shops(folder, most: int) -> ApiShop:
    made: list[ApiShop] = []

    def questions(principal):
        ask = AskQuestion(lambda tenant: made[0].shop.reader, Cursors(SECRET), AnswerCache(1 << 20), QueryRules())
        return question_router(ask, principal)

    made.append(api_shop_in(folder, max_inline_bytes=most, more=(MoreRoutes(questions),)))
    return made[0]


@pytest.fixture(scope="module")
def apis(tmp_path_factory) -> tuple[ApiShop, ApiShop]:
    """The same lake behind an API that answers everything inline, and one that answers little."""
    folder = tmp_path_factory.mktemp("large")
    inline = shops(folder, 0)
    assert inline.shop.upload("orders", "a.csv", f"order_id,ordered_at,total\n{ROWS}").status == "loaded"
    return inline, shops(folder, MOST)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_large_answer_is_found_at_a_signed_url_and_is_the_same(apis, tmp_path, address):
    inline, small = apis
    wanted = inline.client.get(address)
    assert wanted.status_code == 200
    assert len(wanted.content) > MOST
    answer = small.client.get(address)
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["etag"] == wanted.headers["etag"]
    fetched = small.anonymous().get(answer.headers["location"])
    assert (fetched.status_code, fetched.headers["content-type"]) == (200, wanted.headers["content-type"])
    if "parquet" in address:
        (tmp_path / "rows.parquet").write_bytes(fetched.content)
        assert duckdb.read_parquet(str(tmp_path / "rows.parquet")).shape[0] == 900
    assert fetched.content == wanted.content
    known = small.client.get(address, headers={"If-None-Match": answer.headers["etag"]})
    assert known.status_code == 304, "who has it need not fetch it again"


def test_a_small_answer_is_inline(apis):
    _, small = apis
    assert small.client.get("/v1/datasets/orders/rows?limit=3").status_code == 200
    assert small.client.get("/v1/sales/summary").status_code == 200


def test_a_large_answer_is_kept_among_its_tenant_s_own_and_its_url_is_of_no_use_when_changed(apis):
    _, small = apis
    location = small.client.get(ADDRESSES[0]).headers["location"]
    assert f"/lake/{TENANT}/answers/" in location
    other = location.replace(f"/lake/{TENANT}/answers/", f"/lake/{TENANT}/held/")
    assert code_of(small.anonymous().get(other))[0] in (401, 403)
