"""What holds for every test: how a case is named, and that no log of the run holds a secret."""

from __future__ import annotations

from tests.logs_seen import (  # noqa: F401 - hooks
    pytest_configure,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A case of bytes is named by its argument, never by its content.

    Packed content holds the time it was packed at, so two workers that collect the same tests in different seconds
    would not agree on their names, and pytest-xdist refuses such a run.
    """
    return argname if isinstance(val, bytes) else None
