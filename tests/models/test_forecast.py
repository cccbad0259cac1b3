"""Forecasts: methods equal their published and independent numbers, and what is served keeps its promises."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from shared.models.refused import Refused
from shared.models.series.accuracy import accuracy, seasonal_naive_scale
from shared.models.series.exponential import Form, Start, best_settings, columns_of, exponential
from shared.models.series.forecast import REFERENCE, Forecast, forecast
from shared.models.series.grains import GRAINS
from shared.models.series.past import Past
from shared.models.series.regression import regression
from shared.models.series.simple import simple
from shared.models.series.smoothing import Columns, ahead, smooth
from shared.models.series.theta import theta
from tests.models.made_series import made
from tests.models.reference_series import HORIZONS, published_beer, series

pytestmark = pytest.mark.filterwarnings("error")

ORACLE = json.loads((Path(__file__).parent.parent / "oracles" / "forecast.json").read_text(encoding="utf-8"))
SEASONS = {"quarter": 4, "month": 12, "week": 52, "year": 1, "day": 7, "hour": 168}


def served(values, grain="day", horizon=14, **choices) -> Forecast:
    told = forecast(values, GRAINS[grain], horizon, **choices)
    assert isinstance(told, Forecast)
    return told


@pytest.mark.parametrize("method", ["mean", "naive", "seasonal_naive"])
def test_simple_methods_have_the_accuracy_that_is_printed(method):
    """Hyndman, Athanasopoulos, section 3.4: to the digits there."""
    beer = series("beer")
    past, actual = beer[:64], beer[64:]
    (told,) = simple(Past(past, (64,), 10, 4))[method]
    found = accuracy(actual, told.point, seasonal_naive_scale(past, 4))
    printed = published_beer()[method]
    assert round(found.rmse, 2) == printed["RMSE"]
    assert round(found.mae, 2) == printed["MAE"]
    assert round(found.mape, 2) == printed["MAPE"]
    assert round(found.mase, 2) == printed["MASE"]


@pytest.mark.parametrize("name", HORIZONS)
def test_simple_methods_are_as_accurate_as_another_library_says(name):
    grain, horizon = HORIZONS[name]
    values, season = series(name), SEASONS[grain]
    past, actual = values[:-horizon], values[-horizon:]
    for method, (told,) in simple(Past(past, (len(past),), horizon, season)).items():
        found = accuracy(actual, told.point, seasonal_naive_scale(past, season))
        expected = ORACLE["accuracy"][name][method]
        assert found.rmse == pytest.approx(expected["RMSE"], rel=1e-4)
        assert found.mae == pytest.approx(expected["MAE"], rel=1e-4)
        assert found.mase == pytest.approx(expected["MASE"], rel=1e-4)
        assert found.mape == (pytest.approx(expected["MAPE"], rel=1e-4) if "MAPE" in expected else None)


AIR, BEER = "air_passengers", "beer"
PATTERN = [0.91, 0.88, 1.01, 0.98, 0.98, 1.11, 1.22, 1.21, 1.06, 0.92, 0.8, 0.92]
SMOOTHED = {
    "simple": (BEER, Form(), (430.0, 0.0, [0.0]), (0.3, 0.0, 0.0, 1.0)),
    "trend": (AIR, Form(trend=True), (110.0, 1.5, [0.0]), (0.5, 0.2, 0.0, 1.0)),
    "damped": (AIR, Form(trend=True, damped=True), (110.0, 1.5, [0.0]), (0.5, 0.2, 0.0, 0.93)),
    "additive": (
        BEER,
        Form(trend=True, season=True),
        (440.0, -0.5, [-5.0, -35.0, -20.0, 60.0]),
        (0.2, 0.25, 0.15, 1.0),
    ),
    "multiplicative": (
        AIR,
        Form(trend=True, damped=True, season=True, multiplicative=True),
        (120.0, 1.8, PATTERN),
        (0.3, 0.1, 0.4, 0.97),
    ),
}
"""As in the oracle script: series, form, level, slope and season to start with, and α, β (a share of α), γ, φ."""


@pytest.mark.parametrize("name", SMOOTHED)
def test_exponential_smoothing_expects_what_another_library_expects(name):
    which, form, (level, slope, season), settings = SMOOTHED[name]
    values, told = series(which), ORACLE["smoothed"][name]
    states = (np.array([number]) for number in (*settings, level, slope))
    columns = Columns(np.array([len(values)]), *states, np.array(season)[:, None], form.multiplicative)
    end = smooth(values, columns, keep_fitted=True)
    assert end.fitted[:, 0] == pytest.approx(told["fitted"], rel=1e-4)
    assert end.squares[0] == pytest.approx(told["squares"], rel=1e-4)
    assert ahead(columns, end, 0, len(told["next"])) == pytest.approx(told["next"], rel=1e-4)


@pytest.mark.parametrize("name", SMOOTHED)
def test_settings_are_as_good_as_another_library_finds(name):
    """A grid can end in another valley than that library's search, 2 % higher in the root of the squares."""
    which, form, (level, slope, season), _ = SMOOTHED[name]
    values = series(which)
    past = Past(values, (len(values),), 1, len(season))
    start = Start(level, level, slope, np.array(season))
    best = best_settings(past, [form], [start], 0)
    squares = smooth(values, columns_of(past, [form], [start], best)).squares[0]
    assert squares < 1.045 * ORACLE["smoothed"][name]["least_squares"]


