"""Amazon SQS as the queue of jobs; the function `work` takes the messages."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from shared.aws_clients import aws_client
from shared.queues.base import QueueUnavailableError, message_of


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
        return aws_client("sqs", self._region, self._endpoint_url)
