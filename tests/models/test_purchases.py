"""Expected purchases against published figures, the closed forms as printed, and each other."""

from __future__ import annotations

from decimal import Decimal, localcontext
from math import exp, lgamma

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.models.bgnbd import BgNbd, probability_alive, probability_of_purchase
from shared.models.bgnbd_fit import fit_bgnbd
from shared.models.histories import histories
from shared.models.purchases import (
    continuous_discount,
    expected_purchases,
    purchases_interval,
    variance_of_purchases,
)
from tests.models.shop import cdnow, cdnow_columns, published

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

BTYD = published()["published"]["BTYD R package walkthrough"]
LIFETIMES = published()["published"]["lifetimes documentation"]
CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)


def expected(model, x, last, age, horizon, discount=0.0) -> float:
    one = histories([x], [last], [age])
    return expected_purchases(model, one, probability_alive(model, one), horizon, discount)[0]


@pytest.fixture(scope="module")
def model():
    return fit_bgnbd(cdnow()).model


# --- published -------------------------------------------------------------------------------------------------------


def test_a_new_customer_of_cdnow_buys_as_published(model):
    assert expected(model, 0, 0, 0, 52) == pytest.approx(BTYD["bgnbd_expectation_52w"], rel=0.005)


def test_customer_1516_buys_as_published(model):
    weeks = published()["sample"]["customer_1516"]
    told = expected(model, weeks["x"], weeks["tx"], weeks["T"], 52)
    assert told == pytest.approx(BTYD["bgnbd_customer_1516_52w"], rel=0.005)


def test_the_example_of_the_paper_buys_as_published(model):
    told = expected(model, 2, 30.43, 38.86, 39)
    assert told == pytest.approx(published()["sample"]["x2_tx30.43_T38.86_t39"], rel=0.005)


@pytest.mark.parametrize(("x", "told"), BTYD["bgnbd_paradox_52w_tx20_T39"].items())
def test_frequent_buyers_who_fell_silent_buy_least_as_published(model, x, told):
    assert expected(model, int(x), 20, 39, 52) == pytest.approx(told, rel=0.005)


@pytest.mark.parametrize(("customer", "told"), LIFETIMES["top5_predicted_purchases_t1"].items())
def test_the_best_customers_of_cdnow_buy_as_published(model, customer, told):
    x, last, age, _ = (column[int(customer) - 1] for column in cdnow_columns())
    assert expected(model, x, last / 7, age / 7, 1) == pytest.approx(told, rel=0.005)


# --- closed forms ----------------------------------------------------------------------------------------------------


def printed_expectation(model: BgNbd, x: int, age: float, horizon: float) -> float:
    """Equation (10) of somebody alive, with the series of 2F1 summed in 120 digits."""
    with localcontext() as context:
        context.prec = 120
        r, alpha, a, b, age, horizon = map(Decimal, (model.r, model.alpha, model.a, model.b, age, horizon))
        z, term, total, n = horizon / (alpha + age + horizon), Decimal(1), Decimal(1), 0
        while abs(term) > abs(total) * Decimal("1e-40"):
            term *= (r + x + n) * (b + x + n) / (a + b + x - 1 + n) / (n + 1) * z
            total += term
            n += 1
        left = ((r + x) * ((alpha + age) / (alpha + age + horizon)).ln()).exp() * total
        return float((a + b + x - 1) / (a - 1) * (1 - left))


@pytest.mark.parametrize(
    "model",
    [
        CDNOW,
        BgNbd(0.01, 0.5, 0.8, 2.4),  # nearly nobody comes back
        BgNbd(50, 900, 0.01, 0.02),  # rates nearly equal, dropout all or nothing
        BgNbd(2, 10, 200, 1000),  # dropout nearly equal
        BgNbd(1.3, 2, 1.5, 0.05),  # nearly everybody leaves
        BgNbd(0.3, 5, 1e-6, 1),  # nobody leaves
        BgNbd(2, 0.5, 10, 3),  # sure to leave, after thousands of purchases or none
        BgNbd(2, 10, 0.29, 3),  # on both sides of what is taken for a heavy tail
        BgNbd(2, 10, 0.31, 3),
        BgNbd(2, 10, 1 + 1e-9, 3),  # where equation (10) is nearly 0/0
    ],
)
@pytest.mark.parametrize(("x", "age"), [(0, 0), (0, 39), (1, 3), (7, 39), (300, 50), (2000, 52)])
@pytest.mark.parametrize("horizon", [1, 52, 156])
def test_expected_purchases_are_the_printed_ones(model, x, age, horizon):
    one = histories([x], [age if x else 0], [age])
    told = expected_purchases(model, one, np.ones(1), horizon)[0]
    assert told == pytest.approx(printed_expectation(model, x, age, horizon), rel=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "rel"), [(1.5, 3.0, 1e-7), (1.1, 0.4, 1e-6), (1000.0, 2000.0, 1e-9), (40.0, 0.01, 1e-9)]
)
def test_with_all_the_time_in_the_world_somebody_buys_until_they_leave(a, b, rel):
    """E[1/p] = (a+b-1)/(a-1), less what a billion expected purchases still miss: Γ(a-1) (k t/α)^(1-a) / B(a, b)."""
    model, horizon = BgNbd(1e5, 1e2, a, b), 1e6
    missed = exp(lgamma(a - 1) - (a - 1) * np.log(1e9) - lgamma(a) - lgamma(b) + lgamma(a + b))
    assert expected(model, 0, 0, 0, horizon) == pytest.approx((a + b - 1) / (a - 1) - missed, rel=rel)


