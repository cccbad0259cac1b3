"""Leads cases drawn from the OpenAPI document to what is there, which random names seldom are.

What a case gets wrong on purpose stays as it is. Nothing that a run needs is taken away: neither the key it shows nor
the operator, and no snapshot from before the data is gone back to.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from schemathesis.core.parameters import ParameterLocation

from shared import bootstrap
from tests.openapi_web import ERASED, PUBLISHED, ROWS_BY_KEY, TENANT, VALUES, OpenApiWeb

SLOW = {
    "PUT /v1/published/{name}": 5,
    "PUT /v1/datasets/{dataset}": 5,
    "POST /v1/datasets/{dataset}/rows": 5,
    "PUT /v1/datasets/{dataset}/rows/{key}": 5,
    "PATCH /v1/datasets/{dataset}/rows/{key}": 5,
    "DELETE /v1/datasets/{dataset}/rows/{key}": 5,
    "POST /v1/snapshots/{snapshot_id}/rollback": 10,
    "DELETE /v1/customers/{key}": 5,
    "POST /v1/customers/{key}/readmit": 5,
    "POST /v1/tenants/{tenant}/export": 5,
    "DELETE /v1/tenants/{tenant}": 5,
}
"""What commits, or copies a lake, is led to what is there once in so many times only, so that the run ends in time."""


class Steer:
    """Leads cases to what is there."""

    def __init__(self, web: OpenApiWeb) -> None:
        self._web = web
        self._sent: Counter[tuple[str, bool]] = Counter()

    def is_harmless(self, case: Any) -> bool:
        """Whether the run can go on after the case."""
        told = case.path_parameters or {}
        return told.get("key_id") != self._web.key_id and not (
            case.operation.label.endswith("/rollback") and 0 < _number(told.get("snapshot_id")) < self._web.snapshot
        )

    def __call__(self, case: Any) -> None:
        """Put in what is there, three times of four."""
        label, is_right = case.operation.label, case.meta.generation.mode.is_positive
        self._sent[label, is_right] += 1
        number = self._sent[label, is_right]
        if number % SLOW[label] != 1 if is_right and label in SLOW else number % 4 == 0:
            return
        if not case.meta.is_negative_at(ParameterLocation.PATH):
            self._steer_path(case, number)
        if label == "POST /v1/uploads" and case.media_type == "application/json":
            # With one the body is a file, whatever it holds.
            case.query = {}
        if is_right:
            self._steer_query(case, number)
            self._steer_body(case, number)

    def _steer_path(self, case: Any, number: int) -> None:
        told = case.path_parameters or {}
        for name in told:
            if name in self._web.named:
                told[name] = self._web.named[name][number % len(self._web.named[name])]
        label = case.operation.label
        if "{dataset}" in label:
            told["dataset"] = list(ROWS_BY_KEY)[number % len(ROWS_BY_KEY)]
            if "key" in told:
                told["key"] = ROWS_BY_KEY[told["dataset"]](number)
        elif "key" in told:
            told["key"] = ERASED if label.endswith("/readmit") else f"c{number % 9}"
        if label.startswith(("DELETE", "POST")) and "{key_id}" in label:
            told["key_id"] = bootstrap.keys().create(told.get("tenant", TENANT), ["read"]).key.key_id
        if label == "PATCH /v1/tenants/{tenant}":
            # The operator with a limit of almost nothing could not go on.
            told["tenant"] = "brook"
        if label == "DELETE /v1/tenants/{tenant}":
            told["tenant"] = f"gone_{self._sent.total()}"
            bootstrap.tenants().create(told["tenant"])
        if label == "POST /v1/uploads/{upload_id}/replay":
            told["upload_id"] = self._web.held
        if label == "GET /v1/jobs/{job_id}/result":
            told["job_id"] = self._web.job()
        if label == "GET /v1/definitions/{name}":
            told["name"] = ("sales/summary", "net_sales", "my/of-country")[number % 3]
        if label == "DELETE /v1/published/{name}":
            told["name"] = "of-two"

    def _steer_query(self, case: Any, number: int) -> None:
        told = case.query or {}
        of_rows = "/rows" in case.operation.label
        for name, given in told.items():
            if name in VALUES and (of_rows or name != "columns"):
                value = VALUES[name][number % len(VALUES[name])]
                told[name] = [value] if isinstance(given, list) and not isinstance(value, list) else value
        if told.get("snapshot") is not None:
            told["snapshot"] = self._web.snapshot
            told.pop("as_of", None)
        for name in ("cursor", "timezone", "compare", "as_of")[: 1 + number % 4]:
            told.pop(name, None)
        if number % 8:
            # Of the questions that are answered later, few; each begins a job.
            for name in ("Prefer", "Idempotency-Key"):
                (case.headers or {}).pop(name, None)

    def _steer_body(self, case: Any, number: int) -> None:
        label, body = case.operation.label, case.body
        if label == "POST /v1/uploads" and case.media_type != "application/json":
            case.body = f"visit,day\n{1000 + number},2026-01-01\n"
            case.query = {"dataset": "visits", "filename": "v.csv"}
        elif "/rows" in label and case.method != "GET":
            row, required = VALUES["row"]
            case.path_parameters["dataset"] = "orders"
            if "{key}" in label:
                case.path_parameters["key"] = str(number % 200)
            if case.method != "DELETE":
                case.body = row if case.method == "PATCH" else row | required
            if case.method == "POST":
                case.body |= {"order_id": str(number)}
        elif not isinstance(body, dict):
            return
        elif label == "POST /v1/sql":
            body["sql"], body["parameters"] = VALUES["sql"][number % len(VALUES["sql"])], {}
            for name in ("as_of", "cursor"):
                body.pop(name, None)
            if body.get("snapshot") is not None:
                body["snapshot"] = self._web.snapshot
        elif label == "PUT /v1/published/{name}":
            body |= {"sql": PUBLISHED["sql"], "parameters": PUBLISHED["parameters"], "example": {}}
        elif label == "PUT /v1/datasets/{dataset}":
            case.path_parameters["dataset"] = f"made{number % 3}"
            case.body = {"name": f"made{number % 3}", "columns": [{"name": "a", "type": "text"}], "key": ["a"]}


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
