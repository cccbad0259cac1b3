"""Makes a dataset's table fit its contract: created when it is new, widened when the contract has new columns."""

from __future__ import annotations

from shared.catalog.schema import create_table
from shared.catalog.writer import LAKE
from shared.datasets.contract import Contract
from shared.duck import Duck, quoted
from shared.steps.merge import lake_table


def fit_table(duck: Duck, contract: Contract) -> None:
    """Create the table of a new dataset, or add the columns a new version of its contract has."""
    rows = duck.execute(
        "SELECT column_name FROM duckdb_columns() "
        f"WHERE database_name = '{LAKE}' AND schema_name = 'main' AND table_name = $table",
        {"table": contract.name},
    )
    if not rows:
        create_table(duck, LAKE, contract)
        return
    for column in contract.columns:
        if (column.name,) not in rows:
            duck.execute(f"ALTER TABLE {lake_table(contract.name)} ADD COLUMN {quoted(column.name)} {column.sql_type}")
