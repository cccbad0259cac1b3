"""Keeps the rollups equal to their facts: only the orders an upload touches are added up again, in the same commit."""

from __future__ import annotations

from collections.abc import Sequence

from shared.catalog.writer import LAKE, Change
from shared.duck import Duck, UnreadableInputError, literal
from shared.errors import AmountTooLargeError
from shared.sql.load import statement
from shared.steps.merge import Plan, lake_table, temp


def plan_order_totals(duck: Duck, plans: Sequence[Plan]) -> bool:
    """Add up the touched orders as they will be, into temporary table ``fresh_totals``; False when none is touched.

    Reads only. The lake is read before the merge writes, so that no file just written is read back: what the touched
    orders will hold is what they keep plus what is fresh. Raises AmountTooLargeError.
    """
    planned = {plan.staged.contract.name: plan for plan in plans}
    orders, lines, products = (planned.get(name) for name in ("orders", "order_items", "products"))
    touched = [f"SELECT order_id FROM {temp(word, 'orders')}" for word in _changing(orders)]
    # An order line counts by its order, so lines of an order that is not there yet touch none.
    for word in _changing(lines):
        touched += _in_lake(duck, "orders", "order_id", f"SELECT order_id FROM {temp(word, 'order_items')}")
    if products and (products.added or products.removed):
        touched.append(_orders_with_changed_kinds(duck))
    if not touched:
        return False
    duck.execute(f"CREATE OR REPLACE TEMP TABLE touched_orders AS {' UNION ALL '.join(touched)}")
    if not duck.value("SELECT count(*) FROM touched_orders"):
        return False
    for name, key, plan in (("orders", "order_id", orders), ("order_items", "order_id, line_id", lines)):
        _current(duck, name, key, plan)
    _current_fees(duck, products)
    try:
        duck.execute(f"CREATE OR REPLACE TEMP TABLE fresh_totals AS {statement('rollups/order_totals')}")
    except UnreadableInputError as error:
        raise AmountTooLargeError("An order comes to more than 14 digits before the decimal point.") from error
    return True


def apply_order_totals(change: Change) -> None:
    """Replace the touched orders' totals, in the change's transaction."""
    totals, removed = f"{LAKE}.teal.order_totals", 0
    low, high = change.duck.execute("SELECT min(order_id), max(order_id) FROM touched_orders")[0]
    near, values = "order_id BETWEEN $low AND $high", {"low": low, "high": high}
    if change.duck.value(f"SELECT EXISTS (FROM {totals} WHERE {near})", values):
        sql = f"DELETE FROM {totals} WHERE {near} AND order_id IN (FROM touched_orders)"
        removed = int(change.duck.execute(sql, values)[0][0])
    added = int(change.duck.execute(f"INSERT INTO {totals} BY NAME FROM fresh_totals")[0][0])
    change.touched("teal.order_totals", added=added, removed=removed)


def _changing(plan: Plan | None) -> list[str]:
    """The temporary tables of a plan that hold anything."""
    return [word for word, rows in (("fresh", plan.added), ("removed", plan.removed)) if rows] if plan else []


def _in_lake(duck: Duck, name: str, columns: str, orders: str) -> list[str]:
    """A SELECT of the lake's rows of these orders; none when the catalog's statistics rule out that there are any."""
    low, high = duck.execute(f"SELECT min(order_id), max(order_id) FROM ({orders})")[0]
    if low is None:
        return []
    near = f"{lake_table(name)} WHERE order_id BETWEEN {literal(low)} AND {literal(high)}"
    if not duck.value(f"SELECT EXISTS (FROM {near})"):
        return []
    return [f"SELECT {columns} FROM (FROM {near}) SEMI JOIN ({orders}) USING (order_id)"]


def _current(duck: Duck, name: str, key: str, plan: Plan | None) -> None:
    """View ``current_<name>``: the rows the touched orders will have once this commit is in."""
    (kept,) = _in_lake(duck, name, "*", "FROM touched_orders") or [f"SELECT * FROM {lake_table(name)} LIMIT 0"]
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE kept_{name} AS "
        + (f"FROM ({kept}) ANTI JOIN {temp('removed', name)} USING ({key})" if plan and plan.removed else kept)
    )
    fresh = f" UNION ALL BY NAME FROM {temp('fresh', name)}" if plan and plan.added else ""
    # Fresh lines of orders that are not there count once their order comes.
    there = " SEMI JOIN touched_orders USING (order_id)" if name == "order_items" else ""
    duck.execute(f"CREATE OR REPLACE TEMP VIEW current_{name} AS FROM (FROM temp.kept_{name}{fresh}){there}")


def _current_fees(duck: Duck, products: Plan | None) -> None:
    """View ``current_fees``: products that are not goods; few, so lines join it and not all products."""
    select = f"SELECT product_id, kind FROM {lake_table('products')} WHERE kind <> 'goods'"
    if products is not None:
        select = (
            f"SELECT * FROM ({select}) ANTI JOIN {temp('removed', 'products')} USING (product_id) "
            f"UNION ALL SELECT product_id, kind FROM {temp('fresh', 'products')} WHERE kind <> 'goods'"
        )
    duck.execute(f"CREATE OR REPLACE TEMP VIEW current_fees AS {select}")


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
