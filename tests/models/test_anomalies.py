"""Anomalies: known events are found, ordinary noise alarms as often as told, and oddities leave no trace."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from shared.models.refused import Refused
from shared.models.series.anomalies import SENSITIVITIES, Anomalies, anomalies, warm_up
from shared.models.series.grains import GRAINS
from tests.models.made_series import made
from tests.models.reference_series import FOLDER, series

pytestmark = pytest.mark.filterwarnings("error")


def judged(values, grain="day", **choices) -> Anomalies:
    told = anomalies(values, GRAINS[grain], **choices)
    assert isinstance(told, Anomalies)
    return told


def alarms(told: Anomalies) -> list[int]:
    return np.flatnonzero(told.is_anomaly).tolist()


@pytest.fixture(scope="module")
def taxi():
    """Trips per day, the days, and which of the five events each day belongs to, -1 for none."""
    windows = json.loads((FOLDER / "taxi_labels.json").read_text(encoding="utf-8"))["windows"]
    trips = series("taxi_days")
    days = [date(2014, 7, 1) + timedelta(days=number) for number in range(len(trips))]
    event = np.full(len(days), -1)
    for number, (first, last) in enumerate(windows):
        inside = [datetime.fromisoformat(first).date() <= day <= datetime.fromisoformat(last).date() for day in days]
        event[inside] = number
    return trips, days, event


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_the_five_known_events_of_the_taxi_series_are_found(taxi, rate):
    trips, _, event = taxi
    assert set(event[judged(trips, false_alarms_per_100=rate).is_anomaly]) - {-1} == {0, 1, 2, 3, 4}


def test_at_most_one_day_in_fifty_without_an_event_alarms(taxi):
    """As they come: the end of summer, the Sunday of a march of 300,000, the Monday after Thanksgiving."""
    trips, days, event = taxi
    told = judged(trips)
    ordinary = told.judged & (event < 0)
    found = [days[place].isoformat() for place in np.flatnonzero(told.is_anomaly & ordinary)]
    assert len(found) <= ordinary.sum() / 50
    assert found == ["2014-09-02", "2014-09-21", "2014-12-01"]


NOISE = [
    "flat",
    "season",
    "sales",
    "growth",
    "walk",
    "persistent",
    "orders",
    "few_orders",
    "skewed",
    "returns",
    "closed",
]


@pytest.mark.parametrize("sensitivity", ["medium", "high"])
def test_ordinary_noise_alarms_as_often_as_told(sensitivity):
    """Within a factor of two: a year of days, twelve of each kind."""
    rate = SENSITIVITIES[sensitivity]
    found = {}
    for kind in NOISE:
        told = [judged(made(kind, 365, 7, seed), false_alarms_per_100=rate) for seed in range(12)]
        found[kind] = 100 * np.mean([one.is_anomaly[one.judged].mean() for one in told])
    assert rate / 2 < np.mean(list(found.values())) < 2 * rate
    for kind, often in found.items():
        assert rate / 4 < often < 2.2 * rate, kind  # of 4,000 values at 0.5 in 100: 20 ± 4.5


def test_heavy_tails_alarm_more_often_but_not_much():
    """Errors as t with three degrees of freedom, where every fiftieth is beyond three of its own sigmas."""
    told = [judged(made("heavy", 365, 7, seed)) for seed in range(12)]
    assert 100 * np.mean([one.is_anomaly[one.judged].mean() for one in told]) < 5 * SENSITIVITIES["medium"]


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("kind", ["flat", "season", "persistent", "walk", "closed"])
def test_planted_anomalies_are_found(kind, side):
    """Seven standard deviations off, five in a year. Where a value could have stayed, its way back may alarm too."""
    found, extra = [], []
    sigma = {"flat": 15, "season": 8, "persistent": 6, "walk": 4, "closed": 16}[kind]
    for seed in range(8):
        values = made(kind, 365, 7, seed)
        places = [place + (1 if place % 7 == 6 else 0) for place in (70, 132, 201, 275, 340)]
        odd = values.copy()
        odd[places] += side * 7 * sigma
        told = judged(odd)
        found += told.is_anomaly[places].tolist()
        assert (told.direction[places][told.is_anomaly[places]] == side).all()
        told.is_anomaly[places] = False
        extra.append(told.is_anomaly[told.judged].mean())
    assert np.mean(found) > 0.85
    assert np.mean(extra) < (0.02 if kind in ("walk", "persistent") else 0.01)


def test_an_anomaly_leaves_what_is_expected_after_it_as_it_was():
    values = made("sales", 300, 7, 1)
    odd = values.copy()
    odd[[150, 200, 201]] *= [30, 0.05, 0.05]
    usual, told = judged(values), judged(odd)
    assert told.is_anomaly[[150, 200, 201]].all()
    after = [151, 152, 157, 158, 164, 202, 203, 208, 215, 250]
    sigma = (usual.upper - usual.expected)[after] / 3
    assert (np.abs(told.expected - usual.expected)[after] < 1.5 * sigma).all()
    assert {place for place in alarms(told) if 150 <= place < 260} == {150, 200, 201}
    assert told.upper[250] == pytest.approx(usual.upper[250], rel=0.15)


@pytest.mark.parametrize("factor", [2.0, 0.3, 40.0])
def test_a_new_level_alarms_for_a_week_and_is_then_the_normal_one(factor):
    values = made("sales", 300, 7, 2)
    values[150:] *= factor
    told = judged(values)
    assert told.is_anomaly[150]
    assert told.is_anomaly[150:157].sum() >= 3
    assert told.is_anomaly[158:].sum() <= 3
    assert told.expected[170:] == pytest.approx(values[170:], rel=0.6)


def test_days_that_are_always_closed_do_not_alarm():
    values = made("closed", 300, 7, 3)
    told = judged(values)
    closed = np.arange(300) % 7 == 6
    assert told.is_closed[21:].tolist() == closed[21:].tolist()
    assert not told.is_anomaly[closed].any()
    assert (told.lower == told.upper)[closed & told.judged].all()
    assert (told.score[closed & told.judged] == 0).all()


def test_a_sale_on_a_closed_day_alarms_once_and_opens_it():
    values = made("sales", 300, 7, 3)
    open_from = 202
    values[(np.arange(300) % 7 == 6) & (np.arange(300) < open_from)] = 0
    sundays = np.arange(202, 300, 7)
    told = judged(values)
    assert told.is_closed[sundays].tolist() == [True] + [False] * (len(sundays) - 1)
    assert told.direction[sundays[0]] == 1
    assert told.is_anomaly[sundays[1:]].sum() <= 1


def test_a_day_of_the_week_that_closes_stops_alarming():
    values = made("sales", 300, 7, 3)
    values[(np.arange(300) % 7 == 6) & (np.arange(300) >= 153)] = 0
    told = judged(values)
    sundays = np.arange(153, 300, 7)
    assert told.is_outage[sundays[0]]
    assert not told.is_anomaly[sundays[4:]].any()
    assert told.is_closed[sundays[4:]].all()


def test_an_outage_on_an_open_day_alarms_even_where_sales_scatter_that_much():
    """Sales so scattered that zero is within their bounds."""
    values = np.round(np.random.default_rng(4).gamma(1.2, 30, 300)) + 1
    values[150:153] = 0
    told = judged(values)
    assert told.lower[150] == 0
    assert told.is_outage[150:153].all()
    assert (told.direction[150:153] == -1).all()
    assert told.is_outage.sum() == 3


def test_an_outage_that_does_not_end_is_the_normal_state_after_a_week():
    values = made("sales", 300, 7, 5)
    values[150:200] = 0
    told = judged(values)
    assert told.is_outage[150:156].all()
    assert not told.is_anomaly[159:200].any()
    assert told.direction[200] == 1
    assert told.is_anomaly[210:].sum() <= 3


def test_rare_orders_do_not_alarm_by_being_there():
    random = np.random.default_rng(6)
    values = (random.random(400) < 0.1) * random.integers(1, 4, 400).astype(np.float64)
    told = judged(values)
    assert told.is_anomaly[told.judged].mean() < 0.03


@pytest.mark.parametrize("kind", ["sales", "orders", "closed", "returns"])
def test_every_value_is_judged_by_those_before_it_alone(kind):
    values = made(kind, 300, 7, 7)
    other = np.concatenate([values[:200], -1000 * values[200:]])
    told, then, short = judged(values), judged(other), judged(values[:200])
    for name in ("expected", "lower", "upper", "score", "direction", "is_anomaly", "is_outage", "is_closed"):
        first = getattr(told, name)[:200]
        assert np.array_equal(first, getattr(then, name)[:200], equal_nan=True), name
        assert np.array_equal(first, getattr(short, name), equal_nan=True), name
    assert told.expected[200] == then.expected[200]


def test_the_first_seasons_are_not_judged():
    assert [warm_up(season) for season in (1, 4, 7, 12, 24, 52, 168)] == [8, 12, 21, 24, 48, 104, 336]
    for length in (14, 21, 22, 60):
        told = judged(made("sales", length, 7, 1))
        assert told.warm_up == 21
        assert told.judged.tolist() == [False] * min(21, length) + [True] * max(length - 21, 0)
        assert np.isnan(told.expected[:21]).all()
        assert not told.is_anomaly[:21].any()


def test_an_anomaly_in_the_first_seasons_does_not_spoil_the_rest():
    values = made("sales", 200, 7, 8)
    odd = values.copy()
    odd[3] *= 1000
    told, usual = judged(odd), judged(values)
    assert told.expected[30:] == pytest.approx(usual.expected[30:], rel=0.25)
    assert len(set(alarms(told)) ^ set(alarms(usual))) <= 2


def test_unknown_values_are_not_judged_and_change_nothing_else():
    values = made("sales", 200, 7, 9)
    values[[4, 100, 101, 150]] = np.nan
    told = judged(values)
    assert np.flatnonzero(~told.judged).tolist() == [*range(21), 100, 101, 150]
    assert np.isfinite(told.expected[told.judged]).all()
    assert told.is_anomaly.sum() <= 3
    assert not judged(np.full(50, np.nan)).judged.any()


def test_what_is_not_to_be_learned_from_is_judged_all_the_same():
    values = made("sales", 300, 7, 10)
    values[150:170] *= 3
    learn = np.ones(300, dtype=bool)
    learn[150:170] = False
    told, usual = judged(values, learn=learn), judged(values)
    assert told.is_anomaly[150:170].all()
    assert usual.is_anomaly[158:170].sum() <= 2
    assert not told.is_anomaly[170:177].any()
    assert usual.is_anomaly[170:177].any()


@pytest.mark.parametrize(
    ("values", "reason"),
    [([], "under_two_seasons"), (np.arange(13.0), "under_two_seasons"), ([1.0, np.inf] * 20, "not_finite")],
)
def test_too_little_and_no_numbers_are_refused(values, reason):
    assert anomalies(values, GRAINS["day"]) == Refused(reason)


def test_what_is_no_question_is_an_error():
    for choices in ({"false_alarms_per_100": 0.0}, {"false_alarms_per_100": 11.0}, {"learn": [True]}):
        with pytest.raises(ValueError):
            anomalies(np.arange(40.0), GRAINS["day"], **choices)
    with pytest.raises(ValueError):
        anomalies(np.ones((5, 8)), GRAINS["day"])


def test_what_never_changes_does_not_alarm_and_any_change_of_it_does():
    for value in (0.0, 5.0, -3.0):
        values = np.full(100, value)
        assert not judged(values).is_anomaly.any()
        values[60] += 1
        told = judged(values)
        assert alarms(told) == [60]
        assert np.isfinite(told.score[21:]).all()


@pytest.mark.parametrize("scale", [2.0**900, 2.0**-900, -1.0])
def test_the_unit_changes_nothing(scale):
    values = made("returns", 200, 7, 11)
    one, other = judged(values), judged(values * scale)
    assert other.score * np.sign(scale) == pytest.approx(one.score, nan_ok=True)
    assert other.expected / scale == pytest.approx(one.expected, nan_ok=True)


@pytest.mark.parametrize(("grain", "length", "most"), [("hour", 24 * 7 * 8, 20), ("month", 60, 2), ("quarter", 40, 2)])
def test_other_grains_are_judged_too(grain, length, most):
    season = GRAINS[grain].season(length)
    values = made("sales", length, season, 12)
    values[-5] *= 4
    told = judged(values, grain)
    assert told.season == season
    assert told.direction[-5] == 1
    assert told.is_anomaly.sum() <= most
