"""Commands that came through the inbox: replay an upload, register a contract, publish a question, roll back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from shared.catalog.writer import LAKE, Change, LakeWriter, NothingToCommit
from shared.datasets.contract import Contract
from shared.datasets.registry import built_in, contract_from
from shared.duck import Duck
from shared.errors import AppError, ContractError, InputError, UnknownUploadError
from shared.inbox import COMMANDS
from shared.rollback import set_back
from shared.steps import ledger, publish
from shared.steps.fit import fit_table
from shared.steps.new_dataset import refuse_too_many, require_free_name
from shared.steps.order import Order, read_options_from
from shared.values import InboxKey, UploadedObject


@dataclass(frozen=True)
class Command:
    """What a command object says; ``arguments`` are checked by the command itself."""

    name: str
    author: str
    arguments: dict[str, Any]


def command_from(body: bytes) -> Command:
    """Read a command object. Raises InputError."""
    try:
        told = json.loads(body)
        name, author = str(told.pop("command")), str(told.pop("author"))
    except (ValueError, KeyError, AttributeError) as error:
        raise InputError("A command is a JSON object with command and author.") from error
    return Command(name, author, told)


def replay_order(duck: Duck, tenant: str, command: Command) -> tuple[InboxKey, Order]:
    """Which object to read again, for which dataset, and how. Raises UnknownUploadError. The lake is attached."""
    upload_id = str(command.arguments.get("upload_id", ""))
    rows = duck.execute(
        f"SELECT bucket, object_key, object_version, etag, size_bytes, dataset, replay_of FROM {LAKE}.teal.uploads "
        "WHERE upload_id = $id ORDER BY uploads.committed_at LIMIT 1",
        {"id": upload_id},
    )
    if not rows:
        raise UnknownUploadError(f"There is no upload {upload_id[:40]}.")
    bucket, key, version, etag, size, dataset, replayed = rows[0]
    if key.split("/")[2] == COMMANDS:
        # Read as a file it would be rows for everybody who may read, and a dataset by which orders are given.
        if dataset == COMMANDS or not replayed:
            raise InputError("A command cannot be replayed; give it again.")
        return replay_order(duck, tenant, replace(command, arguments={**command.arguments, "upload_id": replayed}))
    order = Order(
        options=read_options_from(command.arguments.get("options") or {}),
        replay_of=upload_id,
        upload=UploadedObject(bucket, key, version, etag, size),
        contract_version=command.arguments.get("contract_version"),
    )
    return InboxKey(tenant, dataset, key.split("/", 3)[-1]), order


def run_command(
    duck: Duck,
    writer: LakeWriter,
    command: Command,
    entry: ledger.Entry,
    *,
    after_rollback: Callable[[Change], None] = lambda change: None,
) -> tuple[ledger.Entry, int]:
    """Do what a command says, once; one that cannot be done is held. Returns its ledger entry and the snapshot.

    What it does and its ledger row are one commit, so a command that is delivered again never does it again.
    """
    entry = replace(entry, source=command.name, status="loaded")
    try:
        return _commit(duck, writer, command, entry, _effect_of(command, after_rollback))
    except (KeyError, TypeError, ValueError):
        held = replace(entry, status="held", reason_code="invalid_input", reason="The command lacks an argument.")
    except AppError as error:
        if error.again:
            raise
        held = replace(entry, status="held", reason_code=error.code, reason=error.message)
    return _commit(duck, writer, command, held, _nothing)


Effect = Callable[[Change, Command, ledger.Entry], ledger.Entry]
"""What a command does inside its commit; returns its ledger entry."""


def _effect_of(command: Command, after_rollback: Callable[[Change], None]) -> Effect:
    if command.name == "register_contract":
        return _register
    if command.name == "rollback":
        return lambda change, command, entry: _roll_back(change, command, entry, after_rollback)
    if command.name == "publish_question":
        return _publish_question
    if command.name == "remove_question":
        return _remove_question
    raise InputError(f"There is no command {command.name[:40]}.")


def _commit(
    duck: Duck, writer: LakeWriter, command: Command, entry: ledger.Entry, effect: Effect
) -> tuple[ledger.Entry, int]:
    def change(change: Change) -> ledger.Entry:
        if known := ledger.find(duck, entry.upload).known:
            reason = f"This version was already brought in as {known}."
            raise NothingToCommit(replace(entry, upload_id=known, status="skipped", reason_code="", reason=reason))
        done = effect(change, command, entry)
        ledger.record(duck, done, now=datetime.now(UTC))
        change.message += f"; upload {entry.upload_id}"  # the author is who gave the command
        return done

    committed = writer.commit(command.author, change, duck=duck)
    return committed.result, committed.snapshot_id


def _nothing(change: Change, command: Command, entry: ledger.Entry) -> ledger.Entry:
    change.message = f"{command.name}: {entry.reason}"
    return entry


def _roll_back(change: Change, command: Command, entry: ledger.Entry, after: Callable[[Change], None]) -> ledger.Entry:
    snapshot = int(command.arguments["snapshot"])
    set_back(change, snapshot, author=command.author)
    after(change)
    return replace(entry, reason=f"Rolled back to snapshot {snapshot}.")


def _register(change: Change, command: Command, entry: ledger.Entry) -> ledger.Entry:
    wanted = contract_from(command.arguments["contract"])
    registered = ledger.contracts(change.duck)
    known = registered.get(wanted.name, ())
    former = known[-1] if known else built_in().get(wanted.name)
    if former is None:
        require_free_name(wanted.name)
        refuse_too_many(registered, [wanted.name])
    _refuse_changed_types(former, wanted)
    contract = wanted.model_copy(update={"version": former.version + 1 if former else 1})
    fit_table(change.duck, contract)
    ledger.record_contract(change.duck, contract, author=command.author)
    change.message = f"contract {contract.name} version {contract.version}"
    return replace(entry, reason=f"{change.message} registered.", contract_version=contract.version)


def _publish_question(change: Change, command: Command, entry: ledger.Entry) -> ledger.Entry:
    told = command.arguments
    version = publish.publish(change, str(told["name"]), told["definition"], author=command.author)
    return replace(entry, reason=f"Question {told['name']} version {version} published.")


def _remove_question(change: Change, command: Command, entry: ledger.Entry) -> ledger.Entry:
    name = str(command.arguments["name"])
    publish.remove(change, name, author=command.author)
    return replace(entry, reason=f"Question {name} removed.")


def _refuse_changed_types(former: Contract | None, wanted: Contract) -> None:
    """Columns may be added and rules changed; stored columns keep their types and the key stays, or ContractError."""
    if former is None:
        return
    if former.key != wanted.key:
        raise ContractError(f"The key of {wanted.name} is {', '.join(former.key)} and stays so.")
    for column in former.columns:
        now = wanted.column(column.name)
        if now is None:
            raise ContractError(f"Column {column.name} of {wanted.name} cannot be left out.")
        if now.type != column.type:
            raise ContractError(f"Column {column.name} is {column.type} and cannot become {now.type}.")
