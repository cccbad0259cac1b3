"""Keeps the rollups equal to their facts: only the orders an upload touches are added up again, in the same commit."""

from __future__ import annotations

from collections.abc import Sequence

from shared.catalog.writer import LAKE, Change
from shared.duck import Duck
from shared.sql.load import statement
from shared.steps.merge import Plan, lake_table, temp


def plan_order_totals(duck: Duck, plans: Sequence[Plan]) -> int:
    """Add up the touched orders as they will be, into temporary table ``fresh_totals``; reads only.

    Returns the number of touched orders. The lake is read before the merge writes, so that no file just written is read
    back: what the touched orders will hold is what they keep plus what is fresh.
    """
    planned = {plan.staged.contract.name: plan for plan in plans}
    touched = [
        f"SELECT order_id FROM {temp(word, name)}"
        for name in ("orders", "order_items")
        if name in planned
        for word in ("fresh", "removed")
    ]
    products = planned.get("products")
    if products and (products.added or products.removed):
        touched.append(_orders_with_changed_kinds(duck))
    if not touched:
        return 0
    duck.execute(f"CREATE OR REPLACE TEMP TABLE touched_orders AS {' UNION '.join(touched)}")
    count = int(duck.value("SELECT count(*) FROM touched_orders"))
    if count:
        for name, key in (("orders", "order_id"), ("order_items", "order_id, line_id")):
            _current(duck, name, key, planned.get(name))
        _current_fees(duck, products)
        duck.execute(f"CREATE OR REPLACE TEMP TABLE fresh_totals AS {statement('rollups/order_totals')}")
    return count


def apply_order_totals(change: Change, touched: int) -> None:
    """Replace the touched orders' totals, in the change's transaction."""
    if not touched:
        return
    totals = f"{LAKE}.teal.order_totals"
    removed = change.duck.execute(f"DELETE FROM {totals} WHERE order_id IN (FROM touched_orders)")
    added = change.duck.execute(f"INSERT INTO {totals} BY NAME FROM fresh_totals")
    change.touched("teal.order_totals", added=int(added[0][0]), removed=int(removed[0][0]))


def _current(duck: Duck, name: str, key: str, plan: Plan | None) -> None:
    """View ``current_<name>``: the rows the touched orders will have once this commit is in."""
    kept = f"SELECT * FROM {lake_table(name)} SEMI JOIN touched_orders USING (order_id)"
    if plan is None:
        duck.execute(f"CREATE OR REPLACE TEMP VIEW current_{name} AS {kept}")
        return
    duck.execute(
        f"CREATE OR REPLACE TEMP TABLE kept_{name} AS "
        f"SELECT * FROM ({kept}) ANTI JOIN {temp('removed', name)} USING ({key})"
    )
    duck.execute(
        f"CREATE OR REPLACE TEMP VIEW current_{name} AS "
        f"SELECT * FROM temp.kept_{name} UNION ALL BY NAME SELECT * FROM {temp('fresh', name)}"
    )


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
