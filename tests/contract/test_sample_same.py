"""The same order makes the same shop: whatever the machine has, however the work is cut, as part of a larger one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest

from shared.duck import Duck, literal, open_duck
from shared.sample.make import DATASETS, make_sample
from shared.sample.shop import SampleOrder

ORDER = SampleOrder(lines=3_000, seed=7)

KNOWN = "3f78c089649e6dd76fc69d193d69d2e310aa2e26ded79393368e7aa311973dec"
"""The digest of that order's rows, as it was when this test was written: on x86-64, DuckDB 1.5.5."""


@pytest.fixture(scope="module")
def duck() -> Duck:
    return open_duck(memory_limit_mb=512, threads=2, extensions=())


def made(order: SampleOrder, folder: Path, *, threads: int = 2, memory_limit_mb: int = 512) -> Path:
    make_sample(order, folder, lambda *_: None, memory_limit_mb=memory_limit_mb, threads=threads)
    return folder


def source(folder: Path, dataset: str) -> str:
    return f"read_parquet({literal(f'{folder}/{dataset}/*.parquet')})"


def digest(duck: Duck, folder: Path) -> str:
    """Of every row of every dataset, whichever file it is in."""
    found = sha256()
    for dataset in DATASETS:
        for (row,) in duck.execute(f"SELECT row::VARCHAR FROM {source(folder, dataset)} AS row ORDER BY 1"):
            found.update(row.encode())
    return found.hexdigest()


def test_the_same_order_makes_the_same_rows(duck: Duck, tmp_path: Path) -> None:
    assert digest(duck, made(ORDER, tmp_path / "shop")) == KNOWN


@pytest.mark.parametrize(("threads", "memory_limit_mb", "file_lines"), [(1, 256, 2_000_000), (5, 1_024, 100)])
def test_threads_memory_and_files_shape_no_row(
    duck: Duck, tmp_path: Path, threads: int, memory_limit_mb: int, file_lines: int
) -> None:
    order = replace(ORDER, file_lines=file_lines)
    folder = made(order, tmp_path / "shop", threads=threads, memory_limit_mb=memory_limit_mb)
    assert digest(duck, folder) == KNOWN
    assert len(list((folder / "order_items").iterdir())) >= ORDER.lines / file_lines


def test_how_many_people_are_tried_at_once_shapes_no_row(
    duck: Duck, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.sample.make.LEAST_PEOPLE", 1)
    monkeypatch.setattr("shared.sample.make.PEOPLE_AT_ONCE", 37)
    assert digest(duck, made(ORDER, tmp_path / "shop")) == KNOWN


def test_another_seed_is_another_shop(duck: Duck, tmp_path: Path) -> None:
    folders = [made(replace(ORDER, seed=seed), tmp_path / str(seed)) for seed in (0, 8, 2**63 - 1)]
    digests = {digest(duck, folder) for folder in folders}
    assert len(digests | {KNOWN}) == 4
    for folder in folders:
        assert duck.value(f"SELECT count(*) FROM {source(folder, 'order_items')}") == ORDER.lines


def test_a_larger_shop_has_the_people_of_a_smaller_one_and_their_orders(duck: Duck, tmp_path: Path) -> None:
    small, large = made(ORDER, tmp_path / "small"), made(replace(ORDER, lines=9_000), tmp_path / "large")
    of_customer = """
        SELECT customer_id, product_id, quantity, unit_price, items.ordered_at::VARCHAR AS sold_at
        FROM {items} AS items
        INNER JOIN (SELECT DISTINCT order_id, customer_id FROM {orders}) USING (order_id)
        WHERE customer_id IS NOT NULL
    """
    rows = [
        duck.execute(of_customer.format(items=source(folder, "order_items"), orders=source(folder, "orders")))
        for folder in (small, large)
    ]
    last = max(row[0] for row in rows[0])
    few, many = (Counter(row for row in found if row[0] < last) for found in rows)
    assert few == many
    assert few.total() > 2_000
    people = [
        set(duck.execute(f"SELECT row::VARCHAR FROM {source(folder, 'customers')} AS row")) for folder in (small, large)
    ]
    assert people[0] < people[1]


@pytest.mark.parametrize("lines", [1, 2, 3, 10, 999])
def test_few_lines_are_exact_too(duck: Duck, tmp_path: Path, lines: int) -> None:
    folder = made(replace(ORDER, lines=lines), tmp_path / "shop")
    assert duck.value(f"SELECT count(*) FROM {source(folder, 'order_items')}") == lines


@pytest.mark.parametrize(
    ("start", "end"), [(date(2024, 2, 29), date(2024, 3, 1)), (date(1969, 12, 25), date(1971, 1, 1))]
)
def test_any_range_of_days_will_do(duck: Duck, tmp_path: Path, start: date, end: date) -> None:
    folder = made(replace(ORDER, start=start, end=end), tmp_path / "shop")
    first, last, count = duck.execute(
        f"""
        SELECT min(ordered_at)::DATE::VARCHAR, max(ordered_at)::DATE::VARCHAR, count(*)
        FROM {source(folder, "order_items")}
        """
    )[0]
    assert str(start) <= first <= last < str(end)
    assert count == ORDER.lines
