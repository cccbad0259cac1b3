"""Asks a store to keep its promises before a lake is trusted to it: one that ignores conditions loses commits silently.

It writes a few bytes below ``.probe/`` and deletes them again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.errors import (
    ConflictError,
    NotFoundError,
    PreconditionFailedError,
    StoreNotConditionalError,
    UnavailableError,
)
from shared.storage.base import ObjectStore

MOST_SKEW_SECONDS = 300.0
"""AWS refuses a signature that is 15 minutes off; well before that, ages and expiries are already wrong."""
RACERS = 8


@dataclass(frozen=True)
class Finding:
    """One promise, tried. Without a ``required`` one no commit is safe; the others cost comfort or recovery."""

    check: str
    ok: bool
    detail: str
    required: bool


def probe(store: ObjectStore) -> list[Finding]:
    """Try every promise, in a few dozen small requests. Raises StoreUnavailableError, StoreForbiddenError."""
    with _scratch(store) as key:
        return [
            _found("read_after_write", _reads_what_was_written(store, key("read")), "a read follows its write"),
            _found("conditional_create", _refuses_second_create(store, key("create")), "a second create is refused"),
            _found("conditional_replace", _refuses_stale_replace(store, key("replace")), "a stale replace is refused"),
            _found("conditional_missing", _refuses_lost(store, key("lost")), "replacing what is gone is refused"),
            _found("one_winner", _one_winner(store, key("race")), f"one of {RACERS} concurrent creates wins"),
            _found("range", _reads_range(store, key("range")), "a range read gives just the range"),
            _found("not_modified", _knows_unchanged(store, key("same")), "an unchanged object is not sent again"),
            _found("versions", _keeps_versions(store, key("versions")), "former versions are kept", required=False),
            _clock(store),
        ]


def demand_conditional(store: ObjectStore) -> None:
    """Raises StoreNotConditionalError when a commit to this store could lose another one."""
    broken = [finding for finding in probe(store) if finding.required and not finding.ok]
    if broken:
        raise StoreNotConditionalError(
            "This store does not keep what a commit needs: " + ", ".join(finding.check for finding in broken) + "."
        )


def _found(check: str, ok: bool, promise: str, *, required: bool = True) -> Finding:
    return Finding(check, ok, promise if ok else f"broken: {promise}", required)


@contextmanager
def _scratch(store: ObjectStore) -> Iterator[Callable[[str], str]]:
    folder = f".probe/{secrets.token_hex(8)}/"
    used: list[str] = []

    def key(name: str) -> str:
        used.append(folder + name)
        return used[-1]

    try:
        yield key
    finally:
        # A store that went silent in between is the news; that some bytes are left there is not.
        with suppress(UnavailableError):
            for name in used:
                store.delete(name)


def _refused(attempt: Callable[[], object]) -> bool:
    try:
        attempt()
    except PreconditionFailedError:
        return True
    return False


def _reads_what_was_written(store: ObjectStore, key: str) -> bool:
    bodies = (b"first", b"second, longer", b"third")
    seen = []
    for body in bodies:
        written = store.put(key, body)
        read, info = store.get(key)
        seen.append(read == body and info.etag == written.etag)
    store.delete(key)
    try:
        store.get(key)
    except NotFoundError:
        return all(seen)
    return False


def _refuses_second_create(store: ObjectStore, key: str) -> bool:
    store.put_if_match(key, b"first", etag="")
    refused = _refused(lambda: store.put_if_match(key, b"second", etag=""))
    return refused and store.get(key)[0] == b"first"


def _refuses_stale_replace(store: ObjectStore, key: str) -> bool:
    first = store.put_if_match(key, b"first", etag="")
    second = store.put_if_match(key, b"second", etag=first.etag)
    refused = _refused(lambda: store.put_if_match(key, b"third", etag=first.etag))
    return refused and second.etag != first.etag and store.get(key)[0] == b"second"


def _refuses_lost(store: ObjectStore, key: str) -> bool:
    first = store.put_if_match(key, b"first", etag="")
    store.delete(key)
    return _refused(lambda: store.put_if_match(key, b"second", etag=first.etag))


def _one_winner(store: ObjectStore, key: str) -> bool:
    def won(number: int) -> bool:
        try:
            store.put_if_match(key, b"%d" % number, etag="")
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(RACERS) as racers:
        winners = [number for number, is_winner in enumerate(racers.map(won, range(RACERS))) if is_winner]
    return len(winners) == 1 and store.get(key)[0] == b"%d" % winners[0]


def _reads_range(store: ObjectStore, key: str) -> bool:
    store.put(key, bytes(range(256)))
    return store.get_range(key, 100, 3) == b"def" and store.get_range(key, 250, 100) == bytes(range(250, 256))


def _knows_unchanged(store: ObjectStore, key: str) -> bool:
    first = store.put(key, b"first")
    if store.get_if_changed(key, first.etag) is not None:
        return False
    store.put(key, b"second")
    changed = store.get_if_changed(key, first.etag)
    return changed is not None and changed[0] == b"second"


def _keeps_versions(store: ObjectStore, key: str) -> bool:
    first = store.put_if_match(key, b"first", etag="")
    store.put_if_match(key, b"second", etag=first.etag)
    kept = [store.get(key, version=info.version)[0] for info in store.versions(key) if info.version]
    return kept == [b"second", b"first"]


def _clock(store: ObjectStore) -> Finding:
    skew = (store.clock() - datetime.now(UTC)).total_seconds()
    ok = abs(skew) <= MOST_SKEW_SECONDS
    return Finding("clock", ok, f"the store's clock is {skew + 0.0:+.1f} seconds from ours", required=False)
