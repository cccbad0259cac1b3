"""What every route answers, as the OpenAPI document says it: statuses, headers, and the shape of its JSON.

The rule: a route has one row in ANSWERS, and tests hold the real answers against it. The shapes are imported when the
document is made: who only answers does without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from shared.api import problems
from shared.api.auth import Route
from shared.api.schemas import datasets, questions, snapshots, tenants, uploads
from shared.datasets.questions.registered import QUESTIONS

JSON = "application/json"

HEADERS: dict[str, dict[str, Any]] = {
    "Content-Location": {"type": "string", "format": "uri-reference", "description": "Where the same is found again."},
    "ETag": {"type": "string", "pattern": '^"[^"]+"$', "description": "For `If-None-Match`, and `If-Match` of a row."},
    "Location": {"type": "string", "format": "uri-reference", "description": "Where to look."},
    "Preference-Applied": {"type": "string", "description": "What of `Prefer` was kept (RFC 7240)."},
    "Retry-After": {"type": "integer", "minimum": 0, "description": "Seconds to wait before the next try."},
    "Server-Timing": {"type": "string", "description": "Milliseconds by phase."},
    "Teal-Receipt": {
        "type": "string",
        "pattern": r"^bytes=[0-9]+, requests=[0-9]+, ms=[0-9.]+, cost_usd=[0-9.]+$",
        "description": "What the answer took.",
    },
    "Teal-Snapshot": {"type": "integer", "minimum": 0, "description": "The snapshot that was answered from."},
    "WWW-Authenticate": {"type": "string", "description": "How to show a credential."},
    "X-Request-ID": {"type": "string", "pattern": "^[A-Za-z0-9_-]{8,64}$", "description": "Finds it in the logs."},
}
"""Headers of answers; Link, RateLimit and what browsers need are beside them."""

DECIMAL = {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"}
ETAG = ("ETag",)
OF_SNAPSHOT = ("ETag", "Teal-Snapshot")
LOCATION = ("Location",)


@dataclass(frozen=True)
class Told:
    """What a route answers when all is well; ``headers`` are always there.

    ``also`` are media types beside JSON. A write ``may_wait``: 202 and where to look, while it is not done.
    """

    shape: Any
    headers: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    may_wait: bool = False


_COMMAND = Told(uploads.Upload, ("Content-Location",), may_wait=True)
_EDIT = Told(datasets.Edited, ("Teal-Snapshot",), may_wait=True)
# A dry run answers a quote, which has no ETag: it is worth no cache.
_ANSWER = Told(questions.Answer | questions.Quote)

ANSWERS: dict[Route, Told] = {
    **{("GET", f"/v1/{name}"): _ANSWER for name in QUESTIONS},
    ("GET", "/v1/questions"): Told(questions.Questions),
    ("GET", "/v1/definitions"): Told(questions.Definitions),
    ("GET", "/v1/definitions/{name}"): Told(questions.QuestionDefined | questions.MetricDefined),
    ("GET", "/v1/my/{name}"): _ANSWER,
    ("GET", "/v1/published"): Told(questions.PublishedAll, OF_SNAPSHOT),
    ("GET", "/v1/published/{name}"): Told(questions.PublishedOne, OF_SNAPSHOT),
    ("PUT", "/v1/published/{name}"): _COMMAND,
    ("DELETE", "/v1/published/{name}"): _COMMAND,
    ("GET", "/v1/openapi.json"): Told(dict[str, Any], OF_SNAPSHOT),
    ("POST", "/v1/sql"): _ANSWER,
    ("GET", "/v1/schema"): Told(datasets.Schema, OF_SNAPSHOT),
    ("GET", "/v1/jobs"): Told(questions.Jobs, ETAG),
    ("GET", "/v1/jobs/{job_id}"): Told(questions.Job, ETAG),
    ("DELETE", "/v1/jobs/{job_id}"): Told(questions.Job),
    ("GET", "/v1/jobs/{job_id}/result"): Told(None, LOCATION),
    ("POST", "/v1/uploads"): Told(uploads.UploadPlace | uploads.Upload, LOCATION, may_wait=True),
    ("GET", "/v1/uploads"): Told(uploads.Uploads, OF_SNAPSHOT),
    ("GET", "/v1/uploads/{upload_id}"): Told(uploads.Upload, ETAG),
    ("GET", "/v1/uploads/{upload_id}/quality"): Told(uploads.UploadQuality, OF_SNAPSHOT),
    ("GET", "/v1/uploads/{upload_id}/held"): Told(uploads.HeldRows, ETAG, also=("text/csv",)),
    ("POST", "/v1/uploads/{upload_id}/replay"): _COMMAND,
    ("GET", "/v1/datasets"): Told(datasets.Datasets, OF_SNAPSHOT),
    ("GET", "/v1/datasets/{dataset}"): Told(datasets.DatasetOne, OF_SNAPSHOT),
    ("PUT", "/v1/datasets/{dataset}"): _COMMAND,
    ("GET", "/v1/datasets/{dataset}/rows"): Told(datasets.Rows, OF_SNAPSHOT),
    ("POST", "/v1/datasets/{dataset}/rows"): _EDIT,
    ("GET", "/v1/datasets/{dataset}/rows/{key}"): Told(datasets.OneRow, OF_SNAPSHOT),
    ("PUT", "/v1/datasets/{dataset}/rows/{key}"): _EDIT,
    ("PATCH", "/v1/datasets/{dataset}/rows/{key}"): _EDIT,
    ("DELETE", "/v1/datasets/{dataset}/rows/{key}"): _EDIT,
    ("GET", "/v1/snapshots"): Told(snapshots.Snapshots, OF_SNAPSHOT),
    ("GET", "/v1/snapshots/{snapshot_id}"): Told(snapshots.Snapshot, OF_SNAPSHOT),
    ("GET", "/v1/snapshots/{from_id}/changes/{to_id}"): Told(snapshots.Changes, OF_SNAPSHOT),
    ("POST", "/v1/snapshots/{snapshot_id}/rollback"): _COMMAND,
    ("GET", "/v1/erasures"): Told(snapshots.Erasures, ETAG),
    ("DELETE", "/v1/customers/{key}"): Told(snapshots.ErasureReceipt, ("Teal-Snapshot",), may_wait=True),
    ("POST", "/v1/customers/{key}/readmit"): _COMMAND,
    ("GET", "/v1/tenants"): Told(tenants.Tenants, ETAG),
    ("POST", "/v1/tenants"): Told(tenants.Tenant, LOCATION),
    ("GET", "/v1/tenants/{tenant}"): Told(tenants.Tenant, ETAG),
    ("PATCH", "/v1/tenants/{tenant}"): Told(tenants.Tenant),
    ("DELETE", "/v1/tenants/{tenant}"): Told(tenants.DeletedTenant, LOCATION),
    ("POST", "/v1/tenants/{tenant}/suspend"): Told(tenants.Tenant),
    ("POST", "/v1/tenants/{tenant}/resume"): Told(tenants.Tenant),
    ("POST", "/v1/tenants/{tenant}/export"): Told(tenants.Export, LOCATION),
    ("GET", "/v1/tenants/{tenant}/exports/{export_id}"): Told(tenants.Export, ETAG),
    **{
        (method, whose + path): told
        for whose in ("/v1/keys", "/v1/tenants/{tenant}/keys")
        for method, path, told in (
            ("GET", "", Told(tenants.Keys, ETAG)),
            ("POST", "", Told(tenants.NewKey, LOCATION)),
            ("GET", "/{key_id}", Told(tenants.Key, ETAG)),
            ("DELETE", "/{key_id}", Told(tenants.Key)),
            ("POST", "/{key_id}/rotate", Told(tenants.NewKey, LOCATION)),
        )
    },
    ("GET", "/v1/health"): Told(tenants.Service),
    ("GET", "/v1/ready"): Told(tenants.Service),
    ("GET", "/v1/problems/{code}"): Told(tenants.ProblemCode),
}
"""By method and path as the document writes it; the status is the route's own."""


