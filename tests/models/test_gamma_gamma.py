"""Gamma-Gamma against published fits, the density as printed, and where it has no mean of its own."""

from __future__ import annotations

from dataclasses import astuple
from math import exp, lgamma, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.models.gamma_gamma import (
    GammaGamma,
    GammaGammaFit,
    expected_value,
    fit_gamma_gamma,
    second_moment_of_value,
)
from shared.models.histories import histories
from shared.models.refused import Refused
from tests.models.shop import cdnow, cdnow_columns, published

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

LIFETIMES = published()["published"]["lifetimes documentation"]
NAMES = ("p", "q", "v")


def buyers(x, value):
    x = np.asarray(x)
    return histories(x, np.where(x > 0, 1.0, 0.0), 1.0, value)


def spending(customers: int, p: float, q: float, v: float, *, seed: int):
    """Repeats and mean values, by drawing every purchase's total from the model."""
    random = np.random.default_rng(seed)
    x = random.integers(1, 12, customers)
    return x, random.gamma(p * x) / random.gamma(q, 1 / v, customers) / x


@pytest.fixture(scope="module")
def fit() -> GammaGammaFit:
    return fit_gamma_gamma(cdnow())


@pytest.mark.parametrize("name", NAMES)
def test_cdnow_has_the_published_parameters(fit, name):
    assert getattr(fit.model, name) == pytest.approx(LIFETIMES["gamma_gamma"][name], rel=0.005)
    low, high = fit.intervals[name]
    assert low < getattr(fit.model, name) < high


def test_cdnow_has_the_published_likelihood_and_correlation(fit):
    assert fit.log_likelihood == pytest.approx(published()["sample"]["gamma_gamma"]["log_likelihood"], abs=0.1)
    assert fit.correlation == pytest.approx(LIFETIMES["freq_monetary_correlation"], abs=1e-5)
    assert (fit.customers, fit.left_out, fit.boundary) == (946, 0, ())
    assert fit.observed_mean == pytest.approx(LIFETIMES["mean_observed"], rel=1e-6)
    assert fit.model.mean == pytest.approx(published()["sample"]["gamma_gamma"]["population_mean"], rel=0.005)


def test_customers_of_cdnow_are_worth_what_was_published(fit):
    people = cdnow()
    told = expected_value(fit.model, fit.observed_mean, people)[people.row_of]
    assert told[:10] == pytest.approx(LIFETIMES["expected_profit_first_10"], rel=0.005)
    assert told.mean() == pytest.approx(LIFETIMES["mean_conditional_expected_profit"], rel=0.005)


def test_the_unit_of_value_changes_v_and_nothing_else(fit):
    x, last, age, value = cdnow_columns()
    cents = fit_gamma_gamma(histories(x, last, age, 100 * value))
    assert astuple(cents.model) == pytest.approx((fit.model.p, fit.model.q, 100 * fit.model.v), rel=1e-4)
    assert cents.log_likelihood == pytest.approx(fit.log_likelihood - 946 * log(100), abs=1e-4)


def printed_log_density(model: GammaGamma, x: int, mean: float) -> float:
    """Equation (1a) of Fader and Hardie 2013."""
    p, q, v = astuple(model)
    return (
        lgamma(p * x + q)
        - lgamma(p * x)
        - lgamma(q)
        + q * log(v)
        + (p * x - 1) * log(mean)
        + p * x * log(x)
        - (p * x + q) * log(v + mean * x)
    )


def test_no_other_parameters_are_likelier_by_the_printed_density(fit):
    people = cdnow()
    rows = [
        row
        for row in zip(people.repeats.tolist(), people.value.tolist(), people.customers.tolist(), strict=True)
        if row[0]
    ]

    def total(model: GammaGamma) -> float:
        return sum(count * printed_log_density(model, x, mean) for x, mean, count in rows)

    assert total(fit.model) == pytest.approx(fit.log_likelihood, abs=1e-6)
    for index in range(3):
        for factor in (0.97, 1.03):
            near = list(astuple(fit.model))
            near[index] *= factor
            assert total(GammaGamma(*near)) < fit.log_likelihood


@pytest.mark.parametrize("truth", [(6.25, 3.74, 15.44), (1.0, 2.5, 60.0), (20.0, 8.0, 3.0)])
def test_known_parameters_are_found_again(truth):
    found = fit_gamma_gamma(buyers(*spending(10_000, *truth, seed=2)), level=0.9999)
    for name, value in zip(NAMES, truth, strict=True):
        low, high = found.intervals[name]
        assert low < value < high
    assert found.model.mean == pytest.approx(GammaGamma(*truth).mean, rel=0.05)


def test_intervals_hold_the_truth_as_often_as_they_say():
    truth = dict(zip(NAMES, (3.0, 4.0, 20.0), strict=True))
    inside = 0
    for seed in range(40):
        found = fit_gamma_gamma(buyers(*spending(1000, *truth.values(), seed=seed)), level=0.8)
        inside += sum(found.intervals[name][0] < value < found.intervals[name][1] for name, value in truth.items())
    assert 0.68 < inside / 120 < 0.92


