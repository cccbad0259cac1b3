"""Made-up series whose noise is known: what intervals should hold of, and what should not alarm."""

from __future__ import annotations

import numpy as np

WEEK = np.array([0.9, 0.95, 1.0, 1.05, 1.25, 1.4, 0.6])


def pattern(season: int) -> np.ndarray:
    return WEEK if season == 7 else 1 + 0.25 * np.sin(2 * np.pi * np.arange(season) / season)


def autoregression(random: np.random.Generator, length: int, phi: float, sigma: float) -> np.ndarray:
    values = np.zeros(length + 50)
    for time in range(1, length + 50):
        values[time] = phi * values[time - 1] + sigma * random.normal()
    return values[50:]


def made(kind: str, length: int, season: int, seed: int) -> np.ndarray:
    random = np.random.default_rng([seed, length, season])
    time = np.arange(length)
    around = pattern(season)[time % season]
    normal = random.normal(size=length)
    if kind == "flat":
        return 100 + 15 * normal
    if kind == "season":
        return 100 * around + 8 * normal
    if kind == "sales":  # errors grow with the level
        return 100 * around * np.exp(0.15 * normal)
    if kind == "growth":
        return 100 * np.exp(time / length) * around * np.exp(0.1 * normal)
    if kind == "trend":
        return 100 - 60 * time / length + 30 * around + 6 * normal
    if kind == "walk":
        return 200 + np.cumsum(3 * normal)
    if kind == "persistent":
        return 100 + 30 * around + autoregression(random, length, 0.7, 5.0)
    if kind == "orders":
        return random.poisson(20 * around).astype(np.float64)
    if kind == "few_orders":
        return random.poisson(1.5 * around).astype(np.float64)
    if kind == "skewed":
        return random.gamma(3, 30 * around)
    if kind == "heavy":
        return 100 * around + 6 * random.standard_t(3, size=length)
    if kind == "returns":  # net sales that are often negative
        return 10 * around + 20 * around * normal
    assert kind == "closed"
    values = 100 * around * np.exp(0.15 * normal)
    values[time % season == season - 1] = 0
    return values
