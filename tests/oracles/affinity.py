"""Market baskets of UCI Online Retail by mlxtend: ``python -m tests.oracles.affinity`` writes affinity.csv.

With ``--check`` it only compares. It needs mlxtend (0.25) and pandas (3.1); the tests do not. It reads the uploaded
file itself, not our lake. Its thresholds are a trifle below the asked ones, since it compares floats; what it found is
then held against the asked ones as fractions of the counts.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import pandas
from mlxtend.frequent_patterns import association_rules, fpgrowth

ROOT = Path(__file__).parent.parent.parent
RESULTS = Path(__file__).with_suffix(".csv")

CASES = {
    "pairs": {"min_support": "0.01", "min_confidence": "0.1", "min_lift": "1", "max_len": 2, "max_basket": 100},
    "sets": {"min_support": "0.01", "min_confidence": "0.5", "min_lift": "10", "max_len": 4, "max_basket": 10_000},
    "germany": {
        "min_support": "0.02", "min_confidence": "0.25", "min_lift": "1.5", "max_len": 3, "max_basket": 10_000,
        "country": "Germany",
    },
}  # fmt: skip
"""Parameters as our question takes them."""


def sold() -> pandas.DataFrame:
    """Order, product and country of each sale line of goods."""
    lines = pandas.read_parquet(ROOT / "samples/online_retail.parquet").astype({"InvoiceNo": str, "StockCode": str})
    quantity, price = pandas.to_numeric(lines.Quantity), pandas.to_numeric(lines.UnitPrice)
    is_sale = ~lines.InvoiceNo.str.startswith(("A", "C")) & (quantity > 0) & (price > 0)
    is_goods = lines.StockCode.str.strip().str.fullmatch(r"\d{5}[A-Za-z]*")
    found = lines[is_sale & is_goods]
    return pandas.DataFrame(
        {"order": found.InvoiceNo, "product": found.StockCode.str.strip(), "country": found.Country}
    ).drop_duplicates(["order", "product"])


def rules(lines: pandas.DataFrame, case: dict[str, str | int]) -> pandas.DataFrame:
    """The rules with one consequent, with the counts that they come from."""
    if "country" in case:
        lines = lines[lines.country == case["country"]]
    sizes = lines.groupby("order").size()
    lines = lines[lines.order.isin(sizes[sizes <= case["max_basket"]].index)]
    orders = lines.order.nunique()
    least = {name: Fraction(str(case[f"min_{name}"])) for name in ("support", "confidence", "lift")}
    counts = lines.groupby("product").size()
    often = lines[lines["product"].isin(counts[counts >= least["support"] * orders].index)]
    baskets = pandas.crosstab(often.order, often["product"]).astype(bool)
    # Orders without a frequent product hold no set, but are orders.
    baskets = baskets.reindex(lines.order.unique(), fill_value=False)
    sets = fpgrowth(
        baskets, min_support=float(least["support"]) * (1 - 1e-9), use_colnames=True, max_len=int(case["max_len"])
    )
    found = association_rules(sets, metric="support", min_threshold=0)
    found = found[found.consequents.map(len) == 1].copy()
    for column, share in (
        ("set_orders", found.support),
        ("antecedent_orders", found["antecedent support"]),
        ("consequent_orders", found["consequent support"]),
    ):
        found[column] = (share * orders).round().astype(int)
    found["all_orders"] = orders
    keep = [
        Fraction(row.set_orders, orders) >= least["support"]
        and Fraction(row.set_orders, row.antecedent_orders) >= least["confidence"]
        and Fraction(row.set_orders * orders, row.antecedent_orders * row.consequent_orders) >= least["lift"]
        for row in found.itertuples()
    ]
    found = found[keep]
    found["antecedent"] = found.antecedents.map(lambda names: " ".join(sorted(names)))
    found["consequent"] = found.consequents.map(lambda names: next(iter(names)))
    counted = ["set_orders", "antecedent_orders", "consequent_orders", "all_orders"]
    return found[["antecedent", "consequent", *counted, "confidence", "lift", "leverage", "conviction"]]


def main() -> None:
    """Write all cases, or compare them."""
    lines = sold()
    made = pandas.concat(
        rules(lines, case).assign(case=name).sort_values(["antecedent", "consequent"]) for name, case in CASES.items()
    )
    made = made[["case", *made.columns.drop("case")]]
    text = made.to_csv(index=False, float_format="%.6f", lineterminator="\n")
    if "--check" not in sys.argv:
        RESULTS.write_text(text, encoding="utf-8")
    elif RESULTS.read_text(encoding="utf-8") != text:
        sys.exit(f"{RESULTS.name} is not what the script finds")


if __name__ == "__main__":
    main()
