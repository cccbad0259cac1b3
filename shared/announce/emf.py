"""CloudWatch metrics as lines of the function's log, in AWS's embedded metric format: no request, no permission.

A tenant is no dimension, because every value of one is a metric to pay for; it is metadata, which Logs Insights finds.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from shared.announce.base import Message


class EmbeddedMetrics:
    """Counts uploads by status and rows by what became of them, in one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def __call__(self, message: Message) -> None:
        """See Way."""
        metrics = EphemeralMetrics(namespace=self._namespace, service="ingest")
        metrics.add_metric(f"Uploads{message['status'].capitalize()}", MetricUnit.Count, 1)
        metrics.add_metric("RowsAccepted", MetricUnit.Count, message["counts"]["accepted"])
        metrics.add_metric("RowsHeld", MetricUnit.Count, message["counts"]["held"])
        for name in ("tenant", "dataset", "upload_id", "reason_code"):
            metrics.add_metadata(name, message[name])
        metrics.flush_metrics()
