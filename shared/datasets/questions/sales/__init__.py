"""The sales questions and what others build on: to import a question is to define it."""

from shared.datasets.questions.sales.base import FACTS, SalesQuestion
from shared.datasets.questions.sales.by import SalesBy
from shared.datasets.questions.sales.by_period import STEPS, SalesByPeriod
from shared.datasets.questions.sales.summary import SalesSummary

__all__ = ["FACTS", "STEPS", "SalesBy", "SalesByPeriod", "SalesQuestion", "SalesSummary"]
