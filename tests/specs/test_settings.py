"""Settings: each is explained where people look for it, its default is the one that is told, and it has an effect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from shared.settings import Settings

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = (ROOT / ".env.example").read_text()
PAGE = (ROOT / "docs" / "settings.md").read_text()
NAMES = [f"TEAL_{name.upper()}" for name in Settings.model_fields]


def told_default(value: Any) -> str:
    """A default as a person writes it."""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value in (None, ()) else str(value)


FACTS = {
    f"TEAL_{name.upper()}": (told_default(field.default), field.description)
    for name, field in Settings.model_fields.items()
}


def test_the_page_tells_each_setting_with_its_default_and_meaning() -> None:
    rows = re.findall(r"^\| `(TEAL_\w+)` \| (?:`([^`]*)`|–) \| (.+) \|$", PAGE, re.M)
    assert [(name, (default, meaning)) for name, default, meaning in rows] == list(FACTS.items())


def test_the_example_tells_each_setting_with_its_default_and_meaning() -> None:
    lines = re.findall(r"^# (.+)\n# (TEAL_\w+)=(.*)$", EXAMPLE, re.M)
    assert [(name, (default, meaning)) for meaning, name, default in lines] == list(FACTS.items())
    assert not re.findall(r"^[^#\n]", EXAMPLE, re.M), "something is set"


def test_the_example_with_every_line_in_force_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    without = Settings()
    for name, value in re.findall(r"^# (TEAL_\w+)=(.*)$", EXAMPLE, re.M):
        monkeypatch.setenv(name, value)
    assert Settings() == without


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TEAL_CORS_ORIGINS", "*"),
        ("TEAL_CORS_ORIGINS", "shop.example"),
        ("TEAL_CORS_ORIGINS", "https://shop.example/path"),
        ("TEAL_ANNOUNCE_TO", "uploads"),
        ("TEAL_ANNOUNCE_TO", "arn:aws:sqs:eu-central-1:123456789012:uploads"),
        ("TEAL_ANNOUNCE_TO", "projects/shop/subscriptions/uploads"),
        ("TEAL_THREADS", "0"),
    ],
)
def test_a_value_that_means_nothing_is_refused_at_the_start(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_origins_are_separated_by_commas_or_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAL_CORS_ORIGINS", "https://a.example, http://localhost:3000 https://b.example")
    assert Settings().cors_origins == ("https://a.example", "http://localhost:3000", "https://b.example")


PREFLIGHT = """
import asyncio, httpx2, json
from shared.bootstrap import api

async def ask(origin):
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(api()), base_url="https://api") as client:
        headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        answer = await client.options("/v1/datasets", headers=headers)
        return answer.headers.get("access-control-allow-origin")

print(json.dumps([asyncio.run(ask(origin)) for origin in ("https://shop.example", "https://evil.example")]))
"""


@pytest.mark.parametrize(
    ("origins", "allowed"), [("https://shop.example", ["https://shop.example", None]), ("", [None, None])]
)
def test_only_the_origins_that_were_set_may_call_the_api(
    origins: str, allowed: list[str | None], tmp_path: Path
) -> None:
    assert json.loads(in_a_fresh_process(PREFLIGHT, TEAL_LAKE=str(tmp_path), TEAL_CORS_ORIGINS=origins)) == allowed


def test_each_kind_of_store_opens_without_a_request_or_its_library(tmp_path: Path) -> None:
    code = (
        "import sys; from shared.bootstrap import store_at;"
        "print([type(store_at(uri)).__name__ for uri in ('s3://lake/p', 'gs://lake/p', 'folder')],"
        "[m for m in ('boto3', 'botocore', 'google.cloud.storage') if m in sys.modules])"
    )
    told = in_a_fresh_process(code, TEAL_LAKE=str(tmp_path))
    assert told.strip() == "['S3Store', 'GcsStore', 'FolderStore'] []"


def in_a_fresh_process(code: str, **settings: str) -> str:
    """What a program prints that has these settings and no others, and no cloud's credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEAL_", "AWS_", "GOOGLE_"))}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=kept | settings, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
