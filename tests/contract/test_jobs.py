"""A question that is answered later: the same answer, once, to those who may see it, whatever happens to a worker."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import pytest
from starlette.testclient import TestClient

from shared.api.asking import OWN
from shared.asked import Asked
from shared.asked_documents import document_of
from shared.datasets.question import Context, Question, Statement
from shared.datasets.questions.registered import QUESTIONS
from shared.datasets.rules import DataRules
from shared.errors import EngineUnavailableError
from shared.job import LEASE_SECONDS, MAX_ATTEMPTS, Job, new_job_id
from shared.keys import Principal
from shared.leftovers import TidyRules
from shared.logs import configure
from shared.storage.base import ObjectStore
from shared.stranger_sql.base import SqlLimits, SqlPage, SqlRun
from shared.tenants import Tenants
from shared.tidy import TidyLakes
from tests.published_web import OTHER, PublishedWeb, code_of, published_web_on
from tests.shop import TENANT

LATER = {"Prefer": "respond-async"}
ENDLESS = "SELECT count(*) AS n FROM range(1000000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3"
ORDERS = "order_id,ordered_at,customer_id,country,status,total\n" + "".join(
    f"{n:03},2024-01-{1 + n % 28:02},c{n % 4},{('DE', 'FR')[n % 2]},paid,{n % 10}.5\n" for n in range(60)
)
REPOSITORY = Path(__file__).parent.parent.parent

stores = pytest.mark.parametrize("store_spec", ["folder", "s3"], indirect=True)
folder = pytest.mark.parametrize("store_spec", ["folder"], indirect=True)


class Client:
    """Asks with one key, now and later."""

    def __init__(self, web: PublishedWeb, *scopes: str, tenant: str = TENANT, **more: Any) -> None:
        made = web.keys.create(tenant, scopes, **more)
        self.principal = web.keys.verify(made.token)
        self.http = TestClient(
            web.app,
            base_url="http://localhost",
            headers={"Authorization": f"Bearer {made.token}"},
            follow_redirects=False,
        )

    def sql(self, text: str, *, headers: dict[str, str] | None = None, **told: Any) -> httpx2.Response:
        """Ask SQL; with headers, perhaps later."""
        answer: httpx2.Response = self.http.post("/v1/sql", json={"sql": text, **told}, headers=headers or {})
        return answer

    def job(self, text: str, **told: Any) -> str:
        """The id of a new job of SQL."""
        answer = self.sql(text, headers=LATER, **told)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    def ended(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        return until(lambda: self.http.get(f"/v1/jobs/{job_id}").json(), lambda job: job["status"] not in OPEN)


OPEN = ("queued", "running")


def until(look: Callable[[], Any], wanted: Callable[[Any], bool], *, seconds: float = 30) -> Any:
    """What is seen, once it is as wanted."""
    deadline = time.monotonic() + seconds
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.02)
    return seen


def fetched(store: ObjectStore, location: str) -> bytes:
    """What is behind a signed URL; a folder's is served by an API on the store's machine."""
    if location.startswith("http://127.0.0.1:8000/v1/objects/"):
        return store.get(unquote(urlsplit(location).path).removeprefix("/v1/objects/"))[0]
    with urllib.request.urlopen(location) as answer:
        return bytes(answer.read())


@pytest.fixture
def web(store: ObjectStore) -> Iterator[PublishedWeb]:
    web = published_web_on(store, SqlLimits(seconds=5, memory_mb=256, temp_mb=64))
    web.shop.upload("orders", "o.csv", ORDERS)
    web.shop.upload("customers", "c.csv", "customer_id,name,email\nc0,Ann,ann@example.org\nc1,Bob,\n")
    web.fresh()
    yield web
    web.later.close()
    web.runner.close()


@pytest.fixture
def client(web: PublishedWeb) -> Client:
    return Client(web, "read", "sql")


# --- the answer ------------------------------------------------------------------------------------------------------


@stores
def test_the_answer_is_byte_for_byte_that_of_asking_at_once_then(web, client, store):
    web.publish("by-country", "SELECT country, count(*) AS n FROM orders WHERE total >= $least GROUP BY country",
                parameters=[{"name": "least", "type": "decimal"}], example={"least": "1"})  # fmt: skip
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", "/v1/sql", {"json": {"sql": "SELECT * FROM orders WHERE total > $t", "parameters": {"t": 2.5}}}),
        ("POST", "/v1/sql", {"json": {"sql": "SELECT order_id, total FROM orders", "format": "csv", "limit": 7}}),
        ("POST", "/v1/sql", {"json": {"sql": "SELECT * FROM orders", "format": "parquet"}}),
        ("GET", "/v1/my/by-country?least=3.5", {}),
        ("GET", "/v1/sales/summary", {}),
        ("GET", "/v1/sales/by-period?grain=week&limit=3&format=arrow", {}),
    ]
    at_once = [client.http.request(method, path, **told) for method, path, told in asked]
    web.later.queue.is_held = True
    later = []
    for method, path, told in asked:
        answer = client.http.request(method, path, headers=LATER, **told)
        job = answer.json()
        assert (answer.status_code, job["status"]) == (202, "queued"), answer.text
        assert answer.headers["location"] == job["status_url"] == f"/v1/jobs/{job['job_id']}"
        assert (answer.headers["preference-applied"], answer.headers["retry-after"]) == ("respond-async", "1")
        later.append(job["job_id"])
        if len(later) == 3:  # four may be open at once
            web.later.queue.release()
            assert [client.ended(one)["status"] for one in later] == ["done"] * 3
            web.later.queue.is_held = True
    # What is committed before a worker begins is not in the answer.
    web.shop.upload("orders", "more.csv", ORDERS.replace("\n0", "\n9"))
    web.publish("by-country", "SELECT 1 AS one")
    web.later.queue.release()
    for job_id, expected in zip(later, at_once, strict=True):
        job = client.ended(job_id)
        assert job["status"] == "done", job
        assert str(job["snapshot"]) == expected.headers["teal-snapshot"]
        result = client.http.get(job["result_url"])
        assert (result.status_code, result.headers["cache-control"]) == (303, "private, no-store")
        body = fetched(store, result.headers["location"])
        assert body == expected.content
        assert job["bytes"] == len(body)
        assert job.get("next") == (expected.json()["next"] if body.startswith(b"{") else job.get("next"))


@folder
def test_who_waits_for_it_gets_it_inline_and_who_has_it_a_304(web, client):
    web.fresh()
    plain = client.http.get("/v1/sales/summary")
    waited = client.http.get("/v1/sales/summary", headers={"Prefer": "respond-async, wait=20"})
    assert (waited.status_code, waited.content) == (200, plain.content)
    assert waited.headers["preference-applied"] == "wait=20"
    for name in ("etag", "teal-snapshot", "content-type", "cache-control", "vary"):
        assert waited.headers[name] == plain.headers[name], name
    known = client.http.get(
        "/v1/sales/summary", headers={"Prefer": "respond-async, wait=20", "If-None-Match": plain.headers["etag"]}
    )
    assert (known.status_code, known.content) == (304, b"")
    pages = client.http.get("/v1/sales/by-period?grain=day&limit=2", headers={"Prefer": "respond-async; x=1,wait=20"})
    at_once = client.http.get("/v1/sales/by-period?grain=day&limit=2")
    assert pages.headers["link"] == at_once.headers["link"]


@folder
def test_what_is_wrong_with_a_question_is_told_as_at_once(web, client):
    for broken in ("SELECT * FROM orderz", "SELECT * FROM read_text('x')", "SELECT status::INTEGER AS n FROM orders"):
        expected = client.sql(broken).json()
        job = client.ended(client.job(broken))
        result = client.http.get(f"/v1/jobs/{job['job_id']}/result")
        waited = client.sql(broken, headers={"Prefer": "respond-async, wait=20"})
        for told in (result.json(), waited.json()):
            assert {**told, "request_id": ""} == {**expected, "request_id": ""}
        assert (job["status"], job["problem"]["code"]) == ("failed", expected["code"])
        assert result.status_code == waited.status_code == 422
    assert code_of(client.sql("SELECT 1", headers=LATER, limit=10**6)) == (422, "page_too_large")
    assert code_of(client.sql("SELECT 1", headers=LATER, snapshot=10**6)) == (404, "snapshot_not_found")


@folder
def test_a_page_of_a_job_may_be_larger(web, client, store):
    told = "SELECT range AS n FROM range(30000)"
    assert code_of(client.sql(told, limit=30_000)) == (422, "page_too_large")
    job = client.ended(client.job(told, limit=30_000))
    body = json.loads(fetched(store, client.http.get(job["result_url"]).headers["location"]))
    assert [row["n"] for row in body["rows"]] == list(range(30_000))
    usual = client.ended(client.job(told))
    assert len(json.loads(fetched(store, client.http.get(usual["result_url"]).headers["location"]))["rows"]) == 10_000


@folder
def test_where_nobody_works_on_jobs_the_answer_comes_at_once(web, client):
    object.__setattr__(web.later.jobs, "queue", None)
    answer = client.http.get("/v1/sales/summary", headers=LATER)
    assert (answer.status_code, answer.headers.get("preference-applied")) == (200, None)
    assert client.http.get("/v1/jobs").json()["jobs"] == []


@folder
def test_a_dry_run_and_a_head_are_never_jobs(web, client):
    assert client.http.get("/v1/sales/summary?dry_run=1", headers=LATER).status_code == 200
    assert client.http.head("/v1/sales/summary", headers=LATER).status_code == 200
    assert client.http.get("/v1/jobs").json()["jobs"] == []


@folder
def test_every_question_is_read_back_from_its_document_as_it_was(web):
    who = Principal(TENANT, "k1", frozenset({"read"}))
    for name, question in QUESTIONS.items():
        fields = {field.alias or own: str(field.annotation) for own, field in question.model_fields.items()}
        example = {
            own: [text] if isinstance(text, str) and ("list" in fields[own] or "tuple" in fields[own]) else text
            for own, text in question.example.items()
            if own not in OWN
        }
        asked = Asked(question.model_validate(example), TENANT, snapshot=3, limit=5, was_newest=True)
        document = json.loads(json.dumps(document_of(asked)))
        assert web.later.documents.asked_from(document, who) == asked, name


# --- ending one ------------------------------------------------------------------------------------------------------


@stores
def test_a_job_that_would_never_end_is_cancelled_and_the_next_one_served(web, client):
    endless = [client.job(ENDLESS) for _ in range(2)]  # as many as there are workers
    for job_id in endless:
        until(lambda: client.http.get(f"/v1/jobs/{job_id}").json()["status"], lambda seen: seen == "running")  # noqa: B023
    assert code_of(client.http.get(f"/v1/jobs/{endless[0]}/result")) == (409, "job_not_done")
    assert client.sql("SELECT 1 AS x").json()["rows"] == [{"x": 1}], "the API answers meanwhile"
    after = client.job("SELECT 2 AS x")
    for job_id in endless:
        answer = client.http.delete(f"/v1/jobs/{job_id}")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    started = time.monotonic()
    assert client.ended(after)["status"] == "done"
    assert time.monotonic() - started < 10
    assert code_of(client.http.get(f"/v1/jobs/{endless[0]}/result")) == (409, "job_cancelled")
    assert client.http.delete(f"/v1/jobs/{after}").json()["status"] == "done", "what has ended stays as it is"


@folder
def test_a_job_that_waits_is_cancelled_before_it_begins(web, client):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")
    assert client.http.delete(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"
    web.later.worker(SqlLimits())(TENANT, job_id)
    told = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (told["status"], told["attempts"]) == ("cancelled", 0)


class Slow(Question):
    """One of our own that takes for ever."""

    def statement(self, context: Context) -> Statement:
        return Statement(ENDLESS)

    def tables(self) -> tuple[str, ...]:
        return ()


@folder
def test_a_question_of_our_own_is_stopped_too(web, client):
    worker = web.later.worker(SqlLimits(seconds=30))
    web.later.queue.is_held = True
    job_id = client.http.get("/v1/sales/summary", headers=LATER).json()["job_id"]
    QUESTIONS["test/slow"] = Slow
    try:

        def as_slow(job: Job) -> Job:
            return replace(job, asked={**job.asked, "question": "test/slow", "parameters": {}})

        web.later.jobs.records.change(TENANT, job_id, as_slow)
        with ThreadPoolExecutor(1) as pool:
            ran = pool.submit(worker, TENANT, job_id)
            until(lambda: client.http.get(f"/v1/jobs/{job_id}").json()["status"], lambda seen: seen == "running")
            time.sleep(0.3)
            client.http.delete(f"/v1/jobs/{job_id}")
            ran.result(timeout=10)
    finally:
        del QUESTIONS["test/slow"]
    assert client.http.get(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"


@folder
def test_a_job_of_a_tenant_that_was_suspended_meanwhile_is_not_run(web, client, store):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS one")
    tenants = Tenants(store, operator="operator")
    tenants.create(TENANT)
    tenants.suspend(TENANT)
    web.later.queue.release()
    ended = client.ended(job_id)
    assert (ended["status"], ended["problem"]["code"]) == ("failed", "tenant_suspended")


@folder
def test_a_job_ends_when_its_time_is_over(web, client):
    web.later.queue.is_held = True
    job_id = client.job(ENDLESS)
    started = time.monotonic()
    web.later.worker(SqlLimits(seconds=0.5, memory_mb=256))(TENANT, job_id)
    assert time.monotonic() - started < 4
    job = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["problem"]["code"]) == ("failed", "sql_took_too_long")


# --- once, whatever happens ------------------------------------------------------------------------------------------


@stores
def test_a_job_that_is_delivered_several_times_runs_once(web, client):
    ran: list[str] = []
    web.later.queue.is_held = True
    job_id = client.job("SELECT count(*) AS n FROM range(200000000) WHERE range % 3 = 1")
    workers = [web.later.worker(SqlLimits(seconds=30)) for _ in range(4)]
    for worker in workers:
        asking = worker.ask.run_stranger

        def counted(run: SqlRun, asking: Any = asking) -> SqlPage:
            ran.append(run.statement.sql)
            return asking(run)

        object.__setattr__(worker.ask, "run_stranger", counted)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda worker: worker(TENANT, job_id), workers))
    workers[0](TENANT, job_id)
    job = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["attempts"], len(ran)) == ("done", 1, 1)


PROGRAM = "import sys; from shared.bootstrap import run_job; run_job(*sys.argv[1:])"


@folder
def test_the_job_of_a_killed_worker_is_another_s_once_its_lease_is_over(web, client, store):
    web.later.queue.is_held = True
    job_id = client.job(ENDLESS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEAL_")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, TENANT, job_id], cwd=REPOSITORY, env=environment | {"TEAL_LAKE": store.uri}
    )
    try:
        until(lambda: client.http.get(f"/v1/jobs/{job_id}").json()["status"], lambda seen: seen == "running")
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    worker = web.later.worker(SqlLimits(seconds=0.5, memory_mb=256))
    worker(TENANT, job_id)
    assert client.http.get(f"/v1/jobs/{job_id}").json()["status"] == "running", "nobody knows yet that it was killed"
    web.later.clock.ahead = timedelta(seconds=LEASE_SECONDS + 1)
    worker(TENANT, job_id)
    job = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["attempts"], job["problem"]["code"]) == ("failed", 2, "sql_took_too_long")


@folder
def test_a_job_that_every_worker_dies_of_is_given_up(web, client):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")
    for _ in range(MAX_ATTEMPTS):
        taken = web.later.jobs.records.change(TENANT, job_id, lambda job: job.taken_by("dead", web.later.clock()))
        assert taken is not None
        web.later.clock.ahead += timedelta(seconds=LEASE_SECONDS + 1)
    told: list[Job] = []
    replace(web.later.worker(SqlLimits()), tell=told.append)(TENANT, job_id)
    assert [(one.job_id, one.status) for one in told] == [(job_id, "failed")]
    job = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["attempts"], job["problem"]["code"]) == ("failed", MAX_ATTEMPTS, "job_failed")
    assert code_of(client.http.get(f"/v1/jobs/{job_id}/result")) == (422, "job_failed")


@folder
def test_a_worker_that_was_taken_for_dead_drops_what_it_found(web, client):
    """It was only slow: its lease ended while its process stood still, and another one did the job."""
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")
    records, worker = web.later.jobs.records, web.later.worker(SqlLimits(seconds=30))
    worker = replace(worker, rules=replace(worker.rules, look_seconds=60))
    asking = worker.ask.run_stranger

    of_the_other: list[Job | None] = []

    def overtaken(run: SqlRun) -> SqlPage:
        records.change(TENANT, job_id, lambda job: job.put_back())
        web.later.worker(SqlLimits(seconds=30))(TENANT, job_id)
        of_the_other.append(records.find(TENANT, job_id))
        return asking(run)

    object.__setattr__(worker.ask, "run_stranger", overtaken)
    worker(TENANT, job_id)
    assert [records.find(TENANT, job_id)] == of_the_other
    assert (of_the_other[0].status, of_the_other[0].attempts) == ("done", 2)


@folder
def test_an_outage_puts_the_job_back_and_is_raised_so_that_it_comes_again(web, client):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")

    def silent(run: SqlRun) -> SqlPage:
        raise EngineUnavailableError("The engine could not finish; asking again may help.")

    with pytest.raises(EngineUnavailableError):
        web.later.worker(SqlLimits(), silent)(TENANT, job_id)
    assert client.http.get(f"/v1/jobs/{job_id}").json()["status"] == "queued"
    web.later.worker(SqlLimits())(TENANT, job_id)
    assert client.ended(job_id)["status"] == "done"


@folder
def test_a_defect_is_logged_and_told_as_nothing_but_a_failed_job(web, client, caplog):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")

    def broken(run: SqlRun) -> SqlPage:
        raise RuntimeError("a secret detail")

    web.later.worker(SqlLimits(), broken)(TENANT, job_id)
    job = client.http.get(f"/v1/jobs/{job_id}").json()
    assert (job["status"], job["problem"]["code"]) == ("failed", "job_failed")
    assert "secret" not in json.dumps(job)
    assert any(record.message == "unexpected" and record.exc_info for record in caplog.records)


@folder
def test_a_job_whose_message_was_lost_is_sent_again_to_who_looks_once(web, client):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 1 AS x")
    web.later.queue.sent.clear()
    client.http.get(f"/v1/jobs/{job_id}")
    assert web.later.queue.sent == []
    web.later.clock.ahead = timedelta(seconds=LEASE_SECONDS + 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: client.http.get(f"/v1/jobs/{job_id}"), range(8)))
    assert web.later.queue.sent == [(TENANT, job_id)]
    web.later.queue.release()
    assert client.ended(job_id)["status"] == "done"


# --- how long, and how many ------------------------------------------------------------------------------------------


@stores
def test_jobs_and_their_answers_end_after_a_time(web, client, store):
    done = client.job("SELECT 1 AS x")
    client.ended(done)
    web.later.queue.is_held = True
    waiting = client.job("SELECT 1 AS x")
    answers = f"lake/{TENANT}/answers/jobs/"
    assert [info.key for info in store.list(answers)] == [f"{answers}{done}.json"]
    web.later.clock.ahead = timedelta(hours=24, minutes=1)
    for job_id in (done, waiting):
        for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/result"):
            assert code_of(client.http.get(path)) == (404, "job_expired")
    assert client.http.get("/v1/jobs").json()["jobs"] == []
    web.later.worker(SqlLimits())(TENANT, waiting)
    assert [info.key for info in store.list(answers)] == [f"{answers}{done}.json"], "it is too late to begin it"

    class Ahead:
        """The store, whose clock is set forward."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def clock(self) -> Any:
            return store.clock() + web.later.clock.ahead

    writer_of = lambda tenant: web.shop.writer  # noqa: E731
    tidy = TidyLakes(Ahead(), writer_of, web.shop.ingest.session, TidyRules(keep_jobs_hours=24))
    assert tidy()[0].problems == []
    assert [info.key for prefix in (answers, "jobs/") for info in store.list(prefix)] == []
    if "://" not in store.uri:
        assert list(store.versions(f"jobs/{TENANT}/{done}.json")) == []
    assert code_of(client.http.get(f"/v1/jobs/{done}")) == (404, "job_expired")
    TidyLakes(store, writer_of, web.shop.ingest.session, TidyRules(keep_jobs_hours=24))()


