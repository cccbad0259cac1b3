"""What the command line promises, each command as its own process on a folder; the served API in one more."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.servers import REPOSITORY, free_port

ORDERS = "order_id,ordered_at,customer_id,total\n1,2024-01-05,c1,10.50\n2,2024-02-06,c2,20\n"


INTERRUPTIBLE = """
import signal, sys
sys.modules["pandas"] = None
from shared.cli.main import run_main
signal.signal(signal.SIGINT, signal.default_int_handler)
run_main()
"""
"""The command for Ctrl-C: tests that run in the background were started with that signal ignored.

DuckDB imports pandas where it is installed, which it is for tests and for no user, and a signal is lost meanwhile.
"""


@dataclass(frozen=True)
class Teal:
    """The command, on one folder."""

    folder: Path

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Standard output of a command that must end with this code."""
        done = subprocess.run(
            [sys.executable, "-m", "shared.cli", *arguments],
            env=self.environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr if code else done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A command whose end is not waited for."""
        return subprocess.Popen(
            [sys.executable, "-c", INTERRUPTIBLE, *arguments],
            env=self.environment(),
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What a command tells a script."""
        told = self(*arguments, "--json", code=code)
        return json.loads(told[: told.rindex("]") + 1])

    def environment(self) -> dict[str, str]:
        """Nothing of the caller's settings, so that no other lake is touched."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
        return {**kept, "TEAL_LAKE": str(self.folder), "TEAL_FRESHNESS_SECONDS": "0", "COLUMNS": "120"}

    def file(self, name: str, text: str) -> str:
        """A file beside the lake's folder."""
        path = self.folder.parent / name
        path.write_text(text)
        return str(path)


@pytest.fixture
def teal(tmp_path: Path) -> Teal:
    return Teal(tmp_path / "lake")


# --- files in, answers out -------------------------------------------------------------------------------------------


def test_a_file_goes_in_and_an_answer_comes_out(teal):
    (told,) = teal.json("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    assert (told["status"], told["received"], told["accepted"]) == ("loaded", 2, 2)
    rows = json.loads(teal("ask", "sales/summary"))["rows"]
    assert (float(rows[0]["net_sales"]), rows[0]["orders"]) == (30.5, 2)
    table = teal(
        "ask", "sales/by-period", "--format", "csv", "--param", "grain=month", "from=2024-01-01", "to=2024-03-01"
    )
    periods = list(csv.DictReader(io.StringIO(table)))
    assert [float(row["net_sales"]) for row in periods] == [10.5, 20]
    assert not list((teal.folder / "keys").glob("*.json")), "asking leaves no key behind"


def test_held_rows_and_held_files_end_with_one(teal):
    bad = ORDERS + "".join(f"{n},2024-01-01,c,1\n" for n in range(3, 40)) + "40,no date,c,1\n"
    (told,) = teal.json("upload", teal.file("bad.csv", bad), "--dataset", "orders", code=1)
    assert (told["status"], told["held"]) == ("loaded", 1)
    (told,) = teal.json("upload", teal.file("junk.csv", "no header at all"), "--dataset", "orders", code=1)
    assert told["status"] == "held"
    assert told["reason"]


def test_what_was_assumed_and_which_rows_were_put_aside_is_told(teal):
    export = "order_id;ordered_at;customer_id;total;total\n1;31.12.2024;c;1.234,50;2\n2;01.01.2025;c;99,90;2\n"
    said = teal("upload", teal.file("export.csv", export), "--dataset", "orders")
    assert "export.csv: The decimal sign is a comma." in said
    assert "Column 5 is called total_1" in said
    assert float(json.loads(teal("ask", "sales/summary"))["rows"][0]["net_sales"]) == 1334.4
    many = ORDERS.replace("1,", "a,") + "".join(f"b{n},day {n},c,1\n" for n in range(3, 10)) + "x,2024-01-01,c,1\n" * 9
    said = " ".join(teal("upload", teal.file("bad.csv", many), "--dataset", "orders", code=1).split())
    assert "the first 5 of 7:" in said
    assert "3 ordered_at type day 3" in said
    assert "day 8" not in said


def test_a_person_is_told_how_a_held_file_gets_in(teal):
    file = teal.file("o.csv", "order_id,ordered_at,customer_id,total\n1,03/04/2024,c,5\n2,05/06/2024,c,6\n")
    assert "--option date_order=dmy" in teal("upload", file, code=1)
    (told,) = teal.json("upload", file, "--option", "date_order=dmy")
    assert (told["status"], told["accepted"]) == ("loaded", 2)
    assert '"from":"2024-04-03"' in teal("ask", "sales/by-period", "grain=day", "from=2024-04-03", "to=2024-04-04")
    (told,) = teal.json("upload", teal.file("w.csv", "when,what\n1,2\n"), code=1)
    assert told["reason_code"] == "unknown_columns"
    assert "--dataset NAME" in teal("upload", teal.file("v.csv", "when,what\n3,4\n"), code=1)
    (told,) = teal.json("upload", teal.file("w.csv", "when,what\n1,2\n"), "--dataset", "visits")
    assert told["accepted"] == 1


def test_nothing_enters_the_inbox_that_could_never_leave_it(teal):
    file = teal.file("o.csv", ORDERS)
    for wrong in (
        ("--dataset", "Orders"),
        ("--dataset", "../x"),
        ("--dataset", "_commands"),
        ("--tenant", "Shop!"),
        ("--option", "date_order=foo"),
        ("--option", "dates=dmy"),
        ("--option", "dmy"),
    ):
        teal("upload", file, *wrong, code=2)
    assert not list(teal.folder.glob("inbox/**/*.csv"))


def test_ctrl_c_while_a_file_is_read_is_no_failure(teal):
    file = Path(teal.file("big.csv", ORDERS))
    with file.open("a") as lines:
        lines.writelines(f"n{n},2024-01-{n % 28 + 1:02},c{n % 999},{n % 100}.50\n" for n in range(5_000_000))
    running = teal.start("upload", str(file), "--dataset", "orders")
    within(30, lambda: list(teal.folder.glob("inbox/shop/orders/*/big.csv")))
    time.sleep(0.3)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert (running.returncode, said.strip()) == (130, "Stopped.")


def test_an_answer_for_a_person_is_a_table(teal):
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    months = teal("ask", "sales/by-period", "grain=month", "from=2024-01-01", "to=2024-03-01", "--format", "table")
    first = [line.split() for line in months.splitlines() if " period " in line]
    assert first == [["period", "2024-01-01"], ["period", "2024-02-01"]]
    said = teal("ask", "datasets/orders/rows", "columns=order_id,total", "limit=1", "--format", "table")
    assert [line.split() for line in said.splitlines() if line.strip()][::2] == [
        ["order", "id", "total"],
        ["1", "10.5000"],
    ]


def test_wrong_use_and_bad_input_end_with_two(teal):
    assert "No such command" in teal("nonsense", code=2)
    assert "does not exist" in teal("upload", "not-there.csv", code=2)
    assert "name=value" in teal("ask", "sales/summary", "grain", code=2)
    assert "invalid_parameter" in teal("ask", "sales/summary", "no_such=1", code=2)
    assert "Did you mean sales/summary?" in teal("ask", "sales/sumary", code=2)
    assert "sales/breakdown, sales/by, sales/by-period, sales/forecast" in teal("ask", "no/such", code=2)
    assert json.loads(teal("ask", "/v1/sales/summary/"))["question"] == "sales/summary"
    assert "ISO 8601" in teal("ask", "sales/summary", "from=2024-13-01", code=2)
    assert "--key goes with --url" in teal("ask", "sales/summary", "--key", "k", code=2)
    assert "not valid" in teal("datasets", "add", teal.file("c.json", "{"), code=2)
    assert "it needs name, columns and key" in teal("datasets", "add", teal.file("c.json", "[]"), code=2)
    assert "--key" in teal("ask", "sales/summary", "--url", "http://127.0.0.1:9", code=2)
    assert "--days" in teal("keys", "create", "--days", "0", code=2)
    assert "'read', 'write'" in teal("keys", "create", "--scope", "reed", code=2)
    assert "--port" in teal("run", "--port", "99999", code=2)
    assert "cannot be served" in teal("run", "--host", "192.0.2.1", code=2)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TEAL_THREADS", "0", "TEAL_THREADS: Input should be greater"),
        ("TEAL_LAKE", "/proc/none", "/proc/none: No such file or directory"),
        ("TEAL_LAKE", __file__, "is a file, not a folder"),
    ],
)
def test_a_setting_that_cannot_be_is_a_line_that_names_it(teal, monkeypatch, name, value, said):
    settings = {**teal.environment(), name: value}
    monkeypatch.setattr(Teal, "environment", lambda self: settings)
    assert said in teal("snapshots", code=2)