def test_nothing_happens_at_a_equal_to_one():
    """Equation (10) divides by a - 1."""
    at, beside = (expected(BgNbd(0.5, 5, a, 2), 3, 20, 30, 52) for a in (1.0, 1.0 + 1e-7))
    assert at == pytest.approx(beside, rel=1e-6)


def chances(model: BgNbd, x: int, age: float, alive: float, horizon: float, most: int = 400) -> np.ndarray:
    """P(Y = n) of n = 0, 1, …: equation (8) with the parameters of somebody alive, gamma function by gamma function."""
    r, alpha, a, b = model.r + x, model.alpha + age, model.a, model.b + x

    def log_beta(one, other):
        return lgamma(one) + lgamma(other) - lgamma(one + other)

    events = np.array(
        [
            exp(lgamma(r + n) - lgamma(r) - lgamma(n + 1))
            * (alpha / (alpha + horizon)) ** r
            * (horizon / (alpha + horizon)) ** n
            for n in range(most)
        ]
    )
    told = np.array([exp(log_beta(a, b + n) - log_beta(a, b)) for n in range(most)]) * events
    for n in range(1, most):
        told[n] += exp(log_beta(a + 1, b + n - 1) - log_beta(a, b)) * max(1 - events[:n].sum(), 0)
    told *= alive
    told[0] += 1 - alive
    return told


CASES = [(0, 0, 0), (0, 0, 39), (1, 2, 30), (5, 30, 39), (26, 30.9, 31)]


@pytest.mark.parametrize("model", [CDNOW, BgNbd(3, 20, 2, 9), BgNbd(0.6, 8, 0.02, 0.5)])
@pytest.mark.parametrize(("x", "last", "age"), CASES)
def test_mean_variance_and_interval_are_those_of_the_distribution(model, x, last, age):
    one = histories([x], [last], [age])
    alive = probability_alive(model, one)
    told = chances(model, x, age, alive[0], 26)
    counts = np.arange(len(told))
    assert told.sum() == pytest.approx(1, abs=1e-9)
    mean = expected_purchases(model, one, alive, 26)
    assert mean[0] == pytest.approx(told @ counts, rel=1e-8)
    assert variance_of_purchases(model, one, alive, 26, mean)[0] == pytest.approx(
        told @ counts**2 - (told @ counts) ** 2, rel=1e-7
    )
    assert probability_of_purchase(model, one, alive, 26)[0] == pytest.approx(1 - told[0], rel=1e-9)
    for level in (0.5, 0.8, 0.95, 0.9999):
        low, high = purchases_interval(model, one, alive, 26, level)
        sums = told.cumsum()
        assert low[0] == np.argmax(sums >= (1 - level) / 2)
        assert high[0] == np.argmax(sums >= (1 + level) / 2)


@pytest.mark.parametrize(("p_stretch", "rate"), [(1e-9, 0.2), (1e-3, 50), (0.5, 3)])
def test_the_variance_of_few_purchases_keeps_its_digits(p_stretch, rate):
    """With next to no time left, purchases are rare and their variance is their mean."""
    one = histories([0], [0], [0])
    model = BgNbd(rate, 1.0, 1.0, 2.0)
    horizon = p_stretch * 1e-6
    mean = expected_purchases(model, one, np.ones(1), horizon)
    assert variance_of_purchases(model, one, np.ones(1), horizon, mean)[0] == pytest.approx(mean[0], rel=1e-3)


# --- discounts -------------------------------------------------------------------------------------------------------


def test_a_rate_per_year_takes_that_much_off_after_a_year():
    assert exp(-continuous_discount(0.1, 365.25) * 365.25) == pytest.approx(1 / 1.1, rel=1e-12)
    assert continuous_discount(0.0, 52) == 0


