"""What ``teal tenants`` and ``teal keys`` promise, each command as its own process on a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pyarrow.parquet as pq
import pytest

from shared.cli.grants import limits_from, rules_from
from shared.errors import InvalidKeyRequestError
from tests.functions.test_cli import ORDERS, Teal
from tests.servers import REPOSITORY


@pytest.fixture
def teal(tmp_path: Path) -> Teal:
    return Teal(tmp_path / "lake")


def typed(teal: Teal, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command that is answered at its prompt."""
    return subprocess.run(
        [sys.executable, "-m", "shared.cli", *arguments],
        env=teal.environment(),
        cwd=REPOSITORY,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_tenant_is_made_bounded_suspended_and_resumed(teal):
    said = teal("tenants", "create", "acme", "--label", "Acme Ltd", "--limit", "stored_bytes=50GB")
    assert "teal keys create --tenant acme" in said
    assert "tenant_exists" in teal("tenants", "create", "acme", code=2)
    (row,) = teal.json("tenants", "list")
    assert (row["tenant"], row["status"], row["limits"]) == ("acme", "active", {"stored_bytes": 50 * 10**9})
    assert "requests_per_second=2.5" in teal("tenants", "limit", "acme", "--limit", "requests_per_second=2.5")
    assert "no limits" in teal("tenants", "limit", "acme", "--none")
    assert "--none" in teal("tenants", "limit", "acme", code=2)
    assert "teal tenants resume acme" in teal("tenants", "suspend", "acme", "--reason", "unpaid")
    told = json.loads(teal("tenants", "show", "acme"))
    assert (told["status"], told["reason"], told["label"]) == ("suspended", "unpaid", "Acme Ltd")
    (held,) = teal.json("upload", teal.file("o.csv", ORDERS), "--tenant", "acme", "--dataset", "orders", code=1)
    assert (held["status"], "suspended" in held["reason"]) == ("held", True)
    assert "active" in teal("tenants", "resume", "acme")
    assert "unknown_tenant" in teal("tenants", "suspend", "acmee", code=2)
    assert [row["tenant"] for row in teal.json("tenants", "list")] == ["acme"], "a misspelt name makes nothing"


def test_a_tenant_is_exported_and_deleted_by_its_name(teal, tmp_path):
    teal("upload", teal.file("o.csv", ORDERS), "--tenant", "acme", "--dataset", "orders")
    teal("keys", "create", "--tenant", "acme")
    assert "--no-export" in teal("tenants", "delete", "acme", code=2)
    wrong = typed(teal, "acmee\n", "tenants", "delete", "acme", "--no-export")
    assert (wrong.returncode, "nothing was done" in wrong.stderr) == (2, True)
    folder = tmp_path / "export"
    done = typed(teal, "acme\n", "tenants", "delete", "acme", "--export", str(folder))
    assert (done.returncode, "acme is deleted: 1 keys" in done.stdout) == (0, True), done.stderr
    assert pq.read_table(folder / "datasets" / "orders.parquet").num_rows == 2
    assert {file["name"] for file in json.loads((folder / "export.json").read_text())["files"]} >= {"uploads.json"}
    teal("tenants", "delete", "acme", "--no-export", "--yes")
    assert "is deleted" in teal("keys", "create", "--tenant", "acme", code=2)
    assert "say so" in teal("tenants", "create", "acme", code=2)
    assert "its name is free at" in teal("tenants", "create", "acme", "--again", code=2)


def test_a_key_is_made_with_rules_and_limits_and_told_with_them(teal):
    rules = ("--only", "orders.country__in=DE,AT", "--only", "orders.note=a=b", "--mask", "customers.name")
    token = teal("keys", "create", "--tenant", "acme", *rules, "--limit", "day_bytes=20GB").strip()
    (row,) = teal.json("keys", "list")
    assert (row["key_id"], row["scopes"], row["last_used"]) == (token.split("_")[1], "read", None)
    assert row["limits"] == {"day_bytes": 20_000_000_000}
    assert row["rules"] == {
        "rows": {"orders": {"country__in": "DE,AT", "note": "a=b"}},
        "masked": {"customers": ["name"]},
    }
    said = teal("keys", "list")
    assert "only orders.country__in=DE,AT" in said
    assert "mask customers.name" in said
    teal("keys", "create", "--tenant", "acme", "--mask", "orders.total", "--scope", "write", code=2)
    assert len(teal.json("keys", "list")) == 1


@pytest.mark.parametrize(
    ("only", "mask", "limits"),
    [
        (("country=DE",), (), ()),
        (("orders.country",), (), ()),
        (("orders.country=DE", "orders.country=AT"), (), ()),
        (("orders.Country=DE",), (), ()),
        ((), ("name",), ()),
        ((), ("customers.na me",), ()),
        ((), (), ("day_bytes",)),
        ((), (), ("bytes=3",)),
        ((), (), ("day_bytes=-3",)),
        ((), (), ("page_rows=1.5",)),
        ((), (), ("page_rows=0",)),
        ((), (), ("day_bytes=3TBB",)),
    ],
)
def test_what_was_mistyped_is_no_grant(only, mask, limits):
    with pytest.raises((click.UsageError, InvalidKeyRequestError)):
        (rules_from(only, mask), limits_from(limits))
