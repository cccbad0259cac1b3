"""What a question is: a Pydantic class whose fields are the parameters and whose docstring is the documentation.

Adding one is a class in ``questions/``, its SQL, and a test with an expected answer; the route, OpenAPI, ETag, formats
and time travel follow from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

QUESTIONS: dict[str, type[Question]] = {}
"""Every question by name; a class enters when it is defined."""


@dataclass(frozen=True)
class Context:
    """What an answer may depend on beside the parameters and the snapshot."""

    committed_at: datetime
    timezone: str = "UTC"
    currency: str = ""
    sees_personal: bool = False


@dataclass(frozen=True)
class Statement:
    """SQL with the values bound to its parameters."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)


class Question(BaseModel):
    """A named, typed query. Unknown parameters are refused: a misspelt filter would silently be none."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    definition: ClassVar[str] = ""
    personal: ClassVar[bool] = False
    """The answer shows personal data to those who may see it, so it is kept apart for them."""

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if cls.name:
            QUESTIONS[cls.name] = cls

    def statement(self, context: Context) -> Statement:
        """The query to run. Raises InvalidParameterError."""
        raise NotImplementedError  # pragma: no cover - every question says its own

    def guards(self, context: Context) -> list[tuple[Statement, Any]]:
        """Statements to run first, each with a function that looks at its rows and may raise an InputError."""
        return []
