"""Each Lambda function takes AWS's real events, in AWS's runtime emulator, from its built package alone."""

from __future__ import annotations

import base64
import copy
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.functions.conftest import AWKWARD_NAME, TENANT, Cloud
from tests.functions.runtimes import LambdaRuntime, lambda_runtime, recorded
from tests.tools import files_of, lambda_python, package

INGEST = "functions.ingest.handler.handle"
QUERY = "functions.query.handler.handle"
TIDY = "functions.tidy.handler.handle"
LOADED = [("A-1", "12.5000"), ("A-2", "7.2500"), ("A-3", "100.0000")]


@pytest.fixture
def ingest(aws: Cloud, tmp_path: Path) -> Iterator[LambdaRuntime]:
    with lambda_runtime(package("aws", "ingest"), INGEST, aws.settings, tmp_path) as runtime:
        yield runtime


@pytest.fixture
def query(aws: Cloud, tmp_path: Path) -> Iterator[LambdaRuntime]:
    with lambda_runtime(package("aws", "query"), QUERY, aws.settings, tmp_path) as runtime:
        yield runtime


def put_event(cloud: Cloud, name: str = AWKWARD_NAME, body: bytes | None = None) -> dict[str, Any]:
    """The recorded notification, about a file that is really there."""
    info = cloud.drop(name, body) if body is not None else cloud.drop(name)
    event = recorded("s3_put")
    described = event["Records"][0]["s3"]
    described["bucket"]["name"] = cloud.inbox_bucket
    described["object"] |= {
        "key": quote_plus(f"inbox/{TENANT}/orders/{name}", safe="/"),
        "versionId": info.version,
        "eTag": info.etag,
        "size": info.size_bytes,
    }
    return event


