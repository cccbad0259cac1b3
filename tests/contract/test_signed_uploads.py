"""A signed upload URL allows one PUT of one object, of the type and the size it was signed for, and nothing else."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit, urlunsplit

import httpx2
import pytest

from shared.errors import ObjectNotFoundError
from shared.storage.base import ObjectStore, SignedUrl
from tests.servers import create_gcs_bucket, create_s3_bucket, open_store

KEY, BODY = "inbox/shop/orders/u/a.csv", b"a,b\n1,2\n"


@pytest.fixture(params=["s3", "gcs"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    """A store whose server checks signatures as the cloud does."""
    bucket = f"b-{uuid.uuid4().hex[:12]}"
    if request.param == "gcs":
        spec = request.getfixturevalue("gcs_spec")
        create_gcs_bucket(spec["endpoint"], bucket, token=spec["token"])
        return open_store({**spec, "bucket": bucket, "prefix": ""})
    endpoint = request.getfixturevalue("s3_url")
    create_s3_bucket(endpoint, bucket)
    return open_store({"kind": "s3", "endpoint": endpoint, "bucket": bucket, "prefix": ""})


@pytest.fixture
def signed(store: ObjectStore) -> SignedUrl:
    return store.sign_put(KEY, seconds=60, content_type="text/csv", size_bytes=len(BODY))


def sent(signed: SignedUrl, body: bytes = BODY, method: str = "PUT", url: str = "", **changed: str | None) -> int:
    """The status of a request like the signed one; a header that is None is left out."""
    headers = {name: value for name, value in signed.headers.items() if name.lower() != "content-length"}
    for name, value in changed.items():
        header = name.replace("_", "-").lower()
        headers = {key: old for key, old in headers.items() if key.lower() != header}
        if value is not None:
            headers[header] = value
    return httpx2.request(method, url or signed.url, content=body, headers=headers).status_code


def test_the_request_that_was_signed_is_taken(store, signed):
    assert sent(signed) == 200
    assert store.get(KEY)[0] == BODY
    assert store.head(KEY).content_type == "text/csv"


@pytest.mark.parametrize("body", [BODY + b"3,4\n", BODY[:-1], b"", BODY * 10_000])
def test_another_size_is_refused(store, signed, body):
    assert sent(signed, body) in (400, 403)
    with pytest.raises(ObjectNotFoundError):
        store.head(KEY)


@pytest.mark.parametrize("kind", ["text/html", "text/csv; charset=utf-8", "image/svg+xml", None])
def test_another_type_is_refused(store, signed, kind):
    assert sent(signed, content_type=kind) == 403
    with pytest.raises(ObjectNotFoundError):
        store.head(KEY)


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
def test_another_method_is_refused(store, signed, method):
    store.put(KEY, b"kept")
    assert sent(signed, b"", method) in (400, 403, 405)
    assert store.get(KEY)[0] == b"kept"


@pytest.mark.parametrize(
    "changed",
    [
        lambda parts: parts._replace(path=parts.path.replace("a.csv", "b.csv")),
        lambda parts: parts._replace(path=parts.path.replace("/shop/", "/rival/")),
        lambda parts: parts._replace(query=parts.query.replace("=60&", "=6000&")),
        lambda parts: parts._replace(query=parts.query + "&uploads="),
        lambda parts: parts._replace(query=""),
    ],
)
def test_another_object_or_a_longer_life_is_refused(store, signed, changed):
    url = urlunsplit(changed(urlsplit(signed.url)))
    assert url != signed.url
    assert sent(signed, url=url) in (400, 401, 403)
    assert list(store.list("")) == []


def test_the_bound_of_the_size_cannot_be_left_out_or_widened(store, signed):
    for told in (None, "0,1000000"):
        if "x-goog-content-length-range" in signed.headers:
            assert sent(signed, BODY * 100, x_goog_content_length_range=told) in (400, 403)
    assert sent(signed, BODY * 100) in (400, 403)
    assert list(store.list("")) == []


def test_a_url_without_a_size_takes_any_up_to_the_largest_where_the_store_can_be_told(store):
    signed = store.sign_put(KEY, seconds=60, content_type="text/csv", max_bytes=len(BODY))
    tells = "x-goog-content-length-range" in signed.headers
    assert sent(signed, BODY + b"3,4\n") == (400 if tells else 200), "S3 has no such header: ingest holds it unread"
    assert sent(signed, BODY[:4]) == 200
    assert store.get(KEY)[0] == BODY[:4]
