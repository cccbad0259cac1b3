"""template.yaml, built and deployed as the guide says, onto a server that plays AWS and enforces its permissions."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from shared.keys import Keys
from shared.storage.base import ObjectStore
from tests.functions.conftest import AWKWARD_NAME, ORDERS_CSV, TENANT, get
from tests.servers import create_s3_bucket, ministack_server, open_store
from tests.tools import ARCHITECTURE, REPOSITORY, VERSION, ministack, sam

PROBE = """
import boto3, os
def handle(event, context):
    try:
        getattr(boto3.client("s3"), event.pop("call"))(**event)
        return "allowed"
    except Exception as error:
        return error.response["Error"]["Code"]
"""


@dataclass(frozen=True)
class Stack:
    """A deployed stack: its outputs by name, and clients with the rights of the account's owner."""

    address: str
    outputs: dict[str, str]

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client(service, endpoint_url=self.address, region_name="us-east-1", **keys)

    def store(self, bucket: str) -> ObjectStore:
        return open_store({"kind": "s3", "bucket": self.outputs[bucket], "prefix": "", "endpoint": self.address})

    def get(self, path: str, token: str = "") -> tuple[int, Any]:
        port = self.address.rpartition(":")[2]
        return get(self.address + path, token, host=f"{self.outputs['ApiId']}.execute-api.localhost:{port}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    work = tmp_path_factory.mktemp("deploy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEAL_MINISTACK_BIN", str(ministack()))
        with ministack_server(auth=True) as address:
            create_s3_bucket(address, "artifacts")
            _sam(address, "build", "--build-dir", str(work / "build"))
            overrides = [f"Architecture={ARCHITECTURE}", f"S3Endpoint={address}"]
            _sam(address, "deploy", "--template-file", str(work / "build" / "template.yaml"), "--stack-name", "teal",
                 "--s3-bucket", "artifacts", "--no-resolve-s3", "--capabilities", "CAPABILITY_IAM", "--no-progressbar",
                 "--no-confirm-changeset", "--parameter-overrides", *overrides)  # fmt: skip
            bare = Stack(address, {})
            described = bare.client("cloudformation").describe_stacks(StackName="teal")["Stacks"][0]
            yield Stack(address, {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]})


def _sam(address: str, *arguments: str) -> None:
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
        "SAM_CLI_TELEMETRY": "0",
        "PYTHON": sys.executable,
        "TEAL_ARCHITECTURE": ARCHITECTURE,
        "TEAL_PYTHON": VERSION,
    }
    ran = subprocess.run(
        [sam(), *arguments], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]


def eventually(look: Callable[[], Any], wanted: Any, *, seconds: float = 60) -> None:
    """Look until it is as wanted; the last look is in the failure."""
    deadline = time.monotonic() + seconds
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"
        time.sleep(0.3)


def test_a_file_put_into_the_bucket_is_answered_by_the_api(stack: Stack) -> None:
    token = Keys(stack.store("LakeBucket")).create(TENANT, ["read"]).token
    stack.store("InboxBucket").put(f"inbox/{TENANT}/orders/{AWKWARD_NAME}", ORDERS_CSV)

    def answered() -> Any:
        status, answer = stack.get("/v1/datasets/orders/rows", token)
        return [row["order_id"] for row in answer["rows"]] if status == 200 else (status, answer)

    eventually(answered, ["A-1", "A-2", "A-3"])


