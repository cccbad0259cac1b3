"""A remote installation, asked through its HTTP API: what the command line does with ``--url`` and ``--key``."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx

from shared.errors import AppError, InputError, UnavailableError

SETTLED = frozenset({"loaded", "held", "skipped", "rolled_back"})
POLL_SECONDS = 0.5
CHUNK_BYTES = 1 << 20


class RemoteProblemError(InputError):
    """The installation refused the request; the message is its own."""

    code = "refused"


@dataclass(frozen=True)
class RemoteApi:
    """An API at an address, with a key. Raises RemoteProblemError (4xx) and UnavailableError (no answer, 5xx)."""

    url: str
    key: str
    timeout_seconds: float = 60.0

    def upload(self, file: Path, dataset: str, *, wait_seconds: float) -> dict[str, Any]:
        """Put one file through a signed URL and wait for what becomes of it: its state, as the API tells it."""
        size = file.stat().st_size
        media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        order = {"dataset": dataset, "filename": file.name, "content_type": media, "size_bytes": size}
        made = self._json("POST", "/v1/uploads", json=order)
        headers = {**made["headers"], "Content-Length": str(size)}
        # The signed URL carries its own permission; our key must not go to the store.
        with _translated(), httpx.Client(timeout=self.timeout_seconds) as client:
            answer = client.request(
                made["method"], urljoin(self.url, made["url"]), headers=headers, content=_chunks(file)
            )
        if answer.status_code >= 300:
            raise UnavailableError(f"The store did not take the file (status {answer.status_code}).")
        return self._settled(made["status_url"], wait_seconds)

    def ask(self, question: str, parameters: Sequence[tuple[str, str]], wanted: str) -> str:
        """The answer to a question as text, in format ``wanted``; stored answers are fetched from their own URL."""
        answer = self._request("GET", f"/v1/{question}", params=httpx.QueryParams([*parameters, ("format", wanted)]))
        if answer.status_code == 303:
            with _translated(), httpx.Client(timeout=self.timeout_seconds) as client:
                answer = client.get(urljoin(self.url, answer.headers["Location"]))
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

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        with _translated(), httpx.Client(timeout=self.timeout_seconds) as client:
            answer = client.request(
                method, self.url.rstrip("/") + path, headers={"Authorization": f"Bearer {self.key}"}, **more
            )
        if answer.status_code >= 400:
            raise _problem_from(answer)
        return answer


def _problem_from(answer: httpx.Response) -> AppError:
    try:
        told: Mapping[str, Any] = answer.json()
    except ValueError:
        told = {}
    message = f"{told.get('code', answer.status_code)}: {told.get('detail') or told.get('title') or 'no reason given'}"
    return UnavailableError(message) if answer.status_code >= 500 else RemoteProblemError(message)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            yield chunk


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InputError("That is not the address of an API: use https://host.") from error
    except httpx.HTTPError as error:
        raise UnavailableError("The API did not answer.") from error
