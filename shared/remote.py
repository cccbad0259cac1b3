"""A remote installation, asked through its HTTP API: what the command line does with ``--url`` and ``--key``."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2

from shared.errors import AppError, InputError, UnavailableError

SETTLED = frozenset({"loaded", "held", "skipped", "rolled_back"})
POLL_SECONDS = 0.5
CHUNK_BYTES = 1 << 20


class RemoteProblemError(InputError):
    """An API refused the request; the message is its own, and so is the code among the details."""

    code = "refused"


@dataclass(frozen=True)
class RemoteApi:
    """An API at an address, with a key. Raises RemoteProblemError (4xx) and UnavailableError (no answer, 5xx)."""

    url: str
    key: str
    timeout_seconds: float = 60.0

    def upload(
        self, file: Path, dataset: str, options: Mapping[str, str | int | bool], *, wait_seconds: float
    ) -> dict[str, Any]:
        """Put one file through a signed URL and wait for what becomes of it: its state, as the API tells it."""
        size = file.stat().st_size
        media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        order = {"dataset": dataset, "filename": file.name, "content_type": media, "size_bytes": size}
        order |= {"options": dict(options)} if options else {}
        made = self._json("POST", "/v1/uploads", json=order)
        headers = {**made["headers"], "Content-Length": str(size)}
        # The signed URL carries its own permission; our key must not go to the store.
        address = urljoin(self.url, made["url"])
        with _translated(address), httpx2.Client(timeout=self.timeout_seconds) as client:
            answer = client.request(made["method"], address, headers=headers, content=_chunks(file))
        if answer.status_code >= 300:
            raise UnavailableError(f"The store did not take the file (status {answer.status_code}).")
        return self._settled(made["status_url"], wait_seconds)

    def held(self, upload_id: str, limit: int) -> list[dict[str, Any]]:
        """The first rows of an upload that were put aside."""
        rows: list[dict[str, Any]] = self._json("GET", f"/v1/uploads/{upload_id}/held", params={"limit": limit})["rows"]
        return rows

    def get(self, path: str, parameters: Sequence[tuple[str, str]]) -> str:
        """The answer of an address under ``/v1`` as text; a stored answer is fetched from its own URL."""
        answer = self._request("GET", f"/v1/{path}", params=httpx2.QueryParams(list(parameters)))
        if answer.status_code == 303:
            address = urljoin(self.url, answer.headers["Location"])
            with _translated(address), httpx2.Client(timeout=self.timeout_seconds) as client:
                answer = client.get(address)
        return answer.text

    def _settled(self, path: str, wait_seconds: float) -> dict[str, Any]:
        deadline = time.monotonic() + wait_seconds
        while True:
            state = self._json("GET", path)
            if state["status"] in SETTLED or time.monotonic() > deadline:
                return state
            time.sleep(POLL_SECONDS)

    def _json(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        told: dict[str, Any] = self._request(method, path, **more).json()
        return told

    def _request(self, method: str, path: str, **more: Any) -> httpx2.Response:
        base = self.url.rstrip("/").removesuffix("/v1")
        with _translated(self.url), httpx2.Client(timeout=self.timeout_seconds) as client:
            answer = client.request(method, base + path, headers={"Authorization": f"Bearer {self.key}"}, **more)
        if answer.status_code >= 400:
            raise problem_from(answer)
        return answer


def problem_from(answer: httpx2.Response) -> AppError:
    """The error that a problem document tells of; its own code is the detail ``code``."""
    try:
        told: Any = answer.json()
    except ValueError:
        told = {}
    if not isinstance(told, dict) or "code" not in told:
        message = f"The answer has status {answer.status_code} and is not one of this API's. Is the address right?"
        told = {"code": str(answer.status_code), "detail": message}
    kind = UnavailableError if answer.status_code >= 500 else RemoteProblemError
    return kind(str(told.get("detail") or told.get("title") or "no reason given"), code=str(told["code"]))


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def _translated(address: str) -> Iterator[None]:
    try:
        yield
    except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
        raise InputError("That is not the address of an API: use http://host or https://host.") from error
    except httpx2.HTTPError as error:
        # The host alone: the rest of a signed URL is a credential.
        host = urlsplit(address).netloc.rpartition("@")[2]
        reason = "it took too long" if isinstance(error, httpx2.TimeoutException) else str(error) or "no reason given"
        raise UnavailableError(f"{host} did not answer: {reason}.") from error
