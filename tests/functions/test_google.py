"""Each Cloud Function takes Google's real requests, in Google's functions framework, from its built package alone."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functions.conftest import AWKWARD_NAME, TENANT, Cloud, get
from tests.functions.runtimes import google_runtime, recorded
from tests.tools import package

LOADED = [("A-1", "12.5000"), ("A-2", "7.2500"), ("A-3", "100.0000")]


@pytest.fixture
def ingest(google: Cloud, tmp_path: Path) -> Iterator[str]:
    with google_runtime(package("gcp", "ingest"), "ingest", "cloudevent", google.settings, tmp_path) as address:
        yield address


@pytest.fixture
def query(google: Cloud, tmp_path: Path) -> Iterator[str]:
    with google_runtime(package("gcp", "query"), "query", "asgi", google.settings, tmp_path) as address:
        yield address


def finalized(cloud: Cloud, name: str = AWKWARD_NAME) -> dict[str, Any]:
    """The recorded event's data, about a file that is really there."""
    info = cloud.drop(name)
    facts = {"bucket": cloud.inbox_bucket, "name": f"inbox/{TENANT}/orders/{name}", "generation": info.version}
    data: dict[str, Any] = recorded("gcs_finalized")["data"] | facts | {"size": str(info.size_bytes)}
    return data


def deliver(address: str, data: dict[str, Any]) -> int:
    """Post an event as Eventarc does; the status decides whether it comes again."""
    headers = {"Content-Type": "application/json", **recorded("gcs_finalized")["headers"]}
    request = urllib.request.Request(address, json.dumps(data).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_file_is_loaded_once_from_a_finalized_event(google: Cloud, ingest: str) -> None:
    data = finalized(google)
    assert (deliver(ingest, data), deliver(ingest, data)) == (200, 200)
    assert (google.orders(), google.statuses()) == (LOADED, ["loaded"])


def test_an_event_without_an_object_is_refused_so_that_it_comes_again(ingest: str) -> None:
    assert deliver(ingest, {"bucket": "b"}) == 500


def test_an_outage_is_refused_so_that_the_event_comes_again(google: Cloud, tmp_path: Path) -> None:
    settings = google.settings | {"TEAL_GCS_ENDPOINT": "http://127.0.0.1:9"}
    data = finalized(google)
    with google_runtime(package("gcp", "ingest"), "ingest", "cloudevent", settings, tmp_path) as address:
        assert deliver(address, data) == 500
    assert google.statuses() == []


def test_a_question_is_answered(google: Cloud, ingest: str, query: str) -> None:
    deliver(ingest, finalized(google))
    status, answer = get(f"{query}/v1/datasets/orders/rows", google.token())
    assert status == 200, answer
    assert [row["order_id"] for row in answer["rows"]] == ["A-1", "A-2", "A-3"]


def test_without_a_key_there_is_no_answer(query: str) -> None:
    status, answer = get(f"{query}/v1/datasets/orders/rows")
    assert (status, answer["code"]) == (401, "unauthenticated")


def test_a_round_of_tidying_keeps_the_rows(google: Cloud, ingest: str, tmp_path: Path) -> None:
    deliver(ingest, finalized(google))
    with google_runtime(package("gcp", "tidy"), "tidy", "http", google.settings, tmp_path) as address:
        with urllib.request.urlopen(urllib.request.Request(address, b"{}"), timeout=60) as answer:
            assert answer.status == 200
    assert google.orders() == LOADED
    assert google.models() == ["anomalies", "baskets", "forecast", "lifetime"]
