"""Google Pub/Sub as the queue of jobs; the function `work` is its subscriber."""

from __future__ import annotations

from typing import Any

from shared.pubsub import PubSubError, Topic
from shared.queues.base import QueueUnavailableError, message_of


class PubSubQueue:
    """A topic as ``projects/<project>/topics/<topic>``; see ``Topic``."""

    def __init__(self, topic: str, *, endpoint_url: str = "", credentials: Any = None) -> None:
        self._topic = Topic(topic, endpoint_url=endpoint_url, credentials=credentials)

    def send(self, tenant: str, job_id: str) -> None:
        """See Queue."""
        try:
            self._topic.publish(message_of(tenant, job_id), {"tenant": tenant})
        except PubSubError as error:
            raise QueueUnavailableError("The queue of jobs does not answer; asking again may help.") from error
