"""What the bodies about keys and tenants have in common: rules and limits as documents, checked by their own values."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.datasets.rules import MAX_TEXT, DataRules
from shared.keys import SCOPES
from shared.limits import SLOWEST_PER_SECOND, Limits
from shared.values import LARGEST_WHOLE, NAME


def pattern_of(expression: re.Pattern[str]) -> str:
    """The pattern of a whole text, as JSON Schema writes it."""
    return "^" + expression.pattern.removesuffix(r"\Z") + "$"


_NAME = {"pattern": pattern_of(NAME)}
_RULES: dict[str, Any] = {
    "properties": {
        "rows": {
            "type": "object",
            "propertyNames": _NAME,
            "additionalProperties": {
                "type": "object",
                "propertyNames": _NAME,
                "additionalProperties": {"type": "string", "maxLength": MAX_TEXT},
            },
        },
        "masked": {
            "type": "object",
            "propertyNames": _NAME,
            "additionalProperties": {"type": "array", "items": {"type": "string", **_NAME}},
        },
    },
    "additionalProperties": False,
}
LIMITS: dict[str, Any] = {
    "properties": {
        one.name: {
            "type": "number" if one.name == "requests_per_second" else "integer",
            "minimum": SLOWEST_PER_SECOND if one.name == "requests_per_second" else 1,
            "maximum": LARGEST_WHOLE,
        }
        for one in fields(Limits)
    },
    "additionalProperties": False,
}
"""For the document: what the values themselves refuse."""


class Strict(BaseModel):
    """A body whose unknown fields are an error: a misspelt limit would silently be no limit."""

    model_config = ConfigDict(extra="forbid")


class WithLimits(Strict):
    """A body with limits."""

    limits: dict[str, Any] = Field(
        default_factory=dict,
        description="requests_per_second, concurrent_requests, page_rows, query_bytes, day_bytes, answer_bytes, "
        "upload_bytes, stored_bytes: positive numbers; what is left out is left to whoever is next.",
        json_schema_extra=LIMITS,
    )

    def as_limits(self) -> Limits:
        """Raises InvalidKeyRequestError."""
        return Limits.from_document(self.limits)


class NewKeyBody(WithLimits):
    """A key to make."""

    scopes: list[str] = Field(
        ...,
        min_length=1,
        max_length=4,
        description="What it may do.",
        json_schema_extra={"items": {"type": "string", "enum": list(SCOPES)}},
    )
    label: str = Field("", max_length=200, description="What it is for.")
    expires_at: datetime | None = Field(None, description="ISO 8601; UTC when it has no offset. Without it, never.")
    rules: dict[str, Any] = Field(
        default_factory=dict,
        description='Which rows and columns it sees: {"rows": {"orders": {"country": "DE"}}, '
        '"masked": {"customers": ["name"]}}; then its scopes are read and sql.',
        json_schema_extra=_RULES,
    )

    def as_rules(self) -> DataRules:
        """Raises InvalidKeyRequestError."""
        return DataRules.from_document(self.rules)

    @property
    def ends_at(self) -> datetime | None:
        """When it expires, in a zone."""
        told = self.expires_at
        return told.replace(tzinfo=UTC) if told is not None and told.tzinfo is None else told
