"""API keys: made once, kept as a hash, each for one tenant with scopes; the secret exists only in its owner's hands."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.datasets.rules import EVERYTHING, DataRules
from shared.errors import (
    InvalidKeyRequestError,
    LimitError,
    NotFoundError,
    ObjectNotFoundError,
    UnauthenticatedError,
)
from shared.limits import UNLIMITED, Limits
from shared.recent import Recent
from shared.storage.base import ObjectStore
from shared.values import NAME

SCOPES = ("read", "write", "sql", "admin")
"""No scope contains another: a key may do exactly what it names."""

PERSONAL_SCOPE = "admin"
"""Who has it sees the columns that contracts mark personal."""

READING = frozenset({"read", "sql"})
"""The scopes under which a key's rules are kept; who writes would write past them."""

CACHE_SECONDS = 60.0
"""How long a revoked key may still work in a warm process."""

MAX_KEYS = 1_000
"""That work, of one tenant."""

NOT_ADMITTED = "A valid credential is needed: Authorization: Bearer <API key or token>."
"""What every refusal says, whatever was wrong."""

_PREFIX = "keys/"
_AT_ONCE = 16
"""Keys read at a time for a list."""
_TOKEN = re.compile(r"teal_(k[0-9a-f]{15})_([0-9a-f]{64})\Z")
_KEY_ID = re.compile(r"k[0-9a-f]{15}\Z")
_OBJECT = re.compile(r"keys/(k[0-9a-f]{15})\.json\Z")
"""The secret that signs cursors lies beside the keys."""
_TIMES = ("created_at", "expires_at", "revoked_at")
_NO_DIGEST = "0" * 64


class UnknownKeyError(NotFoundError):
    """No API key of that id."""

    code = "unknown_key"


class TooManyKeysError(LimitError):
    """The tenant has as many keys as one may have; revoke those that nobody uses."""

    code = "too_many_keys"


@dataclass(frozen=True)
class Principal:
    """Who asks: a tenant, by a key (or another credential), with scopes, and within rules and limits.

    ``limits`` are what holds for it, those of its tenant among them; ``tenant_limits`` hold for all its keys together.
    """

    tenant: str
    key_id: str
    scopes: frozenset[str]
    rules: DataRules = EVERYTHING
    limits: Limits = UNLIMITED
    tenant_limits: Limits = UNLIMITED

    @property
    def sees_personal(self) -> bool:
        """Whether personal data is shown."""
        return PERSONAL_SCOPE in self.scopes


@dataclass(frozen=True)
class ApiKey:
    """What is stored of a key; ``sha256`` is its secret's hash in hexadecimal (256 random bits: a plain hash holds)."""

    key_id: str
    tenant: str
    scopes: tuple[str, ...]
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    label: str = ""
    rules: DataRules = EVERYTHING
    limits: Limits = UNLIMITED

    def valid_at(self, now: datetime) -> bool:
        """Neither revoked nor expired then."""
        ends = [moment for moment in (self.revoked_at, self.expires_at) if moment is not None]
        return all(now < moment for moment in ends)


@dataclass(frozen=True)
class NewKey:
    """A key and its only copy of the token that is presented as ``Authorization: Bearer <token>``."""

    key: ApiKey
    token: str


