"""What each cloud's event says: recorded shapes, and the keys that encoding spoils first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import UnknownEventError
from shared.events import (
    batch_from_aws,
    uploads_from_aws,
    uploads_from_eventbridge,
    uploads_from_gcs,
    uploads_from_s3,
    uploads_from_sqs_body,
)
from shared.values import UploadedObject

EVENTS = Path(__file__).parent.parent / "functions" / "events"


def recorded(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def test_an_s3_put_is_an_upload_with_its_version() -> None:
    assert uploads_from_s3(recorded("s3_put")) == [
        UploadedObject(
            bucket="teal-inbox-123456789012-eu-central-1",
            key="inbox/acme/orders/orders 2026+q3/part-1.csv",
            version="3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrHY",
            etag="d41d8cd98f00b204e9800998ecf8427e",
            size_bytes=10_482,
            uploaded_at=datetime(2026, 10, 3, 8, 12, 44, 371000, tzinfo=UTC),
            sequence="0A1B2C3D4E5F678901" + 22 * "0",
        )
    ]


def test_every_record_of_a_notification_counts_but_deletions() -> None:
    uploads = uploads_from_s3(recorded("s3_several_records"))
    assert [(upload.key, upload.size_bytes) for upload in uploads] == [
        ("inbox/acme/orders/a.csv", 100),
        ("inbox/acme/orders/b.csv", 200_000_000),
        ("inbox/acme/products/c.parquet", 300),
    ]


def test_a_deletion_and_the_test_event_tell_of_no_upload() -> None:
    assert uploads_from_s3(recorded("s3_delete")) == []
    assert uploads_from_aws(recorded("s3_test_event")) == []


def test_a_queue_message_is_what_it_carries() -> None:
    [record] = recorded("sqs_s3_put")["Records"]
    assert uploads_from_sqs_body(record["body"]) == uploads_from_s3(recorded("s3_put"))


def test_a_topic_between_bucket_and_queue_changes_nothing() -> None:
    body = json.dumps({"Type": "Notification", "Message": json.dumps(recorded("s3_put"))})
    assert uploads_from_sqs_body(body) == uploads_from_s3(recorded("s3_put"))


def test_eventbridge_keys_are_not_encoded() -> None:
    [upload] = uploads_from_eventbridge(recorded("eventbridge_object_created"))
    assert (upload.bucket, upload.key) == ("teal-inbox-123456789012-eu-central-1", "inbox/acme/orders/50%25 off+x.csv")
    assert (upload.version, upload.etag, upload.size_bytes) == ("IYV3p45BT0ac8hjHg1houSdS1a.Mro8e", "a1b2", 5120)


def test_eventbridge_inside_a_queue_is_understood() -> None:
    event = recorded("eventbridge_object_created")
    assert uploads_from_sqs_body(json.dumps(event)) == uploads_from_eventbridge(event)


def test_other_eventbridge_events_of_the_bucket_tell_of_no_upload() -> None:
    event = recorded("eventbridge_object_created") | {"detail-type": "Object Deleted"}
    assert uploads_from_aws(event) == []


def test_a_google_object_is_known_by_its_generation() -> None:
    event = recorded("gcs_finalized")
    assert uploads_from_gcs(event["headers"]["ce-type"], event["data"]) == [
        UploadedObject(
            bucket="teal-inbox",
            key="inbox/acme/orders/orders 2026+q3/part-1.csv",
            version="1587627537231057",
            etag="1587627537231057",
            size_bytes=352,
            uploaded_at=datetime(2026, 4, 23, 7, 38, 57, 230000, tzinfo=UTC),
            sequence=24 * "0" + "1587627537231057",
        )
    ]


def test_the_places_of_versions_compare_as_their_clouds_say() -> None:
    def of_s3(sequencer: str) -> str:
        event = recorded("s3_put")
        event["Records"][0]["s3"]["object"]["sequencer"] = sequencer
        return uploads_from_s3(event)[0].sequence

    def of_google(generation: str) -> str:
        data = recorded("gcs_finalized")["data"] | {"generation": generation}
        return uploads_from_gcs("google.cloud.storage.object.v1.finalized", data)[0].sequence

    # S3: "right pad the shorter value with zeros, and then do a lexicographical comparison"; Google: numbers.
    assert of_s3("0055AED6DCD9") < of_s3("0055AED6DCD90281E5") < of_s3("0055aed6dcd91")
    assert of_s3("0055AED6DCD9") == of_s3("0055AED6DCD900")
    assert of_google("999") < of_google("1587627537231057")


@pytest.mark.parametrize("word", ["deleted", "archived", "metadataUpdated"])
def test_google_s_other_events_of_an_object_tell_of_no_upload(word: str) -> None:
    data = recorded("gcs_finalized")["data"]
    assert uploads_from_gcs(f"google.cloud.storage.object.v1.{word}", data) == []


@pytest.mark.parametrize("kind", ["", "google.cloud.pubsub.topic.v1.messagePublished"])
def test_a_google_event_of_something_else_is_refused(kind: str) -> None:
    with pytest.raises(UnknownEventError):
        uploads_from_gcs(kind, recorded("gcs_finalized")["data"])


def test_a_folder_marker_is_no_upload_on_any_cloud() -> None:
    marker = "inbox/acme/orders/"
    s3, bridge, google = (
        recorded("s3_several_records"),
        recorded("eventbridge_object_created"),
        recorded("gcs_finalized"),
    )
    s3["Records"][0]["s3"]["object"]["key"] = quote_plus(marker)
    assert len(uploads_from_s3(s3)) == len(uploads_from_s3(recorded("s3_several_records"))) - 1
    bridge["detail"]["object"]["key"] = marker
    assert uploads_from_eventbridge(bridge) == []
    assert uploads_from_gcs(google["headers"]["ce-type"], google["data"] | {"name": marker}) == []


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_key_comes_through_encoded_once(key: str) -> None:
    assume(not key.endswith("/"))
    event = recorded("s3_put")
    for encoded in (quote_plus(key), quote_plus(key, safe="/")):  # S3 leaves slashes alone, some servers do not
        event["Records"][0]["s3"]["object"]["key"] = encoded
        assert uploads_from_s3(event)[0].key == key


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": "many"},
        {"Records": [{"eventSource": "aws:dynamodb"}]},
        {"Records": ["text"]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}]},
        {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": None}]},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"detail-type": "Object Created", "source": "aws.ec2", "detail": {}},
        {"detail-type": "Object Created", "source": "aws.s3", "detail": {}},
        {"detail-type": "Object Created", "source": "aws.s3"},
    ],
)
def test_what_no_cloud_sends_is_refused(event: dict[str, Any]) -> None:
    with pytest.raises(UnknownEventError):
        uploads_from_aws(event)


@pytest.mark.parametrize("body", ["", "not json", "[]", "3", '{"Type": "Notification"}'])
def test_a_message_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(UnknownEventError):
        uploads_from_sqs_body(body)


@pytest.mark.parametrize(
    "data", [{}, {"bucket": "b", "name": "n"}, {"bucket": "b", "name": "n", "generation": 1, "size": "x"}]
)
def test_a_google_event_without_an_object_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(UnknownEventError):
        uploads_from_gcs("google.cloud.storage.object.v1.finalized", data)


def test_a_batch_of_the_queue_stays_as_it_is() -> None:
    event = recorded("sqs_s3_put")
    assert batch_from_aws(event) == event


@pytest.mark.parametrize("name", ["s3_put", "s3_several_records", "s3_test_event", "eventbridge_object_created"])
def test_what_comes_without_a_queue_becomes_a_batch_of_one(name: str) -> None:
    event = recorded(name)
    [record] = batch_from_aws(event)["Records"]
    assert uploads_from_sqs_body(record["body"]) == uploads_from_aws(event)
