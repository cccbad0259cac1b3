"""The tables a made-up shop comes from: exact shapes, a clock that runs as the year does, independent draws."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal, localcontext

import pytest

from shared.duck import Duck, open_duck
from shared.errors import InvalidParameterError
from shared.sample.clock import SLOT_SECONDS, Day, calendar, clock
from shared.sample.folder import filled
from shared.sample.shapes import (
    SLOTS,
    exponential,
    gaps_of_gamma_rates,
    lives_of_beta_chances,
    lognormal,
    popularity,
    weighted,
)
from shared.sample.shop import Period, SampleOrder, periods, shop
from shared.sample.tables import prepare


def test_exponential_quantiles_are_those_of_exact_arithmetic() -> None:
    with localcontext(prec=40):
        exact = [-1_000_000 * (1 - (Decimal(slot) + Decimal("0.5")) / SLOTS).ln() for slot in range(SLOTS)]
    rounded = [round(float(f"{value:.3e}")) for value in exact]
    assert exponential(1_000_000) == rounded


@pytest.mark.parametrize(("r", "alpha"), [(0.55, 3_456_000.0), (0.243, 2_669_000.0), (1.0, 50_000.0), (4.0, 9_000.0)])
def test_rates_have_the_moments_of_a_gamma_distribution(r: float, alpha: float) -> None:
    rates = [1 / gap for gap in gaps_of_gamma_rates(r, alpha)]
    assert statistics.mean(rates) == pytest.approx(r / alpha, rel=0.005)
    assert statistics.pvariance(rates) == pytest.approx(r / alpha**2, rel=0.02)


def test_with_shape_one_rates_are_exponential() -> None:
    gaps = gaps_of_gamma_rates(1.0, 50_000.0)
    for slot in range(0, SLOTS, 64):
        assert 1 / gaps[slot] == pytest.approx(-math.log1p(-(slot + 0.5) / SLOTS) / 50_000, rel=0.005)


@pytest.mark.parametrize(("a", "b"), [(0.8, 2.4), (0.793, 2.426), (1.0, 1.0), (3.0, 5.0)])
def test_chances_have_the_moments_of_a_beta_distribution(a: float, b: float) -> None:
    chances = [1 - math.exp(-1_000_000 / life) if life else 1.0 for life in lives_of_beta_chances(a, b, 1_000_000)]
    assert statistics.mean(chances) == pytest.approx(a / (a + b), rel=0.005)
    assert statistics.pvariance(chances) == pytest.approx(a * b / ((a + b) ** 2 * (a + b + 1)), rel=0.01)


def test_prices_are_lognormal() -> None:
    logs = [math.log(price) for price in lognormal(100_000, 0.7)]
    assert statistics.median(logs) == pytest.approx(math.log(100_000), abs=0.001)
    assert statistics.pstdev(logs) == pytest.approx(0.7, rel=0.005)


def test_weights_are_met_exactly() -> None:
    assert weighted([1, 0, 3], 8) == [0, 0, 2, 2, 2, 2, 2, 2]
    assert Counter(weighted([300, 240, 460], 4_000)) == {0: 1_200, 1: 960, 2: 1_840}
    ranks = Counter(popularity(4_800, 1.0, 8, 65_536))
    assert len(ranks) == 4_800
    assert ranks[0] / ranks[8] == pytest.approx(2, rel=0.01)


def test_the_calendar_has_its_campaigns_on_their_days() -> None:
    days = {day.on: day for day in calendar(shop(), 7, date(2024, 1, 1), date(2025, 1, 1))}
    assert len(days) == 366
    assert [days[date(2024, 11, 22) + timedelta(days=n)].factor for n in range(4)] == [4_000, 2_500, 2_200, 3_000]
    assert days[date(2024, 7, 2)].event == "summer sale"
    events = Counter(day.event for day in days.values())
    assert events["flash sale"] <= shop()["flash"]["per_year"]
    assert 1 <= events["outage"] <= shop()["outage"]["per_year"]
    assert days[date(2024, 2, 29)].closes == date(2024, 3, 1)
    assert days[date(2024, 12, 31)].closes == date(2025, 1, 1)
    assert days != {day.on: day for day in calendar(shop(), 8, date(2024, 1, 1), date(2025, 1, 1))}


def test_a_day_is_the_same_whatever_range_it_is_in() -> None:
    long = calendar(shop(), 7, date(2022, 1, 1), date(2025, 1, 1))
    short = calendar(shop(), 7, date(2023, 11, 1), date(2023, 12, 24))
    assert set(short) < set(long)


def test_the_clock_runs_evenly_where_every_hour_is_alike() -> None:
    even = {"months": [1_000] * 12, "weekdays": [1_000] * 7, "hours": [10] * 24}
    days = [Day(date(2024, 1, 1) + timedelta(days=n)) for n in range(10)]
    assert clock(even, days) == list(range(0, 10 * 86_400 + 1, SLOT_SECONDS))


def test_the_clock_passes_more_marks_where_it_is_busy() -> None:
    year = {"months": [1_000] * 12, "weekdays": [1_000] * 7, "hours": [10] * 23 + [30]}
    days = [Day(date(2024, 1, 1)), Day(date(2024, 1, 2), factor=3_000), Day(date(2024, 1, 3))]
    marks = clock(year, days)
    assert marks == sorted(marks)
    per_day = Counter(mark // 86_400 for mark in marks[:-1])
    assert per_day[1] == pytest.approx(3 * per_day[0], abs=3)
    late = sum(mark % 86_400 >= 23 * 3_600 for mark in marks[:-1])
    assert late / len(marks) == pytest.approx(30 / 260, abs=0.02)


def test_periods_follow_each_other_and_split_no_day() -> None:
    busy = [(1, 4), (2, 5), (4, 20), (5, 1), (8, 9)]
    assert periods(busy, 12, 10) == [Period(0, 4), Period(4, 5), Period(5, 12)]
    assert periods([], 12, 10) == [Period(0, 12)]
    assert periods(busy, 12, 1_000) == [Period(0, 12)]


@pytest.fixture(scope="module")
def duck() -> Duck:
    duck = open_duck(memory_limit_mb=512, threads=2, extensions=())
    prepare(duck, SampleOrder(1_000, 7))
    return duck


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("draw('a', i)", "draw('b', i)"),
        ("draw('a', i)", "draw('a', i + 1)"),
        ("draw('a', i, 1)", "draw('a', i, 2)"),
        ("draw('a', i, 1)", "draw('b', i, 1)"),
        ("draw('a', i, 1, 0)", "draw('a', i, 1, 1)"),
        ("draw('a', 1, i, 0)", "draw('a', 2, i, 0)"),
        ("draw('a', i)", "draw('a', i, 0)"),
        ("draw('a', i, i)", "draw('b', i, i)"),
    ],
)
def test_draws_are_even_and_do_not_know_each_other(duck: Duck, one: str, other: str) -> None:
    """Neither as numbers nor as bits: 64 cells of their first three bits each, and exclusive ors that all differ."""
    count = 64_000
    cells = duck.execute(
        f"SELECT below({one}, 8), below({other}, 8), count(*) FROM range({count}) AS ids(i) GROUP BY 1, 2"
    )
    assert len(cells) == 64
    chi_squared = sum((found - count / 64) ** 2 / (count / 64) for _, _, found in cells)
    assert 25 < chi_squared < 120  # 63 degrees of freedom: one in ten thousand is outside
    [(different, equal)] = duck.execute(
        f"SELECT count(DISTINCT xor({one}, {other})), count(*) FILTER ({one} = {other}) FROM range({count}) AS ids(i)"
    )
    assert (different, equal) == (count, 0)


def test_a_number_below_n_is_even(duck: Duck) -> None:
    counts = duck.execute(
        "SELECT below(draw('even', i), 7), count(*) FROM range(70000) AS ids(i) GROUP BY 1 ORDER BY 1"
    )
    assert [number for number, _ in counts] == list(range(7))
    assert all(9_600 < count < 10_400 for _, count in counts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"lines": 0},
        {"lines": 10**10},
        {"seed": -1},
        {"seed": 2**63},
        {"end": date(2022, 1, 1)},
        {"end": date(2050, 1, 1)},
        {"file_lines": 0},
    ],
)
def test_an_order_that_cannot_be_met_is_refused(wrong: dict[str, int | date]) -> None:
    with pytest.raises(InvalidParameterError, match=rf"^{next(iter(wrong))}: "):
        SampleOrder(**{"lines": 10, "seed": 7} | wrong)  # type: ignore[arg-type] # wrong on purpose


def test_a_folder_is_filled_as_a_whole(tmp_path) -> None:
    with filled(tmp_path / "new" / "shop") as place:
        (place.files / "orders").mkdir()
        (place.files / "orders" / "one").write_text("rows")
        (place.spill / "block").write_text("spilled")
        assert not (tmp_path / "new" / "shop" / "orders").exists()
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*")) if path.is_file()] == [
        "new/shop/orders/one"
    ]


@pytest.mark.parametrize("was_there", [True, False])
def test_what_fails_leaves_a_folder_as_it_was(tmp_path, was_there: bool) -> None:
    folder = tmp_path / "shop"
    if was_there:
        folder.mkdir()

    def stopped_half_way() -> None:
        with filled(folder) as place:
            (place.files / "half").write_text("ro")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_half_way()
    assert folder.exists() == was_there
    assert not list(tmp_path.rglob("*half*"))


def test_nobody_s_files_are_touched(tmp_path) -> None:
    (tmp_path / "mine").write_text("mine")
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(InvalidParameterError, match="no empty folder"), filled(folder):
            pass
    assert (tmp_path / "mine").read_text() == "mine"
