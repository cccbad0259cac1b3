"""Amazon SNS as a way of telling; one message, with attributes that a subscription can filter by."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from shared.announce.base import Message
from shared.aws_clients import aws_client

ATTRIBUTES = ("tenant", "dataset", "status")


class SnsTopic:
    """A topic by its ARN, which names its region too. ``endpoint_url`` names another server."""

    def __init__(self, arn: str, *, endpoint_url: str = "") -> None:
        self._arn = arn
        self._endpoint_url = endpoint_url

    def __call__(self, message: Message) -> None:
        """See Way."""
        told = {name: message[name] for name in ATTRIBUTES}  # type: ignore[literal-required]  # fields of a Message
        self._client.publish(
            TopicArn=self._arn,
            Message=json.dumps(message),
            MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in told.items()},
        )

    @cached_property
    def _client(self) -> Any:
        return aws_client("sns", self._arn.split(":")[3], self._endpoint_url)
