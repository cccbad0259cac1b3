"""Sales questions on random shops, corrected and cancelled as they go, against sums in plain Python."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.web import Web, web_of

KINDS = {"p1": "goods", "p2": "goods", "f1": "fee", "s1": "shipping"}
ZERO = Decimal(0)


class RandomShop:
    """Orders with lines of all types and kinds; what was uploaded last is what counts."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.orders: dict[str, dict[str, Any]] = {}
        self.lines: dict[str, list[dict[str, Any]]] = {}

    def change(self, web: Web, upload: int) -> None:
        """Upload some orders with their lines; later ones replace some of the earlier."""
        changed = [str(self.random.randrange(60)) for _ in range(25)]
        for order_id in dict.fromkeys(changed):
            self._order(order_id)
        orders = [self.orders[order_id] for order_id in dict.fromkeys(changed)]
        lines = [line for order in orders for line in self.lines[order["order_id"]]]
        web.shop.upload("orders", f"o{upload}.csv", _csv(orders))
        if lines:
            web.shop.upload("order_items", f"i{upload}.csv", _csv(lines))
        web.fresh()

    def _order(self, order_id: str) -> None:
        random = self.random
        ordered_at = datetime(2024, 3, 20, tzinfo=UTC) + timedelta(minutes=random.randrange(60 * 24 * 20))
        self.orders[order_id] = {
            "order_id": order_id,
            "ordered_at": ordered_at.isoformat(),
            "customer_id": random.choice(["", "a", "b", "c"]),
            "country": random.choice(["DE", "FR", ""]),
            "status": random.choice(["completed", "completed", "Cancelled"]),
            "discount": random.choice(["0", "0", "1.5"]),
            "tax": random.choice(["0", "2"]),
            "refunded": random.choice(["0", "0", "0.25"]),
            "total": random.choice(["", "19.99", "-3", "0"]),
        }
        if order_id not in self.lines:
            # The number of lines stays, so that no line of an earlier upload is left over.
            self.lines[order_id] = [{} for _ in range(random.randrange(4))]
        self.lines[order_id] = [self._line(order_id, number) for number in range(len(self.lines[order_id]))]

    def _line(self, order_id: str, number: int) -> dict[str, Any]:
        random = self.random
        line_type = random.choice(["sale", "sale", "return", "adjustment", "zero"])
        quantity = {"sale": 1, "return": -1, "adjustment": 1, "zero": 0}[line_type] * random.randrange(1, 5)
        price = Decimal(random.randrange(1, 999)) / 100 * (-1 if line_type == "adjustment" else 1)
        return {
            "order_id": order_id,
            "line_id": str(number),
            "product_id": random.choice(list(KINDS)),
            "quantity": quantity,
            "unit_price": price,
            "discount": random.choice(["0", "0.1"]),
            "line_type": line_type,
        }

    def facts(self, kind: str, adjustments: bool) -> Iterable[tuple[dict[str, Any], dict[str, Any]]]:
        """Each order that was not cancelled, with what it comes to; orders that come to nothing are left out."""
        for order in self.orders.values():
            if order["status"] == "Cancelled":
                continue
            lines = [line for line in self.lines[order["order_id"]] if kind in ("all", KINDS[line["product_id"]])]
            of = {one: [line for line in lines if line["line_type"] == one] for one in ("sale", "return", "adjustment")}
            whole = order if kind in ("all", "goods") else dict.fromkeys(order, "0")
            total = Decimal(order["total"] or 0) if not self.lines[order["order_id"]] else ZERO
            alone = ZERO
            if total and kind in ("all", "goods"):
                alone = total - Decimal(order["tax"]) + Decimal(order["discount"])
            made = {
                "has_sale": bool(of["sale"]) or (total > 0 and bool(alone)),
                "gross_sales": _gross(of["sale"]) + (alone if total > 0 else ZERO),
                "discounts": _discount(of["sale"]) + Decimal(whole["discount"]),
                "returns": _gross(of["return"]) - _discount(of["return"]) - Decimal(whole["refunded"]),
                "adjustments": _gross(of["adjustment"]) - _discount(of["adjustment"]) if adjustments else ZERO,
                "tax": Decimal(whole["tax"]),
                "units": sum(line["quantity"] for line in of["sale"]),
                "returned_units": -sum(line["quantity"] for line in of["return"]),
            }
            made["returns"] += alone if total < 0 else ZERO
            yield order, made


