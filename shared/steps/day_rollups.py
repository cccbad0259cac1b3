"""Keeps the rollups per day and per customer equal to order_totals, from what a commit changes in those.

The rule: differences are added, so the cost is that of the change. Only customers whose days are not simply continued
(a late, moved or deleted order) are added up anew from all their orders.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.catalog.writer import LAKE, Change
from shared.datasets.questions.ranges import local_time, zone_named
from shared.duck import Duck, UnreadableInputError
from shared.errors import AmountTooLargeError
from shared.sql.load import statement

TOTALS = f"{LAKE}.teal.order_totals"

_OF_CUSTOMERS = {
    "customer_totals": ("known_customers", "rollups/customer_totals"),
    "customer_last_days": ("known_last_days", "rollups/customer_last_days"),
}
"""The rollups with rows per customer: the table that holds what is known of the touched ones, and what it becomes."""

_AMOUNTS = (
    "gross_sales", "discounts", "returns", "adjustments", "tax", "shipping", "units", "returned_units",
)  # fmt: skip
"""What is added up of order_totals; what was there before is negative in ``changed_totals``."""

DAY_ROLLUPS = ("sales_days", "customer_days", *_OF_CUSTOMERS)


def plan_days(duck: Duck, zone: str, filled: frozenset[str]) -> None:
    """Work out by how much the rollups change, from temporary tables ``former_totals`` and ``fresh_totals``.

    Reads only. ``filled`` are the lake's tables with rows.
    """
    day = f"({_local(duck, 'ordered_at', zone, ('former_totals', 'fresh_totals'))})::DATE"
    negative = ", ".join(f"-{name} AS {name}" for name in _AMOUNTS)
    signed = (
        f"SELECT 1 AS sign, {day} AS day, * FROM fresh_totals",
        f"SELECT -1 AS sign, {day} AS day, * REPLACE ({negative}) FROM former_totals",
    )
    duck.execute(f"CREATE OR REPLACE TEMP TABLE changed_totals AS {' UNION ALL '.join(signed)}")
    for rollup, (known, _) in _OF_CUSTOMERS.items():
        _known(duck, rollup, known, zone, is_any=f"teal.{rollup}" in filled)
    # Where no order and no customer was there before, nobody was moved: the usual first load.
    looked_at = "SELECT EXISTS (FROM former_totals) OR EXISTS (FROM known_customers)"
    moved = statement("rollups/moved_customers") + ("" if duck.value(looked_at) else "LIMIT 0")
    duck.execute(f"CREATE OR REPLACE TEMP TABLE moved_customers AS {moved}")
    _moved_totals(duck, zone)
    duck.execute(f"CREATE OR REPLACE TEMP TABLE purchase_days AS {statement('rollups/purchase_days')}")
    changed = f"CREATE OR REPLACE TEMP TABLE changed_customer_days AS {statement('rollups/customer_days')}"
    duck.execute(changed, {"zone": zone})


def apply_days(change: Change, zone: str) -> None:
    """Write the planned differences, in the change's transaction. Raises AmountTooLargeError."""
    duck = change.duck
    try:
        added = duck.execute(
            f"INSERT INTO {LAKE}.teal.sales_days BY NAME {statement('rollups/sales_days')}", {"zone": zone}
        )
        change.touched("teal.sales_days", added=int(added[0][0]))
        for rollup, (known, fresh) in _OF_CUSTOMERS.items():
            removed = _removed(duck, rollup, known)
            added = duck.execute(f"INSERT INTO {LAKE}.teal.{rollup} BY NAME {statement(fresh)}")
            change.touched(f"teal.{rollup}", added=int(added[0][0]), removed=removed)
    except UnreadableInputError as error:
        raise AmountTooLargeError(
            "A day or a customer comes to more than 14 digits before the decimal point."
        ) from error
    added = duck.execute(f"INSERT INTO {LAKE}.teal.customer_days BY NAME FROM changed_customer_days")
    change.touched("teal.customer_days", added=int(added[0][0]))


