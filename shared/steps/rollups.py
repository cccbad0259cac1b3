"""Keeps the rollups equal to their facts: only the orders an upload touches are added up again, in the same commit."""

from __future__ import annotations

from collections.abc import Sequence, Set

from shared.catalog.writer import LAKE, Change
from shared.duck import Duck, UnreadableInputError, literal
from shared.errors import AmountTooLargeError
from shared.sql.load import statement
from shared.steps.day_rollups import DAY_ROLLUPS, TOTALS, apply_days, plan_days
from shared.steps.merge import Plan, lake_table, tables_with_rows, temp

ROLLUPS = ("order_totals", *DAY_ROLLUPS)
"""The tables of schema `teal` that follow from the facts alone."""


def plan_rollups(duck: Duck, plans: Sequence[Plan], zone: str) -> bool:
    """Add up the touched orders as they will be, into temporary table ``fresh_totals``; False when none is touched.

    Reads only. The lake is read before the merge writes, so that no file just written is read back: what the touched
    orders will hold is what they keep plus what is fresh. ``zone`` is the installation's. Raises AmountTooLargeError.
    """
    planned = {plan.staged.contract.name: plan for plan in plans}
    orders, lines, products = (planned.get(name) for name in ("orders", "order_items", "products"))
    filled = tables_with_rows(duck)
    touched = [f"SELECT order_id FROM {temp(word, 'orders')}" for word in _changing(orders)]
    # An order line counts by its order, so lines of an order that is not there yet touch none.
    for word in _changing(lines):
        ids = f"SELECT order_id FROM {temp(word, 'order_items')}"
        if "main.orders" in filled:
            touched += _in_lake(duck, "orders", "order_id", ids, _span(duck, ids, lines if word == "fresh" else None))
    if products and (products.added or products.removed) and "main.order_items" in filled:
        touched.append(_orders_with_changed_kinds(duck))
    if not touched:
        return False
    duck.execute(f"CREATE OR REPLACE TEMP TABLE touched_orders AS {' UNION ALL '.join(touched)}")
    duck.execute(
        "CREATE OR REPLACE TEMP TABLE touched_span AS "
        "SELECT min(order_id) AS low, max(order_id) AS high FROM touched_orders"
    )
    span = _touched_span(duck)
    if span is None:
        return False
    for name, key, plan in (("orders", "order_id", orders), ("order_items", "order_id, line_id", lines)):
        _current(duck, name, key, plan, span if f"main.{name}" in filled else None)
    _current_fees(duck, products, kept="main.products" in filled)
    _add_up(duck)
    near, values = "order_id BETWEEN $low AND $high", {"low": span[0], "high": span[1]}
    former = f"FROM {TOTALS} LIMIT 0"
    if "teal.order_totals" in filled and duck.value(f"SELECT EXISTS (FROM {TOTALS} WHERE {near})", values):
        former = f"FROM (FROM {TOTALS} WHERE {near}) SEMI JOIN touched_orders USING (order_id)"
    duck.execute(f"CREATE OR REPLACE TEMP TABLE former_totals AS {former}", values if "$low" in former else None)
    plan_days(duck, zone, filled)
    return True


def apply_rollups(change: Change, zone: str) -> None:
    """Replace the touched orders' totals, and what adds them up, in the change's transaction."""
    duck, removed = change.duck, 0
    if (span := duck.execute("SELECT min(order_id), max(order_id) FROM former_totals")[0])[0] is not None:
        near = {"low": span[0], "high": span[1]}
        gone = "order_id BETWEEN $low AND $high AND order_id IN (SELECT order_id FROM former_totals)"
        removed = int(duck.execute(f"DELETE FROM {TOTALS} WHERE {gone}", near)[0][0])
    added = int(duck.execute(f"INSERT INTO {TOTALS} BY NAME FROM fresh_totals")[0][0])
    change.touched("teal.order_totals", added=added, removed=removed)
    apply_days(change, zone)


def rebuild_rollups(change: Change, zone: str) -> int:
    """Make every rollup anew from the facts, as days of ``zone``; returns the number of order totals.

    Raises AmountTooLargeError.
    """
    duck = change.duck
    for name in ("orders", "order_items"):
        duck.execute(f"CREATE OR REPLACE TEMP VIEW current_{name} AS FROM {lake_table(name)}")
    _current_fees(duck, None, kept=True)
    duck.execute("CREATE OR REPLACE TEMP TABLE touched_orders AS SELECT order_id FROM current_orders")
    _add_up(duck)
    duck.execute("CREATE OR REPLACE TEMP TABLE former_totals AS FROM fresh_totals LIMIT 0")
    plan_days(duck, zone, frozenset())
    for table in ROLLUPS:
        removed = int(duck.execute(f"DELETE FROM {LAKE}.teal.{table}")[0][0])
        change.touched(f"teal.{table}", removed=removed)
    apply_rollups(change, zone)
    change.message = "rollups made anew"
    return int(duck.value("SELECT count(*) FROM fresh_totals"))


