"""What holds for every test: how a case is named, and that no log of the run holds a secret."""

from __future__ import annotations

import pytest

from tests.logs_seen import (  # noqa: F401 - hooks
    pytest_configure,
    pytest_runtest_setup,
    pytest_sessionfinish,
    pytest_terminal_summary,
)

SLOW = (
    "test_crash.py", "test_deploy.py", "test_openapi_cases.py", "test_tenants_apart.py", "test_cli.py",
    "test_rollback.py", "test_day_rollups.py", "test_tidy_races.py", "test_attacks.py",
)  # fmt: skip
"""Files that take minutes."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, so that no worker waits at the end for another's last file."""
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A case of bytes is named by its argument, never by its content.

    Packed content holds the time it was packed at, so two workers that collect the same tests in different seconds
    would not agree on their names, and pytest-xdist refuses such a run.
    """
    return argname if isinstance(val, bytes) else None
