"""What every column of an answer means: the one text behind the API's definitions and the pages of docs/definitions."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric
from shared.datasets.questions.metrics_customers import OF_CUSTOMERS
from shared.datasets.questions.metrics_events import OF_EVENTS
from shared.datasets.questions.metrics_products import OF_PRODUCTS

_SHOPIFY = "Shopify, Help Center, Sales reports: gross sales, discounts, returns, net sales, total sales"

_OF_SALES: dict[str, Metric] = {
    "gross_sales": Metric(
        "Gross sales",
        "What was sold, before discounts, returns, tax and shipping.",
        "Σ quantity × unit_price of sale lines",
        _SHOPIFY,
    ),
    "discounts": Metric(
        "Discounts",
        "Money off sale lines and money off orders as a whole; positive.",
        "Σ discount of sale lines + Σ discount of orders",
        _SHOPIFY,
    ),
    "returns": Metric(
        "Returns",
        "Money given back: return and cancellation lines, and refunds that name no line; zero or negative. It "
        "belongs to the time of the order or credit note that holds it.",
        "Σ (quantity × unit_price − discount) of return lines − Σ refunded of orders",
        _SHOPIFY,
    ),
    "adjustments": Metric(
        "Adjustments",
        "Lines that correct the books without a sale, such as bad debt; zero unless `include=adjustments`.",
        "Σ (quantity × unit_price − discount) of adjustment lines",
    ),
    "net_sales": Metric(
        "Net sales",
        "What was earned by selling, without tax and shipping.",
        "gross_sales − discounts + returns + adjustments",
        _SHOPIFY,
    ),
    "tax": Metric("Tax", "Tax of orders; never inside net sales.", "Σ tax of orders"),
    "shipping": Metric("Shipping", "Shipping charged with orders; never inside net sales.", "Σ shipping of orders"),
    "total_sales": Metric(
        "Total sales", "What customers owe for their orders.", "net_sales + tax + shipping", _SHOPIFY
    ),
    "orders": Metric(
        "Orders",
        "Orders that hold a sale line; one with returns alone is none. With `kind`, a sale line of that kind.",
        "count of distinct order_id with a sale line",
    ),
    "customers": Metric(
        "Customers",
        "Who placed these orders. Guest orders (without a customer_id) are sales, but nobody's. Customers of several "
        "periods or groups cannot be added up: somebody who came back counts in each.",
        "count of distinct customer_id of orders with a sale line",
    ),
    "units": Metric("Units", "Pieces sold.", "Σ quantity of sale lines"),
    "returned_units": Metric("Returned units", "Pieces that came back; positive.", "−Σ quantity of return lines"),
    "aov": Metric(
        "AOV (average order value)",
        "Net sales of orders with a sale line, per such order; null without orders. A return that is an order of its "
        "own lowers net sales, but not AOV.",
        "Σ (gross_sales − discounts + returns) of orders with a sale line / orders, to 4 decimals",
        "Shopify, Help Center, Average order value (which leaves returns out)",
    ),
    "period": Metric(
        "Period",
        "The first day of the period, by the clock of `timezone`; of an hour the first minute, and its offset.",
        "ISO 8601",
    ),
    "complete": Metric(
        "Complete", "Whether the period was over when the snapshot was committed.", "end of period ≤ committed_at"
    ),
    "value": Metric(
        "Value", "The country, category, product id, channel, device or customer id of the row.", "as uploaded"
    ),
    "label": Metric("Label", "The name of that product, or customer for who may see it; else null.", "as uploaded"),
    "share": Metric("Share", "The part of net sales of all rows, not only of the page.", "net_sales / Σ net_sales"),
    "weekday": Metric(
        "Weekday", "1 is Monday, 7 Sunday (ISO 8601), by the clock of `timezone`.", "ISO weekday of ordered_at"
    ),
    "hour": Metric("Hour", "The hour of the day that the clock shows, 0 to 23.", "hour of ordered_at"),
    "returned_share": Metric(
        "Returned share of sales",
        "Money given back, per money sold; null where nothing was sold.",
        "−returns / (gross_sales − discounts), to 6 decimals",
    ),
}

COLUMNS = _OF_SALES | OF_CUSTOMERS | OF_PRODUCTS | OF_EVENTS
"""By column; with ``compare``, ``<metric>_previous`` is that of the earlier time and ``<metric>_change`` the ratio."""

METRICS = (
    "gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales",
    "orders", "customers", "units", "returned_units", "aov",
)  # fmt: skip
"""What sales questions measure, and `compare` compares."""
