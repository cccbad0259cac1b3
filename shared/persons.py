"""The erasure of persons from the side of who asks for it; nothing is written here but a command to the inbox.

The rule: who it is stays here. The command names the person by a fingerprint, so that it can lie in the inbox for ever
and is obeyed again when an older catalog was restored.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.catalog.reader import LakeReader, PinnedLake
from shared.erasure_command import ALREADY, ERASE, READMIT
from shared.errors import CommandRefusedError, InvalidParameterError, UnknownCustomerError
from shared.keys import Principal
from shared.sql.load import statement
from shared.steps.fingerprints import fingerprints_of
from shared.storage.base import ObjectStore
from shared.upload_state import UploadState
from shared.uploads import Uploads

MAX_ID = 1_000


@dataclass(frozen=True)
class Erasure:
    """What became of the wish; ``told`` is the receipt, empty until the command was obeyed."""

    state: UploadState
    told: dict[str, Any]

    @property
    def already(self) -> bool:
        """The person had been erased before."""
        return self.state.reason_code == ALREADY


@dataclass(frozen=True)
class Persons:
    """The persons of all tenants."""

    lake: ObjectStore
    uploads: Uploads
    reader_of: Callable[[str], LakeReader]

    def erase(self, principal: Principal, customer_id: str, *, mode: str, files: str) -> Erasure:
        """Erase a person and wait for it. Raises UnknownCustomerError, InvalidParameterError, CommandRefusedError."""
        person = self._person(principal, customer_id)
        state = self._command(principal, ERASE, {"person": person, "mode": mode, "files": files})
        if not state.settled:
            return Erasure(state, {})
        told = [one for one in self._all(principal.tenant) if one["person"] == person]
        return Erasure(state, _shown(told[0]) if told else {})

    def readmit(self, principal: Principal, customer_id: str) -> UploadState:
        """Let a person's data come in again. Raises UnknownCustomerError when the person is not erased."""
        return self._command(principal, READMIT, {"person": self._person(principal, customer_id)})

    def erasures(self, tenant: str) -> list[dict[str, Any]]:
        """Every erasure, newest first, with how much of the lake's past still knows the person."""
        return [_shown(one) for one in self._all(tenant)]

    def _person(self, principal: Principal, customer_id: str) -> str:
        if not customer_id.strip() or len(customer_id) > MAX_ID:
            raise InvalidParameterError(f"customer_id: has 1 to {MAX_ID:,} characters")
        return fingerprints_of(self.lake, principal.tenant).of("customer", customer_id.strip())

    def _command(self, principal: Principal, name: str, arguments: dict[str, Any]) -> UploadState:
        state = self.uploads.command(principal, name, arguments)
        if state.status == "held":
            if state.reason_code == UnknownCustomerError.code:
                raise UnknownCustomerError(state.reason)
            raise CommandRefusedError(state.reason, reason_code=state.reason_code, upload_id=state.upload_id)
        return state

    def _all(self, tenant: str) -> list[dict[str, Any]]:
        reader = self.reader_of(tenant)
        reader.refresh()
        with reader.pin() as lake:
            return _erasures(lake)


def _erasures(lake: PinnedLake) -> list[dict[str, Any]]:
    # A lake of an earlier version gets the table from its first writer.
    if "erased" not in lake.tables():
        return []
    result = lake.duck.query(statement("erasure/shown"), {"lake": lake.alias})
    return [dict(zip(result.columns, row, strict=True)) for row in result.rows]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    receipt = json.loads(row["receipt"])
    told = {name: value for name, value in row.items() if name not in ("person", "receipt") and value is not None}
    return {**told, **receipt}
