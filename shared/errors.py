"""Everything that can go wrong, in five kinds; a kind says what the caller must do.

HTTP reads a kind as a status, the event edge as *again* (raise, so the cloud delivers the event once more) or *hold*
(record it and return). Each error below is a subclass of exactly one kind and has a stable ``code``; docs/errors.md
lists them all, and a spec compares the two.
"""

from __future__ import annotations

from typing import ClassVar


class AppError(Exception):
    """Root of all errors that a user may read. The message is safe to show: no path, key, credential or stack."""

    code: ClassVar[str] = "app_error"
    status: ClassVar[int] = 500
    again: ClassVar[bool] = False

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InputError(AppError):
    """The caller must change something."""

    code = "invalid_input"
    status = 400


class NotFoundError(AppError):
    """What was asked for does not exist, or is not the caller's."""

    code = "not_found"
    status = 404


class ConflictError(AppError):
    """Somebody else committed first; the same request may succeed now."""

    code = "conflict"
    status = 409
    again = True


class LimitError(AppError):
    """Valid, but more than we serve."""

    code = "limit_exceeded"
    status = 422


class UnavailableError(AppError):
    """A store, catalog or engine is silent; the same request may succeed later."""

    code = "unavailable"
    status = 503
    again = True


# --- credentials -----------------------------------------------------------------------------------------------------


class UnauthenticatedError(InputError):
    """No credential, or one we do not know. Says nothing about which."""

    code = "unauthenticated"
    status = 401


class ForbiddenError(InputError):
    """A known credential without the scope this request needs."""

    code = "forbidden"
    status = 403


class RulesDoNotFitError(InputError):
    """The rules of a credential name a dataset or column that is not in the snapshot; nothing is shown until it is."""

    code = "rules_do_not_fit"
    status = 403


class RulesNotKeptError(InputError):
    """This address shows the lake as a whole, and a credential with rules sees a part of it."""

    code = "rules_not_kept"
    status = 403


# --- limits ----------------------------------------------------------------------------------------------------------


class TooManyRequestsError(LimitError):
    """More requests a second than the key or its tenant may send; `Retry-After` says when one may come again."""

    code = "too_many_requests"
    status = 429


class TooManyAtOnceError(LimitError):
    """More requests at once than the key or its tenant may have answered; the next may come when one of them ends."""

    code = "too_many_at_once"
    status = 429


class QueryTooLargeError(LimitError):
    """The question would read more bytes than one question of this key may; `dry_run` tells how many it would."""

    code = "query_too_large"


class DayUsedUpError(LimitError):
    """The questions of the tenant have read as many bytes today as they may in a day (UTC)."""

    code = "day_used_up"
    status = 429


class AnswerTooLargeError(LimitError):
    """The answer has more bytes than one answer to this key may."""

    code = "answer_too_large"


class StorageFullError(LimitError):
    """The lake has as many bytes as it may; nothing more is brought in until some are gone or the limit is raised."""

    code = "storage_full"
    status = 409


# --- stores and the catalog ------------------------------------------------------------------------------------------


class ObjectNotFoundError(NotFoundError):
    """No object under that key (or no such version of it)."""

    code = "object_not_found"


class PreconditionFailedError(ConflictError):
    """A conditional put or delete met another version than expected. Nothing was written by this call."""

    code = "precondition_failed"


class StoreUnavailableError(UnavailableError):
    """The store did not answer, or its answer to a put is unknown: the caller must look before it repeats."""

    code = "store_unavailable"


class StoreNotConditionalError(UnavailableError):
    """The store ignores conditional headers; committing to it could lose data, so we do not."""

    code = "store_not_conditional"


class StoreForbiddenError(UnavailableError):
    """The store refused our credentials. Again, because a role can be repaired without losing the upload."""

    code = "store_forbidden"


class CatalogContendedError(ConflictError):
    """The catalog changed under every attempt we made."""

    code = "catalog_contended"


class CatalogLostError(UnavailableError):
    """The lake has data but no catalog; `teal doctor` and a restore can bring it back."""

    code = "catalog_lost"


class SnapshotNotFoundError(NotFoundError):
    """No such snapshot, or it has expired."""

    code = "snapshot_not_found"


class EngineUnavailableError(UnavailableError):
    """The engine failed for a reason that is not the caller's."""

    code = "engine_unavailable"


# --- datasets, contracts, uploads ------------------------------------------------------------------------------------


class UnknownDatasetError(NotFoundError):
    """No dataset of that name."""

    code = "unknown_dataset"


