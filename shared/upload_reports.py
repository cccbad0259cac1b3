"""What is told of an upload's rows after it: its quality report as readers see it, and why there may be none.

Pure: the state of an upload and a row of the reports in, values out.
"""

from __future__ import annotations

import json
from typing import Any

from shared.errors import NotFoundError
from shared.inbox import COMMANDS
from shared.upload_state import UploadState


class NoReportError(NotFoundError):
    """The upload has no quality report, since its rows were not judged. The message says why."""

    code = "no_report"


class HeldRowsExpiredError(NotFoundError):
    """The upload's held rows were kept for a time and are gone; the ledger still says how many they were."""

    code = "held_rows_expired"


def report_from(row: dict[str, Any]) -> dict[str, Any]:
    """A report with ``valid``, the rows that break no rule: of a file that is held as a whole they are held too."""
    measures = json.loads(row["measures"] or "{}")
    broken = sum(column["invalid"] for column in measures.values())
    return {**row, "valid": row["received"] - broken, "measures": measures}


def why_no_report(state: UploadState, snapshot: int) -> str:
    """A sentence for a person who asks for the report in ``snapshot``."""
    if not state.settled:
        return "The upload has not been looked at yet, so it has no quality report."
    if state.snapshot is not None and state.snapshot > snapshot:
        return "The upload came after this snapshot, which has no quality report of it."
    if state.dataset == COMMANDS:
        return "The upload was a command and no file, so it has no quality report."
    if state.status == "skipped":
        return f"The file was skipped, so it has no quality report. {state.reason}"
    return f"No row of the file could be judged, so it has no quality report. {state.reason}".rstrip()
