"""What every store promises: bytes under keys, and exactly one winner of every conditional write."""

from __future__ import annotations

import threading

import httpx
import pytest

from shared.duck import open_duck
from shared.errors import ObjectNotFoundError, PreconditionFailedError, StoreUnavailableError
from shared.storage.probe import probe
from tests.servers import create_gcs_bucket, free_port, gcs_server, open_store

ODD_KEYS = ["a b.csv", "a+b.csv", "ümlaut/x.csv", "deep/er/and/deeper.txt", "per%20cent"]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_bytes_come_back_under_any_honest_key(store, key):
    put = store.put(key, b"hello", content_type="text/csv")
    body, info = store.get(key)
    assert (body, info.size_bytes, info.etag) == (b"hello", 5, put.etag)
    assert [found.key for found in store.list("")] == [key]
    assert store.get_range(key, 1, 3) == b"ell"


def test_what_is_not_there_is_said(store):
    for call in (store.get, store.head, lambda key: store.get_if_changed(key, "123")):
        with pytest.raises(ObjectNotFoundError):
            call("nothing")
    store.delete("nothing")


def test_an_unchanged_object_is_not_sent_again(store):
    first = store.put("k", b"1")
    assert store.get_if_changed("k", first.etag) is None
    store.put("k", b"2")
    body, info = store.get_if_changed("k", first.etag)
    assert body == b"2"
    assert info.etag != first.etag


def test_a_conditional_put_creates_once_and_replaces_only_what_it_knows(store):
    first = store.put_if_match("k", b"1", etag="")
    with pytest.raises(PreconditionFailedError):
        store.put_if_match("k", b"2", etag="")
    second = store.put_if_match("k", b"2", etag=first.etag)
    with pytest.raises(PreconditionFailedError):
        store.put_if_match("k", b"3", etag=first.etag)
    assert store.get("k")[0] == b"2"
    store.delete("k")
    with pytest.raises(PreconditionFailedError):
        store.put_if_match("k", b"4", etag=second.etag)


def test_of_sixteen_writers_one_wins_each_round(store):
    etag = store.put_if_match("k", b"start", etag="").etag
    for _ in range(3):
        won, lost = [], []
        barrier = threading.Barrier(16)

        def write(number, etag=etag, won=won, lost=lost, barrier=barrier):
            barrier.wait()
            try:
                won.append((number, store.put_if_match("k", f"{number}".encode(), etag=etag)))
            except PreconditionFailedError:
                lost.append(number)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 15)
        assert store.get("k")[0] == f"{won[0][0]}".encode()
        etag = won[0][1].etag


def test_former_versions_can_be_read_also_after_a_deletion(store):
    etag = store.put_if_match("k", b"1", etag="").etag
    store.put_if_match("k", b"2", etag=etag)
    store.delete("k")
    bodies = [store.get("k", version=info.version)[0] for info in store.versions("k") if info.size_bytes]
    assert bodies == [b"2", b"1"]


def test_files_stream_in_and_out(store, tmp_path):
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"0123456789abcdef" * 700_000)
    store.put_file("big", source)
    info = store.download("big", target)
    assert info.size_bytes == source.stat().st_size
    assert target.read_bytes() == source.read_bytes()


def test_a_signed_url_can_be_used_by_anybody(store, store_spec):
    if store_spec["kind"] == "folder":
        pytest.importorskip("shared.storage.signing")
        return
    signed = store.sign_put("up.csv", seconds=60, content_type="text/csv")
    assert httpx.put(signed.url, content=b"a,b\n", headers=signed.headers).status_code == 200
    assert httpx.get(store.sign_get("up.csv", seconds=60).url).content == b"a,b\n"


def test_duckdb_reads_and_writes_there(store):
    duck = open_duck(memory_limit_mb=256, threads=1)
    duck.grant(store.duck_access(), "s")
    if not store.uri.startswith(("s3://", "gs://")):
        (store.put("d/keep", b"x"))
    duck.execute(f"COPY (SELECT 42 AS answer) TO '{store.uri_of('d/x.parquet')}'")
    assert duck.value(f"SELECT answer FROM read_parquet('{store.uri_of('d/x.parquet')}')") == 42


def test_the_probe_finds_every_promise_kept(store):
    assert [finding for finding in probe(store) if not finding.ok and finding.required] == []


def test_the_probe_finds_a_store_that_ignores_conditions():
    with gcs_server(enforce=False) as url:
        create_gcs_bucket(url, "liar")
        store = open_store({"kind": "gcs", "endpoint": url, "bucket": "liar", "prefix": "", "token": "t"})
        assert any(not finding.ok and finding.required for finding in probe(store))


@pytest.mark.parametrize("kind", ["s3", "gcs"])
def test_a_silent_server_is_unavailable_and_soon(kind):
    endpoint = f"http://127.0.0.1:{free_port()}"
    store = open_store({"kind": kind, "endpoint": endpoint, "bucket": "b", "prefix": "", "token": "t"})
    with pytest.raises(StoreUnavailableError):
        store.put_if_match("k", b"1", etag="")