def sqs_event(*bodies: str) -> dict[str, Any]:
    """The recorded batch with these messages, called m0, m1, …"""
    batch = recorded("sqs_s3_put")
    [message] = batch["Records"]
    batch["Records"] = [copy.copy(message) | {"messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
    return batch


def gateway_event(path: str, token: str = "") -> dict[str, Any]:
    """The recorded API Gateway request for another path."""
    event = recorded("api_gateway_v2")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["headers"] |= {"authorization": f"Bearer {token}"} if token else {}
    return event


def body_of(answer: dict[str, Any]) -> Any:
    """The JSON of a reply as the gateway passes it on."""
    body = answer["body"].encode()
    return json.loads(base64.b64decode(body) if answer["isBase64Encoded"] else body)


def test_a_file_is_loaded_from_a_queued_notification(aws: Cloud, ingest: LambdaRuntime) -> None:
    assert ingest.invoke(sqs_event(json.dumps(put_event(aws)))) == {"batchItemFailures": []}
    assert aws.orders() == LOADED


def test_a_second_delivery_changes_nothing(aws: Cloud, ingest: LambdaRuntime) -> None:
    event = sqs_event(json.dumps(put_event(aws)))
    assert ingest.invoke(event) == ingest.invoke(event) == {"batchItemFailures": []}
    assert (aws.orders(), aws.statuses()) == (LOADED, ["loaded"])


def test_a_direct_notification_and_an_eventbridge_event_are_taken_too(aws: Cloud, ingest: LambdaRuntime) -> None:
    direct = put_event(aws, "one.csv")
    event = recorded("eventbridge_object_created")
    info = aws.drop("two.csv", b"order_id,ordered_at,total,currency\nB-1,2026-02-01T00:00:00Z,5,EUR\n")
    event["detail"]["bucket"]["name"] = aws.inbox_bucket
    event["detail"]["object"] = {"key": f"inbox/{TENANT}/orders/two.csv", "version-id": info.version, "size": 1}
    assert ingest.invoke(direct) == {"batchItemFailures": []}
    assert ingest.invoke(event) == {"batchItemFailures": []}
    assert aws.orders() == [*LOADED, ("B-1", "5.0000")]


def test_only_the_message_that_failed_is_delivered_again(aws: Cloud, ingest: LambdaRuntime) -> None:
    answer = ingest.invoke(sqs_event("not an event", json.dumps(put_event(aws)), json.dumps(recorded("s3_test_event"))))
    assert answer == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    assert aws.orders() == LOADED


def test_a_direct_event_that_fails_is_an_error_so_that_it_comes_again(ingest: LambdaRuntime) -> None:
    assert ingest.invoke({"hello": "world"})["errorType"] == "BatchProcessingError"


def test_an_outage_is_an_error_so_that_the_event_comes_again(aws: Cloud, tmp_path: Path) -> None:
    settings = aws.settings | {"TEAL_S3_ENDPOINT": "http://127.0.0.1:9"}
    with lambda_runtime(package("aws", "ingest"), INGEST, settings, tmp_path) as runtime:
        assert runtime.invoke(sqs_event(json.dumps(put_event(aws))))["errorType"] == "BatchProcessingError"
    assert aws.statuses() == []


def test_a_question_is_answered_through_the_gateway(aws: Cloud, ingest: LambdaRuntime, query: LambdaRuntime) -> None:
    ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    answer = query.invoke(gateway_event("/v1/datasets/orders/rows", aws.token()))
    assert answer["statusCode"] == 200, answer
    rows = body_of(answer)["rows"]
    assert [row["order_id"] for row in rows] == ["A-1", "A-2", "A-3"]


def test_without_a_key_there_is_no_answer(query: LambdaRuntime) -> None:
    answer = query.invoke(gateway_event("/v1/datasets/orders/rows"))
    assert (answer["statusCode"], body_of(answer)["code"]) == (401, "unauthenticated")


def test_the_function_says_that_it_lives(query: LambdaRuntime) -> None:
    assert query.invoke(gateway_event("/v1/health"))["statusCode"] == 200


FIRST_ANSWER = """
import json, sys
from functions.query.handler import handle
status = handle(json.load(sys.stdin), None)["statusCode"]
libraries = sorted({"boto3", "botocore", "mcp", "mcp_types", "jwt", "cryptography", "numpy"} & sys.modules.keys())
print(json.dumps([status, libraries, len(sys.modules)]), flush=True)
"""


def test_a_cold_start_loads_no_more_than_its_first_answer_needs(aws: Cloud, ingest: LambdaRuntime) -> None:
    """Of a tenant without a record of its own, as most are. What it takes is measured by ``make bench``."""
    ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    package_folder, keys = package("aws", "query"), {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    ran = subprocess.run(
        [lambda_python(), "-c", FIRST_ANSWER],
        input=json.dumps(gateway_event("/v1/datasets/orders/rows", aws.token())),
        cwd=package_folder,
        env={"PATH": os.environ["PATH"], "AWS_REGION": "us-east-1", **keys, **aws.settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout, ran.stderr
    status, libraries, modules = json.loads(ran.stdout.splitlines()[-1])
    assert (status, libraries) == (200, [])
    assert modules < 720


def test_a_function_is_alive_while_its_store_is_not(aws: Cloud, tmp_path: Path) -> None:
    settings = aws.settings | {"TEAL_S3_ENDPOINT": "http://127.0.0.1:9"}
    with lambda_runtime(package("aws", "query"), QUERY, settings, tmp_path) as runtime:
        assert runtime.invoke(gateway_event("/v1/health"))["statusCode"] == 200


def test_what_happened_is_a_json_line_in_the_log(aws: Cloud, ingest: LambdaRuntime) -> None:
    ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    told = [json.loads(line) for line in ingest.log.read_text().splitlines() if line.startswith('{"at"')]
    [loaded] = [line for line in told if line["message"] == "upload loaded"]
    assert (loaded["level"], loaded["tenant"], loaded["dataset"]) == ("info", TENANT, "orders")
    assert (loaded["received"], loaded["accepted"], loaded["held"]) == (3, 3, 0)


def test_a_round_of_tidying_keeps_the_rows(aws: Cloud, ingest: LambdaRuntime, tmp_path: Path) -> None:
    ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    with lambda_runtime(package("aws", "tidy"), TIDY, aws.settings, tmp_path) as tidy:
        assert isinstance(tidy.invoke(recorded("schedule")), str)
    assert aws.orders() == LOADED
    assert aws.models() == ["anomalies", "baskets", "forecast", "lifetime"]


def test_a_running_function_leaves_its_package_as_it_was(aws: Cloud, ingest: LambdaRuntime) -> None:
    folder = package("aws", "ingest")
    before = files_of(folder)
    ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    assert files_of(folder) == before
