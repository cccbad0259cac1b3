"""The sales questions and what others build on: to import a question is to define it."""

from shared.datasets.questions.sales.base import FACTS, SalesQuestion
from shared.datasets.questions.sales.breakdown import SalesBreakdown
from shared.datasets.questions.sales.by import SalesBy
from shared.datasets.questions.sales.by_period import SalesByPeriod
from shared.datasets.questions.sales.summary import SalesSummary
from shared.datasets.questions.steps import STEPS

__all__ = ["FACTS", "STEPS", "SalesBreakdown", "SalesBy", "SalesByPeriod", "SalesQuestion", "SalesSummary"]
