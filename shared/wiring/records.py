"""What a process takes down of its work: what it was asked, and what it did; both are handed in when it ends."""

from __future__ import annotations

import atexit
from functools import cache

from shared.audit import AuditRecord
from shared.last_used import UsageOfKeys
from shared.resources import lake_store, settings, signing_secret
from shared.usage import UsageRecord


@cache
def usage() -> UsageRecord:
    """What this process was asked; what it still has when it ends in good order is handed in."""
    record = UsageOfKeys(lake_store())
    atexit.register(record.hand_in_all)
    return record


@cache
def audit() -> AuditRecord:
    """What this process did, for the log and for the operator's lake."""
    record = AuditRecord(lake_store(), secret=signing_secret, keeps=settings().audit)
    atexit.register(record.hand_in_all)
    return record
