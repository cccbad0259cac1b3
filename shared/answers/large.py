"""Answers too large for one reply of the platform: kept in the lake and fetched from a signed URL."""

from __future__ import annotations

from dataclasses import dataclass

from shared.answers.encode import EXTENSIONS, MEDIA_TYPES
from shared.catalog.stored import lake_prefix
from shared.storage.base import ObjectStore

_EXTENSION_OF = {MEDIA_TYPES[name]: extension for name, extension in EXTENSIONS.items()}


@dataclass(frozen=True)
class LargeAnswers:
    """Where large answers go. ``max_inline_bytes`` is the largest body that is answered as it is."""

    lake: ObjectStore
    max_inline_bytes: int = 4_000_000
    signed_url_seconds: int = 900

    def url_of(self, tenant: str, etag: str, content: bytes, media_type: str, name: str) -> str:
        """Keep a body under its ETag and return the URL it can be fetched from for a while, as a file of that name."""
        extension = _EXTENSION_OF.get(media_type, "bin")
        key = f"{lake_prefix(tenant)}answers/{etag.strip(chr(34))}.{extension}"
        self.lake.put(key, content, content_type=media_type)
        return self.lake.sign_get(key, seconds=self.signed_url_seconds, filename=f"{name}.{extension}").url
