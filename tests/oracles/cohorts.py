"""Cohorts of UCI Online Retail by pandas: ``python -m tests.oracles.cohorts`` writes cohorts.json; --check compares.

Of each grain and cohort, by offset: customers who ordered, who ordered then or later, orders, net sales in 1/1000.
"""

from __future__ import annotations

from typing import Any

from tests.oracles.retail_orders import keep, orders

PERIODS = {"week": "W-SUN", "month": "M", "quarter": "Q"}


def cohorts(grain: str) -> dict[str, Any]:
    """By the first day of each cohort's period."""
    known = orders().query("customer != ''")
    known["period"] = known["at"].dt.to_period(PERIODS[grain])
    sold = known[known.is_order]
    known = known.merge(sold.groupby("customer").period.min().rename("cohort"), on="customer")
    number = known.period.map(lambda period: period.ordinal)
    known["offset"] = number - known.cohort.map(lambda period: period.ordinal)
    last = number.max()
    found = {}
    for cohort, rows in known[known.offset >= 0].groupby("cohort"):
        buying = rows[rows.is_order]
        farthest = buying.groupby("customer").offset.max()
        found[str(cohort.start_time.date())] = [
            [
                int(buying[buying.offset == offset].customer.nunique()),
                int((farthest >= offset).sum()),
                int((buying.offset == offset).sum()),
                int(rows[rows.offset == offset].net.sum()),
            ]
            for offset in range(last - cohort.ordinal + 1)
        ]
    return found


if __name__ == "__main__":
    keep("cohorts", {grain: cohorts(grain) for grain in PERIODS})
