"""Edits of rows: each becomes a small file in the inbox and goes the way of all files; nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.answers.etags import matches, matches_strongly
from shared.catalog.reader import LakeReader
from shared.datasets.contract import DELETED_COLUMN
from shared.duck import quoted
from shared.errors import InvalidParameterError, LimitError, RowChangedError, RowHeldError, UnknownRowError
from shared.keys import Principal
from shared.row_table import Table, key_parts
from shared.rows import Rows, RowsFound, etag_of
from shared.steps.expected import ExpectedRow, Texts, fingerprint_of, texts_of
from shared.upload_state import UploadState
from shared.uploads import Uploads

MAX_ROWS_PER_EDIT = 1_000
ATTEMPTS = 5
"""How often an edit is made anew, from the newest row, when others change the same row at the same time."""


class TooManyRowsError(LimitError):
    """More rows than one edit takes; a file of any size can be uploaded."""

    code = "too_many_rows"


@dataclass(frozen=True)
class Edited:
    """What became of an edit; ``row`` is the row after it, ``errors`` name the rows that were put aside."""

    upload: UploadState
    row: RowsFound | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def committed(self) -> bool:
        """It is in the lake (or was there already)."""
        return self.upload.status in ("loaded", "skipped")

    @property
    def changed(self) -> bool:
        """The lake is not what it was."""
        return bool(self.upload.accepted)


@dataclass(frozen=True)
class EditRows:
    """Edits of all tenants' rows, each one commit like any upload."""

    reader_of: Callable[[str], LakeReader]
    rows: Rows
    uploads: Uploads
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def put(
        self,
        principal: Principal,
        dataset: str,
        key: str,
        row: Mapping[str, Any],
        *,
        if_match: str = "",
        if_none_match: str = "",
    ) -> Edited:
        """Create the row or replace it as a whole: a column that is not given becomes empty, or its default.

        Personal data that the key may not see stays as it is unless a value is given. Raises as ``get``, and
        UnknownColumnError, RowChangedError, RowHeldError.
        """

        def edit() -> Edited:
            table, current = self._current(principal, dataset, key, if_match, must_exist=False)
            if current and matches(if_none_match, etag_of(self.rows.get(principal, dataset, key))):
                raise RowChangedError("There is such a row already. Read it.")
            document = {name: row.get(name) for name in table.types}
            kept = [name for name in table.masked if current and document[name] is None]
            document |= {name: current[name] for name in kept}
            conditional = bool(if_match or if_none_match or kept)
            expected = _expected(table, key, current) if conditional else None
            return self._write(principal, table, key, self._row(table, key, row, document), expected)

        return _until_unchanged(edit, again=if_match in ("", "*") and not if_none_match)

    def patch(
        self, principal: Principal, dataset: str, key: str, changes: Mapping[str, Any], *, if_match: str = ""
    ) -> Edited:
        """Change some columns of a row as the newest snapshot has it; null empties one. Raises as ``put``."""

        def edit() -> Edited:
            table, current = self._current(principal, dataset, key, if_match, must_exist=True)
            row = self._row(table, key, changes, {**current, **changes})
            return self._write(principal, table, key, row, _expected(table, key, current))

        return _until_unchanged(edit, again=if_match in ("", "*"))

    def delete(self, principal: Principal, dataset: str, key: str, *, if_match: str = "") -> Edited:
        """Take a row away; an older version of it that arrives later stays away. Raises as ``get``, RowChangedError."""

        def edit() -> Edited:
            table, current = self._current(principal, dataset, key, if_match, must_exist=True)
            contract = table.contract
            row: dict[str, Any] = {name: current[name] for name in contract.key} | {DELETED_COLUMN: True}
            row |= {contract.updated_column: self._moment()} if contract.updated_column else {}
            # Required columns come along, so that the file fits its contract; only the key counts.
            row |= {name: current[name] for name in contract.required() - row.keys()}
            return self._submitted(principal, table, [row], _expected(table, key, current) if if_match else None)

        return _until_unchanged(edit, again=if_match in ("", "*"))

    def add(self, principal: Principal, dataset: str, rows: Sequence[Mapping[str, Any]]) -> Edited:
        """Add or replace up to MAX_ROWS_PER_EDIT rows by key, in one commit.

        Rows that break a rule are named in ``errors``; the others are in. Raises RowHeldError when none is, and
        UnknownDatasetError, UnknownColumnError, TooManyRowsError.
        """
        if not rows:
            raise InvalidParameterError("rows: at least one")
        if len(rows) > MAX_ROWS_PER_EDIT:
            raise TooManyRowsError(f"One request takes {MAX_ROWS_PER_EDIT:,} rows; upload a file for more.")
        with self.reader_of(principal.tenant).pin() as lake:
            table = self.rows.table(principal, lake, dataset)
        for row in rows:
            table.checked(tuple(row))
        return self._submitted(principal, table, [self._stamped(table, row, dict(row)) for row in rows])

    def _current(
        self, principal: Principal, dataset: str, key: str, if_match: str, *, must_exist: bool
    ) -> tuple[Table, Texts]:
        """The row at the newest snapshot, unmasked and as text, {} when there is none."""
        reader = self.reader_of(principal.tenant)
        reader.refresh()
        with reader.pin() as lake:
            table = self.rows.table(principal, lake, dataset)
            condition, bound = table.by_key(key)
            current = texts_of(lake.duck, quoted(dataset), table.types, condition, bound)
        if not current:
            if if_match:
                raise RowChangedError("There is no such row any more, so it is not the one you read.")
            if must_exist:
                raise UnknownRowError(f"{dataset} has no row with this key.")
            return table, {}
        if if_match and not matches_strongly(if_match, etag_of(self.rows.get(principal, dataset, key))):
            raise RowChangedError("The row was changed since you read it. Read it again.")
        return table, current

    def _row(self, table: Table, key: str, given: Mapping[str, Any], document: dict[str, Any]) -> dict[str, Any]:
        """The document as the row with this key. Raises UnknownColumnError, InvalidParameterError."""
        table.checked(tuple(given))
        for name, text in zip(table.contract.key, key_parts(key, table.contract), strict=True):
            if name in given and str(given[name]) != text:
                raise InvalidParameterError(f"{name}: is the row's key and differs from the address")
            document[name] = text
        return self._stamped(table, given, document)

    def _write(
        self, principal: Principal, table: Table, key: str, row: dict[str, Any], expected: ExpectedRow | None
    ) -> Edited:
        """Submit a whole row, and read it back."""
        edited = self._submitted(principal, table, [row], expected)
        if not edited.committed:
            return edited
        self.reader_of(principal.tenant).refresh()
        return Edited(edited.upload, self.rows.get(principal, table.contract.name, key), edited.errors)

    def _stamped(self, table: Table, given: Mapping[str, Any], document: dict[str, Any]) -> dict[str, Any]:
        updated = table.contract.updated_column
        if updated and given.get(updated) is None:
            document[updated] = self._moment()
        return document

    def _submitted(
        self, principal: Principal, table: Table, rows: list[dict[str, Any]], expected: ExpectedRow | None = None
    ) -> Edited:
        state = self.uploads.submit_rows(principal, table.contract.name, rows, expected)
        if state.reason_code == RowChangedError.code:
            raise RowChangedError(state.reason)
        errors = self._errors(principal.tenant, state) if state.held else []
        if state.status == "held" or (errors and not state.accepted and not state.duplicate):
            first = errors[0]["message"] if errors and errors[0]["where"] else state.reason
            raise RowHeldError(first, errors=errors, upload_id=state.upload_id, reason_code=state.reason_code)
        return Edited(state, None, errors)

    def _errors(self, tenant: str, state: UploadState) -> list[dict[str, Any]]:
        held = self.uploads.reports.held_rows(tenant, state.upload_id, limit=min(100, self.rows.max_page_rows)).items
        return [
            {
                "row": one.row,
                "where": one.column,
                "rule": one.rule,
                "value": one.text,
                "message": f"{one.column}: breaks the rule {one.rule}" if one.column else f"row: {one.rule}",
            }
            for one in held
        ]

    def _moment(self) -> str:
        return self.now().astimezone(UTC).isoformat(timespec="microseconds")


def _expected(table: Table, key: str, current: Texts) -> ExpectedRow:
    parts = dict(zip(table.contract.key, key_parts(key, table.contract), strict=True))
    return ExpectedRow(table.contract.name, parts, fingerprint_of(current))


def _until_unchanged(edit: Callable[[], Edited], *, again: bool) -> Edited:
    """Make an edit anew from the newest row when another one came first, if its sender need not know."""
    for _ in range(ATTEMPTS - 1 if again else 0):
        with suppress(RowChangedError):
            return edit()
    return edit()
