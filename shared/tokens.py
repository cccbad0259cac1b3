"""Tokens of OpenID Connect (RFC 7519, 8725): who presents one, by the keys and rules of the issuers that are set.

The rule: nothing a token says is believed before its signature holds, nothing in its header names a key or an address,
and every failure has the one message. PyJWT verifies the signature; what a claim must be is decided here, strictly.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.datasets.rules import EVERYTHING, DataRules
from shared.errors import InvalidKeyRequestError, UnauthenticatedError
from shared.issuers import Issuer
from shared.jwks import Jwk, Jwks, object_from
from shared.keys import NOT_ADMITTED, READING, SCOPES, Principal
from shared.recent import Recent
from shared.values import LARGEST_WHOLE, NAME

log = logging.getLogger("teal.tokens")

MAX_CHARACTERS = 8_192
MAX_KEY_ID = 256
MAX_LIFE_SECONDS = 400 * 86_400.0
"""A token that ends later is a mistake of its issuer."""
CACHE_SECONDS = 60.0
"""How long a token whose key was withdrawn may still work in a warm process; its own end counts at once."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_TYPES = ("jwt", "at+jwt", "application/at+jwt")
_NOT_UNDERSTOOD = ("crit", "b64", "zip", "enc", "cty")
"""Headers that change what the bytes mean. ``jku``, ``x5u``, ``x5c`` and ``jwk`` are not even looked at."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


class _RefusedError(Exception):
    """Why a token is not taken: for the log alone, and never with anything of the token in it."""


@dataclass(frozen=True)
class _Presented:
    """A token taken apart; nothing of it is verified."""

    key_id: str
    algorithm: str
    claims: dict[str, Any]


class Tokens:
    """Verifies the tokens of some issuers; shared by all threads of a process."""

    def __init__(
        self,
        issuers: tuple[Issuer, ...],
        *,
        operator: str,
        now: Callable[[], float] = time.time,
        jwks_of: Callable[[Issuer], Jwks] | None = None,
    ) -> None:
        self._now = now
        self._operator = operator
        self._issuers = {one.issuer: (one, jwks_of(one) if jwks_of else Jwks(one, now=now)) for one in issuers}
        self._verified: Recent[tuple[float, Principal]] = Recent(CACHE_SECONDS, 1_024)

    def is_one(self, token: str) -> bool:
        """Whether a text is to be verified here: it has the three parts of a token, and there are issuers."""
        return bool(self._issuers) and token.count(".") == 2

    def verify(self, token: str) -> Principal:
        """Whose token it is. Raises UnauthenticatedError, one for every reason; IssuerUnavailableError."""
        if (known := self._remembered(token)) is not None:
            return known
        try:
            principal, ends_at = self._verify(token)
        except _RefusedError as reason:
            log.info("token refused", extra={"reason": str(reason)})
            raise UnauthenticatedError(NOT_ADMITTED) from None
        self._verified.put(_digest(token), (ends_at, principal))
        return principal

    def remembered_tenant(self, token: str) -> str | None:
        """Whose token it is if that is known from a moment ago, "" for what is no token; None: it must be verified."""
        if len(token) > MAX_CHARACTERS or not _TOKEN.match(token):
            return ""
        known = self._remembered(token)
        return known.tenant if known else None

    def _remembered(self, token: str) -> Principal | None:
        if len(token) > MAX_CHARACTERS:
            return None
        known = self._verified.get(_digest(token))
        return known[1] if known is not None and self._now() < known[0] else None

    def _verify(self, token: str) -> tuple[Principal, float]:
        presented = _taken_apart(token)
        named = presented.claims.get("iss")
        issuer, jwks = self._issuers.get(named, (None, None)) if isinstance(named, str) else (None, None)
        if issuer is None or jwks is None:
            raise _RefusedError("not an issuer of ours")
        if presented.algorithm not in issuer.algorithms:
            raise _RefusedError("algorithm")
        # First what costs nothing: what has expired, or was made for others, is no reason to ask for keys.
        ends_at = _ends_at(issuer, presented.claims, self._now())
        principal = _principal(issuer, presented.claims, self._operator)
        for key in jwks.keys(presented.key_id):
            if _fits(key, presented.algorithm):
                _verify_signature(token, key, presented.algorithm)
                return principal, ends_at
        raise _RefusedError("no such key")


def _taken_apart(token: str) -> _Presented:
    if len(token) > MAX_CHARACTERS or not _TOKEN.match(token):
        raise _RefusedError("not a token")
    head, body, _ = token.split(".")
    try:
        header, claims = object_from(_decoded(head)), object_from(_decoded(body))
    except ValueError:
        raise _RefusedError("not JSON") from None
    key_id, algorithm, kind = header.get("kid"), header.get("alg"), header.get("typ", "JWT")
    if any(name in header for name in _NOT_UNDERSTOOD):
        raise _RefusedError("header")
    if not isinstance(algorithm, str) or not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise _RefusedError("type")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= MAX_KEY_ID:
        raise _RefusedError("key id")
    return _Presented(key_id, algorithm, claims)


def _decoded(part: str) -> bytes:
    """Base64url without padding, in its only spelling. Raises ValueError."""
    raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
        raise ValueError("another spelling of the same bytes")
    return raw


def _ends_at(issuer: Issuer, claims: Mapping[str, Any], now: float) -> float:
    """When the token ends here, seconds since 1970."""
    leeway = issuer.leeway_seconds
    exp, nbf, iat = (_moment(claims, name) for name in ("exp", "nbf", "iat"))
    if exp is None or exp > now + MAX_LIFE_SECONDS:
        raise _RefusedError("exp")
    ends_at = exp + leeway
    if nbf is not None and nbf > now + leeway:
        raise _RefusedError("nbf")
    if iat is not None and iat > now + leeway:
        raise _RefusedError("iat")
    if issuer.max_age_seconds:
        if iat is None:
            raise _RefusedError("iat")
        ends_at = min(ends_at, iat + issuer.max_age_seconds + leeway)
    if now >= ends_at:
        raise _RefusedError("expired")
    return ends_at


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= LARGEST_WHOLE:
        raise _RefusedError(name)
    return float(value)


def _principal(issuer: Issuer, claims: Mapping[str, Any], operator: str) -> Principal:
    """Who the claims say it is, if they are meant for us."""
    audience, subject = claims.get("aud"), claims.get("sub")
    # A token that also opens another door may be in the hands of whoever keeps that door.
    if audience not in (issuer.audience, [issuer.audience]):
        raise _RefusedError("audience")
    if not isinstance(subject, str) or not subject:
        raise _RefusedError("subject")
    tenant = _tenant(issuer, claims, operator)
    scopes = _scopes(issuer, claims)
    rules = EVERYTHING
    if issuer.rules_claim:
        told = claims.get(issuer.rules_claim)
        try:
            rules = DataRules.from_document(told if isinstance(told, dict) else {"": None})
        except InvalidKeyRequestError:
            raise _RefusedError("rules") from None
    if rules:
        scopes &= READING
    return Principal(tenant, _key_id(issuer.issuer, subject), scopes, rules)


def _tenant(issuer: Issuer, claims: Mapping[str, Any], operator: str) -> str:
    if not issuer.tenant_claim:
        return next(iter(issuer.tenants.values()))
    told = claims.get(issuer.tenant_claim)
    if not isinstance(told, str):
        raise _RefusedError("tenant")
    tenant = issuer.tenants.get(told, "") if issuer.tenants else told
    # Who may speak for any tenant may not speak for the operator by that alone.
    if not NAME.match(tenant) or (not issuer.tenants and tenant == operator):
        raise _RefusedError("tenant")
    return tenant


def _scopes(issuer: Issuer, claims: Mapping[str, Any]) -> frozenset[str]:
    """Ours among those it claims; a claim that is no list of texts is none."""
    told = claims.get(issuer.scopes_claim) if issuer.scopes_claim else None
    claimed = told.split() if isinstance(told, str) else told if isinstance(told, list) else []
    texts = [one for one in claimed if isinstance(one, str)]
    ours = issuer.scopes or {scope: scope for scope in SCOPES}
    return frozenset(issuer.granted) | {scope for one in texts for scope in ours.get(one, "").split()}


def _key_id(issuer: str, subject: str) -> str:
    """What stands in logs and usage instead of a person."""
    return "jwt:" + hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:12]


def _fits(key: Jwk, algorithm: str) -> bool:
    """Whether a key is one of this algorithm: never the other way round, that a key's kind decides."""
    if key.get("alg", algorithm) != algorithm or "verify" not in key.get("key_ops", ["verify"]):
        return False
    if algorithm in _CURVES:
        return key.get("kty") == "EC" and key.get("crv") == _CURVES[algorithm]
    return key.get("kty") == "RSA"


def _verify_signature(token: str, key: Jwk, algorithm: str) -> None:
    # Fifty milliseconds that only an installation with issuers spends.
    from jwt import PyJWK, PyJWS
    from jwt.exceptions import PyJWTError

    public = {name: value for name, value in key.items() if name in ("kty", "crv", "x", "y", "n", "e")}
    try:
        PyJWS(options={"enforce_minimum_key_length": True}).decode_complete(
            token, PyJWK(public, algorithm), algorithms=[algorithm]
        )
    except (PyJWTError, ValueError, TypeError):
        raise _RefusedError("signature") from None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
