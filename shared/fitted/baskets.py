"""Counts which products are in the same orders, of all time, so that the affinity question need not.

The rule: what is kept is exact, down to a number of orders that is told; whoever asks for less has it counted anew.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.catalog.writer import LAKE
from shared.datasets.question import Context
from shared.datasets.questions.modelled import ALL
from shared.datasets.questions.products_affinity import ProductAffinity, counted_sets
from shared.fitted.base import Fitted, ModelRow, Seen
from shared.sql.load import statement

FLOORS = tuple(Decimal(share) for share in ("0.0005", "0.001", "0.002", "0.005", "0.01", "0.02", "0.05"))
"""Least shares of orders that are tried, until the pairs to count are few enough."""
MAX_PAIRS = 200_000_000
"""Pairs of products in the same order that are counted by the schedule: half a minute on one core."""


class BasketModel:
    """See FittedModel."""

    name: str = "baskets"
    tables: tuple[str, ...] = ("basket_items", "basket_pairs")

    def fit(self, seen: Seen) -> Fitted:
        """Count with the least share that is affordable."""
        counted: dict[str, Any] = {}
        for floor in FLOORS:
            counted = self._count(seen, floor)
            if counted["candidates"] <= MAX_PAIRS:
                break
        facts = {key: counted[key] for key in ("all_orders", "left_out_orders", "least_orders")}
        results = {
            "basket_items": "(SELECT first_product AS product_id, orders FROM temp.counted_baskets "
            "WHERE first_product IS NOT NULL AND second_product IS NULL ORDER BY 1)",
            "basket_pairs": "(FROM temp.counted_baskets "
            "WHERE first_product IS NOT NULL AND second_product IS NOT NULL ORDER BY ALL)",
        }
        if counted["candidates"] > MAX_PAIRS:
            return Fitted([ModelRow(self.name, ALL, "refused", "too_many_pairs", facts)], results)
        return Fitted([ModelRow(self.name, ALL, "served", "", facts)], results)

    def _count(self, seen: Seen, floor: Decimal) -> dict[str, Any]:
        duck = seen.duck
        question = ProductAffinity(min_support=floor)
        wanted = question.counted(Context(committed_at=seen.committed_at, currency=seen.default_currency), MAX_PAIRS)
        database, schema = duck.execute("SELECT current_database(), current_schema()")[0]
        duck.execute(f"USE {LAKE}")
        try:
            sql = f"WITH {wanted.sql}, {counted_sets(2)} {statement('fitted/baskets')}"
            duck.execute(f"CREATE OR REPLACE TEMP TABLE counted_baskets AS {sql}", wanted.values)
        finally:
            duck.execute(f"USE {database}.{schema}")
        told = duck.execute("SELECT second_product, orders FROM temp.counted_baskets WHERE first_product IS NULL")
        return dict(told)
