"""A shop of orders with lines of all types, and what some of its lines come to in plain Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.web import Web

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2024, 2, 20, tzinfo=BERLIN), datetime(2024, 4, 10, tzinfo=BERLIN)
RANGE = {"from": "2024-02-20", "to": "2024-04-10", "timezone": "Europe/Berlin"}
PRODUCTS = {"p1": ("tea", "goods"), "p2": ("tea", "goods"), "p3": ("cups", "goods"), "p4": ("", "fee")}
RATE = {"EUR": Decimal(1), "USD": Decimal("0.5")}
ZERO = Decimal(0)
CUSTOMERS = ["a", "b", "c", "d", *(f"n{number}" for number in range(200))]
DIMENSIONS = ("country", "category", "product", "channel", "customer")
COUNTS = ("orders", "customers", "units", "returned_units")
AMOUNTS = ("gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales")
Line = dict[str, Any]


class Shop:
    """Orders of two years with up to four lines of all types."""

    def __init__(self, seed: int = 11) -> None:
        random = Random(seed)
        self.orders: list[dict[str, Any]] = []
        self.lines: list[Line] = []
        for number in range(700):
            year = random.choice([2023, 2024, 2024])
            ordered_at = datetime(year, 1, 25, tzinfo=UTC) + timedelta(minutes=random.randrange(60 * 24 * 80))
            order = {
                "order_id": str(number),
                "ordered_at": ordered_at.isoformat(),
                "customer_id": random.choice(["", "a", "b", "c", "d"]),
                "country": random.choice(["DE", "FR", "ZA" if year == 2023 else "DE", ""]),
                "channel": random.choice(["web", "shop", ""]),
                "currency": random.choice(["EUR", "USD"]),
                "tax": random.choice(["0", "1.5"]),
                "shipping": random.choice(["0", "4"]),
                "discount": random.choice(["0", "0.5"]),
                "status": random.choice(["completed", "completed", "completed", "cancelled"]),
            }
            if number % 9 == 0:
                # Customers of one order to four.
                order["customer_id"] = f"n{number % 200}"
            self.orders.append(order)
            for place in range(random.randrange(1, 5)):
                line_type = random.choice(["sale", "sale", "sale", "return", "adjustment"])
                self.lines.append(
                    {
                        "order_id": order["order_id"],
                        "line_id": str(place),
                        "product_id": random.choice(list(PRODUCTS)),
                        "quantity": random.randrange(1, 5) * (-1 if line_type == "return" else 1),
                        "unit_price": Decimal(random.randrange(2, 900, 2)) / 100 * (-1 if line_type[0] == "a" else 1),
                        "discount": random.choice(["0", "0.02"]),
                        "line_type": line_type,
                    }
                )

    def upload(self, web: Web) -> None:
        products = [
            {"product_id": key, "name": f"Product {key}", "category": category, "kind": kind}
            for key, (category, kind) in PRODUCTS.items()
        ]
        customers = [{"customer_id": key, "name": f"Customer {key}"} for key in CUSTOMERS]
        rates = [{"currency": "USD", "base": "EUR", "day": f"{y}-{m:02}-01", "rate": "0.5"}
                 for y in (2023, 2024) for m in range(1, 6)]  # fmt: skip
        for dataset, rows in (
            ("products", products), ("customers", customers), ("rates", rates), ("orders", self.orders),
            ("order_items", self.lines),
        ):  # fmt: skip
            assert web.shop.upload(dataset, f"{dataset}.csv", csv_of(rows)).status == "loaded"
        web.fresh()

    def expected(
        self, lines: Iterable[Line], *, of_lines: bool, adjustments: bool = False, rates: dict[str, Decimal] = RATE
    ) -> Line:
        """The metrics of some lines with their orders; an order's own amounts belong to no product."""
        lines = list(lines)
        sums = dict.fromkeys((*AMOUNTS, "units", "returned_units"), ZERO)
        orders = {line["order_id"]: line["order"] for line in lines}
        sold = {line["order_id"] for line in lines if line["line_type"] == "sale"}
        net_of_sold = ZERO
        for line in lines:
            rate = rates[line["order"]["currency"]]
            gross, less = line["quantity"] * line["unit_price"] * rate, Decimal(line["discount"]) * rate
            if line["line_type"] == "sale":
                sums["gross_sales"] += gross
                sums["discounts"] += less
                sums["units"] += line["quantity"]
            elif line["line_type"] == "return":
                sums["returns"] += gross - less
                sums["returned_units"] -= line["quantity"]
            elif adjustments:
                sums["adjustments"] += gross - less
            if line["line_type"] != "adjustment" and line["order_id"] in sold:
                net_of_sold += gross - less
        if not of_lines:
            for order_id, order in orders.items():
                rate = rates[order["currency"]]
                for name, column in (("tax", "tax"), ("shipping", "shipping"), ("discounts", "discount")):
                    sums[name] += Decimal(order[column]) * rate
                net_of_sold -= Decimal(order["discount"]) * rate if order_id in sold else ZERO
        sums["net_sales"] = sums["gross_sales"] - sums["discounts"] + sums["returns"] + sums["adjustments"]
        sums["total_sales"] = sums["net_sales"] + sums["tax"] + sums["shipping"]
        customers = {orders[order_id]["customer_id"] for order_id in sold} - {""}
        aov = (net_of_sold / len(sold)).quantize(Decimal("0.0001"), ROUND_HALF_UP) if sold else None
        return {**sums, "orders": len(sold), "customers": len(customers), "aov": aov}

    def facts(self, keep: Callable[[Line], bool] = lambda line: True) -> list[Line]:
        """Every line of the orders that were not cancelled, with its order, local time and the value of each group."""
        by_id = {order["order_id"]: order for order in self.orders if order["status"] != "cancelled"}
        found = []
        for line in self.lines:
            if order := by_id.get(line["order_id"]):
                groups = {
                    "country": order["country"] or None,
                    "channel": order["channel"] or None,
                    "customer": order["customer_id"] or None,
                    "product": line["product_id"],
                    "category": PRODUCTS[line["product_id"]][0] or None,
                }
                local = datetime.fromisoformat(order["ordered_at"]).astimezone(BERLIN)
                found.append({**line, **groups, "order": order, "at": local})
        return [line for line in found if keep(line)]


def csv_of(rows: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"


def got(row: Line, suffix: str = "") -> Line:
    found = {name: None if row[name + suffix] is None else Decimal(row[name + suffix]) for name in (*AMOUNTS, "aov")}
    return {**found, **{name: row[name + suffix] for name in COUNTS}}


def of_lines(dimension: str) -> bool:
    return dimension in ("product", "category")


def is_seen(line: Line) -> bool:
    return line["line_type"] != "adjustment"


def sees(dimension: str) -> Callable[[Line], bool]:
    """Adjustments are left out; but an order that has nothing else may have amounts of its own."""

    def seen(line: Line) -> bool:
        own = any(Decimal(line["order"][name]) for name in ("tax", "shipping", "discount"))
        return is_seen(line) or (own and not of_lines(dimension))

    return seen


def label_of(dimension: str, value: str | None) -> str | None:
    return f"{dimension.title()} {value}" if dimension in ("product", "customer") and value else None
