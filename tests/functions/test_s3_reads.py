"""Reads of S3 without the SDK are signed as the SDK signs them, tell the same facts, and leave every trouble to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared.errors import ObjectNotFoundError, StoreForbiddenError, StoreUnavailableError
from shared.storage.s3 import AwsKeys, S3Store
from shared.storage.s3_reads import QuickS3Store, keys_in, s3_store, signed
from tests.servers import REPOSITORY, create_s3_bucket, free_port, ministack_server

KEYS = AwsKeys("test", "test")
ODD = "lake/a b+c/ü%2F,~(1)/it's.csv"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with ministack_server() as url:
        create_s3_bucket(url, "reads")
        yield url


def quick(address: str, keys: AwsKeys = KEYS, prefix: str = "some/where") -> QuickS3Store:
    return QuickS3Store("reads", prefix, region="us-east-1", endpoint_url=address, keys=keys, address=address)


@pytest.mark.parametrize("body", [None, b"", b"some bytes"])
@pytest.mark.parametrize("token", ["", "a/session+token=="])
@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/b/lake/acme/catalog.ducklake", ""),
        ("/b/a%20b%2Bc/%C3%BC%252F%2C~%281%29/it%27s.csv", ""),
        ("/b/x", "versionId=3%2FL4kqtJlcpXroDTDmJ%2BrmSpXd3dIbrHY%2BMTRCxf3vjVBH40Nr8X8gdRQBpUMLUo"),
    ],
)
def test_the_signature_is_the_sdk_s(path: str, query: str, token: str, body: bytes | None) -> None:
    url = f"http://127.0.0.1:4566{path}" + (f"?{query}" if query else "")
    request = AWSRequest("GET" if body is None else "PUT", url, data=body)
    S3SigV4Auth(Credentials("AKIDEXAMPLE", "a secret/key+", token or None), "s3", "eu-central-1").add_auth(request)
    now = datetime.strptime(request.context["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys = AwsKeys("AKIDEXAMPLE", "a secret/key+", token)
    ours = signed(keys, "eu-central-1", "127.0.0.1:4566", path, query, now, body)
    assert ours["Authorization"] == request.headers["Authorization"]


@pytest.mark.parametrize("key", ["plain", ODD])
def test_it_reads_what_the_sdk_reads(address: str, key: str) -> None:
    with_sdk = S3Store("reads", "some/where", region="us-east-1", endpoint_url=address, keys=KEYS)
    first = with_sdk.put(key, b"one", content_type="text/csv")
    second = with_sdk.put(key, b"two!", content_type="text/csv")
    without = quick(address)
    assert without.get(key) == with_sdk.get(key)
    assert without.get(key, version=first.version) == with_sdk.get(key, version=first.version)
    assert without.get_if_changed(key, second.etag) is None
    assert without.get_if_changed(key, first.etag) == with_sdk.get(key)
    assert without.duck_access() == with_sdk.duck_access()
    assert without._clients == {}, "the SDK was asked"


@pytest.mark.parametrize("key", ["put", ODD])
@pytest.mark.parametrize("body", [b"", b"some bytes"])
def test_it_puts_what_the_sdk_puts(address: str, key: str, body: bytes) -> None:
    without = quick(address)
    put = without.put(key, body, content_type="text/csv")
    assert without._clients == {}, "the SDK was asked"
    with_sdk = S3Store("reads", "some/where", region="us-east-1", endpoint_url=address, keys=KEYS)
    read, found = with_sdk.get(key)
    assert read == body
    told = (put.key, put.size_bytes, put.etag, put.version, put.content_type)
    assert told == (found.key, found.size_bytes, found.etag, found.version, found.content_type)
    assert abs(put.modified_at - found.modified_at).total_seconds() < 5


def test_what_is_not_there_is_not_found(address: str) -> None:
    store = quick(address)
    with pytest.raises(ObjectNotFoundError):
        store.get("nothing")
    with pytest.raises(ObjectNotFoundError):
        store.get_if_changed("nothing", "0")
    assert store._clients == {}, "the SDK was asked"
    with pytest.raises(ObjectNotFoundError):
        store.get("nothing", version="3f0fa1b4-5f9c-4f0e-8d8a-000000000000")


def test_a_bucket_that_is_not_there_is_no_empty_one(address: str) -> None:
    store = QuickS3Store("gone", "", region="us-east-1", endpoint_url=address, keys=KEYS, address=address)
    with pytest.raises(StoreUnavailableError, match="bucket"):
        store.get("nothing")


def test_a_server_that_checks_signatures_takes_ours_and_refuses_a_wrong_one() -> None:
    with ministack_server(auth=True) as url:
        create_s3_bucket(url, "reads")
        keys = _user(url)
        quick(url).put(ODD, b"x")
        reader = quick(url, keys)
        assert reader.get(ODD)[0] == b"x"
        assert reader._clients == {}, "the SDK was asked"
        wrong = AwsKeys(keys.access_key_id, keys.secret_access_key[::-1])
        with pytest.raises(StoreForbiddenError):
            quick(url, wrong).get(ODD)


def _user(url: str) -> AwsKeys:
    """Keys of a new user who may read."""
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    iam = boto3.client("iam", endpoint_url=url, **keys)
    iam.create_user(UserName="reader")
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::reads/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=document)
    made = iam.create_access_key(UserName="reader")["AccessKey"]
    return AwsKeys(made["AccessKeyId"], made["SecretAccessKey"])


def test_a_dead_store_is_unavailable() -> None:
    with pytest.raises(StoreUnavailableError):
        quick(f"http://127.0.0.1:{free_port()}").get("x")


def test_a_connection_that_was_closed_meanwhile_is_made_again() -> None:
    """As when a function was frozen for minutes between two requests."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer_once_each, args=(server, 2))
        thread.start()
        store = quick(f"http://127.0.0.1:{server.getsockname()[1]}")
        assert [store.get("x")[0] for _ in range(2)] == [b"body", b"body"]
        assert store._clients == {}, "the SDK was asked"
        thread.join(10)


