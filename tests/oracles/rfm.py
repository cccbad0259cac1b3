"""RFM of UCI Online Retail by pandas and numpy: ``python -m tests.oracles.rfm`` writes rfm.json, ``--check`` compares.

Of each customer: recency in days, orders, net sales in 1/1000, and the scores as one text, in fifths of customers
ranked by value then id (ntile), and by the quantiles of values (quantile); over all time, and over the last 90 days.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tests.oracles.retail_orders import END, keep, orders

FIFTHS = [0.2, 0.4, 0.6, 0.8]


def values(known: pd.DataFrame) -> pd.DataFrame:
    """Recency, frequency, monetary value of who ordered."""
    bought = known[known.is_order].groupby("customer")["at"].agg(["max", "count"])
    made = pd.DataFrame({"days": (END - bought["max"].dt.normalize()).dt.days, "orders": bought["count"]})
    made["net"] = known.groupby("customer").net.sum()
    return made.sort_index()


def ntile(values: pd.Series) -> np.ndarray:
    """Fifths by rank; numpy's split gives what is left over to the first ones."""
    score = pd.Series(0, index=values.index)
    in_order = values.sort_values(kind="stable").index
    for number, part in enumerate(np.array_split(np.arange(len(values)), 5), start=1):
        score[in_order[part]] = number
    return score.to_numpy()


def quantile(values: pd.Series) -> np.ndarray:
    """By the quantiles of the values themselves: a value is above a fifth when the whole fifth is below it."""
    edges = np.quantile(values, FIFTHS, method="inverted_cdf")
    return 1 + (values.to_numpy()[:, None] > edges).sum(axis=1)


def rfm(known: pd.DataFrame) -> dict[str, Any]:
    """By customer."""
    made = values(known)
    for name, scored in (("ntile", ntile), ("quantile", quantile)):
        scores = zip(scored(-made.days), scored(made.orders), scored(made.net), strict=True)
        made[name] = ["".join(map(str, one)) for one in scores]
    return {
        str(row.Index): [int(row.days), int(row.orders), int(row.net), row.ntile, row.quantile]
        for row in made.itertuples()
    }


if __name__ == "__main__":
    known = orders().query("customer != ''")
    recent = known[known["at"] >= END - pd.Timedelta(days=90)]
    keep("rfm", {"all": rfm(known), "90 days": rfm(recent)})