class UnknownUploadError(NotFoundError):
    """No upload of that id."""

    code = "unknown_upload"


class UnknownRowError(NotFoundError):
    """No row with that key."""

    code = "unknown_row"


class UnknownCustomerError(NotFoundError):
    """Neither the lake nor its held rows know a customer of that id."""

    code = "unknown_customer"


class UnknownEventError(InputError):
    """A message that no cloud we know sends. Raised at the edge, so that it ends in the dead-letter queue."""

    code = "unknown_event"


class UnreadableFileError(InputError):
    """The bytes are not a table we can read. The message says where and why."""

    code = "unreadable"


class EmptyFileError(InputError):
    """The file has no bytes, no header or no rows."""

    code = "empty_file"


class UnknownColumnsError(InputError):
    """The header fits no contract and no known source."""

    code = "unknown_columns"


class ContractError(InputError):
    """A contract is not well-formed, or a file breaks it as a whole (a changed type, a missing required column)."""

    code = "contract"


class AmbiguousDatesError(InputError):
    """Every date could be read day first or month first."""

    code = "ambiguous_dates"


class AmountTooLargeError(InputError):
    """What an order comes to does not fit into DECIMAL(18, 4)."""

    code = "amount_too_large"


class TooManyHeldError(InputError):
    """More rows were held than the contract accepts, so the whole upload is."""

    code = "too_many_held"


class UploadTooLargeError(LimitError):
    """Larger than the size this installation accepts."""

    code = "upload_too_large"


# --- questions and answers -------------------------------------------------------------------------------------------


class UnknownQuestionError(NotFoundError):
    """No question of that name."""

    code = "unknown_question"


class InvalidParameterError(InputError):
    """A parameter is missing, unknown, or has a value that its question does not take."""

    code = "invalid_parameter"
    status = 422


class InvalidTimezoneError(InvalidParameterError):
    """Not an IANA time zone."""

    code = "invalid_timezone"


class MixedCurrenciesError(InputError):
    """The range holds several currencies; say which one, or convert."""

    code = "mixed_currencies"


class MissingRateError(InputError):
    """Converting needs an exchange rate that the rates dataset does not hold."""

    code = "missing_rate"


class ModelMissingError(NotFoundError):
    """Nothing was fitted to the lake yet, or not by the snapshot that is asked for."""

    code = "model_missing"


class ModelRefusedError(LimitError):
    """There is too little data for a model, or it does worse than a naive forecast."""

    code = "model_refused"


class InvalidCursorError(InputError):
    """The cursor was not made by us, or for another question."""

    code = "invalid_cursor"


class PageTooLargeError(LimitError):
    """`limit` is above the largest page."""

    code = "page_too_large"


# --- HTTP and the rows behind it -------------------------------------------------------------------------------------


class MethodNotAllowedError(InputError):
    """The route exists, but not with this method."""

    code = "method_not_allowed"
    status = 405


class MalformedJsonError(InputError):
    """The body is not JSON."""

    code = "malformed_json"


class CallerGoneError(InputError):
    """The caller went away before there was an answer, and what was done for it was stopped. Only the log has it."""

    code = "caller_gone"
    status = 499


class UnsupportedMediaTypeError(InputError):
    """The body's Content-Type is not one this route reads."""

    code = "unsupported_media_type"
    status = 415


class BodyTooLargeError(LimitError):
    """The request's body is larger than this route reads; a file of any size goes through a signed URL."""

    code = "body_too_large"
    status = 413


class UnknownColumnError(InvalidParameterError):
    """The dataset has no column of that name; the message names the nearest one."""

    code = "unknown_column"


class RowHeldError(InputError):
    """The row breaks a rule of its contract; `errors` says which column, rule and value."""

    code = "row_held"
    status = 422


class RowChangedError(ConflictError):
    """The row is not the one that `If-Match` names, or is there already despite `If-None-Match`."""

    code = "row_changed"
    status = 412
    again = False


class UploadHeldError(InputError):
    """The file was received and held as a whole; `reason_code` says why, and it can be corrected or replayed."""

    code = "upload_held"
    status = 422


class NothingToReplayError(InputError):
    """The upload is in the lake already, so that there is nothing to replay."""

    code = "nothing_to_replay"
    status = 409


class CommandRefusedError(InputError):
    """A replay, a contract or a rollback was received and refused; the message says why."""

    code = "command_refused"
    status = 422


class InvalidKeyRequestError(InputError):
    """A key cannot be made like that: an unknown scope, a bad tenant name, an expiry in the past."""

    code = "invalid_key_request"
