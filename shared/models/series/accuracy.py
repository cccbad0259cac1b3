"""How far forecasts were from what came: MAE, RMSE, MAPE, WAPE, and MASE (Hyndman, Koehler 2006)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shared.models.histories import Floats


@dataclass(frozen=True)
class Accuracy:
    """``mae`` and ``rmse`` in the unit of the values; ``mape`` in percent; ``mase`` and ``wape`` are ratios.

    None where there is nothing to divide by: ``mape`` if a value is zero, ``wape`` if all are, ``mase`` if the season
    before repeated itself exactly.
    """

    mae: float
    rmse: float
    mape: float | None
    mase: float | None
    wape: float | None


def accuracy(actual: Floats, forecast: Floats, scale: float) -> Accuracy:
    """Of forecasts for any number of periods; ``scale`` is that of MASE, see ``seasonal_naive_scale``."""
    error = np.abs(actual - forecast)
    size = np.abs(actual)
    total = float(size.sum())
    return Accuracy(
        mae=float(error.mean()),
        rmse=float(np.sqrt(np.mean(error**2))),
        mape=100 * float(np.mean(error / size)) if size.all() else None,
        mase=float(error.mean()) / scale if scale > 0 else None,
        wape=float(error.sum()) / total if total > 0 else None,
    )


def seasonal_naive_scale(past: Floats, season: int) -> float:
    """Mean |y(t) - y(t-m)| within ``past``, the denominator of MASE: Hyndman, Koehler 2006, in its seasonal form."""
    return float(np.mean(np.abs(past[season:] - past[:-season])))
