"""The OpenAPI document is true: thousands of cases drawn from it, right ones and wrong ones, and no answer beside it.

In the gate the same ten thousand and more every time; ``TEAL_OPENAPI_CASES=50000`` asks for more.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from openapi_spec_validator import validate

from shared.api.document import ANSWERS
from tests.openapi_cases import COVERED, Refusal, Run, run_cases
from tests.openapi_web import OpenApiWeb, openapi_web_in

CASES = int(os.environ.get("TEAL_OPENAPI_CASES", COVERED))

NO_SCHEMA_SAYS: dict[str, str] = {
    "command_refused": "what a command does depends on the lake",
    "empty_file": "a binary body of no length",
    "invalid_cursor": "cursors are signed",
    "invalid_idempotency_key": "looked at only beside `Prefer: respond-async`",
    "invalid_key_request": "an expiry in the past, rules with other scopes, a key that has ended",
    "invalid_sql": "whether a text is SQL",
    "invalid_tenant": "the operator's own tenant",
    "invalid_timezone": "the names of time zones",
    "missing_rate": "what the lake holds",
    "mixed_currencies": "what the lake holds",
    "model_refused": "what the lake holds",
    "nothing_to_replay": "what became of the upload",
    "page_too_large": "a setting of the installation",
    "refused_sql": "what SQL may do",
    "row_changed": "a row that is not the one that was read",
    "row_held": "the contract of the dataset",
    "sql_took_too_long": "what SQL takes",
    "tenant_deleted": "what became of the tenant",
    "tenant_exists": "the tenants there are",
    "unknown_column": "the columns of the dataset",
    "unsupported_media_type": "a file is the body beside `?dataset=` or `?filename=` only",
    "upload_held": "the contract of the dataset",
}
"""Codes by which something is refused that the document allows."""

NO_SCHEMA_SAYS_OF_PARAMETERS = re.compile(
    # Of two parameters, or members of a body, together.
    r"snapshot: ask for a snapshot or a time|compare: needs from and to|window_days: |.*must be after from"
    r"|from: is newer than to|.*needs the products to start from|.*needs whom it is for|group_by: goes with"
    r"|columns: (must be another dimension|rows are periods)|horizon: at most|from: the window is longer"
    r"|.*: (\w+) are counted over all currencies|monetary: with bins"
    r"|grain: the range has more than|.*two (parameters|columns) have the same name|.*not a column of"
    r"|.*minimum and maximum go with|.*allowed goes with|.*default: |.*with a default is not required|example\."
    # A language of its own, or the size of a number that is written as text.
    r"|query\.(margin|discount|(min|max)_\w+|[ab]_share|significance): Input should be (less|greater) than"
    r"|map: |key: [0-9]+ parts joined|(step|first|goal): |window: |.*is not a (day|value of)|options: The read option"
    r"|.*no more than [0-9]+ (decimal places|digits)|.*not a regular expression",
    re.DOTALL,
)
"""The same where the code is `invalid_parameter`: what it says."""

PARTS = {
    "customers and events": "^/v1/(customers|events|insights)",
    "products": "^/v1/products",
    "sales": "^/v1/sales",
    "datasets": "^/v1/(datasets|uploads|erasures|snapshots|schema)",
    "the others": "^/v1/(?!customers|events|insights|products|sales|datasets|uploads|erasures|snapshots|schema)",
}
"""The paths of the cases that are asked together, each part in less than a minute."""

NEVER_ANSWERED = {
    "GET /v1/customers/churn-risk": "the few customers give a model that is not served",
}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenApiWeb]:
    with openapi_web_in(tmp_path_factory.mktemp("openapi")) as web:
        yield web


@pytest.fixture(scope="module")
def runs(web: OpenApiWeb) -> Callable[[str], Run]:
    """What became of the cases of a part, which are asked once."""
    return cache(lambda part: run_cases(web, web.app.openapi(), CASES, only=PARTS[part]))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, told in document["paths"].items():
        for method, operation in told.items():
            yield method.upper(), path, operation


def test_the_documents_are_valid_openapi(web: OpenApiWeb) -> None:
    validate(web.app.openapi())  # type: ignore[arg-type]  # it wants its own mapping of names
    own = web.client.get("/v1/openapi.json", follow_redirects=True).json()
    assert "/v1/my/of-country" in own["paths"]
    validate(own)


def test_every_route_says_what_it_answers(web: OpenApiWeb) -> None:
    document = web.app.openapi()
    assert {(method, path) for method, path, _ in operations(document)} == set(ANSWERS)
    for method, path, operation in operations(document):
        success = operation["responses"][min(operation["responses"])]
        if min(operation["responses"]) != "303":
            assert success["content"]["application/json"]["schema"], (method, path)
        assert "X-Request-ID" in success["headers"], (method, path)
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Problem"}


def test_a_document_that_is_not_true_is_noticed(web: OpenApiWeb) -> None:
    document = copy.deepcopy(web.app.openapi())
    document["components"]["schemas"]["Service"]["properties"]["version"] = {"type": "integer"}
    document["paths"]["/v1/ready"]["get"]["responses"]["200"]["headers"]["X-Else"] = {"required": True, "schema": {}}
    found = run_cases(web, document, COVERED, only="^/v1/(health|ready)$").failures
    assert "GET /v1/health: response_schema_conformance: Response violates schema" in found
    assert any(name.startswith("GET /v1/ready: response_headers_conformance") for name in found)


@pytest.mark.parametrize("part", PARTS)
def test_no_case_meets_a_defect_or_an_answer_that_the_document_does_not_allow(
    runs: Callable[[str], Run], part: str
) -> None:
    run = runs(part)
    print(f"{run.cases:,} cases in {run.seconds:.0f} s")
    assert not run.failures, "\n\n".join(f"{name}\n{text}" for name, text in run.failures.items())
    assert not [name for name, statuses in run.statuses.items() if any(status >= 500 for status in statuses)]


@pytest.mark.parametrize("part", PARTS)
def test_what_the_document_allows_is_refused_only_for_what_no_schema_can_say(
    runs: Callable[[str], Run], part: str
) -> None:
    def is_excused(refusal: Refusal) -> bool:
        if refusal.code == "invalid_parameter":
            return NO_SCHEMA_SAYS_OF_PARAMETERS.match(refusal.detail) is not None
        return refusal.code in NO_SCHEMA_SAYS

    assert not {refusal: text for refusal, text in runs(part).refused.items() if not is_excused(refusal)}


def test_every_operation_was_asked_and_answered_and_as_many_cases_as_were_wanted(
    web: OpenApiWeb, runs: Callable[[str], Run]
) -> None:
    done = [runs(part) for part in PARTS]
    assert sum(run.cases for run in done) >= CASES
    asked = {f"{method} {path}" for method, path, _ in operations(web.app.openapi())}
    told = {name: statuses for run in done for name, statuses in run.statuses.items()}
    assert set(told) == asked
    answered = {name for name, statuses in told.items() if any(200 <= status < 400 for status in statuses)}
    assert asked - answered <= set(NEVER_ANSWERED)
