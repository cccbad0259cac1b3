"""Tokens of OpenID Connect: which are taken, as whom, and that everything else is refused alike (cases H20 to H32)."""

from __future__ import annotations

import json
import logging
import threading
import time
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from shared.datasets.rules import RowFilter
from shared.errors import UnauthenticatedError
from shared.issuers import Issuer
from shared.jwks import FRESH_SECONDS, KEEP_SECONDS, MAX_BYTES, WAIT_SECONDS, IssuerUnavailableError, Jwks, fetched
from shared.keys import NOT_ADMITTED
from shared.settings import Settings
from shared.tokens import MAX_CHARACTERS, Tokens
from tests.oidc import CURVES, Provider, ec_key, encoded, jwk, key_id_of, pem, provider, rsa_key


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
def tokens(idp: Provider) -> Tokens:
    return tokens_of(idp.issuer())


def tokens_of(*issuers: Issuer, clock: Any = time.time) -> Tokens:
    return Tokens(issuers, operator="operator", now=clock)


def refused(tokens: Tokens, token: str) -> None:
    """Refused with the one message, and remembered as nobody's."""
    with pytest.raises(UnauthenticatedError) as raised:
        tokens.verify(token)
    assert raised.value.message == NOT_ADMITTED
    assert not raised.value.details
    assert raised.value.__cause__ is None
    assert not tokens.remembered_tenant(token)


