"""Real servers for tests, each in a process of its own on a free loopback port, and stores that talk to them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.storage.base import ObjectStore

REPOSITORY = Path(__file__).parent.parent
MINISTACK = "ministack==1.5.33"
SIGNER = "signer@tests.iam.gserviceaccount.com"
"""The account whose key the Google fake knows when it was started with ``gcs_keys``."""
START_SECONDS = 60.0


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def moto_server() -> Iterator[str]:
    """AWS as moto plays it; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with _running(command, {}, port) as url:
        yield url


@contextmanager
def ministack_server(auth: bool = False) -> Iterator[str]:
    """AWS as ministack plays it; ``auth`` makes it check signatures and IAM. Yields its address."""
    port = free_port()
    environment = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "AUTH": "true" if auth else "false"}
    with _running([ministack_program()], environment, port) as url:
        yield url


@contextmanager
def s3_server() -> Iterator[str]:
    """The project's own S3, which decides a conditional write in one step and checks signatures. Yields its address."""
    port = free_port()
    with _running([sys.executable, "-m", "tests.fakes.s3", "--port", str(port)], {}, port) as url:
        yield url


@contextmanager
def gcs_server(*, enforce: bool = True, require_token: str = "", keys: Path | None = None) -> Iterator[str]:
    """The project's own Google Cloud Storage; ``keys`` is a file of ``gcs_keys``. Yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "tests.fakes.gcs", "--port", str(port), "--require-token", require_token]
    command += [] if enforce else ["--ignore-conditions"]
    command += ["--keys", str(keys)] if keys else []
    with _running(command, {}, port) as url:
        yield url


def ministack_program() -> str:
    """TEAL_MINISTACK_BIN, or the program in ``.venv-ministack``, which is made when missing.

    An environment of its own, because ministack pins botocore.
    """
    if named := os.environ.get("TEAL_MINISTACK_BIN"):
        return named
    folder = REPOSITORY / ".venv-ministack"
    program = folder / "bin" / "ministack"
    if not program.exists():
        print(f"making {folder} for {MINISTACK}", file=sys.stderr)
        venv.create(folder, with_pip=True)
        subprocess.run([folder / "bin" / "pip", "install", "--quiet", MINISTACK], check=True)
    return str(program)


def gcs_keys(path: Path) -> str:
    """Write a new key of SIGNER where ``gcs_server(keys=…)`` reads it, and return its PEM text."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    path.write_text(json.dumps({SIGNER: pem}))
    return pem


def service_account(pem: str, endpoint: str) -> Any:
    """Google credentials with a private key, whose tokens the fake at ``endpoint`` gives out."""
    from google.oauth2 import service_account as google

    return google.Credentials.from_service_account_info(
        {"client_email": SIGNER, "private_key": pem, "token_uri": f"{endpoint}/token"}
    )


def create_s3_bucket(endpoint: str, name: str, *, versioning: bool = True) -> None:
    """Make a bucket on an S3 server."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    client.create_bucket(Bucket=name)
    if versioning:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def create_gcs_bucket(endpoint: str, name: str, *, versioning: bool = True, token: str = "") -> None:
    """Make a bucket on the Google fake."""
    body = json.dumps({"name": name, "versioning": {"enabled": versioning}}).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    urllib.request.urlopen(urllib.request.Request(f"{endpoint}/storage/v1/b?project=tests", body, headers)).close()


def open_store(spec: Mapping[str, str]) -> ObjectStore:
    """A store from plain texts, so that another process can open the same one."""
    if spec["kind"] == "folder":
        from shared.storage.folder import FolderStore

        return FolderStore(Path(spec["root"]), b"a signing secret", "http://127.0.0.1:8000")
    if spec["kind"] == "s3":
        from shared.storage.s3 import AwsKeys, S3Store

        keys = AwsKeys("test", "test")
        return S3Store(spec["bucket"], spec["prefix"], region="us-east-1", endpoint_url=spec["endpoint"], keys=keys)
    from shared.storage.gcs import GcsStore

    credentials = service_account(spec["pem"], spec["endpoint"]) if "pem" in spec else None
    return GcsStore(spec["bucket"], spec["prefix"], endpoint=spec["endpoint"], credentials=credentials)


@contextmanager
def _running(command: list[str], environment: dict[str, str], port: int) -> Iterator[str]:
    url = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        command, env={**os.environ, **environment}, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, url)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode} before it answered")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return  # any answer is an answer
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"no answer within {START_SECONDS} seconds")
