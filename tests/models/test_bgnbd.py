"""BG/NBD against published fits, against the formulas as printed, and at the edges where formulas break."""

from __future__ import annotations

from dataclasses import astuple
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.bgnbd import BgNbd, Likelihood, log_likelihood, probability_alive
from shared.models.bgnbd_fit import BgNbdFit, fit_bgnbd
from shared.models.histories import histories
from shared.models.refused import Refused
from tests.models.shop import cdnow, published, simulated

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

NAMES = ("r", "alpha", "a", "b")
PRINTED = published()["published"]["BG/NBD (Fader, Hardie, Lee 2005, Marketing Science 24(2))"]
BTYD = published()["published"]["BTYD R package walkthrough"]

parameters = st.floats(-7, 9).map(exp)
models = st.builds(BgNbd, parameters, parameters, parameters, parameters)


@st.composite
def customers(draw):
    """One possible history: a heavy buyer of a second or somebody who came once, ten years ago."""
    x = draw(st.one_of(st.just(0), st.integers(1, 30), st.integers(1, 100_000)))
    age = draw(st.floats(1e-3, 4000))
    last = 0.0 if x == 0 else age * draw(st.floats(1e-6, 1))
    return x, last, age


def people(*rows):
    return histories(*zip(*rows, strict=True))


def fitted(*columns, **options) -> BgNbdFit:
    found = fit_bgnbd(histories(*columns), **options)
    assert isinstance(found, BgNbdFit)
    return found


# --- published -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cdnow_fit():
    return fit_bgnbd(cdnow())


@pytest.mark.parametrize("name", NAMES)
def test_cdnow_has_the_published_parameters(cdnow_fit, name):
    assert getattr(cdnow_fit.model, name) == pytest.approx(PRINTED[name], rel=0.005)
    assert getattr(cdnow_fit.model, name) == pytest.approx(BTYD["bgnbd"][name], rel=0.0005)
    low, high = cdnow_fit.intervals[name]
    assert low < PRINTED[name] < high


def test_cdnow_has_the_published_likelihood(cdnow_fit):
    assert cdnow_fit.log_likelihood == pytest.approx(PRINTED["log_likelihood"], abs=0.1)
    assert cdnow_fit.log_likelihood >= BTYD["bgnbd"]["LL"] - 0.001
    assert (cdnow_fit.customers, cdnow_fit.repeat_customers) == (2357, 946)
    assert cdnow_fit.converged
    assert cdnow_fit.boundary == ()


def test_the_unit_of_time_changes_alpha_and_nothing_else(cdnow_fit):
    days = fit_bgnbd(cdnow(days_per_unit=1))
    assert days.model.alpha == pytest.approx(7 * cdnow_fit.model.alpha, rel=1e-6)
    for name in ("r", "a", "b"):
        assert getattr(days.model, name) == pytest.approx(getattr(cdnow_fit.model, name), rel=1e-6)
        assert days.intervals[name] == pytest.approx(cdnow_fit.intervals[name], rel=1e-4)


def test_customers_may_come_in_any_order_and_as_weights(cdnow_fit):
    whole = cdnow()
    backwards = np.arange(len(whole.repeats))[::-1]
    counted = histories(
        *(column[backwards] for column in (whole.repeats, whole.last, whole.age)), weights=whole.customers[backwards]
    )
    other = fit_bgnbd(counted)
    assert other.customers == 2357
    assert astuple(other.model) == pytest.approx(astuple(cdnow_fit.model), rel=1e-6)


# --- formulas --------------------------------------------------------------------------------------------------------


def printed_log_likelihood(model: BgNbd, x: int, last: float, age: float) -> float:
    """Equation (6), factor by factor."""
    r, alpha, a, b = astuple(model)

    def beta(one: float, other: float) -> float:
        return exp(lgamma(one) + lgamma(other) - lgamma(one + other))

    common = exp(lgamma(r + x) - lgamma(r)) * alpha**r
    stays = beta(a, b + x) / beta(a, b) * (alpha + age) ** -(r + x)
    gone = beta(a + 1, b + x - 1) / beta(a, b) * (alpha + last) ** -(r + x) if x else 0.0
    return log(common * (stays + gone))