def test_theta_is_smoothing_with_half_the_slope():
    """Hyndman, Billah 2003, equation (12), value by value: 1/α - (1-α)^n/α is left as they write it."""
    values = series("nile")
    (told,) = theta(Past(values, (len(values),), 8, 1))["theta"]
    slope = np.polyfit(np.arange(len(values)), values, 1)[0]

    def smoothed(alpha):
        level, squares = values[:2].mean(), 0.0
        for index, value in enumerate(values):
            squares += (value - level) ** 2 if index else 0.0
            level += alpha * (value - level)
        return squares, level, alpha

    _, level, alpha = min(map(smoothed, [0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99]))
    n, h = len(values), np.arange(1, 9)
    assert told.point == pytest.approx(level + slope / 2 * (h - 1 + 1 / alpha - (1 - alpha) ** n / alpha), rel=1e-3)


@pytest.mark.parametrize("family", [simple, exponential, theta, regression])
def test_a_projection_uses_only_what_was_known_at_its_origin(family):
    values = series("air_passengers")
    spoilt = np.concatenate([values[:100], 10 * values[100:][::-1]])
    now, then = (family(Past(one, (60, 100, 144), 12, 12)) for one in (values, spoilt))
    for name in now:
        for place in (0, 1):
            assert np.array_equal(now[name][place].point, then[name][place].point), name
        assert not np.array_equal(now[name][2].point, then[name][2].point), name


