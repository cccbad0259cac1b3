"""What a question is: a Pydantic class whose fields are the parameters and whose docstring is the documentation.

Adding one is a class in ``questions/``, its SQL, and a test with an expected answer; the route, OpenAPI, ETag, formats
and time travel follow from it.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from shared.sql.load import statement

Rows = list[tuple[Any, ...]]

Place = tuple[str | None, str | None, str | None]
"""Country, channel and currency of an amount."""

QUESTIONS: dict[str, type[Question]] = {}
"""Every question by name; a class enters when it is defined."""


@dataclass(frozen=True)
class Fit:
    """What a lake knows of a fit of a model: whether it is served, the snapshot it saw, and what it found."""

    status: str
    reason: str
    snapshot: int
    fitted_at: datetime
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Context:
    """What an answer may depend on beside the parameters and the snapshot."""

    committed_at: datetime
    timezone: str = "UTC"
    currency: str = ""
    sees_personal: bool = False
    span: tuple[datetime, datetime] | None = None
    """The first and the last instant of an order in the snapshot."""
    rollup_zone: str = ""
    """The time zone of the days of its rollups; "" when there are none, or of several."""
    places: frozenset[Place] = frozenset()
    """The country, channel and currency of these days, as they are there together; empty when they are too many."""
    tables: frozenset[str] | None = None
    """The names of the snapshot's tables; None where nobody looked."""
    rate_currencies: frozenset[str] = frozenset()
    """The currencies that have rates."""
    fits: Mapping[tuple[str, str], Fit] = field(default_factory=dict)
    """The fits of the snapshot, by model and currency."""
    customer_bytes: int = 0
    """What the rollup of customers takes in the store."""
    rows_wanted: int | None = None
    """How many rows from the first on are looked at; a statement may leave out those after them. None: all."""


@dataclass(frozen=True)
class Statement:
    """SQL with the values bound to its parameters."""

    sql: str
    values: Mapping[str, Any] = field(default_factory=dict)
    has_seen: bool = False
    """Its last column, ``_seen``, is the same in every row and no part of the answer; see ``Question.doubts``."""


@dataclass(frozen=True)
class Kept:
    """A temporary table in the memory of a connection: what many questions about a snapshot have in common.

    It is made of the rows of a statement, and made anew when it is needed of another one, or of other values.
    """

    name: str
    statement: Statement
    after: tuple[Kept, ...] = ()
    """The tables that its statement reads."""

    @property
    def made_of(self) -> str:
        """The same for the same rows of the same snapshot."""
        used = sorted(self.statement.values.items())
        return repr((self.statement.sql, used, [one.made_of for one in self.after]))


class Question(BaseModel):
    """A named, typed query. Unknown parameters are refused: a misspelt filter would silently be none."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    is_strangers: ClassVar[bool] = False
    """Its statement is not ours: it runs in a cell."""
    sql_names: ClassVar[tuple[str, ...]] = ()
    """The SQL files it is made of, shown with its definition."""
    columns: ClassVar[tuple[str, ...]] = ()
    """What it answers, each defined in ``questions/metrics.py``."""
    example: ClassVar[Mapping[str, str]] = {}
    """Parameters of the example that stands with its definition."""
    group_columns: ClassVar[tuple[str, ...]] = ()
    """What it answers beside with `group_by`."""

    @property
    def definition_url(self) -> str | None:
        """Where its definition is told."""
        return f"/v1/definitions/{self.name}"

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        # A class that only adds parameters to a question is not another question.
        if cls.__dict__.get("name"):
            QUESTIONS[cls.name] = cls
            # In the order of names, whoever was imported first.
            for name in sorted(QUESTIONS):
                QUESTIONS[name] = QUESTIONS.pop(name)

    @property
    def personal(self) -> bool:
        """The answer shows personal data to those who may see it, so it is kept apart for them."""
        return False

    @abstractmethod
    def statement(self, context: Context) -> Statement:
        """The query to run; it says its own ORDER BY. Raises InvalidParameterError."""

    @abstractmethod
    def tables(self) -> tuple[str, ...]:
        """The tables it reads, as `schema.table`: what a quote and a receipt count."""

    @classmethod
    def sql_files(cls) -> dict[str, str]:
        """The SQL it is made of, by name."""
        return {name: statement(name) for name in cls.sql_names}

    def keeps(self, context: Context) -> tuple[Kept, ...]:
        """What these parameters need in the memory of a connection, in the order in which it is made."""
        return ()

    def based_on(self, context: Context) -> dict[str, Any]:
        """What JSON says of the models that the answer rests on."""
        return {}

    def doubts(self, context: Context, seen: Any) -> list[tuple[Statement, Callable[[Rows], None]]]:
        """Whether the rows may be given, by what their statement has ``_seen``. Raises an InputError.

        Or gives statements that find out what is wrong, each with a function that raises when it looks at their rows.
        """
        return []

    def told(self, seen: Any) -> dict[str, Any]:
        """What JSON says beside the rows, by what their statement has ``_seen``."""
        return {}
