"""From a file to staged datasets: which contract or source its header means, and everything judged by contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from shared.datasets.contract import Contract
from shared.datasets.infer import infer_contract
from shared.datasets.registry import best, built_in, missing
from shared.duck import UnreadableInputError
from shared.errors import ContractError, UnknownColumnsError
from shared.formats.base import open_table
from shared.formats.table import TextTable
from shared.sources.known import Source, nearest, nearly, source_for
from shared.steps.by_contract import read_by_contract
from shared.steps.judge import LookCloserError
from shared.steps.ledger import Contracts
from shared.steps.new_dataset import require_free_name
from shared.steps.reading import FileContext, Read
from shared.steps.rounding import notes_on_rounding
from shared.steps.through_source import read_through_source
from shared.values import InboxKey


def read_and_judge(context: FileContext, path: Path, key: InboxKey, registered: Contracts) -> Read:
    """Open the file, find out what it is, stage and judge its rows.

    Raises EmptyFileError, UnreadableFileError, UnknownColumnsError, AmbiguousDatesError, ContractError.
    """

    def read(*, checked: bool) -> Read:
        table = open_table(
            context.duck,
            path,
            "raw_file",
            options=context.order.options,
            work_dir=context.folder,
            filename=key.path.rsplit("/", 1)[-1],
            checked=checked,
        )
        return _named(_judged(context, table, key, registered), key)

    try:
        found = read(checked=False)
    except (LookCloserError, UnreadableInputError):
        found = read(checked=True)
    return replace(found, rounding=notes_on_rounding(context.duck, found))


def _named(read: Read, key: InboxKey) -> Read:
    """With a note saying where the rows are, when it is not where the file was put."""
    names = [staged.contract.name for staged in read.staged]
    if names == [key.dataset]:
        return read
    return replace(read, notes=(*read.notes, f"The rows are in {', '.join(names)}."))


def _judged(context: FileContext, table: TextTable, key: InboxKey, registered: Contracts) -> Read:
    """Find out what an open file is, and judge its rows. Raises LookCloserError for what has to be checked first."""
    contracts = current_contracts(registered, context.order.contract_version, key.dataset)
    contract = contracts.get(key.dataset)
    source = source_for(table.columns)
    if contract is not None and missing(contract, table.columns) and source is None:
        raise UnknownColumnsError(
            f"{key.dataset} needs column {', '.join(missing(contract, table.columns))}; "
            f"the file has {', '.join(table.columns[:20])}."
        )
    if source is not None and (
        contract is None or missing(contract, table.columns) or _holds_more(source, key.dataset)
    ):
        return read_through_source(context, table, source, contracts)
    if contract is None and key.dataset == "auto":
        contract = None if nearly(table.columns) else best(contracts.values(), table.columns)
        if contract is None:
            raise UnknownColumnsError(f"Unknown columns. {nearest(table.columns, tuple(contracts.values()))}")
    if contract is None:
        require_free_name(key.dataset)
        if not context.reading.infer_datasets:
            raise UnknownColumnsError(f"There is no dataset {key.dataset}, and new ones are not inferred here.")
        contract = infer_contract(context.duck, key.dataset, "raw_file", table, timezone=context.reading.timezone)
        return read_by_contract(context, table, contract, new=(contract,))
    return read_by_contract(context, table, contract)


def _holds_more(source: Source, dataset: str) -> bool:
    """A table of order lines that also tells of their orders: as one dataset alone, the other would be missing."""
    return source.name == "order_lines" and dataset in source.selects


def current_contracts(registered: Contracts, version: int | None, dataset: str) -> Mapping[str, Contract]:
    """The contract of every dataset that counts: the newest registered one, else the built-in one.

    For ``dataset`` the one of ``version``, when that is given; a former one takes no new columns, for they would make a
    version that there is already. Raises ContractError when there is no such version.
    """
    current = built_in() | {name: versions[-1] for name, versions in registered.items()}
    if version is None:
        return current
    standard = built_in().get(dataset)
    for contract in (*reversed(registered.get(dataset, ())), *((standard,) if standard else ())):
        if contract.version == version:
            former = contract.version != current[dataset].version and contract.new_columns == "add"
            return current | {dataset: contract.model_copy(update={"new_columns": "ignore"}) if former else contract}
    raise ContractError(f"There is no version {str(version)[:20]} of a contract {dataset}.")
