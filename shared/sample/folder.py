"""A folder that is filled as a whole or not at all: what is not finished lies under a hidden name and is removed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.errors import InvalidParameterError


@dataclass(frozen=True)
class Place:
    """Where work goes on: ``files`` will be there in the end, ``spill`` will not."""

    files: Path
    spill: Path


@contextmanager
def filled(folder: Path) -> Iterator[Place]:
    """A place beside nothing else; when the block ends well its files move into ``folder``, else nothing is left.

    Raises InvalidParameterError when the folder is not empty, and OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidParameterError(f"out: {folder} is there and no empty folder; name another one, or remove it first")
    was_there = folder.exists()
    making = folder / f".making-{os.getpid()}"
    place = Place(making / "files", making / "spill")
    try:
        place.files.mkdir(parents=True)
        place.spill.mkdir()
        yield place
        for child in sorted(place.files.iterdir()):
            child.rename(folder / child.name)
    except BaseException:
        shutil.rmtree(making if was_there else folder, ignore_errors=True)
        raise
    shutil.rmtree(making)