@pytest.mark.parametrize("row", [(0, 0, 39), (1, 1.7, 38.9), (2, 30.4, 38.9), (9, 12, 12), (26, 30.9, 31)])
@pytest.mark.parametrize("model", [BgNbd(0.243, 4.414, 0.793, 2.426), BgNbd(3, 20, 1, 1), BgNbd(0.5, 0.1, 4, 0.3)])
def test_the_likelihood_is_the_printed_one(model, row):
    assert log_likelihood(model, people(row)) == pytest.approx(printed_log_likelihood(model, *row), rel=1e-11)


def test_likelihoods_of_customers_add_up():
    rows = [(0, 0, 39), (1, 1.7, 38.9), (2, 30.4, 38.9), (2, 30.4, 38.9)]
    model = BgNbd(0.243, 4.414, 0.793, 2.426)
    assert log_likelihood(model, people(*rows)) == pytest.approx(
        sum(printed_log_likelihood(model, *row) for row in rows)
    )


@given(model=models, row=customers())
@settings(max_examples=300, deadline=None)
def test_the_likelihood_and_its_slope_are_numbers_wherever_they_are_asked(model, row):
    likelihood = Likelihood(people(row))
    assert np.isfinite(likelihood.value(model))
    assert np.isfinite(likelihood.gradient(model)).all()


@pytest.mark.parametrize("model", [BgNbd(0.243, 4.414, 0.793, 2.426), BgNbd(40, 900, 0.01, 0.2), BgNbd(2, 3, 60, 500)])
def test_the_slope_is_that_of_the_likelihood(model):
    likelihood = Likelihood(cdnow())
    for index, slope in enumerate(likelihood.gradient(model)):
        at = list(astuple(model))
        step = 1e-5 * at[index]
        above, below = ([*at[:index], at[index] + sign * step, *at[index + 1 :]] for sign in (1, -1))
        rise = likelihood.value(BgNbd(*above)) - likelihood.value(BgNbd(*below))
        assert slope == pytest.approx(rise / (2 * step), rel=1e-4, abs=1e-5 / step)


@given(model=models, row=customers())
@settings(max_examples=300, deadline=None)
def test_the_probability_of_being_alive_lies_between_0_and_1(model, row):
    assert 0 <= probability_alive(model, people(row))[0] <= 1


@given(model=models, x=st.integers(1, 10_000), age=st.floats(1, 4000), shares=st.tuples(*[st.floats(1e-6, 1)] * 2))
@settings(max_examples=300, deadline=None)
def test_the_longer_somebody_is_silent_the_less_they_are_alive(model, x, age, shares):
    earlier, later = sorted(age * share for share in shares)
    rows = histories([x, x], [earlier, later], [age, age])
    silent, recent = probability_alive(model, rows)[rows.row_of]
    assert silent <= recent * (1 + 1e-9)


def test_without_a_repeat_nobody_has_left():
    assert probability_alive(BgNbd(0.2, 4, 0.8, 2.4), people((0, 0, 5000)))[0] == 1


def test_customer_1516_is_alive_as_published():
    weeks = published()["sample"]["customer_1516"]
    alive = probability_alive(fit_bgnbd(cdnow()).model, people((weeks["x"], weeks["tx"], weeks["T"])))[0]
    assert alive == pytest.approx(BTYD["bgnbd_customer_1516_p_alive"], rel=0.005)


# --- fits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "truth", [(0.243, 30.9, 0.793, 2.43), (2.0, 60.0, 0.3, 4.0), (0.8, 20.0, 3.0, 9.0), (5.0, 90.0, 1.5, 1.5)]
)
def test_known_parameters_are_found_again(truth):
    found = fitted(*simulated(10_000, *truth, age=730, seed=3)[:3], level=0.9999)
    for name, value in zip(NAMES, truth, strict=True):
        low, high = found.intervals[name]
        assert low < value < high
        assert getattr(found.model, name) == pytest.approx(value, rel=0.25)


