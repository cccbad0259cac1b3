"""Cases drawn from an OpenAPI document by schemathesis, sent to the app in process, and every answer checked.

Their places and parameters are filled in by ``tests/openapi_steer.py``, for what is drawn at random is seldom there.
"""

from __future__ import annotations

import copy
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import schemathesis
from jsonschema import Draft202012Validator
from schemathesis import hooks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events, from_schema

from tests.openapi_steer import Steer
from tests.openapi_web import OpenApiWeb

COVERED = 10_000
"""About as many cases the document itself makes: every parameter left out, at its bounds and beyond them."""

CHECKS: dict[str, Any] = {
    "max_response_time": 30.0,
    # What is refused and why is looked at by ``Run.refused``, which knows the code and not only the status.
    "positive_data_acceptance": {"enabled": False},
    # Too much of something, and a precondition that does not hold, are refusals too.
    "negative_data_rejection": {
        "expected-statuses": ["400", "401", "403", "404", "405", "406", "409", "412", "413", "415", "422", "429", "431"]
    },
}


@dataclass(frozen=True)
class Refusal:
    """Why something was refused that the document allows."""

    operation: str
    code: str
    detail: str


@dataclass
class Run:
    """What became of the cases: failed checks with one example each, and answers by operation and status."""

    cases: int = 0
    seconds: float = 0.0
    failures: dict[str, str] = field(default_factory=dict)
    refused: dict[Refusal, str] = field(default_factory=dict)
    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))


def run_cases(web: OpenApiWeb, document: dict[str, Any], cases: int, only: str = "") -> Run:
    """About so many cases, the same ones every time, of the operations whose path matches ``only``."""
    run, started = Run(), time.monotonic()
    schema: Any = schemathesis.openapi.from_dict(tightened(document), config=_config(web, cases))
    schema.app = web.app
    if only:
        schema = schema.include(path_regex=only)
    with _hooked(Steer(web), run):
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _collect(run, event.recorder)
            elif isinstance(event, events.NonFatalError):
                run.failures[f"{event.label}: error"] = str(event.info)
            elif isinstance(event, events.FatalError):
                raise event.exception
    run.seconds = time.monotonic() - started
    return run


@contextmanager
def _hooked(steer: Steer, run: Run) -> Iterator[None]:
    """Hooks of schemathesis, which knows them by their names."""

    def filter_case(ctx: Any, case: Any) -> bool:
        return steer.is_harmless(case)

    def before_call(ctx: Any, case: Any, kwargs: Any) -> None:
        steer(case)

    def after_call(ctx: Any, case: Any, response: Any) -> None:
        _look(run, case, response)

    ours = (filter_case, before_call, after_call)
    for one in ours:
        schemathesis.hook(one)
    try:
        yield
    finally:
        for one in ours:
            hooks.unregister(one)


def tightened(document: dict[str, Any]) -> dict[str, Any]:
    """The document as if it said that answers have no member but those it names; what says that it is open stays so."""
    told = copy.deepcopy(document)
    for name, schema in told["components"]["schemas"].items():
        if name != "Problem" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return told


def _config(web: OpenApiWeb, cases: int) -> Any:
    operations = sum(len(one) for one in web.app.openapi()["paths"].values())
    return SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "continue-on-failure": True,
            "headers": {"Authorization": f"Bearer {web.token}"},
            "generation": {
                "max-examples": max(3, (cases - COVERED) // operations),
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "checks": CHECKS,
        }
    )


def _collect(run: Run, recorder: Any) -> None:
    for case_id, interaction in recorder.interactions.items():
        run.cases += 1
        if case_id in recorder.cases and interaction.response is not None:
            label = recorder.cases[case_id].value.operation.label
            run.statuses[label][interaction.response.status_code] += 1
    for case_id, checks in recorder.checks.items():
        for check in checks:
            sent = recorder.interactions[case_id]
            if check.failure_info is not None and not _is_mistaken(check.name, recorder.cases[case_id].value, sent):
                failure = check.failure_info.failure
                label = recorder.cases[case_id].value.operation.label
                answer = sent.response and (sent.response.status_code, sent.response.content[:500])
                run.failures.setdefault(
                    f"{label}: {check.name}: {failure.title}",
                    f"{failure.message}\n{sent.request.method} {sent.request.uri} {sent.request.body!r}\n{answer}",
                )


def _is_mistaken(check: str, case: Any, sent: Any) -> bool:
    """Whether schemathesis is wrong, and not the answer."""
    if check == "allow_header_conformance":
        # A customer's id may be any text, so DELETE is allowed at every address there.
        return bool(case.operation.path.startswith("/v1/customers/"))
    # What is wrong with a question that is answered later is told by its job.
    is_later = sent.response and sent.response.status_code == 202 and "prefer" in case.headers
    others = (ParameterLocation.PATH, ParameterLocation.HEADER, ParameterLocation.BODY)
    wrong_elsewhere = any(case.meta.is_negative_at(place) for place in others)
    return check == "negative_data_rejection" and bool(
        is_later or (not wrong_elsewhere and _is_right_as_sent(case.operation, sent.request.uri))
    )


def _is_right_as_sent(operation: Any, uri: str) -> bool:
    """Whether a query is what the document allows once it is text: no list is left of an empty one, and 1 is a text."""
    told = parse_qs(urlsplit(uri).query, keep_blank_values=True)
    schemas = {one.name: one.definition["schema"] for one in operation.query}

    def is_right(schema: Any, given: list[str]) -> bool:
        readings: list[Any] = [given, *given[:1]] if len(given) == 1 else [given]
        with suppress(ValueError):
            readings.append(json.loads(given[0]))
        return any(Draft202012Validator(schema).is_valid(one) for one in readings)

    needed = {one.name for one in operation.query if one.is_required}
    return needed <= told.keys() <= schemas.keys() and all(is_right(schemas[name], told[name]) for name in told)


def _look(run: Run, case: Any, response: Any) -> None:
    """Note what was refused though the document allows it, and answers whose rows are not those of their columns."""
    media = (response.headers.get("content-type") or [""])[0]
    if media == "application/json":
        told = response.json()
        if isinstance(told, dict) and "columns" in told and isinstance(told.get("rows"), list):
            names = [column["name"] for column in told["columns"]]
            rows = [row.get("after") or row.get("before") if "change" in row else row for row in told["rows"]]
            if any(list(row) != names for row in rows):
                run.failures[f"{case.operation.label}: rows of other columns"] = response.text[:1_000]
    if media == "application/problem+json" and case.meta.generation.mode.is_positive:
        told = response.json()
        if told["status"] not in (401, 404, 405, 429):
            refusal = Refusal(case.operation.label, told["code"], told["detail"])
            run.refused.setdefault(refusal, f"{response.request.url} {response.request.body!r} {told.get('errors')}")


__all__ = ["COVERED", "Refusal", "Run", "run_cases", "tightened"]