def renew_rollups(change: Change, tables: Set[str], zone: str) -> None:
    """Make every rollup anew if one of them is among tables, named as `schema.table`, that a lake lacked."""
    if not tables.isdisjoint(f"teal.{rollup}" for rollup in ROLLUPS):
        message = change.message
        rebuild_rollups(change, zone)
        change.message = message


def _add_up(duck: Duck) -> None:
    try:
        duck.execute(f"CREATE OR REPLACE TEMP TABLE fresh_totals AS {statement('rollups/order_totals')}")
    except UnreadableInputError as error:
        raise AmountTooLargeError("An order comes to more than 14 digits before the decimal point.") from error


def _changing(plan: Plan | None) -> list[str]:
    """The temporary tables of a plan that hold anything."""
    return [word for word, rows in (("fresh", plan.added), ("removed", plan.removed)) if rows] if plan else []


_Span = tuple[str, str]
"""The least and the greatest of some ids: by constants the catalog leaves out whole files."""


def _span(duck: Duck, orders: str, plan: Plan | None = None) -> _Span | None:
    """The span of the orders of a SELECT; for the fresh rows of a plan, that of all its rows when it is known."""
    if plan is not None and (known := plan.staged.range_of("order_id")) is not None:
        return known
    low, high = duck.execute(f"SELECT min(order_id), max(order_id) FROM ({orders})")[0]
    return None if low is None else (low, high)


def _touched_span(duck: Duck) -> _Span | None:
    low, high = duck.execute("SELECT low, high FROM touched_span")[0]
    return None if low is None else (low, high)


def _in_lake(duck: Duck, name: str, columns: str, orders: str, span: _Span | None) -> list[str]:
    """A SELECT of the lake's rows of these orders; none when the catalog's statistics rule out that there are any."""
    if span is None:
        return []
    near = f"{lake_table(name)} WHERE order_id BETWEEN {literal(span[0])} AND {literal(span[1])}"
    if not duck.value(f"SELECT EXISTS (FROM {near})"):
        return []
    return [f"SELECT {columns} FROM (FROM {near}) SEMI JOIN ({orders}) USING (order_id)"]


def _current(duck: Duck, name: str, key: str, plan: Plan | None, span: _Span | None) -> None:
    """View ``current_<name>``: the rows the touched orders will have; without a span the lake has none of them."""
    (kept,) = _in_lake(duck, name, "*", "FROM touched_orders", span) or [f"SELECT * FROM {lake_table(name)} LIMIT 0"]
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE kept_{name} AS "
        + (f"FROM ({kept}) ANTI JOIN {temp('removed', name)} USING ({key})" if plan and plan.removed else kept)
    )
    fresh = f" UNION ALL BY NAME FROM {temp('fresh', name)}" if plan and plan.added else ""
    # Fresh lines of orders that are not there count once their order comes.
    there = " SEMI JOIN touched_orders USING (order_id)" if name == "order_items" else ""
    duck.execute(f"CREATE OR REPLACE TEMP VIEW current_{name} AS FROM (FROM temp.kept_{name}{fresh}){there}")


def _current_fees(duck: Duck, products: Plan | None, *, kept: bool) -> None:
    """Table ``current_fees``: products that are not goods; few, so lines join it and not all products."""
    condition = "kind <> 'goods'" if kept else "false"
    select = f"SELECT product_id, kind FROM {lake_table('products')} WHERE {condition}"
    if products is not None:
        select = (
            f"SELECT * FROM ({select}) ANTI JOIN {temp('removed', 'products')} USING (product_id) "
            f"UNION ALL SELECT product_id, kind FROM {temp('fresh', 'products')} WHERE kind <> 'goods'"
        )
    duck.execute(f"CREATE OR REPLACE TEMP TABLE current_fees AS {select}")


def _orders_with_changed_kinds(duck: Duck) -> str:
    """Orders that hold a product which turned from goods into a fee or back: their lines add up differently."""
    duck.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE changed_kinds AS
        SELECT product_id
        FROM (SELECT product_id, coalesce(kind, 'goods') AS kind FROM {temp("existing", "products")}) AS before
        FULL JOIN (SELECT product_id, coalesce(kind, 'goods') AS kind FROM {temp("fresh", "products")}) AS after
            USING (product_id)
        WHERE coalesce(before.kind, 'goods') <> coalesce(after.kind, 'goods')
            AND product_id IN (
                SELECT product_id FROM {temp("fresh", "products")}
                UNION SELECT product_id FROM {temp("removed", "products")}
            )
        """
    )
    if not duck.value("SELECT count(*) FROM changed_kinds"):
        return "SELECT NULL::VARCHAR AS order_id WHERE false"
    return f"SELECT DISTINCT order_id FROM {lake_table('order_items')} SEMI JOIN changed_kinds USING (product_id)"