def add_up_differences(change: Change) -> list[str]:
    """Make one row of each day's differences, where there are more than twice as many; names the rollups it did."""
    done = []
    for rollup, rows, needed in change.duck.execute(statement("tidy/differences")):
        if rows <= 2 * needed + 100:
            continue
        table = f"{LAKE}.teal.{rollup}"
        keys = [name for name, kind in change.duck.columns(table).items() if kind in ("VARCHAR", "DATE")]
        sums = [
            f"sum({name})::{kind} AS {name}" for name, kind in change.duck.columns(table).items() if name not in keys
        ]
        summed = f"SELECT {', '.join(keys + sums)} FROM {table} GROUP BY ALL ORDER BY {', '.join(keys)}"
        change.duck.execute(f"CREATE OR REPLACE TEMP TABLE summed AS {summed}")
        change.duck.execute(f"DELETE FROM {table}")
        change.duck.execute(f"INSERT INTO {table} BY NAME FROM summed")
        done.append(rollup)
    return done


def _removed(duck: Duck, rollup: str, known: str) -> int:
    """How many rows of the touched customers were taken out of a rollup."""
    low, high = duck.execute(f"SELECT min(customer_id), max(customer_id) FROM {known}")[0]
    if low is None:
        return 0
    touched = f"customer_id BETWEEN $low AND $high AND customer_id IN (SELECT customer_id FROM {known})"
    return int(duck.execute(f"DELETE FROM {LAKE}.teal.{rollup} WHERE {touched}", {"low": low, "high": high})[0][0])


def _known(duck: Duck, rollup: str, known: str, zone: str, *, is_any: bool) -> None:
    """Table ``known``: the touched customers' rows of a rollup, with their last day."""
    touched = "(SELECT DISTINCT customer_id FROM changed_totals WHERE customer_id IS NOT NULL)"
    low, high = duck.execute(f"SELECT min(customer_id), max(customer_id) FROM {touched}")[0]
    table = f"{LAKE}.teal.{rollup}"
    rows = f"FROM {table} LIMIT 0"
    if is_any and low is not None:
        rows = f"FROM (FROM {table} WHERE customer_id BETWEEN $low AND $high) SEMI JOIN {touched} USING (customer_id)"
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE known_rows AS {rows}", {"low": low, "high": high} if "$low" in rows else None
    )
    last_day = f"({_local(duck, 'last_at', zone, ('known_rows',))})::DATE"
    duck.execute(f"CREATE OR REPLACE TEMP TABLE {known} AS SELECT *, {last_day} AS last_day FROM known_rows")


def _moved_totals(duck: Duck, zone: str) -> None:
    """Table ``moved_totals``: all orders of the moved customers, as they were and as they will be."""
    rows = f"SELECT *, NULL::DATE AS day FROM {TOTALS} LIMIT 0"
    if duck.value("SELECT count(*) FROM moved_customers"):
        rows = f"FROM {TOTALS} SEMI JOIN moved_customers USING (customer_id)"
        duck.execute(f"CREATE OR REPLACE TEMP TABLE moved_rows AS {rows}")
        day = f"({_local(duck, 'ordered_at', zone, ('moved_rows',))})::DATE"
        rows = f"SELECT *, {day} AS day FROM moved_rows"
    fresh = "SELECT * EXCLUDE (sign) FROM changed_totals SEMI JOIN moved_customers USING (customer_id) WHERE sign > 0"
    kept = "FROM former ANTI JOIN touched_orders USING (order_id)"
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE moved_totals AS WITH former AS ({rows}) SELECT *, false AS is_after FROM former "
        f"UNION ALL BY NAME SELECT *, true AS is_after FROM (({kept}) UNION ALL BY NAME ({fresh}))"
    )


def _local(duck: Duck, column: str, zone: str, tables: tuple[str, ...]) -> str:
    """SQL for the wall-clock time of a column of these tables."""
    spans = " UNION ALL ".join(f"SELECT min({column}) AS low, max({column}) AS high FROM {table}" for table in tables)
    low, high = duck.execute(f"SELECT epoch_us(min(low)), epoch_us(max(high)) FROM ({spans})")[0]
    return local_time(column, zone_named(zone), _instant(low), _instant(high))


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