def _answer_once_each(server: socket.socket, connections: int) -> None:
    for _ in range(connections):
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(
                b'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nETag: "e"\r\n'
                b"Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT\r\n\r\nbody"
            )


def test_a_body_that_breaks_off_is_no_answer(address: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        store = quick(f"http://127.0.0.1:{server.getsockname()[1]}")

        def break_off() -> None:
            for _ in range(4):  # once without the SDK, three times with it
                connection, _ = server.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\nETag: "e"\r\n\r\nbody')

        threading.Thread(target=break_off, daemon=True).start()
        with pytest.raises(StoreUnavailableError):
            store.get("x")


def test_the_sdk_is_not_even_imported(address: str) -> None:
    code = (
        "import sys; from shared.storage.s3_reads import s3_store;"
        f"s = s3_store('reads', '', region='us-east-1', endpoint_url={address!r});"
        "s.get('imported'); s.duck_access(); print([m for m in ('boto3', 'botocore') if m in sys.modules])"
    )
    quick(address, prefix="").put("imported", b"")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | keys
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.stdout.strip() == "[]", ran.stderr


@pytest.mark.parametrize(
    ("more", "are_taken"),
    [
        ({}, True),
        ({"AWS_SESSION_TOKEN": "t"}, True),
        ({"AWS_SECRET_ACCESS_KEY": ""}, False),
        ({"HTTPS_PROXY": "http://proxy:3128"}, False),
        ({"AWS_ENDPOINT_URL_S3": "http://elsewhere"}, False),
        ({"AWS_CREDENTIAL_EXPIRATION": "2026-11-21T09:00:00Z"}, False),
    ],
)
def test_only_plain_credentials_of_the_environment_are_taken(more: dict[str, str], are_taken: bool) -> None:
    environment = {"AWS_ACCESS_KEY_ID": "i", "AWS_SECRET_ACCESS_KEY": "s"} | more
    assert (keys_in(environment) is not None) == are_taken


@pytest.mark.parametrize(
    ("bucket", "region", "endpoint", "kind"),
    [
        ("lake", "eu-central-1", "", QuickS3Store),
        ("my.lake", "eu-central-1", "", S3Store),
        ("my.lake", "eu-central-1", "http://127.0.0.1:1", QuickS3Store),
        ("lake", "cn-north-1", "", S3Store),
    ],
)
def test_buckets_it_cannot_address_are_the_sdk_s(
    bucket: str, region: str, endpoint: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "HTTPS_PROXY", "https_proxy", "AWS_CREDENTIAL_EXPIRATION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "i")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    assert type(s3_store(bucket, "", region=region, endpoint_url=endpoint)) is kind
