"""What the columns of answers about usage mean."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric

OF_USAGE: dict[str, Metric] = {
    "asked": Metric(
        "Asked",
        "By `by`: the name of the question, or method and route; the class of the status; the id of the key; the "
        "format of the answer, empty where there is no choice. Null with `by=all`.",
        "name",
    ),
    "requests": Metric("Requests", "Requests with a valid key that were answered.", "count of answered requests"),
    "from_cache": Metric(
        "From cache", "Those answered with a body that a process still had.", "count, no engine and status not 304"
    ),
    "not_modified": Metric("Not modified", "Those whose caller had the answer already.", "count with status 304"),
    "client_errors": Metric(
        "Client errors", "Those refused: the caller has to change something.", "count with status 4xx"
    ),
    "server_errors": Metric("Server errors", "Those that failed here.", "count with status 5xx"),
    "p50_ms": Metric(
        "Median time",
        "Half of them took no longer, in milliseconds inside the function; up to 19 % above the exact value.",
        "upper end of the bucket of rank ⌈n × 0.5⌉; buckets end at 2^(k/4) ms, k = −16 … 64",
    ),
    "p95_ms": Metric(
        "95th percentile of time",
        "19 of 20 took no longer, in milliseconds inside the function; up to 19 % above the exact value.",
        "upper end of the bucket of rank ⌈n × 0.95⌉; buckets end at 2^(k/4) ms, k = −16 … 64",
    ),
    "mean_ms": Metric("Mean time", "Milliseconds inside the function, exactly added up.", "Σ milliseconds / requests"),
    "bytes_sent": Metric("Bytes sent", "Of the bodies of the replies.", "Σ bytes of bodies"),
    "bytes_read": Metric(
        "Bytes read", "Of data files that the answers may have touched; zero where no engine ran.", "Σ of the receipts"
    ),
    "cost_usd": Metric(
        "Estimated cost", "Of computing answers, by list prices, as their receipts say.", "Σ cost_usd of the receipts"
    ),
    "until": Metric(
        "Until", "What was handed in by then is in the answer.", "time of the newest fold that found something"
    ),
    "folded": Metric("Folded", "Whether the period, or the range in it, was over by then.", "end of period ≤ until"),
}
