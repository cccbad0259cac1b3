"""Tells a worker of a job; the ways of telling live beside this file, one per service, and so does what is sent.

The rule: a message is a hint. It may come twice, late, or never; what a job is and who has it is in its record alone.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any, Protocol

from shared.errors import UnavailableError, UnknownEventError
from shared.values import NAME

KIND = "teal.job"
_PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished"


class QueueUnavailableError(UnavailableError):
    """The queue of jobs does not answer, or does not let us send."""

    code = "queue_unavailable"


class Queue(Protocol):
    """One way of telling."""

    def send(self, tenant: str, job_id: str) -> None:
        """Have some worker look at a job. Raises QueueUnavailableError."""


def message_of(tenant: str, job_id: str) -> str:
    """What is sent."""
    return json.dumps({"kind": KIND, "tenant": tenant, "job_id": job_id})


def job_from_message(text: str | bytes) -> tuple[str, str]:
    """The tenant and the id of the job that a message tells of. Raises UnknownEventError."""
    try:
        told = json.loads(text)
        kind, tenant, job_id = told["kind"], told["tenant"], told["job_id"]
    except (ValueError, KeyError, TypeError):
        raise UnknownEventError("A message tells of no job.") from None
    if kind != KIND or not isinstance(tenant, str) or not NAME.match(tenant) or not isinstance(job_id, str):
        raise UnknownEventError("A message tells of no job.")
    return tenant, job_id


def job_from_pubsub(kind: str, data: Mapping[str, Any]) -> tuple[str, str]:
    """The same of a CloudEvent of Pub/Sub: its type and what it carries. Raises UnknownEventError."""
    try:
        if kind != _PUBLISHED:
            raise ValueError
        text = base64.b64decode(data["message"]["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise UnknownEventError("An event is no message of Pub/Sub.") from None
    return job_from_message(text)
