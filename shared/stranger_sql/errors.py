"""What can be wrong with a stranger's SQL, and what may be told of it: no path, address, setting or stack."""

from __future__ import annotations

from collections.abc import Mapping

from shared.errors import AppError, EngineUnavailableError, InputError, LimitError, UnavailableError


class InvalidSqlError(InputError):
    """The SQL has a mistake: its syntax, a name that is not there, or types that do not go together."""

    code = "invalid_sql"
    status = 422


class RefusedSqlError(InputError):
    """The SQL does something that is not allowed here; the message says what, and what is allowed instead."""

    code = "refused_sql"
    status = 422


class FailedSqlError(InputError):
    """The SQL ran into a value it cannot take: a cast, a division, a number out of its range."""

    code = "failed_sql"
    status = 422


class SqlTookTooLongError(LimitError):
    """The SQL did not end in the time it has, and was stopped."""

    code = "sql_took_too_long"


class SqlNeedsTooMuchError(LimitError):
    """The SQL needs more memory, or its answer more bytes, than one answer may have."""

    code = "sql_needs_too_much"


class CrashedSqlError(InputError):
    """The engine that ran the SQL broke on it; it is not run there again, and asking again will not help."""

    code = "sql_crashed"
    status = 422


class SqlBusyError(UnavailableError):
    """All cells are taken by other SQL, or by as much of the tenant's own as may run at once."""

    code = "sql_busy"
    status = 429


OF_CODE: dict[str, type[AppError]] = {
    one.code: one
    for one in (
        InvalidSqlError, RefusedSqlError, FailedSqlError, SqlTookTooLongError, SqlNeedsTooMuchError,
        CrashedSqlError, EngineUnavailableError,
    )
}  # fmt: skip
"""What a cell may say that went wrong."""

_MISTAKES = frozenset({"ParserException", "BinderException", "CatalogException", "SyntaxException"})
_FAILURES = frozenset({"ConversionException", "OutOfRangeException", "TypeMismatchException"})
_OUTAGES = frozenset({"IOException", "HTTPException", "PermissionException", "ConnectionException", "OSError"})
CRASHED = "The engine broke on this SQL."
MAX_MESSAGE = 400


def told_error(kind: str, message: str, place: Mapping[str, int] | None = None) -> AppError:
    """What the one who asked may know of an engine's error: its class by name, its text, and where that points to.

    Text passes only for mistakes in the SQL itself and for values of the asker's own data; all else is told in fixed
    words, since it may hold paths, addresses or settings.
    """
    if kind in _MISTAKES:
        return InvalidSqlError(message[:MAX_MESSAGE], **(place or {}))
    if kind in _FAILURES:
        return FailedSqlError(message[:MAX_MESSAGE], **(place or {}))
    if kind == "InterruptException":
        return SqlTookTooLongError("This did not end in the time a question has. Ask for less.")
    if kind in ("OutOfMemoryException", "MemoryError"):
        return SqlNeedsTooMuchError("This needs more memory than a question has. Ask for less.")
    if kind in ("InvalidInputException", "NotImplementedException", "SequenceException"):
        return FailedSqlError("The engine cannot compute this.")
    if kind in _OUTAGES:
        return EngineUnavailableError("The engine could not finish; asking again may help.")
    return CrashedSqlError(CRASHED)


KEEPS_CELL = (InvalidSqlError, RefusedSqlError, FailedSqlError)
"""Errors after which a cell is as good as before; after any other it is ended."""
