"""Google Pub/Sub as a way of telling; one message, with attributes that a subscription can filter by."""

from __future__ import annotations

import json
from typing import Any

from shared.announce.base import Message
from shared.pubsub import PubSubError, Topic

ATTRIBUTES = ("tenant", "dataset", "status")


class PubSubTopic:
    """A topic as ``projects/<project>/topics/<topic>``; see ``Topic``."""

    def __init__(self, topic: str, *, endpoint_url: str = "", credentials: Any = None) -> None:
        self._topic = Topic(topic, endpoint_url=endpoint_url, credentials=credentials)

    def __call__(self, message: Message) -> None:
        """See Way."""
        told = {name: message[name] for name in ATTRIBUTES}  # type: ignore[literal-required]  # fields of a Message
        self._topic.publish(json.dumps(message), told)


__all__ = ["PubSubError", "PubSubTopic"]
