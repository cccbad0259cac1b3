"""Logs as JSON lines, one event a line; what could be a credential or a person is blotted out before it is written."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

BLOT = "[removed]"

_SECRETS = (
    re.compile(r"teal_[A-Za-z0-9]+_[A-Za-z0-9_-]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    # Whatever is signed is a credential: the whole query goes, not only its signature.
    re.compile(r"(?<=\?)[^\s\"']*(?i:signature|x-amz-security-token|x-goog-credential)=[^\s\"']*"),
    re.compile(r"(?i)\b(?:signature|secret|password|token)=[^\s&\"']+"),
    re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
)

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def without_secrets(text: str) -> str:
    """The text with keys, tokens, signed queries and e-mail addresses blotted out."""
    for pattern in _SECRETS:
        text = pattern.sub(BLOT, text)
    return text


class JsonLines(logging.Formatter):
    """A record as one JSON object: at, level, logger, message, the record's extra fields, and the error in full.

    ``for_google`` calls the level ``severity``, which is where Cloud Logging looks for it.
    """

    def __init__(self, *, for_google: bool = False) -> None:
        super().__init__()
        self._for_google = for_google

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format; the line is pure ASCII without a line break."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **({"severity": record.levelname} if self._for_google else {"level": record.levelname.lower()}),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in record.__dict__.items() if name not in _OWN and value is not None}
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["stack"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps({name: _clean(value) for name, value in line.items()}, default=str)


def configure(level: str = "INFO", stream: TextIO | None = None, *, for_google: bool = False) -> None:
    """Send every logger's records from ``level`` up to ``stream`` (default: standard error), as JSON lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(for_google=for_google))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("httpx2", "httpcore2", "boto3", "botocore", "urllib3", "uvicorn.access", "werkzeug", "mangum"):
        # They log addresses: a signed query is a credential, and a path may hold a row's key, somebody's name.
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _clean(value: object) -> object:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value if isinstance(value, (int, float, bool)) or value is None else without_secrets(str(value))