class Keys:
    """The keys of an installation, in its store under ``keys/``; shared by all threads of a process."""

    def __init__(
        self,
        store: ObjectStore,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        cache_seconds: float = CACHE_SECONDS,
        cached_keys: int = 1_024,
    ) -> None:
        self._store = store
        self._now = now
        # Unknown ids are remembered like known ones, apart from them: the first and the second try of either cost the
        # same, and a flood of invented ids cannot push out a real key.
        self._known: Recent[ApiKey] = Recent(cache_seconds, cached_keys)
        self._unknown: Recent[None] = Recent(cache_seconds, cached_keys)

    def create(
        self,
        tenant: str,
        scopes: Iterable[str],
        *,
        label: str = "",
        expires_at: datetime | None = None,
        rules: DataRules = EVERYTHING,
        limits: Limits = UNLIMITED,
    ) -> NewKey:
        """Make a key. Raises InvalidKeyRequestError."""
        wanted = tuple(scope for scope in SCOPES if scope in (given := frozenset(scopes)))
        if not wanted or len(wanted) != len(given):
            raise InvalidKeyRequestError(f"A key needs at least one scope of {', '.join(SCOPES)}, and no other.")
        if rules and not given <= READING:
            raise InvalidKeyRequestError(f"A key with rules may have the scopes {' and '.join(sorted(READING))} only.")
        if not NAME.match(tenant):
            raise InvalidKeyRequestError("A tenant is a lower-case name: a-z, 0-9 and _, at most 63.")
        now = self._now()
        if expires_at is not None and expires_at <= now:
            raise InvalidKeyRequestError("A key cannot expire in the past.")
        secret = secrets.token_hex(32)
        key = ApiKey(
            key_id=first_of_ids(tenant) + secrets.token_hex(5),
            tenant=tenant,
            scopes=wanted,
            sha256=_digest(secret),
            created_at=now,
            expires_at=expires_at,
            label=label[:200],
            rules=rules,
            limits=limits,
        )
        self._store.put_if_match(_object_key(key.key_id), _document(key), etag="")
        return NewKey(key, f"teal_{key.key_id}_{secret}")

    def list(self, tenant: str | None = None) -> list[ApiKey]:
        """All keys, or one tenant's, oldest first.

        What a tenant waits for does not depend on how many keys others have: its ids begin alike. Keys of before that
        was so are in the list of all.
        """
        first = _PREFIX + ("" if tenant is None else first_of_ids(tenant))
        names = [match[1] for info in self._store.list(first) if (match := _OBJECT.match(info.key))]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # One that was deleted since the listing is none.
            found = [key for key in pool.map(self._stored, names) if key and tenant in (None, key.tenant)]
        return sorted(found, key=lambda key: (key.created_at, key.key_id))

    def get(self, key_id: str, *, tenant: str | None = None) -> ApiKey:
        """One key; with ``tenant``, only if it is that one's. Raises UnknownKeyError, one for both reasons."""
        key = self._stored(key_id)
        if key is None or tenant not in (None, key.tenant):
            raise UnknownKeyError("There is no such key.")
        return key

    def refuse_too_many(self, tenant: str) -> None:
        """Raises TooManyKeysError when the tenant has MAX_KEYS that work; for keys that are made through the API."""
        now = self._now()
        if sum(key.valid_at(now) for key in self.list(tenant)) >= MAX_KEYS:
            raise TooManyKeysError(f"A tenant may have {MAX_KEYS:,} keys; revoke those that nobody uses.")

    def revoke(self, key_id: str, *, tenant: str | None = None) -> ApiKey:
        """End a key now; warm processes notice within CACHE_SECONDS. Raises UnknownKeyError, as ``get``."""
        now = self._now()
        return self._change(key_id, tenant, lambda key: replace(key, revoked_at=key.revoked_at or now))

    def rotate(self, key_id: str, *, grace_seconds: float = 0, tenant: str | None = None) -> NewKey:
        """A key like that one, which ends after ``grace_seconds``.

        Raises UnknownKeyError, as ``get``, and InvalidKeyRequestError.
        """
        now = self._now()
        former = self.get(key_id, tenant=tenant)
        if not former.valid_at(now):
            raise InvalidKeyRequestError("A key that has ended cannot be rotated; make a new one.")
        made = self.create(
            former.tenant,
            former.scopes,
            label=former.label,
            expires_at=former.expires_at,
            rules=former.rules,
            limits=former.limits,
        )
        ends = now + timedelta(seconds=grace_seconds)
        self._change(key_id, tenant, lambda key: replace(key, expires_at=min(ends, key.expires_at or ends)))
        return made

    def delete_all(self, tenant: str) -> int:
        """Delete every key of a tenant, as if there had never been one; how many."""
        found = [key for key in self.list() if key.tenant == tenant]
        for key in found:
            for name in (_object_key(key.key_id), used_key(key.key_id)):
                self._store.delete(name)
                self._store.forget_versions(name, datetime.max.replace(tzinfo=UTC))
            self._known.forget(key.key_id)
        return len(found)

    def verify(self, token: str) -> Principal:
        """Whose token it is. Raises UnauthenticatedError, with one message for every reason; StoreUnavailableError."""
        match = _TOKEN.match(token)
        key_id, secret = match.groups() if match else ("", "")
        key = self._remembered(key_id) if match else None
        # Hashed and compared whether or not there is such a key: a wrong id takes as long as a wrong secret.
        equal = hmac.compare_digest(_digest(secret), key.sha256 if key else _NO_DIGEST)
        if key is None or not equal or not key.valid_at(self._now()):
            raise UnauthenticatedError(NOT_ADMITTED)
        return Principal(key.tenant, key.key_id, frozenset(key.scopes), key.rules, key.limits)

    def knows(self, token: str) -> bool:
        """Whether ``verify`` would answer from memory, without a request to the store."""
        return self.remembered_tenant(token) is not None

    def remembered_tenant(self, token: str) -> str | None:
        """The tenant of the key if that is in memory, "" for what will be refused; None: the store must be asked."""
        match = _TOKEN.match(token)
        if match is None or match[1] in self._unknown:
            return ""
        key = self._known.get(match[1])
        return key.tenant if key else None

    def _remembered(self, key_id: str) -> ApiKey | None:
        if (key := self._known.get(key_id)) is not None:
            return key
        if key_id in self._unknown:
            return None
        key = self._stored(key_id)
        if key is None:
            self._unknown.put(key_id, None)
        else:
            self._known.put(key_id, key)
        return key

    def _stored(self, key_id: str) -> ApiKey | None:
        if not _KEY_ID.match(key_id):
            return None
        try:
            return _key_from(self._store.get(_object_key(key_id))[0])
        except ObjectNotFoundError:
            return None

    def _change(self, key_id: str, tenant: str | None, change: Callable[[ApiKey], ApiKey]) -> ApiKey:
        self.get(key_id, tenant=tenant)
        body, info = self._store.get(_object_key(key_id))
        changed = change(_key_from(body))
        self._store.put_if_match(_object_key(key_id), _document(changed), etag=info.etag)
        self._known.forget(key_id)
        return changed


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _object_key(key_id: str) -> str:
    return f"{_PREFIX}{key_id}.json"


def _document(key: ApiKey) -> bytes:
    document = {**key.__dict__, **{name: _text(getattr(key, name)) for name in _TIMES}}
    document |= {"rules": key.rules.document(), "limits": key.limits.document()}
    return json.dumps(document, indent=1).encode()


def is_key_id(text: str) -> bool:
    """Whether it is an API key's id, and not that of another credential."""
    return bool(_KEY_ID.match(text))


def first_of_ids(tenant: str) -> str:
    """How the ids of a tenant's keys begin, and those of one in a million others."""
    return "k" + _digest(tenant)[:5]


def used_key(key_id: str) -> str:
    """The object whose own time says when a key was last used, see ``shared/last_used.py``."""
    return f"{_PREFIX}used/{key_id}"


def _key_from(body: bytes) -> ApiKey:
    told: dict[str, Any] = json.loads(body)
    times = {name: datetime.fromisoformat(told[name]) if told.get(name) else None for name in _TIMES}
    # A key of an earlier version has neither.
    rules = DataRules.from_document(told.get("rules") or {})
    limits = Limits.from_document(told.get("limits") or {})
    return ApiKey(**{**told, **times, "scopes": tuple(told["scopes"]), "rules": rules, "limits": limits})


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
