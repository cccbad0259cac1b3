"""Amazon S3 whose small reads and puts go without the SDK: importing boto3 and making a client costs 0.15 s and more.

A plain success is answered here, and that there is no such object, which is what most tenants without a record of
their own come to. Whatever else comes back (an error, a redirect, nothing at all) is asked again through the SDK, which
knows how to retry and what each answer means; so nothing in this file decides that.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from queue import Empty, SimpleQueue
from urllib.parse import quote, urlsplit

from shared.errors import ObjectNotFoundError
from shared.storage.base import ObjectInfo
from shared.storage.s3 import AwsKeys, S3Store
from shared.values import DuckAccess

log = logging.getLogger("teal.storage")

TIMEOUT_SECONDS = 2
"""To connect, and between two packets; what takes longer is the SDK's to wait for."""
SMALL_BYTES = 2**20
"""What is put without the SDK."""
NO_SUCH_KEY = b"<Code>NoSuchKey</Code>"
"""Only a bucket that is there and may be listed says so."""
SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
ONLY_FOR_THE_SDK = (
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "HTTPS_PROXY",
    "https_proxy",
)
"""Who sets one of these wants something of the SDK that is not done here."""

Answer = tuple[bytes, ObjectInfo]


def keys_in(environment: Mapping[str, str]) -> AwsKeys | None:
    """The credentials the SDK would find first, when it would do nothing with them that this file does not.

    Lambda gives a function its role's credentials this way, fixed for the life of the process.
    """
    if not all(environment.get(name) for name in KEYS) or any(environment.get(name) for name in ONLY_FOR_THE_SDK):
        return None
    return AwsKeys(environment[KEYS[0]], environment[KEYS[1]], environment.get("AWS_SESSION_TOKEN", ""))


def s3_store(bucket: str, prefix: str, *, region: str, endpoint_url: str) -> S3Store:
    """The store that reads fastest with the credentials of this process."""
    keys = keys_in(os.environ)
    host = f"{bucket}.s3.{region}.amazonaws.com"
    # A dot in a bucket's name breaks the certificate's wildcard, and other partitions have other names.
    if keys is None or not (endpoint_url or ("." not in bucket and not region.startswith(("cn-", "us-iso")))):
        return S3Store(bucket, prefix, region=region, endpoint_url=endpoint_url)
    return QuickS3Store(
        bucket, prefix, region=region, endpoint_url=endpoint_url, keys=keys, address=endpoint_url or f"https://{host}"
    )


