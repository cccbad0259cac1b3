"""Keys and tenants over HTTP: what an `admin` key may do with its own, and the operator with everybody's."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from shared.api.app import MoreRoutes, routes_of
from shared.api.auth import OPERATOR
from shared.api.keys import KeyDesk, own_key_router
from shared.api.tenants import tenant_key_router, tenant_router
from shared.credentials import Credentials
from shared.keys import SCOPES, Keys
from shared.last_used import last_used
from shared.storage.folder import FolderStore
from shared.tenant_admin import TenantAdmin
from shared.tenant_deletion import FinishTenants
from shared.tenant_export import ExportTenant
from shared.tenants import Tenants
from shared.tokens import Tokens
from tests.api_shop import SECRET, ApiShop, api_shop_in, client_of, code_of
from tests.oidc import provider

ROOT = Path(__file__).parents[2]
ROUTES = [
    ("GET", "/v1/tenants"),
    ("POST", "/v1/tenants"),
    *[(method, "/v1/tenants/{name}") for method in ("GET", "PATCH", "DELETE")],
    *[("POST", f"/v1/tenants/{{name}}/{what}") for what in ("suspend", "resume", "export")],
    ("GET", "/v1/tenants/{name}/exports/0"),
    *[(method, "/v1/tenants/{name}/keys") for method in ("GET", "POST")],
    *[(method, "/v1/tenants/{name}/keys/k000000000000000") for method in ("GET", "DELETE")],
    ("POST", "/v1/tenants/{name}/keys/k000000000000000/rotate"),
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> ApiShop:
    return api_in(tmp_path_factory.mktemp("lake"))


def api_in(folder: Path, tokens: Tokens | None = None) -> ApiShop:
    store = FolderStore(folder, SECRET, "http://testserver")
    keys = Keys(store, cache_seconds=0)
    tenants = Tenants(store, operator="operator", cache_seconds=0)
    made: dict[str, Any] = {}
    exports = ExportTenant(store, lambda tenant: made["api"].app.state.reader_of(tenant))
    finish = FinishTenants(tenants, keys, store, store, exports)
    admin = TenantAdmin(tenants, keys, store, exports, finish.finish)
    desk = KeyDesk(keys, lambda tenant: last_used(store, tenant))
    more = (
        MoreRoutes(lambda _: own_key_router(desk), scope="admin"),
        MoreRoutes(lambda _: tenant_router(admin), scope=OPERATOR),
        MoreRoutes(lambda _: tenant_key_router(admin, desk), scope=OPERATOR),
    )
    api = made["api"] = api_shop_in(folder, ingest=False, more=more)
    api.app.state.reader_of = lambda tenant: replace_tenant(api, tenant)
    credentials = Credentials(keys, tokens or Tokens((), operator="operator"), tenants)
    api.app.state.admission = replace(api.app.state.admission, authenticator=credentials)
    return api


def replace_tenant(api: ApiShop, tenant: str) -> Any:
    """A reader of a tenant's lake."""
    from shared.catalog.reader import LakeReader
    from shared.catalog.stored import StoredCatalog

    return LakeReader(StoredCatalog(api.shop.store, tenant), api.shop.reader._open_duck)


def operator_of(api: ApiShop) -> TestClient:
    return api.client_with("admin", tenant="operator")


def bodies(answer: Any) -> dict[str, Any]:
    """A body without what differs by request."""
    told: dict[str, Any] = answer.json()
    told.pop("request_id")
    return told


# --- /v1/keys --------------------------------------------------------------------------------------------------------


def test_an_admin_makes_uses_lists_rotates_and_revokes_keys_of_its_tenant(api):
    admin = api.client_with("admin", tenant="acme")
    rules = {"rows": {"orders": {"country": "DE"}}, "masked": {"customers": ["name"]}}
    body = {"scopes": ["read", "sql"], "label": "notebook", "rules": rules, "limits": {"day_bytes": 10**9}}
    answer = admin.post("/v1/keys", json=body)
    made = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    assert answer.headers["Location"] == f"/v1/keys/{made['key_id']}"
    assert (made["tenant"], made["rules"], made["limits"]) == ("acme", rules, {"day_bytes": 10**9})
    assert client_of(api.app, made["token"]).get("/v1/datasets/orders/rows").status_code != 401
    one = admin.get(f"/v1/keys/{made['key_id']}").json()
    assert one == {name: value for name, value in made.items() if name != "token"}
    assert one in admin.get("/v1/keys").json()["keys"]
    assert made["token"].split("_")[2] not in admin.get("/v1/keys").text
    assert "sha256" not in admin.get("/v1/keys").text
    second = admin.post(f"/v1/keys/{made['key_id']}/rotate", json={"grace_seconds": 60}).json()
    assert second["rules"] == rules
    both = [made["token"], second["token"]]
    assert [client_of(api.app, token).get("/v1/keys").status_code for token in both] == [403, 403]
    assert admin.delete(f"/v1/keys/{second['key_id']}").json()["revoked_at"]
    assert client_of(api.app, second["token"]).get("/v1/keys").status_code == 401
    assert admin.post(f"/v1/keys/{second['key_id']}/rotate").status_code == 400


