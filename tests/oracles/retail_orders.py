"""The orders of UCI Online Retail as pandas reads them from the sample file: nothing of this project is used."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

FOLDER = Path(__file__).parent
SAMPLE = FOLDER.parent.parent / "samples/online_retail.parquet"
END = pd.Timestamp("2011-12-10")
"""The midnight after the last order; times are those of the shop."""


def orders() -> pd.DataFrame:
    """One row per invoice with sales or cancellations: when, whose ("" is nobody's), is_order, net sales in 1/1000."""
    lines = pd.read_parquet(SAMPLE)
    lines["mills"] = (lines.UnitPrice * 1000).round().astype("int64") * lines.Quantity
    cancelled, adjusted = lines.InvoiceNo.str.startswith("C"), lines.InvoiceNo.str.startswith("A")
    lines["is_sale"] = ~cancelled & ~adjusted & (lines.Quantity > 0) & (lines.UnitPrice > 0)
    is_return = cancelled & (lines.UnitPrice > 0)
    at = lines.groupby("InvoiceNo").InvoiceDate.min()
    lines = lines[lines.is_sale | is_return]
    lines = lines.assign(sold=lines.Quantity.where(lines.is_sale, 0), sales=lines.mills.where(lines.is_sale, 0))
    made = lines.groupby("InvoiceNo").agg(
        customer=("CustomerID", "first"),
        country=("Country", "first"),
        is_order=("is_sale", "any"),
        net=("mills", "sum"),
        gross=("sales", "sum"),
        units=("sold", "sum"),
    )
    made["at"] = at
    made["customer"] = made.customer.astype("string").fillna("")
    return made.reset_index(names="order")


def keep(name: str, found: Any) -> None:
    """Writes the result beside its script; with --check, only compares."""
    path = FOLDER / f"{name}.json"
    text = json.dumps(found, separators=(",", ":")) + "\n"
    if "--check" not in sys.argv:
        path.write_text(text, encoding="utf-8")
    elif path.read_text(encoding="utf-8") != text:
        sys.exit(f"{path.name} is not what the script finds")