@folder
def test_tidying_leaves_the_jobs_of_today(web, client, store):
    client.ended(client.job("SELECT 1 AS x"))
    before = [info.key for prefix in (f"lake/{TENANT}/answers/", "jobs/") for info in store.list(prefix)]
    TidyLakes(store, lambda tenant: web.shop.writer, web.shop.ingest.session, TidyRules(keep_jobs_hours=24))()
    assert [info.key for prefix in (f"lake/{TENANT}/answers/", "jobs/") for info in store.list(prefix)] == before


@stores
def test_a_tenant_has_so_many_jobs_open_and_no_more(web, client):
    web.later.queue.is_held = True
    jobs = [client.job("SELECT 1 AS x") for _ in range(4)]
    refused = client.sql("SELECT 1 AS x", headers=LATER)
    assert (*code_of(refused), bool(refused.headers["retry-after"])) == (429, "jobs_full", True)
    assert Client(web, "sql", tenant=OTHER).job("SELECT 1 AS x")
    client.http.delete(f"/v1/jobs/{jobs[0]}")
    assert client.job("SELECT 1 AS x")
    assert code_of(client.sql("SELECT 1 AS x", headers=LATER)) == (429, "jobs_full")


@stores
def test_jobs_are_listed_newest_first_by_pages(web, client):
    made = []
    for _ in range(5):
        made.append(client.job("SELECT 1 AS x"))
        client.ended(made[-1])
    first = client.http.get("/v1/jobs?limit=3")
    second = client.http.get(first.links["next"]["url"])
    found = [job["job_id"] for answer in (first, second) for job in answer.json()["jobs"]]
    assert found == made[::-1]
    assert second.json()["next"] is None
    rival = Client(web, "sql", tenant=OTHER)
    assert code_of(rival.http.get(first.links["next"]["url"])) == (400, "invalid_cursor")


