"""Tidy up on a schedule, on AWS Lambda (EventBridge Scheduler): translates, decides nothing."""

from __future__ import annotations

from typing import Any

from shared.bootstrap import maintain, start_early

start_early()


def handle(event: dict[str, Any], context: Any) -> str:
    """What was done, as text for the log."""
    return str(maintain())
