"""Amazon S3, and servers that speak its language, as a store: boto3 comes in here (and in ``aws_clients.py``) only.

boto3 is imported by the first request and not by ``import``, because it costs a cold start 150 ms. A conditional put is
sent exactly once: a retry inside the SDK could meet our own first try and turn a win into a loss.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from shared.errors import (
    AppError,
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreForbiddenError,
    StoreUnavailableError,
)
from shared.storage.base import ObjectInfo, SignedUrl
from shared.values import DuckAccess

CONNECT_TIMEOUT_SECONDS = 2
READ_TIMEOUT_SECONDS = 6
CONDITIONAL_TIMEOUT_SECONDS = 15
"""Longer, because it is sent once and giving up leaves the outcome unknown."""
MULTIPART_BYTES = 64 * 1024 * 1024
"""Larger files are sent in parts, four at a time."""
PART_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class AwsKeys:
    """Fixed credentials; without them the SDK's own chain decides (role, environment, profile, metadata)."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


class S3Store:
    """A bucket, or everything below ``prefix`` in it. ``endpoint_url`` names another server, addressed path-style."""

    def __init__(
        self, bucket: str, prefix: str = "", *, region: str, endpoint_url: str = "", keys: AwsKeys | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._region = region
        self._endpoint_url = endpoint_url
        self._keys = keys
        self._lock = threading.Lock()
        self._session: Any = None
        self._clients: dict[bool, Any] = {}

    @property
    def uri(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def uri_of(self, key: str) -> str:
        """See ObjectStore.uri_of."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def head(self, key: str) -> ObjectInfo:
        """See ObjectStore.head."""
        with _errors_translated():
            return _described(key, self._client().head_object(**self._named(key)))

    def get(self, key: str, *, version: str = "") -> tuple[bytes, ObjectInfo]:
        """See ObjectStore.get."""
        with _errors_translated(versioned=bool(version)):
            answer = self._client().get_object(**self._named(key, version))
            return answer["Body"].read(), _described(key, answer)

    def get_if_changed(self, key: str, etag: str) -> tuple[bytes, ObjectInfo] | None:
        """See ObjectStore.get_if_changed."""
        try:
            with _errors_translated():
                answer = self._client().get_object(**self._named(key), IfNoneMatch=_quoted(etag))
                return answer["Body"].read(), _described(key, answer)
        except _NotModifiedError:
            return None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ObjectStore.get_range."""
        try:
            with _errors_translated():
                asked = f"bytes={start}-{start + max(length, 1) - 1}"
                body: bytes = self._client().get_object(**self._named(key), Range=asked)["Body"].read()
                return body[:length]
        except _BeyondEndError:
            return b""

    def download(self, key: str, target: Path, *, version: str = "") -> ObjectInfo:
        """See ObjectStore.download."""
        with _errors_translated(versioned=bool(version)), target.open("wb") as file:
            answer = self._client().get_object(**self._named(key, version))
            for chunk in answer["Body"].iter_chunks(CHUNK_BYTES):
                file.write(chunk)
            return _described(key, answer)

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put."""
        with _errors_translated():
            answer = self._client().put_object(**self._named(key), Body=body, ContentType=content_type)
            return _written(key, len(body), answer, content_type)

    def put_file(self, key: str, source: Path, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put_file."""
        size = source.stat().st_size
        if size > MULTIPART_BYTES:
            self._put_parts(key, source, content_type)
            return self.head(key)
        with _errors_translated(), source.open("rb") as file:
            answer = self._client().put_object(**self._named(key), Body=file, ContentType=content_type)
            return _written(key, size, answer, content_type)

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        """See ObjectStore.put_if_match."""
        condition = {"IfMatch": _quoted(etag)} if etag else {"IfNoneMatch": "*"}
        try:
            with _errors_translated():
                answer = self._client(retries=False).put_object(**self._named(key), Body=body, **condition)
                return _written(key, len(body), answer, "application/octet-stream")
        except ObjectNotFoundError as error:
            # 404 is S3's answer to If-Match on an object that is gone.
            raise PreconditionFailedError("Somebody else deleted this object first.") from error

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        with _errors_translated():
            self._client().delete_object(**self._named(key))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ObjectStore.list."""
        with _errors_translated():
            pages = (
                self._client()
                .get_paginator("list_objects_v2")
                .paginate(Bucket=self._bucket, Prefix=self._prefix + prefix)
            )
            for page in pages:
                for item in page.get("Contents", ()):
                    yield _listed(item["Key"][len(self._prefix) :], item)

    def versions(self, key: str) -> Sequence[ObjectInfo]:
        """See ObjectStore.versions."""
        full = self._prefix + key
        found: list[ObjectInfo] = []
        with _errors_translated():
            pages = self._client().get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=full)
            for page in pages:
                items = page.get("Versions", [])
                found += [_listed(key, item) for item in items if item["Key"] == full]
                # Keys come in order: once past ours, the rest only shares its beginning.
                if items and items[-1]["Key"] > full:
                    break
        return found

    def forget_versions(self, key: str, replaced_before: datetime) -> int:
        """See ObjectStore.forget_versions."""
        return 0

    def sign_get(self, key: str, *, seconds: int, filename: str = "") -> SignedUrl:
        """See ObjectStore.sign_get."""
        named = self._named(key)
        if filename:
            named["ResponseContentDisposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        return self._signed("get_object", "GET", named, {}, seconds)

    def sign_put(
        self, key: str, *, seconds: int, content_type: str, size_bytes: int | None = None, max_bytes: int | None = None
    ) -> SignedUrl:
        """See ObjectStore.sign_put. A presigned PUT binds one length or none; a larger object is held unread."""
        named: dict[str, Any] = {**self._named(key), "ContentType": content_type}
        headers = {"Content-Type": content_type}
        if size_bytes is not None:
            named["ContentLength"] = size_bytes
            headers["Content-Length"] = str(size_bytes)
        return self._signed("put_object", "PUT", named, headers, seconds)

    def duck_access(self) -> DuckAccess:
        """See ObjectStore.duck_access. The SDK renews temporary credentials ten minutes before they expire."""
        with _errors_translated():
            self._client()
            credentials = self._session.get_credentials()
            if credentials is None:
                raise StoreForbiddenError("No AWS credentials were found.")
            frozen = credentials.get_frozen_credentials()
        parameters: dict[str, str | bool] = {
            "KEY_ID": frozen.access_key,
            "SECRET": frozen.secret_key,
            "REGION": self._region,
        }
        if frozen.token:
            parameters["SESSION_TOKEN"] = frozen.token
        if self._endpoint_url:
            url = urlsplit(self._endpoint_url)
            parameters |= {"ENDPOINT": url.netloc, "URL_STYLE": "path", "USE_SSL": url.scheme == "https"}
        # botocore has no public name for it; without one the credentials live as long as the process.
        expires_at = getattr(credentials, "_expiry_time", None)
        return DuckAccess("s3", parameters, self.uri + "/", expires_at and expires_at.astimezone(UTC))

    def clock(self) -> datetime:
        """See ObjectStore.clock."""
        with _errors_translated():
            answer = self._client().head_bucket(Bucket=self._bucket)
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC)

    def _client(self, *, retries: bool = True) -> Any:
        client = self._clients.get(retries)
        if client is None:
            # Making clients of one session from several threads at once is not safe in boto3.
            with self._lock:
                client = self._clients.get(retries) or self._new_client(retries)
                self._clients[retries] = client
        return client

    def _new_client(self, retries: bool) -> Any:
        import boto3
        from botocore.config import Config

        if self._session is None:
            keys = self._keys
            self._session = boto3.session.Session(
                keys.access_key_id if keys else None,
                keys.secret_access_key if keys else None,
                (keys.session_token or None) if keys else None,
                region_name=self._region,
            )
        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS if retries else CONDITIONAL_TIMEOUT_SECONDS,
            max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": 3 if retries else 1},
            s3={"addressing_style": "path" if self._endpoint_url else "auto"},
        )
        return self._session.client("s3", config=config, endpoint_url=self._endpoint_url or None)

    def _named(self, key: str, version: str = "") -> dict[str, Any]:
        named = {"Bucket": self._bucket, "Key": self._prefix + key}
        return {**named, "VersionId": version} if version else named

    def _put_parts(self, key: str, source: Path, content_type: str) -> None:
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(MULTIPART_BYTES, max_concurrency=4, multipart_chunksize=PART_BYTES)
        with _errors_translated():
            self._client().upload_file(
                str(source), self._bucket, self._prefix + key, ExtraArgs={"ContentType": content_type}, Config=config
            )

    def _signed(
        self, operation: str, method: str, named: dict[str, Any], headers: dict[str, str], seconds: int
    ) -> SignedUrl:
        with _errors_translated():
            expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
            url = self._client().generate_presigned_url(operation, named, seconds, method)
            return SignedUrl(url, method, headers, expires_at)


class _NotModifiedError(Exception):
    """304."""


class _BeyondEndError(Exception):
    """416."""


def _quoted(etag: str) -> str:
    return f'"{etag}"'


def _described(key: str, answer: dict[str, Any]) -> ObjectInfo:
    return ObjectInfo(
        key,
        answer["ContentLength"],
        answer["ETag"].strip('"'),
        answer["LastModified"].astimezone(UTC),
        answer.get("VersionId", ""),
        answer.get("ContentType", ""),
    )


def _listed(key: str, item: dict[str, Any]) -> ObjectInfo:
    modified_at = item["LastModified"].astimezone(UTC)
    return ObjectInfo(key, item["Size"], item["ETag"].strip('"'), modified_at, item.get("VersionId", ""))


def _written(key: str, size: int, answer: dict[str, Any], content_type: str) -> ObjectInfo:
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    modified_at = parsedate_to_datetime(headers["date"]).astimezone(UTC) if "date" in headers else datetime.now(UTC)
    return ObjectInfo(key, size, answer["ETag"].strip('"'), modified_at, answer.get("VersionId", ""), content_type)


@contextmanager
def _errors_translated(*, versioned: bool = False) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        translated = _translated(error, versioned)
        if translated is None:
            raise
        raise translated from error


def _translated(error: Exception, versioned: bool) -> Exception | None:
    if isinstance(error, (AppError, OSError)):
        return None
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    if isinstance(error, (NoCredentialsError, PartialCredentialsError)):
        return StoreForbiddenError("No AWS credentials were found.")
    if isinstance(error, Boto3Error) and isinstance(error.__context__, ClientError):
        # The transfer of a large file wraps the answer it got.
        return _translated(error.__context__, versioned)
    if isinstance(error, ClientError):
        return _translated_answer(error.response, versioned)
    if isinstance(error, (BotoCoreError, Boto3Error)):
        return StoreUnavailableError("The store did not answer.")
    return None


def _translated_answer(answer: Any, versioned: bool) -> Exception:
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = answer.get("Error", {}).get("Code", "")
    if code == "NoSuchBucket":
        # Not "no such object": a lake whose bucket is missing must never look like an empty lake.
        return StoreUnavailableError("The bucket does not exist.")
    if status == 304:
        return _NotModifiedError()
    if status == 416:
        return _BeyondEndError()
    if status == 404 or (versioned and status in (400, 405)):
        return ObjectNotFoundError("There is no such object.")
    if status in (409, 412):
        return PreconditionFailedError("Somebody else changed this object first.")
    if status in (401, 403):
        return StoreForbiddenError("The store refused our credentials.")
    return StoreUnavailableError("The store did not serve this request.")
