"""Forecasts of the reference series by statsforecast 2.1.1 and statsmodels 0.15.0: ``python -m tests.oracles.forecast``
writes forecast.json, ``--check`` compares. Both come with hundreds of MB, so they get an environment of their own.

Of each series, over its last values: the accuracy of the simple methods, of AutoETS and of AutoTheta, to five digits.
Of exponential smoothing with given settings and starts: what was expected of each value, and of the next ones; and the
settings with the least squared errors from given starts. It is asked for less than a season ahead: what the last value
told of its place, that library does not use. Nothing of this project is used but its data.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from statsforecast.models import AutoETS, AutoTheta, HistoricAverage, Naive, RandomWalkWithDrift, SeasonalNaive
from statsmodels.tsa.holtwinters import ExponentialSmoothing

FOLDER = Path(__file__).parent
DATA = FOLDER.parent / "data" / "series"
SERIES = {
    "beer": ("beer.csv", 0, 4, 10),
    "wool": ("wool.csv", 0, 4, 8),
    "air_passengers": ("air_passengers.csv", 0, 12, 24),
    "wine": ("wine.csv", 0, 12, 12),
    "sea_surface": ("sea_surface.csv", 0, 12, 12),
    "co2": ("co2.csv", 0, 52, 26),
    "nile": ("nile.csv", 0, 1, 5),
    "retail_net_sales": ("retail.csv", 1, 7, 28),
    "retail_orders": ("retail.csv", 2, 7, 28),
    "taxi_days": ("taxi.csv.gz", 1, 7, 14),
    "electricity": ("electricity.csv", 0, 168, 48),
}
"""File, column, season, horizon."""
LONGEST_SEASON = 24
"""AutoETS takes hours for longer ones."""

SMOOTHED = {
    "simple": ("beer", {}, {"level": 430.0}, {"level": 0.3}),
    "trend": ("air_passengers", {"trend": "add"}, {"level": 110.0, "trend": 1.5}, {"level": 0.5, "trend": 0.2}),
    "damped": (
        "air_passengers",
        {"trend": "add", "damped_trend": True},
        {"level": 110.0, "trend": 1.5},
        {"level": 0.5, "trend": 0.2, "damping": 0.93},
    ),
    "additive": (
        "beer",
        {"trend": "add", "seasonal": "add", "seasonal_periods": 4},
        {"level": 440.0, "trend": -0.5, "seasonal": [-5.0, -35.0, -20.0, 60.0]},
        {"level": 0.2, "trend": 0.25, "seasonal": 0.15},
    ),
    "multiplicative": (
        "air_passengers",
        {"trend": "add", "damped_trend": True, "seasonal": "mul", "seasonal_periods": 12},
        {
            "level": 120.0,
            "trend": 1.8,
            "seasonal": [0.91, 0.88, 1.01, 0.98, 0.98, 1.11, 1.22, 1.21, 1.06, 0.92, 0.8, 0.92],
        },
        {"level": 0.3, "trend": 0.1, "seasonal": 0.4, "damping": 0.97},
    ),
}
"""Series, form, start, and settings: α, β as a share of it, γ, φ, as far as there are."""
DAMPED = (0.8, 0.98)
"""Limits of φ, by Hyndman, Athanasopoulos, section 7.2."""


def values(name: str) -> tuple[np.ndarray, int, int]:
    file, column, season, horizon = SERIES[name]
    told = (DATA / file).read_bytes()
    lines = (gzip.decompress(told) if file.endswith("gz") else told).decode().splitlines()
    read = np.array([float(row[column]) for row in list(csv.reader(lines))[1:]])
    if name == "taxi_days":
        read = read.reshape(-1, 24).sum(axis=1)
    return read, season, horizon


def measures(actual: np.ndarray, told: np.ndarray, past: np.ndarray, season: int) -> dict[str, float]:
    off = actual - told
    found = {"RMSE": np.sqrt((off**2).mean()), "MAE": np.abs(off).mean()}
    if actual.all():
        found["MAPE"] = 100 * np.abs(off / actual).mean()
    found["MASE"] = found["MAE"] / np.abs(past[season:] - past[:-season]).mean()
    return {name: digits(value) for name, value in found.items()}


def digits(value: Any) -> Any:
    return float(f"{float(value):.5g}")


def accuracies(name: str) -> dict[str, Any]:
    read, season, horizon = values(name)
    past, actual = read[:-horizon], read[-horizon:]
    models = {
        "naive": Naive(),
        "seasonal_naive": SeasonalNaive(season_length=season),
        "mean": HistoricAverage(),
        "drift": RandomWalkWithDrift(),
    }
    if season <= LONGEST_SEASON:
        models |= {"AutoETS": AutoETS(season_length=season), "AutoTheta": AutoTheta(season_length=season)}
    return {
        label: measures(actual, model.forecast(y=past, h=horizon)["mean"], past, season)
        for label, model in models.items()
    }


def smoothed(name: str) -> dict[str, Any]:
    series, form, start, settings = SMOOTHED[name]
    read, _, _ = values(series)
    known = {f"initial_{part}": value for part, value in start.items()}
    bounds = {"damping_trend": DAMPED} if "damping" in settings else None
    model = ExponentialSmoothing(read, initialization_method="known", bounds=bounds, **form, **known)
    given = {"damping_trend" if part == "damping" else f"smoothing_{part}": value for part, value in settings.items()}
    done, best = model.fit(optimized=False, **given), model.fit(minimize_kwargs={"options": {"maxiter": 5000}})
    return {
        "fitted": [digits(value) for value in done.fittedvalues],
        "next": [digits(value) for value in done.forecast(form.get("seasonal_periods", 19) - 1)],
        "squares": digits(done.sse),
        "least_squares": digits(best.sse),
    }


if __name__ == "__main__":
    found = {
        "accuracy": {name: accuracies(name) for name in SERIES},
        "smoothed": {name: smoothed(name) for name in SMOOTHED},
    }
    path = FOLDER / "forecast.json"
    text = json.dumps(found, separators=(",", ":")) + "\n"
    if "--check" not in sys.argv:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path.name} is not what the script finds")
