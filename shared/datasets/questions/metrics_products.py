"""What the columns of answers about products mean."""

from __future__ import annotations

from shared.datasets.questions.metric import Metric

_AGRAWAL = "Agrawal, Imieliński, Swami 1993, Mining association rules between sets of items in large databases"

OF_PRODUCTS: dict[str, Metric] = {
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
}
