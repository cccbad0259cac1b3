"""An object was uploaded, as a Google Cloud Function (Eventarc CloudEvent): translates, decides nothing."""

from __future__ import annotations

import functions_framework
from cloudevents.http import CloudEvent

from shared.bootstrap import ingest_all, start
from shared.events import uploads_from_gcs

start()


@functions_framework.cloud_event
def ingest(event: CloudEvent) -> None:
    """Load, skip or hold; an exception is a 500, and Eventarc delivers the event again."""
    ingest_all(uploads_from_gcs(event["type"], event.data))
