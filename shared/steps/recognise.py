"""From a file to staged datasets: which contract or source its header means, and everything judged by contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.datasets.contract import DELETED_COLUMN, Contract
from shared.datasets.infer import ROW_KEY, column_for, infer_contract
from shared.datasets.registry import best, bind, built_in, missing
from shared.duck import Duck, literal, quoted
from shared.errors import UnknownColumnsError
from shared.formats.base import open_table
from shared.formats.expressions import detect_time_format, iso_time_format, time_expression
from shared.formats.table import TextTable
from shared.sources.known import Source, nearest, nearly, source_for
from shared.sql.load import statement
from shared.steps.judge import Shape, Staged, judge
from shared.steps.ledger import Contracts
from shared.steps.order import Order
from shared.values import InboxKey


@dataclass(frozen=True)
class Read:
    """A file that was read and judged; ``staged[primary]`` has one row per row of the file."""

    staged: tuple[Staged, ...]
    primary: int
    source: str
    notes: tuple[str, ...]
    new_contracts: tuple[Contract, ...] = ()

    @property
    def version(self) -> int:
        """The contract version the file's own rows were judged by."""
        return self.staged[self.primary].contract.version


@dataclass(frozen=True)
class Reading:
    """What holds for a whole installation while files are read."""

    infer_datasets: bool = True
    timezone: str = "UTC"


def read_and_judge(
    duck: Duck, path: Path, key: InboxKey, registered: Contracts, order: Order, reading: Reading, folder: Path
) -> Read:
    """Open the file, find out what it is, stage and judge its rows.

    Raises EmptyFileError, UnreadableFileError, UnknownColumnsError, AmbiguousDatesError, ContractError.
    """
    table = open_table(
        duck, path, "raw_file", options=order.options, work_dir=folder, filename=key.path.rsplit("/", 1)[-1]
    )
    contracts = current_contracts(registered, order.contract_version, key.dataset)
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
        return _through_source(duck, table, source, contracts, reading)
    if contract is None and key.dataset == "auto":
        contract = None if nearly(table.columns) else best(contracts.values(), table.columns)
        if contract is None:
            raise UnknownColumnsError(f"Unknown columns. {nearest(table.columns, tuple(contracts.values()))}")
    if contract is None:
        if not reading.infer_datasets:
            raise UnknownColumnsError(f"There is no dataset {key.dataset}, and new ones are not inferred here.")
        contract = infer_contract(duck, key.dataset, "raw_file", table, timezone=reading.timezone)
        return _by_contract(duck, table, contract, order, reading, new=(contract,))
    return _by_contract(duck, table, contract, order, reading)


def current_contracts(registered: Contracts, version: int | None, dataset: str) -> Mapping[str, Contract]:
    """The contract of every dataset that counts: the newest registered one, else the built-in one."""
    current = dict(built_in())
    for name, versions in registered.items():
        wanted = [one for one in versions if one.version == version] if name == dataset and version else []
        current[name] = (wanted or versions)[-1]
    return current


def _by_contract(
    duck: Duck, table: TextTable, contract: Contract, order: Order, reading: Reading, new: tuple[Contract, ...] = ()
) -> Read:
    bound = bind(contract, table.columns)
    extra = [name for name in table.columns if name not in bound.values()]
    notes = list(table.notes)
    if extra and contract.new_columns == "hold":
        raise UnknownColumnsError(f"{contract.name} has no column {', '.join(extra)}, and takes no new ones.")
    if extra and contract.new_columns == "add":
        added = [column_for(duck, "raw_file", name, table, contract) for name in extra]
        contract = contract.model_copy(
            update={"version": contract.version + 1, "columns": (*contract.columns, *(column for column, _ in added))}
        )
        bound |= {column.name: name for column, name in added}
        notes.append(f"New columns: {', '.join(column.name for column, _ in added)}.")
        new = (contract,)
    elif extra:
        notes.append(f"Columns left out: {', '.join(extra)}.")
    if order.options.date_order:
        contract = contract.model_copy(update={"date_order": order.options.date_order})
    source, numbered = quoted("raw_file"), False
    if contract.key == (ROW_KEY,) and ROW_KEY not in bound:
        source, bound[ROW_KEY] = quoted("keyed_file"), ROW_KEY
        _derive_row_keys(duck, table)
    if contract.name == "order_items" and not {"line_id", "line_type"} <= bound.keys():
        _derive_lines(duck, bound, table)
        source, numbered = quoted("derived_lines"), True
        bound |= {"line_id": "line_id", "line_type": "line_type"}
    staged = judge(
        duck,
        contract,
        Shape(
            table=source,
            columns=bound,
            originals=table.columns,
            decimal=table.decimal,
            timezone=reading.timezone,
            rows_numbered=numbered,
            has_problems=bool(table.problems),
            cheap_to_sample=not numbered,
        ),
    )
    return Read((staged,), 0, "", tuple(notes), new)


