"""What a dataset's columns, key and quality rules are: a value that reads TOML or JSON and decides nothing else."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from shared.values import NAME

ColumnType = Literal["text", "integer", "bigint", "decimal", "double", "boolean", "date", "timestamp", "json"]

SQL_TYPES: dict[str, str] = {
    "text": "VARCHAR",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "decimal": "DECIMAL(18,4)",
    "double": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "json": "JSON",
}

MAX_COLUMNS = 2_000
"""Of a dataset: twice those of the widest file."""

RESERVED = frozenset({"rowid", "snapshot_id", "filename", "file_row_number", "file_index"})
"""Names DuckLake keeps for itself."""


NAME_PATTERN = "^" + NAME.pattern.removesuffix(r"\Z") + "$"
"""As JSON Schema writes it, for who reads the shape of a contract; a wrong name is refused in words of ours."""


class Column(BaseModel):
    """One column: its type and the rules every value must meet. A rule that is not set does not apply."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(..., json_schema_extra={"pattern": NAME_PATTERN})
    type: ColumnType = "text"
    description: str = ""
    required: bool = Field(False, description="A missing value holds the row.")
    default: str | None = Field(None, description="Text that stands in for a missing value, read like the file's.")
    minimum: float | None = Field(None, description="Smallest value allowed (numbers only).")
    maximum: float | None = Field(None, description="Largest value allowed (numbers only).")
    pattern: str | None = Field(None, description="RE2 expression the whole text must match.")
    allowed: tuple[str, ...] = Field((), description="The only values allowed, compared after lower-casing.")
    references: str | None = Field(
        None, description="`dataset.column` that should hold this value; missing ones are counted."
    )
    aliases: tuple[str, ...] = Field((), description="Other header names that mean this column.")
    personal: bool = Field(False, description="Personal data: masked unless a key may see it.")

    @field_validator("name")
    @classmethod
    def _a_plain_name(cls, name: str) -> str:
        if not NAME.match(name) or name in RESERVED:
            raise ValueError(f"{name!r} is not a column name: use a-z, 0-9 and _, at most 63, and no reserved word")
        return name

    @field_validator("pattern")
    @classmethod
    def _a_valid_pattern(cls, pattern: str | None) -> str | None:
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return pattern

    @property
    def sql_type(self) -> str:
        """DuckDB's type of the stored column."""
        return SQL_TYPES[self.type]


class Contract(BaseModel):
    """A dataset's promise. ``version`` counts up with every change of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(..., json_schema_extra={"pattern": NAME_PATTERN})
    version: int = Field(1, ge=1)
    description: str = ""
    columns: tuple[Column, ...] = Field(..., max_length=MAX_COLUMNS)
    key: tuple[str, ...] = Field(..., min_length=1, description="The columns that identify a row.")
    time_column: str | None = Field(None, description="When a row happened: for freshness, sorting and time filters.")
    updated_column: str | None = Field(
        None, description="When a row was last changed: an older one never replaces a newer one."
    )
    sort: tuple[str, ...] = ()
    partition: tuple[str, ...] = Field((), description="DuckLake partition expressions such as `month(ordered_at)`.")
    max_held_ratio: float = Field(
        0.5, ge=0, le=1, description="Above this share of held rows the whole upload is held."
    )
    new_columns: Literal["add", "ignore", "hold"] = Field("add", description="What to do with columns not named here.")
    timezone: str | None = Field(None, description="Zone of naive times; the tenant's when not set.")
    date_order: Literal["dmy", "mdy", "ymd"] | None = Field(None, description="How to read dates like 03/04/2024.")
    null_words: tuple[str, ...] = Field(
        (), description="Texts that mean missing, such as NA; an empty cell always does."
    )
    inferred: bool = Field(False, description="Made from a file's header, not by a person.")

    @field_validator("name")
    @classmethod
    def _a_plain_name(cls, name: str) -> str:
        if not NAME.match(name):
            raise ValueError(f"{name!r} is not a dataset name: use a-z, 0-9 and _, at most 63")
        return name

    @model_validator(mode="after")
    def _columns_exist(self) -> Self:
        names = [column.name for column in self.columns]
        if len(set(names)) != len(names):
            raise ValueError("two columns have the same name")
        named = [*self.key, *self.sort, *filter(None, (self.time_column, self.updated_column))]
        if missing := [name for name in named if name not in names]:
            raise ValueError(f"not a column of {self.name}: {', '.join(missing)}")
        return self

    def column(self, name: str) -> Column | None:
        """The column of that name, or None."""
        return next((column for column in self.columns if column.name == name), None)

    def required(self) -> frozenset[str]:
        """Columns a file must have: required ones without a default, and the key's."""
        return frozenset(c.name for c in self.columns if (c.required or c.name in self.key) and c.default is None)


DELETED_COLUMN = "_deleted"
"""A file's column of this name, true in a row, deletes the row with that key."""
