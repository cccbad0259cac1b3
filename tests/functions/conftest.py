"""What runtime tests need: AWS's and Google's storage on this machine, and a file of which the answer is known."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.catalog.reader import LakeReader
from shared.catalog.stored import StoredCatalog
from shared.duck import Duck, open_duck
from shared.keys import Keys
from shared.storage.base import ObjectInfo, ObjectStore
from tests.servers import create_gcs_bucket, create_s3_bucket, gcs_server, ministack_server, open_store

TENANT = "acme"
HEADER = "order_id,customer_id,ordered_at,status,country,currency,discount,tax,shipping,total,updated_at"
ORDERS = [
    "A-1,c1,2026-01-02T10:00:00Z,paid,DE,EUR,0,0,0,12.50,2026-01-02T10:00:00Z",
    "A-2,c2,2026-01-03T10:00:00Z,paid,FR,EUR,0,0,0,7.25,2026-01-03T10:00:00Z",
    "A-3,,2026-01-04T10:00:00Z,paid,FR,EUR,0,0,0,100.00,2026-01-04T10:00:00Z",
]
ORDERS_CSV = "\n".join([HEADER, *ORDERS, ""]).encode()
AWKWARD_NAME = "orders 2026+q3/part-1.csv"
"""A space, a plus and a slash: what each server encodes in its own way."""


@dataclass(frozen=True)
class Cloud:
    """A lake and an inbox on one server, and the settings by which a function finds them."""

    lake: ObjectStore
    inbox: ObjectStore
    inbox_bucket: str
    settings: dict[str, str]

    def drop(self, name: str = AWKWARD_NAME, body: bytes = ORDERS_CSV, dataset: str = "orders") -> ObjectInfo:
        """Put a file into the inbox; nothing listens."""
        return self.inbox.put(f"inbox/{TENANT}/{dataset}/{name}", body, content_type="text/csv")

    def orders(self) -> list[tuple[str, str]]:
        """Ids and totals in the lake, read without any function."""
        with self._reader().pin() as lake:
            return [(row[0], str(row[1])) for row in lake.duck.execute("SELECT order_id, total FROM orders ORDER BY 1")]

    def statuses(self) -> list[str]:
        """What the ledger says of each upload, oldest first."""
        with self._reader().pin() as lake:
            return [row[0] for row in lake.duck.execute("SELECT status FROM teal.uploads ORDER BY snapshot_id")]

    def models(self) -> list[str]:
        """What was fitted."""
        with self._reader().pin() as lake:
            return [row[0] for row in lake.duck.execute("SELECT DISTINCT model FROM teal.models ORDER BY 1")]

    def token(self) -> str:
        """A new API key of the tenant."""
        return Keys(self.lake).create(TENANT, ["read"]).token

    def _reader(self) -> LakeReader:
        def session() -> Duck:
            duck = open_duck(memory_limit_mb=512, threads=1)
            duck.grant(self.lake.duck_access(), "lake_store")
            return duck

        return LakeReader(StoredCatalog(self.lake, TENANT), session)


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    with ministack_server() as address:
        yield address


@pytest.fixture
def aws(s3_address: str, request: pytest.FixtureRequest) -> Cloud:
    """Two fresh versioned buckets on a server that speaks S3."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    stores = []
    for bucket in (f"{name}-lake", f"{name}-inbox"):
        create_s3_bucket(s3_address, bucket)
        stores.append(open_store({"kind": "s3", "bucket": bucket, "prefix": "", "endpoint": s3_address}))
    settings = {"TEAL_LAKE": f"s3://{name}-lake", "TEAL_INBOX": f"s3://{name}-inbox", "TEAL_S3_ENDPOINT": s3_address}
    return Cloud(stores[0], stores[1], f"{name}-inbox", settings)


@pytest.fixture(scope="module")
def gcs_address() -> Iterator[str]:
    with gcs_server() as address:
        yield address


@pytest.fixture
def google(gcs_address: str, request: pytest.FixtureRequest) -> Cloud:
    """Two fresh versioned buckets on a server that speaks Google Cloud Storage."""
    name = f"t{abs(hash(request.node.nodeid)) % 10**12}"
    stores = []
    for bucket in (f"{name}-lake", f"{name}-inbox"):
        create_gcs_bucket(gcs_address, bucket)
        stores.append(open_store({"kind": "gcs", "bucket": bucket, "prefix": "", "endpoint": gcs_address}))
    settings = {"TEAL_LAKE": f"gs://{name}-lake", "TEAL_INBOX": f"gs://{name}-inbox", "TEAL_GCS_ENDPOINT": gcs_address}
    return Cloud(stores[0], stores[1], f"{name}-inbox", settings)


def get(url: str, token: str = "", host: str = "") -> tuple[int, Any]:
    """Status and JSON of one GET."""
    headers = {name: value for name, value in (("Authorization", token and f"Bearer {token}"), ("Host", host)) if value}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")