# --- who sees what ---------------------------------------------------------------------------------------------------


@folder
def test_another_tenant_s_job_is_as_one_that_never_was(web, client):
    job_id, rival = client.job("SELECT 1 AS x"), Client(web, "read", "sql", "admin", tenant=OTHER)
    client.ended(job_id)
    unknown = new_job_id(web.later.clock())
    for method, end in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        answers = [rival.http.request(method, f"/v1/jobs/{one}{end}") for one in (job_id, unknown)]
        told = [{**answer.json(), "request_id": ""} for answer in answers]
        assert told[0] == told[1]
        assert code_of(answers[0]) == (404, "unknown_job")
    assert rival.http.get("/v1/jobs").json()["jobs"] == []
    assert client.http.get(f"/v1/jobs/{job_id}").json()["status"] == "done"


@folder
def test_an_id_that_is_none_is_unknown(client):
    ids = ("1", "*", "..", "%2e%2e%2f", "a" * 44, "A" * 44, "0" * 43, "open", f"open/{'0' * 44}", "é", "0" * 999)
    for job_id in ids:
        answer = client.http.get(f"/v1/jobs/{job_id}")
        assert answer.status_code in (404, 422), job_id


@folder
def test_an_answer_is_for_keys_that_could_ask_for_it(web, client):
    sees = lambda other, job_id: other.http.get(f"/v1/jobs/{job_id}").status_code == 200  # noqa: E731
    sql, reads = client.job("SELECT 1 AS x"), client.http.get("/v1/sales/summary", headers=LATER).json()["job_id"]
    admin = Client(web, "read", "sql", "admin")
    personal = admin.job("SELECT email FROM customers")
    german = DataRules.from_document({"rows": {"orders": {"country": "DE"}}})
    ruled, like = (Client(web, "read", "sql", rules=german) for _ in range(2))
    part = ruled.job("SELECT count(*) AS n FROM orders")
    only_sql, only_reads, same = Client(web, "sql"), Client(web, "read"), Client(web, "read", "sql")
    expected = {
        sql: (only_sql, same, admin),
        reads: (only_reads, same, admin),
        personal: (admin,),
        part: (ruled, like),
    }
    everybody = (only_sql, only_reads, same, admin, ruled, like)
    for job_id, wanted in expected.items():
        seen = tuple(one for one in everybody if sees(one, job_id))
        assert seen == tuple(one for one in everybody if one in wanted), job_id
        listed = [one for one in everybody if job_id in str(one.http.get("/v1/jobs").json())]
        assert tuple(listed) == seen
    assert Client(web, "write").http.get(f"/v1/jobs/{sql}").status_code == 403