@pytest.mark.parametrize("model", [CDNOW, BgNbd(300, 30, 0.5, 3), BgNbd(1.3, 2, 1.5, 0.05)])
@pytest.mark.parametrize(("x", "last", "age"), CASES)
@pytest.mark.parametrize("discount", [0.002, 0.02])
def test_discounted_purchases_are_the_sum_of_many_short_spans(model, x, last, age, discount):
    ends = 104 * np.linspace(0, 1, 1501)[1:] ** 2  # short ones first
    sums = np.array([0.0, *(expected(model, x, last, age, end) for end in ends)])
    middles = (ends + np.array([0.0, *ends[:-1]])) / 2
    spans = np.diff(sums) @ np.exp(-discount * middles)
    assert expected(model, x, last, age, 104, discount) == pytest.approx(spans, rel=5e-5)


# --- everywhere ------------------------------------------------------------------------------------------------------

parameters = st.floats(-7, 9).map(exp)


@given(
    model=st.builds(BgNbd, parameters, parameters, parameters, parameters),
    x=st.one_of(st.integers(0, 50), st.integers(0, 20_000)),
    age=st.floats(1e-3, 4000),
    share=st.floats(1e-6, 1),
    horizon=st.floats(1e-3, 4000),
)
@example(model=BgNbd(1.0, exp(-3), exp(7), 1.0), x=2124, age=1 / 32, share=1.0, horizon=1759.0)  # a very steep fall
@settings(max_examples=300, deadline=None)
def test_purchases_are_numbers_that_grow_with_the_horizon_and_shrink_with_the_discount(model, x, age, share, horizon):
    one = histories([x], [age * share if x else 0], [age])
    alive = probability_alive(model, one)
    near, far = (expected_purchases(model, one, alive, span)[0] for span in (horizon, 2 * horizon))
    discounted = expected_purchases(model, one, alive, horizon, 0.001)[0]
    spread = variance_of_purchases(model, one, alive, horizon, np.array([near]))[0]
    assert np.isfinite([near, far, discounted, spread]).all()
    assert 0 <= discounted <= near * (1 + 1e-9)
    assert near <= far * (1 + 1e-8)
    assert near <= (model.r + x) / (model.alpha + age) * horizon * (1 + 1e-9)  # as if nobody left
    assert discounted >= near * exp(-0.001 * horizon) * (1 - 1e-6)


@given(
    model=st.builds(BgNbd, parameters, parameters, parameters, parameters),
    x=st.integers(0, 3000),
    age=st.floats(1, 4000),
    share=st.floats(1e-6, 1),
    level=st.floats(0.01, 0.999),
)
@settings(max_examples=100, deadline=None)
def test_an_interval_ends_and_a_wider_one_holds_it(model, x, age, share, level):
    one = histories([x], [age * share if x else 0], [age])
    alive = probability_alive(model, one)
    horizon = min(1000.0, 2000 * (model.alpha + age) / (model.r + x))
    low, high = purchases_interval(model, one, alive, horizon, level)
    wide_low, wide_high = purchases_interval(model, one, alive, horizon, (1 + level) / 2)
    assert 0 <= wide_low[0] <= low[0] <= high[0] <= wide_high[0]


@given(scale=st.floats(0.01, 1000), x=st.integers(0, 40), horizon=st.floats(0.1, 200), discount=st.floats(0, 0.05))
@settings(max_examples=100, deadline=None)
def test_the_unit_of_time_does_not_matter(scale, x, horizon, discount):
    other = BgNbd(CDNOW.r, CDNOW.alpha * scale, CDNOW.a, CDNOW.b)
    here = expected(CDNOW, x, 20 if x else 0, 39, horizon, discount)
    there = expected(other, x, 20 * scale if x else 0, 39 * scale, horizon * scale, discount / scale)
    assert there == pytest.approx(here, rel=1e-9)


def test_a_row_has_the_same_answer_alone_and_among_others():
    x, last, age, _ = cdnow_columns()
    everybody = histories(x, last / 7, age / 7)
    alive = probability_alive(CDNOW, everybody)
    told = expected_purchases(CDNOW, everybody, alive, 52)[everybody.row_of]
    low, high = (bound[everybody.row_of] for bound in purchases_interval(CDNOW, everybody, alive, 52, 0.9))
    for customer in (0, 1, 2, 508, 1515, 2356):
        one = histories([x[customer]], [last[customer] / 7], [age[customer] / 7])
        assert told[customer] == pytest.approx(expected_purchases(CDNOW, one, probability_alive(CDNOW, one), 52)[0])
        bounds = purchases_interval(CDNOW, one, probability_alive(CDNOW, one), 52, 0.9)
        assert (low[customer], high[customer]) == (bounds[0][0], bounds[1][0])


@pytest.mark.parametrize("horizon", [0, -1, float("nan"), float("inf")])
def test_a_horizon_without_time_is_refused(horizon):
    with pytest.raises(ValueError):
        expected(CDNOW, 1, 2, 3, horizon)


@pytest.mark.parametrize("level", [0, 1, 80])
def test_a_level_that_is_no_share_is_refused(level):
    with pytest.raises(ValueError):
        purchases_interval(CDNOW, histories([1], [2], [3]), np.ones(1), 1, level)
