"""The public keys of an issuer (RFC 7517), fetched over HTTPS and kept: the only module that asks an issuer anything.

The rule: no token decides whether or where something is fetched. Addresses come from the settings, or from the
discovery document of the issuer named there; there is one fetch at a time and one per interval, whatever is asked for.
While an issuer is silent, its last keys are good for a day.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.errors import MalformedJsonError, UnavailableError
from shared.issuers import Issuer, check_address
from shared.strict_json import json_from

log = logging.getLogger("teal.tokens")

Jwk = dict[str, Any]

FRESH_SECONDS = 600.0
"""Keys are asked for again after this; the issuer of a stolen key is obeyed within it."""
WAIT_SECONDS = 10.0
"""From the start of one fetch to the next, also after a failure and for keys nobody knows."""
KEEP_SECONDS = 86_400.0
"""The last keys of an issuer that is silent are good for so long."""
FETCH_SECONDS = 5.0
"""The longest that a request waits for keys; covers the name's lookup too, which has no limit of its own."""
MAX_BYTES = 256 * 1024
MAX_KEYS = 100


class IssuerUnavailableError(UnavailableError):
    """The issuer of the token could not be asked for its keys, and there are none from before."""

    code = "issuer_unavailable"


@dataclass(frozen=True)
class _Known:
    keys: dict[str, tuple[Jwk, ...]]
    fetched_at: float


class Jwks:
    """The keys of one issuer, for all threads of a process; asks for nothing before a token needs a key."""

    def __init__(
        self,
        issuer: Issuer,
        *,
        now: Callable[[], float] = time.time,
        fetch: Callable[[str, float], bytes] | None = None,
    ) -> None:
        self._issuer = issuer
        self._now = now
        self._fetch = fetch or fetched
        self._lock = threading.Lock()
        self._known: _Known | None = None
        self._url = issuer.jwks_url
        self._asked_at = float("-inf")
        self._arrived: threading.Event | None = None

    def keys(self, kid: str) -> tuple[Jwk, ...]:
        """The keys of that id, of which there are none or one, rarely more. Raises IssuerUnavailableError."""
        known = self._good()
        if known is not None and kid in known.keys and self._now() - known.fetched_at < FRESH_SECONDS:
            return known.keys[kid]
        if (arrived := self._asking()) is not None:
            arrived.wait(FETCH_SECONDS)
        known = self._good()
        if known is None:
            raise IssuerUnavailableError("The issuer of this token does not answer.")
        return known.keys.get(kid, ())

    def _good(self) -> _Known | None:
        known = self._known
        return known if known is not None and self._now() - known.fetched_at < KEEP_SECONDS else None

    def _asking(self) -> threading.Event | None:
        """The fetch that runs, or a new one if it is time for one."""
        with self._lock:
            if self._arrived is not None:
                return self._arrived
            if 0 <= self._now() - self._asked_at < WAIT_SECONDS:
                return None
            self._asked_at = self._now()
            arrived = self._arrived = threading.Event()
            # In a thread of its own: nothing else bounds the lookup of a name, or a server that sends a byte a second.
            threading.Thread(target=self._ask, args=(arrived,), name="jwks", daemon=True).start()
            return arrived

    def _ask(self, arrived: threading.Event) -> None:
        try:
            deadline = time.monotonic() + FETCH_SECONDS
            if not self._url:
                self._url = keys_address(self._issuer.issuer, self._fetch(discovery_address(self._issuer), deadline))
            self._known = _Known(keys_from(self._fetch(self._url, deadline)), self._now())
        except Exception as error:  # noqa: BLE001 - whatever is wrong there, the last keys are kept and it is logged
            log.warning("no keys of an issuer", extra={"issuer": self._issuer.issuer, "error": type(error).__name__})
        finally:
            with self._lock:
                self._arrived = None
            arrived.set()


def discovery_address(issuer: Issuer) -> str:
    """OpenID Connect Discovery 1.0, section 4."""
    return issuer.issuer.rstrip("/") + "/.well-known/openid-configuration"


def keys_address(issuer: str, body: bytes) -> str:
    """``jwks_uri`` of a discovery document, which must be the issuer's own. Raises ValueError."""
    told = object_from(body)
    if told.get("issuer") != issuer or not isinstance(told.get("jwks_uri"), str):
        raise ValueError("the discovery document is not this issuer's")
    check_address(told["jwks_uri"])
    return str(told["jwks_uri"])


def keys_from(body: bytes) -> dict[str, tuple[Jwk, ...]]:
    """The keys that may verify signatures, by their ids. Raises ValueError."""
    told = object_from(body).get("keys")
    if not isinstance(told, list) or len(told) > MAX_KEYS:
        raise ValueError("not a set of keys")
    found: dict[str, tuple[Jwk, ...]] = {}
    for key in told:
        # "oct" is a shared secret: whoever could read it here could sign.
        if isinstance(key, dict) and key.get("kty") in ("RSA", "EC") and key.get("use", "sig") == "sig":
            kid = key.get("kid")
            if isinstance(kid, str) and kid:
                found[kid] = (*found.get(kid, ()), key)
    return found


def object_from(body: bytes) -> dict[str, Any]:
    """A JSON object that has one meaning. Raises ValueError."""
    try:
        told = json_from(body)
    except MalformedJsonError as error:
        raise ValueError(error.message) from error
    if not isinstance(told, dict):
        raise ValueError("not an object")
    return told


def fetched(url: str, deadline: float) -> bytes:
    """The bytes at an address by ``deadline`` (``time.monotonic``): without redirects, 256 kB at most.

    Raises ValueError, OSError (urllib's errors are).
    """
    from urllib.request import HTTPRedirectHandler, Request, build_opener

    class NoRedirect(HTTPRedirectHandler):
        def redirect_request(self, *told: Any) -> None:
            return None

    check_address(url)
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "teal"})  # noqa: S310 - checked above
    with build_opener(NoRedirect).open(request, timeout=FETCH_SECONDS) as answer:
        body = b""
        while chunk := answer.read1(65_536):
            body += chunk
            if len(body) > MAX_BYTES or time.monotonic() > deadline:
                raise ValueError("too large, or too slow")
        return body
