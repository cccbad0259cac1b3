"""Google Cloud Storage as a store: the only module that imports google.cloud.storage; its errors stop here.

An ETag is the object's generation, a number that only grows. google-cloud-storage is imported by the first request and
not by ``import``. A conditional put is sent exactly once, and nothing waits the library's own two minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from shared.storage.gcs_statuses import BeyondEndError, NotModifiedError, error_from_status
from shared.values import DuckAccess

TIMEOUT_SECONDS = (3.0, 10.0)
"""To connect, and between two packets."""
RETRY_SECONDS = 6.0
TOKEN_LEFT = timedelta(minutes=5)
CHUNK_BYTES = 8 * 1024 * 1024
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""One scope for storage and for signing through IAM; what is allowed is decided by the service account's roles."""
FIELDS = "items(name,size,generation,updated,contentType),nextPageToken"


class GcsStore:
    """A bucket, or everything below ``prefix`` in it.

    ``endpoint`` names another server (``http://host:port``) and is asked without credentials unless some are given;
    otherwise ``credentials`` (of google.auth) default to the environment's own.
    """

    def __init__(self, bucket: str, prefix: str = "", *, endpoint: str = "", credentials: Any = None) -> None:
        self._name = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._endpoint = endpoint.rstrip("/")
        self._credentials = credentials
        self._lock = threading.Lock()
        self._client: Any = None
        self._retry: Any = None

    @property
    def uri(self) -> str:
        """``gs://bucket/prefix``."""
        return f"gs://{self._name}/{self._prefix}".rstrip("/")

    def uri_of(self, key: str) -> str:
        """See ObjectStore.uri_of."""
        return f"gs://{self._name}/{self._prefix}{key}"

    def head(self, key: str) -> ObjectInfo:
        """See ObjectStore.head."""
        with _errors_translated():
            blob = self._blob(key)
            blob.reload(timeout=TIMEOUT_SECONDS, retry=self._retry)
            return _described(key, blob)

    def get(self, key: str, *, version: str = "") -> tuple[bytes, ObjectInfo]:
        """See ObjectStore.get."""
        with _errors_translated():
            return self._fetched(key, self._blob(key, version))

    def get_if_changed(self, key: str, etag: str) -> tuple[bytes, ObjectInfo] | None:
        """See ObjectStore.get_if_changed."""
        try:
            with _errors_translated():
                return self._fetched(key, self._blob(key), if_generation_not_match=int(etag))
        except NotModifiedError:
            return None

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ObjectStore.get_range."""
        try:
            with _errors_translated():
                body, _ = self._fetched(key, self._blob(key), start=start, end=start + max(length, 1) - 1)
                return body[:length]
        except BeyondEndError:
            return b""

    def download(self, key: str, target: Path, *, version: str = "") -> ObjectInfo:
        """See ObjectStore.download."""
        with _errors_translated(), target.open("wb") as file:
            blob = self._blob(key, version)
            blob.download_to_file(file, raw_download=True, timeout=TIMEOUT_SECONDS, retry=self._retry)
            return _described(key, blob, file.tell())

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put."""
        with _errors_translated():
            blob = self._blob(key)
            blob.upload_from_string(body, content_type, timeout=TIMEOUT_SECONDS, retry=self._retry)
            return _described(key, blob)

    def put_file(self, key: str, source: Path, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put_file."""
        with _errors_translated():
            blob = self._blob(key)
            blob.chunk_size = CHUNK_BYTES
            blob.upload_from_filename(str(source), content_type, timeout=TIMEOUT_SECONDS, retry=self._retry)
            return _described(key, blob)

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        """See ObjectStore.put_if_match."""
        try:
            with _errors_translated():
                blob = self._blob(key)
                generation = int(etag) if etag else 0
                blob.upload_from_string(body, timeout=TIMEOUT_SECONDS, retry=None, if_generation_match=generation)
                return _described(key, blob)
        except ObjectNotFoundError as error:
            raise PreconditionFailedError("Somebody else deleted this object first.") from error

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        try:
            with _errors_translated():
                self._blob(key).delete(timeout=TIMEOUT_SECONDS, retry=self._retry)
        except ObjectNotFoundError:
            return

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ObjectStore.list."""
        with _errors_translated():
            for blob in self._listed(prefix):
                yield _described(blob.name[len(self._prefix) :], blob)

    def versions(self, key: str) -> Sequence[ObjectInfo]:
        """See ObjectStore.versions."""
        full = self._prefix + key
        found: list[ObjectInfo] = []
        with _errors_translated():
            for blob in self._listed(key, versions=True):
                # Keys come in order: once past ours, the rest only shares its beginning.
                if blob.name != full:
                    break
                found.append(_described(key, blob))
        return sorted(found, key=lambda info: int(info.version), reverse=True)

    def forget_versions(self, key: str, replaced_before: datetime) -> int:
        """See ObjectStore.forget_versions."""
        return 0

    def sign_get(self, key: str, *, seconds: int, filename: str = "") -> SignedUrl:
        """See ObjectStore.sign_get."""
        disposition = f"attachment; filename*=UTF-8''{quote(filename, safe='')}" if filename else None
        return self._signed(key, "GET", seconds, {}, response_disposition=disposition)

    def sign_put(
        self, key: str, *, seconds: int, content_type: str, size_bytes: int | None = None, max_bytes: int | None = None
    ) -> SignedUrl:
        """See ObjectStore.sign_put."""
        headers = {"Content-Type": content_type}
        if size_bytes is not None:
            headers["x-goog-content-length-range"] = f"{size_bytes},{size_bytes}"
        elif max_bytes is not None:
            headers["x-goog-content-length-range"] = f"0,{max_bytes}"
        return self._signed(key, "PUT", seconds, headers)

    def duck_access(self) -> DuckAccess:
        """See ObjectStore.duck_access. A token of the metadata server may have less than five minutes left."""
        with _errors_translated():
            self._bucket()
            credentials = self._credentials
            _refresh(credentials)
        parameters: dict[str, str | bool] = {}
        if credentials.token:
            parameters["BEARER_TOKEN"] = credentials.token
        if self._endpoint:
            url = urlsplit(self._endpoint)
            parameters |= {"ENDPOINT": url.netloc, "URL_STYLE": "path", "USE_SSL": url.scheme == "https"}
        expires_at = credentials.expiry and credentials.expiry.replace(tzinfo=UTC)
        return DuckAccess("gcs", parameters, self.uri + "/", expires_at)

    def clock(self) -> datetime:
        """See ObjectStore.clock."""
        from google.auth.transport.requests import AuthorizedSession

        with _errors_translated():
            self._bucket()
            address = self._endpoint or "https://storage.googleapis.com"
            with AuthorizedSession(self._credentials) as session:
                answer = session.get(f"{address}/storage/v1/b/{self._name}?fields=name", timeout=TIMEOUT_SECONDS)
        return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)

    def _bucket(self) -> Any:
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._new_client()
        return self._client.bucket(self._name)

    def _new_client(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials, with_scopes_if_required
        from google.cloud import storage
        from google.cloud.storage.retry import DEFAULT_RETRY

        if self._credentials is None:
            self._credentials = AnonymousCredentials() if self._endpoint else google.auth.default(SCOPES)[0]
        # Scoped here, or the client would scope a copy of its own and renew its token beside ours.
        self._credentials = with_scopes_if_required(self._credentials, SCOPES)
        self._retry = DEFAULT_RETRY.with_delay(initial=0.1, maximum=2.0, multiplier=2.0).with_timeout(RETRY_SECONDS)
        options = {"api_endpoint": self._endpoint} if self._endpoint else None
        # Reading and writing objects never needs the project, and finding it out can cost a request.
        return storage.Client(project="-", credentials=self._credentials, client_options=options)

    def _blob(self, key: str, version: str = "") -> Any:
        if version and not version.isdecimal():
            raise ObjectNotFoundError("There is no such version.")
        return self._bucket().blob(self._prefix + key, generation=int(version) if version else None)

    def _fetched(self, key: str, blob: Any, **options: Any) -> tuple[bytes, ObjectInfo]:
        body = blob.download_as_bytes(raw_download=True, timeout=TIMEOUT_SECONDS, retry=self._retry, **options)
        return body, _described(key, blob, len(body))

    def _listed(self, prefix: str, *, versions: bool = False) -> Any:
        bucket = self._bucket()
        return self._client.list_blobs(
            bucket,
            prefix=self._prefix + prefix,
            versions=versions or None,
            fields=FIELDS,
            timeout=TIMEOUT_SECONDS,
            retry=self._retry,
        )

    def _signed(self, key: str, method: str, seconds: int, headers: dict[str, str], **options: Any) -> SignedUrl:
        with _errors_translated():
            blob = self._blob(key)
            expires_at = datetime.now(UTC) + timedelta(seconds=seconds)
            url = blob.generate_signed_url(
                version="v4",
                expiration=timedelta(seconds=seconds),
                method=method,
                headers={name: value for name, value in headers.items() if name != "Content-Type"},
                content_type=headers.get("Content-Type"),
                credentials=signing_credentials(self._credentials),
                api_access_endpoint=self._endpoint or "https://storage.googleapis.com",
                **options,
            )
            return SignedUrl(url, method, headers, expires_at)


def signing_credentials(credentials: Any, request: Any = None) -> Any:
    """The credentials themselves when they hold a private key, else ones that let IAM's signBlob sign for them.

    On Cloud Functions there is no key; the service account needs ``roles/iam.serviceAccountTokenCreator`` on itself.
    """
    from google.auth import iam
    from google.auth.credentials import Signing

    if isinstance(credentials, Signing):
        return credentials
    if not hasattr(credentials, "service_account_email"):
        raise StoreForbiddenError("These credentials cannot sign URLs: use a service account.")
    # Until the first refresh, the account of the metadata server is only known as "default".
    _refresh(credentials, request)

    class SignedByIam(Signing):
        """Signs with a key that never leaves Google; one request for a signature."""

        signer = iam.Signer(request or _request(), credentials, credentials.service_account_email)
        signer_email = credentials.service_account_email

        def sign_bytes(self, message: bytes) -> bytes:
            return bytes(self.signer.sign(message))

    return SignedByIam()


def _request() -> Any:
    from google.auth.transport.requests import Request

    return Request()


def _refresh(credentials: Any, request: Any = None) -> None:
    """Take a new token when this one lives for less than five more minutes."""
    expiry = credentials.expiry and credentials.expiry.replace(tzinfo=UTC)
    if not credentials.valid or (expiry is not None and expiry - datetime.now(UTC) < TOKEN_LEFT):
        credentials.refresh(request or _request())


def _described(key: str, blob: Any, size: int | None = None) -> ObjectInfo:
    generation = int(blob.generation)
    # A download's headers, as the library keeps them, lack the time; a generation is that time in microseconds.
    modified_at = blob.updated or datetime.fromtimestamp(generation / 1e6, UTC)
    bytes_stored = blob.size if size is None else size
    return ObjectInfo(key, bytes_stored, str(generation), modified_at, str(generation), blob.content_type or "")


@contextmanager
def _errors_translated() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        translated = _translated(error)
        if translated is None:
            raise
        raise translated from error


def _translated(error: Exception) -> Exception | None:
    if isinstance(error, AppError):
        return None
    import requests
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, TransportError
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

    if isinstance(error, GoogleAPICallError):
        return error_from_status(int(error.code or 0), str(error))
    if isinstance(error, InvalidResponse):
        return error_from_status(error.response.status_code, error.response.text)
    if isinstance(error, TransportError):
        return StoreUnavailableError("The service that gives out credentials did not answer.")
    if isinstance(error, DefaultCredentialsError):
        return StoreForbiddenError("No Google credentials were found.")
    if isinstance(error, GoogleAuthError):
        return StoreForbiddenError("Google refused our credentials.")
    if isinstance(error, (RetryError, requests.RequestException, DataCorruption)):
        return StoreUnavailableError("The store did not answer.")
    return None
