"""Buckets, generations and preconditions of the Google Cloud Storage fake: what is true there, without any HTTP."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

import google_crc32c


class RefusedError(Exception):
    """An answer other than success: the HTTP status and Google's message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Stored:
    """One generation of an object."""

    bucket: str
    name: str
    generation: int
    body: bytes
    content_type: str
    parts: int = 0

    @property
    def updated(self) -> datetime:
        """A generation is its time in microseconds."""
        return datetime.fromtimestamp(self.generation / 1e6, UTC)

    @cached_property
    def md5(self) -> str:
        """As hexadecimal digits."""
        return hashlib.md5(self.body, usedforsecurity=False).hexdigest()

    @cached_property
    def crc32c(self) -> str:
        """As base64 of the big-endian number."""
        return base64.b64encode(google_crc32c.value(self.body).to_bytes(4, "big")).decode()

    @property
    def xml_etag(self) -> str:
        """What the XML API sends: quoted, and not an MD5 when the object came in parts."""
        return f'"{self.md5}-{self.parts}"' if self.parts else f'"{self.md5}"'

    def resource(self) -> dict[str, object]:
        """The object resource of the JSON API, as far as clients read it."""
        stamp = self.updated.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "name": self.name,
            "bucket": self.bucket,
            "generation": str(self.generation),
            "metageneration": "1",
            "contentType": self.content_type,
            "size": str(len(self.body)),
            "md5Hash": base64.b64encode(bytes.fromhex(self.md5)).decode(),
            "crc32c": self.crc32c,
            "etag": base64.b64encode(str(self.generation).encode()).decode(),
            "timeCreated": stamp,
            "updated": stamp,
        }


@dataclass
class Unfinished:
    """A resumable or multipart upload that has begun."""

    bucket: str
    name: str
    content_type: str
    conditions: dict[str, str]
    received: bytearray = field(default_factory=bytearray)
    parts: dict[int, bytes] = field(default_factory=dict)


@dataclass
class Bucket:
    """Live and former generations by name; the live one is the last of its list, unless the name is in ``deleted``."""

    versioning: bool = True
    objects: dict[str, list[Stored]] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)


class Objects:
    """All buckets. ``enforce=False`` makes it the store that everybody should be warned of: it ignores conditions."""

    def __init__(self, *, enforce: bool = True) -> None:
        self.enforce = enforce
        self._lock = threading.RLock()
        self._buckets: dict[str, Bucket] = {}
        self._unfinished: dict[str, Unfinished] = {}
        self._last_generation = 0

    def create_bucket(self, name: str, *, versioning: bool) -> None:
        """Make a bucket; an existing one stays as it is."""
        with self._lock:
            self._buckets.setdefault(name, Bucket(versioning))

    def bucket(self, name: str) -> Bucket:
        """Raises 404 for a bucket that does not exist."""
        found = self._buckets.get(name)
        if found is None:
            raise RefusedError(404, "The specified bucket does not exist.")
        return found

    def find(self, bucket: str, name: str, query: Mapping[str, str]) -> Stored:
        """The live object or the generation asked for, if the conditions hold. Raises 304, 404 and 412."""
        with self._lock:
            live = self._live(bucket, name)
            generation = query.get("generation", "")
            if generation:
                kept = [
                    stored
                    for stored in self.bucket(bucket).objects.get(name, [])
                    if str(stored.generation) == generation
                ]
                live = kept[0] if kept else None
            if live is None:
                raise RefusedError(404, f"No such object: {bucket}/{name}")
            self._check(live, query, reading=True)
            return live

    def put(
        self, bucket: str, name: str, body: bytes, content_type: str, conditions: Mapping[str, str], parts: int = 0
    ) -> Stored:
        """Make a new generation if the conditions hold. Raises 404 and 412."""
        with self._lock:
            home = self.bucket(bucket)
            self._check(self._live(bucket, name), conditions, reading=False)
            self._last_generation = max(self._last_generation + 1, time.time_ns() // 1000)
            stored = Stored(bucket, name, self._last_generation, body, content_type, parts)
            former = home.objects.get(name, []) if home.versioning else []
            home.objects[name] = [*former, stored]
            home.deleted.discard(name)
            return stored

    def delete(self, bucket: str, name: str, query: Mapping[str, str]) -> None:
        """Delete the live object (its generations stay when versioning is on), or one generation for good."""
        with self._lock:
            found = self.find(bucket, name, {key: query[key] for key in query if key == "generation"})
            self._check(found, query, reading=False)
            home = self.bucket(bucket)
            if "generation" in query:
                was_live = self._live(bucket, name) == found
                home.objects[name] = [stored for stored in home.objects[name] if stored != found]
                home.deleted |= {name} if was_live else set()
            elif home.versioning:
                home.deleted.add(name)
            else:
                del home.objects[name]

    def listed(self, bucket: str, prefix: str, *, versions: bool) -> Iterator[Stored]:
        """By name in UTF-8 order, then by generation."""
        with self._lock:
            home = self.bucket(bucket)
            for name in sorted(home.objects, key=lambda key: key.encode()):
                if name.startswith(prefix):
                    live = self._live(bucket, name)
                    yield from home.objects[name] if versions else [live] if live else []

    def begin(self, upload: Unfinished) -> str:
        """The id of a new upload in several requests. Raises 404 and 412 when it could not succeed now."""
        with self._lock:
            self._check(self._live(upload.bucket, upload.name), upload.conditions, reading=False)
            upload_id = secrets.token_hex(16)
            self._unfinished[upload_id] = upload
            return upload_id

    def unfinished(self, upload_id: str) -> Unfinished:
        """Raises 404 for an upload that is unknown or done."""
        found = self._unfinished.get(upload_id)
        if found is None:
            raise RefusedError(404, "No such upload.")
        return found

    def finish(self, upload_id: str, body: bytes, parts: int = 0) -> Stored:
        """Turn an upload into an object, if its conditions still hold."""
        with self._lock:
            upload = self.unfinished(upload_id)
            stored = self.put(upload.bucket, upload.name, body, upload.content_type, upload.conditions, parts)
            del self._unfinished[upload_id]
            return stored

    def abandon(self, upload_id: str) -> None:
        """Forget an upload."""
        self._unfinished.pop(upload_id, None)

    def _live(self, bucket: str, name: str) -> Stored | None:
        home = self.bucket(bucket)
        kept = home.objects.get(name, [])
        return kept[-1] if kept and name not in home.deleted else None

    def _check(self, live: Stored | None, conditions: Mapping[str, str], *, reading: bool) -> None:
        if not self.enforce:
            return
        for name, current in (("Generation", live.generation if live else 0), ("Metageneration", 1 if live else 0)):
            wanted = conditions.get(f"if{name}Match")
            if wanted is not None and int(wanted) != current:
                raise RefusedError(412, "At least one of the pre-conditions you specified did not hold.")
            unwanted = conditions.get(f"if{name}NotMatch")
            if unwanted is not None and int(unwanted) == current:
                raise RefusedError(304 if reading else 412, "At least one of the pre-conditions did not hold.")