def test_a_key_with_a_time_ends_then(api):
    admin = api.client_with("admin", tenant="acme")
    soon = (datetime.now(UTC) + timedelta(hours=1)).replace(tzinfo=None)
    made = admin.post("/v1/keys", json={"scopes": ["read"], "expires_at": soon.isoformat()}).json()
    assert made["expires_at"].startswith(soon.isoformat()[:19])
    assert made["expires_at"].endswith("Z")
    past = admin.post("/v1/keys", json={"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"})
    assert code_of(past) == (400, "invalid_key_request")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_parameter"),
        ({"scopes": []}, "invalid_parameter"),
        ({"scopes": ["root"]}, "invalid_key_request"),
        ({"scopes": ["operator"]}, "invalid_key_request"),
        ({"scopes": ["read"], "tenant": "globex"}, "invalid_parameter"),
        ({"scopes": ["read"], "key_id": "k1"}, "invalid_parameter"),
        ({"scopes": ["read"], "limits": {"rows": 1}}, "invalid_key_request"),
        ({"scopes": ["read"], "limits": {"page_rows": -1}}, "invalid_key_request"),
        ({"scopes": ["read"], "rules": {"rows": ["orders"]}}, "invalid_key_request"),
        ({"scopes": ["read"], "rules": {"row": {}}}, "invalid_key_request"),
        ({"scopes": ["read", "write"], "rules": {"masked": {"orders": ["total"]}}}, "invalid_key_request"),
        ({"scopes": ["read"], "expires_at": "soon"}, "invalid_parameter"),
        ({"scopes": ["read"], "label": "x" * 201}, "invalid_parameter"),
    ],
)
def test_a_key_that_makes_no_sense_is_refused_and_not_made(api, body, code):
    admin = api.client_with("admin", tenant="initech")
    before = len(api.keys.list("initech"))
    assert code_of(admin.post("/v1/keys", json=body))[1] == code
    assert len(api.keys.list("initech")) == before


def test_h01_another_tenants_key_is_answered_like_one_that_never_was(api):
    stranger = api.client_with("admin", tenant="globex")
    made = api.keys.create("acme", ["read"])
    mine = made.key.key_id
    for method, path in (
        ("GET", "/v1/keys/{}"),
        ("DELETE", "/v1/keys/{}"),
        ("POST", "/v1/keys/{}/rotate"),
    ):
        answers = [
            stranger.request(method, path.format(key)) for key in (mine, "k000000000000000", "..%2Fx", "K" + mine[1:])
        ]
        assert [answer.status_code for answer in answers] == [404] * 4
        assert bodies(answers[0]) == bodies(answers[1]) == bodies(answers[3])
    assert mine not in stranger.get("/v1/keys").text
    assert api.keys.verify(made.token).tenant == "acme"


def test_h02_no_header_query_or_field_names_another_tenant(api):
    admin = api.client_with("admin", tenant="globex")
    told = admin.post("/v1/keys?tenant=acme", json={"scopes": ["read"]}, headers={"X-Tenant-Id": "acme"})
    assert told.json()["tenant"] == "globex"
    assert {key["tenant"] for key in admin.get("/v1/keys?tenant=acme").json()["keys"]} == {"globex"}


def test_a_key_without_admin_manages_no_keys(api):
    client = api.client_with("read", "write", "sql", tenant="acme")
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/k1"), ("DELETE", "/k1"), ("POST", "/k1/rotate")):
        assert code_of(client.request(method, "/v1/keys" + path)) == (403, "forbidden")
        assert code_of(api.anonymous().request(method, "/v1/keys" + path)) == (401, "unauthenticated")


def test_keys_are_bounded_by_tenant(api, monkeypatch):
    monkeypatch.setattr("shared.keys.MAX_KEYS", 2)
    admin = api.client_with("admin", tenant="hooli")
    assert admin.post("/v1/keys", json={"scopes": ["read"]}).status_code == 201
    assert code_of(admin.post("/v1/keys", json={"scopes": ["read"]})) == (422, "too_many_keys")