def test_a_question_is_answered_later_through_the_queue(stack: Stack) -> None:
    token = Keys(stack.store("LakeBucket")).create("later", ["sql"]).token
    stack.store("InboxBucket").put("inbox/later/orders/orders.csv", ORDERS_CSV)
    port = stack.address.rpartition(":")[2]
    headers = {
        "Authorization": f"Bearer {token}",
        "Content-Type": "application/json",
        "Host": f"{stack.outputs['ApiId']}.execute-api.localhost:{port}",
        "Prefer": "respond-async",
    }

    def submitted() -> Any:
        body = json.dumps({"sql": "SELECT count(*) AS n, sum(total) AS total FROM orders"}).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{stack.address}/v1/sql", body, headers)) as answer:
            assert answer.status == 202
            return json.loads(answer.read())["job_id"]

    def loaded() -> bool:
        return any("/data/main/orders" in info.key for info in stack.store("LakeBucket").list("lake/later/"))

    eventually(loaded, True)
    job_id = submitted()
    eventually(lambda: stack.get(f"/v1/jobs/{job_id}", token)[1].get("status"), "done")
    body, _ = stack.store("LakeBucket").get(f"lake/later/answers/jobs/{job_id}.json")
    assert json.loads(body)["rows"] == [{"n": 3, "total": "119.7500"}]


