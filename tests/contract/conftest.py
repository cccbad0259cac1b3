"""Fixtures of the contract suites: every server once for a session, every store empty for a test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.storage.base import ObjectStore
from tests.servers import (
    create_gcs_bucket,
    create_s3_bucket,
    gcs_keys,
    gcs_server,
    ministack_server,
    moto_server,
    open_store,
    s3_server,
)

GCS_TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A running moto server."""
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def ministack_url() -> Iterator[str]:
    """A running ministack."""
    with ministack_server() as url:
        yield url


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """A running S3 of the project's own: under load it decides conditional writes as S3 does, the emulators do not."""
    with s3_server() as url:
        yield url


@pytest.fixture(scope="session")
def gcs_spec(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A running Google fake that demands a token and checks signatures: its endpoint, token and signing key."""
    path = tmp_path_factory.mktemp("keys") / "keys.json"
    pem = gcs_keys(path)
    with gcs_server(require_token=GCS_TOKEN, keys=path) as url:
        yield {"kind": "gcs", "endpoint": url, "token": GCS_TOKEN, "pem": pem}


@pytest.fixture(params=["folder", "s3", "s3-moto", "s3-ministack", "gcs"])
def store_spec(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """An empty store of each kind, as texts for ``open_store``."""
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    if request.param == "folder":
        return {"kind": "folder", "root": str(tmp_path / "store")}
    if request.param == "gcs":
        spec: dict[str, str] = request.getfixturevalue("gcs_spec")
        create_gcs_bucket(spec["endpoint"], bucket, token=spec["token"])
        return {**spec, "bucket": bucket, "prefix": "some/where"}
    servers = {"s3": "s3_url", "s3-moto": "moto_url", "s3-ministack": "ministack_url"}
    endpoint: str = request.getfixturevalue(servers[request.param])
    create_s3_bucket(endpoint, bucket)
    return {"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": "some/where"}


@pytest.fixture
def store(store_spec: dict[str, str]) -> ObjectStore:
    """An empty store of each kind."""
    return open_store(store_spec)
