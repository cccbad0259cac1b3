"""What a made-up shop is like: exact, accepted by every contract, and with what a real shop's analysis would find.

Everything expected here is what was planted (shop.toml, about.json) or is added up from the rows in plain Python.
"""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest

from shared.duck import literal, open_duck
from shared.sample.make import DATASETS, make_sample
from shared.sample.shop import SampleOrder, shop
from tests.web import Web, web_of

LINES = 40_000
ORDER = SampleOrder(lines=LINES, seed=7, file_lines=15_000)
Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Made:
    """A sample in a folder."""

    folder: Path
    told: dict[str, int]

    def files(self, dataset: str) -> list[Path]:
        return sorted((self.folder / dataset).iterdir())

    def rows(self, *files: Path) -> Rows:
        """Rows of files; instants as naive UTC."""
        duck = open_duck(memory_limit_mb=512, threads=2, extensions=())
        source = f"read_parquet([{', '.join(literal(str(file)) for file in files)}])"
        instants = [
            name for name, kind in duck.columns(f"SELECT * FROM {source}").items() if kind.endswith("TIME ZONE")
        ]
        casts = ", ".join(f"{name} AT TIME ZONE 'UTC' AS {name}" for name in instants)
        found = duck.query(f"SELECT * {f'REPLACE ({casts})' if casts else ''} FROM {source}")
        duck.close()
        return [dict(zip(found.columns, row, strict=True)) for row in found.rows]

    def all(self, dataset: str) -> Rows:
        return self.rows(*self.files(dataset))

    @cached_property
    def about(self) -> dict[str, Any]:
        return json.loads((self.folder / "about.json").read_text())

    @cached_property
    def orders(self) -> dict[str, dict[str, Any]]:
        """Every order and credit note in its last state."""
        found: dict[str, dict[str, Any]] = {}
        for row in sorted(self.all("orders"), key=lambda row: row["updated_at"]):
            found[row["order_id"]] = row
        return found

    @cached_property
    def items(self) -> dict[str, Rows]:
        """Lines by their order."""
        found: dict[str, Rows] = defaultdict(list)
        for row in self.all("order_items"):
            found[row["order_id"]].append(row)
        return found

    @cached_property
    def sales(self) -> Rows:
        """Orders, without credit notes."""
        return [row for row in self.orders.values() if row["order_id"].startswith("O")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("sample") / "shop"
    return Made(folder, dict(make_sample(ORDER, folder, lambda *_: None, memory_limit_mb=1_024, threads=2)))


def per_day(made: Made) -> Counter[date]:
    return Counter(row["ordered_at"].date() for row in made.sales)


def test_there_are_exactly_as_many_lines_as_ordered(made: Made) -> None:
    assert sum(map(len, made.items.values())) == LINES == made.told["order_items"]
    assert made.told == {dataset: len(made.all(dataset)) for dataset in DATASETS} == made.about["rows"]


def test_a_file_has_at_most_so_many_lines_and_the_days_it_is_named_after(made: Made) -> None:
    files = made.files("order_items")
    assert len(files) >= LINES / ORDER.file_lines
    named = [tuple(map(date.fromisoformat, file.stem.split("_"))) for file in files]
    assert named[0][0] == ORDER.start
    assert named[-1][1] == ORDER.end - timedelta(days=1)
    assert all(after[0] - before[1] == timedelta(days=1) for before, after in pairwise(named))
    for dataset, column in (("order_items", "ordered_at"), ("orders", "ordered_at"), ("events", "occurred_at")):
        for file, (first, last) in zip([f for f in made.files(dataset) if f.stem[0] != "l"], named, strict=True):
            rows = made.rows(file)
            assert len(rows) <= ORDER.file_lines
            if dataset != "order_items":  # goods that come back with their own order's line numbers come later
                assert {first <= row[column].date() <= last for row in rows} == {True}
                assert [row[column] for row in rows] == sorted(row[column] for row in rows)


def test_every_contract_accepts_every_row_and_every_reference_is_there(made: Made, tmp_path: Path) -> None:
    web = web_of(tmp_path)
    for dataset in DATASETS:
        for file in made.files(dataset):
            outcome = web.shop.upload(dataset, f"{dataset}-{file.name}", file)
            assert (outcome.status, outcome.counts.held, outcome.counts.duplicate) == ("loaded", 0, 0), outcome
            assert outcome.counts.accepted == len(made.rows(file))
    for dataset in DATASETS:
        report = web.client.get(f"/v1/datasets/{dataset}").json()
        assert "missing" not in json.dumps(report.get("references", {})), report
    agrees_with_the_lake(made, web)


def agrees_with_the_lake(made: Made, web: Web) -> None:
    """Late states have won, and the shop's own questions answer what plain Python adds up."""
    [states] = web.shop.rows("SELECT map_from_entries(list((order_id, status))) FROM orders")[0]
    assert states == {order_id: row["status"] for order_id, row in made.orders.items()}
    for sql, expected in (
        ("order_items ANTI JOIN orders USING (order_id)", 0),
        ("order_items ANTI JOIN products USING (product_id)", 0),
        ("(FROM orders WHERE customer_id IS NOT NULL) ANTI JOIN customers USING (customer_id)", 0),
        ("products SEMI JOIN categories USING (category_id)", shop()["products"]),
    ):
        assert web.shop.rows(f"SELECT count(*) FROM {sql}") == [(expected,)], sql
    counted = [row for row in made.orders.values() if row["currency"] == "EUR" and row["status"] != "cancelled"]
    net = sum(net_of(made, row) - row["refunded"] for row in counted)
    [answer] = web.rows("sales/summary", currency="EUR")
    assert Decimal(answer["net_sales"]) == net
    assert Decimal(answer["tax"]) == sum(row["tax"] for row in counted)
    [answer] = web.rows("sales/summary", convert="EUR")
    assert Decimal(answer["net_sales"]) > net


def net_of(made: Made, order: dict[str, Any]) -> Decimal:
    lines = made.items[order["order_id"]]
    return sum((row["quantity"] * row["unit_price"] - row["discount"] for row in lines), -order["discount"])


def test_an_order_adds_up(made: Made) -> None:
    rates = {country["code"]: country["tax"] for country in shop()["country"]}
    currencies = {country["code"]: country["currency"] for country in shop()["country"]}
    for order in made.orders.values():
        net = net_of(made, order)
        assert order["total"] == net + order["tax"] + order["shipping"]
        assert abs(order["tax"] - net * rates[order["country"]] / 1_000) <= Decimal("0.01")
        assert order["currency"] == currencies[order["country"]]
        assert min(order["discount"], order["shipping"], order["refunded"]) >= 0
    assert len({order["currency"] for order in made.orders.values()}) == 6


def test_a_line_has_the_type_the_contract_would_derive(made: Made) -> None:
    for row in (row for rows in made.items.values() for row in rows):
        free = row["quantity"] == 0 or row["unit_price"] == 0
        assert row["line_type"] == ("zero" if free else "return" if row["quantity"] < 0 else "sale")
        assert 0 <= row["discount"] <= max(row["quantity"], 0) * row["unit_price"]


def test_days_are_as_busy_as_campaigns_outages_and_the_season_make_them(made: Made) -> None:
    orders = per_day(made)

    def around(day: date) -> float:
        near = [day + timedelta(days=n) for n in (-21, -14, -7, 7, 14, 21)]
        plain = [orders[one] for one in near if str(one) not in made.about["days"] and ORDER.start <= one < ORDER.end]
        return statistics.mean(plain)

    def against_others(wanted: Any) -> float:
        days = [date.fromisoformat(day) for day, told in made.about["days"].items() if wanted(told)]
        days = [day for day in days if day.year == 2024]
        return sum(orders[day] for day in days) / sum(map(around, days))

    assert 1.6 < against_others(lambda told: 2 <= told["factor"] < 3) < 3.2
    assert 2.6 < against_others(lambda told: told["factor"] >= 3) < 5.5
    assert against_others(lambda told: told["factor"] < 1) < 0.35
    assert {told["event"] for told in made.about["days"].values()} >= {"outage", "black week", "flash sale"}
    months = Counter((day.year, day.month) for day in orders.elements())
    for year in (2022, 2023):  # growth is the same on both sides of the middle
        winter = months[year, 11] + months[year, 12]
        assert winter > 1.2 * (months[year, 9] + months[year, 10] + months[year + 1, 1] + months[year + 1, 2]) / 2
    years = Counter(day.year for day in orders.elements())
    assert years[2022] < years[2023] < years[2024]


def test_hours_and_weekdays_differ(made: Made) -> None:
    hours = Counter(row["ordered_at"].hour for row in made.sales)
    assert hours.most_common(1)[0][0] == 19
    planted = shop()["year"]["hours"]
    for hour, count in hours.items():
        assert count / len(made.sales) == pytest.approx(planted[hour] / sum(planted), abs=0.008)
    weekdays = Counter(row["ordered_at"].weekday() for row in made.sales)
    assert weekdays[6] > 1.05 * weekdays[5]


def test_planted_sets_are_found_and_others_are_not(made: Made) -> None:
    baskets = [{row["product_id"] for row in made.items[order["order_id"]]} for order in made.sales]
    singles = Counter(product for basket in baskets for product in basket)
    pairs = Counter(pair for basket in baskets for pair in combinations(sorted(basket), 2))

    def lift(pair: tuple[str, str]) -> float:
        return pairs[pair] * len(baskets) / (singles[pair[0]] * singles[pair[1]])

    planted = {tuple(sorted(pair)) for group in made.about["sets"] for pair in combinations(group, 2)}
    often = [tuple(sorted(group[:2])) for group in made.about["sets"][:30]]
    assert all(lift(pair) > 5 and pairs[pair] >= 5 for pair in often)
    popular = [product for product, _ in singles.most_common(20)]
    unplanted = [pair for pair in combinations(sorted(popular), 2) if pair not in planted]
    assert statistics.median(map(lift, unplanted)) < 1.5
    assert {2, 3, 4} == {len(group) for group in made.about["sets"]}
    assert len(made.about["sets"]) == shop()["sets"]


def test_few_products_and_few_customers_make_most_of_it(made: Made) -> None:
    sold = Counter(row["product_id"] for rows in made.items.values() for row in rows)
    top = sum(count for _, count in sold.most_common(shop()["products"] // 5))
    assert 0.6 < top / LINES < 0.9
    orders = sorted(Counter(row["customer_id"] for row in made.sales if row["customer_id"]).values(), reverse=True)
    assert 0.45 < orders.count(1) / len(orders) < 0.65
    assert sum(orders[: len(orders) // 10]) > 0.35 * sum(orders)
    assert statistics.mean(orders) > 1.5 * statistics.median(orders)


def test_guests_and_prospects_are_there(made: Made) -> None:
    guests = sum(row["customer_id"] is None for row in made.sales)
    assert 0.05 < guests / len(made.sales) < 0.15
    bought = {row["customer_id"] for row in made.orders.values()}
    customers = {row["customer_id"]: row for row in made.all("customers")}
    assert 0.03 < len(customers.keys() - bought) / len(customers) < 0.09
    for order in made.sales:
        if order["customer_id"]:
            assert customers[order["customer_id"]]["created_at"] <= order["ordered_at"]
            assert customers[order["customer_id"]]["country"] == order["country"]
    assert all(row["email"].endswith("@example.com") for row in customers.values())


def test_goods_come_back_once_for_what_was_paid(made: Made) -> None:
    returned = 0
    noted = [row for row in made.orders.values() if row["order_id"].startswith("R")]
    for order in made.orders.values():
        back = [row for row in made.items[order["order_id"]] if row["quantity"] < 0]
        if not back:
            continue
        returned += len(back)
        original = "O" + order["order_id"][1:]
        sold = [row for row in made.items[original] if row["quantity"] > 0]
        paid = Counter((row["product_id"], row["quantity"], price_paid(row)) for row in sold)
        assert not Counter((row["product_id"], -row["quantity"], row["unit_price"]) for row in back) - paid
        days = {(row["ordered_at"] - made.orders[original]["ordered_at"]).days for row in back}
        assert len(days) == 1
        assert 3 <= days.pop() < 30
        assert made.orders[original]["status"] != "cancelled"
    assert 0.02 < returned / LINES < 0.06
    assert 0.04 < len(noted) / len(made.sales) < 0.09
    assert all(row["quantity"] < 0 for order in noted for row in made.items[order["order_id"]])


def price_paid(line: dict[str, Any]) -> Decimal:
    return line["unit_price"] - line["discount"] / line["quantity"]


def test_late_states_are_newer_and_of_a_later_month(made: Made) -> None:
    files = {file: made.rows(file) for file in made.files("orders")}
    first = {row["order_id"]: row for file, rows in files.items() for row in rows if not file.stem.startswith("late")}
    late = [row for file, rows in files.items() for row in rows if file.stem.startswith("late")]
    assert len(first) == len(made.orders)
    assert 0.05 < len(late) / len(first) < 0.2
    for row in late:
        before = first[row["order_id"]]
        assert before["status"] == "processing"
        assert row["status"] in ("completed", "cancelled")
        month_over = (row["ordered_at"].replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0, second=0)
        assert before["updated_at"] < month_over <= row["updated_at"]
        assert row["updated_at"] < datetime(2025, 1, 1)
    share = Counter(row["status"] for row in made.sales)["cancelled"] / len(made.sales)
    assert share == pytest.approx(shop()["afterwards"]["cancelled"] / 1_000, abs=0.006)


def test_sessions_are_funnels_that_end_in_real_orders(made: Made) -> None:
    steps: dict[str, Rows] = defaultdict(list)
    for row in made.all("events"):
        steps[row["session_id"]].append(row)
    reached: Counter[str] = Counter()
    for session in steps.values():
        session.sort(key=lambda row: (row["occurred_at"], row["event_id"]))
        names = [row["event_name"] for row in session]
        assert names[0] == "view"
        assert len({(row["device"], row["country"], row["channel"], row["customer_id"]) for row in session}) == 1
        assert session[-1]["occurred_at"] - session[0]["occurred_at"] <= timedelta(hours=1)
        reached.update(set(names))
        for row in session:
            if row["event_name"] == "purchase":
                order = made.orders[row["order_id"]]
                assert (order["ordered_at"], order["total"], order["currency"], order["customer_id"]) == (
                    row["occurred_at"],
                    row["value"],
                    row["currency"],
                    row["customer_id"],
                )
                viewed = {one["product_id"] for one in session if one["event_name"] == "add_to_cart"}
                assert viewed == {one["product_id"] for one in made.items[row["order_id"]] if one["quantity"] > 0}
    assert reached["view"] > 2 * reached["add_to_cart"] > 3 * reached["checkout"] > 3 * reached["purchase"] > 0


def test_every_day_has_a_rate_for_every_currency(made: Made) -> None:
    rates = {(row["currency"], row["day"]): row["rate"] for row in made.all("rates")}
    planted = {one["code"]: one["rate"] / 1_000 for one in shop()["currency"] if one["code"] != "EUR"}
    days = [ORDER.start + timedelta(days=number) for number in range(ORDER.days)]
    assert rates.keys() == {(currency, day) for currency in planted for day in days}
    for currency, mean in planted.items():
        walk = [rates[currency, day] / mean for day in days]
        assert 0.85 < min(walk) < max(walk) < 1.15
        steps = [abs(after / before - 1) for before, after in pairwise(walk)]
        assert 0 < max(steps) < 0.01


def test_products_have_a_life_and_a_season(made: Made) -> None:
    products = {row["product_id"]: row for row in made.all("products")}
    sold = [row for order in made.sales for row in made.items[order["order_id"]] if row["quantity"] > 0]
    for row in sold:
        assert products[row["product_id"]]["updated_at"] <= row["ordered_at"]
    gifts = Counter(
        row["ordered_at"].month for row in sold if products[row["product_id"]]["category"].startswith("Gifts / ")
    )
    others = Counter(row["ordered_at"].month for row in sold)
    assert (gifts[11] + gifts[12]) / sum(gifts.values()) > 1.1 * (others[11] + others[12]) / len(sold)
    assert {row["kind"] for row in products.values()} == {"goods", "service", "gift_card"}
    assert all(row["cost"] <= row["price"] for row in products.values())
    assert sum(row["updated_at"].date() > ORDER.start for row in products.values()) > shop()["products"] / 5
