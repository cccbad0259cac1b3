"""An issuer of OpenID Connect for tests: real keys, a real server on 127.0.0.1 that counts, tokens signed by hand.

Tokens are put together from RFC 7515 and 7518 with ``cryptography`` alone, so that nothing here shares a mistake with
the library that verifies them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from shared.issuers import Issuer

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES: dict[str, tuple[Any, int, str]] = {
    "ES256": (ec.SECP256R1, 32, "P-256"),
    "ES384": (ec.SECP384R1, 48, "P-384"),
    "ES512": (ec.SECP521R1, 66, "P-521"),
}
"""Each with the bytes of a coordinate."""
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def encoded(told: bytes | str | dict[str, Any]) -> str:
    """Base64url without padding (RFC 7515, appendix C)."""
    body = told if isinstance(told, bytes) else (told if isinstance(told, str) else json.dumps(told)).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """The same key for the same number."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(algorithm: str = "ES256") -> ec.EllipticCurvePrivateKey:
    """A key on the curve of an algorithm."""
    return ec.generate_private_key(CURVES[algorithm][0]())


def jwk(key: Key, kid: str, **more: Any) -> dict[str, Any]:
    """The public half (RFC 7518, section 6)."""
    numbers: Any = key.public_key().public_numbers()
    if isinstance(key, rsa.RSAPrivateKey):
        n, e = (encoded(value.to_bytes((value.bit_length() + 7) // 8)) for value in (numbers.n, numbers.e))
        return {"kty": "RSA", "kid": kid, "use": "sig", "n": n, "e": e, **more}
    _, size, curve = next(one for one in CURVES.values() if one[1] == (key.key_size + 7) // 8)
    x, y = (encoded(value.to_bytes(size)) for value in (numbers.x, numbers.y))
    return {"kty": "EC", "kid": kid, "use": "sig", "crv": curve, "x": x, "y": y, **more}


def pem(key: Key) -> bytes:
    """The public half as text."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form)


def signature(key: Key | bytes, algorithm: str, signed: bytes) -> bytes:
    """RFC 7518, section 3: PKCS#1, PSS with a salt as long as the hash, ECDSA as r and s, or HMAC for bytes."""
    if isinstance(key, bytes):
        return hmac.digest(key, signed, f"sha{algorithm[2:]}")
    digest = HASHES[algorithm[2:]]()
    if isinstance(key, rsa.RSAPrivateKey):
        if algorithm.startswith("PS"):
            return key.sign(signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
        return key.sign(signed, padding.PKCS1v15(), digest)
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(digest)))
    size = (key.key_size + 7) // 8
    return r.to_bytes(size) + s.to_bytes(size)


@dataclass
class Provider:
    """A running issuer. ``keys`` is what it publishes; ``asked`` are the paths it was asked for."""

    url: str
    keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    replies: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    down: bool = False
    delay_seconds: float = 0.0

    @property
    def fetches(self) -> int:
        """How often its keys were asked for."""
        return self.asked.count("/keys")

    def issuer(self, **more: Any) -> Issuer:
        """The setting that trusts it."""
        return Issuer(**{"issuer": self.url, "audience": "teal", **more})

    def claims(self, **more: Any) -> dict[str, Any]:
        """Claims of a good token; one that is given as None is left out."""
        now = int(time.time())
        told = {"iss": self.url, "aud": "teal", "sub": "user-1", "iat": now, "exp": now + 600, "tenant": "acme"}
        told |= {"scope": "openid read sql", **more}
        return {name: value for name, value in told.items() if value is not None}

    def token(
        self,
        claims: dict[str, Any] | str | None = None,
        *,
        key: Key | bytes | None = None,
        algorithm: str = "RS256",
        header: dict[str, Any] | str | None = None,
        **more: Any,
    ) -> str:
        """A token signed with the first key, unless told otherwise."""
        told = self.claims(**more) if claims is None else claims
        head = header if isinstance(header, str) else {"alg": algorithm, "kid": "one", "typ": "JWT", **(header or {})}
        if isinstance(head, dict):
            head = {name: value for name, value in head.items() if value is not None}
        signed = f"{encoded(head)}.{encoded(told)}"
        return f"{signed}.{encoded(signature(key or rsa_key(), algorithm, signed.encode()))}"


@contextmanager
def provider(*keys: dict[str, Any]) -> Iterator[Provider]:
    """An issuer that publishes these keys, or its first RSA key."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            time.sleep(told.delay_seconds)
            status, body = 404, b"{}"
            if told.down:
                status = 500
            elif self.path in told.replies:
                status, body = told.replies[self.path]
            elif self.path == "/.well-known/openid-configuration":
                status, body = 200, json.dumps({"issuer": told.url, "jwks_uri": f"{told.url}/keys"}).encode()
            elif self.path == "/keys":
                status, body = 200, json.dumps({"keys": told.keys}).encode()
            self.send_response(status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    told = Provider(f"http://127.0.0.1:{server.server_port}", list(keys) or [jwk(rsa_key(), "one")])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def key_id_of(issuer: str, subject: str) -> str:
    """What stands for a person in logs."""
    return "jwt:" + hashlib.sha256(f"{issuer}\0{subject}".encode()).hexdigest()[:12]
