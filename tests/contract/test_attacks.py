"""The whole attack corpus over HTTP, on a folder and on S3: what is refused, what ends in time, and that nothing else
happened: not in the lake, not on the machine, not on the network."""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from shared.duck import open_duck
from shared.errors import AppError
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits
from shared.values import UploadedObject
from tests.published_web import OTHER, PublishedWeb, published_web_on
from tests.servers import create_s3_bucket, open_store
from tests.shop import TENANT
from tests.stranger import Attack, attacks, widen

SECONDS = 1.0
LATE_SECONDS = 2.0
"""The second that a cell has to end itself, and one in which a busy machine ends a process and starts another."""

CORPORA = ("sql", "own", "more")
MARK = "a-secret-of-the-process"
RIVALS = "a-row-of-the-rival"
OF_THE_HOUSE = (
    "ducklake", "parquet", "duckdb_", "teal-cell", "teal-sql", "Traceback", "site-packages", "shared/", ".py",
    "allowed_", "s3_", "memory_limit", "temp_directory", "/proc/", "root:", OTHER, RIVALS, MARK,
)  # fmt: skip
"""No answer holds one of these words unless the one who asked wrote it."""


class Sink:
    """Listens at a port of this machine and remembers who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        self.seen: list[bytes] = []
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                caller, _ = self._socket.accept()
            except OSError:
                return
            with caller:
                caller.settimeout(1)
                try:
                    self.seen.append(caller.recv(1_000))
                except OSError:
                    self.seen.append(b"")

    def close(self) -> None:
        """Listen no longer."""
        # A thread that waits in accept() is not woken by close() alone.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@dataclass(frozen=True)
class Town:
    """An installation with two tenants' lakes, somebody who attacks from one of them, and who watches."""

    web: PublishedWeb
    store: ObjectStore
    client: TestClient
    sink: Sink
    places: dict[str, str]
    secrets: tuple[str, ...]
    files: frozenset[Path] = field(default_factory=frozenset)

    def cases(self, *expected: str) -> Iterator[Attack]:
        for file in CORPORA:
            yield from attacks(*expected, file=file, places=self.places)

    def ask(self, sql: str) -> httpx2.Response:
        # Escaped, since some attacks are no text that could be sent otherwise.
        body = json.dumps({"sql": sql})
        answer: httpx2.Response = self.client.post(
            "/v1/sql", content=body, headers={"Content-Type": "application/json"}
        )
        return answer

    def things(self) -> dict[str, Any]:
        """What an attack might have changed: objects with their ETags, and files that the corpus names."""
        return {
            "objects": {one.key: (one.etag, one.size_bytes) for prefix in ("lake/", "inbox/", "keys/")
                        for one in self.store.list(prefix)},
            "files": sorted(str(path) for path in self.files if path.exists()),
            "here": sorted(os.listdir()),
            "home": sorted(os.listdir(Path.home())),
        }  # fmt: skip


