"""ETags as callers send them back."""

from __future__ import annotations


def matches(given: str, etag: str) -> bool:
    """Whether a list of ETags, as ``If-None-Match`` has it, names this one (weakly compared, RFC 9110)."""
    return any(one.strip().removeprefix("W/") in (etag, "*") for one in given.split(",")) if given else False


def matches_strongly(given: str, etag: str) -> bool:
    """Whether a list of ETags, as ``If-Match`` has it, names this one: a weak ETag names none (RFC 9110)."""
    return any(one.strip() in (etag, "*") for one in given.split(","))