@folder
def test_a_key_with_rules_gets_what_it_would_at_once(web, store):
    german = DataRules.from_document({"rows": {"orders": {"country": "DE"}}, "masked": {"customers": ["name"]}})
    ruled = Client(web, "read", "sql", rules=german)
    for path, body in (("/v1/sql", {"sql": "SELECT count(*) AS n, min(name) AS who FROM orders, customers"}),
                       ("/v1/sales/summary", None)):  # fmt: skip
        method = "POST" if body else "GET"
        at_once = ruled.http.request(method, path, json=body)
        job = ruled.ended(ruled.http.request(method, path, json=body, headers=LATER).json()["job_id"])
        assert fetched(store, ruled.http.get(job["result_url"]).headers["location"]) == at_once.content
        assert at_once.status_code == 200


@folder
def test_only_its_own_key_and_admin_read_what_was_asked_and_may_end_it(web, client):
    web.later.queue.is_held = True
    job_id = client.job("SELECT 'ann@example.org' AS secret_text", parameters={"x": "y"})
    same, admin = Client(web, "read", "sql"), Client(web, "sql", "admin")
    for other, sees in ((client, True), (same, False), (admin, True)):
        for told in (other.http.get(f"/v1/jobs/{job_id}").text, other.http.get("/v1/jobs").text):
            assert ("secret_text" in told) == sees
    assert code_of(same.http.delete(f"/v1/jobs/{job_id}")) == (403, "forbidden")
    assert admin.http.delete(f"/v1/jobs/{job_id}").json()["status"] == "cancelled"


