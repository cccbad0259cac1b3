"""Commands in the audit: what changes something is taken down, by the command itself; what reads is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.cli.audited import CHANGES_NOTHING, ONLY_WITH, commands_of
from shared.cli.main import main
from shared.storage.folder import FolderStore
from tests.servers import REPOSITORY
from tests.usage_web import session_on

ORDERS = "order_id,ordered_at,customer_id,total\n1,2024-01-05,c1,10.50\n"


def teal(folder: Path, *arguments: str, code: int = 0) -> str:
    """Standard output of a command that must end with this code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", *arguments],
        env=kept | {"TEAL_LAKE": str(folder)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == code, f"{arguments}: {ran.stdout}{ran.stderr}"
    return ran.stdout


def entries(folder: Path) -> list[dict[str, Any]]:
    """What the operator's lake knows, oldest first."""
    store = FolderStore(folder)
    with LakeReader(StoredCatalog(store, "operator"), lambda: session_on(store)).pin() as lake:
        result = lake.duck.query("SELECT * FROM audit ORDER BY ended_at")
        return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def test_a_command_that_changes_something_is_taken_down_and_one_that_reads_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    (tmp_path / "ann@example.org.csv").write_text(ORDERS)
    token = teal(folder, "keys", "create", "--tenant", "shop", "--label", "Ann").strip()
    key_id = token.split("_")[1]
    assert key_id in teal(folder, "keys", "list", "--json")
    teal(folder, "upload", str(tmp_path / "ann@example.org.csv"), "--dataset", "orders")
    teal(folder, "ask", "sales/summary")
    teal(folder, "rollback", "99", code=2)
    teal(folder, "keys", "revoke", key_id)
    teal(folder, "keys", "revoke", "k0000000000000000", code=2)
    teal(folder, "tidy")
    found = entries(folder)
    told = [(one["action"], one["outcome"], one["tenant"], one["key_id"], one["subject"]) for one in found]
    uploads = [one["subject"] for one in found if one["action"] == "ingest"]
    (asked,) = [one["key_id"] for one in found if one["action"].startswith("GET ")]
    assert told == [
        ("teal keys create", "done", "shop", "teal", None),
        ("ingest", "loaded", "shop", None, uploads[0]),
        ("teal upload", "done", "shop", "teal", None),
        # It asks the API of its own process, by a key of its own, which is gone.
        ("GET /v1/sales/summary", "done", "shop", asked, None),
        ("ingest", "held", "shop", None, uploads[1]),
        ("teal rollback", "refused", "shop", "teal", "99"),
        ("teal keys revoke", "done", None, "teal", key_id),
        ("teal keys revoke", "refused", None, "teal", "k0000000000000000"),
    ]
    assert [one["action"] for one in found if not one["changes"]] == ["GET /v1/sales/summary"]
    assert key_id != asked
    for secret in ("Ann", "ann@", token.split("_")[2], "10.5"):
        assert secret not in json.dumps(found, default=str)


def test_what_is_said_to_change_nothing_is_there() -> None:
    there = {path for path, _ in commands_of(main)}
    assert CHANGES_NOTHING | ONLY_WITH.keys() <= there
    options = {path: {one.name for one in command.params} for path, command in commands_of(main)}
    assert all(option in options[path] for path, option in ONLY_WITH.items())
    assert not [path for path, one in commands_of(main) if isinstance(one, click.Group) and path in ONLY_WITH]
