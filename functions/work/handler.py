"""A job was submitted, on AWS Lambda (API → SQS): translates, decides nothing.

A message whose job could not be run *now* is reported back, and comes again.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from shared.bootstrap import run_job, start_early
from shared.queues.base import job_from_message

start_early()
processor = BatchProcessor(event_type=EventType.SQS)


def handle(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
    """The ids of the messages to deliver again. Raises BatchProcessingError when that is all of them."""
    return process_partial_response(event, work, processor, context)


def work(record: SQSRecord) -> None:
    """Run the job one message tells of; a job that came with a repeat is run once by its record."""
    run_job(*job_from_message(record.body))
