"""``teal sample`` as a person or a script meets it: told how far it is, whole or nothing, and in the lake if wanted."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

INTERRUPTIBLE = """
import signal, sys
sys.modules["pandas"] = None
from shared.cli.main import run_main
signal.signal(signal.SIGINT, signal.default_int_handler)
run_main()
"""
"""A command that hears Ctrl-C even where tests run in the background; without pandas, which no user has."""


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
    return kept | {"TEAL_LAKE": str(folder / "lake"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT)}


def teal(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "shared.cli", "sample", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=120, check=False
    )


def test_plain_lines_tell_how_far_it_is_where_nobody_looks(tmp_path: Path) -> None:
    done = teal(tmp_path, "--lines", "1500", "--seed", "7", "--file-lines", "500", "--json")
    assert done.returncode == 0, done.stderr
    told = {row["dataset"]: row for row in json.loads(done.stdout)}
    assert told["order_items"]["rows"] == 1_500
    assert told["order_items"]["files"] == len(list((tmp_path / "teal-sample" / "order_items").iterdir())) >= 3
    lines = done.stderr.splitlines()
    assert lines[-1] == "100% " + lines[-1].split("% ")[1]
    assert lines[-1].endswith(": 1,500 order lines written")
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert sorted(path.name for path in (tmp_path / "teal-sample").iterdir()) == sorted([*told, "about.json"])


def test_a_terminal_gets_a_bar(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "shared.cli", "sample", "--lines", "500"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment(tmp_path), stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        seen = b""
        try:
            while read := os.read(ours, 65_536):
                seen += read
        except OSError:
            pass  # how Linux says that the other side is closed
        assert running.wait(60) == 0
    os.close(ours)
    assert "━".encode() in seen
    assert b"order_items" in seen


def test_it_goes_straight_into_the_lake(tmp_path: Path) -> None:
    done = teal(tmp_path, "--lines", "1200", "--file-lines", "700", "--out", "made", "--upload", "--json")
    assert done.returncode == 0, done.stderr
    for row in json.loads(done.stdout):
        assert (row["accepted"], row["held"], row["duplicate"]) == (row["rows"], 0, 0)
    command = [sys.executable, "-m", "shared.cli", "ask", "sales/summary", "convert=EUR", "--format", "json"]
    asked = subprocess.run(
        command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=True
    )
    assert json.loads(asked.stdout)["rows"][0]["orders"] > 300


@pytest.mark.parametrize("was_there", [True, False])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, was_there: bool) -> None:
    out = tmp_path / "made"
    if was_there:
        out.mkdir()
    command = [sys.executable, "-c", INTERRUPTIBLE, "sample", "--lines", "30000000", "--out", str(out)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert "people" in running.stderr.readline()
        assert list(out.iterdir())
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        code = running.wait(60)
        told = running.stderr.read()
    assert code == 130, told
    assert told.endswith("Stopped.\n")
    assert "Traceback" not in told
    assert list(tmp_path.iterdir()) == ([out] if was_there else [])
    assert not was_there or not list(out.iterdir())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lines", "0"], "lines: from 1"),
        (["--start", "2024-01-02", "--end", "2024-01-02"], "end: after start"),
        (["--start", "yesterday"], "--start"),
        (["--out", "."], "no empty folder"),
        (["--upload", "--tenant", "No Name"], "lower-case"),
    ],
)
def test_what_cannot_be_made_is_refused_at_once(tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "mine").touch()
    done = teal(tmp_path, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_other_commands_do_not_load_it() -> None:
    code = "import sys, shared.cli.main; print([name for name in sys.modules if name.startswith('shared.sample')])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
