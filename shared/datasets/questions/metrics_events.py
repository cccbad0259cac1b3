"""What the columns of answers about events and about uploads mean."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric

OF_EVENTS: dict[str, Metric] = {
    "step": Metric("Step", "The number of the step; the first one is 1.", "position among `step`"),
    "event": Metric("Event", "What the step is, as it was asked for.", "as asked"),
    "entities": Metric(
        "Entities",
        "Customers or sessions (by `entity`) that did this step and all before it; each counts once.",
        "count of distinct customer_id or session_id",
    ),
    "step_rate": Metric(
        "Step rate",
        "Who went on from the step before; null at the first step.",
        "entities / entities of the step before",
    ),
    "total_rate": Metric(
        "Total rate", "Who came this far of those who began.", "entities / entities of step 1, to 6 decimals"
    ),
    "median_step_seconds": Metric(
        "Median time from the step before",
        "Half of those who did this step took no longer since the step before; null at the first step.",
        "median of the time since the step before, in seconds",
    ),
    "median_total_seconds": Metric(
        "Median time from the beginning",
        "Half of those who did this step took no longer since their attempt began; null at the first step.",
        "median of the time since the first event of the attempt, in seconds",
    ),
    "tried": Metric(
        "Tried",
        "Customers or sessions (by `entity`) that had a first event in the period; each counts once.",
        "count of distinct customer_id or session_id",
    ),
    "converted": Metric(
        "Converted",
        "Those that reached the goal: of who tried, inside the window; of sessions, in the session.",
        "count with a `goal` event",
    ),
    "conversion_rate": Metric(
        "Conversion rate",
        "The share that reached the goal; null where nobody tried.",
        "converted / tried, or converted / sessions, to 6 decimals",
    ),
    "settled": Metric(
        "Settled",
        "Whether the period and the window after it were over when the snapshot was committed.",
        "end of period + window ≤ committed_at",
    ),
    "sessions": Metric("Sessions", "Visits that began in the period.", "count of sessions"),
    "events": Metric("Events", "What happened in these sessions.", "count of events"),
    "events_per_session": Metric(
        "Events per session", "The mean; null without sessions.", "events / sessions, to 4 decimals"
    ),
    "mean_session_seconds": Metric(
        "Mean session length", "In seconds; a bounce takes none.", "Σ (last event − first event) / sessions"
    ),
    "median_session_seconds": Metric(
        "Median session length", "Half of the sessions took no longer.", "median of (last event − first event)"
    ),
    "bounces": Metric("Bounces", "Sessions of a single event.", "count of sessions with one event"),
    "bounce_rate": Metric(
        "Bounce rate", "The share of sessions of a single event; null without sessions.", "bounces / sessions"
    ),
    # operations
    "dataset": Metric(
        "Dataset", "Which dataset the rows are of; for a file that could not be read, as it was sent.", "name"
    ),
    "column_name": Metric("Column", "Which column, with `by=column`; else null. `(row)`: rules about rows.", "name"),
    "uploads": Metric("Uploads", "Files and edits that brought rows, or could not be read.", "count of uploads"),
    "held_uploads": Metric("Held uploads", "Those that were put aside as a whole.", "count with status `held`"),
    "received": Metric("Received", "Rows that were brought.", "accepted + held + duplicate"),
    "valid": Metric("Valid", "Rows that break no rule; by column, no rule about it.", "received − invalid rows"),
    "accepted": Metric("Accepted", "Rows that changed the lake.", "received − held − duplicate"),
    "held": Metric("Held", "Rows put aside: they break a rule, or their upload was held.", "count of held rows"),
    "duplicate": Metric(
        "Duplicate", "Rows that were there already, or twice in their file.", "count of rows that change nothing"
    ),
    "missing": Metric("Missing", "Values that are not there in valid rows.", "count of null values"),
    "validity": Metric("Validity", "The share of rows that break no rule; null without rows.", "valid / received"),
    "completeness": Metric(
        "Completeness",
        "The share of values that are there; null without valid rows.",
        "1 − missing / (valid rows × columns), to 6 decimals",
    ),
    "missing_references": Metric(
        "Missing references",
        "Accepted rows that named a row which was in no table yet; with `by=column`, of the dataset.",
        "count over all columns that refer to another dataset",
    ),
    "newest_at": Metric("Newest", "The newest time that the loaded rows tell, until then.", "max of the time column"),
    "age_seconds": Metric(
        "Age",
        "How old the newest row was at the end of the period, or of the snapshot.",
        "min(end of period, to, committed_at) − newest_at",
    ),
}
