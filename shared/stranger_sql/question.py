"""A published definition as a question: the same kind of class as a built-in one, but a stranger's statement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, create_model

from shared.datasets.published import PREFIX, Definition, field_of
from shared.datasets.question import Context, Question
from shared.duck import Duck
from shared.stranger_sql.base import StrangerStatement
from shared.stranger_sql.errors import InvalidSqlError, RefusedSqlError
from shared.stranger_sql.guard import CheckedSql, SqlGuard


class PublishedQuestion(Question):
    """Asked like any question. It is never in the registry of questions, which all tenants share."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=False)

    is_strangers: ClassVar[bool] = True
    definition: ClassVar[Definition]
    checked: ClassVar[CheckedSql]
    hidden: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Columns by dataset that come out empty for whoever may not see personal data."""

    @property
    def personal(self) -> bool:
        """Its columns may be personal data, so answers with and without them are kept apart."""
        return True

    def statement(self, context: Context) -> StrangerStatement:
        """The checked SQL with its values."""
        values = {one.name: _bound(getattr(self, field_of(one.name))) for one in self.definition.parameters}
        for one in self.definition.parameters:
            if one.is_now and values[one.name] is None:
                moment = context.committed_at
                values[one.name] = moment if one.type == "timestamp" else _day(moment, context.timezone)
        return StrangerStatement(
            self.definition.sql,
            values,
            types=self.definition.types(),
            hidden={} if context.sees_personal else self.hidden,
        )

    def tables(self) -> tuple[str, ...]:
        """The datasets it reads."""
        return tuple(f"main.{name}" for name in sorted(self.checked.tables))

    @classmethod
    def sql_files(cls) -> dict[str, str]:
        """Its SQL."""
        return {cls.name: cls.definition.sql}


def checked_definition(duck: Duck, definition: Definition, tables: Collection[str]) -> CheckedSql:
    """The definition's SQL after all checks that need no data. Raises RefusedSqlError, InvalidSqlError."""
    checked = SqlGuard(duck, tables).check(definition.sql)
    declared = {parameter.name for parameter in definition.parameters}
    if missing := checked.parameters - declared:
        raise InvalidSqlError(f"${min(missing)} is in the SQL and not among the parameters.", parameter=min(missing))
    if unused := declared - checked.parameters:
        raise InvalidSqlError(f"The parameter {min(unused)} is not in the SQL: ${min(unused)}.", parameter=min(unused))
    if checked.doubts:
        first = checked.doubts[0]
        message = f"The same snapshot must always give the same answer, and {first.message}."
        raise RefusedSqlError(message, **first.place)
    return checked


def question_of(
    name: str, definition: Definition, checked: CheckedSql, hidden: Mapping[str, frozenset[str]]
) -> type[PublishedQuestion]:
    """The class of a definition that was checked; its name is under ``my/``."""
    made: type[PublishedQuestion] = create_model(
        "Published",
        __base__=PublishedQuestion,
        __doc__=definition.description or definition.title,
        **definition.fields(),
    )
    # Set when the class is there: with a name from the start it would be among the questions of all tenants.
    made.name, made.title = PREFIX + name, definition.title
    made.definition, made.checked, made.hidden = definition, checked, hidden
    made.example = {key: str(value) for key, value in definition.example.items()}
    return made


def _bound(value: Any) -> Any:
    """A value as DuckDB binds it; a time without an offset is UTC."""
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


def _day(moment: datetime, timezone: str) -> date:
    return moment.astimezone(ZoneInfo(timezone)).date()
