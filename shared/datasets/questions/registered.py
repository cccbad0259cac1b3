"""Every question, defined by being imported: who finds questions by their names imports this first."""

from shared.datasets.question import QUESTIONS
from shared.datasets.questions import (  # noqa: F401 - defining a question registers it
    customers_cohorts,
    customers_detail,
    customers_loyalty,
    customers_new,
    customers_rfm,
    customers_value,
    events_conversion,
    events_funnel,
    events_sessions,
    insights,
    operations,
    products,
    products_affinity,
    products_detail,
    products_recommendations,
    sales,
    sales_heatmap,
    sales_returns,
    sales_series,
    usage,
)

__all__ = ["QUESTIONS"]
