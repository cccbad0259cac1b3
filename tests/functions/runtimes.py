"""The clouds' own runtimes around a built package: nothing of this repository is in their reach but that folder."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.logs_seen import log_file
from tests.servers import free_port
from tests.tools import google_python, lambda_emulator, lambda_python

START_SECONDS = 30.0
INVOCATIONS = "/2015-03-31/functions/function/invocations"


@dataclass(frozen=True)
class LambdaRuntime:
    """A function in AWS's runtime emulator, whose process is ``pid``; ``log`` is the file it writes to."""

    url: str
    log: Path
    pid: int

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """The function's answer; an error is answered as ``{"errorType": …, "errorMessage": …}``."""
        request = urllib.request.Request(self.url + INVOCATIONS, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or "null")

    def processor_seconds(self) -> float:
        """What the emulator and everything it started have used so far: hardly changed by other work on the machine."""
        fields = [_stat(pid) for pid in _family(self.pid)]
        return sum(int(one[11]) + int(one[12]) for one in fields) / os.sysconf("SC_CLK_TCK")


@contextmanager
def lambda_runtime(package: Path, handler: str, settings: Mapping[str, str], work: Path) -> Iterator[LambdaRuntime]:
    """Start a package as Lambda does: the package is the working folder, the environment holds nothing of ours."""
    port, log = free_port(), log_file("lambda")
    command = [lambda_emulator(), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{free_port()}", lambda_python(), "-m", "awslambdaric", handler]
    environment = {
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "60",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1769",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(package),
    }
    with _started(command, package, environment | dict(settings), log, work) as process:
        _until_listening(port, process, log)
        yield LambdaRuntime(f"http://127.0.0.1:{port}", log, process.pid)


@contextmanager
def google_runtime(
    package: Path, target: str, signature: str, settings: Mapping[str, str], work: Path
) -> Iterator[str]:
    """Start a package as Cloud Functions does; ``signature`` is http, cloudevent or asgi. Yields the address."""
    port, log = free_port(), log_file("google")
    command = [google_python(), "-m", "functions_framework", "--target", target, "--host", "127.0.0.1"]
    command += ["--port", str(port)]
    command += ["--asgi"] if signature == "asgi" else ["--signature-type", signature]
    with _started(command, package, {"PYTHONPATH": str(package), **settings}, log, work) as process:
        _until_listening(port, process, log)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _started(
    command: list[Any], package: Path, environment: Mapping[str, str], log: Path, work: Path
) -> Iterator[subprocess.Popen[bytes]]:
    # A short folder of its own: DuckDB's temporary files and a home that is not this user's.
    with tempfile.TemporaryDirectory(dir=work) as home, log.open("wb") as output:
        base = {
            "PATH": os.environ["PATH"],
            "HOME": home,
            "TMPDIR": home,
            "TEAL_TEMP_DIRECTORY": home,
            "LANG": "C.UTF-8",
        }
        process = subprocess.Popen(
            [str(part) for part in command], cwd=package, env=base | dict(environment), stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield process
        finally:
            _end(process, 15)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                _end(process, 9)
                process.wait()


def _end(process: subprocess.Popen[bytes], signal: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal)


def _until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.005)
    raise RuntimeError(f"no answer (exit code {process.poll()}): {log.read_text()[-2000:]}")


def _family(pid: int) -> list[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            parents[int(path.name)] = int(_stat(int(path.name))[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def _stat(pid: int) -> list[str]:
    # After the name, which may hold anything: state, parent, …
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def recorded(name: str) -> dict[str, Any]:
    """One of the recorded events."""
    event: dict[str, Any] = json.loads((Path(__file__).parent / "events" / f"{name}.json").read_text())
    return event