@folder
def test_no_log_line_holds_what_was_asked(web, client, tmp_path):
    with (tmp_path / "log").open("w+") as stream:
        kept = list(logging.getLogger().handlers)
        configure("DEBUG", stream)
        try:
            client.ended(client.job("SELECT 'ann@example.org' AS secret_text WHERE $who = 'bob-marley'",
                                    parameters={"who": "bob-marley"}))  # fmt: skip
            client.ended(client.job("SELECT 'ann@example.org'::INTEGER AS secret_text"))
        finally:
            logging.getLogger().handlers[:] = kept
        stream.seek(0)
        text = stream.read()
    assert '"job done"' in text
    for secret in ("secret_text", "ann@", "bob-marley"):
        assert secret not in text


# --- Idempotency-Key -------------------------------------------------------------------------------------------------


@stores
def test_a_key_names_one_job_of_one_request(web, client):
    web.later.queue.is_held = True
    key = {**LATER, "Idempotency-Key": "order-17"}

    def submitted(_: object = None) -> httpx2.Response:
        return client.sql("SELECT 1 AS x", headers=key)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(submitted, range(8)))
    [job_id] = {answer.json()["job_id"] for answer in answers}
    assert {answer.status_code for answer in answers} == {202}
    assert web.later.queue.sent == [(TENANT, job_id)], "one execution"
    web.shop.upload("orders", "more.csv", "order_id,ordered_at,customer_id,total\nz,2024-02-01,c9,1\n")
    assert submitted().json()["job_id"] == job_id, "also when there is a newer snapshot"
    assert code_of(client.sql("SELECT 2 AS x", headers=key)) == (422, "idempotency_key_reused")
    assert code_of(client.sql("SELECT 1 AS x", headers=key, format="csv")) == (422, "idempotency_key_reused")
    elsewhere = client.http.get("/v1/sales/summary", headers=key)
    assert (elsewhere.status_code, elsewhere.json()["job_id"] != job_id) == (202, True)
    rival = Client(web, "sql", tenant=OTHER).sql("SELECT 2 AS x", headers=key)
    assert (rival.status_code, rival.json()["job_id"] != job_id) == (202, True)
    web.later.clock.ahead = timedelta(hours=24, minutes=1)
    assert submitted().json()["job_id"] not in (job_id, elsewhere.json()["job_id"]), "after it expired it is new"


@folder
def test_a_key_that_is_none_is_refused(client):
    for key in ("", "x" * 10_000, "a b", "é".encode(), "a\tb"):
        answer = client.http.get("/v1/sales/summary", headers={**LATER, "Idempotency-Key": key})
        assert code_of(answer) == (400, "invalid_idempotency_key"), key
    twice = [("Prefer", "respond-async"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert code_of(client.http.get("/v1/sales/summary", headers=twice)) == (400, "invalid_idempotency_key")
