"""Google Pub/Sub as a way of telling, by its REST API: google-auth is in the package, the client would add 24 MB.

https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.topics/publish
"""

from __future__ import annotations

import base64
import json
from functools import cached_property
from typing import Any

from shared.announce.base import Message

TIMEOUT_SECONDS = (3, 5)
"""To connect, and for the answer."""
SCOPES = ("https://www.googleapis.com/auth/pubsub",)
ATTRIBUTES = ("tenant", "dataset", "status")


class PubSubError(Exception):
    """The service did not take the message."""


class PubSubTopic:
    """A topic as ``projects/<project>/topics/<topic>``.

    ``endpoint_url`` names another server and is asked without credentials unless some are given; otherwise
    ``credentials`` (of google.auth) default to the environment's own.
    """

    def __init__(self, topic: str, *, endpoint_url: str = "", credentials: Any = None) -> None:
        self._url = f"{endpoint_url.rstrip('/') or 'https://pubsub.googleapis.com'}/v1/{topic}:publish"
        self._is_other_server = bool(endpoint_url)
        self._credentials = credentials

    def __call__(self, message: Message) -> None:
        """See Way."""
        told = {name: message[name] for name in ATTRIBUTES}  # type: ignore[literal-required]  # fields of a Message
        data = base64.b64encode(json.dumps(message).encode()).decode()
        answer = self._session.post(
            self._url, json={"messages": [{"data": data, "attributes": told}]}, timeout=TIMEOUT_SECONDS
        )
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
