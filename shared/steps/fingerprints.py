"""Keyed hashes of who was erased: a person is known again by them, and nobody is found out by guessing."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

from shared.catalog.stored import lake_prefix
from shared.datasets.registry import plain
from shared.duck import Duck
from shared.errors import UnavailableError
from shared.secret import secret_in_store
from shared.storage.base import ObjectStore

EMAIL = r"[^\s@,;:|\"'<>()\[\]{}=&?]+@[^\s@,;:|\"'<>()\[\]{}=&?]+\.[^\s@,;:|\"'<>()\[\]{}=&?]+"
"""What is taken for an e-mail address in a text."""

_BLOCK = 64
_WORD = re.compile(r"[^\s,;:|\"'<>()\[\]{}=&?\\/]+")


class ErasureSecretLostError(UnavailableError):
    """The secret of the lake's erasures is not the one they were made with, so nobody erased would be known again."""

    code = "erasure_secret_lost"


@dataclass(frozen=True)
class Fingerprints:
    """HMAC-SHA-256 (RFC 2104) with one lake's own key, in Python and in SQL."""

    key: bytes = field(repr=False)

    def of(self, kind: str, text: str) -> str:
        """64 hexadecimal digits; ``kind`` is customer, email, session or check."""
        return hmac.new(self.key, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()

    @property
    def check(self) -> str:
        """The same for the same key."""
        return self.of("check", "")

    def make_ready(self, duck: Duck) -> None:
        """Make SQL's own ``fingerprint(kind, text)`` in a session; the key stays in a temporary table."""
        key = self.key if len(self.key) <= _BLOCK else hashlib.sha256(self.key).digest()
        inner, outer = (bytes(byte ^ mask for byte in key.ljust(_BLOCK, b"\0")) for mask in (0x36, 0x5C))
        duck.execute(
            "CREATE OR REPLACE TEMP TABLE fingerprint_key AS SELECT $inner::BLOB AS inner_, $outer::BLOB AS outer_",
            {"inner": inner, "outer": outer},
        )
        duck.execute(
            "CREATE OR REPLACE TEMP MACRO fingerprint(kind, told) AS sha256("
            "(SELECT outer_ FROM temp.fingerprint_key) || unhex(sha256("
            "(SELECT inner_ FROM temp.fingerprint_key) || encode(kind || ':' || told))))"
        )


def fingerprints_of(store: ObjectStore, tenant: str) -> Fingerprints:
    """Those of a tenant's lake; its key is beside its data and is made by whoever needs it first."""
    return Fingerprints(secret_in_store(store, f"{lake_prefix(tenant)}erasure.secret"))


@dataclass(frozen=True)
class Mentions:
    """Finds persons, known by their fingerprints alone, in texts that are no column of a table.

    An id of digits alone, or of fewer than four characters, is looked for only where a customer is named: elsewhere it
    would be a quantity or a price.
    """

    fingerprints: Fingerprints
    persons: frozenset[str]
    emails: frozenset[str]
    named: frozenset[str] = frozenset()
    _known: dict[str, bool] = field(default_factory=dict, repr=False)

    def is_customer(self, text: str) -> bool:
        """The whole text is an erased customer's id."""
        return self._remembered("customer", text.strip(), self.persons)

    def in_text(self, text: str, *, is_raw: bool = False) -> bool:
        """A word of the text is an erased person's id or e-mail; in a ``raw`` line every word may be an id."""
        if any(self._remembered("email", found, self.emails) for found in re.findall(EMAIL, text.lower())):
            return True
        words = {text.strip(), *_WORD.findall(text)}
        return any(self.is_customer(word) for word in words if is_raw or _is_telling(word))

    def in_document(self, value: object, name: str = "") -> bool:
        """A JSON value mentions the person; ``name`` is what it stands under, without case and punctuation."""
        if isinstance(value, dict):
            return any(self.in_document(one, plain(key)) or self.in_text(key) for key, one in value.items())
        if isinstance(value, list):
            return any(self.in_document(one, name) for one in value)
        if value is None or isinstance(value, bool):
            return False
        text = str(value)
        return (name in self.named and self.is_customer(text)) or self.in_text(text)

    def _remembered(self, kind: str, text: str, among: frozenset[str]) -> bool:
        known = f"{kind}:{text}"
        if known not in self._known:
            self._known[known] = self.fingerprints.of(kind, text) in among
        return self._known[known]


def _is_telling(word: str) -> bool:
    return len(word) >= 4 and not word.isdecimal()