class _Untitled(GenerateJsonSchema):
    """Without a title for every member, which only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """See GenerateJsonSchema."""
        return False


def describe_answers(document: dict[str, Any]) -> None:
    """Write what the routes answer into an OpenAPI document that FastAPI made, in place of what it guessed."""
    shapes = {told.shape: TypeAdapter(told.shape) for told in ANSWERS.values()}
    schema_of, defined = TypeAdapter.json_schemas(
        [(str(shape), "validation", adapter) for shape, adapter in shapes.items()],
        ref_template="#/components/schemas/{model}",
        schema_generator=_Untitled,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"] |= {
        "schemas": {**defined["$defs"], **schemas, "Problem": problems.SCHEMA},
        "responses": _responses(),
    }
    for path, operations in document["paths"].items():
        # HEAD is GET without a body; described twice it would only have the same operation id twice.
        operations.pop("head", None)
        for method, operation in operations.items():
            if told := ANSWERS.get((method.upper(), path)):
                _describe(operation["responses"], told, schema_of[str(told.shape), "validation"])
            _describe_refusals(operation)
    _spell_decimals(document)


def _describe(responses: dict[str, Any], told: Told, schema: Mapping[str, Any]) -> None:
    """Write what one route answers when all is well."""
    status = min(responses)
    response = responses[status]
    response["headers"] = _headers(*told.headers)
    if told.shape is not None:
        content = response.setdefault("content", {})
        for media in (*content, *told.also):
            content[media] = {"schema": {"type": "string"}} if media.startswith("text/") else {}
        content[JSON] = {"schema": schema}
    if told is _ANSWER:
        response["headers"] |= _headers("Server-Timing", "Teal-Receipt", *OF_SNAPSHOT, required=False)
        responses["202"] = _ref("Accepted")
    if told.may_wait:
        responses["202"] = _ref("NotYet")
    if "ETag" in response["headers"]:
        responses["303"] = _ref("Elsewhere")
    if "ETag" in told.headers or "304" in responses:
        responses["304"] = _ref("NotModified")


def _describe_refusals(operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    # FastAPI describes its own error body, which is never sent here.
    responses.pop("422", None)
    if operation["security"]:
        responses |= {"401": _ref("Unauthenticated"), "429": _ref("TooMany"), "503": _ref("Unavailable")}
    responses["default"] = _ref("Problem")


def _spell_decimals(node: Any) -> None:
    """Say of exact numbers how they are written as text, which Pydantic leaves open."""
    if isinstance(node, dict):
        kinds = node.get("anyOf")
        if isinstance(kinds, list) and any(kind.get("type") == "number" for kind in kinds):
            node["anyOf"] = [DECIMAL if kind == {"type": "string"} else kind for kind in kinds]
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _spell_decimals(inner)


def _responses() -> dict[str, Any]:
    """What several routes answer."""
    problem = {problems.PROBLEM_JSON: {"schema": _schema("Problem")}}
    return {
        "Problem": _response("A problem (RFC 9457); `code` is stable.", content=problem),
        "Unauthenticated": _response("No credential that is known.", "WWW-Authenticate", content=problem),
        "TooMany": _response("More than may be asked for now.", "Retry-After", content=problem),
        "Unavailable": _response("What this stands on is silent; try again later.", "Retry-After", content=problem),
        "NotModified": _response("The caller has the answer already (`If-None-Match`).", "ETag"),
        "Elsewhere": _response("The answer is too large for one reply; this is its signed URL.", "Location"),
        "Accepted": _response(
            "A job (`Prefer: respond-async`).",
            "Location",
            "Preference-Applied",
            content={JSON: {"schema": _schema("Job")}},
        ),
        "NotYet": _response(
            "It is in the inbox, and not done yet.",
            "Location",
            "Retry-After",
            content={JSON: {"schema": _schema("Upload")}},
        ),
    }


def _response(description: str, *headers: str, content: Mapping[str, Any] | None = None) -> dict[str, Any]:
    told = {"description": description, "headers": _headers(*headers)}
    return told | ({"content": content} if content else {})


def _headers(*names: str, required: bool = True) -> dict[str, Any]:
    """These, and what every response has."""
    told = {name: _header(name, required=required) for name in names}
    return told | {"X-Request-ID": _header("X-Request-ID")}


def _header(name: str, *, required: bool = True) -> dict[str, Any]:
    schema = dict(HEADERS[name])
    return {"description": schema.pop("description"), "required": required, "schema": schema}


def _schema(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/responses/{name}"}