class Clock:
    """A clock that a test moves, which begins now."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


# --- what is taken ---------------------------------------------------------------------------------------------------


def test_a_token_is_its_tenant_with_our_scopes_and_a_name_that_is_no_persons(idp, tokens):
    who = tokens.verify(idp.token(sub="jane@example.com"))
    assert (who.tenant, who.scopes) == ("acme", frozenset({"read", "sql"}))
    assert who.key_id == key_id_of(idp.url, "jane@example.com")
    assert not who.rules


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", *CURVES])
def test_every_algorithm_that_may_be_set_is_verified(algorithm):
    key = ec_key(algorithm) if algorithm in CURVES else rsa_key()
    with provider(jwk(key, "one")) as idp:
        tokens = tokens_of(idp.issuer(algorithms=(algorithm,)))
        good = idp.token(key=key, algorithm=algorithm)
        assert tokens.verify(good).tenant == "acme"
        head, body, signed = good.split(".")
        refused(tokens, f"{head}.{body}.{signed[:-4]}AAAA")
        refused(tokens, f"{head}.{encoded(idp.claims(tenant='globex'))}.{signed}")


def test_a_second_look_at_a_token_verifies_nothing_but_its_end(idp):
    clock = Clock()
    tokens = tokens_of(idp.issuer(leeway_seconds=0), clock=clock)
    token = idp.token(exp=int(time.time()) + 30)
    assert tokens.remembered_tenant(token) is None
    tokens.verify(token)
    idp.down = True
    assert tokens.remembered_tenant(token) == "acme"
    assert tokens.verify(token).tenant == "acme"
    clock.ahead = 31
    refused(tokens, token)


def test_a_list_of_scopes_and_a_map_to_ours_are_understood(idp):
    groups = idp.issuer(scopes_claim="groups", scopes={"analysts": "read sql", "teal/owner": "admin"})
    assert tokens_of(groups).verify(idp.token(groups=["analysts", "chess", 7])).scopes == {"read", "sql"}
    assert tokens_of(groups).verify(idp.token(groups=["read"])).scopes == frozenset()
    assert tokens_of(idp.issuer(granted=("read",), scopes_claim="")).verify(idp.token()).scopes == {"read"}


@pytest.mark.parametrize("scope", [None, "", "root *", 7, {"read": True}, [["read"]]])
def test_without_a_scope_of_ours_a_token_may_do_nothing(idp, tokens, scope):
    assert tokens.verify(idp.token(scope=scope)).scopes == frozenset()


def test_values_of_a_claim_are_mapped_to_tenants(idp):
    tokens = tokens_of(idp.issuer(tenant_claim="hd", tenants={"acme.example": "acme"}))
    assert tokens.verify(idp.token(hd="acme.example")).tenant == "acme"
    refused(tokens, idp.token(hd="acme"))
    assert tokens_of(idp.issuer(tenant_claim="", tenants=["globex"])).verify(idp.token()).tenant == "globex"


def test_rules_come_from_their_claim_which_must_then_be_there(idp):
    tokens = tokens_of(idp.issuer(rules_claim="teal_rules"))
    rules = {"rows": {"orders": {"country": "DE"}}, "masked": {"customers": ["name"]}}
    who = tokens.verify(idp.token(teal_rules=rules, scope="read write admin"))
    assert who.rules.rows == (RowFilter("orders", "country", "DE"),)
    assert who.scopes == {"read"}, "who writes would write past rules"
    for told in (None, "", "all", [], {"row": {}}, {"rows": {"orders": {"country": 7}}}):
        refused(tokens, idp.token(teal_rules=told))


def test_an_audience_that_is_a_list_of_ours_alone_is_ours(idp, tokens):
    assert tokens.verify(idp.token(aud=["teal"])).tenant == "acme"


def test_clocks_may_differ_by_the_leeway_and_no_more(idp, tokens):
    now = int(time.time())
    assert tokens.verify(idp.token(exp=now - 25))
    assert tokens.verify(idp.token(nbf=now + 25, iat=now + 25))
    refused(tokens, idp.token(exp=now - 31))
    generous = tokens_of(idp.issuer(leeway_seconds=60))
    assert generous.verify(idp.token(exp=now - 55))
    refused(generous, idp.token(exp=now - 61))
    with pytest.raises(ValidationError):
        idp.issuer(leeway_seconds=61)


def test_a_token_may_be_too_old_before_it_ends(idp):
    tokens = tokens_of(idp.issuer(max_age_seconds=300))
    now = int(time.time())
    assert tokens.verify(idp.token(iat=now - 200))
    refused(tokens, idp.token(iat=now - 331))
    refused(tokens, idp.token(iat=None))


# --- H20 to H24, H28, H29, H31 ---------------------------------------------------------------------------------------


def test_h20_what_is_no_token_is_refused_without_asking_anybody(idp, tokens):
    for text in ("", ".", "..", "a.b", "a.b.c", "a.b.c.d.e", "teal_x", idp.token() + " ", idp.token() + "=", "ü.ü.ü"):
        refused(tokens, text)
    assert idp.asked == []


@pytest.mark.parametrize("algorithm", ["none", "None", "nOnE", "NONE", "", None, 7, ["RS256"], "rs256", "HS256"])
def test_h21_an_algorithm_that_is_none_or_not_ours_is_refused(idp, tokens, algorithm):
    for signed in ("", encoded(b"x"), idp.token().split(".")[2]):
        head = {"alg": algorithm, "kid": "one"} if algorithm is not None else {"kid": "one"}
        refused(tokens, f"{encoded(head)}.{encoded(idp.claims())}.{signed}")
    assert idp.asked == []


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_h22_a_public_key_is_no_shared_secret(idp, tokens, algorithm):
    public = jwk(rsa_key(), "one")
    for secret in (pem(rsa_key()), pem(rsa_key()).strip(), json.dumps(public).encode(), public["n"].encode()):
        refused(tokens, idp.token(key=secret, algorithm=algorithm))
    with pytest.raises(ValidationError):
        idp.issuer(algorithms=("RS256", algorithm))


def test_h22_a_shared_secret_among_the_keys_signs_nothing():
    secret = b"s" * 32
    with provider({"kty": "oct", "kid": "one", "k": encoded(secret)}, jwk(rsa_key(), "two")) as idp:
        refused(tokens_of(idp.issuer()), idp.token(key=secret, algorithm="HS256"))


def test_h22_a_key_serves_its_own_algorithm_alone():
    with provider(jwk(rsa_key(), "one", alg="PS256"), jwk(ec_key("ES384"), "two")) as idp:
        tokens = tokens_of(idp.issuer(algorithms=("RS256", "PS256", "ES256", "ES384")))
        refused(tokens, idp.token(algorithm="RS256"))
        refused(tokens, idp.token(algorithm="ES256", key=ec_key("ES256"), header={"kid": "two"}))
        assert tokens.verify(idp.token(algorithm="PS256"))
        assert tokens.verify(idp.token(algorithm="ES384", key=ec_key("ES384"), header={"kid": "two"}))


def test_h22_a_short_key_and_a_key_for_encryption_are_not_used():
    short = rsa_key(7, 1024)
    with provider(jwk(short, "one"), jwk(rsa_key(), "two") | {"use": "enc"}) as idp:
        tokens = tokens_of(idp.issuer())
        refused(tokens, idp.token(key=short))
        refused(tokens, idp.token(header={"kid": "two"}))


@pytest.mark.parametrize(
    "more",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"iss": ["x"]},
        {"aud": "other"},
        {"aud": ["teal", "other"]},
        {"aud": ["teal", "teal"]},
        {"aud": []},
        {"aud": "TEAL"},
        {"aud": {"teal": 1}},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
    ],
)
def test_h23_a_token_of_another_issuer_or_for_others_too_is_refused(idp, tokens, more):
    refused(tokens, idp.token(**more))
    assert idp.asked == [], "it is no reason to ask for keys"


@pytest.mark.parametrize(
    "more",
    [
        {"exp": 1},
        {"exp": None},
        {"exp": str(int(time.time()) + 600)},
        {"exp": -1},
        {"exp": 0},
        {"exp": 10**18},
        {"exp": 1e18},
        {"exp": True},
        {"exp": [9]},
        {"exp": int(time.time()) + 500 * 86_400},
        {"nbf": lambda: int(time.time()) + 62},
        {"nbf": "soon"},
        {"nbf": True},
        {"iat": lambda: int(time.time()) + 62},
        {"iat": -5},
    ],
)
def test_h24_a_token_out_of_its_time_is_refused(idp, tokens, more):
    # As late as can be: this test may run long after it was collected.
    more = {name: value() if callable(value) else value for name, value in more.items()}
    refused(tokens, idp.token(**more))
    assert idp.asked == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000])
def test_h24_a_time_that_is_no_number_is_refused(idp, tokens, number):
    claims = json.dumps(idp.claims(exp=0)).replace('"exp": 0', f'"exp": {number}')
    refused(tokens, idp.token(claims))


@pytest.mark.parametrize(
    "tenant",
    [None, ["acme"], {"acme": 1}, "", "*", "../b", "acme globex", "acme,globex", "Acme", "acme\n", "а", 7, True],
)
def test_h28_a_tenant_is_one_name_and_nothing_else(idp, tokens, tenant):
    refused(tokens, idp.token(tenant=tenant))


def test_h28_a_claim_that_stands_twice_is_refused(idp, tokens):
    told = json.dumps(idp.claims())
    refused(tokens, idp.token(told[:-1] + ', "tenant": "globex"}'))
    nested = told[:-1] + ', "more": {"a": 1, "a": 2}}'
    refused(tokens, idp.token(nested))
    refused(tokens, idp.token(header='{"alg": "RS256", "kid": "two", "kid": "one"}'))


def test_h29_an_issuer_speaks_for_its_own_tenants_alone(idp):
    with provider(jwk(rsa_key(1), "one")) as other:
        tokens = tokens_of(idp.issuer(tenants=["acme"]), other.issuer(tenants=["globex"]))
        assert tokens.verify(other.token(key=rsa_key(1), tenant="globex")).tenant == "globex"
        refused(tokens, other.token(key=rsa_key(1), tenant="acme"))
        # in the name of the other issuer, but with its own key
        refused(tokens, idp.token(key=rsa_key(1), tenant="acme"))
        assert tokens.verify(idp.token(tenant="acme")).tenant == "acme"


def test_h29_an_issuer_of_any_tenant_is_not_one_of_the_operator(idp, tokens):
    refused(tokens, idp.token(tenant="operator", scope="admin"))
    named = tokens_of(idp.issuer(tenants=["operator", "acme"]))
    assert named.verify(idp.token(tenant="operator", scope="admin")).tenant == "operator"


@pytest.mark.parametrize(
    "header",
    [
        {"enc": "A256GCM"},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"typ": "logout+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": 7},
    ],
)
def test_h31_what_changes_the_meaning_of_the_bytes_is_refused(idp, tokens, header):
    refused(tokens, idp.token(header=header))
    assert idp.asked == []


def test_h31_a_huge_or_deep_token_is_refused_at_once_in_little_memory(idp, tokens):
    deep = "[" * 3_000 + "]" * 3_000
    huge = [
        "a" * 1_000_000 + ".b.c",
        idp.token(more="x" * 1_000_000),
        idp.token(more={f"n{number}": number for number in range(10_000)}),
        f"{encoded({'alg': 'RS256', 'kid': 'one'})}.{encoded(deep)}.AAAA",
        f"{encoded(deep)}.{encoded('{}')}.AAAA",
    ]
    tracemalloc.start()
    started = time.monotonic()
    for token in huge:
        refused(tokens, token)
    assert time.monotonic() - started < 0.5
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
    assert idp.asked == []
    assert len(idp.token(more="x" * 5_000)) < MAX_CHARACTERS
    assert tokens.verify(idp.token(more="x" * 5_000))


@pytest.mark.parametrize("spoil", [lambda t: t.replace(".", "=.", 1), lambda t: t[:-1] + "!", lambda t: t + "\n"])
def test_bytes_have_one_spelling(idp, tokens, spoil):
    refused(tokens, spoil(idp.token()))
    refused(tokens, idp.token() + "A")


# --- H25 to H27: keys ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "/etc/passwd", "x' UNION SELECT 'k", "http://127.0.0.1:1/keys", "\0", "one\0", "ONE", " one"],
)
def test_h25_a_key_id_is_compared_and_nothing_else(idp, tokens, kid):
    tokens.verify(idp.token())
    asked = list(idp.asked)
    refused(tokens, idp.token(header={"kid": kid}))
    assert idp.asked == asked


@pytest.mark.parametrize("kid", ["k" * 1_000_000, "k" * 257, "", None, 7, ["one"], {"one": 1}])
def test_h25_a_key_id_that_is_none_is_refused_unheard(idp, tokens, kid):
    refused(tokens, idp.token(header={"kid": kid}))
    assert idp.asked == []


def test_h26_keys_and_addresses_in_a_token_are_not_looked_at(idp, tokens):
    mine = jwk(rsa_key(1), "one")
    with provider(mine) as evil:
        for header in (
            {"jku": f"{evil.url}/keys"},
            {"x5u": f"{evil.url}/keys"},
            {"jwk": mine},
            {"x5c": ["MIIB"]},
            {"jku": f"{evil.url}/keys", "kid": "evil"},
        ):
            refused(tokens, idp.token(key=rsa_key(1), header=header))
        assert evil.asked == []


def test_h27_a_flood_of_unknown_key_ids_asks_once_per_interval_also_from_many_threads(idp):
    clock = Clock()
    tokens = tokens_of(idp.issuer(), clock=clock)
    tokens.verify(idp.token())
    assert idp.fetches == 1

    def flood() -> None:
        # Signatures are not even looked at: there is no key for them.
        for number in range(125):
            refused(tokens, f"{encoded({'alg': 'RS256', 'kid': f'k{number}'})}.{body}.AAAA")

    body = encoded(idp.claims(exp=int(time.time()) + 3_600))
    for interval in (1, 2, 3):
        clock.ahead = interval * (WAIT_SECONDS + 1)
        threads = [threading.Thread(target=flood) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert idp.fetches == 1 + interval


def test_h27_a_first_flood_before_any_key_is_known_asks_once(idp):
    tokens = tokens_of(idp.issuer())
    idp.delay_seconds = 0.1
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(tokens.verify(idp.token()).tenant)) for _ in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert answers == ["acme"] * 16
    assert idp.asked == ["/.well-known/openid-configuration", "/keys"]


def test_a_new_key_of_the_issuer_is_found_and_a_withdrawn_one_forgotten(idp):
    clock = Clock()
    tokens = tokens_of(idp.issuer(), clock=clock)
    tokens.verify(idp.token())
    idp.keys = [jwk(rsa_key(1), "two")]
    new = idp.token(key=rsa_key(1), header={"kid": "two"})
    refused(tokens, new)
    clock.ahead = WAIT_SECONDS + 1
    assert tokens.verify(new).tenant == "acme"
    refused(tokens, idp.token(sub="another"))


def test_a_withdrawn_key_is_obeyed_without_a_new_one(idp):
    clock = Clock()
    tokens = tokens_of(idp.issuer(), clock=clock)
    tokens.verify(idp.token())
    idp.keys = []
    clock.ahead = FRESH_SECONDS + 1
    refused(tokens, idp.token(sub="another", exp=int(time.time() + FRESH_SECONDS + 99)))


def test_the_last_keys_are_good_for_a_day_while_the_issuer_is_silent(idp, caplog):
    clock = Clock()
    tokens = tokens_of(idp.issuer(), clock=clock)
    tokens.verify(idp.token())
    idp.down = True
    with caplog.at_level(logging.WARNING):
        for ahead in (FRESH_SECONDS + 1, KEEP_SECONDS - 60):
            clock.ahead = ahead
            assert tokens.verify(idp.token(sub=f"u{ahead}", exp=int(clock() + 60))).tenant == "acme"
    assert "no keys of an issuer" in caplog.text
    clock.ahead = KEEP_SECONDS + 1
    with pytest.raises(IssuerUnavailableError):
        tokens.verify(idp.token(exp=int(clock() + 60)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"keys": 7}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [' + b"[" * 50_000,
        b'{"keys": [' + b"1," * MAX_BYTES + b"1]}",
        json.dumps({"keys": [{"kty": "RSA"}] * 101}).encode(),
    ],
)
def test_what_is_no_set_of_keys_is_like_no_answer(idp, body):
    idp.replies["/keys"] = (200, body)
    with pytest.raises(IssuerUnavailableError):
        tokens_of(idp.issuer()).verify(idp.token())


def test_a_key_that_is_no_key_refuses_only_its_own_tokens(idp):
    idp.keys += [{"kty": "RSA", "kid": "bad", "n": "!", "e": "AQAB"}, {"kty": "EC", "kid": "off", "crv": "P-256"}, 7]
    tokens = tokens_of(idp.issuer())
    refused(tokens, idp.token(header={"kid": "bad"}))
    refused(tokens, idp.token(header={"kid": "off"}, algorithm="ES256", key=ec_key()))
    assert tokens.verify(idp.token())


def test_a_redirect_is_not_followed(idp):
    with provider() as other:
        idp.replies["/keys"] = (302, b"")
        idp.headers["Location"] = f"{other.url}/keys"
        with pytest.raises(IssuerUnavailableError):
            tokens_of(idp.issuer()).verify(idp.token())
        assert other.asked == []


def test_a_discovery_document_of_somebody_else_is_not_believed(idp):
    with provider() as other:
        told = json.dumps({"issuer": other.url, "jwks_uri": f"{other.url}/keys"}).encode()
        idp.replies["/.well-known/openid-configuration"] = (200, told)
        with pytest.raises(IssuerUnavailableError):
            tokens_of(idp.issuer()).verify(idp.token())
        for address in ("http://evil.example/keys", "file:///etc/passwd", "https://u@evil.example/keys"):
            idp.replies["/.well-known/openid-configuration"] = (
                200,
                json.dumps({"issuer": idp.url, "jwks_uri": address}).encode(),
            )
            with pytest.raises(IssuerUnavailableError):
                tokens_of(idp.issuer()).verify(idp.token())
        assert other.asked == []


def test_the_place_of_the_keys_may_be_set_instead_of_discovered(idp):
    assert tokens_of(idp.issuer(jwks_url=f"{idp.url}/keys")).verify(idp.token())
    assert idp.asked == ["/keys"]


def test_a_silent_issuer_holds_up_a_request_for_some_seconds_at_most(idp, monkeypatch):
    monkeypatch.setattr("shared.jwks.FETCH_SECONDS", 0.2)

    def lost_in_a_name(url: str, deadline: float) -> bytes:
        time.sleep(1.0)
        return b""

    started = time.monotonic()
    with pytest.raises(IssuerUnavailableError):
        Jwks(idp.issuer(), fetch=lost_in_a_name).keys("one")
    assert time.monotonic() - started < 0.8


def test_a_large_answer_and_one_that_drips_are_given_up(idp, monkeypatch):
    idp.replies["/large"] = (200, b" " * (MAX_BYTES + 1))
    idp.replies["/small"] = (200, b" " * MAX_BYTES)
    assert len(fetched(f"{idp.url}/small", time.monotonic() + 9)) == MAX_BYTES
    with pytest.raises(ValueError):
        fetched(f"{idp.url}/large", time.monotonic() + 9)
    with pytest.raises(ValueError):
        fetched(f"{idp.url}/small", time.monotonic() - 1)


# --- H32 and the logs ------------------------------------------------------------------------------------------------


def test_h32_nothing_of_a_refused_token_is_logged(idp, tokens, caplog):
    with caplog.at_level(logging.DEBUG):
        for token in (
            idp.token(sub="jane@example.com", tenant="Jane"),
            idp.token(aud="jane"),
            idp.token(header={"kid": "jane"}),
        ):
            refused(tokens, token)
    told = "".join(str(record.__dict__) for record in caplog.records)
    assert "token refused" in told
    assert "jane" not in told.lower()


# --- the setting -----------------------------------------------------------------------------------------------------

GOOD = {"issuer": "https://id.example", "audience": "teal"}


@pytest.mark.parametrize(
    "told",
    [
        "not json",
        "{}",
        [{"issuer": "https://id.example"}],
        [GOOD | {"audience": ""}],
        [GOOD | {"issuer": "http://id.example"}],
        [GOOD | {"issuer": ""}],
        [GOOD | {"jwks_url": "file:///etc/passwd"}],
        [GOOD | {"jwks_url": "http://169.254.169.254/keys"}],
        [GOOD | {"jwks_url": "https://user:password@id.example/keys"}],
        [GOOD | {"algorithms": ["HS256"]}],
        [GOOD | {"algorithms": ["none"]}],
        [GOOD | {"algorithms": []}],
        [GOOD | {"tenants": ["Acme"]}],
        [GOOD | {"tenant_claim": ""}],
        [GOOD | {"scopes_claim": ""}],
        [GOOD | {"scopes": {"x": "root"}}],
        [GOOD | {"secret": "x"}],
        [GOOD, GOOD],
        [GOOD, GOOD | {"issuer": "https://other.example", "tenants": ["b"]}],
    ],
)
def test_a_setting_that_would_trust_too_much_is_refused_at_the_start(monkeypatch, told):
    monkeypatch.setenv("TEAL_JWT_ISSUERS", told if isinstance(told, str) else json.dumps(told))
    with pytest.raises(ValidationError):
        Settings()


def test_a_setting_is_read(monkeypatch):
    told = [GOOD | {"tenants": ["a"]}, GOOD | {"issuer": "https://other.example/", "tenants": {"B Ltd": "b"}}]
    monkeypatch.setenv("TEAL_JWT_ISSUERS", json.dumps(told))
    first, second = Settings().jwt_issuers
    assert (first.algorithms, first.tenants) == (("RS256", "ES256"), {"a": "a"})
    assert second.tenants == {"B Ltd": "b"}
