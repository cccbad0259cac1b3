"""What every column of an answer means: the one text behind the API's definitions and the pages of docs/definitions."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric
from shared.datasets.questions.metrics_customers import OF_CUSTOMERS
from shared.datasets.questions.metrics_events import OF_EVENTS
from shared.datasets.questions.metrics_insights import OF_INSIGHTS
from shared.datasets.questions.metrics_products import OF_PRODUCTS
from shared.datasets.questions.metrics_usage import OF_USAGE

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
    # breakdown
    "row_value": Metric(
        "Row", "The value of `rows`: a country, category, channel, id, kind of customer or time.", "as uploaded"
    ),
    "row_label": Metric("Label of the row", "The name of that product, or customer for who may see it.", "as uploaded"),
    "row_is_other": Metric("Other rows", "Whether all rows beyond `top` are added up here.", "rank > top"),
    "column_value": Metric(
        "Column", "The value of `columns`: a country, category, channel, id, kind of customer or time.", "as uploaded"
    ),
    "column_label": Metric(
        "Label of the column", "The name of that product, or customer for who may see it.", "as uploaded"
    ),
    "column_is_other": Metric("Other columns", "Whether all columns beyond `top` are added up here.", "rank > top"),
    "row_share": Metric("Share of the row", "The part of net sales of its row.", "net_sales / Σ net_sales of the row"),
    "column_share": Metric(
        "Share of the column", "The part of net sales of its column.", "net_sales / Σ net_sales of the column"
    ),
    # series
    "expected": Metric("Expected", "What was to be expected of the period.", "point forecast, from the past alone"),
    "low_80": Metric("Low, 80 %", "One in ten is expected below it.", "quantile 0.1 of the errors held out"),
    "high_80": Metric("High, 80 %", "One in ten is expected above it.", "quantile 0.9 of the errors held out"),
    "low_95": Metric("Low, 95 %", "One in forty is expected below it.", "quantile 0.025 of the errors held out"),
    "high_95": Metric("High, 95 %", "One in forty is expected above it.", "quantile 0.975 of the errors held out"),
    "method": Metric("Method", "The method that is served.", "the least error on a rolling hold-out"),
    "beats_naive": Metric(
        "Beats naive", "Whether it did better on the hold-out than the seasonal naive forecast.", "mase < naive_mase"
    ),
    "mase": Metric(
        "MASE",
        "Mean absolute scaled error over the periods held out; below 1 is better than repeating last season.",
        "mean |error| / mean |y(t) − y(t−season)| of the past, to 6 decimals",
        "Hyndman, Koehler 2006, Another Look at Measures of Forecast Accuracy",
    ),
    "wape": Metric(
        "WAPE",
        "Weighted absolute percentage error over the periods held out, as a ratio.",
        "Σ |error| / Σ |actual|, to 6 decimals",
    ),
    "naive_mase": Metric("MASE, seasonal naive", "The same of the seasonal naive forecast.", "as mase"),
    "naive_wape": Metric("WAPE, seasonal naive", "The same of the seasonal naive forecast.", "as wape"),
    "actual": Metric("Actual", "What the metric was.", "as sales/by-period"),
    "lower": Metric("Lower bound", "Below it is an anomaly.", "quantile of the errors before"),
    "upper": Metric("Upper bound", "Above it is an anomaly.", "quantile of the errors before"),
    "score": Metric(
        "Score", "How far from what was expected.", "(actual − expected) / robust standard deviation, to 4 decimals"
    ),
    "direction": Metric("Direction", "`above`, `below`, or null where it is as expected.", "side of the bound passed"),
    "is_outage": Metric(
        "Outage", "Nothing was sold on a day on which something always is.", "actual = 0 where it never was"
    ),
    "is_closed": Metric("Closed", "A day of the week on which the shop always is closed.", "always 0 there"),
}

COLUMNS = _OF_SALES | OF_CUSTOMERS | OF_PRODUCTS | OF_EVENTS | OF_INSIGHTS | OF_USAGE
"""By column; with ``compare``, ``<metric>_previous`` is that of the earlier time and ``<metric>_change`` the ratio."""

METRICS = (
    "gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales",
    "orders", "customers", "units", "returned_units", "aov",
)  # fmt: skip
"""What sales questions measure, and `compare` compares."""
