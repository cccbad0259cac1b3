"""Customers for tests of the models: CDNOW's, and made-up ones whose parameters are known."""

from __future__ import annotations

import csv
import functools
import gzip
import json
from pathlib import Path

import numpy as np

from shared.models.histories import Histories, histories

CDNOW = Path(__file__).parent.parent / "data" / "cdnow"


@functools.cache
def published() -> dict:
    return json.loads((CDNOW / "clv.json").read_text())


@functools.cache
def cdnow_columns() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, and t_x and T in days, and mean value, customer 1 first."""
    with gzip.open(CDNOW / "customers.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    x, last, age, value = (np.array([float(row[name]) for row in rows]) for name in ("x", "t_x", "T", "zbar"))
    return x, np.round(last * 7), np.round(age * 7), value


def cdnow(*, days_per_unit: float = 7.0) -> Histories:
    x, last, age, value = cdnow_columns()
    return histories(x, last / days_per_unit, age / days_per_unit, value)


def simulated(
    customers: int, r: float, alpha: float, a: float, b: float, *, age: float, seed: int, then: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """x, t_x, T, and purchases in the time ``then`` after T, by playing the story of the model purchase by purchase."""
    random = np.random.default_rng(seed)
    rate, leaves = random.gamma(r, 1 / alpha, customers), random.beta(a, b, customers)
    ages = random.uniform(age / 2, age, customers)
    x, later = np.zeros(customers), np.zeros(customers)
    last, now = np.zeros(customers), np.zeros(customers)
    here = np.arange(customers)
    while len(here):
        now[here] += random.exponential(1 / rate[here])
        here = here[now[here] < ages[here] + then]
        before = now[here] < ages[here]
        x[here] += before
        later[here] += ~before
        last[here] = np.where(before, now[here], last[here])
        here = here[random.random(len(here)) >= leaves[here]]
    return x, last, ages, later
