"""A job was submitted, as a Google Cloud Function (Pub/Sub → Eventarc CloudEvent): translates, decides nothing."""

from __future__ import annotations

import functions_framework
from cloudevents.http import CloudEvent

from shared.bootstrap import run_job, start
from shared.queues.base import job_from_pubsub

start()


@functions_framework.cloud_event
def work(event: CloudEvent) -> None:
    """Run the job; an exception is a 500, and Pub/Sub delivers the message again."""
    run_job(*job_from_pubsub(event["type"], event.data))