def backtested(values, told):
    """MASE and WAPE of the seasonal naive forecast over the origins, one value at a time."""
    off, total = 0.0, 0.0
    for origin in told.origins:
        for step in range(told.steps):
            guess = values[origin + step - told.season * (step // told.season + 1)]
            off += abs(values[origin + step] - guess)
            total += abs(values[origin + step])
    past = values[: told.origins[0]]
    scale = np.mean([abs(past[time] - past[time - told.season]) for time in range(told.season, len(past))])
    return off / (len(told.origins) * told.steps) / scale, off / total


@pytest.mark.parametrize("name", [name for name in HORIZONS if not name.startswith("retail")])
def test_what_is_served_beats_the_seasonal_naive_forecast_or_says_it_does_not(name):
    grain, horizon = HORIZONS[name]
    values = series(name)
    told = served(values, grain, horizon)
    assert (told.seasonal_naive.mase, told.seasonal_naive.wape) == pytest.approx(backtested(values, told))
    assert told.accuracy == told.candidates[told.model]
    if told.beats_seasonal_naive:
        assert told.accuracy.mase < told.seasonal_naive.mase
        assert told.accuracy.wape < told.seasonal_naive.wape
    else:
        assert told.model == REFERENCE
        assert told.accuracy == told.seasonal_naive


@pytest.mark.parametrize("name", ["retail_net_sales", "retail_orders"])
def test_a_shop_that_is_closed_on_saturdays_sells_nothing_on_saturdays(name):
    """The fourth day of the series, 2010-12-04, is one."""
    told = served(series(name), horizon=28, non_negative=True)
    saturday = (len(series(name)) + np.arange(28)) % 7 == 3
    assert told.closed == (3,)
    for one in (told.point, *told.intervals[0.8], *told.intervals[0.95]):
        assert (one[saturday] == 0).all()
    assert (told.intervals[0.8][1] > told.intervals[0.8][0])[~saturday].all()
    assert told.beats_seasonal_naive


def test_served_forecasts_are_nearer_than_the_seasonal_naive_ones_to_values_they_have_not_seen():
    """The last values of each series; AutoETS of another library is no nearer, where it was asked."""
    to_naive, to_ets = [], []
    for name, (grain, horizon) in HORIZONS.items():
        values, other = series(name), ORACLE["accuracy"][name]
        told = served(values[:-horizon], grain, horizon)
        off = np.abs(values[-horizon:] - told.point).mean()
        to_naive.append(off / other["seasonal_naive"]["MAE"])
        to_ets += [off / other["AutoETS"]["MAE"]] if "AutoETS" in other else []
    assert np.exp(np.mean(np.log(to_naive))) < 0.85
    assert np.exp(np.mean(np.log(to_ets))) < 1.0


KINDS = ["flat", "season", "sales", "growth", "trend", "walk", "persistent", "orders", "skewed", "heavy", "returns"]


def test_intervals_hold_what_they_say():
    """Each of these kinds of series within a few percent, and all together nearly exactly."""
    held: dict[str, list[tuple[float, float]]] = {}
    for kind in [*KINDS, "closed"]:
        for grain, season, length, horizon in [("day", 7, 60, 14), ("day", 7, 300, 28), ("month", 12, 48, 12)]:
            for seed in range(8):
                values = made(kind, length + horizon, season, seed)
                told = served(values[:length], grain, horizon)
                comes = values[length:]
                is_open = (length + np.arange(horizon)) % season != (season - 1 if kind == "closed" else -1)
                inside = [((low <= comes) & (comes <= high))[is_open].mean() for low, high in told.intervals.values()]
                held.setdefault(kind, []).append((inside[0], inside[1]))
    by_kind = {kind: np.mean(one, axis=0) for kind, one in held.items()}
    for kind, (of_80, of_95) in by_kind.items():
        assert 0.70 < of_80 < 0.90, kind
        assert 0.88 < of_95 < 0.995, kind
    of_80, of_95 = np.mean(list(by_kind.values()), axis=0)
    assert 0.76 < of_80 < 0.84
    assert 0.92 < of_95 < 0.97


def test_intervals_of_a_higher_level_hold_those_of_a_lower_one():
    told = served(made("sales", 200, 7, 3), levels=(0.5, 0.8, 0.95))
    (low, high), (lower, higher), (lowest, highest) = told.intervals.values()
    assert (np.diff([lowest, lower, low, told.point, high, higher, highest], axis=0) > 0).all()


@pytest.mark.parametrize(
    ("values", "grain", "reason"),
    [
        ([], "day", "under_two_seasons"),
        (np.arange(13.0), "day", "under_two_seasons"),
        (np.arange(103.0), "week", "under_two_seasons"),
        (np.arange(47.0), "hour", "under_two_seasons"),
        (np.concatenate([np.zeros(700), np.arange(13.0) + 1]), "day", "under_two_seasons"),
        (np.arange(5.0), "year", "too_few_values"),
        ([1.0, np.nan] * 20, "day", "not_finite"),
        ([1.0, np.inf] * 20, "day", "not_finite"),
        (np.full(40, 1e300), "day", "not_finite"),
    ],
)
def test_too_little_and_no_numbers_are_refused(values, grain, reason):
    assert forecast(values, GRAINS[grain], 7) == Refused(reason)


def test_what_is_no_question_is_an_error():
    for horizon, levels in ((0, (0.8,)), (7, (0.0,)), (7, (1.0,)), (7, (95,))):
        with pytest.raises(ValueError):
            forecast(np.arange(40.0), GRAINS["day"], horizon, levels=levels)
    with pytest.raises(ValueError):
        forecast(np.ones((5, 8)), GRAINS["day"], 7)


def test_what_never_changes_stays_and_that_is_certain():
    for value in (0.0, 5.0, -3.0):
        told = served(np.full(60, value))
        assert told.model == REFERENCE
        assert not told.beats_seasonal_naive
        assert told.accuracy.mase is None
        for one in (told.point, *told.intervals[0.8], *told.intervals[0.95]):
            assert one == pytest.approx(np.full(14, value))


def test_a_season_that_repeats_itself_exactly_goes_on():
    told = served(np.tile(np.arange(1.0, 8.0), 10), horizon=9)
    assert told.point.tolist() == [1, 2, 3, 4, 5, 6, 7, 1, 2]
    assert told.accuracy.wape == 0


@pytest.mark.parametrize(
    "values",
    [
        made("sales", 80, 7, 1) * 1e285,
        made("sales", 80, 7, 1) * 1e-300,
        made("season", 80, 7, 1) - 150,
        made("few_orders", 80, 7, 1) * (made("flat", 80, 7, 2) > 115),
        np.where(np.arange(120) == 100, 1e9, made("sales", 120, 7, 1)),
        made("sales", 120, 7, 1) * np.where(np.arange(120) < 90, 1, 5),
        np.concatenate([made("sales", 80, 7, 1), np.zeros(10)]),
        np.concatenate([np.zeros(79), [5.0]]),
        np.exp(np.arange(120.0) / 5),
        np.exp(-np.arange(120.0) / 3),
        np.arange(120.0),
        np.tile([0.0, 1.0], 60),
    ],
    ids=["huge", "tiny", "negative", "rare", "spike", "shift", "gone", "first", "explodes", "fades", "line", "blinks"],
)
def test_odd_series_have_finite_answers_in_order(values):
    told = forecast(values, GRAINS["day"], 21, non_negative=bool(values.min() >= 0))
    if isinstance(told, Refused):
        assert told.reason == "under_two_seasons"
        assert np.count_nonzero(values) == 1
        return
    for low, high in told.intervals.values():
        assert np.isfinite([low, told.point, high]).all()
        assert ((low <= told.point) & (told.point <= high)).all()
        assert values.min() < 0 or (low >= 0).all()
    again = forecast(values, GRAINS["day"], 21, non_negative=bool(values.min() >= 0))
    assert np.array_equal(told.point, again.point)
    assert told.model == again.model


def test_one_sale_of_a_lifetime_does_not_hide_the_others():
    usual = made("sales", 300, 7, 5)
    odd = np.where(np.arange(300) == 290, 1e6, usual)
    told = served(odd, non_negative=True)
    assert told.point == pytest.approx(served(usual).point, rel=0.5)
    assert (told.intervals[0.8][1] < 500).all()


def test_the_unit_changes_nothing():
    values = made("sales", 150, 7, 4)
    one, other = served(values), served(values * 2**20)
    assert other.point == pytest.approx(one.point * 2**20)
    assert other.intervals[0.8][1] == pytest.approx(one.intervals[0.8][1] * 2**20)
    assert other.accuracy.mase == pytest.approx(one.accuracy.mase)
    assert other.accuracy.mae == pytest.approx(one.accuracy.mae * 2**20)


def test_orders_are_never_fewer_than_none():
    values = np.maximum(made("trend", 90, 7, 2) - 60, 0.0)
    assert served(values).intervals[0.95][0].min() < 0
    told = served(values, non_negative=True)
    assert min(told.point.min(), told.intervals[0.95][0].min()) == 0
    assert (told.intervals[0.95][1] > 0).all()


def test_zeros_before_the_first_sale_are_no_history():
    values = made("sales", 70, 7, 6)
    late = np.concatenate([np.zeros(70), values])
    assert served(late).point == pytest.approx(served(values).point)
    assert served(late).used == 70
    assert [origin - 70 for origin in served(late).origins] == list(served(values).origins)


def test_a_year_of_days_is_seen_once_it_has_been_seen_twice():
    """Fourteen days at the height of the year, when the level of the days before would be a fifth too low."""
    time = np.arange(1095)
    values = made("sales", 1095, 7, 1) * (1 + 0.5 * np.sin(2 * np.pi * (time - 400) / 365.25))
    told = served(values[:1000], horizon=90)
    assert told.model.startswith("calendar")
    assert (
        np.abs(told.point - values[1000:1090]).mean()
        < 0.7 * np.abs(values[1000 - 7 * 13 : 1000 - 1] - values[1000:1090]).mean()
    )


@pytest.mark.parametrize(
    ("values", "grain", "horizon", "seconds"),
    [(made("sales", 1100, 7, 1), "day", 90, 1.0), (made("sales", 96, 12, 1), "month", 12, 0.1)],
    ids=["days", "months"],
)
def test_many_series_are_fitted_in_one_go(values, grain, horizon, seconds):
    def once():
        begin = time.perf_counter()
        served(values, grain, horizon)
        return time.perf_counter() - begin

    assert min(once() for _ in range(5)) < seconds
