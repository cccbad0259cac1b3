"""What only a folder has to promise: nothing leads out of it, processes and kills do no harm, and asking is cheap."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from shared.errors import InputError, ObjectNotFoundError, StoreUnavailableError
from shared.storage import folder
from shared.storage.folder import FolderStore
from tests.servers import REPOSITORY

ESCAPES = ["", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/./b", "a//b", "a/", "a\0b", "\ud800"]
ESCAPES += [".teal/locks/00", ".teal"]

RACE = """
import sys
from pathlib import Path
from shared.errors import PreconditionFailedError
from shared.storage.folder import FolderStore
store, racer, rounds = FolderStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
won = 0
while True:
    body, info = store.get("counter")
    count = int(body.split()[0])
    if count == rounds:
        break
    try:
        store.put_if_match("counter", b"%d by %s" % (count + 1, racer.encode()), etag=info.etag)
        won += 1
    except PreconditionFailedError:
        pass
print(won)
"""

WRITE_FOR_EVER = """
import sys
from pathlib import Path
from shared.storage.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
info = store.head("key")
letters = 0
print("ready", flush=True)
while True:
    letters += 1
    info = store.put_if_match("key", bytes([65 + letters % 26]) * 300_000, etag=info.etag)
"""


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """An empty folder store."""
    return FolderStore(tmp_path / "store")


def test_eight_processes_count_to_400_without_losing_or_doubling_one(store: FolderStore) -> None:
    rounds = 400
    store.put_if_match("counter", b"0", etag="")
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, store.uri, str(racer), str(rounds)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for racer in range(8)
    ]
    won = [int(racer.communicate("go\n", timeout=120)[0]) for racer in racers]
    # Each of the 400 numbers was written by exactly one process.
    assert sum(won) == rounds
    assert store.get("counter")[0].startswith(b"400 ")
    assert len(store.versions("counter")) == folder.KEPT_VERSIONS


def test_a_killed_writer_leaves_a_whole_object_and_no_lock(store: FolderStore) -> None:
    store.put_if_match("key", b"A" * 300_000, etag="")
    for attempt in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, store.uri], cwd=REPOSITORY, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.02 + attempt * 0.007)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        body, info = store.get("key")
        assert len(body) == 300_000
        assert len(set(body)) == 1
        newest = store.versions("key")[0]
        assert newest.etag == info.etag
        store.put_if_match("key", b"B" * 300_000, etag=info.etag)
        assert [found.key for found in store.list("")] == ["key"]


def test_what_a_kill_left_behind_is_tidied_a_day_later(store: FolderStore) -> None:
    left = Path(store.uri, ".teal", "temporary", "left")
    fresh = Path(store.uri, ".teal", "temporary", "fresh")
    left.write_bytes(b"x")
    fresh.write_bytes(b"x")
    os.utime(left, (time.time() - 90_000, time.time() - 90_000))
    FolderStore(Path(store.uri))
    assert not left.exists()
    assert fresh.exists()


@pytest.mark.parametrize("key", ESCAPES)
def test_no_key_leads_out_of_the_folder(store: FolderStore, key: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"outside")
    for ask in (
        lambda: store.get(key),
        lambda: store.head(key),
        lambda: store.put(key, b"x"),
        lambda: store.put_if_match(key, b"x", etag=""),
        lambda: store.delete(key),
        lambda: store.versions(key),
    ):
        with pytest.raises(InputError):
            ask()
    assert (tmp_path / "x").read_bytes() == b"outside"


@pytest.mark.parametrize("prefix", ["../", "/", "/etc/", "a/../../", "a//"])
def test_no_prefix_leads_out_of_the_folder(store: FolderStore, prefix: str) -> None:
    with pytest.raises(InputError):
        list(store.list(prefix))


def test_links_are_neither_followed_nor_listed(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"outside")
    Path(store.uri, "file").symlink_to(tmp_path / "secret" / "file")
    Path(store.uri, "folder").symlink_to(tmp_path / "secret")
    Path(store.uri, "loop").symlink_to(Path(store.uri))
    for key in ("file", "folder/file", "loop/file", "folder/new"):
        for ask in (lambda key=key: store.get(key), lambda key=key: store.put(key, b"x")):
            with pytest.raises(InputError):
                ask()
    assert list(store.list("")) == []
    assert (tmp_path / "secret" / "file").read_bytes() == b"outside"


def test_hidden_names_are_listed_only_when_asked_for(store: FolderStore) -> None:
    store.put(".probe/one", b"x")
    store.put("a/.hidden", b"x")
    store.put("a/shown", b"x")
    store.put_if_match("a/catalog", b"x", etag="")
    assert [info.key for info in store.list("")] == ["a/catalog", "a/shown"]
    assert [info.key for info in store.list(".probe/")] == [".probe/one"]
    assert [info.key for info in store.list("a/.")] == ["a/.hidden"]
    assert list(store.list(".")) == [store.head(".probe/one")]


def test_an_object_cannot_lie_below_or_above_another(store: FolderStore) -> None:
    store.put("a/b", b"x")
    for key in ("a", "a/b/c"):
        for ask in (lambda key=key: store.put(key, b"y"), lambda key=key: store.put_if_match(key, b"y", etag="")):
            with pytest.raises(InputError):
                ask()
    store.delete("a")
    assert store.get("a/b")[0] == b"x"
    assert os.listdir(Path(store.uri, ".teal", "temporary")) == []


def test_a_pipe_is_no_object(store: FolderStore) -> None:
    os.mkfifo(Path(store.uri, "pipe"))
    with pytest.raises(ObjectNotFoundError):
        store.get("pipe")
    assert list(store.list("")) == []


def test_a_held_lock_is_unavailable_after_its_wait(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LOCK_WAIT_SECONDS", 0.2)
    with store._locked("key"), pytest.raises(StoreUnavailableError):  # a writer that hangs
        store.put_if_match("key", b"x", etag="")
    store.put_if_match("key", b"x", etag="")


def test_only_the_newest_versions_are_kept(store: FolderStore) -> None:
    etag = ""
    for number in range(folder.KEPT_VERSIONS + 20):
        etag = store.put_if_match("key", b"%d" % number, etag=etag).etag
    kept = [store.get("key", version=info.version)[0] for info in store.versions("key")]
    assert kept == [b"%d" % number for number in range(folder.KEPT_VERSIONS + 19, 19, -1)]


def test_a_clock_set_back_does_not_reorder_versions(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.put_if_match("key", b"1", etag="")
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    second = store.put_if_match("key", b"2", etag=first.etag)
    store.put_if_match("key", b"3", etag=second.etag)
    assert [store.get("key", version=info.version)[0] for info in store.versions("key")] == [b"3", b"2", b"1"]


def test_a_file_that_somebody_copies_in_is_an_object_with_a_new_etag(store: FolderStore) -> None:
    path = Path(store.uri, "inbox", "orders.csv")
    path.parent.mkdir()
    path.write_bytes(b"one")
    first = store.head("inbox/orders.csv")
    time.sleep(0.02)
    path.write_bytes(b"two")
    assert store.head("inbox/orders.csv").etag != first.etag
    assert store.get("inbox/orders.csv", version=store.head("inbox/orders.csv").etag)[0] == b"two"


def test_asking_for_an_unchanged_catalog_takes_a_fraction_of_a_millisecond(store: FolderStore) -> None:
    """Budget 0.1 ms on an idle machine; the bound leaves room for a busy one and still excludes reading 4 MB."""
    info = store.put_if_match("lake/acme/catalog.ducklake", os.urandom(4_000_000), etag="")
    times = []
    for _ in range(300):
        began = time.perf_counter()
        assert store.get_if_changed("lake/acme/catalog.ducklake", info.etag) is None
        times.append(time.perf_counter() - began)
    assert sorted(times)[150] < 0.0003, json.dumps(sorted(times)[::50])


def test_a_store_is_opened_while_others_write_to_it(tmp_path: Path) -> None:
    store, ended = FolderStore(tmp_path), threading.Event()

    def write() -> None:
        while not ended.is_set():
            store.put("key", b"1")

    writers = [threading.Thread(target=write) for _ in range(4)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(500):
            FolderStore(tmp_path)
    finally:
        ended.set()
        for writer in writers:
            writer.join()


def test_versions_that_were_replaced_long_ago_are_forgotten_and_the_current_one_never_is(tmp_path):
    store = FolderStore(tmp_path)
    etag = ""
    for body in (b"one", b"two", b"three"):
        etag = store.put_if_match("catalog", body, etag=etag).etag
    newest, second, _ = store.versions("catalog")
    assert store.forget_versions("catalog", second.modified_at) == 0
    assert store.forget_versions("catalog", newest.modified_at) == 1
    assert store.versions("catalog") == [newest, second]
    assert store.forget_versions("catalog", newest.modified_at + timedelta(days=1)) == 1
    assert store.get("catalog", version=newest.version)[0] == b"three"
    assert store.forget_versions("nothing", newest.modified_at) == 0
