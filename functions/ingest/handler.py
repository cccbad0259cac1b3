"""An object was uploaded, on AWS Lambda (S3 → SQS, S3 or EventBridge): translates, decides nothing.

A message whose upload could not be loaded *now* is reported back alone, so the rest of its batch is not repeated.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.bootstrap import ingest_all, start_early
from shared.events import batch_from_aws, uploads_from_sqs_body

start_early()
processor = BatchProcessor(event_type=EventType.SQS)


def handle(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """The ids of the messages to deliver again. Raises BatchProcessingError when that is all of them."""
    return process_partial_response(batch_from_aws(event), load, processor, context)


def load(record: SQSRecord) -> None:
    """Ingest every upload one message tells of; an upload that came with a repeat is skipped by the ledger."""
    ingest_all(uploads_from_sqs_body(record.body))
