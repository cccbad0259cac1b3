"""The API as it is installed, over a folder with something of everything: what its document has to be true of."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from shared import bootstrap
from shared.keys import SCOPES
from shared.settings import Settings
from shared.stranger_sql.cells import CellRunner

TENANT = "operator"
"""Its admin key may ask everything, tenants included."""

ERASED = "c19"
"""A customer who was erased."""

DAYS = 120
CSV = "text/csv"
PUBLISHED = {
    "title": "Orders of a country",
    "sql": "SELECT order_id, total FROM orders WHERE country = $country ORDER BY order_id",
    "parameters": [{"name": "country", "default": "DE"}],
}

ROWS_BY_KEY: dict[str, Callable[[int], str]] = {
    "orders": lambda number: str(number % 240),
    "customers": lambda number: f"c{number % 20}",
    "order_items": lambda number: f"{number % 240},1",
    "products": lambda number: f"p{number % 5}",
    "events": lambda number: f"e{number % 240}",
    "rates": lambda number: "USD,EUR,2026-01-01",
    "visits": lambda number: str(number % 20),
}
"""The datasets, and keys of their rows."""

VALUES: dict[str, tuple[Any, ...]] = {
    "timezone": ("Europe/Berlin", "UTC", "America/New_York"),
    "currency": ("EUR", "eur"),
    "convert": ("EUR", "USD"),
    "from": ("2026-01-01", "2026-02-01T10:00:00Z", "2025-12-31"),
    "to": ("2026-03-01", "2026-04-01T00:00:00+02:00", "2026-05-09"),
    "customer": ("c1", "c4"),
    "product": ("p1", "p2"),
    "category": ("tea",),
    "country": ("DE", "FR"),
    "segment": ("Champions",),
    "recency": ("30,90,180,365",),
    "frequency": ("2,3,5,10",),
    "monetary": ("10,20,30,40",),
    "map": ("VIP:r=4-5,fm=4-5",),
    "as_of": ("2100-01-01T00:00:00Z",),
    "window": ("7d", "24h", "30m"),
    "first": ("view",),
    "goal": ("purchase", "cart"),
    "step": (["view", "purchase"], ["view", "cart", "purchase"]),
    "order": ("", "-order_id"),
    "columns": ("",),
    "status": ("loaded", "held"),
    "dataset": ("orders", "visits"),
    "sql": (
        "SELECT 1 AS one",
        "SELECT country, sum(total) AS total FROM orders GROUP BY country",
        "SELECT * FROM order_items",
        "SELECT list(order_id) AS ids, {'a': 1} AS told FROM events",
        "EXPLAIN SELECT count(*) FROM customers",
        "SELECT count(*) FROM range(100000000000)",
        "SELECT nothing FROM orders",
    ),
    "row": ({"country": "AT", "total": "5"}, {"currency": "EUR", "ordered_at": "2026-03-03T00:00:00Z"}),
}
"""Values that lead to an answer, by parameter; the SQL also one that is too much and one that is wrong."""


@dataclass(frozen=True)
class OpenApiWeb:
    """The app, a client whose key may do everything, and names of what is there, by the parameter that takes them."""

    app: FastAPI
    client: TestClient
    token: str
    key_id: str
    snapshot: int
    held: str
    named: dict[str, Sequence[str | int]]

    def job(self) -> str:
        """A job that is done; the erasure of a customer takes all answers away."""
        return _job(self.client)


@contextmanager
def openapi_web_in(folder: Path) -> Iterator[OpenApiWeb]:
    """The whole API by its own composition root; what that keeps for a process is forgotten before and after."""
    settings = {
        "TEAL_LAKE": str(folder / "lake"),
        "TEAL_FRESHNESS_SECONDS": "0",
        "TEAL_PUBLIC_URL": "http://testserver",
        "TEAL_WRITE_WAIT_SECONDS": "2",
        "TEAL_SQL_SECONDS": "1",
        "TEAL_JOB_SECONDS": "1",
        "TEAL_MAX_OPEN_JOBS": "1000",
        "TEAL_READ_SECONDS": "5",
        "TEAL_MAX_INLINE_BYTES": "200000",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(f"TEAL_{name.upper()}", raising=False)
        for name, value in settings.items():
            patch.setenv(name, value)
        _forget()
        try:
            yield _filled(bootstrap.api())
        finally:
            runner = bootstrap.run_stranger()
            assert isinstance(runner, CellRunner)
            runner.close()
            _forget()


def _forget() -> None:
    wired = ("shared.bootstrap", "shared.resources", "shared.wiring.")
    for module in [module for name, module in sys.modules.items() if name.startswith(wired)]:
        for told in vars(module).values():
            if callable(clear := getattr(told, "cache_clear", None)):
                clear()


def _filled(app: FastAPI) -> OpenApiWeb:
    made = bootstrap.keys().create(TENANT, SCOPES)
    headers = {"Authorization": f"Bearer {made.token}"}
    client = TestClient(app, headers=headers, follow_redirects=False)

    def told(method: str, path: str, **more: Any) -> dict[str, Any]:
        answer = client.request(method, path, **more)
        assert answer.status_code < 300, f"{method} {path}: {answer.text}"
        found: dict[str, Any] = answer.json()
        return found

    uploads = [_uploaded(told, dataset, rows) for dataset, rows in _rows().items()]
    held = client.post("/v1/uploads?dataset=orders", content="order_id\n1\n", headers={"Content-Type": CSV})
    uploads.append(held.json()["upload_id"])
    for name in ("of-country", "of-two"):
        told("PUT", f"/v1/published/{name}", json=PUBLISHED)
    bootstrap.fit_models()(TENANT)
    told("DELETE", f"/v1/customers/{ERASED}")
    for tenant in ("brook", "creek"):
        told("POST", "/v1/tenants", json={"tenant": tenant})
    export = told("POST", "/v1/tenants/brook/export")["export_id"]
    keys = [told("POST", f"/v1/tenants/{t}/keys", json={"scopes": ["read"]})["key_id"] for t in (TENANT, "brook")]
    snapshot = told("GET", "/v1/snapshots")["snapshot"]
    named: dict[str, Sequence[str | int]] = {
        "dataset": ["orders", "customers", "products", "order_items", "events", "rates", "visits"],
        "key": ["1", "2", "c1", "p1", "1,1", "EUR,USD,2026-01-01"],
        "name": ["of-country"],
        "upload_id": uploads,
        "tenant": ["brook", "creek", TENANT],
        "key_id": keys,
        "export_id": [export],
        "job_id": [_job(client)],
        "snapshot_id": [snapshot, snapshot - 1],
        "from_id": [snapshot - 2, snapshot - 1],
        "to_id": [snapshot],
        "code": ["unauthenticated", "not_found", "internal", "invalid_parameter"],
    }
    return OpenApiWeb(app, client, made.token, made.key.key_id, snapshot, uploads[-1], named)


def _job(client: TestClient) -> str:
    assert client.get("/v1/sales/summary", headers={"Prefer": "respond-async, wait=10"}).status_code == 200
    found: str = client.get("/v1/jobs").json()["jobs"][0]["job_id"]
    return found


def _uploaded(told: Callable[..., dict[str, Any]], dataset: str, rows: list[dict[str, Any]]) -> str:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows), ""]
    path = f"/v1/uploads?dataset={dataset}&filename={dataset}.csv"
    state = told("POST", path, content="\n".join(lines), headers={"Content-Type": CSV})
    assert state["status"] == "loaded", state
    return str(state["upload_id"])


def _rows() -> dict[str, list[dict[str, Any]]]:
    """A few rows of every built-in dataset, and of one that is made from its header."""
    days = [f"2026-{1 + day // 28:02}-{1 + day % 28:02}" for day in range(DAYS)]
    numbers = range(2 * DAYS)
    moments = [f"{days[number // 2]}T{8 + number % 12:02}:30:00Z" for number in numbers]
    return {
        "categories": [{"category_id": "tea", "name": "Tea"}],
        "products": [{"product_id": f"p{n}", "name": f"Product {n}", "category": "tea"} for n in range(5)],
        "customers": [
            {"customer_id": f"c{n}", "name": f"Customer {n}", "email": f"c{n}@example.test", "country": "DE"}
            for n in range(20)
        ],
        "rates": [{"currency": "USD", "base": "EUR", "day": "2026-01-01", "rate": "0.5"}],
        "orders": [
            {
                "order_id": n,
                "customer_id": f"c{n * n % 20}",
                "ordered_at": moments[n],
                "status": "paid",
                "country": ("DE", "FR")[n % 2],
                "currency": "EUR",
                "total": 10 + n % 7,
            }
            for n in numbers
        ],
        "order_items": [
            {"order_id": n, "line_id": line, "product_id": f"p{(n * line) % 5}", "quantity": 1, "unit_price": 5}
            for n in numbers
            for line in (1, 2)
        ],
        "events": [
            {
                "event_id": f"e{n}",
                "occurred_at": moments[n],
                "event_name": ("view", "cart", "purchase")[n % 3],
                "session_id": f"v{n % 9}",
                "customer_id": f"c{n % 20}",
            }
            for n in numbers
        ],
        "visits": [{"visit": n, "day": days[n]} for n in range(20)],
    }
