"""How the objects of an upload are named and spelled: ids, keys and the bytes of row edits; pure."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

from shared.errors import InputError

AUTO = "auto"
"""The dataset of a file whose header decides."""
COMMANDS = "_commands"
"""The inbox folder whose objects are orders, not files."""
UPLOAD_ID = re.compile(r"(?:u[0-9a-f]{23}|[0-9a-f]{24})\Z")

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


def new_upload_id() -> str:
    """The letter u and 23 hexadecimal digits: ids the ledger makes itself have 24 digits and no u."""
    return "u" + secrets.token_hex(12)[1:]


def inbox_key(tenant: str, dataset: str, upload_id: str, name: str) -> str:
    """Where an upload's bytes are put."""
    return f"inbox/{tenant}/{dataset}/{upload_id}/{name}"


def record_key(tenant: str, upload_id: str) -> str:
    """Where is kept what was asked for an upload, for ingest to read."""
    return f"uploads/{tenant}/{upload_id}.json"


def safe_name(filename: str) -> str:
    """A file's name as the end of a key: its ending survives, folders and odd characters do not. Raises InputError."""
    name = _UNSAFE.sub("-", filename.replace("\\", "/").rsplit("/", 1)[-1]).lstrip(".-")
    if not name:
        raise InputError("A file needs a name with a letter or a digit.")
    return name[-100:].lstrip(".-") or "file"


def edit_body(upload_id: str, rows: Sequence[dict[str, Any]]) -> bytes:
    """Rows as NDJSON. The same edit made twice is two edits, but the same bytes are one file: blanks part them."""
    lines = "\n".join(json.dumps(row, ensure_ascii=False, default=str) for row in rows)
    blanks = "".join("\t" if bit == "1" else " " for bit in f"{int(upload_id[1:], 16):b}")
    return f"{lines}{blanks}\n".encode()
