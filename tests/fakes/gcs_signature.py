"""V4 signatures of Google Cloud Storage URLs, checked as its documentation says; used by the fake alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey


def private_key(pem: str) -> RSAPrivateKey:
    """An RSA key from its PEM text."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    assert isinstance(key, RSAPrivateKey)
    return key


def signature_holds(
    keys: Mapping[str, RSAPrivateKey], method: str, path: str, query: str, headers: Mapping[str, str]
) -> bool:
    """Whether a request with an ``X-Goog-Signature`` is signed by a known account and has not expired.

    ``path`` and ``query`` are as sent. Source: "Signatures", "Canonical requests" in the Cloud Storage documentation.
    """
    given = dict(parse_qsl(query, keep_blank_values=True))
    email, _, scope = given.get("X-Goog-Credential", "").partition("/")
    names = given.get("X-Goog-SignedHeaders", "").split(";")
    stamp = datetime.strptime(given["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if email not in keys or datetime.now(UTC) > stamp + timedelta(seconds=int(given["X-Goog-Expires"])):
        return False
    # Headers that Google acts on count only when they were signed.
    if any(name.lower().startswith("x-goog-") and name.lower() not in names for name in headers):
        return False
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in given.items())
    lines = [
        method,
        quote(unquote(path), safe="/~"),
        "&".join(f"{name}={value}" for name, value in pairs if name != "X-Goog-Signature"),
        *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
        "",
        ";".join(names),
        "UNSIGNED-PAYLOAD",
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    text = "\n".join(("GOOG4-RSA-SHA256", given["X-Goog-Date"], scope, digest))
    try:
        public = keys[email].public_key()
        public.verify(bytes.fromhex(given["X-Goog-Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_blob(key: RSAPrivateKey, payload: bytes) -> bytes:
    """What IAM's signBlob answers."""
    return key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
