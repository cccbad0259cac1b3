"""Files as a folder store knows them: by identity, as facts, and with errors that mean something to a store."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from shared.errors import InputError, ObjectNotFoundError, StoreForbiddenError, StoreUnavailableError
from shared.storage.base import ObjectInfo

VERSION = re.compile(r"[0-9a-f]{1,16}-[0-9a-f]{1,16}-[0-9a-f]{1,16}\Z")


def identity_of(found: os.stat_result) -> str:
    """The ETag of a file with these facts."""
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


def identity_at(path: str) -> str:
    """The ETag of the file there, or "" when there is none."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    return identity_of(found) if stat.S_ISREG(found.st_mode) else ""


def modified_ns(path: str) -> int:
    """When the file there was written, 0 when there is none."""
    try:
        return os.lstat(path).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


def regular(found: os.stat_result) -> os.stat_result:
    """The facts, if they are a plain file's. Raises ObjectNotFoundError for a folder, a link or a pipe."""
    if not stat.S_ISREG(found.st_mode):
        raise ObjectNotFoundError("There is no such object.")
    return found


def described(key: str, found: os.stat_result, *, version: str) -> ObjectInfo:
    """The facts as every store tells them."""
    modified_at = datetime.fromtimestamp(found.st_mtime, UTC)
    return ObjectInfo(key, found.st_size, identity_of(found), modified_at, version)


def sync_folder(path: str) -> None:
    """Make a rename or a deletion in that folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def errors_translated() -> Iterator[None]:
    """The errors of the file system as a store's."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ObjectNotFoundError("There is no such object.") from error
    except PermissionError as error:
        raise StoreForbiddenError("The folder refused access.") from error
    except IsADirectoryError as error:
        raise InputError("That key is a folder here.") from error
    except OSError as error:
        raise StoreUnavailableError("The folder could not be read or written.") from error
