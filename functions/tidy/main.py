"""Tidy up on a schedule, as a Google Cloud Function (Cloud Scheduler → HTTP): translates, decides nothing."""

from __future__ import annotations

import functions_framework
from flask import Request

from shared.bootstrap import maintain, start

start()


@functions_framework.http
def tidy(request: Request) -> str:
    """What was done, as text for the log."""
    return str(maintain())
