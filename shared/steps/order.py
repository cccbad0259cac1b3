"""What the sender of an upload asked for beside its bytes: read options, a replay, a correction."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from shared.errors import InputError, ObjectNotFoundError
from shared.formats.table import ReadOptions
from shared.inbox import record_key
from shared.steps.expected import ExpectedRow
from shared.storage.base import ObjectStore
from shared.values import UploadedObject


@dataclass(frozen=True)
class Order:
    """``upload`` is another object to read instead (a replay); ``contract_version`` judges by a former contract.

    ``expected`` is the row that an edit was made against.
    """

    options: ReadOptions = field(default_factory=ReadOptions)
    replay_of: str = ""
    upload: UploadedObject | None = None
    contract_version: int | None = None
    expected: ExpectedRow | None = None


def read_options_from(told: dict[str, Any]) -> ReadOptions:
    """Options by name. Raises InputError for one that does not exist."""
    known = {field.name for field in fields(ReadOptions)}
    if unknown := sorted(told.keys() - known):
        raise InputError(f"Unknown read option {unknown[0]}; there are {', '.join(sorted(known))}.")
    return ReadOptions(**told)


def read_order(lake: ObjectStore, tenant: str, upload_id: str) -> Order:
    """The order of an upload; an empty one when it was simply put into the inbox."""
    try:
        body, _ = lake.get(record_key(tenant, upload_id))
    except ObjectNotFoundError:
        return Order()
    told = json.loads(body)
    return Order(
        options=read_options_from(told.get("options") or {}),
        replay_of=told.get("replaces") or told.get("replay_of") or "",
        upload=UploadedObject(**told["upload"]) if told.get("upload") else None,
        contract_version=told.get("contract_version"),
        expected=ExpectedRow(**told["expected"]) if told.get("expected") else None,
    )