# --- /v1/tenants -----------------------------------------------------------------------------------------------------


def test_everybody_but_the_operator_gets_one_answer_whatever_tenant_is_named(api):
    api.keys.create("umbrella", ["read"])
    clients = {
        "admin of another": api.client_with(*SCOPES, tenant="globex"),
        "reader of the operator": api.client_with("read", "write", "sql", tenant="operator"),
    }
    for who, client in clients.items():
        for method, path in ROUTES:
            told = [
                client.request(method, path.replace("{name}", name), json=None)
                for name in ("umbrella", "nobody", "operator", "globex", "UPPER")
            ]
            assert {answer.status_code for answer in told} == {403}, (who, method, path)
            assert all(bodies(answer) == bodies(told[0]) for answer in told)
    for method, path in ROUTES:
        assert code_of(api.anonymous().request(method, path.replace("{name}", "acme"))) == (401, "unauthenticated")
    assert {path for _, path in ROUTES if path.startswith("/v1/tenants")} == {path for _, path in ROUTES}


def test_every_route_of_tenants_and_keys_is_walked_and_in_the_guide(api):
    routes = [route for route in api.app.state.routes if route[1].startswith(("/v1/tenants", "/v1/keys"))]
    guide = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert [route for route in routes if f"`{route[0]} {route[1]}`" not in guide] == []
    walked = {(method, path.count("/")) for method, path in ROUTES}
    assert {(method, path.count("/")) for method, path in routes if "tenants" in path} == walked
    admission = api.app.state.admission
    assert {admission.scope_of[route] for route in routes if "tenants" in route[1]} == {OPERATOR}
    assert {admission.scope_of[route] for route in routes if "tenants" not in route[1]} == {"admin"}
    assert routes_of(own_key_router(KeyDesk(api.keys, dict)))


def test_the_operator_makes_bounds_suspends_and_resumes_a_tenant(api):
    operator = operator_of(api)
    made = operator.post("/v1/tenants", json={"tenant": "vandelay", "label": "V", "limits": {"page_rows": 9}})
    assert (made.status_code, made.headers["Location"]) == (201, "/v1/tenants/vandelay")
    assert code_of(operator.post("/v1/tenants", json={"tenant": "vandelay"})) == (409, "tenant_exists")
    key = operator.post("/v1/tenants/vandelay/keys", json={"scopes": ["read", "admin"]})
    assert key.headers["Location"] == f"/v1/tenants/vandelay/keys/{key.json()['key_id']}"
    theirs = client_of(api.app, key.json()["token"])
    assert theirs.get("/v1/keys").json()["keys"][0]["tenant"] == "vandelay"
    changed = operator.patch("/v1/tenants/vandelay", json={"limits": {"day_bytes": 5}}).json()
    assert (changed["label"], changed["limits"]) == ("V", {"day_bytes": 5})
    assert operator.post("/v1/tenants/vandelay/suspend", json={"reason": "unpaid"}).json()["status"] == "suspended"
    told = theirs.get("/v1/keys")
    assert code_of(told) == (403, "tenant_suspended")
    assert "unpaid" not in told.text
    assert operator.get("/v1/tenants/vandelay").json()["reason"] == "unpaid"
    assert operator.post("/v1/tenants/vandelay/resume").json()["status"] == "active"
    assert theirs.get("/v1/keys").status_code == 200
    names = [one["tenant"] for one in operator.get("/v1/tenants").json()["tenants"]]
    assert names == sorted(names)
    assert "vandelay" in names
    rotated = operator.post(f"/v1/tenants/vandelay/keys/{key.json()['key_id']}/rotate")
    assert rotated.status_code == 201
    assert code_of(operator.get(f"/v1/tenants/globex/keys/{rotated.json()['key_id']}")) == (404, "unknown_key")
    assert operator.delete(f"/v1/tenants/vandelay/keys/{rotated.json()['key_id']}").status_code == 200