def test_moments_are_those_of_what_was_drawn():
    model = GammaGamma(4.0, 5.0, 30.0)
    random = np.random.default_rng(1)
    means = model.p / random.gamma(model.q, 1 / model.v, 400_000)  # each customer's own mean value
    nobody = buyers([0], [0])
    assert expected_value(model, 0.0, nobody)[0] == pytest.approx(means.mean(), rel=0.01)
    assert second_moment_of_value(model, nobody)[0] == pytest.approx((means**2).mean(), rel=0.05)


def test_more_purchases_count_for_more():
    """By hand: (p (v + x m)) / (p x + q - 1) with p 2, q 3, v 10 and m 30: 20/2, 80/4, 620/22."""
    told = expected_value(GammaGamma(2.0, 3.0, 10.0), 0.0, buyers([0, 1, 10], [0, 30, 30]))
    assert told == pytest.approx([10, 20, 620 / 22])


def test_returns_that_outweigh_purchases_are_left_out_and_counted():
    x, value = spending(500, 6, 4, 15, seed=5)
    clean = fit_gamma_gamma(buyers(x, value))
    mixed = fit_gamma_gamma(buyers([*x, 2, 3, 0], [*value, -5.0, 0.0, 0.0]))
    assert mixed.left_out == 2
    assert astuple(mixed.model) == pytest.approx(astuple(clean.model), rel=1e-6)
    odd = expected_value(clean.model, clean.observed_mean, buyers([2, 3, 0], [-5.0, 0.0, 0.0]))
    assert odd == pytest.approx([clean.model.mean] * 3)


def test_where_customers_are_alike_the_fit_answers_and_says_so():
    random = np.random.default_rng(1)  # chance alone makes customers differ a little in every other sample
    x = random.integers(1, 12, 3000)
    found = fit_gamma_gamma(buyers(x, random.gamma(3.0 * x) / x * 10))
    assert found.boundary == ("equal_customers",)
    assert found.intervals["q"] is None
    assert found.intervals["p"] is not None
    assert found.model.mean == pytest.approx(30, rel=0.02)


def test_where_a_customers_purchases_are_alike_the_fit_answers_and_says_so():
    random = np.random.default_rng(7)
    found = fit_gamma_gamma(buyers(random.integers(1, 12, 3000), 10 / random.gamma(4.0, 1 / 3, 3000)))
    assert "equal_purchases" in found.boundary
    assert found.intervals["p"] is None
    assert found.model.q == pytest.approx(4, rel=0.1)


def test_where_the_model_has_no_mean_the_observed_one_stands_in():
    x, value = spending(5000, 2.0, 0.7, 5.0, seed=3)
    found = fit_gamma_gamma(buyers(x, value))
    assert found.boundary == ("unbounded_mean",)
    nobody = buyers([0], [0])
    assert expected_value(found.model, found.observed_mean, nobody)[0] == pytest.approx(value.mean())
    assert np.isinf(second_moment_of_value(found.model, nobody)[0])


@pytest.mark.parametrize(
    ("x", "value", "reason"),
    [
        ([0, 0, 0, 0], [0, 0, 0, 0], "too_few_repeat_customers"),
        ([1, 1, 0, 0], [5, 9, 0, 0], "too_few_repeat_customers"),
        ([1, 2, 3, 4], [5, 5, 5, 5], "equal_values"),
        ([1, 2, 3, 4], [-5, 0, 0, -1], "too_few_repeat_customers"),
    ],
)
def test_no_fit_without_enough_to_learn_from(x, value, reason):
    assert fit_gamma_gamma(buyers(x, value)) == Refused(reason)


def test_where_everybody_came_once_more_there_is_no_correlation():
    _, value = spending(50, 6, 4, 15, seed=5)
    assert fit_gamma_gamma(buyers([1] * 50, value)).correlation is None


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0.01, 1e7)), min_size=1, max_size=15))
@settings(max_examples=40, deadline=None)
def test_any_values_have_a_fit_or_a_reason(rows):
    people = buyers(*zip(*rows, strict=True))
    found = fit_gamma_gamma(people)
    if isinstance(found, GammaGammaFit):
        told = expected_value(found.model, found.observed_mean, people)
        assert np.isfinite([*astuple(found.model), found.log_likelihood, *told]).all()
        assert (told > 0).all()


@given(p=st.floats(-3, 6).map(exp), q=st.floats(0.01, 3).map(exp), x=st.integers(1, 500), value=st.floats(0.1, 1e6))
@settings(max_examples=200, deadline=None)
def test_a_customers_value_lies_between_their_own_and_everybodys(p, q, x, value):
    model = GammaGamma(p, q, 20.0)
    told = expected_value(model, 0.0, buyers([x], [value]))[0]
    low, high = sorted((model.mean, value))
    assert low * (1 - 1e-9) <= told <= high * (1 + 1e-9)