def children() -> set[int]:
    """The processes that this one started, dead ones that nobody waited for too."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, told = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if told[1] == str(os.getpid()):
            found.add(int(number))
    return found


def cell_folders() -> set[str]:
    return {str(path) for kind in ("teal-cell-*", "teal-sql-*") for path in Path(tempfile.gettempdir()).glob(kind)}


@pytest.fixture(scope="module", params=["folder", "s3"])
def town(request, tmp_path_factory) -> Iterator[Town]:
    with pytest.MonkeyPatch.context() as patch:
        # What cells leave behind can then be told from what those of other tests have.
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
        yield from built(request, tmp_path_factory)


def built(request: Any, tmp_path_factory: Any) -> Iterator[Town]:
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    if request.param == "folder":
        root = tmp_path_factory.mktemp("town") / "store"
        spec, secrets = {"kind": "folder", "root": str(root)}, (str(root),)
    else:
        endpoint = request.getfixturevalue("s3_url")
        create_s3_bucket(endpoint, bucket)
        spec = {"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": "some/where"}
        secrets = (bucket, endpoint.partition("//")[2])
    store, sink = open_store(spec), Sink()
    limits = SqlLimits(seconds=SECONDS, answer_bytes=200_000, memory_mb=256, temp_mb=64)
    web = published_web_on(store, limits)
    web.shop.upload(
        "orders",
        "o.csv",
        "order_id,ordered_at,customer_id,status,total\n"
        + "".join(f"{i},2024-01-01,c{i % 3},{'open' if i % 2 else 'paid'},{i % 10}\n" for i in range(200)),
    )
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\nc1,Bob,\n")
    web.shop.upload("products", "p.csv", "product_id,name\np,Pen\n")
    web.shop.writer.commit("test", widen)
    put = store.put(f"inbox/{OTHER}/orders/r.csv", f"order_id,ordered_at,total\n{RIVALS},2024-01-01,1\n".encode())
    web.shop.ingest(UploadedObject("inbox", put.key, put.version, put.etag, put.size_bytes))
    web.fresh()
    places = {
        "{{BUCKET}}": bucket,
        "{{OWN_PREFIX}}": store.uri_of(f"lake/{TENANT}"),
        "{{OTHER_PREFIX}}": store.uri_of(f"lake/{OTHER}"),
        "{{OTHER}}": OTHER,
        "{{SINK}}": sink.address,
    }
    named = (attack.sql for file in CORPORA for attack in attacks("refused", file=file))
    files = frozenset(Path(path) for sql in named for path in re.findall(r"'(/tmp/[\w./-]+)", sql))
    client = web.client("sql")
    client.post("/v1/sql", json={"sql": "SELECT 1"})  # when a key was used last is written down
    yield Town(web, store, client, sink, places, secrets, files)
    web.runner.close()
    sink.close()


@contextmanager
def nothing_happens(town: Town) -> Iterator[None]:
    """Fails if the block changed a lake or a file, called somebody, or left a process or a folder behind."""
    town.web.runner.close()
    things, started, folders = town.things(), children(), cell_folders()
    yield
    town.web.runner.close()
    assert town.things() == things
    assert town.sink.seen == []
    assert children() <= started
    assert cell_folders() <= folders


def told(answer: httpx2.Response) -> str:
    """Everything that an answer says, but for the question that it repeats."""
    body = answer.json()
    body.pop("parameters", None)
    return json.dumps(body, ensure_ascii=False) + repr(answer.headers.multi_items())


def require_quiet(town: Town, attack: Attack, answer: httpx2.Response) -> None:
    said = told(answer)
    for word in (*OF_THE_HOUSE, *town.secrets):
        assert word not in said or word.lower() in attack.sql.lower(), (attack.name, word, said)


def require_problem(attack: Attack, answer: httpx2.Response) -> None:
    body = answer.json()
    assert 400 <= answer.status_code < 500, (attack.name, answer.text)
    assert answer.status_code != 429, attack.name
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert {"type", "title", "status", "code", "detail", "request_id"} <= set(body)
    assert "rows" not in body
    assert body["status"] == answer.status_code


def test_the_sink_would_see_who_comes(town):
    duck = open_duck(memory_limit_mb=128, threads=1)
    for url in (f"http://{town.sink.address}/x", f"s3://a/b?s3_endpoint={town.sink.address}&s3_use_ssl=false"):
        with pytest.raises(AppError):
            duck.execute(f"SELECT * FROM read_text('{url}')")
    duck.close()
    assert {seen.partition(b" ")[0] for seen in town.sink.seen} <= {b"HEAD", b"GET"}
    assert any(b"AWS4-HMAC" in seen or b"/x" in seen for seen in town.sink.seen)
    town.sink.seen.clear()


def test_every_attack_is_refused_and_nothing_happens(town, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", MARK)
    with nothing_happens(town):
        for attack in town.cases("refused"):
            answer = town.ask(attack.sql)
            require_problem(attack, answer)
            require_quiet(town, attack, answer)


def test_what_is_not_refused_tells_nothing_of_the_house(town):
    with nothing_happens(town):
        for attack in town.cases("refused_or_harmless"):
            answer = town.ask(attack.sql)
            if answer.status_code != 200:
                require_problem(attack, answer)
            require_quiet(town, attack, answer)


def test_every_honest_question_is_answered(town):
    with nothing_happens(town):
        for attack in town.cases("allowed"):
            answer = town.ask(attack.sql)
            assert answer.status_code == 200, (attack.name, answer.text)
            require_quiet(town, attack, answer)
            if attack.rows is not None:
                assert [list(row.values()) for row in answer.json()["rows"]] == attack.rows, attack.name


def test_what_takes_too_much_ends_in_time_and_the_next_is_served(town, request):
    """On S3 those that read a dataset: the others never come near the store."""
    with nothing_happens(town):
        town.ask("SELECT 1")
        for attack in town.cases("stopped"):
            if "s3" in request.node.name and "orders" not in attack.sql:
                continue
            started = time.monotonic()
            answer = town.ask(attack.sql)
            assert time.monotonic() - started < SECONDS + LATE_SECONDS, attack.name
            if answer.status_code != 200:
                require_problem(attack, answer)
            require_quiet(town, attack, answer)
            assert town.ask("SELECT 1 AS x").json()["rows"] == [{"x": 1}], attack.name
