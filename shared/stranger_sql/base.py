"""What runs a stranger's SQL promises: a page of it from one snapshot, within limits, and nothing else touched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from shared.answers.encode import Format, Numbers
from shared.catalog.reader import PinnedLake
from shared.catalog.views import References
from shared.datasets.question import Statement
from shared.datasets.rules import EVERYTHING, DataRules


@dataclass(frozen=True)
class SqlLimits:
    """What one run of a stranger's SQL may take; rows are limited by the page that is asked for.

    It ``spares_core`` for other questions, where there are several: however nice it is, one that waits behind it waits
    for the kernel's next tick.
    """

    seconds: float = 10.0
    answer_bytes: int = 16 * 2**20
    memory_mb: int = 512
    temp_mb: int = 256
    threads: int = 2
    spares_core: bool = True


@dataclass(frozen=True)
class StrangerStatement(Statement):
    """A statement that is not ours: it is run by an ``SqlRunner`` and nowhere else.

    ``types`` are the SQL types of its parameters, ``hidden`` the columns, by dataset, that come out empty.
    """

    types: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)


def always() -> bool:
    """Yes."""
    return True


@dataclass(frozen=True)
class SqlRun:
    """One page of a statement on a snapshot, as a file of some format; of JSON the list of rows alone.

    It sees the rows and columns that ``rules`` let it see; ``references`` are needed for these. It is ended when it
    ``is_awaited`` no more.
    """

    tenant: str
    lake: PinnedLake
    statement: StrangerStatement
    limit: int
    offset: int = 0
    format: Format = "json"
    numbers: Numbers = "string"
    rules: DataRules = EVERYTHING
    references: References = field(default_factory=dict)
    is_awaited: Callable[[], bool] = always


@dataclass(frozen=True)
class SqlPage:
    """What came of it; ``more`` says that more rows follow, ``tables`` are the datasets that were read.

    ``repeatable`` is whether the same SQL would come to the same on this snapshot: it may ask for the time.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    tables: tuple[str, ...]
    body: bytes
    more: bool
    repeatable: bool = True


class SqlRunner(Protocol):
    """Runs SQL that somebody else wrote. The order of rows is total: the same snapshot and values give the same page
    every time."""

    def __call__(self, run: SqlRun) -> SqlPage:
        """Raises RefusedSqlError, InvalidSqlError, FailedSqlError, CrashedSqlError, SqlTookTooLongError,
        SqlNeedsTooMuchError, SqlBusyError, EngineUnavailableError, CallerGoneError."""

    def require_room(self, tenant: str) -> None:
        """Raises SqlBusyError where running something now would find no place: asked before anything is opened."""
