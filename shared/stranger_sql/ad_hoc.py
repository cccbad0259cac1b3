"""SQL that somebody writes and asks at once: a question like any other, about the datasets of one snapshot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Self

from pydantic import Field, PrivateAttr

from shared.datasets.published import Value
from shared.datasets.question import Context, Question
from shared.stranger_sql.base import StrangerStatement
from shared.stranger_sql.tree import MAX_BYTES

MAX_PARAMETERS = 100


class SqlQuestion(Question):
    """One SELECT with the values of its ``$name`` parameters. It is never in the registry of questions."""

    is_strangers: ClassVar[bool] = True
    definition_url: ClassVar[None] = None

    sql: Annotated[str, Field(min_length=1, max_length=MAX_BYTES, description="One SELECT over the datasets.")]
    parameters: Annotated[
        dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,62}$")], Value | float | None],
        Field(
            default_factory=dict,
            max_length=MAX_PARAMETERS,
            description="The values of `$name` in it; cast them there: `$day::DATE`.",
            json_schema_extra={"additionalProperties": False},
        ),
    ]

    _hidden: Mapping[str, frozenset[str]] = PrivateAttr(default_factory=dict)
    _tables: Collection[str] = PrivateAttr(default=())

    def of(self, hidden: Mapping[str, frozenset[str]], tables: Collection[str] = ()) -> Self:
        """The same about a snapshot: the columns by dataset that come out empty for whoever may not see personal data,
        and the datasets it reads, where somebody looked."""
        found = self.model_copy()
        found._hidden, found._tables = hidden, tables
        return found

    @property
    def personal(self) -> bool:
        """See Question: any column may be asked for."""
        return True

    def statement(self, context: Context) -> StrangerStatement:
        """See Question."""
        return StrangerStatement(self.sql, self.parameters, hidden={} if context.sees_personal else self._hidden)

    def tables(self) -> tuple[str, ...]:
        """See Question."""
        return tuple(f"main.{name}" for name in sorted(self._tables))


# With a name from the start it would be among the questions of the registry.
SqlQuestion.name, SqlQuestion.title = "sql", "SQL"
