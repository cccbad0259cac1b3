"""What the shapes of JSON answers have in common: shapes for the OpenAPI document, by which no route checks its answer.

The rule of the folder: imported when the document is made, and not by who only answers. A member that may be left out
is NotRequired, one that may be null says so, and ``*_at`` are instants in UTC.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

OPEN = ConfigDict(extra="allow")
"""Of what may say more than its shape does."""

Count = Annotated[int, Field(ge=0)]
Row = dict[str, Any]
"""Values by column; exact decimals are strings unless `numbers=number` asks for numbers."""
Next = Annotated[str | None, Field(description="The `cursor` of the next page; null on the last.")]
SnapshotId = Annotated[int, Field(ge=0, description="The snapshot that was looked at.")]


class RowColumn(TypedDict):
    """A column of rows; the type is DuckDB's."""

    name: str
    type: str
