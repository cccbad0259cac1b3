"""Logs as JSON lines, one event a line; no message of an error and no value of another library is written at all.

The rule: what may hold somebody's data is not logged. An error is its class, its code and where it was raised; another
library's line is its words without their values. Behind that, what looks like a credential or a person is blotted out.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

BLOT = "[removed]"

OWN_LOGGERS = "teal"
"""Every logger of ours is below it."""

_SECRETS = (
    re.compile(r"teal_[A-Za-z0-9]+_[A-Za-z0-9_-]+"),
    re.compile(r"(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}"),
    re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bya29\.[A-Za-z0-9._-]+"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S),
    # Whatever is signed is a credential: the whole query goes, not only its signature.
    re.compile(r"(?<=\?)[^\s\"']*(?i:\bsig|signature|x-amz-security-token|x-goog-credential)=[^\s\"']*"),
    re.compile(r"(?i)(?<![A-Za-z])(?:sig|signature|secret|password|token)=[^\s&\"']+"),
    re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"),
)

_NOT_EXTRA = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def without_secrets(text: str) -> str:
    """The text with keys, tokens, signed queries and e-mail addresses blotted out."""
    for pattern in _SECRETS:
        text = pattern.sub(BLOT, text)
    return text


class JsonLines(logging.Formatter):
    """A record as one JSON object: at, level, logger, message, the record's extra fields, and the error.

    ``for_google`` calls the level ``severity``, which is where Cloud Logging looks for it.
    """

    def __init__(self, *, for_google: bool = False) -> None:
        super().__init__()
        self._for_google = for_google

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format; the line is pure ASCII without a line break."""
        return json.dumps({name: _clean(value) for name, value in self.told(record).items()}, default=str)

    def told(self, record: logging.LogRecord) -> dict[str, object]:
        """What the line says, before anything is blotted out."""
        is_own = record.name.partition(".")[0] == OWN_LOGGERS
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            **({"severity": record.levelname} if self._for_google else {"level": record.levelname.lower()}),
            "logger": record.name,
            "message": record.getMessage() if is_own else str(record.msg),
        }
        if is_own:
            line |= {
                name: told for name, told in record.__dict__.items() if name not in _NOT_EXTRA and told is not None
            }
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["stack"] = list(stack_of(record.exc_info[1]))
        return line


def stack_of(error: BaseException) -> Iterator[str]:
    """What went wrong and where, innermost cause first: classes, codes, files and lines.

    A message may hold what somebody sent: a path, a value, a statement, a signed URL. So it is left out, but for those
    that name nothing but parts of a program.
    """
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from stack_of(before)
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        yield f"{path.parent.name}/{path.name}:{frame.lineno} {frame.name}"
    code = getattr(error, "code", "")
    told = str(error) if isinstance(error, (AttributeError, NameError, ImportError)) else code
    yield f"{type(error).__name__}: {told}" if isinstance(told, str) and told else type(error).__name__


def configure(level: str = "INFO", stream: TextIO | None = None, *, for_google: bool = False) -> None:
    """Send our records from ``level`` up, and warnings of other libraries, to ``stream`` (default: standard error).

    What ends a thread or the process is logged the same way, instead of being printed with its message.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(for_google=for_google))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # What others say in detail holds addresses: a signed query is a credential, and a path may hold somebody's name.
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    logging.getLogger(OWN_LOGGERS).setLevel(level)
    sys.excepthook = _log_end
    threading.excepthook = lambda told: _log_end(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: _log_end(told.exc_type, told.exc_value, told.exc_traceback)


class LoggedError(Exception):
    """What went wrong is in the log; a cloud's runtime prints this one, which says no more than its name."""


@contextmanager
def errors_end_here() -> Iterator[None]:
    """For what a function calls: errors are logged, and raised as LoggedError without what caused them."""
    try:
        yield
    except Exception as error:
        logging.getLogger(OWN_LOGGERS).exception("unexpected")
        raise LoggedError(type(error).__name__) from None


def _log_end(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    if error is not None and not issubclass(kind, (KeyboardInterrupt, SystemExit)):
        logging.getLogger(OWN_LOGGERS).critical("unexpected", exc_info=(kind, error, where))


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return value if isinstance(value, (int, float, bool)) or value is None else without_secrets(str(value))