def test_a_bucket_is_not_served_from_a_laptop(teal, monkeypatch):
    settings = {**teal.environment(), "TEAL_LAKE": "s3://lake"}
    monkeypatch.setattr(Teal, "environment", lambda self: settings)
    assert "s3://lake" in teal("run", code=2)


def test_what_is_unavailable_ends_with_three(teal):
    port = free_port()
    said = teal("ask", "sales/summary", "--url", f"http://user:word@127.0.0.1:{port}", "--key", "k", code=3)
    assert f"unavailable: 127.0.0.1:{port} did not answer" in said
    assert "refused" in said
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    (teal.folder / "lake" / "shop" / "catalog.ducklake").unlink()
    assert "catalog_lost" in teal("datasets", "list", code=3)
    assert "catalog_lost" in teal("ask", "sales/summary", code=3)


# --- the lake --------------------------------------------------------------------------------------------------------


def test_snapshots_changes_and_rollback(teal):
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    first = teal.json("snapshots")[0]["id"]
    teal("upload", teal.file("p.csv", ORDERS.replace("10.50", "99")), "--dataset", "orders")
    second = teal.json("snapshots")[0]
    assert second["tables"]["orders"] == {"added": 1, "removed": 1}
    (change,) = teal.json("snapshots", "changes", str(first), str(second["id"]), "orders")
    assert (float(change["before"]["total"]), float(change["after"]["total"])) == (10.5, 99)
    teal("rollback", str(first))
    assert float(json.loads(teal("ask", "sales/summary"))["rows"][0]["net_sales"]) == 30.5
    assert "99999" in teal("rollback", "99999", code=2)
    assert "No row differs." in teal("snapshots", "changes", str(first), str(first), "orders")


