# Generated from pkgdb/_async/executor.py by tools/unasync.py: do not edit.
"""Running calls: in a transaction of the caller, or in transactions of our own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import IsolationLevel, Transaction
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from pkgdb._call import Call
from pkgdb.errors import (
    DRIVER_ERRORS,
    OVERTAKEN,
    VERDICTS,
    ConnectionFailed,
    Deadlock,
    OutcomeUnknown,
    PkgdbError,
    SerializationFailure,
    translate,
)
from pkgdb.retry import RetryPolicy

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool
    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

Row = dict[str, Any]
PgConnection = psycopg.Connection[Any]


class Executor(Protocol):
    """What a registry runs its calls on."""

    def fetch(self, call: Call) -> list[Row]: ...

    def transaction(self) -> AbstractContextManager[Executor]: ...

    def close(self) -> None: ...


class Joined:
    """Runs calls in the transaction of a psycopg connection that belongs to someone else."""

    def __init__(self, connection: PgConnection) -> None:
        self._connection = connection

    def fetch(self, call: Call) -> list[Row]:
        try:
            return fetch(self._connection, call)
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        with transaction(self._connection):
            yield self

    def close(self) -> None:
        """The connection is not ours to close."""


class SQLAlchemy:
    """Runs calls in the transaction of a SQLAlchemy connection or session."""

    def __init__(self, target: Connection | Session) -> None:
        self._target = target

    def fetch(self, call: Call) -> list[Row]:
        # Through SQLAlchemy and not on the driver's connection below it, so that SQLAlchemy knows
        # that a transaction has begun and commits it when it is told to.
        target = self._target
        try:
            if not hasattr(target, "exec_driver_sql"):  # a session
                target = target.connection()
            result = target.exec_driver_sql(call.sql, call.arguments)
            return [dict(row) for row in result.mappings()]
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        with self._target.begin_nested():
            yield self

    def close(self) -> None:
        """The connection or session is not ours to close."""


class Source(Protocol):
    """Lends connections that are in no transaction, and gets them back."""

    def connection(self) -> AbstractContextManager[PgConnection]: ...

    def close(self) -> None: ...


class Single:
    """One connection, opened again when it was lost. Who wants it waits for its turn."""

    def __init__(self, dsn: str, options: dict[str, Any]) -> None:
        self._dsn = dsn
        self._options = options
        self._connection: PgConnection | None = None
        self._closed = False
        self._turn = threading.Lock()
        self._holder: object = None

    @contextmanager
    def connection(self) -> Iterator[PgConnection]:
        me = threading.current_thread()
        if self._holder is me:
            raise RuntimeError("inside transaction() use the registry that it gave")
        with self._turn:
            self._holder = me
            try:
                connection = self._opened()
                try:
                    yield connection
                finally:
                    if connection.info.transaction_status is not TransactionStatus.IDLE:
                        connection.close()
            finally:
                self._holder = None

    def _opened(self) -> PgConnection:
        if self._closed:
            raise RuntimeError("this registry has been closed")
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.Connection.connect(
                self._dsn, autocommit=True, **self._options
            )
            self._connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
        return self._connection

    def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()


class Pooled:
    """The connections of a pool that belongs to someone else."""

    def __init__(self, pool: ConnectionPool[Any]) -> None:
        self._pool = pool

    def connection(self) -> AbstractContextManager[PgConnection]:
        return self._pool.connection()

    def close(self) -> None:
        """The pool is not ours to close."""


class Owning:
    """Runs each call in a transaction of its own, and again where that is safe and useful."""

    def __init__(self, source: Source, retry: RetryPolicy) -> None:
        self._source = source
        self._retry = retry

    def fetch(self, call: Call) -> list[Row]:
        lost = unknown = False
        for attempt in count(1):
            connected = sent = committing = False
            try:
                with self._source.connection() as connection:
                    connected = True
                    with transaction(connection):
                        read_committed(connection)
                        sent = True
                        rows = fetch(connection, call)
                        committing = True
                return rows
            except DRIVER_ERRORS as exc:
                error = translate(exc)
                again = (
                    isinstance(error, Deadlock | SerializationFailure)
                    or error.sqlstate in OVERTAKEN
                )
                if isinstance(error, ConnectionFailed):
                    # A connection that had died unnoticed is replaced. A call that was sent is
                    # sent once more: always, where the commit was not sent, for then nothing has
                    # happened; else only if the second run repeats the first one's answer.
                    unknown = unknown or (committing and not call.lookup)
                    again = connected and (not sent or (not lost and (call.keyed or not unknown)))
                    lost = lost or sent
                elif error.sqlstate in VERDICTS:
                    # Had the lost run been committed, this would have been its answer instead.
                    unknown = False
                if not again or attempt >= self._retry.attempts:
                    raise (outcome_unknown(error) if unknown else error) from exc
            time.sleep(self._retry.pause(attempt))
        raise AssertionError("unreachable")

    @contextmanager
    def transaction(self) -> Iterator[Executor]:
        inside = committing = False
        try:
            with self._source.connection() as connection, transaction(connection):
                read_committed(connection)
                inside = True
                yield Joined(connection)
                inside, committing = False, True
        except DRIVER_ERRORS as exc:
            if inside:  # the caller's own
                raise
            error = translate(exc)
            if committing and isinstance(error, ConnectionFailed):
                error = outcome_unknown(error)
            raise error from exc

    def close(self) -> None:
        self._source.close()


def executor_on(connection: object, retry: RetryPolicy) -> Executor:
    """The executor for whatever a caller has to run on."""
    if isinstance(connection, psycopg.Connection):
        return Joined(connection)
    # What is imported here may not be installed, unless there is an object of it.
    if hasattr(connection, "getconn"):
        from psycopg_pool import ConnectionPool

        if isinstance(connection, ConnectionPool):
            return Owning(Pooled(connection), retry)
    if hasattr(connection, "begin_nested"):
        from sqlalchemy import Connection
        from sqlalchemy.orm import Session

        if isinstance(connection, Connection | Session):
            return SQLAlchemy(connection)
    raise TypeError(f"cannot run on a {type(connection).__qualname__}")


def fetch(connection: PgConnection, call: Call) -> list[Row]:
    # A cursor class of its own: the connection's default may take other placeholders.
    with psycopg.Cursor(connection, row_factory=dict_row) as cursor:
        cursor.execute(call.sql.encode(), call.arguments)
        return cursor.fetchall()


def read_committed(connection: PgConnection) -> None:
    """The functions lock and then read, which needs a new snapshot for each statement."""
    if connection.isolation_level is not IsolationLevel.READ_COMMITTED:
        connection.execute("set transaction isolation level read committed")


@contextmanager
def transaction(connection: PgConnection) -> Iterator[None]:
    """psycopg's transaction block, but it never ends well without having been committed.

    The server answers COMMIT with a silent ROLLBACK where an error was caught inside the block,
    and psycopg skips it on a connection that has died.
    """
    with connection.transaction() as block:
        yield
        if connection.info.transaction_status is TransactionStatus.INERROR:
            raise PkgdbError(
                "the transaction was rolled back: a call in it had failed",
                sqlstate="25P02",
                hint="To go on after an error, make the call inside a nested transaction().",
            )
    if block.status is Transaction.Status.FAILED:
        raise ConnectionFailed("the connection was lost: the transaction was rolled back")


def outcome_unknown(error: PkgdbError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the connection was lost while committing: {error.message}",
        sqlstate=error.sqlstate,
        detail="The call may or may not have taken effect.",
        hint="Repeat it; with a request_key it is repeated for you.",
    )
