"""Where the objects of a tenant lie: the one list of prefixes that a deletion goes through.

The rule: whoever keeps something of a tenant under a new prefix adds it here. A test walks a real installation after a
deletion, and another one walks the code for prefixes that are not in the list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from shared.storage.base import ObjectStore

IN_LAKE = ("lake/{tenant}/", "uploads/{tenant}/", "usage/{tenant}/", "jobs/{tenant}/", "spent/{tenant}.json")
IN_INBOX = ("inbox/{tenant}/",)
EXPORTS = "exports/{tenant}/"
"""In the lakes' store; exports outlive their tenant by ``shared/tenant_deletion.py``'s KEEP_EXPORTS_DAYS."""
AT_ONCE = 16
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)


def delete_below(store: ObjectStore, prefixes: Iterable[str], tenant: str) -> int:
    """Delete every object of a tenant under some prefixes, with the former versions that a folder keeps; how many."""
    return sum(_delete_all(store, prefix.format(tenant=tenant)) for prefix in prefixes)


def tenants_in(store: ObjectStore) -> set[str]:
    """Every name that has a lake, however broken; lists all objects of all lakes."""
    return {info.key.split("/")[1] for info in store.list("lake/")}


def _delete_all(store: ObjectStore, prefix: str) -> int:
    def delete(key: str) -> None:
        store.delete(key)
        store.forget_versions(key, _FOR_GOOD)

    return _count(delete, [info.key for info in store.list(prefix)])


def _count(work: Callable[[str], None], keys: list[str]) -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(1 for _ in pool.map(work, keys))
