"""Whether the API is consistent as a whole: routes and scopes, codes and their guide, headers, pages, logs, imports."""

from __future__ import annotations

import ast
import importlib
import json
import logging
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from fastapi import APIRouter

import shared
from shared import logs
from shared.api import problems
from shared.api.app import ApiRules, MoreRoutes
from shared.api.auth import PUBLIC, SCOPE_OF, GuardedRoute, UnlistedRouteError
from shared.api.headers import PAGE_POLICY, SECURITY_HEADERS
from shared.api.landing import FOLDER
from shared.errors import AppError
from shared.keys import SCOPES
from tests.api_shop import ApiShop, api_shop_in, client_of, code_of

ROOT = Path(shared.__file__).parent.parent


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    return api_shop_in(tmp_path_factory.mktemp("api"), ingest=False, more=(MoreRoutes(broken_routes, "sql"),))


def broken_routes(principal: object) -> APIRouter:
    router = APIRouter(prefix="/v1/more", route_class=GuardedRoute)

    @router.get("/defect")
    def defect() -> None:
        raise RuntimeError("a secret detail: teal_kabc_def")

    return router


def routes(api: ApiShop) -> list[tuple[str, str]]:
    return list(api.app.state.routes)


def address(path: str) -> str:
    """A path with something in its places."""
    return re.sub(r"\{(\w+)(?::path)?\}", lambda m: "1" if m[1].endswith("id") and m[1] != "upload_id" else "x", path)


# --- routes and scopes -----------------------------------------------------------------------------------------------


def test_every_route_has_a_scope_and_every_scope_a_route(api):
    more = {("GET", "/v1/more/defect")}
    assert set(routes(api)) - more == set(SCOPE_OF)
    assert set(SCOPE_OF.values()) <= {PUBLIC, *SCOPES}


def test_every_route_but_the_public_ones_asks_for_a_key_and_its_scope(api):
    scope_of = {**SCOPE_OF, ("GET", "/v1/more/defect"): "sql"}
    stranger = api.anonymous()
    clients = {scope: api.client_with(*(s for s in SCOPES if s != scope)) for scope in SCOPES}
    for method, path in routes(api):
        scope = scope_of[method, path]
        answer = stranger.request(method, address(path))
        if scope == PUBLIC:
            assert answer.status_code != 401 or "/objects/" in path
        else:
            assert code_of(answer) == (401, "unauthenticated"), (method, path)
            assert code_of(clients[scope].request(method, address(path))) == (403, "forbidden"), (method, path)


def test_a_route_without_a_scope_is_refused_to_everybody(tmp_path):
    api = api_shop_in(tmp_path, ingest=False)
    api.app.add_api_route("/v1/forgotten", lambda: {"open": True}, methods=["GET"])
    assert code_of(api.client.get("/v1/forgotten")) == (500, "internal")


def test_a_route_without_a_guard_is_not_served(tmp_path):
    def unguarded(_: object) -> APIRouter:
        router = APIRouter()
        router.add_api_route("/v1/open", lambda: {"open": True})
        return router

    with pytest.raises(UnlistedRouteError, match="/v1/open"):
        api_shop_in(tmp_path, ingest=False, more=(MoreRoutes(unguarded),))


def test_whatever_can_be_got_has_a_head(api):
    for method, path in routes(api):
        if method == "GET" and not path.startswith(("/v1/objects", "/v1/more")):
            got, head = (api.client.request(one, address(path)) for one in ("GET", "HEAD"))
            assert (head.status_code, head.content) == (got.status_code, b""), path


def test_the_document_is_openapi_3_1_and_lists_every_documented_route(api):
    document = api.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    listed = {(method.upper(), path) for path, told in document["paths"].items() for method in told}
    hidden = ("/pages", "/docs", "/openapi.json", "/v1/objects")
    wanted = {(m, p.replace(":path}", "}")) for m, p in routes(api) if p != "/" and not p.startswith(hidden)}
    assert listed == wanted
    names = [told["operationId"] for operations in document["paths"].values() for told in operations.values()]
    assert len(names) == len(set(names))
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            assert told["summary"], (method, path)
            in_path = {one["name"] for one in told.get("parameters", []) if one["in"] == "path"}
            assert in_path == set(re.findall(r"\{(\w+)\}", path)), (method, path)
            assert all(ref_exists(document, ref) for ref in refs(told)), (method, path)
            needed = SCOPE_OF.get((method.upper(), path), "")
            assert bool(told["security"]) == bool(needed) or "{key}" in path or "/more/" in path


