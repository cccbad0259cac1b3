"""Whether a lake may still grow: what its newest snapshot takes in the store, against what it may."""

from __future__ import annotations

from shared.duck import Duck
from shared.errors import StorageFullError
from shared.sql.load import statement


def require_room(duck: Duck, alias: str, max_bytes: int) -> None:
    """Raises StorageFullError when the data files of an attached lake have ``max_bytes`` or more."""
    size = sum(int(size) for _, _, size in duck.execute(statement("lake/files"), {"lake": alias}))
    if size >= max_bytes:
        message = f"The lake has {size:,} bytes of the {max_bytes:,} it may have; nothing more is brought in."
        raise StorageFullError(message, bytes=size, max_bytes=max_bytes)
