"""Commands that change something are taken down in the audit: which one, for which tenant, and how it ended.

The rule: whatever is not known to change nothing is taken down, so a new command is, too. Of its arguments
only ids are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import click

from shared import bootstrap
from shared.audit import AuditEntry
from shared.errors import AppError

CHANGES_NOTHING = frozenset(
    {
        "ask",
        "datasets",
        "datasets list",
        "datasets show",
        "erasures",
        "keys list",
        "questions",
        "questions list",
        "run",
        "sample",
        "snapshots",
        "snapshots changes",
        "tenants list",
        "tenants show",
        "tidy",
    }
)
"""What is brought in by ``sample`` and ``run`` is in the audit as uploads, and what ``tidy`` took away by itself."""

ONLY_WITH = {"doctor": "restore_catalog"}
"""Commands that change something by that option alone."""

WHO = "teal"
"""Nobody's key: whoever holds the store's own credentials."""

_IDS = ("key_id", "snapshot", "upload_id")


def audit_commands(group: click.Group) -> None:
    """Have every command below take itself down once it ended, unless it changes nothing or another API did it."""
    for path, command in commands_of(group):
        if path not in CHANGES_NOTHING and command.callback is not None and not isinstance(command, click.Group):
            command.callback = _audited(path, command.callback)


def commands_of(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command and group below a group, with the words it is called by."""
    for name, command in sorted(group.commands.items()):
        path = f"{before} {name}".strip()
        yield path, command
        if isinstance(command, click.Group):
            yield from commands_of(command, path)


def _audited(path: str, run: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(run)
    def audited(*arguments: Any, **options: Any) -> Any:
        started = time.perf_counter()
        try:
            return run(*arguments, **options)
        finally:
            if not options.get("url") and options.get(ONLY_WITH.get(path, ""), path not in ONLY_WITH):
                outcome, code = _ending(sys.exc_info()[1])
                bootstrap.audit()(
                    AuditEntry(
                        f"teal {path}",
                        outcome,
                        changes=True,
                        tenant=str(options.get("tenant") or ""),
                        key_id=WHO,
                        subject="/".join(str(options[name]) for name in _IDS if options.get(name)),
                        code=code,
                        ms=round((time.perf_counter() - started) * 1000, 2),
                    )
                )

    return audited


def _ending(error: BaseException | None) -> tuple[str, str]:
    """How a command ended, and the code of its error."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "done", ""
    if isinstance(error, AppError):
        return "failed" if error.again else "refused", error.code
    return "refused" if isinstance(error, click.ClickException) else "failed", ""
