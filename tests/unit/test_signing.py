"""Signed URLs of a folder store: what is signed is allowed, once changed it is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import UnauthenticatedError
from shared.storage.base import SignedUrl
from shared.storage.signing import OBJECTS_PATH, SignedRequest, sign, verify_signed

SECRET = b"a secret"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def made(request: SignedRequest, seconds: int = 60) -> SignedUrl:
    return sign(SECRET, request, public_url="https://api.example.com/", now=NOW, seconds=seconds)


def taken_apart(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
    return unquote(parts.path.removeprefix(OBJECTS_PATH)), query


@given(
    key=TEXT.filter(bool),
    content_type=TEXT,
    filename=TEXT,
    size_bytes=st.none() | st.integers(0, 2**50),
    method=st.sampled_from(["GET", "PUT"]),
)
def test_what_was_signed_is_what_is_allowed(
    key: str, content_type: str, filename: str, size_bytes: int | None, method: str
) -> None:
    request = SignedRequest(method, key, content_type, size_bytes, filename)
    seen_key, query = taken_apart(made(request).url)
    assert verify_signed(SECRET, method=method, key=seen_key, query=query, now=NOW) == request


def test_the_signature_is_an_hmac_over_all_fields() -> None:
    signed = made(SignedRequest("PUT", "in/a b.csv", "text/csv", 12))
    key, query = taken_apart(signed.url)
    message = f'["teal-object-1", "in/a b.csv", "PUT", "{int(NOW.timestamp()) + 60}", "text/csv", "12", ""]'
    digest = hmac.new(SECRET, message.encode(), hashlib.sha256).digest()
    assert query["signature"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert signed.url.startswith("https://api.example.com/v1/objects/in/a%20b.csv?")
    assert signed.headers == {"Content-Type": "text/csv"}
    assert signed.expires_at == NOW + timedelta(seconds=60)
    assert key == "in/a b.csv"


@pytest.mark.parametrize(
    "change",
    [
        {"expires": "99999999999"},
        {"type": "text/html"},
        {"size": "13"},
        {"method": "GET"},
        {"filename": "x"},
        {"signature": ""},
        {"signature": "é"},
        {"more": "1"},
        {"type": ""},
        {"size": "twelve"},
    ],
)
def test_a_changed_field_is_refused(change: dict[str, str]) -> None:
    key, query = taken_apart(made(SignedRequest("PUT", "a/b", "text/csv", 12)).url)
    with pytest.raises(UnauthenticatedError):
        verify_signed(SECRET, method=change.get("method", "PUT"), key=key, query=query | change, now=NOW)


@pytest.mark.parametrize("missing", ["expires", "type", "size", "method", "signature"])
def test_a_missing_field_is_refused(missing: str) -> None:
    key, query = taken_apart(made(SignedRequest("PUT", "a/b", "text/csv", 12)).url)
    del query[missing]
    with pytest.raises(UnauthenticatedError):
        verify_signed(SECRET, method="PUT", key=key, query=query, now=NOW)


def test_another_key_method_secret_or_a_later_time_is_refused() -> None:
    key, query = taken_apart(made(SignedRequest("PUT", "a/b")).url)
    verify_signed(SECRET, method="PUT", key=key, query=query, now=NOW + timedelta(seconds=59))
    for secret, method, seen, now in [
        (SECRET, "PUT", "a/c", NOW),
        (SECRET, "GET", key, NOW),
        (b"another", "PUT", key, NOW),
        (b"", "PUT", key, NOW),
        (SECRET, "PUT", key, NOW + timedelta(seconds=60)),
    ]:
        with pytest.raises(UnauthenticatedError):
            verify_signed(secret, method=method, key=seen, query=query, now=now)


@pytest.mark.parametrize("seconds", [0, -1, 604_801])
def test_a_life_outside_one_second_to_seven_days_is_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match="seconds"):
        made(SignedRequest("GET", "a"), seconds)


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(ValueError, match="secret"):
        sign(b"", SignedRequest("GET", "a"), public_url="", now=NOW, seconds=1)
