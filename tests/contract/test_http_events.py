"""Events instead of requests, H93 of docs/security.md: the adapter of AWS Lambda over the whole app, in this process.

A gateway makes events by itself; who may invoke the function directly could make up any, and gets no further by it.
"""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

import pytest
from mangum import Mangum

from tests.api_shop import ApiShop, api_shop_in
from tests.functions.runtimes import recorded

ORDERS = "/v1/datasets/orders/rows"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    api = api_shop_in(tmp_path_factory.mktemp("events"))
    api.shop.upload("orders", "o.csv", "order_id,ordered_at,total\n1,2024-01-01,5\n")
    return api


def event(path: str = ORDERS, method: str = "GET", body: Any = None, **more: Any) -> dict[str, Any]:
    """The recorded event of API Gateway (payload 2.0), for another request."""
    made = copy.deepcopy(recorded("api_gateway_v2"))
    made["rawPath"] = made["requestContext"]["http"]["path"] = path
    made["requestContext"]["http"]["method"] = method
    if body is not None:
        made["body"] = body
    made["headers"] |= more.pop("headers", {})
    return made | more


def first_version(path: str = ORDERS, method: str = "GET", **more: Any) -> dict[str, Any]:
    """An event of the older payload, as a REST API sends it."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"host": "x.example", "x-forwarded-proto": "https"},
        "multiValueHeaders": {"host": ["x.example"], "x-forwarded-proto": ["https"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"identity": {"sourceIp": "192.0.2.1"}, "httpMethod": method, "path": path, "stage": "prod"},
        "body": None,
        "isBase64Encoded": False,
        "version": "1.0",
    } | more


def answered(api: ApiShop, told: dict[str, Any]) -> tuple[int, Any]:
    """Status and JSON of the answer to an event; 0 when the function fails, which a gateway tells as 502."""
    try:
        answer = Mangum(api.app, lifespan="off")(told, None)
    except Exception:
        return 0, {}
    body = answer.get("body", "")
    text = base64.b64decode(body) if answer.get("isBase64Encoded") else body.encode()
    return answer["statusCode"], json.loads(text) if text else None


def bearer(api: ApiShop) -> dict[str, str]:
    return {"authorization": str(api.client.headers["authorization"])}


AUTHORIZERS: list[dict[str, Any]] = [
    {"authorizer": {"jwt": {"claims": {"tenant": "shop", "scope": "read admin"}, "scopes": None}}},
    {"authorizer": {"lambda": {"tenant": "shop", "scopes": "read"}}},
    {"authorizer": {"iam": {"userArn": "arn:aws:iam::123456789012:root"}}},
    {"authorizer": {"principalId": "shop"}},
    {"identity": {"sourceIp": "127.0.0.1", "userArn": "arn:aws:iam::123456789012:root", "apiKey": "x"}},
]


@pytest.mark.parametrize("context", [{}, *AUTHORIZERS])
def test_h93_h33_nothing_that_an_event_says_of_its_sender_is_a_credential(
    api: ApiShop, context: dict[str, Any]
) -> None:
    second, first = event(), first_version()
    for made in (second, first):
        made["requestContext"] |= context
        made["headers"] |= {"x-amzn-oidc-identity": "shop", "x-amzn-oidc-data": "a.b.c", "x-forwarded-user": "shop"}
        status, told = answered(api, made)
        assert (status, told["code"]) == (401, "unauthenticated")


def test_h93_both_payloads_are_the_same_request(api: ApiShop) -> None:
    second = answered(api, event(headers=bearer(api)))
    first = answered(api, first_version(headers=bearer(api), multiValueHeaders=None))
    assert second[0] == first[0] == 200
    assert second[1] == first[1]
    assert [row["order_id"] for row in first[1]["rows"]] == ["1"]


def test_h93_headers_that_contradict_each_other_are_one_request_or_none(api: ApiShop) -> None:
    """In the older payload the lists win, wherever a header stands; two credentials are none."""
    good = bearer(api)["authorization"]
    both = first_version(headers={"authorization": good}, multiValueHeaders={"authorization": [good, "Bearer x"]})
    assert answered(api, both)[0] == 401
    other = first_version(headers={"authorization": good}, multiValueHeaders={"Authorization": ["Bearer x"]})
    assert answered(api, other)[0] == 401
    cased = event(headers={"Authorization": "Bearer x", "authorization": f"{good},Bearer x"})
    assert answered(api, cased)[0] == 401


BODY = '{"filename": "a.csv"}'
PACKED = base64.b64encode(BODY.encode()).decode()
JSON = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "flag", "status"),
    [
        (BODY, False, 201), (PACKED, True, 201),
        # The flag lies: text that is no base64, and base64 that is taken for text.
        (BODY, True, 400), (PACKED, False, 400), ("é" + PACKED, True, 400), (PACKED[:-3], True, 400),
        ("", True, 400), (None, True, 400), (PACKED, None, 400),
    ],
)  # fmt: skip
def test_h93_a_body_that_is_not_what_its_flag_says_is_refused_and_nothing_is_made(
    api: ApiShop, body: str | None, flag: bool | None, status: int
) -> None:
    before = {info.key for info in api.shop.store.list("uploads/")}
    for length in ({}, {"content-length": str(len(body or ""))}):
        made = event("/v1/uploads", "POST", headers=bearer(api) | JSON | length, isBase64Encoded=flag) | {"body": body}
        found, told = answered(api, made)
        if status == 201:
            assert found == 201
        else:
            assert found in (0, status), told
            assert {info.key for info in api.shop.store.list("uploads/")} == before


@pytest.mark.parametrize(
    "made",
    [
        {}, {"path": "/v1/health"}, {"Records": []}, {"version": "2.0"}, {"requestContext": {}},
        {"version": "2.0", "requestContext": {"http": {}}}, {"version": "3.0", "requestContext": {}},
        {"body": BODY, "headers": {}}, [], "x", None,
    ],
)  # fmt: skip
def test_h93_what_is_no_request_fails_and_answers_nothing(api: ApiShop, made: Any) -> None:
    assert answered(api, made)[0] in (0, 404)


@pytest.mark.parametrize(
    "path",
    ["//v1/datasets", "/v1/./datasets", "/V1/datasets", "/v1/datasets/", "*", "/v1/datasets\x00", "/v1/datasets/\ud800",
     "/v1/datasets/../health", "/prod/v1/datasets"],
)  # fmt: skip
def test_h93_h89_a_path_is_taken_as_it_stands(api: ApiShop, path: str) -> None:
    assert answered(api, event(path, headers=bearer(api)))[0] == 404


@pytest.mark.parametrize("length", ["²", "9" * 5_000, "-1", "1e9", "0x10", ""])
def test_h93_h42_a_length_that_is_no_number_is_not_believed(api: ApiShop, length: str) -> None:
    made = event("/v1/uploads", "POST", BODY, headers=bearer(api) | JSON | {"content-length": length})
    assert answered(api, made)[0] in (201, 400, 413)


def test_h93_a_body_larger_than_may_be_is_refused_though_its_event_came_as_a_whole(api: ApiShop) -> None:
    made = event("/v1/uploads", "POST", " " * 1_100_000, headers=bearer(api) | JSON)
    status, told = answered(api, made)
    assert (status, told["code"]) == (413, "body_too_large")


def test_h93_the_function_itself_is_this_adapter_and_nothing_else() -> None:
    text = (Path(__file__).parents[2] / "functions/query/handler.py").read_text()
    assert 'handle = Mangum(api(), lifespan="off")' in text