def test_whoever_subscribes_hears_of_an_upload(stack: Stack) -> None:
    queue = stack.client("sqs")
    url = queue.create_queue(QueueName="listener")["QueueUrl"]
    arn = queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = stack.outputs["UploadTopicArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    statement |= {"Resource": arn, "Condition": {"ArnEquals": {"aws:SourceArn": topic}}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    queue.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    stack.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    stack.store("InboxBucket").put("inbox/listened/orders/orders.csv", ORDERS_CSV)

    def heard() -> list[Any]:
        bodies = [json.loads(message["Body"]) for message in queue.receive_message(QueueUrl=url).get("Messages", [])]
        messages = [json.loads(body["Message"]) for body in bodies]
        return [
            (one["kind"], one["status"], one["counts"]["accepted"]) for one in messages if one["tenant"] == "listened"
        ]

    eventually(heard, [("teal.upload", "loaded", 3)])


def test_the_api_asks_for_a_key(stack: Stack) -> None:
    assert stack.get("/v1/health")[0] == 200
    status, answer = stack.get("/v1/datasets")
    assert (status, answer["code"]) == (401, "unauthenticated")


def test_a_poisoned_message_ends_in_the_dead_letter_queue(stack: Stack) -> None:
    queue = stack.client("sqs")
    # Half an hour between two tries is right in an account and too long here.
    queue.set_queue_attributes(QueueUrl=stack.outputs["UploadQueueUrl"], Attributes={"VisibilityTimeout": "1"})
    queue.send_message(QueueUrl=stack.outputs["UploadQueueUrl"], MessageBody="poison")

    def dead() -> list[str]:
        answer = queue.receive_message(QueueUrl=stack.outputs["DeadLetterQueueUrl"], VisibilityTimeout=0)
        return [message["Body"] for message in answer.get("Messages", [])]

    eventually(dead, ["poison"])


def test_a_round_of_tidying_runs_under_its_role(stack: Stack) -> None:
    answer = stack.client("lambda").invoke(FunctionName="teal-tidy", Payload=b"{}")
    assert answer.get("FunctionError") is None, answer["Payload"].read()


@pytest.mark.parametrize(
    ("role", "call", "bucket", "key", "wanted"),
    [
        ("QueryRole", "put_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "allowed"),
        ("QueryRole", "put_object", "LakeBucket", f"lake/{TENANT}/answers/a.csv", "allowed"),
        ("QueryRole", "put_object", "LakeBucket", f"lake/{TENANT}/catalog.ducklake", "AccessDenied"),
        ("QueryRole", "put_object", "LakeBucket", f"lake/{TENANT}/data/main/orders/x.parquet", "AccessDenied"),
        ("QueryRole", "put_object", "LakeBucket", f"lake/{TENANT}/data/main/answers/x.parquet", "AccessDenied"),
        ("QueryRole", "put_object", "LakeBucket", "keys/k1.json", "allowed"),  # they are made over HTTP too
        ("QueryRole", "delete_object", "LakeBucket", "keys/k1.json", "AccessDenied"),
        ("QueryRole", "put_object", "LakeBucket", f"usage/{TENANT}/2026-11-21T14/probe-1.ndjson.gz", "allowed"),
        ("QueryRole", "get_object", "LakeBucket", f"usage/{TENANT}/2026-11-21T14/probe-1.ndjson.gz", "AccessDenied"),
        ("QueryRole", "delete_object", "LakeBucket", f"usage/{TENANT}/2026-11-21T14/probe-1.ndjson.gz", "AccessDenied"),
        ("IngestRole", "put_object", "LakeBucket", f"usage/{TENANT}/2026-11-21T14/probe-1.ndjson.gz", "AccessDenied"),
        ("QueryRole", "delete_object", "LakeBucket", f"lake/{TENANT}/answers/a.csv", "AccessDenied"),
        ("QueryRole", "get_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "AccessDenied"),
        ("QueryRole", "list_objects_v2", "InboxBucket", "", "AccessDenied"),
        ("QueryRole", "put_object", "LakeBucket", f"jobs/{TENANT}/open/x", "allowed"),
        ("QueryRole", "delete_object", "LakeBucket", f"jobs/{TENANT}/open/x", "allowed"),
        ("WorkRole", "put_object", "LakeBucket", f"jobs/{TENANT}/x.json", "allowed"),
        ("WorkRole", "put_object", "LakeBucket", f"lake/{TENANT}/answers/jobs/x.json", "allowed"),
        ("WorkRole", "put_object", "LakeBucket", f"lake/{TENANT}/catalog.ducklake", "AccessDenied"),
        ("WorkRole", "put_object", "LakeBucket", f"lake/{TENANT}/data/main/answers/x.parquet", "AccessDenied"),
        ("WorkRole", "delete_object", "LakeBucket", f"lake/{TENANT}/answers/jobs/x.json", "AccessDenied"),
        ("WorkRole", "get_object", "LakeBucket", "keys/k1.json", "AccessDenied"),
        ("WorkRole", "get_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "AccessDenied"),
        ("IngestRole", "get_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "allowed"),
        ("IngestRole", "put_object", "InboxBucket", f"inbox/{TENANT}/orders/x.csv", "AccessDenied"),
        ("IngestRole", "delete_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "allowed"),
        ("IngestRole", "get_object", "LakeBucket", "keys/k1.json", "AccessDenied"),
        ("IngestRole", "put_object", "LakeBucket", "keys/k1.json", "AccessDenied"),
        ("TidyRole", "get_object", "InboxBucket", f"inbox/{TENANT}/orders/u1/row.ndjson", "AccessDenied"),
        ("TidyRole", "put_object", "LakeBucket", "keys/k1.json", "AccessDenied"),
        ("TidyRole", "delete_object", "LakeBucket", f"usage/{TENANT}/2026-11-21T14/probe-1.ndjson.gz", "allowed"),
        ("TidyRole", "list_object_versions", "LakeBucket", "", "allowed"),
    ],
)
def test_a_function_reaches_as_far_as_its_role(
    stack: Stack, role: str, call: str, bucket: str, key: str, wanted: str
) -> None:
    stack.store("InboxBucket").put(f"inbox/{TENANT}/orders/u1/row.ndjson", b"{}")
    event = {"call": call, "Bucket": stack.outputs[bucket]} | ({"Key": key} if key else {})
    answer = stack.client("lambda").invoke(FunctionName=_probe(stack, role), Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == wanted


def _probe(stack: Stack, role: str) -> str:
    """A function of nothing but one of the stack's roles: what it may do is what the role may do."""
    functions, name = stack.client("lambda"), f"probe-{role}"
    stacked = stack.client("cloudformation").describe_stack_resource(StackName="teal", LogicalResourceId=role)
    named = stacked["StackResourceDetail"]["PhysicalResourceId"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("probe.py", PROBE)
    try:
        functions.create_function(
            FunctionName=name, Runtime="python3.13", Handler="probe.handle", Code={"ZipFile": archive.getvalue()},
            Role=stack.client("iam").get_role(RoleName=named)["Role"]["Arn"], Timeout=30,
        )  # fmt: skip
    except functions.exceptions.ResourceConflictException:
        pass  # made by an earlier case
    return name
