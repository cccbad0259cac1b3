"""The probe passes every store we take and catches one that ignores conditions."""

from __future__ import annotations

import uuid

import pytest

from shared.errors import StoreNotConditionalError, StoreUnavailableError
from shared.storage.base import ObjectStore
from shared.storage.probe import demand_conditional, probe
from tests.servers import create_gcs_bucket, create_s3_bucket, free_port, gcs_server, open_store

REQUIRED = {
    "read_after_write",
    "conditional_create",
    "conditional_replace",
    "conditional_missing",
    "one_winner",
    "range",
    "not_modified",
}


def test_a_store_that_keeps_its_promises_passes_and_is_left_clean(store: ObjectStore) -> None:
    findings = probe(store)
    assert [finding for finding in findings if not finding.ok] == []
    assert {finding.check for finding in findings if finding.required} == REQUIRED
    assert {finding.check for finding in findings if not finding.required} == {"versions", "clock"}
    assert list(store.list(".probe/")) == []
    demand_conditional(store)


def test_a_store_that_ignores_conditions_is_found_out() -> None:
    with gcs_server(enforce=False) as url:
        create_gcs_bucket(url, "lies")
        store = open_store({"kind": "gcs", "endpoint": url, "bucket": "lies", "prefix": ""})
        broken = {finding.check for finding in probe(store) if not finding.ok}
        assert broken >= {"conditional_create", "conditional_replace", "conditional_missing", "one_winner"}
        assert "read_after_write" not in broken
        with pytest.raises(StoreNotConditionalError, match="conditional_create"):
            demand_conditional(store)
        assert list(store.list(".probe/")) == []


def test_a_bucket_without_versions_is_usable_but_said_to_be_without_backup(moto_url: str) -> None:
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    create_s3_bucket(moto_url, bucket, versioning=False)
    store = open_store({"kind": "s3", "endpoint": moto_url, "bucket": bucket, "prefix": ""})
    assert {finding.check for finding in probe(store) if not finding.ok} == {"versions"}
    demand_conditional(store)


def test_a_silent_store_is_unavailable_and_not_a_liar() -> None:
    store = open_store({"kind": "s3", "endpoint": f"http://127.0.0.1:{free_port()}", "bucket": "b", "prefix": ""})
    with pytest.raises(StoreUnavailableError):
        demand_conditional(store)
