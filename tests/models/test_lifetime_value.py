"""Lifetime value: two models multiplied, tiers by hand, and intervals that hold what came to pass."""

from __future__ import annotations

import numpy as np
import pytest

from shared.models.bgnbd import probability_alive
from shared.models.bgnbd_fit import fit_bgnbd
from shared.models.gamma_gamma import expected_value, fit_gamma_gamma
from shared.models.histories import histories
from shared.models.lifetime_value import (
    Outlook,
    lifetime_values,
    revenue_interval,
    tiers,
    total_orders,
    total_revenue,
)
from shared.models.purchases import continuous_discount, expected_purchases
from tests.models.shop import cdnow, published, simulated

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SPENDING = (6.0, 4.0, 15.0)


@pytest.fixture(scope="module")
def shop():
    people = cdnow()
    return fit_bgnbd(people), fit_gamma_gamma(people), people


def test_both_models_together_give_the_published_lifetime_values(shop):
    """lifetimes adds up 12 months of 4.345 weeks, each discounted by 1 % a month at its end."""
    orders, spend, people = shop
    alive = probability_alive(orders.model, people)
    until = [np.zeros(len(alive))]
    until += [expected_purchases(orders.model, people, alive, 4.345 * month) for month in range(1, 13)]
    months = sum((until[month] - until[month - 1]) / 1.01**month for month in range(1, 13))
    value = (months * expected_value(spend.model, spend.observed_mean, people))[people.row_of]
    told = published()["sample"]["lifetimes_clv_12_months_1pct_freq_W"]
    assert value[:10] == pytest.approx([told[str(customer)] for customer in range(1, 11)], rel=0.005)


def test_value_is_discounted_orders_times_order_value_times_margin(shop):
    orders, spend, people = shop
    outlook = Outlook(horizon=52, discount=continuous_discount(0.1, 365 / 7), margin=0.3)
    told = lifetime_values(orders, spend, people, outlook)
    discounted = expected_purchases(orders.model, people, told.alive, 52, outlook.discount)
    assert told.value == pytest.approx(0.3 * discounted * told.order_value)
    assert told.revenue == pytest.approx(told.orders * told.order_value)
    assert (told.value < 0.3 * told.revenue).all()
    assert (told.value > 0.3 * told.revenue / 1.1).all()  # nothing is discounted by more than the year
    assert ((told.orders_low <= told.orders_high) & (told.buys_again <= told.alive)).all()


def test_without_discount_value_is_revenue(shop):
    told = lifetime_values(*shop, Outlook(horizon=52))
    assert (told.value == told.revenue).all()


def test_tiers_are_quarters_and_equals_stay_together():
    """Eight customers: 90 and 80 are the first quarter; three of 10 begin at the fifth place, in the third quarter."""
    assert tiers(np.array([10.0, 80, 60, 10, 90, 50, 10, 1]), np.ones(8)).tolist() == [2, 0, 1, 2, 0, 1, 2, 3]


def test_tiers_count_customers_not_rows():
    """Four customers of 5 before one of 3 and one of 1: ranks 0, 4 and 5 of 6."""
    assert tiers(np.array([1.0, 5, 3]), np.array([1.0, 4, 1])).tolist() == [3, 0, 2]


def test_where_all_are_equal_there_is_one_tier():
    assert tiers(np.zeros(5), np.ones(5)).tolist() == [0] * 5
    assert tiers(np.array([]), np.array([])).tolist() == []


def future(seed: int, customers: int = 3000):
    """A year of a made-up shop for fitting, and what everybody bought and spent in the half year after."""
    x, last, age, later = simulated(customers, 0.8, 40, 0.6, 3.0, age=365, seed=seed, then=180)
    random = np.random.default_rng(seed)
    p, q, v = SPENDING
    rate = random.gamma(q, 1 / v, customers)
    value = np.where(x > 0, random.gamma(p * np.maximum(x, 1)) / rate / np.maximum(x, 1), 0.0)
    spent = np.where(later > 0, random.gamma(p * np.maximum(later, 1)) / rate, 0.0)
    people = histories(x, last, age, value)
    return fit_bgnbd(people), fit_gamma_gamma(people), people, later, spent


def test_totals_lie_in_their_intervals_as_often_as_they_say():
    outlook = Outlook(horizon=180, level=0.8)
    held_orders, held_revenue, shops = 0, 0, 30
    for seed in range(shops):
        orders, spend, people, later, spent = future(seed, 1500)
        low, high = total_orders(orders, people, outlook.horizon).interval(outlook.level)
        held_orders += low < later.sum() < high
        low, high = total_revenue(orders, spend, people, outlook.horizon).interval(outlook.level)
        held_revenue += low < spent.sum() < high
    assert 0.65 < held_orders / shops < 0.95
    assert 0.65 < held_revenue / shops < 0.95


def test_customers_lie_in_their_intervals_as_often_as_they_say():
    orders, spend, people, later, spent = future(9)
    told = lifetime_values(orders, spend, people, Outlook(horizon=180, level=0.8))
    inside = (told.orders_low[people.row_of] <= later) & (later <= told.orders_high[people.row_of])
    assert 0.8 - 0.02 < inside.mean() < 0.95  # whole numbers: an interval holds at least its level
    above = later > told.orders_high[people.row_of]
    assert above.mean() < 0.1 + 0.02
    low, high = revenue_interval(orders, spend, people, Outlook(horizon=180, level=0.8), draws=400)
    assert 0.88 < (spent <= high[people.row_of]).mean() < 0.92
    assert (spent < low[people.row_of]).mean() < 0.1 + 0.02


def test_expected_orders_of_groups_come_to_pass():
    """Customers in tenths by what was expected of them: each tenth buys about that."""
    orders, spend, people, later, _ = future(11, 8000)
    told = lifetime_values(orders, spend, people, Outlook(horizon=180)).orders[people.row_of]
    for tenth in np.array_split(np.argsort(told), 10):
        error = np.sqrt(np.sum((later[tenth] - told[tenth]) ** 2))
        assert later[tenth].sum() == pytest.approx(told[tenth].sum(), abs=3.5 * error)


def test_the_same_seed_draws_the_same_futures(shop):
    orders, spend, people = shop
    some = people.some(slice(0, 50))
    outlook = Outlook(horizon=52)
    first, again = (revenue_interval(orders, spend, some, outlook, draws=100, seed=3) for _ in range(2))
    other = revenue_interval(orders, spend, some, outlook, draws=100, seed=4)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_total_without_variance_has_no_interval():
    """With q below 2, what the next customer spends has no variance, nor has any sum with it."""
    random = np.random.default_rng(3)
    x, last, age, _ = simulated(2000, 0.8, 40, 0.6, 3.0, age=365, seed=1)
    rate = random.gamma(1.4, 1 / 5, 2000)
    value = np.where(x > 0, random.gamma(2.0 * np.maximum(x, 1)) / rate / np.maximum(x, 1), 0.0)
    people = histories(x, last, age, value)
    told = total_revenue(fit_bgnbd(people), fit_gamma_gamma(people), people, 180)
    assert told.expected > 0
    assert told.interval(0.8) is None


def test_a_shop_nobody_leaves_has_totals_with_intervals():
    x, last, age, later = simulated(4000, 1.5, 30, 1e-9, 1, age=365, seed=4, then=90)
    people = histories(x, last, age)
    told = total_orders(fit_bgnbd(people), people, 90)
    low, high = told.interval(0.99)
    assert low < later.sum() < high
    assert high - low < 0.1 * told.expected
