"""Every log of a test run in one folder, and the search of it for secrets: a plugin that ``tests/conftest.py`` loads.

The rule: what is searched is what was about to be written, before ``shared/logs.py`` blots anything out, so that the
second layer cannot hide what the first one let through. A finding names file, line and kind, never the text. What only
emulators of clouds write, as S3 would into its access logs, is no log of ours and is not looked at. To keep the logs of
a run, name a folder for them in TEAL_TESTS_LOGS; then they are not searched.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.logs import JsonLines

FOLDER = "TEAL_TESTS_LOGS"
"""The variable that names the folder to every process of the run."""

LITERALS = ("zz-secret-literal", "zz-secret-parameter", "zz_secret_column")
"""What tests put into SQL, its parameters and files, and nothing else has reason to hold."""

KINDS = {
    "key": re.compile(r"teal_k[0-9a-f]{6,}_[0-9a-f]{16,}"),
    "token": re.compile(
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*|(?i:bearer)\s+[A-Za-z0-9._~+/-]{16,}"
    ),
    "SQL literal": re.compile("|".join(LITERALS)),
    "SQL": re.compile(r"\b(?:SELECT\b.{1,200}\bFROM|INSERT\s+INTO|DELETE\s+FROM|CREATE\s+OR\s+REPLACE)\b", re.I),
    "e-mail address": re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[a-z]{2,}"),
    "signed URL": re.compile(
        r"[?&](?:X-Amz-Signature|X-Amz-Credential|X-Goog-Signature|X-Goog-Credential|signature|sig)=", re.I
    ),
    "private key": re.compile(r"PRIVATE KEY-----"),
}


@dataclass(frozen=True)
class Finding:
    """Where something is that no log may hold."""

    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.kind}"


def findings_in(folder: Path) -> Iterator[Finding]:
    """Everything in the logs of a folder that must not be there."""
    for path in sorted(folder.rglob("*.log")):
        with path.open(errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                for kind, pattern in KINDS.items():
                    if pattern.search(line):
                        yield Finding(path.relative_to(folder).as_posix(), number, kind)


def log_file(name: str) -> Path:
    """A new file for the output of a process that a test starts; it is searched when the run is over."""
    handle, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=os.environ.get(FOLDER))
    os.close(handle)
    return Path(path)


class Unblotted(JsonLines):
    """The lines as they are before anything is blotted out."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter.format."""
        return json.dumps(self.told(record), default=str, ensure_ascii=False)


_handler: logging.Handler | None = None
_found: list[Finding] = []


def pytest_configure(config: pytest.Config) -> None:
    """One folder for the whole run, made by whoever starts it."""
    global _handler  # noqa: PLW0603 - hooks are functions of a module
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="teal-test-logs-")
        config.stash[_OURS] = True
    _handler = logging.FileHandler(log_file("records"), delay=True)
    _handler.setFormatter(Unblotted())


_OURS = pytest.StashKey[bool]()


def pytest_runtest_setup() -> None:
    """Everything of ours is kept, whatever a test before this one did to the loggers."""
    assert _handler is not None
    root, ours = logging.getLogger(), logging.getLogger("teal")
    if _handler not in root.handlers:
        root.addHandler(_handler)
    if ours.level == logging.NOTSET:
        ours.setLevel(logging.DEBUG)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run for what is found, once all tests are over, those of other workers included."""
    if _handler is not None:
        _handler.close()
    if not session.config.stash.get(_OURS, False):
        return
    folder = Path(os.environ.pop(FOLDER))
    _found.extend(findings_in(folder))
    if _found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    else:
        shutil.rmtree(folder, ignore_errors=True)
    session.config.stash[_FOLDER] = folder


_FOLDER = pytest.StashKey[Path]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where it is."""
    if _found:
        terminalreporter.section("secrets in logs", sep="=", red=True)
        terminalreporter.line(f"The logs are in {config.stash[_FOLDER]}")
        for finding in _found[:50]:
            terminalreporter.line(str(finding))