class QuickS3Store(S3Store):
    """A bucket with fixed credentials; all but a GET and a small put without conditions goes through the SDK."""

    def __init__(
        self, bucket: str, prefix: str, *, region: str, endpoint_url: str, keys: AwsKeys, address: str
    ) -> None:
        super().__init__(bucket, prefix, region=region, endpoint_url=endpoint_url, keys=keys)
        self._fixed = keys
        self._url = urlsplit(address)
        self._root = f"/{bucket}/{self._prefix}" if endpoint_url else f"/{self._prefix}"
        self._idle: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()

    def get(self, key: str, *, version: str = "") -> Answer:
        """See ObjectStore.get."""
        answer = self._asked(key, {"versionId": version} if version else {}, {})
        return answer if isinstance(answer, tuple) else super().get(key, version=version)

    def get_if_changed(self, key: str, etag: str) -> Answer | None:
        """See ObjectStore.get_if_changed."""
        answer = self._asked(key, {}, {"If-None-Match": f'"{etag}"'})
        if isinstance(answer, tuple):
            return answer
        return None if answer == http.client.NOT_MODIFIED else super().get_if_changed(key, etag)

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put."""
        if len(body) <= SMALL_BYTES:
            answer = self._asked(key, {}, {"Content-Type": content_type}, body)
            if isinstance(answer, tuple):
                return answer[1]
        return super().put(key, body, content_type=content_type)

    def duck_access(self) -> DuckAccess:
        """See ObjectStore.duck_access; fixed credentials do not expire before the process does."""
        parameters: dict[str, str | bool] = {
            "KEY_ID": self._fixed.access_key_id,
            "SECRET": self._fixed.secret_access_key,
            "REGION": self._region,
        }
        if self._fixed.session_token:
            parameters["SESSION_TOKEN"] = self._fixed.session_token
        if self._endpoint_url:
            parameters |= {"ENDPOINT": self._url.netloc, "URL_STYLE": "path", "USE_SSL": self._url.scheme == "https"}
        return DuckAccess("s3", parameters, self.uri + "/", None)

    def _asked(
        self, key: str, query: Mapping[str, str], headers: Mapping[str, str], put: bytes | None = None
    ) -> Answer | int:
        """The object, or facts of the one that was ``put``, or the status of any other answer; 0: there was none.

        Raises ObjectNotFoundError.
        """
        method = "GET" if put is None else "PUT"
        path = quote(self._root + key, safe="/-_.~")
        asked = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items()))
        now = datetime.now(UTC)
        told = {**headers, **signed(self._fixed, self._region, self._url.netloc, path, asked, now, put)}
        target = f"{path}?{asked}" if asked else path
        for connection in self._connections():
            try:
                connection.request(method, target, body=put, headers=told)
                answer = connection.getresponse()
                body = answer.read()
                if answer.status == http.client.OK:
                    described = (
                        _described(key, len(body), answer.headers)
                        if put is None
                        else _written(key, len(put), answer.headers, headers["Content-Type"])
                    )
                    self._idle.put(connection)
                    return body, described
                is_missing = put is None and answer.status == http.client.NOT_FOUND and NO_SUCH_KEY in body
                if is_missing or answer.status == http.client.NOT_MODIFIED:
                    self._idle.put(connection)
                else:
                    connection.close()
                if is_missing:
                    raise ObjectNotFoundError("There is no such object.")
                return answer.status
            except (OSError, http.client.HTTPException, AttributeError, TypeError, ValueError) as error:
                # The last three: headers that are not S3's.
                log.debug("a request without the SDK failed", extra={"reason": type(error).__name__})
                connection.close()
        return 0

    def _connections(self) -> list[http.client.HTTPConnection]:
        """An idle one, which may have been closed at the other end while this process was frozen; then a new one."""
        kind = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        new = kind(self._url.hostname or "", self._url.port, timeout=TIMEOUT_SECONDS)
        try:
            return [self._idle.get_nowait(), new]
        except Empty:
            return [new]


def signed(  # noqa: PLR0917 - the parts of a signature
    keys: AwsKeys, region: str, host: str, path: str, query: str, now: datetime, put: bytes | None = None
) -> dict[str, str]:
    """Headers that make a GET, or a ``put``, ours (AWS Signature Version 4); path and query are encoded already."""
    at = now.strftime("%Y%m%dT%H%M%SZ")
    digest = hashlib.sha256(put).hexdigest() if put else SHA256_OF_NOTHING
    headers = {"host": host, "x-amz-content-sha256": digest, "x-amz-date": at}
    if keys.session_token:
        headers["x-amz-security-token"] = keys.session_token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(("GET" if put is None else "PUT", path, query, lines, names, digest))
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", at, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{keys.secret_access_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    told = f"AWS4-HMAC-SHA256 Credential={keys.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "Authorization": told}


def _described(key: str, size: int, headers: http.client.HTTPMessage) -> ObjectInfo:
    return ObjectInfo(
        key,
        size,
        headers["ETag"].strip('"'),
        parsedate_to_datetime(headers["Last-Modified"]).astimezone(UTC),
        headers["x-amz-version-id"] or "",
        headers["Content-Type"] or "",
    )


def _written(key: str, size: int, headers: http.client.HTTPMessage, content_type: str) -> ObjectInfo:
    modified_at = parsedate_to_datetime(headers["Date"]).astimezone(UTC)
    return ObjectInfo(
        key, size, headers["ETag"].strip('"'), modified_at, headers["x-amz-version-id"] or "", content_type
    )
