"""New and returning customers of UCI Online Retail by pandas: ``python -m tests.oracles.new_vs_returning`` writes
new_vs_returning.json, ``--check`` compares.

By rule, grain and period: customers, orders and net sales in 1/1000 of new ones, then of returning ones, then the
orders and net sales of guests.
"""

from __future__ import annotations

from typing import Any

from tests.oracles.retail_orders import keep, orders

PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q"}


def told_apart(rule: str, grain: str) -> dict[str, Any]:
    """By the first day of each period."""
    made = orders()
    made["period"] = made["at"].dt.to_period(PERIODS[grain]).dt.start_time
    first = made[made.is_order & (made.customer != "")].groupby("customer")
    known = made.customer.map(first.period.min() if rule == "customer" else first["at"].min())
    made["who"] = "returning"
    made.loc[known == (made.period if rule == "customer" else made["at"]), "who"] = "new"
    made.loc[made.customer == "", "who"] = "guest"
    found = {}
    for period, rows in made.groupby("period"):
        values = []
        for who in ("new", "returning", "guest"):
            part = rows[rows.who == who]
            buying = part[part.is_order]
            values += [buying.customer.nunique(), len(buying), part.net.sum()][who == "guest" :]
        found[str(period.date())] = [int(value) for value in values]
    return found


if __name__ == "__main__":
    keep(
        "new_vs_returning",
        {f"{rule} {grain}": told_apart(rule, grain) for rule in ("customer", "order") for grain in PERIODS},
    )
