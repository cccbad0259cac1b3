"""What the HTTP statuses of Google Cloud Storage mean to us."""

from __future__ import annotations

from shared.errors import (
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreForbiddenError,
    StoreUnavailableError,
)


class NotModifiedError(Exception):
    """304."""


class BeyondEndError(Exception):
    """416."""


def error_from_status(status: int, message: str) -> Exception:
    """The error for an answer with this status and text."""
    if status == 404 and "bucket does not exist" in message:
        # Not "no such object": a lake whose bucket is missing must never look like an empty lake.
        return StoreUnavailableError("The bucket does not exist.")
    if status == 304:
        return NotModifiedError()
    if status == 404:
        return ObjectNotFoundError("There is no such object.")
    if status == 412:
        return PreconditionFailedError("Somebody else changed this object first.")
    if status == 416:
        return BeyondEndError()
    if status in (401, 403):
        return StoreForbiddenError("The store refused our credentials.")
    return StoreUnavailableError("The store did not serve this request.")
