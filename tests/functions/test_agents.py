"""Agents are answered from the built package alone: by Mangum in AWS's runtime emulator, by Google's framework."""

from __future__ import annotations

import base64
import json
import urllib.request
from pathlib import Path
from typing import Any

from shared.keys import Keys
from tests.functions.conftest import TENANT, Cloud
from tests.functions.runtimes import google_runtime, lambda_runtime, recorded
from tests.tools import package

LISTED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
ASKED = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "sales_summary", "arguments": {}}}
RAN = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "run_sql", "arguments": {"sql": "SELECT count(*) AS n FROM orders"}},
}


def headers_of(cloud: Cloud) -> dict[str, str]:
    token = Keys(cloud.lake).create(TENANT, ["read", "sql"]).token
    media = "application/json, text/event-stream"
    return {"content-type": "application/json", "accept": media, "authorization": f"Bearer {token}"}


def check(listed: Any, asked: Any, ran: Any) -> None:
    """On a lake where nothing was ever written."""
    assert {"run_sql", "sales_summary"} <= {tool["name"] for tool in listed["result"]["tools"]}
    assert asked["result"]["structuredContent"]["rows"][0]["orders"] == 0
    assert ran["result"]["structuredContent"]["rows"] == [{"n": 0}]


def test_agents_are_answered_on_lambda(aws: Cloud, tmp_path: Path) -> None:
    headers = headers_of(aws)
    with lambda_runtime(package("aws", "query"), "functions.query.handler.handle", aws.settings, tmp_path) as runtime:

        def sent(message: dict[str, Any]) -> Any:
            event = recorded("api_gateway_v2")
            body = json.dumps(message)
            event["rawPath"] = event["requestContext"]["http"]["path"] = "/v1/mcp"
            event["requestContext"]["http"]["method"] = "POST"
            event["headers"] |= {**headers, "content-length": str(len(body))}
            answer = runtime.invoke(event | {"body": body})
            assert answer["statusCode"] == 200, answer
            told = answer["body"].encode()
            return json.loads(base64.b64decode(told) if answer["isBase64Encoded"] else told)

        check(sent(LISTED), sent(ASKED), sent(RAN))


def test_agents_are_answered_on_cloud_functions(google: Cloud, tmp_path: Path) -> None:
    headers = headers_of(google)
    with google_runtime(package("gcp", "query"), "query", "asgi", google.settings, tmp_path) as url:

        def sent(message: dict[str, Any]) -> Any:
            request = urllib.request.Request(f"{url}/v1/mcp", json.dumps(message).encode(), headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())

        check(sent(LISTED), sent(ASKED), sent(RAN))