def test_datasets_are_listed_shown_and_added(teal):
    contract = {"name": "stores", "columns": [{"name": "id"}, {"name": "city"}], "key": ["id"]}
    teal("datasets", "add", teal.file("stores.json", json.dumps(contract)))
    teal("upload", teal.file("s.csv", "id,city\n1,Delft\n"), "--dataset", "stores")
    by_name = {row["dataset"]: row for row in teal.json("datasets", "list")}
    assert by_name["stores"]["rows"] == 1
    shown = json.loads(teal("datasets", "show", "stores"))
    assert shown["contract"]["key"] == ["id"]
    assert "unknown_dataset" in teal("datasets", "show", "nothing", code=2)
    assert teal.json("datasets") == teal.json("datasets", "list")
    # A dataset called auto would be taken for every file whose header should decide.
    for name in ("auto", "_commands"):
        reserved = json.dumps({**contract, "name": name})
        assert "reserved" in teal("datasets", "add", teal.file("reserved.json", reserved), code=2)
    other_key = json.dumps({**contract, "key": ["city"]})
    assert "stays so" in teal("datasets", "add", teal.file("other.json", other_key), code=2)


def test_a_table_that_fits_is_whole(teal, monkeypatch):
    settings = {**teal.environment(), "COLUMNS": "80"}
    monkeypatch.setattr(Teal, "environment", lambda self: settings)
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    (line,) = [line for line in teal("datasets").splitlines() if " orders " in line]
    assert re.fullmatch(r" orders +2 +1 +[\d,]+  2024-02-06 00:00:00  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d *", line)


def test_tables_for_people_keep_ids_in_one_piece(teal):
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    key = teal("keys", "create", "--label", "for a test").strip()
    assert key.split("_")[1] in teal("keys", "list")
    listed = teal("snapshots")
    assert "o.csv: 2 of 2 rows accepted" in " ".join(listed.split())


def test_keys_are_made_listed_rotated_and_ended(teal):
    token = teal("keys", "create", "--scope", "read", "--label", "dashboard", "--days", "2").strip()
    key_id = token.split("_")[1]
    (listed,) = teal.json("keys", "list")
    assert (listed["key_id"], listed["scopes"], listed["label"]) == (key_id, "read", "dashboard")
    assert token.split("_")[2] not in json.dumps(listed)
    newer = teal("keys", "rotate", key_id).strip()
    assert newer != token
    teal("keys", "revoke", newer.split("_")[1])
    assert all(row["revoked"] or row["expires"] for row in teal.json("keys", "list"))
    assert "unknown_key" in teal("keys", "revoke", "k0000000000000000", code=2)


