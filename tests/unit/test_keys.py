"""API keys: what is kept of one, who it is, and when it ends."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.datasets.rules import DataRules
from shared.errors import InvalidKeyRequestError, UnauthenticatedError
from shared.keys import Keys, TooManyKeysError, UnknownKeyError
from shared.last_used import UsageOfKeys, last_used
from shared.limits import Limits
from shared.secret import secret_in_store
from shared.storage.base import ObjectInfo
from shared.storage.folder import FolderStore
from shared.usage import Use

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


def test_a_key_is_its_tenant_with_its_scopes(keys):
    made = keys.create("acme", ["write", "read"], label="notebook")
    who = keys.verify(made.token)
    assert (who.tenant, who.key_id, who.scopes) == ("acme", made.key.key_id, frozenset({"read", "write"}))


def test_the_secret_is_stored_nowhere_only_its_hash(keys, store):
    made = keys.create("acme", ["read"])
    _, key_id, secret = made.token.split("_")
    body, _ = store.get(f"keys/{key_id}.json")
    assert secret not in body.decode()
    assert json.loads(body)["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert len(secret) * 4 == 256


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: t + "0", lambda t: t.upper(), lambda t: "", lambda t: "teal"]
)
def test_a_token_that_is_not_one_is_refused(keys, spoil):
    assert refused(keys, spoil(keys.create("acme", ["read"]).token))


def test_the_wrong_secret_and_the_unknown_key_get_one_message(keys, store):
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


def test_a_known_key_is_not_looked_up_again(keys, store):
    made = keys.create("acme", ["read"])
    for _ in range(5):
        keys.verify(made.token)
    assert store.asked == 1


def test_a_key_ends_when_it_expires(keys, clock):
    made = keys.create("acme", ["read"], expires_at=NOW + timedelta(hours=1))
    assert keys.verify(made.token).tenant == "acme"
    clock.now = NOW + timedelta(hours=1)
    assert refused(keys, made.token)


def test_a_revoked_key_ends_here_at_once_and_elsewhere_within_the_cache_time(keys, store, clock):
    made = keys.create("acme", ["read"])
    elsewhere, forgetful = Keys(store, now=clock), Keys(store, now=clock, cache_seconds=0)
    elsewhere.verify(made.token), forgetful.verify(made.token)
    keys.revoke(made.key.key_id)
    assert refused(keys, made.token) == refused(forgetful, made.token)
    assert elsewhere.verify(made.token).tenant == "acme"


def test_revoking_twice_keeps_the_first_time(keys, clock):
    made = keys.create("acme", ["read"])
    first = keys.revoke(made.key.key_id).revoked_at
    clock.now += timedelta(days=1)
    assert keys.revoke(made.key.key_id).revoked_at == first == NOW


def test_a_rotated_key_works_until_its_grace_ends(keys, clock):
    old = keys.create("acme", ["read", "sql"], label="app")
    new = keys.rotate(old.key.key_id, grace_seconds=600)
    assert (new.key.tenant, new.key.scopes, new.key.label) == ("acme", ("read", "sql"), "app")
    assert keys.verify(old.token).tenant == keys.verify(new.token).tenant
    clock.now += timedelta(seconds=600)
    assert refused(keys, old.token)
    assert keys.verify(new.token).key_id == new.key.key_id


def test_a_key_that_has_ended_cannot_be_rotated(keys):
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
def test_a_key_that_makes_no_sense_is_refused(keys, tenant, scopes, expires_at):
    with pytest.raises(InvalidKeyRequestError):
        keys.create(tenant, scopes, expires_at=expires_at)


@pytest.mark.parametrize("key_id", ["k000000000000000", "../catalog", ""])
def test_an_unknown_key_cannot_be_revoked(keys, key_id):
    with pytest.raises(UnknownKeyError):
        keys.revoke(key_id)


def test_a_flood_of_invented_ids_does_not_push_out_a_real_key(store, clock):
    keys = Keys(store, now=clock, cached_keys=8)
    made = keys.create("acme", ["read"])
    keys.verify(made.token)
    for number in range(50):
        refused(keys, f"teal_k{number:015x}_" + "0" * 64)
    assert keys.knows(made.token)


# --- another tenant's keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [Keys.get, Keys.revoke, Keys.rotate])
def test_another_tenants_key_looks_like_one_that_does_not_exist(keys, act):
    made = keys.create("acme", ["read"])
    told = []
    for key_id in (made.key.key_id, "k000000000000000", "../catalog"):
        with pytest.raises(UnknownKeyError) as raised:
            act(keys, key_id, tenant="globex")
        told.append((raised.value.message, raised.value.details))
    assert told[0] == told[1] == told[2]
    assert keys.verify(made.token).tenant == "acme"
    assert act(keys, made.key.key_id, tenant="acme")


def test_rules_and_limits_stay_with_a_key_and_go_with_its_successor(keys):
    rules = DataRules.from_document({"rows": {"orders": {"country": "DE"}}})
    made = keys.create("acme", ["read"], rules=rules, limits=Limits(requests_per_second=2.5))
    for token in (made.token, keys.rotate(made.key.key_id, grace_seconds=9).token):
        who = keys.verify(token)
        assert (who.rules, who.limits) == (rules, Limits(requests_per_second=2.5))


def test_a_tenant_may_have_only_so_many_keys_that_work(keys, monkeypatch):
    monkeypatch.setattr("shared.keys.MAX_KEYS", 2)
    first = keys.create("acme", ["read"]).key
    keys.create("acme", ["read"])
    keys.create("globex", ["read"])
    with pytest.raises(TooManyKeysError):
        keys.refuse_too_many("acme")
    keys.revoke(first.key_id)
    keys.refuse_too_many("acme")


def test_the_keys_of_others_cost_a_tenants_list_nothing(keys, store):
    for n in range(40):
        keys.create(f"other{n}", ["read"])
    mine = [keys.create("acme", ["read"]).key.key_id for _ in range(3)]
    before = store.asked
    assert {key.key_id for key in keys.list("acme")} == set(mine)
    assert store.asked - before == 3


def test_all_keys_of_a_tenant_can_be_deleted_and_no_version_of_them_stays(keys, store, tmp_path):
    gone, stays = keys.create("acme", ["read"]), keys.create("globex", ["read"])
    keys.revoke(gone.key.key_id)
    assert keys.delete_all("acme") == 1
    assert refused(keys, gone.token)
    assert keys.verify(stays.token).tenant == "globex"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and b"acme" in path.read_bytes()]


# --- when a key was last used ----------------------------------------------------------------------------------------


def test_the_last_use_of_a_key_is_noted_after_its_first_request_and_then_now_and_then(keys, store):
    made = keys.create("acme", ["read"])
    usage = UsageOfKeys(store, note_seconds=0.2)
    assert last_used(store) == {}
    assert usage.add(Use("acme", "sales/summary", made.key.key_id, 200, 1.0)), "something is to be handed in"
    usage.hand_in()
    first = last_used(store)[made.key.key_id]
    assert abs((datetime.now(UTC) - first).total_seconds()) < 5
    assert not usage.add(Use("acme", "sales/summary", made.key.key_id, 200, 1.0))
    time.sleep(0.25)
    assert usage.add(Use("acme", "sales/summary", made.key.key_id, 200, 1.0))
    usage.hand_in()
    assert last_used(store)[made.key.key_id] > first
    assert [key.key_id for key in keys.list()] == [made.key.key_id], "a note is no key"


def test_checking_a_key_writes_nothing(keys, store, tmp_path):
    made = keys.create("acme", ["read"])
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*"))
    keys.verify(made.token)
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*")) == before


def test_whoever_is_no_api_key_leaves_no_note(store):
    usage = UsageOfKeys(store)
    usage.add(Use("acme", "sales/summary", "jwt:0123456789ab", 200, 1.0))
    usage.hand_in()
    assert last_used(store) == {}
