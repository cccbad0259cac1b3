"""A question that is answered later, in the clouds: submitted to their queue, run by their function, fetched by URL."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from google.oauth2.credentials import Credentials

from shared.errors import UnknownEventError
from shared.keys import Keys
from shared.queues.base import QueueUnavailableError, job_from_message, job_from_pubsub, message_of
from shared.queues.pubsub import PubSubQueue
from shared.queues.sqs import SqsQueue
from shared.queues.threads import WorkerThreads
from tests.functions.conftest import TENANT, Cloud
from tests.functions.runtimes import google_runtime, lambda_runtime, recorded
from tests.functions.test_announce import PubSub, pubsub_server
from tests.functions.test_google import deliver as deliver_file
from tests.functions.test_google import finalized
from tests.functions.test_lambda import INGEST, QUERY, body_of, gateway_event, put_event, sqs_event
from tests.servers import free_port
from tests.tools import package

WORK = "functions.work.handler.handle"
TOPIC = "projects/shop-1/topics/jobs"
JOB = "0" * 44
SQL = {"sql": "SELECT order_id, total FROM orders ORDER BY order_id"}
ROWS = [("A-1", "12.5000"), ("A-2", "7.2500"), ("A-3", "100.0000")]


@pytest.fixture
def pubsub() -> Iterator[PubSub]:
    with pubsub_server() as seen:
        yield seen


# --- messages --------------------------------------------------------------------------------------------------------


def published(text: str | bytes) -> dict[str, Any]:
    """The data of Eventarc's event about a message of Pub/Sub.

    https://googleapis.github.io/google-cloudevents/examples/binary/pubsub/MessagePublishedData-complex.json
    """
    data = text.encode() if isinstance(text, str) else text
    message = {"attributes": {"tenant": TENANT}, "data": base64.b64encode(data).decode(), "messageId": "1"}
    return {"message": message, "subscription": "projects/shop-1/subscriptions/eventarc-jobs"}


PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


def test_what_is_sent_is_what_is_read() -> None:
    assert job_from_message(message_of(TENANT, JOB)) == (TENANT, JOB)
    assert job_from_pubsub(PUBLISHED, published(message_of(TENANT, JOB))) == (TENANT, JOB)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "7", "null", '"x"', "{}", '{"kind": "teal.upload", "tenant": "acme", "job_id": "1"}',
     '{"kind": "teal.job", "tenant": "../b", "job_id": "1"}', '{"kind": "teal.job", "tenant": "acme", "job_id": 1}',
     '{"kind": "teal.job", "tenant": ["acme"], "job_id": "1"}', b"\xff\xfe"],
)  # fmt: skip
def test_a_message_that_tells_of_no_job_is_an_error(text: str | bytes) -> None:
    with pytest.raises(UnknownEventError):
        job_from_message(text)
    with pytest.raises(UnknownEventError):
        job_from_pubsub(PUBLISHED, published(text))


@pytest.mark.parametrize("data", [{}, {"message": {}}, {"message": {"data": "§"}}, {"message": {"data": 7}}])
def test_an_event_that_is_no_message_is_an_error(data: dict[str, Any]) -> None:
    with pytest.raises(UnknownEventError):
        job_from_pubsub(PUBLISHED, data)
    with pytest.raises(UnknownEventError):
        job_from_pubsub("google.cloud.storage.object.v1.finalized", published(message_of(TENANT, JOB)))


# --- queues ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def sqs(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return boto3.client("sqs", endpoint_url=s3_address, region_name="us-east-1")


@pytest.fixture
def queue_url(sqs: Any, request: pytest.FixtureRequest) -> str:
    return str(sqs.create_queue(QueueName=f"jobs-{abs(hash(request.node.nodeid)) % 10**12}")["QueueUrl"])


def received(sqs: Any, url: str) -> list[dict[str, Any]]:
    """The messages of a queue, which stay there."""
    found: list[dict[str, Any]] = sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], VisibilityTimeout=0
    ).get("Messages", [])
    return found


def test_sqs_gets_a_message_in_the_group_of_its_tenant(s3_address: str, sqs: Any, queue_url: str) -> None:
    SqsQueue(queue_url, region="us-east-1", endpoint_url=s3_address).send(TENANT, JOB)
    [message] = received(sqs, queue_url)
    assert job_from_message(message["Body"]) == (TENANT, JOB)
    assert message["Attributes"]["MessageGroupId"] == TENANT


def test_a_queue_of_sqs_that_is_not_there_is_an_outage(s3_address: str, sqs: Any, queue_url: str) -> None:
    with pytest.raises(QueueUnavailableError):
        SqsQueue(queue_url + "-gone", region="us-east-1", endpoint_url=s3_address).send(TENANT, JOB)
    with pytest.raises(QueueUnavailableError):
        SqsQueue(queue_url, region="us-east-1", endpoint_url=f"http://127.0.0.1:{free_port()}").send(TENANT, JOB)


def test_pubsub_gets_a_message_as_its_reference_says(pubsub: PubSub) -> None:
    PubSubQueue(TOPIC, endpoint_url=pubsub.address, credentials=Credentials("a-token")).send(TENANT, JOB)
    [(path, headers, body)] = pubsub.requests
    assert (path, headers["authorization"]) == (f"/v1/{TOPIC}:publish", "Bearer a-token")
    assert [message["attributes"] for message in body["messages"]] == [{"tenant": TENANT}]
    assert pubsub.messages() == [json.loads(message_of(TENANT, JOB))]


def test_a_topic_that_takes_no_message_is_an_outage(pubsub: PubSub) -> None:
    pubsub.status = 403
    with pytest.raises(QueueUnavailableError):
        PubSubQueue(TOPIC, endpoint_url=pubsub.address).send(TENANT, JOB)
    with pytest.raises(QueueUnavailableError):
        PubSubQueue(TOPIC, endpoint_url=f"http://127.0.0.1:{free_port()}").send(TENANT, JOB)


def test_threads_take_turns_between_tenants_and_deliver_again_what_failed() -> None:
    ran: list[tuple[str, str]] = []

    def work(tenant: str, job_id: str) -> None:
        time.sleep(0.05)
        ran.append((tenant, job_id))
        if job_id == "fails" and ran.count((tenant, job_id)) < 3:
            raise RuntimeError

    queue = WorkerThreads(lambda: work, pause_seconds=0.01)
    for number in range(4):
        queue.send("busy", str(number))
    queue.send("other", "fails")
    queue.send("other", "fails")
    deadline = time.monotonic() + 10
    while len(ran) < 7 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    assert sorted(ran) == [("busy", str(number)) for number in range(4)] + [("other", "fails")] * 3
    # Two threads: the other tenant's job was begun before the busy one's last, although it came after all of them.
    assert ran.index(("other", "fails")) < ran.index(("busy", "3"))


# --- AWS -------------------------------------------------------------------------------------------------------------


def post_event(path: str, token: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """A POST through the gateway."""
    event = gateway_event(path, token)
    event["requestContext"]["http"]["method"] = "POST"
    event["headers"] |= {"content-type": "application/json", **headers}
    return event | {"body": json.dumps(body), "isBase64Encoded": False}


def rows_behind(url: str) -> list[tuple[str, str]]:
    """The orders of an answer at a signed URL."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        return [(row["order_id"], row["total"]) for row in json.loads(answer.read())["rows"]]


