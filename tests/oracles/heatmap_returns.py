"""Hours of the week and returns of UCI Online Retail by pandas: ``python -m tests.oracles.heatmap_returns`` writes
heatmap_returns.json, ``--check`` compares.

Money is in 1/1000. Of each hour of the week, Monday 0:00 first: net sales, orders, customers. Of each month and of the
products with the largest returns, by money: orders, units, returned units, gross sales, returns.
"""

from __future__ import annotations

from typing import Any

import pandas

from tests.oracles.retail_orders import SAMPLE, keep, orders

PRODUCTS = 40


def heatmap() -> list[list[int]]:
    """168 cells."""
    made = orders()
    made["cell"] = made["at"].dt.day_of_week * 24 + made["at"].dt.hour
    cells = []
    for cell in range(168):
        rows = made[made.cell == cell]
        sold = rows[rows.is_order]
        customers = sold[sold.customer != ""].customer.nunique()
        cells.append([int(rows.net.sum()), len(sold), int(customers)])
    return cells


def lines() -> pandas.DataFrame:
    """Sales and returns, line by line."""
    raw = pandas.read_parquet(SAMPLE)
    order, quantity = raw.InvoiceNo.astype(str), pandas.to_numeric(raw.Quantity)
    price = (pandas.to_numeric(raw.UnitPrice) * 1000).round().astype("int64")
    at = pandas.to_datetime(raw.InvoiceDate)
    found = pandas.DataFrame(
        {
            "order": order,
            "product": raw.StockCode.astype(str).str.strip(),
            # An invoice is of its first minute.
            "month": at.groupby(order).transform("min").dt.strftime("%Y-%m-01"),
            "quantity": quantity,
            "amount": quantity * price,
            "is_return": order.str.startswith("C"),
        }
    )
    kept = (price != 0) & ~order.str.startswith("A") & (found.is_return | ((quantity > 0) & (price > 0)))
    return found[kept]


def returns(by: str) -> dict[str, list[int]]:
    """By month or product."""
    found = {}
    for value, rows in lines().groupby(by):
        back, sold = rows[rows.is_return], rows[~rows.is_return]
        found[str(value)] = [
            int(number)
            for number in (
                sold.order.nunique(), sold.quantity.sum(), -back.quantity.sum(), sold.amount.sum(), back.amount.sum(),
            )
        ]  # fmt: skip
    if by == "product":
        first = sorted(found.items(), key=lambda item: (item[1][4], item[0]))[:PRODUCTS]
        found = dict(first)
    return found


def results() -> dict[str, Any]:
    """What is kept."""
    return {"heatmap": heatmap(), "months": returns("month"), "products": returns("product")}


if __name__ == "__main__":
    keep("heatmap_returns", results())