# --- keeping it healthy ----------------------------------------------------------------------------------------------


def test_doctor_and_tidy_say_what_they_find(teal):
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    assert {row["ok"] for row in teal.json("doctor") if row["check"] != "former_catalogs"} == {"yes"}
    (report,) = teal.json("tidy")
    assert (report["tenant"], report["problems"]) == ("shop", [])
    next((teal.folder / "lake" / "shop" / "data" / "main" / "orders").glob("*.parquet")).unlink()
    assert {row["check"] for row in teal.json("doctor", code=1) if row["ok"] == "NO"} == {"files"}
    # What was done is in the audit by now, in the lake of the operator.
    report, operators = sorted(teal.json("tidy", code=1), key=lambda one: one["tenant"], reverse=True)
    assert "is missing" in report["problems"][0]
    assert (operators["tenant"], operators["problems"]) == ("operator", [])


def test_the_doctor_brings_a_lost_catalog_back(teal):
    teal("upload", teal.file("o.csv", ORDERS), "--dataset", "orders")
    (teal.folder / "lake" / "shop" / "catalog.ducklake").unlink()
    assert "restore-catalog" in " ".join(teal("doctor", code=1).split())
    teal("doctor", "--restore-catalog")
    assert float(json.loads(teal("ask", "sales/summary"))["rows"][0]["net_sales"]) == 30.5


# --- teal run --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Served:
    """A running `teal run`: its address, its key, and everything it said so far."""

    teal: Teal
    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def key(self) -> str:
        return (self.teal.folder / "laptop.key").read_text()

    def rows(self, question: str = "sales/summary") -> list[dict[str, Any]]:
        answer = httpx2.get(f"{self.url}/v1/{question}", headers={"Authorization": f"Bearer {self.key}"}, timeout=30)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["rows"]
        return found

    def stop(self) -> int:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def served(teal: Teal, *arguments: str) -> Served:
    port, log = free_port(), teal.folder.parent / f"run-{time.time_ns()}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "shared.cli", "run", "--port", str(port), *arguments],
            env=teal.environment(),
            cwd=REPOSITORY,
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            httpx2.get(f"{url}/v1/health", timeout=2)
            return Served(teal, url, process, log)
        except httpx2.HTTPError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


@pytest.fixture
def run(teal: Teal) -> Iterator[Served]:
    running = served(teal, "--no-samples")
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(30)


def told(teal: Teal) -> list[dict[str, Any]]:
    """The snapshots without those of models, which are fitted some time after an upload."""
    return [one for one in teal.json("snapshots") if one["author"] != "models"]


def within(seconds: float, holds: Any) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.2)


def test_a_file_dropped_into_the_inbox_is_answered_once_it_stopped_growing(run):
    run.teal("upload", run.teal.file("first.csv", ORDERS.replace("1,", "a,")), "--dataset", "orders")
    before = len(told(run.teal))
    path = run.teal.folder / "inbox" / "shop" / "auto" / "orders.csv"
    lines = ORDERS.splitlines(keepends=True)
    with path.open("w") as file:
        for line in (lines[0], *(f"{n},2024-01-01,c,1\n" for n in range(10, 40))):
            file.write(line)
            file.flush()
            time.sleep(0.05)
    within(30, lambda: run.rows()[0]["orders"] == 32)
    assert "loaded" in run.log.read_text()
    assert len(told(run.teal)) == before + 1, "it was read once, and whole"


def test_the_printed_examples_work_and_a_second_start_finds_everything(run):
    said = run.log.read_text()
    assert run.key in said.replace("\n", "")
    (line, *_) = [line.strip() for line in said.splitlines() if line.strip().startswith("curl") and "summary" in line]
    shown = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=30, check=True).stdout
    assert json.loads(shown)["question"] == "sales/summary"
    run.teal("upload", run.teal.file("first.csv", ORDERS.replace("1,", "a,")), "--dataset", "orders")
    (run.teal.folder / "inbox" / "shop" / "auto" / "o.csv").write_text(ORDERS)
    within(30, lambda: run.rows()[0]["orders"] == 3)
    key, uploads = run.key, len(told(run.teal))
    assert run.stop() == 0
    again = served(run.teal, "--no-samples")
    try:
        assert again.key == key
        assert again.rows()[0]["orders"] == 3
        time.sleep(3)
        assert len(told(run.teal)) == uploads
        assert "o.csv" not in again.log.read_text()
    finally:
        assert again.stop() == 0