def refs(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def ref_exists(document: dict, ref: str) -> bool:
    node = document
    for name in ref.removeprefix("#/").split("/"):
        node = node.get(name, {})
    return bool(node)


def test_every_route_is_in_the_guide(api):
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    hidden = ("/pages", "/v1/objects", "/v1/more")
    missing = [
        (method, path)
        for method, path in routes(api)
        if not path.startswith(hidden) and f"`{method} {path.replace(':path}', '}')}`" not in guide
    ]
    assert missing == []


# --- errors ----------------------------------------------------------------------------------------------------------


def all_errors() -> set[type[AppError]]:
    """Every error class of the library, also those that are defined beside the code that raises them."""
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        wiring_or_cloud = module.name.startswith(
            ("shared.cli", "shared.bootstrap", "shared.storage.s3", "shared.storage.gcs")
        )
        if not wiring_or_cloud:
            importlib.import_module(module.name)
    return set(problems.descendants(AppError)) - {AppError}


def test_every_code_is_documented_with_its_status_and_no_other():
    known = {kind.code: kind.status for kind in all_errors() if kind.__module__.startswith("shared.")}
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", text, re.MULTILINE)
    assert {code: int(status) for code, status in rows} == known | {"internal": 500}
    assert len(rows) == len({code for code, _ in rows})


def test_every_error_is_of_exactly_one_kind():
    kinds = set(AppError.__subclasses__())
    for error in all_errors() - kinds:
        assert len([kind for kind in kinds if issubclass(error, kind)]) == 1, error


def test_every_code_is_explained_by_the_address_in_its_problem(api):
    for code, kind in problems.codes().items():
        told = api.anonymous().get(problems.PROBLEMS_PATH + code).json()
        assert (told["code"], told["status"]) == (code, kind.status)
        assert told["meaning"]
        assert told["advice"]


def test_a_defect_is_logged_in_full_and_told_nothing(api, caplog):
    with caplog.at_level(logging.ERROR):
        answer = api.client.get("/v1/more/defect")
    assert code_of(answer) == (500, "internal")
    assert set(answer.json()) == {"type", "title", "status", "code", "detail", "request_id"}
    assert "secret detail" not in answer.text
    assert "Error" not in answer.text
    logged = next(record for record in caplog.records if record.message == "unexpected")
    assert logged.request_id == answer.json()["request_id"]
    assert "a secret detail" in str(logged.exc_info[1])


@pytest.mark.parametrize(("given", "meant"), [("limt", "limit"), ("statu", "status"), ("curser", "cursor")])
def test_a_misspelt_parameter_is_named_with_the_one_that_was_meant(api, given, meant):
    answer = api.client.get(f"/v1/uploads?{given}=2")
    assert code_of(answer) == (422, "invalid_parameter")
    assert answer.json()["detail"] == f"query.{given}: there is no such parameter; did you mean {meant}?"


def test_unknown_addresses_and_methods_are_problems(api):
    for path in ("/nope", "/v1", "/v1/datasets/", "/v1/../keys", "/pages/../app.py", "/pages/%2e%2e%2fapp.py"):
        assert code_of(api.client.get(path)) == (404, "not_found"), path
    answer = api.client.delete("/v1/datasets")
    assert (code_of(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", ["/v1/health", "/v1/datasets", "/nope", "/v1/more/defect", "/", "/docs", "/v1/datasets?x=1"]
)
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_every_response_carries_the_security_headers(api, method, path):
    answer = api.client.request(method, path)
    for name, value in SECURITY_HEADERS.items():
        if name not in ("Cache-Control", "Content-Security-Policy"):
            assert answer.headers[name] == value
    html = answer.headers["content-type"].startswith("text/html")
    expected = PAGE_POLICY if html else SECURITY_HEADERS["Content-Security-Policy"]
    assert answer.headers["content-security-policy"] == expected
    assert "cache-control" in answer.headers
    assert "server" not in answer.headers
    assert "authorization" in answer.headers["vary"].lower()
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_a_request_id_is_taken_over_when_it_is_harmless(api):
    assert api.client.get("/v1/health", headers={"X-Request-ID": "abc-12345"}).headers["x-request-id"] == "abc-12345"
    for bad in ("x", "a b c d e f g", "<script>alert</script>", "a" * 65):
        assert api.client.get("/v1/health", headers={"X-Request-ID": bad}).headers["x-request-id"] != bad


def test_no_other_origin_is_allowed_unless_it_is_listed(api, tmp_path):
    asked = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    assert "access-control-allow-origin" not in api.client.get("/v1/health", headers=asked).headers
    assert api.client.options("/v1/datasets", headers=asked).status_code == 405
    listed = api_shop_in(tmp_path, ingest=False, rules=ApiRules(cors_origins=("https://shop.example",)))
    answer = listed.client.get("/v1/health", headers=asked)
    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert listed.client.options("/v1/datasets", headers=asked).status_code == 200
    other = listed.client.get("/v1/health", headers={"Origin": "https://shop.example.evil"})
    assert "access-control-allow-origin" not in other.headers


# --- pages -----------------------------------------------------------------------------------------------------------


def test_the_pages_need_nothing_from_elsewhere_and_keep_to_their_policy():
    for path in FOLDER.iterdir():
        text = path.read_text(encoding="utf-8")
        outside = re.findall(r"(?:src|href|url|import|fetch)\s*[=(]\s*[\"']?(?:https?:)?//[^\s\"')]+", text)
        assert outside == [], path
        if path.suffix == ".html":
            assert not re.search(r"<script(?![^>]*\bsrc=)", text)
            assert " style=" not in text
            assert " on" not in tags(text)
            for name in re.findall(r"/pages/([\w.]+)", text):
                assert (FOLDER / name).is_file()
        assert "innerHTML" not in text
        assert "eval(" not in text


def tags(html: str) -> str:
    return " ".join(re.findall(r"<[^>]+>", html))


def test_the_documentation_can_be_switched_off(tmp_path):
    api = api_shop_in(tmp_path, ingest=False, rules=ApiRules(docs_enabled=False))
    assert code_of(api.anonymous().get("/docs")) == code_of(api.anonymous().get("/openapi.json")) == (404, "not_found")
    assert api.anonymous().get("/").status_code == 200


# --- logs ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[StringIO]:
    stream, log = StringIO(), logging.getLogger("teal.requests")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    log.addHandler(handler)
    yield stream
    log.removeHandler(handler)


def test_a_request_is_one_line_without_secrets(api, lines):
    token = api.client.headers["authorization"].split()[1]
    client = client_of(api.app, token)
    answer = client.get("/v1/datasets/customers/rows?email=ann@example.org&limit=5")
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert len(told) == 1
    assert told[0] | {"at": "", "ms": 0, "request_id": ""} == {
        "at": "",
        "level": "info",
        "logger": "teal.requests",
        "message": "request",
        "action": "GET /v1/datasets/{dataset}/rows",
        "method": "GET",
        "route": "/v1/datasets/{dataset}/rows",
        "dataset": "customers",
        "outcome": "done",
        "changes": False,
        "status": 200,
        "bytes_sent": len(answer.content),
        "ms": 0,
        "tenant": "shop",
        "key_id": token.split("_")[1],
        "request_id": "",
        "snapshot": 1,
    }
    assert "ann@" not in lines.getvalue()
    assert token.split("_")[2] not in lines.getvalue()


# --- imports ---------------------------------------------------------------------------------------------------------


def test_the_app_loads_no_cloud_library():
    heavy = ("boto3", "botocore", "google.cloud.storage", "nanoarrow", "pyarrow", "pandas", "jinja2", "email_validator")
    code = f"import sys, shared.api.app; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_http_is_only_in_the_api_folder():
    above = ("bootstrap.py",)
    for path in (ROOT / "shared").rglob("*.py"):
        if path.is_relative_to(ROOT / "shared" / "api"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            used = [name for name in names if name.split(".")[0] in ("fastapi", "starlette")]
            assert used == [] or path.name in above, path
