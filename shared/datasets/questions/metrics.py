"""What every column of an answer means: the one text behind the API's definitions and the pages of docs/definitions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A number or a label of answers, in the field's words."""

    title: str
    meaning: str
    formula: str
    source: str = ""
    """Where the definition comes from, or is told in other words."""


_SHOPIFY = "Shopify, Help Center, Sales reports: gross sales, discounts, returns, net sales, total sales"
_RFM = "Hughes 1994, Strategic Database Marketing: quintiles of recency, frequency and monetary value"
_AGRAWAL = "Agrawal, Imieliński, Swami 1993, Mining association rules between sets of items in large databases"

COLUMNS: dict[str, Metric] = {
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
    # customers
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
    # products
    "product_id": Metric("Product", "The product's id.", "as uploaded"),
    "product_name": Metric("Product name", "The product's name in the snapshot.", "as uploaded"),
    "category": Metric("Category", "The name of the product's category.", "as uploaded"),
    "abc": Metric(
        "ABC class",
        "A: the largest products that make up `a_share` (80) percent of `abc_by`, with the one that crosses it; B: the "
        "next `b_share` (15) percent, with the one that crosses them; C: the others.",
        "A while Σ before < 80 % of Σ, B while Σ before < 95 %, else C; of positive values, largest first, then by id",
        "Dickie 1951, ABC inventory analysis shoots for dollars, not pennies",
    ),
    "cumulative_share": Metric(
        "Cumulative share",
        "The part of the whole that this product and all larger ones make up, by `abc_by`.",
        "Σ positive values up to this product / Σ positive values, to 6 decimals",
    ),
    "net_sales_previous": Metric(
        "Net sales before",
        "Net sales in the range that `trend` compares with; null without `from` and `to`.",
        "net_sales",
    ),
    "trend": Metric(
        "Trend",
        "The change of net sales from the range before to this one; null where nothing was earned before.",
        "(net_sales − net_sales_previous) / net_sales_previous, to 6 decimals",
    ),
    "cost": Metric("Cost", "What one unit costs, in the currency of the amounts; else null.", "cost of the product"),
    "margin": Metric(
        "Margin",
        "What is left of net sales after the cost of the goods; null where the cost is not known.",
        "net_sales − cost × (units − returned_units)",
        "Shopify, Help Center, Profit reports: gross profit",
    ),
    "margin_rate": Metric(
        "Margin rate", "Margin per net sales; null unless net sales are positive.", "margin / net_sales, to 6 decimals"
    ),
    "return_rate": Metric(
        "Return rate",
        "Units that came back in the range, per unit sold in it; null where none was sold.",
        "returned_units / units, to 6 decimals",
    ),
    "views": Metric("Views", "How often the product was looked at.", "count of events named in `view_event`"),
    "views_to_buy": Metric(
        "Views to buy",
        "Views per order that holds the product; null where views are not known or nothing was ordered.",
        "views / orders, to 4 decimals",
    ),
    # products bought together
    "antecedent": Metric("Antecedent", "The products of the rule that are given, by id.", "as uploaded"),
    "antecedent_names": Metric("Names of the antecedent", "The names of these products.", "as uploaded"),
    "consequent": Metric("Consequent", "The product that the rule tells of, by id.", "as uploaded"),
    "consequent_name": Metric("Name of the consequent", "The name of that product.", "as uploaded"),
    "set_orders": Metric(
        "Orders with both", "Orders that hold the antecedent and the consequent.", "count of distinct order_id"
    ),
    "antecedent_orders": Metric(
        "Orders with the antecedent", "Orders that hold the whole antecedent.", "count of distinct order_id"
    ),
    "consequent_orders": Metric(
        "Orders with the consequent", "Orders that hold the consequent.", "count of distinct order_id"
    ),
    "all_orders": Metric(
        "All orders", "Orders that hold at least one product, but not too many.", "count of distinct order_id"
    ),
    "support": Metric("Support", "The share of orders that hold the whole set.", "set_orders / all_orders", _AGRAWAL),
    "confidence": Metric(
        "Confidence",
        "The share of the orders with the antecedent that hold the consequent too.",
        "set_orders / antecedent_orders",
        _AGRAWAL,
    ),
    "lift": Metric(
        "Lift",
        "How many times as often the two are together as if they were independent; 1 is chance.",
        "set_orders × all_orders / (antecedent_orders × consequent_orders)",
        "Brin, Motwani, Ullman, Tsur 1997, Dynamic itemset counting (as interest)",
    ),
    "leverage": Metric(
        "Leverage",
        "By how many of all orders the two are together more often than if they were independent; 0 is chance.",
        "set_orders / all_orders − antecedent_orders × consequent_orders / all_orders²",
        "Piatetsky-Shapiro 1991, Discovery, analysis and presentation of strong rules",
    ),
    "conviction": Metric(
        "Conviction",
        "How many times as often the rule would fail if the two were independent; null where it never fails.",
        "(1 − consequent_orders / all_orders) / (1 − confidence)",
        "Brin, Motwani, Ullman, Tsur 1997, Dynamic itemset counting",
    ),
    # products to recommend
    "rule": Metric(
        "Rule",
        "What gave this row: `bought_together`, `similar`, `for_customer`, `buy_again` or `popular` (a fallback too).",
        "`type`, or popular",
    ),
    "score": Metric(
        "Score",
        "How strongly the rule recommends it; scores of different rules cannot be compared.",
        "bought_together: orders with both / orders with the asked; similar, for_customer: Σ cosines, each customers "
        "of both / √(customers of one × customers of the other); popular: orders with it / orders; buy_again: own "
        "orders with it; to 6 decimals",
        "Linden, Smith, York 2003, Amazon.com recommendations: item-to-item collaborative filtering",
    ),
    "together": Metric(
        "Together",
        "How many customers or orders the score rests on.",
        "count of those with this product and an asked one; popular: orders; buy_again: own orders",
    ),
    "because": Metric(
        "Because",
        "Which of the asked products, or of those the customer bought, is nearest to this one, by id.",
        "largest cosine; of equal ones the lowest id",
    ),
    # products one by one
    "brand": Metric("Brand", "The product's brand.", "as uploaded"),
    "product_kind": Metric("Kind", "Whether the product is goods, or a fee of some kind.", "as uploaded"),
    "list_price": Metric("List price", "The product's price in the catalogue, in its own currency.", "as uploaded"),
    "first_sold": Metric("First sold", "The day of the first order of the range that holds it.", "date"),
    "last_sold": Metric("Last sold", "The day of the last order of the range that holds it.", "date"),
    "top_customers": Metric(
        "Top customers",
        "How many customers, largest first, make up 80 % of what known customers spent on it.",
        "count while Σ before < 80 % of Σ net sales of the product, of positive values",
    ),
    "price_points": Metric(
        "Price points",
        "The prices it was sold at, with units, orders, first and last day; the 20 with most units, cheapest first.",
        "unit_price = gross sales of a line / its quantity, to 4 decimals",
    ),
    "bought_together": Metric(
        "Bought together",
        "The five products that most orders with this one hold too, above chance, with `orders` and `confidence`.",
        "confidence = orders with both / orders with this one; lift > 1, orders ≥ 3",
    ),
    # events
    "step": Metric("Step", "The number of the step; the first one is 1.", "position among `step`"),
    "event": Metric("Event", "What the step is, as it was asked for.", "as asked"),
    "entities": Metric(
        "Entities",
        "Customers or sessions (by `entity`) that did this step and all before it; each counts once.",
        "count of distinct customer_id or session_id",
    ),
    "step_rate": Metric(
        "Step rate",
        "Who went on from the step before; null at the first step.",
        "entities / entities of the step before",
    ),
    "total_rate": Metric(
        "Total rate", "Who came this far of those who began.", "entities / entities of step 1, to 6 decimals"
    ),
    "median_step_seconds": Metric(
        "Median time from the step before",
        "Half of those who did this step took no longer since the step before; null at the first step.",
        "median of the time since the step before, in seconds",
    ),
    "median_total_seconds": Metric(
        "Median time from the beginning",
        "Half of those who did this step took no longer since their attempt began; null at the first step.",
        "median of the time since the first event of the attempt, in seconds",
    ),
    "tried": Metric(
        "Tried",
        "Customers or sessions (by `entity`) that had a first event in the period; each counts once.",
        "count of distinct customer_id or session_id",
    ),
    "converted": Metric(
        "Converted",
        "Those that reached the goal: of who tried, inside the window; of sessions, in the session.",
        "count with a `goal` event",
    ),
    "conversion_rate": Metric(
        "Conversion rate",
        "The share that reached the goal; null where nobody tried.",
        "converted / tried, or converted / sessions, to 6 decimals",
    ),
    "settled": Metric(
        "Settled",
        "Whether the period and the window after it were over when the snapshot was committed.",
        "end of period + window ≤ committed_at",
    ),
    "sessions": Metric("Sessions", "Visits that began in the period.", "count of sessions"),
    "events": Metric("Events", "What happened in these sessions.", "count of events"),
    "events_per_session": Metric(
        "Events per session", "The mean; null without sessions.", "events / sessions, to 4 decimals"
    ),
    "mean_session_seconds": Metric(
        "Mean session length", "In seconds; a bounce takes none.", "Σ (last event − first event) / sessions"
    ),
    "median_session_seconds": Metric(
        "Median session length", "Half of the sessions took no longer.", "median of (last event − first event)"
    ),
    "bounces": Metric("Bounces", "Sessions of a single event.", "count of sessions with one event"),
    "bounce_rate": Metric(
        "Bounce rate", "The share of sessions of a single event; null without sessions.", "bounces / sessions"
    ),
    # operations
    "dataset": Metric(
        "Dataset", "Which dataset the rows are of; for a file that could not be read, as it was sent.", "name"
    ),
    "column_name": Metric("Column", "Which column, with `by=column`; else null. `(row)`: rules about rows.", "name"),
    "uploads": Metric("Uploads", "Files and edits that brought rows, or could not be read.", "count of uploads"),
    "held_uploads": Metric("Held uploads", "Those that were put aside as a whole.", "count with status `held`"),
    "received": Metric("Received", "Rows that were brought.", "accepted + held + duplicate"),
    "valid": Metric("Valid", "Rows that break no rule; by column, no rule about it.", "received − invalid rows"),
    "accepted": Metric("Accepted", "Rows that changed the lake.", "received − held − duplicate"),
    "held": Metric("Held", "Rows put aside: they break a rule, or their upload was held.", "count of held rows"),
    "duplicate": Metric(
        "Duplicate", "Rows that were there already, or twice in their file.", "count of rows that change nothing"
    ),
    "missing": Metric("Missing", "Values that are not there in valid rows.", "count of null values"),
    "validity": Metric("Validity", "The share of rows that break no rule; null without rows.", "valid / received"),
    "completeness": Metric(
        "Completeness",
        "The share of values that are there; null without valid rows.",
        "1 − missing / (valid rows × columns), to 6 decimals",
    ),
    "missing_references": Metric(
        "Missing references",
        "Accepted rows that named a row which was in no table yet; with `by=column`, of the dataset.",
        "count over all columns that refer to another dataset",
    ),
    "newest_at": Metric("Newest", "The newest time that the loaded rows tell, until then.", "max of the time column"),
    "age_seconds": Metric(
        "Age",
        "How old the newest row was at the end of the period, or of the snapshot.",
        "min(end of period, to, committed_at) − newest_at",
    ),
    # heatmap and returns
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
"""By column; with ``compare``, ``<metric>_previous`` is that of the earlier time and ``<metric>_change`` the ratio."""

METRICS = (
    "gross_sales", "discounts", "returns", "adjustments", "net_sales", "tax", "shipping", "total_sales",
    "orders", "customers", "units", "returned_units", "aov",
)  # fmt: skip
"""What sales questions measure, and `compare` compares."""