def test_intervals_are_those_of_the_curvature_in_logarithms(cdnow_fit):
    """The Hessian of the log-likelihood by ln r, ln α, ln a, ln b in differences, inverted."""
    likelihood, step = Likelihood(cdnow()), 1e-3
    at = np.log(astuple(cdnow_fit.model))

    def slope(point):
        return likelihood.gradient(BgNbd(*np.exp(point))) * np.exp(point)

    moves = np.eye(4) * step
    hessian = np.array([(slope(at + move) - slope(at - move)) / (2 * step) for move in moves])
    errors = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    for name, value, error in zip(NAMES, at, errors, strict=True):
        assert np.log(cdnow_fit.intervals[name]) == pytest.approx(
            [value - 1.96 * error, value + 1.96 * error], abs=0.002
        )


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = dict(zip(NAMES, (0.5, 20.0, 0.8, 2.4), strict=True))
    inside = 0
    for seed in range(40):
        found = fitted(*simulated(2000, *truth.values(), age=365, seed=seed)[:3], level=0.8)
        inside += sum(found.intervals[name][0] < value < found.intervals[name][1] for name, value in truth.items())
    assert 0.7 < inside / 160 < 0.9


def test_more_histories_than_the_starts_are_tried_on_reach_the_same_top():
    x, last, age, _ = simulated(50_000, 0.6, 20, 0.8, 2.4, age=700, seed=8)
    whole = histories(x, last, age)
    assert len(whole.repeats) > 42_000
    found = fit_bgnbd(whole)
    model = found.model
    slopes = Likelihood(whole).gradient(model) * np.array(astuple(model))
    errors = [log(high / low) / 2 / 1.96 for low, high in found.intervals.values()]
    assert np.all(np.abs(slopes) * errors < 0.05)  # less than a twentieth of a standard error from the top


def test_where_nobody_leaves_the_fit_answers_and_says_so():
    x, last, age, _ = simulated(4000, 1.5, 30, 1e-9, 1, age=365, seed=4)
    found = fitted(x, last, age)
    assert found.boundary == ("nobody_leaves",)
    assert found.intervals["a"] is None
    assert found.intervals["b"] is None
    assert found.model.r == pytest.approx(1.5, rel=0.1)
    assert found.model.alpha == pytest.approx(30, rel=0.1)
    assert probability_alive(found.model, histories(x, last, age)).min() > 0.99


def test_where_rates_are_equal_the_fit_answers_and_says_so():
    x, last, age, _ = simulated(4000, 1e6, 3e7, 0.8, 2.4, age=365, seed=5)
    found = fitted(x, last, age)
    assert "equal_rates" in found.boundary
    assert found.intervals["r"] is None
    assert found.model.r / found.model.alpha == pytest.approx(1 / 30, rel=0.05)
    assert found.model.a == pytest.approx(0.8, rel=0.2)


def test_where_everybody_leaves_at_once_the_fit_answers_and_says_so():
    found = fitted([0, 0, 1, 1, 1, 1], [0, 0, 3, 5, 20, 9], [100, 90, 95, 99, 80, 70])
    assert found.boundary
    assert all(np.isfinite(astuple(found.model)))


@pytest.mark.parametrize("rows", [[(1, 5, 9)], [(1, 5, 5)], [(3, 9, 9), (0, 0, 9)], [(100_000, 700, 730), (0, 0, 1)]])
def test_a_handful_of_customers_still_has_a_fit(rows):
    found = fit_bgnbd(people(*rows))
    assert all(np.isfinite(value) and value > 0 for value in astuple(found.model))
    assert np.isfinite(found.log_likelihood)


@given(st.lists(customers(), min_size=1, max_size=12))
@settings(max_examples=25, deadline=None)
def test_any_possible_customers_have_a_fit_or_a_reason(rows):
    found = fit_bgnbd(people(*rows))
    if isinstance(found, Refused):
        assert not any(row[0] for row in rows)
    else:
        assert all(np.isfinite(value) and value > 0 for value in astuple(found.model))


def test_no_fit_without_a_repeat():
    assert fit_bgnbd(people((0, 0, 5), (0, 0, 8))) == Refused("no_repeats")


def test_no_fit_without_time():
    assert fit_bgnbd(people((0, 0, 0))) == Refused("no_customers")
    assert fit_bgnbd(histories([], [], [])) == Refused("no_customers")


@pytest.mark.parametrize(
    "row",
    [(-1, 0, 5), (1.5, 2, 5), (1, 6, 5), (1, -1, 5), (0, 2, 5), (2, 0, 5), (1, float("nan"), 5), (0, 0, float("inf"))],
)
def test_a_history_nobody_can_have_is_refused(row):
    with pytest.raises(ValueError):
        people(row)
