"""Amazon SQS as the queue of jobs; the function `work` takes the messages."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from shared.queues.base import QueueUnavailableError, message_of

TIMEOUT_SECONDS = 3


class SqsQueue:
    """A queue by its URL. ``endpoint_url`` names another server."""

    def __init__(self, url: str, *, region: str, endpoint_url: str = "") -> None:
        self._url = url
        self._region = region
        self._endpoint_url = endpoint_url

    def send(self, tenant: str, job_id: str) -> None:
        """See Queue."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            # One tenant's many jobs do not keep another's waiting: SQS takes turns between groups of a standard queue.
            self._client.send_message(QueueUrl=self._url, MessageBody=message_of(tenant, job_id), MessageGroupId=tenant)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailableError("The queue of jobs does not answer; asking again may help.") from error

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            connect_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 2},
        )
        return boto3.client("sqs", region_name=self._region, endpoint_url=self._endpoint_url or None, config=config)
