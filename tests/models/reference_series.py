"""The reference series, as tests/data/series/README.md describes them, and how far ahead each is asked."""

from __future__ import annotations

import csv
import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent.parent / "data" / "series"

HORIZONS = {
    "beer": ("quarter", 10),
    "wool": ("quarter", 8),
    "air_passengers": ("month", 24),
    "wine": ("month", 12),
    "sea_surface": ("month", 12),
    "co2": ("week", 26),
    "nile": ("year", 5),
    "retail_net_sales": ("day", 28),
    "retail_orders": ("day", 28),
    "taxi_days": ("day", 14),
    "electricity": ("hour", 48),
}
"""Grain and horizon, by series."""


@cache
def columns(name: str) -> dict[str, list[str]]:
    path = FOLDER / f"{name}.csv"
    with open(path, encoding="utf-8") if path.exists() else gzip.open(f"{path}.gz", "rt", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def series(name: str) -> np.ndarray:
    if name.startswith("retail_"):
        told = columns("retail")[name.removeprefix("retail_")]
    elif name == "taxi_days":
        return np.array(columns("taxi")["trips"], dtype=np.float64).reshape(-1, 24).sum(axis=1)
    else:
        (told,) = columns(name).values()
    return np.array(told, dtype=np.float64)


def published_beer() -> dict[str, dict[str, float]]:
    return json.loads((FOLDER / "beer_published.json").read_text(encoding="utf-8"))