def test_a_remote_installation_is_used_through_its_api(run, tmp_path):
    key = tmp_path / "key"
    key.write_text(run.key)
    elsewhere = Teal(tmp_path / "elsewhere")
    remote = ("--url", run.url, "--key", f"@{key}")
    (told,) = elsewhere.json("upload", elsewhere.file("o.csv", ORDERS), "--dataset", "orders", *remote)
    assert (told["status"], told["accepted"]) == ("loaded", 2)
    answer = json.loads(elsewhere("ask", "sales/summary", *remote))
    assert float(answer["rows"][0]["net_sales"]) == 30.5
    assert "invalid_parameter" in elsewhere("ask", "sales/summary", "no_such=1", *remote, code=2)
    assert "Did you mean sales/summary?" in elsewhere("ask", "sales/sumary", *remote, code=2)
    with_path = ("--url", f"{run.url}/v1/", "--key", f"@{key}")
    # Of one snapshot: what models found may be committed in between.
    pinned = ("ask", "sales/summary", f"snapshot={answer['snapshot']}")
    assert elsewhere(*pinned, *with_path) == elsewhere(*pinned, *remote)
    bad = elsewhere.file("bad.csv", ORDERS.replace("1,", "b,") + "x,never,c,1\n")
    assert "ordered_at type never" in " ".join(elsewhere("upload", bad, "--dataset", "orders", *remote, code=1).split())
    dates = elsewhere.file("d.csv", "order_id,ordered_at,customer_id,total\n1,03/04/2024,c,5\n2,05/06/2024,c,6\n")
    (told,) = elsewhere.json("upload", dates, *remote, "--option", "date_order=mdy")
    assert (told["status"], told["accepted"]) == ("loaded", 2)
    assert "--tenant" in elsewhere("ask", "sales/summary", *remote, "--tenant", "other", code=2)
    assert "unauthenticated" in elsewhere("ask", "sales/summary", "--url", run.url, "--key", "teal_no_no", code=2)
    assert not elsewhere.folder.exists(), "nothing was done here"


def test_the_first_start_brings_real_data(teal):
    running = served(teal)
    try:
        # Chen, Sain and Guo (2012), UCI Online Retail: 541,909 lines; revenue as in tests/data/expected.
        assert "541,909" in running.log.read_text()
        assert running.rows()[0]["orders"] > 19_000
    finally:
        assert running.stop() == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_whoever_ends_it_nothing_is_left_behind(teal, tmp_path, monkeypatch, number, code):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    running = served(teal, "--no-samples")
    assert running.rows()[0]["orders"] == 0
    headers = {"Authorization": f"Bearer {running.key}"}
    answer = httpx2.post(f"{running.url}/v1/sql", json={"sql": "SELECT 1 AS one"}, headers=headers, timeout=30)
    assert answer.json()["rows"] == [{"one": 1}]
    assert list(temporary.glob("teal-*"))
    running.process.send_signal(number)
    assert running.process.wait(30) == code
    assert not list(temporary.glob("teal-*"))


def test_a_taken_port_is_said(run):
    said = run.teal("run", "--no-samples", "--port", run.url.rsplit(":", 1)[1], code=2)
    assert "is taken, perhaps by another teal run; try --port" in said


def test_a_free_port_is_found_and_said(teal):
    running = teal.start("run", "--no-samples", "--port", "0")
    try:
        assert running.stdout is not None
        said = ""
        while not (found := re.search(r"API +(http://127.0.0.1:[1-9]\d*)/", said)):
            line = running.stdout.readline()
            assert line, said
            said += line
        within(30, lambda: httpx2.get(f"{found[1]}/v1/health", timeout=30).status_code == 200)
    finally:
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 0


def test_a_held_row_of_a_dropped_file_can_be_looked_up_by_what_was_said(run):
    (run.teal.folder / "inbox" / "shop" / "auto" / "o.csv").write_text(ORDERS + "3,never,c,1\n")
    within(30, lambda: "says which and why" in run.log.read_text())
    (path,) = re.findall(r"(/v1/uploads/\w+/held)", run.log.read_text())
    held = httpx2.get(run.url + path, headers={"Authorization": f"Bearer {run.key}"}, timeout=30).json()["rows"]
    assert [(row["row"], row["text"]) for row in held] == [(3, "never")]
