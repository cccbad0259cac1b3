"""API keys: what is kept of one, who it is, and when it ends."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.errors import InvalidKeyRequestError, UnauthenticatedError
from shared.keys import Keys, UnknownKeyError
from shared.secret import secret_in_store
from shared.storage.base import ObjectInfo
from shared.storage.folder import FolderStore

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class CountingStore(FolderStore):
    """A folder store that counts how often it is asked for an object."""

    asked = 0

    def get(self, key: str, *, version: str = "") -> tuple[bytes, ObjectInfo]:
        self.asked += 1
        return super().get(key, version=version)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path) -> CountingStore:
    return CountingStore(tmp_path)


@pytest.fixture
def keys(store: CountingStore, clock: Clock) -> Keys:
    return Keys(store, now=clock)


def refused(keys: Keys, token: str) -> str:
    with pytest.raises(UnauthenticatedError) as raised:
        keys.verify(token)
    return raised.value.message


def a_key_is_its_tenant_with_its_scopes(keys):
    made = keys.create("acme", ["write", "read"], label="notebook")
    who = keys.verify(made.token)
    assert (who.tenant, who.key_id, who.scopes) == ("acme", made.key.key_id, frozenset({"read", "write"}))


def the_secret_is_stored_nowhere_only_its_hash(keys, store):
    made = keys.create("acme", ["read"])
    _, key_id, secret = made.token.split("_")
    body, _ = store.get(f"keys/{key_id}.json")
    assert secret not in body.decode()
    assert json.loads(body)["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) * 4 == 256


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: "", lambda t: "teal"]
)
def a_token_that_is_not_one_is_refused(keys, spoil):
    assert refused(keys, spoil(keys.create("acme", ["read"]).token))


def the_wrong_secret_and_the_unknown_key_get_one_message(keys, store):
    made = keys.create("acme", ["read"])
    wrong = made.token[:-1] + ("0" if made.token[-1] != "0" else "1")
    unknown = "teal_k000000000000000_" + "0" * 64
    assert refused(keys, wrong) == refused(keys, unknown)
    # and both cost one look into the store, at the first try and none at the second
    before = store.asked
    refused(keys, wrong), refused(keys, unknown)
    assert store.asked == before
    assert keys.knows(wrong)
    assert keys.knows(unknown)


def a_known_key_is_not_looked_up_again(keys, store):
    made = keys.create("acme", ["read"])
    for _ in range(5):
        keys.verify(made.token)
    assert store.asked == 1


def a_key_ends_when_it_expires(keys, clock):
    made = keys.create("acme", ["read"], expires_at=NOW + timedelta(hours=1))
    assert keys.verify(made.token).tenant == "acme"
    clock.now = NOW + timedelta(hours=1)
    assert refused(keys, made.token)


def a_revoked_key_ends_here_at_once_and_elsewhere_within_the_cache_time(keys, store, clock):
    made = keys.create("acme", ["read"])
    elsewhere, forgetful = Keys(store, now=clock), Keys(store, now=clock, cache_seconds=0)
    elsewhere.verify(made.token), forgetful.verify(made.token)
    keys.revoke(made.key.key_id)
    assert refused(keys, made.token) == refused(forgetful, made.token)
    assert elsewhere.verify(made.token).tenant == "acme"


def revoking_twice_keeps_the_first_time(keys, clock):
    made = keys.create("acme", ["read"])
    first = keys.revoke(made.key.key_id).revoked_at
    clock.now += timedelta(days=1)
    assert keys.revoke(made.key.key_id).revoked_at == first == NOW


def a_rotated_key_works_until_its_grace_ends(keys, clock):
    old = keys.create("acme", ["read", "sql"], label="app")
    new = keys.rotate(old.key.key_id, grace_seconds=600)
    assert (new.key.tenant, new.key.scopes, new.key.label) == ("acme", ("read", "sql"), "app")
    assert keys.verify(old.token).tenant == keys.verify(new.token).tenant
    clock.now += timedelta(seconds=600)
    assert refused(keys, old.token)
    assert keys.verify(new.token).key_id == new.key.key_id


def a_key_that_has_ended_cannot_be_rotated(keys):
    made = keys.create("acme", ["read"])
    keys.revoke(made.key.key_id)
    with pytest.raises(InvalidKeyRequestError):
        keys.rotate(made.key.key_id)


def test_keys_are_listed_by_tenant_oldest_first(keys, clock):
    first = keys.create("acme", ["read"]).key
    clock.now += timedelta(seconds=1)
    second, other = keys.create("acme", ["read"]).key, keys.create("other", ["read"]).key
    assert [key.key_id for key in keys.list("acme")] == [first.key_id, second.key_id]
    secret_in_store(keys._store)  # lies beside the keys
    assert {key.key_id for key in keys.list()} == {first.key_id, second.key_id, other.key_id}


@pytest.mark.parametrize(
    ("tenant", "scopes", "expires_at"),
    [
        ("acme", [], None),
        ("acme", ["root"], None),
        ("Acme", ["read"], None),
        ("../x", ["read"], None),
        ("a", ["read"], NOW),
    ],
)
def a_key_that_makes_no_sense_is_refused(keys, tenant, scopes, expires_at):
    with pytest.raises(InvalidKeyRequestError):
        keys.create(tenant, scopes, expires_at=expires_at)


@pytest.mark.parametrize("key_id", ["k000000000000000", "../catalog", ""])
def an_unknown_key_cannot_be_revoked(keys, key_id):
    with pytest.raises(UnknownKeyError):
        keys.revoke(key_id)


def a_flood_of_invented_ids_does_not_push_out_a_real_key(store, clock):
    keys = Keys(store, now=clock, cached_keys=8)
    made = keys.create("acme", ["read"])
    keys.verify(made.token)
    for number in range(50):
        refused(keys, f"teal_k{number:015x}_" + "0" * 64)
    assert keys.knows(made.token)
