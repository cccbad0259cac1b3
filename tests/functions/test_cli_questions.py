"""``teal questions``: published from a file, listed, asked and removed, each command as its own process on a folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.servers import REPOSITORY

QUESTION = """
title = "Orders by country"
sql = "SELECT country, count(*) AS orders FROM orders WHERE total >= $least GROUP BY ALL ORDER BY orders DESC"

[[parameters]]
name = "least"
type = "integer"
default = 0
"""
ORDERS = "order_id,ordered_at,country,total\n1,2024-01-05,DE,10\n2,2024-02-06,DE,20\n3,2024-02-07,FR,30\n"


def teal(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command says that must end with this code."""
    done = subprocess.run(
        [sys.executable, "-m", "shared.cli", *arguments],
        env={**os.environ, "TEAL_LAKE": str(folder / "data"), "COLUMNS": "200"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def test_a_question_is_published_from_a_file_asked_and_removed(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    (tmp_path / "by-country.toml").write_text(QUESTION)
    (tmp_path / "bad.json").write_text(json.dumps({"title": "t", "sql": "SELECT * FROM odrers"}))
    teal(tmp_path, "upload", str(tmp_path / "orders.csv"), "--dataset", "orders")
    assert "version 1 published" in teal(tmp_path, "questions", "publish", str(tmp_path / "by-country.toml"))
    assert "Did you mean orders?" in teal(tmp_path, "questions", "publish", str(tmp_path / "bad.json"), code=2)
    listed = json.loads(teal(tmp_path, "questions", "list", "--json"))
    assert [(one["question"], one["version"], one["author"]) for one in listed] == [("my/by-country", 1, "teal")]
    rows = json.loads(teal(tmp_path, "ask", "my/by-country", "least=15", "--json"))["rows"]
    assert rows == [{"country": "DE", "orders": 1}, {"country": "FR", "orders": 1}]
    teal(tmp_path, "questions", "remove", "my/by-country")
    assert "unknown_question" in teal(tmp_path, "ask", "my/by-country", code=2)