def test_a_tenant_is_exported_and_deleted(api):
    operator = operator_of(api)
    token = operator.post("/v1/tenants/pied_piper/keys", json={"scopes": ["read"]}).json()["token"]
    answer = operator.post("/v1/tenants/pied_piper/export")
    place = answer.headers["Location"]
    told = operator.get(place)
    assert (answer.status_code, told.json()["status"], told.headers["Cache-Control"]) == (202, "done", "no-store")
    urls = {file["name"]: file["url"] for file in told.json()["files"]}
    assert urls["datasets/orders.parquet"].startswith("http://testserver/v1/objects/exports/pied_piper/")
    assert code_of(operator.get(place.replace("pied_piper", "globex"))) == (404, "unknown_export")
    gone = operator.delete("/v1/tenants/pied_piper")
    assert (gone.status_code, gone.json()["status"], gone.json()["export"]["status"]) == (202, "deleted", "done")
    assert code_of(client_of(api.app, token).get("/v1/datasets")) == (401, "unauthenticated")
    assert code_of(operator.post("/v1/tenants/pied_piper/keys", json={"scopes": ["read"]})) == (409, "tenant_deleted")
    assert code_of(operator.post("/v1/tenants", json={"tenant": "pied_piper"})) == (409, "tenant_exists")
    again = {"tenant": "pied_piper", "again": True}
    assert code_of(operator.post("/v1/tenants", json=again)) == (409, "tenant_exists"), "its keys are still remembered"
    record = api.shop.store.get("tenants/pied_piper.json")[0].decode()
    api.shop.store.put("tenants/pied_piper.json", re.sub(r'("changed_at": ")\d{4}', r"\g<1>2020", record).encode())
    assert operator.post("/v1/tenants", json=again).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", "/v1/tenants/nobody", None, "unknown_tenant"),
        ("GET", "/v1/tenants/UPPER", None, "unknown_tenant"),
        ("DELETE", "/v1/tenants/nobody", None, "unknown_tenant"),
        ("DELETE", "/v1/tenants/operator", None, "invalid_tenant"),
        ("POST", "/v1/tenants/operator/suspend", None, "invalid_tenant"),
        ("POST", "/v1/tenants/nobody/suspend", None, "unknown_tenant"),
        ("POST", "/v1/tenants/UPPER/keys", {"scopes": ["read"]}, "unknown_tenant"),
        ("POST", "/v1/tenants", {"tenant": "Upper"}, "invalid_tenant"),
        ("POST", "/v1/tenants", {"tenant": "x", "status": "active"}, "invalid_parameter"),
        ("POST", "/v1/tenants", {"tenant": "x", "limits": {"rows": 1}}, "invalid_key_request"),
        ("PATCH", "/v1/tenants/acme", {"status": "deleted"}, "invalid_parameter"),
        ("DELETE", "/v1/tenants/acme?exports=false", None, "invalid_parameter"),
    ],
)
def test_what_makes_no_sense_changes_nothing(api, method, path, body, code):
    api.keys.create("acme", ["read"])
    assert code_of(operator_of(api).request(method, path, json=body))[1] == code


# --- tokens over HTTP ------------------------------------------------------------------------------------------------


def test_h20_h32_h33_a_token_opens_the_same_doors_and_every_refusal_is_one_body(tmp_path):
    with provider() as idp:
        api = api_in(tmp_path, Tokens((idp.issuer(),), operator="operator"))
        good = idp.token(scope="admin", tenant="acme")
        assert client_of(api.app, good).get("/v1/keys").status_code == 200
        assert code_of(client_of(api.app, idp.token(scope="openid")).get("/v1/keys")) == (403, "forbidden")
        assert code_of(client_of(api.app, idp.token(tenant="operator", scope="admin")).get("/v1/tenants"))[0] == 401
        anonymous = api.anonymous()
        wrong = [
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer"},
            {"Authorization": f"Basic {good}"},
            {"Authorization": f"bearer {idp.token(exp=1)}"},
            {"Authorization": "Bearer " + idp.token(sub="known", aud="x")},
            {"Authorization": "Bearer " + api.keys.create("acme", ["admin"]).token[:-1]},
            {"x-amzn-oidc-data": good, "x-goog-authenticated-user-email": "a@b.example", "x-forwarded-user": "acme"},
        ]
        told = [anonymous.get("/v1/keys", headers=headers) for headers in wrong]
        told.append(anonymous.get("/v1/keys", headers=[("Authorization", f"Bearer {good}")] * 2))
        told.append(anonymous.get(f"/v1/keys?token={good}&access_token={good}"))
        assert [answer.status_code for answer in told] == [401] * len(told)
        assert all(bodies(answer) == bodies(told[0]) for answer in told)
        assert {answer.headers["WWW-Authenticate"] for answer in told} == {'Bearer realm="teal"'}
        Tenants(api.shop.store, operator="operator").suspend("acme")
        assert code_of(client_of(api.app, good).get("/v1/keys")) == (403, "tenant_suspended")
