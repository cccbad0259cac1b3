"""Cloud events, translated to the uploads they tell of: pure, and the only module that knows how a cloud words them.

Everything that creates an object counts; deletions, folder markers and test events do not. What we do not recognise is
an error: raised, so that the message ends in the dead-letter queue instead of nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import unquote_plus

from shared.errors import UnknownEventError
from shared.values import UploadedObject

Event = Mapping[str, Any]

_GCS_OBJECT = "google.cloud.storage.object.v1."
_SEQUENCE_LENGTH = 40


def batch_from_aws(event: Event) -> dict[str, Any]:
    """Any event of AWS as an SQS batch; what did not come from a queue becomes a batch of one message.

    A batch of one that fails as a whole is raised, so S3 and EventBridge deliver it again just as a queue would.
    """
    records = event.get("Records")
    if isinstance(records, list) and records and all(_source(record) == "aws:sqs" for record in records):
        return dict(event)
    return {"Records": [{"messageId": "direct", "eventSource": "aws:sqs", "body": json.dumps(event)}]}


def uploads_from_sqs_body(body: str) -> list[UploadedObject]:
    """The uploads one message tells of, in order. Raises UnknownEventError."""
    try:
        event = json.loads(body)
    except ValueError as error:
        raise UnknownEventError("A message is not JSON.") from error
    if not isinstance(event, dict):
        raise UnknownEventError("A message is not a JSON object.")
    if event.get("Type") == "Notification" and isinstance(event.get("Message"), str):
        return uploads_from_sqs_body(event["Message"])  # the bucket told SNS, and SNS the queue
    return uploads_from_aws(event)


def uploads_from_aws(event: Event) -> list[UploadedObject]:
    """The uploads an S3 notification or an EventBridge event tells of, in order. Raises UnknownEventError."""
    if "detail-type" in event:
        return uploads_from_eventbridge(event)
    return uploads_from_s3(event)


def uploads_from_s3(event: Event) -> list[UploadedObject]:
    """The uploads of an S3 notification; none for the test event S3 sends when a notification is set up.

    Raises UnknownEventError.
    """
    if event.get("Event") == "s3:TestEvent":
        return []
    records = event.get("Records")
    if not isinstance(records, list) or any(_source(record) not in ("aws:s3", "minio:s3") for record in records):
        raise UnknownEventError("An event is not an S3 notification.")
    try:
        found = [
            UploadedObject(
                bucket=record["s3"]["bucket"]["name"],
                key=unquote_plus(record["s3"]["object"]["key"]),
                version=record["s3"]["object"].get("versionId") or "",
                etag=record["s3"]["object"].get("eTag") or "",
                size_bytes=int(record["s3"]["object"].get("size", -1)),
                uploaded_at=_instant(record.get("eventTime")),
                sequence=_sequencer(record["s3"]["object"].get("sequencer")),
            )
            for record in records
            if record["eventName"].removeprefix("s3:").startswith("ObjectCreated:")
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownEventError("An S3 notification lacks what we need.") from error
    return _files(found)


def uploads_from_eventbridge(event: Event) -> list[UploadedObject]:
    """The upload of an ``Object Created`` event, none for S3's other events. Raises UnknownEventError."""
    if event.get("source") != "aws.s3":
        raise UnknownEventError("An event is not from S3.")
    if event["detail-type"] != "Object Created":
        return []
    try:
        detail = event["detail"]
        found = [
            UploadedObject(
                bucket=detail["bucket"]["name"],
                key=str(detail["object"]["key"]),  # EventBridge does not encode keys; S3's own notifications do
                version=detail["object"].get("version-id") or "",
                etag=detail["object"].get("etag") or "",
                size_bytes=int(detail["object"].get("size", -1)),
                uploaded_at=_instant(event.get("time")),
                sequence=_sequencer(detail["object"].get("sequencer")),
            )
        ]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownEventError("An EventBridge event lacks what we need.") from error
    return _files(found)


def uploads_from_gcs(kind: str, data: Event) -> list[UploadedObject]:
    """The upload of a Cloud Storage ``finalized`` event, none for its other events of an object.

    ``kind`` is the CloudEvent's type, ``data`` what it carries. Raises UnknownEventError.
    """
    if not kind.startswith(_GCS_OBJECT):
        raise UnknownEventError("An event is not about a Cloud Storage object.")
    if kind != f"{_GCS_OBJECT}finalized":
        return []
    try:
        found = UploadedObject(
            bucket=str(data["bucket"]),
            key=str(data["name"]),
            version=str(data["generation"]),
            etag=str(data["generation"]),  # the ETag of our Cloud Storage adapter is the generation
            size_bytes=int(data.get("size", -1)),
            uploaded_at=_instant(data.get("timeCreated")),
            sequence=str(data["generation"]).zfill(_SEQUENCE_LENGTH),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnknownEventError("A Cloud Storage event lacks what we need.") from error
    return _files([found])


def _files(found: list[UploadedObject]) -> list[UploadedObject]:
    """Without the empty objects that consoles put where a folder shall be: their keys end in a slash."""
    return [upload for upload in found if not upload.key.endswith("/")]


def _source(record: Any) -> str:
    return str(record.get("eventSource", "")) if isinstance(record, Mapping) else ""


def _sequencer(told: Any) -> str:
    """S3's sequencer in one length: it says to pad on the right, then to compare as text."""
    return str(told).upper().ljust(_SEQUENCE_LENGTH, "0") if told else ""


def _instant(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
