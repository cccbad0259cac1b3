"""Secrets, made once and kept where every process of an installation finds them; one signs cursors and local URLs."""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

from shared.errors import ObjectNotFoundError, PreconditionFailedError
from shared.storage.base import ObjectStore

log = logging.getLogger("teal")

BYTES = 32
KEY = "keys/signing.secret"


def secret_in_store(store: ObjectStore, key: str = KEY) -> bytes:
    """The secret under a key; of several processes that find none, the first one's is everybody's."""
    try:
        return store.get(key)[0]
    except ObjectNotFoundError:
        try:
            store.put_if_match(key, secrets.token_bytes(BYTES), etag="")
        except PreconditionFailedError:
            log.info("another process made the secret first")
        return store.get(key)[0]


def secret_in_folder(folder: Path) -> bytes:
    """The folder's secret, in a file for its owner alone."""
    path = folder / "signing.secret"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(BYTES))
    except FileExistsError:
        log.debug("the signing secret is there already")
    return path.read_bytes()