def test_lambda_answers_later_through_its_queue(aws: Cloud, sqs: Any, queue_url: str, tmp_path: Path) -> None:
    settings = aws.settings | {"TEAL_JOBS_TO": queue_url, "TEAL_JOBS_ENDPOINT": aws.settings["TEAL_S3_ENDPOINT"]}
    token = Keys(aws.lake).create(TENANT, ["sql"]).token
    with lambda_runtime(package("aws", "ingest"), INGEST, aws.settings, tmp_path) as ingest:
        ingest.invoke(sqs_event(json.dumps(put_event(aws))))
    with (
        lambda_runtime(package("aws", "query"), QUERY, settings, tmp_path) as query,
        lambda_runtime(package("aws", "work"), WORK, aws.settings, tmp_path) as work,
    ):
        answer = query.invoke(post_event("/v1/sql", token, SQL, prefer="respond-async"))
        assert answer["statusCode"] == 202, answer
        path = answer["headers"]["location"]
        assert body_of(query.invoke(gateway_event(path, token)))["status"] == "queued"
        [message] = received(sqs, queue_url)
        delivered = sqs_event(message["Body"])
        assert work.invoke(delivered) == work.invoke(delivered) == {"batchItemFailures": []}
        job = body_of(query.invoke(gateway_event(path, token)))
        assert (job["status"], job["attempts"]) == ("done", 1), job
        result = query.invoke(gateway_event(job["result_url"], token))
        assert result["statusCode"] == 303
        assert rows_behind(result["headers"]["location"]) == ROWS
        assert work.invoke(sqs_event("not a job"))["errorType"] == "BatchProcessingError"
        lines = [line for one in (query, work) for line in one.log.read_text().splitlines()]
        assert any('"job done"' in line for line in lines)
        assert not any("SELECT" in line for line in lines)