SUMS = ("gross_sales", "discounts", "returns", "adjustments", "tax", "units", "returned_units")


def expected(facts: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    sums = {name: Decimal(sum(made[name] for _, made in facts)) for name in SUMS}
    sold = [(order, made) for order, made in facts if made["has_sale"]]
    net = sum((made["gross_sales"] - made["discounts"] + made["returns"] for _, made in sold), ZERO)
    return {
        **sums,
        "net_sales": sums["gross_sales"] - sums["discounts"] + sums["returns"] + sums["adjustments"],
        "orders": len(sold),
        "customers": len({order["customer_id"] for order, _ in sold} - {""}),
        "aov": (net / len(sold)).quantize(Decimal("0.0001"), ROUND_HALF_UP) if sold else None,
    }


def got(row: dict[str, Any]) -> dict[str, Any]:
    counts = ("orders", "customers")
    names = (*SUMS, "net_sales", "aov", *counts)
    return {name: row[name] if name in counts or row[name] is None else Decimal(row[name]) for name in names}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_metric_equals_a_sum_in_plain_python_after_every_upload(tmp_path, seed):
    web, shop = web_of(tmp_path), RandomShop(seed)
    web.shop.upload("products", "p.csv", _csv([{"product_id": one, "kind": kind} for one, kind in KINDS.items()]))
    for upload in range(3):
        shop.change(web, upload)
        for kind in ("all", "goods", "fee"):
            for include in ([], ["adjustments"]):
                facts = list(shop.facts(kind, bool(include)))
                asked = {"kind": kind, "include": include}
                assert got(web.rows("sales/summary", **asked)[0]) == expected(facts), asked
                known = [fact for fact in facts if fact[0]["customer_id"]]
                assert got(web.rows("sales/summary", **asked, customers="known")[0]) == expected(known), asked
    _check_periods(web, list(shop.facts("all", False)))
    _check_countries(web, list(shop.facts("all", False)))


def _check_periods(web: Web, facts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    """The clocks of Berlin change within these weeks."""
    for grain in ("hour", "day"):
        groups: dict[str, list[Any]] = {}
        for order, made in facts:
            local = datetime.fromisoformat(order["ordered_at"]).astimezone(ZoneInfo("Europe/Berlin"))
            hour = local.replace(minute=0).isoformat(timespec="minutes")
            groups.setdefault(hour if grain == "hour" else hour[:10], []).append((order, made))
        rows = web.rows("sales/by-period", grain=grain, timezone="Europe/Berlin")
        assert {row["period"] for row in rows} >= {period for period, group in groups.items() if any_counts(group)}
        for row in rows:
            assert got(row) == expected(groups.get(row["period"], [])), row["period"]


def _check_countries(web: Web, facts: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    rows = web.rows("sales/by", dimension="country")
    for row in rows:
        assert got(row) == expected([fact for fact in facts if fact[0]["country"] == (row["value"] or "")])
    nets = [Decimal(row["net_sales"]) for row in rows]
    assert nets == sorted(nets, reverse=True)


def any_counts(group: list[Any]) -> bool:
    """Whether an order of the group comes to something."""
    return any(made[name] for _, made in group for name in SUMS)


def _gross(lines: list[dict[str, Any]]) -> Decimal:
    return sum((line["quantity"] * line["unit_price"] for line in lines), ZERO)


def _discount(lines: list[dict[str, Any]]) -> Decimal:
    return sum((Decimal(line["discount"]) for line in lines), ZERO)


def _csv(rows: list[dict[str, Any]]) -> str:
    return "\n".join([",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]) + "\n"
