"""What cases drawn from the OpenAPI document found once, each held here by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from shared import bootstrap
from tests.api_shop import code_of
from tests.openapi_web import TENANT, OpenApiWeb, openapi_web_in

LIMITS = {"requests_per_second": 1.0, "page_rows": 1.0}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApiWeb]:
    with openapi_web_in(tmp_path_factory.mktemp("found")) as web:
        yield web


def client_with(web: OpenApiWeb, *scopes: str) -> TestClient:
    token = bootstrap.keys().create(TENANT, scopes).token
    return TestClient(web.app, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)


def test_a_key_that_may_write_cannot_make_a_dataset_of_commands_and_give_orders_by_its_rows(web: OpenApiWeb) -> None:
    writer = client_with(web, "read", "write")
    narrow = {"name": "orders", "columns": [{"name": "a"}], "key": ["a"]}
    refused = web.client.put("/v1/datasets/orders", json=narrow).json()
    assert refused["code"] == "command_refused"
    replayed = writer.post(f"/v1/uploads/{refused['upload_id']}/replay", json={})
    assert code_of(replayed) == (409, "nothing_to_replay")
    # Whoever may write into the bucket is refused by the one who obeys.
    order = bootstrap.uploads().command
    state = order(bootstrap.credentials().verify(web.token), "replay", {"upload_id": refused["upload_id"]})
    assert (state.status, state.reason_code) == ("held", "invalid_input")
    names = [one["name"] for one in web.client.get("/v1/datasets").json()["datasets"]]
    assert not [name for name in names if name.startswith("_")]
    own = {"name": "orders", "columns": [{"name": "b"}], "key": ["b"]}
    rows = {"command": "register_contract", "contract": own}
    assert code_of(writer.put("/v1/datasets/_commands/rows/0", json=rows)) == (404, "unknown_dataset")
    assert code_of(writer.post("/v1/datasets/_commands/rows", json=rows)) == (404, "unknown_dataset")


def test_a_replay_is_replayed_as_the_file_that_it_brought_in(web: OpenApiWeb) -> None:
    first = web.client.post(f"/v1/uploads/{web.held}/replay", json={}).json()
    again = web.client.post(f"/v1/uploads/{first['upload_id']}/replay", json={}).json()
    assert (first["reason"], first["replay_of"]) == (again["reason"], again["replay_of"])
    assert "the file has order_id." in again["reason"]


def test_a_refused_method_is_told_every_method_of_the_address(web: OpenApiWeb) -> None:
    def allowed(path: str) -> set[str]:
        return set(web.client.request("TRACE", path).headers["allow"].split(", "))

    assert allowed("/v1/keys") == {"GET", "HEAD", "POST"}
    assert allowed("/v1/datasets/orders/rows/1") == {"DELETE", "GET", "HEAD", "PATCH", "PUT"}
    assert allowed("/v1/sales/summary") == {"GET", "HEAD"}


def test_a_limit_of_almost_no_requests_is_refused_since_nothing_could_be_answered_then(web: OpenApiWeb) -> None:
    def limited(limits: dict[str, float]) -> tuple[int, str]:
        answer = web.client.patch("/v1/tenants/creek", json={"limits": limits})
        return (200, "") if answer.status_code == 200 else code_of(answer)

    assert limited({"requests_per_second": 5e-324}) == (400, "invalid_key_request")
    assert limited({"page_rows": 1.5}) == (400, "invalid_key_request")
    assert limited(LIMITS) == (200, "")
    assert web.client.get("/v1/tenants/creek").json()["limits"] == LIMITS
    assert web.client.get("/v1/tenants/creek/keys").status_code == 200


def test_true_is_no_number_of_seconds(web: OpenApiWeb) -> None:
    made = web.client.post("/v1/keys", json={"scopes": ["read"]}).json()
    refused = web.client.post(f"/v1/keys/{made['key_id']}/rotate", json={"grace_seconds": True})
    assert code_of(refused) == (422, "invalid_parameter")
    assert web.client.post(f"/v1/keys/{made['key_id']}/rotate", json={"grace_seconds": 3}).status_code == 201
