"""Google Pub/Sub by its REST API, behind one door: google-auth is in the package, the client would add 24 MB.

https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cached_property
from typing import Any

TIMEOUT_SECONDS = (3, 5)
"""To connect, and for the answer."""
SCOPES = ("https://www.googleapis.com/auth/pubsub",)


class PubSubError(Exception):
    """The service did not take the message."""


class Topic:
    """A topic as ``projects/<project>/topics/<topic>``.

    ``endpoint_url`` names another server and is asked without credentials unless some are given; otherwise
    ``credentials`` (of google.auth) default to the environment's own.
    """

    def __init__(self, topic: str, *, endpoint_url: str = "", credentials: Any = None) -> None:
        self._url = f"{endpoint_url.rstrip('/') or 'https://pubsub.googleapis.com'}/v1/{topic}:publish"
        self._is_other_server = bool(endpoint_url)
        self._credentials = credentials

    def publish(self, text: str, attributes: Mapping[str, str]) -> None:
        """Publish one message. Raises PubSubError when it was refused or nobody answered."""
        import google.auth.exceptions
        import requests

        message = {"data": base64.b64encode(text.encode()).decode(), "attributes": dict(attributes)}
        try:
            answer = self._session.post(self._url, json={"messages": [message]}, timeout=TIMEOUT_SECONDS)
        except (google.auth.exceptions.GoogleAuthError, requests.RequestException) as error:
            raise PubSubError(type(error).__name__) from error
        if not answer.ok:
            raise PubSubError(f"status {answer.status_code}")

    @cached_property
    def _session(self) -> Any:
        import google.auth
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession

        anonymous: Any = AnonymousCredentials
        authorized: Any = AuthorizedSession  # neither is typed

        credentials = self._credentials
        if credentials is None:
            credentials = anonymous() if self._is_other_server else google.auth.default(SCOPES)[0]
        return authorized(credentials)
