"""The world hears of an upload once, after the commit; and nothing that goes wrong while telling fails the ingest."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from google.oauth2.credentials import Credentials

from shared.announce.base import Announce, Message, message_of
from shared.announce.emf import EmbeddedMetrics
from shared.announce.pubsub import PubSubError, PubSubTopic
from shared.announce.sns import SnsTopic
from shared.outcome import Outcome
from shared.values import RowCounts
from tests.functions.conftest import TENANT, Cloud
from tests.functions.runtimes import google_runtime, lambda_runtime
from tests.functions.test_google import deliver, finalized
from tests.functions.test_lambda import INGEST, put_event, sqs_event
from tests.servers import free_port
from tests.tools import package

LOADED = Outcome("u1", "acme", "orders", "loaded", RowCounts(4, 2, 1, 1), 7)
MESSAGE = {
    "kind": "teal.upload",
    "version": 1,
    "tenant": "acme",
    "upload_id": "u1",
    "dataset": "orders",
    "status": "loaded",
    "reason_code": "",
    "counts": {"received": 4, "accepted": 2, "held": 1, "duplicate": 1},
    "snapshot": 7,
}
TOPIC = "projects/shop-1/topics/uploads"


def told(outcome: Outcome = LOADED) -> Message:
    message = message_of(outcome)
    assert message is not None
    return message


# --- what is told ----------------------------------------------------------------------------------------------------


def test_the_message_says_what_became_of_the_upload_and_nothing_of_its_content() -> None:
    held = replace(LOADED, status="held", reason_code="unknown_columns", reason="No column is called ann@example.org.")
    assert told() == MESSAGE
    assert told(held) == MESSAGE | {"status": "held", "reason_code": "unknown_columns"}
    assert "ann@" not in json.dumps(told(held))


def test_an_event_that_came_again_is_not_told_again() -> None:
    assert message_of(replace(LOADED, status="skipped", reason="Brought in already.")) is None
    assert told(replace(LOADED, status="skipped", reason_code="same_content"))["reason_code"] == "same_content"


def test_a_way_that_fails_is_logged_and_the_others_are_taken(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Message] = []

    def broken(message: Message) -> None:
        raise RuntimeError("no network")

    Announce((broken, heard.append))(LOADED)
    assert heard == [MESSAGE]
    [line] = caplog.records
    assert (line.upload_id, line.error) == ("u1", "RuntimeError")
    assert "no network" not in str(vars(line)), "what a service says may hold an address"


def test_the_message_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
    for name in [*MESSAGE, *MESSAGE["counts"]]:
        assert f"`{name}`" in page, name


# --- Amazon SNS ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Subscribed:
    """A topic, and a queue that is subscribed to it."""

    arn: str
    queue_url: str
    sqs: Any

    def heard(self) -> list[dict[str, Any]]:
        """The notifications that arrived, taken off the queue."""
        found = self.sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in found.get("Messages", []):
            self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found.get("Messages", [])]


@pytest.fixture
def topic(s3_address: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Subscribed:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    sns, sqs = (boto3.client(kind, endpoint_url=s3_address, region_name="us-east-1") for kind in ("sns", "sqs"))
    queue_url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    arn = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
    return Subscribed(arn, queue_url, sqs)


def test_a_subscriber_of_the_sns_topic_receives_the_message(s3_address: str, topic: Subscribed) -> None:
    SnsTopic(topic.arn, endpoint_url=s3_address)(told())
    [heard] = topic.heard()
    assert json.loads(heard["Message"]) == MESSAGE
    attributes = {name: found["Value"] for name, found in heard["MessageAttributes"].items()}
    assert attributes == {"tenant": "acme", "dataset": "orders", "status": "loaded"}


def test_lambda_tells_of_an_upload_once_and_counts_it(aws: Cloud, topic: Subscribed, tmp_path: Path) -> None:
    settings = aws.settings | {
        "TEAL_ANNOUNCE_TO": topic.arn,
        "TEAL_ANNOUNCE_ENDPOINT": aws.settings["TEAL_S3_ENDPOINT"],
        "TEAL_METRICS_NAMESPACE": "Teal",
    }
    event = sqs_event(json.dumps(put_event(aws)))
    with lambda_runtime(package("aws", "ingest"), INGEST, settings, tmp_path) as ingest:
        assert ingest.invoke(event) == ingest.invoke(event) == {"batchItemFailures": []}
        [heard] = topic.heard()
        message = json.loads(heard["Message"])
        assert (message["tenant"], message["status"], message["counts"]["accepted"]) == (TENANT, "loaded", 3)
        lines = [json.loads(line) for line in ingest.log.read_text().splitlines() if line.startswith('{"_aws"')]
    assert [(line["UploadsLoaded"], line["RowsAccepted"], line["upload_id"]) for line in lines] == [
        ([1.0], [3.0], message["upload_id"])
    ]


def test_a_topic_that_cannot_be_reached_fails_no_ingest(aws: Cloud, tmp_path: Path) -> None:
    gone = {
        "TEAL_ANNOUNCE_TO": "arn:aws:sns:us-east-1:123456789012:gone",
        "TEAL_ANNOUNCE_ENDPOINT": f"http://127.0.0.1:{free_port()}",
    }
    with lambda_runtime(package("aws", "ingest"), INGEST, aws.settings | gone, tmp_path) as ingest:
        assert ingest.invoke(sqs_event(json.dumps(put_event(aws)))) == {"batchItemFailures": []}
        assert "nobody was told of an upload" in ingest.log.read_text()
    assert aws.statuses() == ["loaded"]


# --- CloudWatch ------------------------------------------------------------------------------------------------------


def test_a_metric_is_a_line_in_the_embedded_metric_format(capsys: pytest.CaptureFixture[str]) -> None:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html"""
    EmbeddedMetrics("Teal")(told(replace(LOADED, status="held", reason_code="unreadable")))
    [text] = capsys.readouterr().out.splitlines()
    line = json.loads(text)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Teal"
    assert directive["Dimensions"] == [["service"]]
    assert {metric["Name"] for metric in directive["Metrics"]} == {"UploadsHeld", "RowsAccepted", "RowsHeld"}
    assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count"}
    assert (line["service"], line["UploadsHeld"], line["RowsHeld"]) == ("ingest", [1.0], [1.0])
    assert (line["tenant"], line["upload_id"], line["reason_code"]) == ("acme", "u1", "unreadable")


