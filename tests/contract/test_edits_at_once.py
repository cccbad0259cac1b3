"""Edits of one row at the same time: what was read is compared inside the commit, not only before it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api_shop import ApiShop, api_shop_in, code_of

ROW = "/v1/datasets/orders/rows/1"


@pytest.fixture
def api(tmp_path) -> ApiShop:
    api = api_shop_in(tmp_path)
    assert api.client.put(ROW, json={"ordered_at": "2024-01-01", "total": 1, "country": "PL"}).status_code == 200
    return api


def after_the_check(api: ApiShop, act: Callable[[], object]) -> None:
    """Let something happen when the next edit was checked and is about to enter the inbox."""
    put = api.shop.store.put

    def first(key, body, **options):
        if not key.endswith("row.ndjson"):
            return put(key, body, **options)
        del api.shop.store.put
        act()
        return put(key, body, **options)

    api.shop.store.put = first


def row(api: ApiShop) -> dict:
    return api.client.get(ROW).json()["row"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_row_that_changed_after_the_check_is_not_overwritten(api, method):
    etag = api.client.get(ROW).headers["etag"]
    after_the_check(api, lambda: api.client.patch(ROW, json={"total": 5}))
    body = None if method == "DELETE" else {"ordered_at": "2024-01-09", "total": 9}
    answer = api.client.request(method, ROW, json=body, headers={"If-Match": etag})
    assert code_of(answer) == (412, "row_changed")
    assert (row(api)["total"], row(api)["country"]) == ("5.0000", "PL")
    ledger = api.shop.rows("SELECT status, reason_code FROM teal.uploads ORDER BY committed_at")
    assert ledger == [("loaded", ""), ("loaded", ""), ("held", "row_changed")], "what was not done can be looked at"


def test_two_that_insist_on_creating_create_one_row(api):
    address = "/v1/datasets/orders/rows/new"
    create = {"ordered_at": "2024-01-01", "total": 1}
    after_the_check(api, lambda: api.client.put(address, json=create | {"total": 2}))
    assert code_of(api.client.put(address, json=create, headers={"If-None-Match": "*"})) == (412, "row_changed")
    assert api.client.get(address).json()["row"]["total"] == "2.0000"


@pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}])
def test_a_change_of_some_columns_keeps_what_another_one_changed_meanwhile(api, headers):
    after_the_check(api, lambda: api.client.patch(ROW, json={"country": "IT"}))
    assert api.client.patch(ROW, json={"total": 7}, headers=headers).status_code == 200
    assert (row(api)["total"], row(api)["country"]) == ("7.0000", "IT")


def test_personal_data_that_is_not_seen_is_not_set_back(api):
    address = "/v1/datasets/customers/rows/c1"
    api.client.put(address, json={"email": "old@example.org", "city": "Rome"})
    seller = api.client_with("read", "write")
    after_the_check(api, lambda: api.client.patch(address, json={"email": "new@example.org"}))
    assert seller.put(address, json={"city": "Oslo"}).status_code == 200
    assert api.client.get(address).json()["row"]["email"] == "new@example.org"
    assert api.client.get(address).json()["row"]["city"] == "Oslo"


def test_changes_of_different_columns_at_once_are_all_kept(api):
    changes = [{"total": 11}, {"country": "FR"}, {"channel": "web"}, {"status": "paid"}]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda change: api.client_with("read", "write").patch(ROW, json=change), changes))
    assert [answer.status_code for answer in answers] == [200] * 4
    found = row(api)
    assert (found["total"], found["country"], found["channel"], found["status"]) == ("11.0000", "FR", "web", "paid")
