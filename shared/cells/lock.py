"""Shuts a DuckDB in: from then on it opens the files that are named, and nothing changes what it was told.

The rule: what a session needs is opened before; the lock is read back, and what is not as it should be is not used.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from shared.duck import Duck, literal
from shared.errors import EngineUnavailableError


def lock(
    duck: Duck,
    *,
    home: Path,
    files: Collection[str] = (),
    folders: Collection[str] = (),
    own_files: Collection[str] = (),
    own_folders: Collection[str] = (),
    changeable: Collection[str] = (),
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Let it open only these files and what lies in these folders (each ends with a slash).

    ``own_files`` and ``own_folders`` are what DuckDB adds itself, where it does: an attached catalog, and where it
    spills. ``settings`` are set as well, and ``changeable`` ones may still be set afterwards. Raises
    EngineUnavailableError.
    """
    told: dict[str, Any] = {
        **(settings or {}),
        "home_directory": str(home),
        "allowed_directories": list(folders),
        "allowed_paths": list(files),
        "allowed_configs": list(changeable),
        "disabled_filesystems": "HTTPFileSystem,HuggingFaceFileSystem",
        "enable_external_access": False,
        "lock_configuration": True,
    }
    for name, value in told.items():
        written = f"[{', '.join(map(literal, value))}]" if isinstance(value, list) else literal(value)
        duck.execute(f"SET {name} = {written}")
    kept = {name: duck.value(f"SELECT current_setting('{name}')") for name in told}
    if (
        kept["enable_external_access"] is not False
        or kept["lock_configuration"] is not True
        or {name.lower() for name in kept["allowed_configs"]} != {name.lower() for name in changeable}
        or not set(files) <= set(kept["allowed_paths"]) <= {*files, *own_files}
        or not set(folders) <= set(kept["allowed_directories"]) <= {*folders, *own_folders}
    ):
        raise EngineUnavailableError("The engine could not be locked.")