# --- Google Pub/Sub --------------------------------------------------------------------------------------------------


@dataclass
class PubSub:
    """Requests as they came; ``status`` is what the next ones are answered."""

    address: str = ""
    status: int = 200
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)

    def messages(self) -> list[Any]:
        """The data of every message."""
        sent = [message for _, _, body in self.requests for message in body["messages"]]
        return [json.loads(base64.b64decode(message["data"], validate=True)) for message in sent]


@contextmanager
def pubsub_server() -> Iterator[PubSub]:
    """Takes what projects.topics.publish documents, and answers as it does."""
    seen = PubSub()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen.requests.append((self.path, headers, body))
            answer = {"messageIds": ["1"]} if seen.status == 200 else {"error": {"code": seen.status}}
            self.send_response(seen.status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield seen
        server.shutdown()


@pytest.fixture
def pubsub() -> Iterator[PubSub]:
    with pubsub_server() as seen:
        yield seen


def test_a_message_is_published_as_the_rest_reference_says(pubsub: PubSub) -> None:
    """https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish"""
    PubSubTopic(TOPIC, endpoint_url=pubsub.address, credentials=Credentials("a-token"))(told())
    [(path, headers, body)] = pubsub.requests
    assert path == f"/v1/{TOPIC}:publish"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer a-token"
    assert set(body) == {"messages"}
    [message] = body["messages"]
    assert set(message) == {"data", "attributes"}
    assert message["attributes"] == {"tenant": "acme", "dataset": "orders", "status": "loaded"}
    assert pubsub.messages() == [MESSAGE]


def test_another_server_is_never_sent_credentials_of_the_environment(pubsub: PubSub) -> None:
    PubSubTopic(TOPIC, endpoint_url=pubsub.address)(told())
    assert "authorization" not in pubsub.requests[0][1]


def test_a_refused_message_is_an_error_of_the_way(pubsub: PubSub) -> None:
    pubsub.status = 403
    with pytest.raises(PubSubError, match="403"):
        PubSubTopic(TOPIC, endpoint_url=pubsub.address)(told())


def test_a_cloud_function_tells_of_an_upload_once(google: Cloud, pubsub: PubSub, tmp_path: Path) -> None:
    settings = google.settings | {"TEAL_ANNOUNCE_TO": TOPIC, "TEAL_ANNOUNCE_ENDPOINT": pubsub.address}
    with google_runtime(package("gcp", "ingest"), "ingest", "cloudevent", settings, tmp_path) as address:
        data = finalized(google)
        assert (deliver(address, data), deliver(address, data)) == (200, 200)
    [message] = pubsub.messages()
    assert (message["tenant"], message["status"], message["counts"]["accepted"]) == (TENANT, "loaded", 3)


def test_a_refusal_by_pubsub_fails_no_ingest(google: Cloud, pubsub: PubSub, tmp_path: Path) -> None:
    pubsub.status = 500
    settings = google.settings | {"TEAL_ANNOUNCE_TO": TOPIC, "TEAL_ANNOUNCE_ENDPOINT": pubsub.address}
    with google_runtime(package("gcp", "ingest"), "ingest", "cloudevent", settings, tmp_path) as address:
        assert deliver(address, finalized(google)) == 200
    assert google.statuses() == ["loaded"]
