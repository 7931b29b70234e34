"""Exceptions, one per SQLSTATE that a caller would branch on. The table is `sql/errors.md`."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError

__all__ = [
    "Conflict",
    "ConnectionFailed",
    "Deadlock",
    "Forbidden",
    "Gone",
    "InUse",
    "InsufficientResources",
    "InvalidState",
    "LockTimeout",
    "MalformedArgument",
    "NotFound",
    "OutcomeUnknown",
    "PermissionDenied",
    "PkgdbError",
    "QueryCanceled",
    "ReadOnly",
    "SerializationFailure",
    "StaleRevision",
    "WrongIsolation",
]


class PkgdbError(Exception):
    """Whatever the database or its driver reported; the driver's exception is `__cause__`.

    A subclass exists for each code that a caller would branch on; any other code arrives as
    this class. `sqlstate` is None only where there was no answer from a server at all.
    """

    sqlstate: str | None
    message: str
    detail: str | None
    hint: str | None

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        detail: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [self.message if self.sqlstate is None else f"{self.sqlstate}: {self.message}"]
        if self.detail:
            lines.append(f"DETAIL: {self.detail}")
        if self.hint:
            lines.append(f"HINT: {self.hint}")
        return "\n".join(lines)


class MalformedArgument(PkgdbError):
    """RG400: a name, version, digest, file name or policy is not well formed."""


class Forbidden(PkgdbError):
    """RG403: a rule of the repository forbids it (protected or reserved name, immutable)."""


class NotFound(PkgdbError):
    """RG404: there is no such repository, registration, version or tag."""


class WrongIsolation(PkgdbError):
    """RG405: writes need READ COMMITTED; the transaction that was joined has another level."""


class Conflict(PkgdbError):
    """RG409: it exists with other content, or the name is taken."""


class Gone(PkgdbError):
    """RG410: the version was deleted and the repository's policy forbids to use it again."""


class StaleRevision(PkgdbError):
    """RG412: `if_revision` is not the revision any more."""


class InvalidState(PkgdbError):
    """RG422: the state does not allow this transition."""


class InUse(PkgdbError):
    """RG423: something that exists needs it."""


class Deadlock(PkgdbError):
    """40P01: two transactions waited for each other. Run the whole transaction again."""


class SerializationFailure(PkgdbError):
    """40001: the transaction could not be serialized. Run the whole transaction again."""


class LockTimeout(PkgdbError):
    """55P03: a lock was not to be had in time. Nothing was changed; try again later."""


class QueryCanceled(PkgdbError):
    """57014: a statement timeout, or someone cancelled the query."""


class ReadOnly(PkgdbError):
    """25006: the transaction is read only, or the server is a standby."""


class PermissionDenied(PkgdbError):
    """42501: the role may not call this function; see the roles pkgdb_reader and so on."""


class InsufficientResources(PkgdbError):
    """Class 53: the server is out of disk or memory. (No connection left: `ConnectionFailed`.)"""


class ConnectionFailed(PkgdbError):
    """There is no connection, or it was lost before the transaction was committed.

    No server answered, or it takes no more connections (libpq has no SQLSTATE for that: it is in
    the message), or a pool had none to give in time (`__cause__` is its exception).

    Where pkgdb owns the transaction, nothing was changed. On a connection of the caller the
    open transaction is lost with it (in autocommit mode the call may have taken effect).
    """


class OutcomeUnknown(ConnectionFailed):
    """The connection was lost while committing: the call may or may not have taken effect.

    Repeat it: with the same content that is a success which changes nothing. With a
    `request_key` pkgdb repeats it by itself and gets the first answer.
    """


_BY_SQLSTATE: dict[str, type[PkgdbError]] = {
    "RG400": MalformedArgument,
    "RG403": Forbidden,
    "RG404": NotFound,
    "RG405": WrongIsolation,
    "RG409": Conflict,
    "RG410": Gone,
    "RG412": StaleRevision,
    "RG422": InvalidState,
    "RG423": InUse,
    # The argument did not survive the conversion to the function's types, so the function never
    # saw it: out of range, not an encodable text, not JSON, not storable as jsonb.
    "22003": MalformedArgument,
    "22021": MalformedArgument,
    "22P02": MalformedArgument,
    "22P05": MalformedArgument,
    "25006": ReadOnly,
    "40001": SerializationFailure,
    "40P01": Deadlock,
    "42501": PermissionDenied,
    "53000": InsufficientResources,
    "53100": InsufficientResources,
    "53200": InsufficientResources,
    "53300": InsufficientResources,
    "53400": InsufficientResources,
    "55P03": LockTimeout,
    "57014": QueryCanceled,
    # The server ends the session with these.
    "08000": ConnectionFailed,
    "08003": ConnectionFailed,
    "08006": ConnectionFailed,
    "08P01": ConnectionFailed,  # pgbouncer, of a server that it cannot reach or that went away
    "25P03": ConnectionFailed,
    "57P01": ConnectionFailed,
    "57P02": ConnectionFailed,
    "57P03": ConnectionFailed,
    "57P04": ConnectionFailed,
    "57P05": ConnectionFailed,
}

OVERTAKEN = frozenset({"0A000", "42804", "42846", "42883", "XX000"})
"""What a call can end with, once, that a migration overtakes: it began with old functions, types or
plans, and met new ones. Nothing was changed, and the next call meets the new ones only."""

VERDICTS = frozenset(code for code in _BY_SQLSTATE if code.startswith("RG"))
"""The codes by which the functions themselves say no."""

DRIVER_ERRORS = (psycopg.Error, DBAPIError, UnicodeEncodeError)
"""What a call can raise before `translate` makes it a `PkgdbError`."""


def translate(exc: BaseException) -> PkgdbError:
    """The `PkgdbError` for one of `DRIVER_ERRORS`, to be raised from it."""
    origin = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    diag = getattr(origin, "diag", None)
    sqlstate = diag.sqlstate if diag is not None else None
    if diag is not None and sqlstate is not None:
        return _BY_SQLSTATE.get(sqlstate, PkgdbError)(
            diag.message_primary or str(origin),
            sqlstate=sqlstate,
            detail=diag.message_detail,
            hint=diag.message_hint,
        )
    # An internal error of the driver: it got an answer to something else, as where a proxy's last
    # words come between.
    if isinstance(origin, psycopg.OperationalError | psycopg.InternalError):
        return ConnectionFailed(str(origin))
    if isinstance(origin, psycopg.DataError | UnicodeEncodeError):
        # The driver refused to send it: a NUL character, a lone surrogate.
        return MalformedArgument(str(origin), sqlstate="RG400")
    return PkgdbError(str(origin))
