"""Tells the world what became of an upload; the ways of telling live beside this file, one per service.

The rule: the commit is done before anybody hears of it, so nothing that goes wrong here may fail or repeat the ingest.
Hence each outcome is told once at most. Who must not miss one reads the ledger (``GET /v1/uploads``) now and then.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol, TypedDict

from shared.outcome import Outcome

log = logging.getLogger("teal.announce")

KIND = "teal.upload"
VERSION = 1
"""Grows when a field goes or changes its meaning; new fields alone do not change it."""


class Counts(TypedDict):
    """Rows of the upload; received = accepted + held + duplicate."""

    received: int
    accepted: int
    held: int
    duplicate: int


class Message(TypedDict):
    """What is told, as JSON; docs/events.md explains every field. Nothing of the file itself, not even its name."""

    kind: str
    version: int
    tenant: str
    upload_id: str
    dataset: str
    status: str
    reason_code: str
    counts: Counts
    snapshot: int


class Way(Protocol):
    """One way of telling. Bounded in time; may raise anything."""

    def __call__(self, message: Message) -> None:
        """Tell it now."""


def message_of(outcome: Outcome) -> Message | None:
    """The message about an outcome; None for an event delivered again, of which everybody has heard already."""
    if outcome.status == "skipped" and not outcome.reason_code:
        return None
    counts = outcome.counts
    return Message(
        kind=KIND,
        version=VERSION,
        tenant=outcome.tenant,
        upload_id=outcome.upload_id,
        dataset=outcome.dataset,
        status=outcome.status,
        reason_code=outcome.reason_code,
        counts=Counts(received=counts.received, accepted=counts.accepted, held=counts.held, duplicate=counts.duplicate),
        snapshot=outcome.snapshot_id,
    )


@dataclass(frozen=True)
class Announce:
    """Tells each outcome in every way that was set up; one that fails is logged, and the others are still taken."""

    ways: tuple[Way, ...] = ()

    def __call__(self, outcome: Outcome) -> None:
        """Never raises."""
        message = message_of(outcome)
        if message is None:
            return
        for way in self.ways:
            try:
                way(message)
            except Exception as error:  # noqa: BLE001 - whatever it is, the upload is in the lake and stays there
                log.warning(
                    "nobody was told of an upload",
                    extra={
                        "way": type(way).__name__,
                        "error": type(error).__name__,
                        "tenant": outcome.tenant,
                        "upload_id": outcome.upload_id,
                    },
                )
