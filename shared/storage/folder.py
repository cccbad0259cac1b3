"""A folder as a store: for a laptop and for tests; every write is whole or absent, even after a kill or a power cut.

An ETag is the file's identity (modification time in nanoseconds, size, inode), so asking for news costs one ``stat``
whatever the size. Each write of ours takes a new file and a new time, so two of ours never share an identity. What
begins with a dot is not listed; ``.teal/`` holds temporary files, locks and former versions of keys that are written
conditionally.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from shared.errors import (
    InputError,
    ObjectNotFoundError,
    PreconditionFailedError,
    StoreUnavailableError,
)
from shared.storage.base import ObjectInfo, SignedUrl
from shared.storage.folder_files import (
    VERSION,
    described,
    errors_translated,
    identity_at,
    identity_of,
    modified_ns,
    regular,
    sync_folder,
)
from shared.storage.signing import SignedRequest, sign
from shared.values import DuckAccess

HIDDEN = ".teal"
KEPT_VERSIONS = 100
LOCK_WAIT_SECONDS = 10.0
LEFT_BEHIND_SECONDS = 86_400
LOCKS = 64
"""Lock files, shared by all keys: they may never be deleted, so their number has to be bounded."""


class FolderStore:
    """One folder of one machine (or of a file system whose ``flock`` and ``rename`` work between machines)."""

    def __init__(self, root: Path, signing_secret: bytes | None = None, public_url: str = "") -> None:
        self._root = os.path.realpath(root)
        self._signing_secret = signing_secret
        self._public_url = public_url
        with errors_translated():
            for name in ("temporary", "locks", "versions"):
                Path(self._root, HIDDEN, name).mkdir(parents=True, exist_ok=True)
            for left in Path(self._root, HIDDEN, "temporary").iterdir():
                # A killed process cannot tidy; a living one never takes this long, and its files go while we look.
                with suppress(FileNotFoundError):
                    if time.time() - left.stat().st_mtime > LEFT_BEHIND_SECONDS:
                        left.unlink()

    @property
    def uri(self) -> str:
        """The folder's absolute path."""
        return self._root

    def uri_of(self, key: str) -> str:
        """See ObjectStore.uri_of."""
        return f"{self._root}/{key}"

    def head(self, key: str) -> ObjectInfo:
        """See ObjectStore.head."""
        with errors_translated():
            return self._info(key, regular(os.lstat(self._path(key))))

    def get(self, key: str, *, version: str = "") -> tuple[bytes, ObjectInfo]:
        """See ObjectStore.get."""
        with errors_translated(), self._opened(key, version) as (file, info):
            return file.read(), info

    def get_if_changed(self, key: str, etag: str) -> tuple[bytes, ObjectInfo] | None:
        """See ObjectStore.get_if_changed."""
        with errors_translated():
            if identity_of(regular(os.lstat(self._path(key)))) == etag:
                return None
        return self.get(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """See ObjectStore.get_range."""
        with errors_translated(), self._opened(key, "") as (file, _):
            file.seek(start)
            return file.read(length)

    def download(self, key: str, target: Path, *, version: str = "") -> ObjectInfo:
        """See ObjectStore.download."""
        with errors_translated(), self._opened(key, version) as (file, info), target.open("wb") as out:
            shutil.copyfileobj(file, out, 1 << 20)
            return info

    def put(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put."""
        return self._put(key, lambda file: file.write(body))

    def put_file(self, key: str, source: Path, *, content_type: str = "application/octet-stream") -> ObjectInfo:
        """See ObjectStore.put_file."""
        with source.open("rb") as opened:
            return self._put(key, lambda file: shutil.copyfileobj(opened, file, 1 << 20))

    def put_if_match(self, key: str, body: bytes, *, etag: str) -> ObjectInfo:
        """See ObjectStore.put_if_match. The former version is kept, the newest ``KEPT_VERSIONS`` of them."""
        path = self._path(key)
        with errors_translated(), self._locked(key):
            current = identity_at(path)
            if current != etag:
                raise PreconditionFailedError("Somebody else changed this object first.")
            return self._replace(key, lambda file: file.write(body), keep=True)

    def delete(self, key: str) -> None:
        """See ObjectStore.delete. Kept versions stay."""
        with errors_translated(), self._locked(key):
            path = self._path(key)
            if os.path.isdir(self._versions_folder(key)):
                self._keep(key)
            if identity_at(path):
                os.unlink(path)
                sync_folder(os.path.dirname(path))

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """See ObjectStore.list. Hidden names are left out unless ``prefix`` spells their dot."""
        above, slash, _ = prefix.rpartition("/")
        if slash:
            self._path(above)
        with errors_translated():
            yield from self._listed(above + "/" if above else "", prefix)

    def versions(self, key: str) -> Sequence[ObjectInfo]:
        """See ObjectStore.versions."""
        with errors_translated():
            folder = self._versions_folder(key)
            names = {entry.name: entry.stat() for entry in os.scandir(folder)} if os.path.isdir(folder) else {}
            try:
                # Until it is overwritten, an object that was put without condition has no link of its own.
                found = regular(os.lstat(self._path(key)))
                names[identity_of(found)] = found
            except (FileNotFoundError, NotADirectoryError, ObjectNotFoundError):
                pass
            kept = sorted(names.items(), key=lambda item: item[1].st_mtime_ns, reverse=True)
            return [described(key, found, version=name) for name, found in kept]

    def forget_versions(self, key: str, replaced_before: datetime) -> int:
        """See ObjectStore.forget_versions."""
        with errors_translated(), self._locked(key):
            kept = self.versions(key)
            # Each was replaced when the next newer one was written.
            old = [one for newer, one in pairwise(kept) if newer.modified_at < replaced_before]
            if kept and not identity_at(self._path(key)) and self.clock() < replaced_before:
                old.append(kept[0])  # when it was deleted is not known, but it was before now
            for one in old:
                os.unlink(f"{self._versions_folder(key)}/{one.version}")
            return len(old)

    def sign_get(self, key: str, *, seconds: int, filename: str = "") -> SignedUrl:
        """See ObjectStore.sign_get."""
        return self._signed(SignedRequest("GET", key, filename=filename), seconds)

    def sign_put(
        self, key: str, *, seconds: int, content_type: str, size_bytes: int | None = None, max_bytes: int | None = None
    ) -> SignedUrl:
        """See ObjectStore.sign_put. The route that takes it has a largest size of its own."""
        return self._signed(SignedRequest("PUT", key, content_type, size_bytes), seconds)

    def duck_access(self) -> DuckAccess:
        """No secret: DuckDB reads the files."""
        return DuckAccess("", {}, self._root + "/")

    def clock(self) -> datetime:
        """See ObjectStore.clock."""
        return datetime.now(UTC)

    # --- paths -------------------------------------------------------------------------------------------------------

    def _path(self, key: str) -> str:
        """Where a key lies. Raises InputError for any key that could leave the folder or reach what is ours."""
        parts = key.split("/")
        if "\0" in key or any(part in ("", ".", "..") for part in parts) or parts[0] == HIDDEN:
            raise InputError("That is not a key of this store.")
        path = f"{self._root}/{key}"
        try:
            resolved = os.path.realpath(path)
        except (OSError, UnicodeEncodeError) as error:
            raise InputError("That is not a key of this store.") from error
        if resolved != path:
            raise InputError("That key leads through a link, which this store does not follow.")
        return path

    def _versions_folder(self, key: str) -> str:
        self._path(key)
        return f"{self._root}/{HIDDEN}/versions/{hashlib.sha256(key.encode()).hexdigest()}"

    def _info(self, key: str, found: os.stat_result) -> ObjectInfo:
        identity = identity_of(found)
        kept = os.path.isdir(self._versions_folder(key))
        return described(key, found, version=identity if kept else "")

    @contextmanager
    def _opened(self, key: str, version: str) -> Iterator[tuple[BinaryIO, ObjectInfo]]:
        path = self._path(key)
        if version:
            if not VERSION.match(version):
                raise ObjectNotFoundError("There is no such version.")
            kept = f"{self._versions_folder(key)}/{version}"
            path = kept if identity_at(path) != version else path
        # Without waiting, since a pipe that somebody put there would block for ever.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            found = regular(os.fstat(opened))
        except ObjectNotFoundError:
            os.close(opened)
            raise
        with open(opened, "rb") as file:
            # The facts come from the very file that is read, so they fit its bytes although the name may move on.
            yield file, described(key, found, version=version) if version else self._info(key, found)

    def _listed(self, folder: str, prefix: str) -> Iterator[ObjectInfo]:
        try:
            entries = list(os.scandir(f"{self._root}/{folder}"))
        except (FileNotFoundError, NotADirectoryError):
            return
        named = [
            (folder + entry.name + ("/" if entry.is_dir(follow_symlinks=False) else ""), entry) for entry in entries
        ]
        for key, entry in sorted(named, key=lambda item: os.fsencode(item[0])):
            hidden = entry.name.startswith(".") and not prefix.startswith(folder + ".")
            if hidden or key == HIDDEN + "/":
                continue
            if key.endswith("/"):
                if key.startswith(prefix) or prefix.startswith(key):
                    yield from self._listed(key, prefix)
            elif key.startswith(prefix) and entry.is_file(follow_symlinks=False):
                try:
                    yield self._info(key, entry.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue

    # --- writing -----------------------------------------------------------------------------------------------------

    def _put(self, key: str, write: Callable[[BinaryIO], object]) -> ObjectInfo:
        with errors_translated():
            if not os.path.isdir(self._versions_folder(key)):
                return self._replace(key, write, keep=False)
            with self._locked(key):
                return self._replace(key, write, keep=True)

    def _replace(self, key: str, write: Callable[[BinaryIO], object], *, keep: bool) -> ObjectInfo:
        path = self._path(key)
        if os.path.isdir(path):
            raise InputError("That key is a folder here.")
        temporary = f"{self._root}/{HIDDEN}/temporary/{secrets.token_hex(16)}"
        try:
            with open(temporary, "xb") as file:
                write(file)
                file.flush()
                # The kernel stamps files in ticks of some milliseconds; the identity needs nanoseconds, and versions
                # need an order that a clock set back does not change.
                stamp = max(time.time_ns(), modified_ns(path) + 1)
                os.utime(file.fileno(), ns=(stamp, stamp))
                os.fsync(file.fileno())
                found = os.fstat(file.fileno())
            if keep:
                self._keep(key)
            self._make_folder(os.path.dirname(path))
            os.replace(temporary, path)
            sync_folder(os.path.dirname(path))
            if keep:
                self._keep(key)
        except FileNotFoundError as error:
            raise StoreUnavailableError("The folder is changing under this write.") from error
        finally:
            Path(temporary).unlink(missing_ok=True)
        return self._info(key, found)

    @staticmethod
    def _make_folder(path: str) -> None:
        try:
            os.makedirs(path, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise InputError("A key cannot lie below another object here.") from error

    def _keep(self, key: str) -> None:
        """Give the current file a second name among the versions and drop the oldest; the caller holds the lock."""
        folder = self._versions_folder(key)
        path = self._path(key)
        os.makedirs(folder, exist_ok=True)
        try:
            os.link(path, f"{folder}/{identity_of(regular(os.lstat(path)))}", follow_symlinks=False)
        except (FileNotFoundError, FileExistsError, NotADirectoryError):
            return
        names = sorted(os.listdir(folder), key=lambda name: int(name.partition("-")[0], 16))
        for name in names[:-KEPT_VERSIONS]:
            os.unlink(f"{folder}/{name}")

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        """Alone with this key, between threads and processes; the kernel frees the lock of a killed process."""
        self._path(key)
        number = int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % LOCKS
        with open(f"{self._root}/{HIDDEN}/locks/{number:02}", "ab") as file:
            deadline = time.monotonic() + LOCK_WAIT_SECONDS
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise StoreUnavailableError("The object is locked by a process that does not finish.") from None
                    time.sleep(0.001)
            yield

    def _signed(self, request: SignedRequest, seconds: int) -> SignedUrl:
        self._path(request.key)
        if not self._signing_secret:
            raise StoreUnavailableError("This store cannot sign URLs: it was given no signing secret.")
        return sign(self._signing_secret, request, public_url=self._public_url, now=datetime.now(UTC), seconds=seconds)
