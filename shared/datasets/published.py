"""A question that a tenant publishes: SQL over its own datasets, with typed parameters; a value that runs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from shared.errors import InvalidParameterError

ParameterType = Literal["text", "integer", "decimal", "boolean", "date", "timestamp", "text_list"]

SQL_TYPES: dict[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "decimal": "DECIMAL(18,4)",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "text_list": "VARCHAR[]",
}

QUESTION_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\Z")
MAX_NAME = 63
PREFIX = "my/"
"""Published questions are asked under this path, so that none has the name of a built-in one, now or later."""

RESERVED = frozenset({"snapshot", "as_of", "format", "numbers", "limit", "cursor", "dry_run"})
"""What every question takes beside its own parameters."""

COMMITTED_AT = "committed_at"
"""As the default of a date or a timestamp: when the snapshot was committed, so that `now` is the same for good."""

MAX_TEXT = 1_000
MAX_LIST = 1_000
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Value = bool | int | Text | Annotated[list[Text], Field(max_length=MAX_LIST)]
"""How a value is written in JSON; decimals, dates and times as text."""


class Parameter(BaseModel):
    """One ``$name`` of the SQL. Without a default, and not required, it is NULL when it is not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str,
        Field(
            description="As it stands in the SQL after the $.", json_schema_extra={"pattern": "^[a-z][a-z0-9_]{0,62}$"}
        ),
    ]
    type: ParameterType = "text"
    description: Annotated[str, Field(max_length=1_000)] = ""
    required: bool = False
    default: Annotated[
        str | list[str] | int | bool | None, Field(description="Written like a value in the address.")
    ] = None
    allowed: Annotated[tuple[Text, ...], Field(max_length=100, description="The only texts allowed.")] = ()
    minimum: Decimal | None = None
    maximum: Decimal | None = None

    @field_validator("name")
    @classmethod
    def _a_plain_name(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
            raise ValueError("a parameter's name begins with a letter and has a-z, 0-9 and _, at most 63")
        if name in RESERVED:
            raise ValueError(f"every question has {name} already; use another name")
        return name

    @model_validator(mode="after")
    def _rules_that_fit(self) -> Self:
        if self.allowed and self.type not in ("text", "text_list"):
            raise ValueError("allowed goes with text and text_list")
        if (self.minimum is not None or self.maximum is not None) and self.type not in ("integer", "decimal"):
            raise ValueError("minimum and maximum go with integer and decimal")
        if self.required and self.default is not None:
            raise ValueError("a parameter with a default is not required")
        if self.default is not None and not self.is_now:
            try:
                TypeAdapter(_kind(self)).validate_python(self.default)
            except ValidationError as error:
                raise ValueError(f"default: {error.errors()[0]['msg']}") from None
        return self

    @property
    def is_now(self) -> bool:
        """Its default is when the snapshot was committed."""
        return self.type in ("date", "timestamp") and self.default == COMMITTED_AT


class Definition(BaseModel):
    """What a tenant says of its question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=10_000, description="What the numbers mean; Markdown.")] = ""
    sql: Annotated[str, Field(min_length=1, max_length=32_768, description="One SELECT over the datasets.")]
    parameters: Annotated[tuple[Parameter, ...], Field(max_length=30)] = ()
    example: Annotated[dict[str, Value], Field(description="Values it is tried with when it is published.")] = {}

    @model_validator(mode="after")
    def _parameters_once(self) -> Self:
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError("two parameters have the same name")
        return self

    def types(self) -> dict[str, str]:
        """The SQL type of each parameter."""
        return {parameter.name: SQL_TYPES[parameter.type] for parameter in self.parameters}

    def fields(self) -> dict[str, Any]:
        """Its parameters as fields of a Pydantic class. They have names of their own, and the parameters' as aliases:
        a parameter may be called like something every question has."""
        return {field_of(parameter.name): _field(parameter) for parameter in self.parameters}


def field_of(name: str) -> str:
    """The field of a parameter."""
    return f"value_of_{name}"


def _field(parameter: Parameter) -> tuple[Any, Any]:
    kind = _kind(parameter)
    told: dict[str, Any] = {"alias": parameter.name, "description": parameter.description}
    if parameter.required:
        return kind, Field(**told)
    if parameter.default is None or parameter.is_now:
        return kind | None, Field(None, **told)
    return kind, Field(parameter.default, validate_default=True, **told)


def _kind(parameter: Parameter) -> Any:
    """The Python type of its values, with their rules."""
    kind: Any = _KINDS[parameter.type]
    if parameter.allowed:
        # Literal takes its values as a subscript.
        one = Literal[parameter.allowed]  # type: ignore[name-defined]  # made while it runs
        kind = one if parameter.type == "text" else Annotated[tuple[one, ...], Field(max_length=MAX_LIST)]
    if parameter.minimum is not None:
        kind = Annotated[kind, Field(ge=_bound(parameter, parameter.minimum))]
    if parameter.maximum is not None:
        kind = Annotated[kind, Field(le=_bound(parameter, parameter.maximum))]
    return kind


def _bound(parameter: Parameter, value: Decimal) -> int | Decimal:
    return int(value) if parameter.type == "integer" and value == int(value) else value


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a text may not hold a NUL")
    return text


_Text = Annotated[Text, AfterValidator(_no_nul)]
_KINDS: Mapping[str, Any] = {
    "text": _Text,
    "integer": Annotated[int, Field(ge=-(2**63), le=2**63 - 1)],
    "decimal": Annotated[Decimal, Field(max_digits=18, decimal_places=4)],
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
    "text_list": Annotated[tuple[_Text, ...], Field(max_length=MAX_LIST)],
}


def checked_name(name: str) -> str:
    """The name of a question. Raises InvalidParameterError."""
    if len(name) > MAX_NAME or not QUESTION_NAME.match(name):
        raise InvalidParameterError(f"name: a-z and 0-9 in words joined by -, at most {MAX_NAME}, as in late-orders")
    return name


def definition_from(document: Any) -> Definition:
    """A definition from JSON data. Raises InvalidParameterError."""
    try:
        return Definition.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "definition"
        raise InvalidParameterError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error