def test_lambda_delivers_a_job_again_after_an_outage(aws: Cloud, tmp_path: Path) -> None:
    settings = aws.settings | {"TEAL_S3_ENDPOINT": "http://127.0.0.1:9"}
    with lambda_runtime(package("aws", "work"), WORK, settings, tmp_path) as work:
        assert work.invoke(sqs_event(message_of(TENANT, JOB)))["errorType"] == "BatchProcessingError"


# --- Google ----------------------------------------------------------------------------------------------------------


def deliver(address: str, data: dict[str, Any]) -> int:
    """Post a message as Eventarc does; the status decides whether it comes again."""
    headers = recorded("gcs_finalized")["headers"] | {"ce-type": PUBLISHED, "Content-Type": "application/json"}
    headers["ce-source"] = "//pubsub.googleapis.com/projects/shop-1/topics/jobs"
    headers.pop("ce-subject", None)
    try:
        with urllib.request.urlopen(urllib.request.Request(address, json.dumps(data).encode(), headers)) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def ask(address: str, token: str, body: dict[str, Any] | None = None, **headers: str) -> tuple[int, Any]:
    """Status and JSON of one request."""
    told = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(address, data, told), timeout=60) as answer:
        return answer.status, json.loads(answer.read())


def test_a_cloud_function_answers_later_through_its_topic(google: Cloud, pubsub: PubSub, tmp_path: Path) -> None:
    settings = google.settings | {"TEAL_JOBS_TO": TOPIC, "TEAL_JOBS_ENDPOINT": pubsub.address}
    token = Keys(google.lake).create(TENANT, ["sql"]).token
    with google_runtime(package("gcp", "ingest"), "ingest", "cloudevent", google.settings, tmp_path) as address:
        assert deliver_file(address, finalized(google)) == 200
    with (
        google_runtime(package("gcp", "query"), "query", "asgi", settings, tmp_path) as query,
        google_runtime(package("gcp", "work"), "work", "cloudevent", google.settings, tmp_path) as work,
    ):
        status, job = ask(f"{query}/v1/sql", token, SQL, Prefer="respond-async")
        assert (status, job["status"]) == (202, "queued"), job
        [message] = pubsub.messages()
        data = published(json.dumps(message))
        assert (deliver(work, data), deliver(work, data)) == (200, 200)
        job = ask(f"{query}{job['status_url']}", token)[1]
        assert (job["status"], job["attempts"]) == ("done", 1), job
        [kept] = [info.key for info in google.lake.list(f"lake/{TENANT}/answers/jobs/")]
        assert json.loads(google.lake.get(kept)[0])["rows"][0]["order_id"] == "A-1"
        assert deliver(work, {"message": {}}) == 500


def test_a_cloud_function_refuses_a_job_in_an_outage_so_that_it_comes_again(google: Cloud, tmp_path: Path) -> None:
    settings = google.settings | {"TEAL_GCS_ENDPOINT": "http://127.0.0.1:9"}
    with google_runtime(package("gcp", "work"), "work", "cloudevent", settings, tmp_path) as work:
        assert deliver(work, published(message_of(TENANT, JOB))) == 500
