"""Writes a catalog file again without its free room; what it holds stays the same.

A DuckDB file does not give back what deleted rows took, and the whole catalog travels with every commit: after
maintenance most of it can be empty.
"""

from __future__ import annotations

from pathlib import Path

from shared.duck import Duck, literal

FREE_SHARE = 0.5
"""A file is written again when more than this share of its blocks is free; less would cost more than it saves."""
BLOCK_BYTES = 16_384
"""As DuckLake is told when it creates a catalog: see Duck.attach."""
_FULL, _PACKED = "full_catalog", "packed_catalog"


def pack(duck: Duck, path: Path, *, always: bool = False) -> bool:
    """Write the file again if it is worth it, and say whether it was; nobody may have it attached.

    ``always`` also when it is not: free room still holds what was deleted.
    """
    packed = path.with_suffix(".packed")
    duck.execute(f"ATTACH {literal(str(path))} AS {_FULL} (TYPE duckdb, READ_ONLY)")
    try:
        total, free = duck.execute(
            f"SELECT total_blocks, free_blocks FROM pragma_database_size() WHERE database_name = '{_FULL}'"
        )[0]
        if free <= total * FREE_SHARE and not always:
            return False
        # The storage version that DuckLake itself creates catalogs with.
        options = f"TYPE duckdb, BLOCK_SIZE {BLOCK_BYTES}, STORAGE_VERSION 'latest'"
        duck.execute(f"ATTACH {literal(str(packed))} AS {_PACKED} ({options})")
        try:
            duck.execute(f"COPY FROM DATABASE {_FULL} TO {_PACKED}")
        finally:
            duck.detach(_PACKED)
    finally:
        duck.detach(_FULL)
    packed.replace(path)
    return True
