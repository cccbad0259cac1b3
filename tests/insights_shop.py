"""Shops for insights, order by order, and the arithmetic of chance in plain Python."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.lines_shop import csv_of
from tests.web import Web, web_of

END = datetime(2024, 7, 1, tzinfo=UTC)
NOW = END - timedelta(days=90)
BEFORE = NOW - timedelta(days=90)


class Orders:
    """Orders with lines, written down one by one; the first and the last day of both windows have a neutral one."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.add(BEFORE, [("edge", 1, "1")])
        self.add(END - timedelta(hours=1), [("edge", 1, "1")])

    def add(
        self,
        at: datetime,
        lines: Iterable[tuple[Any, ...]],
        customer: str = "",
        **more: str,
    ) -> None:
        """An order of (product, quantity, price[, discount]) lines."""
        number = str(len(self.orders))
        given = {"status": "completed", "country": "", "channel": "", "currency": "EUR", "discount": "0", **more}
        self.orders.append({"order_id": number, "ordered_at": at.isoformat(), "customer_id": customer, **given})
        for place, (product, quantity, price, *discount) in enumerate(lines):
            self.lines.append(
                {
                    "order_id": number, "line_id": place, "product_id": product, "quantity": quantity,
                    "unit_price": price, "discount": discount[0] if discount else "0",
                }
            )  # fmt: skip

    def many(self, count: int, start: datetime, days: int, lines: Any, customer: str = "", **more: str) -> None:
        """So many equal orders, spread over days; a `{}` in the customer is the number."""
        for number in range(count):
            at = start + timedelta(seconds=days * 86_400 * (number + 0.5) / count)
            self.add(at, lines, customer.format(number), **more)

    def web(self, folder: Any) -> Web:
        """An API over them."""
        web = web_of(folder)
        products = sorted({line["product_id"] for line in self.lines})
        customers = sorted({order["customer_id"] for order in self.orders} - {""})
        sets = [
            ("products", [{"product_id": one, "name": f"Product {one}"} for one in products]),
            ("customers", [{"customer_id": one, "name": f"Name of {one}"} for one in customers]),
            ("orders", self.orders),
            ("order_items", self.lines),
        ]
        for dataset, rows in sets:
            if rows:
                assert web.shop.upload(dataset, f"{dataset}.csv", csv_of(rows)).status == "loaded"
        web.fresh()
        return web


def entropy(hits: int, cases: int, share: float) -> float:
    """cases × relative entropy of hits / cases to share."""
    parts = ((hits, cases * share), (cases - hits, cases * (1 - share)))
    return sum(seen * math.log(seen / expected) for seen, expected in parts if seen)


def tail(hits: int, cases: int, share: float) -> float:
    """The exact probability of so many hits or more."""
    return sum(math.comb(cases, k) * share**k * (1 - share) ** (cases - k) for k in range(hits, cases + 1))


def asked(web: Web, kind: str, **parameters: Any) -> list[dict[str, Any]]:
    return web.rows("insights", kind=kind, **parameters)


def follow(web: Web, row: dict[str, Any]) -> dict[str, Any]:
    """The answer of the question that a row points to."""
    answer = web.client.get(row["look_further"])
    assert answer.status_code == 200, answer.text
    return answer.json()
