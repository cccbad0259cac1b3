"""The parts of an API that need no more than a store and readers of its lakes, put together once for all tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shared.api.app import ApiParts
from shared.catalog.reader import LakeReader
from shared.edits import EditRows
from shared.keys import Keys
from shared.paging import Cursors
from shared.persons import Persons
from shared.rows import Rows
from shared.snapshots import Snapshots
from shared.storage.base import ObjectStore
from shared.uploads import Uploads

ReaderOf = Callable[[str], LakeReader]


def api_parts(
    store: ObjectStore,
    reader_of: ReaderOf,
    uploads: Uploads,
    keys: Keys,
    cursors: Cursors,
    *,
    rows: Rows | None = None,
    **more: Any,
) -> ApiParts:
    """The parts; ``more`` are other fields of ApiParts, or other values of these."""
    rows = rows or Rows(reader_of, cursors)
    usual: dict[str, Any] = {
        "authenticator": keys,
        "uploads": uploads,
        "rows": rows,
        "edits": EditRows(reader_of, rows, uploads),
        "snapshots": Snapshots(reader_of, cursors),
        "persons": Persons(store, uploads, reader_of),
        "ready": lambda: None,
    }
    return ApiParts(**(usual | more))