def _derive_row_keys(duck: Duck, table: TextTable) -> None:
    """View ``keyed_file``: the file with a key made from each whole row, numbered from the second of equal rows."""
    cells = ", ".join(quoted(name) for name in table.columns)
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE hashed_file AS SELECT *, md5(row(" + cells + ")::VARCHAR) AS hash FROM raw_file"
    )
    duck.execute(
        "CREATE OR REPLACE TEMP VIEW keyed_file AS SELECT * EXCLUDE (hash, place, occurrence), "
        f"hash || CASE WHEN occurrence > 1 THEN ':' || occurrence ELSE '' END AS {ROW_KEY} "
        "FROM (SELECT *, rowid AS place, row_number() OVER (PARTITION BY hash ORDER BY rowid) AS occurrence FROM hashed_file) "
        "ORDER BY place"
    )


def _derive_lines(duck: Duck, bound: dict[str, str], table: TextTable) -> None:
    """View ``derived_lines``: order lines with the line id and type their file does not write."""
    duck.execute("CREATE OR REPLACE TEMP TABLE numbered_file AS FROM raw_file")

    def cell(column: str) -> str:
        return quoted(bound[column]) if column in bound else "NULL::VARCHAR"

    names = {
        column: cell(column) for column in ("order_id", "line_id", "product_id", "quantity", "unit_price", "line_type")
    }
    select = statement("ingest/derived_lines")
    for column, name in names.items():
        select = select.replace(f"[{column}]", name)
    hidden = [name for name in ("line_id", "line_type") if name in table.columns]
    hidden += ["_row", "occurrence"]
    rest = f"* EXCLUDE ({', '.join(map(quoted, hidden))})"
    duck.execute(f"CREATE OR REPLACE TEMP VIEW derived_lines AS {select.replace('[rest]', rest)}")


def _through_source(
    duck: Duck, table: TextTable, source: Source, contracts: Mapping[str, Contract], reading: Reading
) -> Read:
    """Stage every target dataset of a source: first the one with the file's own rows, then those derived from its good rows."""
    shape = source.shape_for(table.columns)
    assert shape is not None  # noqa: S101 - source_for found the source by this shape
    zone = source.timezone or reading.timezone
    bound = shape.bind(table.columns)
    names = {header: shape.rename.get(column, column) for column, header in bound.items()}
    renamed = {name: names.get(name, name) for name in table.columns}
    duck.execute(f"SET TimeZone = {literal(zone)}")
    columns = []
    for name, final in renamed.items():
        text = quoted(name)
        if final in source.times and iso_time_format(duck, "raw_file", name) is None:
            found = detect_time_format(duck, "raw_file", name, date_order=source.date_order)
            instant = time_expression(text, found, "TIMESTAMPTZ")
            text = f"coalesce(strftime({instant}, '%Y-%m-%d %H:%M:%S'), {text})"
        columns.append(f"{text} AS {quoted(final)}")
    columns += [f"NULL::VARCHAR AS {quoted(column)}" for column in shape.optional if column not in bound]
    duck.execute(f"CREATE OR REPLACE TEMP TABLE raw_rows AS SELECT {', '.join(columns)} FROM raw_file")
    duck.execute("SET TimeZone = 'UTC'")
    duck.execute("CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + 1 AS _row, * FROM raw_rows")
    targets = [source.primary, *(name for name in source.selects if name != source.primary)]
    staged: list[Staged] = []
    for target in targets:
        staged.append(
            _judge_target(duck, source, contracts[target], zone, table.decimal, primary=target == source.primary)
        )
        if target == source.primary and staged[0].held:
            _keep_originals(duck, staged[0], tuple(renamed.values()))
            duck.execute(
                "CREATE OR REPLACE TEMP VIEW raw AS SELECT rowid + 1 AS _row, * FROM raw_rows "
                f"ANTI JOIN (SELECT _row - 1 AS place FROM {staged[0].table} WHERE _held IS NOT NULL) ON rowid = place"
            )
    return Read(tuple(staged), 0, source.name, (*table.notes, f"Read as {source.title}."))


def _holds_more(source: Source, dataset: str) -> bool:
    """A table of order lines that also tells of their orders: as one dataset alone, the other would be missing."""
    return source.name == "order_lines" and dataset in source.selects


def _judge_target(duck: Duck, source: Source, contract: Contract, zone: str, decimal: str, *, primary: bool) -> Staged:
    view = quoted("mapped_" + contract.name)
    duck.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {source.selects[contract.name]}")
    given = [name for name in duck.columns(view) if name != "_row"]
    return judge(
        duck,
        contract.model_copy(update={"date_order": source.date_order}),
        Shape(
            table=view,
            columns={name: name for name in given if contract.column(name) or name == DELETED_COLUMN},
            originals=(),
            decimal=decimal,
            timezone=zone,
            rows_numbered=primary,
            cheap_to_sample=False,
        ),
    )


def _keep_originals(duck: Duck, staged: Staged, columns: tuple[str, ...]) -> None:
    """Put the file's own row beside each held one; the mapped one is not what was sent."""
    row = ", ".join(f"{literal(name)}, raw.{quoted(name)}" for name in columns)
    duck.execute(
        f"UPDATE {staged.table} AS staged SET _original = json_object({row})::VARCHAR "
        "FROM raw WHERE raw._row = staged._row AND staged._held IS NOT NULL"
    )
