"""What the columns of answers about customers mean."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric

_RFM = "Hughes 1994, Strategic Database Marketing: quintiles of recency, frequency and monetary value"

OF_CUSTOMERS: dict[str, Metric] = {
    "cohort": Metric(
        "Cohort", "The first day of the period of the first order, by the clock of `timezone`.", "period of first order"
    ),
    "offset": Metric("Offset", "How many periods after the cohort's first one; 0 is that period.", "period − cohort"),
    "size": Metric("Size", "Customers of the cohort or the segment.", "count of distinct customer_id"),
    "cell": Metric(
        "Cell",
        "What `metric` asks for, of this cohort in this period; null while the period is not over.",
        "retention: customers / size, to 6 decimals; orders: Σ orders; net_sales: Σ net sales; ltv: Σ net sales from "
        "offset 0 to this one / size, to 6 decimals",
        "Amplitude, Retention Analysis: return on, and return on or after",
    ),
    "customer_id": Metric("Customer", "The id of the customer.", "as uploaded"),
    "last_order": Metric("Last order", "The day of the last order of the range, by the clock of `timezone`.", "date"),
    "recency_days": Metric(
        "Recency", "Days from the day of the last order to the day of `to`.", "date of to − date of last order"
    ),
    "r_score": Metric("R score", "How recently they bought, 1 to 5; 5 is best.", "by bins, of recency_days", _RFM),
    "f_score": Metric("F score", "How often they bought, 1 to 5; 5 is best.", "by bins, of orders", _RFM),
    "m_score": Metric("M score", "For how much they bought, 1 to 5; 5 is best.", "by bins, of net_sales", _RFM),
    "rfm": Metric("RFM", "The three scores as one text, from 111 to 555.", "r_score, f_score, m_score"),
    "segment": Metric(
        "Segment",
        "What the scores stand for; null for customers without an order in the range.",
        "first rule of the map that fits",
        "Shopify, Help Center, RFM customer analysis: the eleven RFM groups",
    ),
    "size_share": Metric("Share of customers", "The part of all customers of the answer.", "size / Σ size"),
    "mean_recency_days": Metric("Mean recency", "The mean of their recency.", "Σ recency_days / size, to 2 decimals"),
    "orders_per_customer": Metric("Orders per customer", "How often they bought.", "orders / size, to 4 decimals"),
    "net_sales_per_customer": Metric(
        "Net sales per customer", "For how much they bought.", "net_sales / size, to 4 decimals"
    ),
    "order_number": Metric(
        "Order number", "A customer's first order is 1; null is all together.", "rank by ordered_at"
    ),
    "repeat_customers": Metric("Repeat customers", "Who ordered at least once more.", "customers with a later order"),
    "repeat_rate": Metric(
        "Repeat rate", "The share that ordered again.", "repeat_customers / customers, to 6 decimals"
    ),
    "mean_days_between": Metric(
        "Mean days between orders", "The mean of the time to the next order.", "Σ time / count, to 4 decimals"
    ),
    "median_days_between": Metric(
        "Median days between orders",
        "Half of the times to the next order are shorter; of an even number, the mean of the middle two.",
        "median of time, to 4 decimals",
    ),
    "rank": Metric("Rank", "The place in the order asked for; 1 is first.", "1 + rows before this one"),
    "first_order": Metric("First order", "The day of the first order ever, by the clock of `timezone`.", "date"),
    "share_of_metric": Metric(
        "Share of the metric", "The part of the sum of `by` over all rows, not only of the page.", "metric / Σ metric"
    ),
    "running_share": Metric(
        "Running share", "The share of this row and all rows before it.", "Σ metric to this row / Σ metric"
    ),
    "new_customers": Metric(
        "New customers", "Who ordered for the first time, by `rule`.", "customers with a new order"
    ),
    "returning_customers": Metric(
        "Returning customers", "Who had ordered before, by `rule`.", "customers with an order that is not new"
    ),
    "returning_rate": Metric(
        "Returning customer rate",
        "Returning customers among new and returning ones; null when nobody ordered.",
        "returning_customers / (new_customers + returning_customers), to 6 decimals",
        "Shopify, Help Center, First-time vs returning customers",
    ),
    "new_orders": Metric("New customers' orders", "Orders of new customers, by `rule`.", "count of their orders"),
    "returning_orders": Metric(
        "Returning customers' orders", "Orders of returning customers.", "count of their orders"
    ),
    "guest_orders": Metric("Guest orders", "Orders without a customer_id.", "count of orders without a customer"),
    "new_net_sales": Metric("New customers' net sales", "Net sales to new customers, by `rule`.", "Σ net sales"),
    "returning_net_sales": Metric("Returning customers' net sales", "Net sales to returning customers.", "Σ net sales"),
    "guest_net_sales": Metric("Guest net sales", "Net sales of guest orders.", "Σ net sales without a customer"),
    "email": Metric("E-mail", "The customer's address for who may see it; else null.", "as uploaded"),
    "country": Metric("Country", "The customer's country.", "as uploaded"),
    "next_order": Metric(
        "Next order",
        "When the customer would order next, at the usual pace.",
        "last order + median time between orders",
    ),
    "recent_orders": Metric(
        "Recent orders", "The last orders with a sale, newest first, each in its own currency.", "list of orders"
    ),
    "favourite_products": Metric(
        "Favourite products", "Goods in most of the customer's orders.", "list by orders, units, product_id"
    ),
    # expected purchases
    "purchase_days": Metric(
        "Purchase days", "Days with a purchase, by the installation's clock; null for `type=historic`.", "count of days"
    ),
    "alive": Metric(
        "P(alive)",
        "The probability that the customer still is one.",
        "1 / (1 + a/(b+x−1) · ((α+T)/(α+t_x))^(r+x)) for x > 0, else 1; to 6 decimals",
        "Fader, Hardie, Lee 2008, Computing P(alive) Using the BG/NBD Model",
    ),
    "expected_orders": Metric(
        "Expected purchases",
        "Days with a purchase within `horizon` that are expected, not discounted.",
        "E[Y(t) | x, t_x, T], equation (10), to 6 decimals",
        "Fader, Hardie, Lee 2005, Counting Your Customers the Easy Way",
    ),
    "expected_orders_low": Metric(
        "Expected purchases, low", "Reached with (100 + `level`)/2 percent, given the fit.", "quantile of Y(t)"
    ),
    "expected_orders_high": Metric(
        "Expected purchases, high", "Not passed with (100 + `level`)/2 percent, given the fit.", "quantile of Y(t)"
    ),
    "expected_order_value": Metric(
        "Expected value of a purchase",
        "Net sales of a day with a purchase: the customer's mean and everybody's, weighted.",
        "p (v + x·z) / (p·x + q − 1)",
        "Fader, Hardie 2013, The Gamma-Gamma Model of Monetary Value",
    ),
    "expected_revenue": Metric(
        "Expected revenue",
        "What is expected within `horizon`, not discounted, without `margin`.",
        "expected_orders × expected_order_value",
    ),
    "lifetime_value": Metric(
        "Lifetime value",
        "Historic: net sales to date × `margin`. Predictive: discounted expected purchases × their value × `margin`.",
        "Σ over time of expected purchases × (1 + discount)^(−years) × expected_order_value × margin",
    ),
    "tier": Metric(
        "Tier",
        "The quarter of customers by expected revenue of 365 days, or by historic net sales; 1 is the best.",
        "1 + ⌊4 × customers with more / customers⌋",
    ),
    "days_since": Metric(
        "Days since", "From the last day with a purchase to the end of the data the fit saw.", "until − last_order"
    ),
    "churn_risk": Metric("Churn risk", "The probability that the customer left.", "1 − alive, to 6 decimals"),
    "revenue_if_alive": Metric(
        "Revenue if alive",
        "What the customer is expected to bring within `horizon` if they are still one, by `margin`.",
        "expected_revenue / alive × margin",
    ),
    "value_at_risk": Metric(
        "Value at risk", "What would be lost, by how likely it is lost.", "churn_risk × revenue_if_alive"
    ),
}
