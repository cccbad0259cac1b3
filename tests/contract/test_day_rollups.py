"""Rollups per day and per customer are what their orders add up to, whatever was uploaded, deleted and rolled back."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.rollback import set_back
from shared.sessions import Sessions
from shared.steps.rollups import rebuild_rollups
from shared.tidy import TidyLakes
from tests.shop import Shop, shop_in

MONEY = ("gross_sales", "discounts", "returns", "adjustments", "tax", "shipping", "units", "returned_units")
FLAGS = (("with_sales", "is_sales"), ("with_adjustments", "has_adjustment"), ("with_zeros", "has_zero"))
OF_CUSTOMERS = ("gross_sales", "discounts", "returns", "adjustments", "units", "returned_units")


def orders_of(shop: Shop) -> list[dict[str, Any]]:
    columns = [row[0] for row in shop.rows("DESCRIBE teal.order_totals")]
    return [dict(zip(columns, row, strict=True)) for row in shop.rows("FROM teal.order_totals")]


def expected_sales(rows: list[dict[str, Any]], zone: str) -> dict[tuple[Any, ...], list[Any]]:
    """By day, country, channel and currency, from the orders one by one."""
    days: dict[tuple[Any, ...], dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal))
    for row in rows:
        day = row["ordered_at"].astimezone(ZoneInfo(zone)).date()
        sums = days[day, row["country"], row["channel"], row["currency"]]
        for name in MONEY:
            sums[name] += row[name]
        sums["net_of_orders"] += (row["gross_sales"] - row["discounts"] + row["returns"]) * row["order_has_sale"]
        for name, flag in (
            ("orders", "counts_order"),
            ("with_sales", "is_sales"),
            ("with_adjustments", "has_adjustment"),
            ("with_zeros", "has_zero"),
        ):
            sums[name] += row[flag]
    return {key: [sums[name] for name in (*MONEY, *SALES)] for key, sums in days.items()}


SALES = ("net_of_orders", "orders", "with_sales", "with_adjustments", "with_zeros")


def expected_customers(rows: list[dict[str, Any]], zone: str) -> Counter[tuple[Any, ...]]:
    """How many customers bought on a day and, before it, last on another: at all, and of each value of a dimension."""
    bought: dict[tuple[Any, ...], set[date]] = defaultdict(set)
    for row in rows:
        if row["counts_order"] and row["customer_id"] is not None:
            day = row["ordered_at"].astimezone(ZoneInfo(zone)).date()
            for dimension in (None, "country", "channel", "currency"):
                bought[dimension, row.get(dimension), row["customer_id"]].add(day)
    found: Counter[tuple[Any, ...]] = Counter()
    for (dimension, value, _), days in bought.items():
        ordered = sorted(days)
        found.update(zip([dimension] * len(days), [value] * len(days), ordered, [None, *ordered], strict=False))
    return found


def expected_last_days(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], datetime]:
    found: dict[tuple[Any, ...], datetime] = {}
    for row in rows:
        if row["counts_order"] and row["customer_id"] is not None:
            key = row["customer_id"], row["country"], row["channel"], row["currency"]
            found[key] = max(found.get(key, row["ordered_at"]), row["ordered_at"])
    return found


def expected_totals(rows: list[dict[str, Any]]) -> dict[tuple[str, str | None], list[Any]]:
    found: dict[tuple[str, str | None], dict[str, Any]] = defaultdict(lambda: defaultdict(Decimal) | {"at": []})
    for row in rows:
        if row["customer_id"] is None:
            continue
        sums = found[row["customer_id"], row["currency"]]
        sums["orders"] = sums.get("orders", 0) + row["counts_order"]
        sums["at"] += [row["ordered_at"]] * row["counts_order"]
        for name in OF_CUSTOMERS:
            sums[name] = sums.get(name, 0) + row[name]
        for name, flag in FLAGS:
            sums[name] = sums.get(name, 0) + row[flag]
    return {
        key: [min(sums["at"], default=None), max(sums["at"], default=None), sums["orders"]]
        + [sums[name] for name in (*OF_CUSTOMERS, *dict(FLAGS))]
        for key, sums in found.items()
    }


def check(shop: Shop, zone: str = "UTC") -> None:
    """The rollups say what the orders say, and rows that say nothing add up to nothing."""
    rows = orders_of(shop)
    sums = ", ".join(f"sum({name})" for name in (*MONEY, *SALES))
    told = shop.rows(
        f"SELECT day, country, channel, currency, {sums} FROM teal.sales_days WHERE zone = $zone GROUP BY ALL",
        {"zone": zone},
    )
    sales = {
        (day, *place): values for day, *place, values in ((*row[:4], list(row[4:])) for row in told) if any(values)
    }
    wanted = {key: values for key, values in expected_sales(rows, zone).items() if any(values)}
    assert sales == wanted
    told = shop.rows(
        "SELECT dimension, value, day, previous_day, sum(customers) FROM teal.customer_days WHERE zone = $zone "
        "GROUP BY ALL",
        {"zone": zone},
    )
    customers = expected_customers(rows, zone)
    assert {tuple(key): count for *key, count in told if count} == dict(customers)
    for grain in ("day", "week", "month", "quarter", "year"):
        told = shop.rows(f"SELECT day, sum(customers_of_{grain}) FROM teal.sales_days GROUP BY day")
        firsts: Counter[date] = Counter()
        for (dimension, _, day, before), count in customers.items():
            if dimension is not None:
                continue
            firsts[day] += count if before is None or before < first_of(grain, day) else 0
        assert {day: count for day, count in told if count} == {day: count for day, count in firsts.items() if count}, (
            grain
        )
    told = shop.rows(
        f"SELECT customer_id, currency, first_at, last_at, orders, {', '.join((*OF_CUSTOMERS, *dict(FLAGS)))} "
        "FROM teal.customer_totals"
    )
    assert {(customer, currency): values for customer, currency, *values in told} == expected_totals(rows)
    assert len(told) == len(expected_totals(rows))
    told = shop.rows("SELECT customer_id, country, channel, currency, last_at FROM teal.customer_last_days")
    assert {tuple(key): last for *key, last in told} == expected_last_days(rows)
    assert len(told) == len(expected_last_days(rows))


def first_of(grain: str, day: date) -> date:
    """The first day of the period that a day is in."""
    if grain == "week":
        return day - timedelta(days=day.weekday())
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}.get(grain)
    return day.replace(month=month, day=1) if month else day


HEADER = "order_id,ordered_at,customer_id,currency,total,status\n"
PLACED = "order_id,ordered_at,customer_id,currency,total,status,country,channel\n"
order = st.tuples(
    st.integers(1, 8),
    st.integers(0, 60),
    st.sampled_from(["a", "b", "c", ""]),
    st.sampled_from(["EUR", "USD", ""]),
    st.sampled_from([10, 20.5, -5, 0]),
    st.sampled_from(["", "paid", "cancelled"]),
    st.sampled_from(["FR", "DE", ""]),
    st.sampled_from(["web", "app"]),
)
line = st.tuples(st.integers(1, 8), st.integers(1, 2), st.sampled_from([2, 1, -1, 0]), st.sampled_from([3, 4.25]))
step = st.one_of(
    st.tuples(st.just("orders"), st.lists(order, min_size=1, max_size=8, unique_by=lambda row: row[0])),
    st.tuples(st.just("lines"), st.lists(line, min_size=1, max_size=8, unique_by=lambda row: row[:2])),
    st.tuples(st.just("delete"), st.integers(1, 8)),
    st.tuples(st.just("rollback"), st.integers(0, 5)),
)
START = datetime(2024, 2, 10, 3, tzinfo=UTC)


def act(shop: Shop, number: int, kind: str, told: Any, snapshots: list[int]) -> None:
    name = f"{number}.csv"
    if kind == "orders":
        body = "".join(
            f"{key},{(START + timedelta(hours=11 * at)).isoformat()},{customer},{','.join(map(str, rest))}\n"
            for key, at, customer, *rest in told
        )
        done = shop.upload("orders", name, PLACED + body)
    elif kind == "lines":
        body = "".join(f"{key},{place},{count},{price}\n" for key, place, count, price in told)
        done = shop.upload("order_items", name, "order_id,line_id,quantity,unit_price\n" + body)
    elif kind == "delete":
        done = shop.upload("orders", name, f"order_id,_deleted\n{told},true\n")
    else:
        if snapshots:
            target = snapshots[told % len(snapshots)]
            shop.writer.commit("test", lambda change: set_back(change, target, author="test"))
        return
    assert done.status in ("loaded", "skipped"), done
    if done.snapshot_id:
        snapshots.append(done.snapshot_id)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=st.lists(step, min_size=2, max_size=7))
def test_rollups_are_what_their_orders_add_up_to(steps):
    with tempfile.TemporaryDirectory() as folder:
        shop, snapshots = shop_in(Path(folder)), []
        for number, (kind, told) in enumerate(steps):
            act(shop, number, kind, told, snapshots)
        check(shop)


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_days_are_those_of_the_installation(tmp_path, zone):
    shop = shop_in(tmp_path, timezone=zone)
    hours = [0, 1, 5, 6, 23, 24 * 31, 24 * 31 + 5, 24 * 60]
    for number in range(2):
        body = "".join(
            f"{number}-{hour},{(START + timedelta(hours=hour + number)).isoformat()},{'ab'[hour % 2]},EUR,{hour + 1},\n"
            for hour in hours
        )
        shop.upload("orders", f"{number}.csv", HEADER + body)
        check(shop, zone)


def test_a_customer_who_simply_comes_back_is_not_looked_up_in_the_orders(tmp_path, monkeypatch):
    from shared.steps import day_rollups

    shop = shop_in(tmp_path)
    shop.upload("orders", "1.csv", HEADER + "1,2024-01-05,a,EUR,10,\n2,2024-01-07,b,EUR,10,\n")
    moved = []
    wrapped = day_rollups._moved_totals

    def counting(duck, zone):
        moved.append(duck.value("SELECT count(*) FROM moved_customers"))
        wrapped(duck, zone)

    monkeypatch.setattr(day_rollups, "_moved_totals", counting)
    shop.upload("orders", "2.csv", HEADER + "3,2024-01-07,a,EUR,10,\n4,2024-01-09,b,EUR,10,\n5,2023-01-01,c,EUR,1,\n")
    shop.upload("orders", "3.csv", HEADER + "3,2024-01-07,a,EUR,12,\n")
    shop.upload("orders", "4.csv", HEADER + "6,2024-01-06,a,EUR,12,\n")
    assert moved == [0, 0, 1]
    check(shop)


def test_orders_that_are_told_again_add_no_day(tmp_path):
    """Lines that come after their orders touch days long before the last one their customers are known for."""
    shop = shop_in(tmp_path)
    days = [1, 5, 9, 20]
    shop.upload("orders", "1.csv", HEADER + "".join(f"{day},2024-01-{day:02},a,EUR,10,\n" for day in days))
    lines = "".join(f"{day},1,2,3\n" for day in days[:3])
    shop.upload("order_items", "1.csv", "order_id,line_id,quantity,unit_price\n" + lines)
    check(shop)
    shop.upload("orders", "2.csv", HEADER + "1,2024-01-01,a,EUR,11,paid\n5,2024-01-05,a,EUR,10,paid\n")
    check(shop)


def test_rollups_are_made_anew_from_the_facts(tmp_path):
    shop = shop_in(tmp_path)
    shop.upload("orders", "1.csv", HEADER + "1,2024-01-05,a,EUR,10,\n2,2024-01-07,b,EUR,10,\n3,2024-02-07,b,USD,-4,\n")
    shop.upload("order_items", "1.csv", "order_id,line_id,quantity,unit_price\n1,1,2,3\n")
    wanted = orders_of(shop)

    def spoil(change):
        for table in ("order_totals", "sales_days", "customer_totals", "customer_last_days"):
            change.duck.execute(f"DELETE FROM lake.teal.{table}")
        change.duck.execute("UPDATE lake.teal.customer_days SET customers = 7")

    shop.writer.commit("test", spoil)
    assert shop.writer.commit("test", lambda change: rebuild_rollups(change, "Europe/Rome")).result == 3
    assert sorted(orders_of(shop), key=str) == sorted(wanted, key=str)
    check(shop, "Europe/Rome")


def test_maintenance_adds_up_the_differences_of_many_commits(tmp_path):
    shop = shop_in(tmp_path)
    for number in range(130):
        shop.upload("orders", f"{number}.csv", HEADER + f"1,2024-01-{number % 2 + 1:02},a,EUR,{number + 1},\n")
    before = shop.rows("SELECT count(*) FROM teal.sales_days")[0][0]
    tidy = TidyLakes(shop.store, lambda tenant: shop.writer, Sessions(shop.writer.open_duck, lambda duck: None))
    assert [report.problems for report in tidy()] == [[]]
    assert shop.rows("SELECT count(*) FROM teal.sales_days")[0][0] <= 4 < before
    check(shop)
