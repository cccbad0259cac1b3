"""Logs: what a line may hold, what is blotted out behind that, and that a run of tests fails when one holds more."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import threading
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from shared import logs
from shared.api.used import SUBJECTS
from shared.duck import open_duck
from shared.errors import EngineUnavailableError, StoreUnavailableError
from tests.logs_seen import KINDS, LITERALS, findings_in, log_file

ROOT = Path(__file__).parent.parent.parent

SECRETS = {
    "key": "teal_k0123456789abcde_" + "ab" * 32,
    "token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
    "SQL literal": "WHERE note = 'zz-secret-literal'",
    "SQL": "SELECT * FROM orders",
    "e-mail address": "ann.lee+x@mail.example.org",
    "signed URL": "https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature=abc",
    "private key": "-----BEGIN PRIVATE KEY-----",
}


def line_of(message: str, *values: object, logger: str = "teal.test", error: Any = None, **extra: object) -> str:
    """The line that is written of a record."""
    told = (type(error), error, error.__traceback__) if error is not None else None
    record = logging.LogRecord(logger, logging.INFO, __file__, 1, message, values, told)
    record.__dict__.update(extra)
    return logs.JsonLines().format(record)


def raised(what: Any) -> BaseException:
    """The error that a call ends with, with the frames it came through."""
    try:
        what()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


# --- what a line may hold --------------------------------------------------------------------------------------------


def test_an_error_is_its_class_its_code_and_where_it_was_raised_without_a_message() -> None:
    def fails() -> None:
        try:
            raise OSError("https://bucket/key?token=abc for Ann Lee")
        except OSError as error:
            raise StoreUnavailableError("The store did not answer.") from error

    line = json.loads(line_of("stopped", error=raised(fails)))
    assert line["error"] == "StoreUnavailableError"
    assert line["stack"][1] == "OSError"
    assert line["stack"][-1] == "StoreUnavailableError: store_unavailable"
    assert line["stack"][-2].startswith("specs/test_logs.py:")
    assert line["stack"][-2].endswith(" fails")
    assert "Ann Lee" not in json.dumps(line)


def test_what_the_engine_says_of_a_statement_and_its_values_is_not_written() -> None:
    duck = open_duck(memory_limit_mb=128, threads=1)
    for sql in ("SELECT 'zz-secret-literal'::INTEGER", "SELECT zz_secret_column FROM nowhere", "zz-secret-literal"):
        error = raised(lambda sql=sql: duck.execute(sql))  # type: ignore[misc]
        assert error.__cause__ is not None, "the engine's own words are behind it"
        line = line_of("stopped", error=error)
        assert "zz" not in line
        assert "duck.py:" in line


def test_a_slip_of_our_own_is_named() -> None:
    line = json.loads(line_of("unexpected", error=raised(lambda: logs.no_such_thing)))  # type: ignore[attr-defined]
    assert line["stack"][-1] == "AttributeError: module 'shared.logs' has no attribute 'no_such_thing'"


def test_of_another_library_only_the_words_are_written_and_not_the_values() -> None:
    line = json.loads(line_of("Retrying %s after %r", "/key?a=1", OSError("b"), logger="urllib3.pool", address="x"))
    assert line["message"] == "Retrying %s after %r"
    assert set(line) == {"at", "level", "logger", "message"}


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """The stream of a process that was set up as the functions are."""
    stream, root, ours = StringIO(), logging.getLogger(), logging.getLogger("teal")
    for owner, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setattr(root, "handlers", root.handlers[:])
    monkeypatch.setattr(root, "level", root.level)
    monkeypatch.setattr(ours, "level", ours.level)
    logs.configure("DEBUG", stream)
    return stream


def test_details_of_other_libraries_are_not_logged_at_any_level(configured: StringIO) -> None:
    for name in ("botocore.auth", "urllib3.connectionpool", "httpx", "mangum.http", "uvicorn.access", "mcp", "google"):
        logging.getLogger(name).debug("GET /key?X-Amz-Signature=%s", "abc")
        logging.getLogger(name).info("GET /key?X-Amz-Signature=%s", "abc")
    assert configured.getvalue() == ""
    logging.getLogger("teal.test").debug("seen")
    assert json.loads(configured.getvalue())["message"] == "seen"


def test_what_ends_a_thread_or_the_process_is_a_line_too(configured: StringIO) -> None:
    def fails() -> None:
        raise ValueError("zz-secret-literal")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    error = raised(fails)
    sys.excepthook(type(error), error, error.__traceback__)
    told = [json.loads(line) for line in configured.getvalue().splitlines()]
    assert [one["error"] for one in told] == ["ValueError", "ValueError"]
    assert "zz-secret" not in configured.getvalue()


def test_what_a_runtime_prints_of_a_failed_function_says_nothing(configured: StringIO) -> None:
    @logs.errors_end_here()
    def function() -> None:
        try:
            raise KeyError("ann@example.org")
        except KeyError as error:
            raise EngineUnavailableError("SELECT 'zz-secret-literal' FROM x") from error

    with pytest.raises(logs.LoggedError) as ended:
        function()
    assert str(ended.value) == "EngineUnavailableError"
    assert ended.value.__suppress_context__
    line = json.loads(configured.getvalue())
    assert line["stack"][-1] == "EngineUnavailableError: engine_unavailable"
    assert "zz-secret" not in configured.getvalue()


def test_of_each_thing_that_a_route_names_it_is_decided_whether_the_audit_names_it(tmp_path: Path) -> None:
    code = "import json; from shared.bootstrap import api; print(json.dumps([path for _, path in api().state.routes]))"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
    told = kept | {"TEAL_LAKE": str(tmp_path)}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=told, capture_output=True, text=True, check=True)
    parameters = {name for path in json.loads(ran.stdout) for name in re.findall(r"{(\w+)", path)}
    left_out = {"key", "code"}
    assert parameters <= {*SUBJECTS, "dataset", "name"} | left_out
    assert not left_out & {*SUBJECTS}


# --- the second layer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "secret",
    [
        "teal_k0123456789abcde_" + "ab" * 32,
        "Bearer abcdefgh.ijkl",
        "ann.o'neil+x@mail.example.org".removeprefix("ann.o'"),
        "https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Credential=AKIA",
        "https://storage.googleapis.com/b/k?X-Goog-Credential=a%40b&X-Goog-Signature=abc",
        "https://account.example/k?sv=1&sig=abc%3D",
        "/v1/objects/inbox/a?expires=1&signature=abc-def",
        "eyJhbGciOi.eyJzdWIi.c2ln",
        "AKIAIOSFODNN7EXAMPLE",
        "ya29.a0AfH6SMBx-y_z",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "sig=abcdef",
    ],
)
def test_secrets_are_blotted_out_wherever_they_stand(secret: str) -> None:
    line = line_of("saw %s here", secret, nested={"list": [secret]}, text=secret, odd={1: (secret, object())})
    assert line.count(logs.BLOT) >= 4
    tail = secret.partition("?")[2] or secret
    assert tail not in json.loads(line)["message"]
    assert json.dumps(tail)[1:-1] not in line
    assert "\n" not in line


def test_what_is_no_secret_stays() -> None:
    for text in ("signature checked", "ask for design=1", "k0123456789abcde", "POST /v1/sql", "basic check"):
        assert json.loads(line_of("%s", text))["message"] == text


# --- every log of a run is searched ----------------------------------------------------------------------------------


def test_every_kind_of_secret_is_found_and_never_repeated(tmp_path: Path) -> None:
    assert set(SECRETS) == set(KINDS)
    for number, (kind, secret) in enumerate(SECRETS.items()):
        (tmp_path / f"{number}.log").write_text(f"nothing here\n{json.dumps({'message': secret})}\n")
        found = [one for one in findings_in(tmp_path) if one.file == f"{number}.log"]
        assert kind in {one.kind for one in found}, kind
        assert {one.line for one in found} == {2}
        assert secret not in "".join(map(str, found))
    for literal in LITERALS:
        (tmp_path / "literal.log").write_text(literal)
        assert "SQL literal" in {one.kind for one in findings_in(tmp_path) if one.file == "literal.log"}


def test_what_our_logs_hold_is_no_finding(tmp_path: Path) -> None:
    line = line_of("request", action="POST /v1/sql", key_id="k0123456789abcde", sql_hash="ab" * 16, route="/v1/sql")
    (tmp_path / "fine.log").write_text(f"{line}\nREPORT RequestId: 8f50 Duration: 12.5 ms\nselected from a list\n")
    assert list(findings_in(tmp_path)) == []


LEAKING = """
import logging

def test_that_passes():
    logging.getLogger("teal.test").info("saw %s", "ann@" + "example.org")
"""


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_run_whose_tests_pass_and_whose_log_leaks_fails(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.logs_seen", "-n", workers]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEAL_", "PYTEST_"))}
    ended = subprocess.run(
        [*run, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "1 passed" in ended.stdout
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    assert ", line 1: e-mail address" in ended.stdout
    assert "example.org" not in ended.stdout + ended.stderr


def test_the_output_of_processes_that_tests_start_is_searched_too() -> None:
    path = log_file("some-server")
    assert path.parent == Path(os.environ["TEAL_TESTS_LOGS"])
    assert path.suffix == ".log"
