"""Running calls: in a transaction of the caller, or in transactions of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from psycopg import AsyncTransaction, IsolationLevel
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
    from psycopg_pool import AsyncConnectionPool
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

Row = dict[str, Any]
PgConnection = psycopg.AsyncConnection[Any]


class AsyncExecutor(Protocol):
    """What a registry runs its calls on."""

    async def fetch(self, call: Call) -> list[Row]: ...

    def transaction(self) -> AbstractAsyncContextManager[AsyncExecutor]: ...

    async def close(self) -> None: ...


class AsyncJoined:
    """Runs calls in the transaction of a psycopg connection that belongs to someone else."""

    def __init__(self, connection: PgConnection) -> None:
        self._connection = connection

    async def fetch(self, call: Call) -> list[Row]:
        try:
            return await fetch(self._connection, call)
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncExecutor]:
        async with transaction(self._connection):
            yield self

    async def close(self) -> None:
        """The connection is not ours to close."""


class AsyncSQLAlchemy:
    """Runs calls in the transaction of a SQLAlchemy connection or session."""

    def __init__(self, target: AsyncConnection | AsyncSession) -> None:
        self._target = target

    async def fetch(self, call: Call) -> list[Row]:
        # Through SQLAlchemy and not on the driver's connection below it, so that SQLAlchemy knows
        # that a transaction has begun and commits it when it is told to.
        target = self._target
        try:
            if not hasattr(target, "exec_driver_sql"):  # a session
                target = await target.connection()
            result = await target.exec_driver_sql(call.sql, call.arguments)
            return [dict(row) for row in result.mappings()]
        except DRIVER_ERRORS as exc:
            raise translate(exc) from exc

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncExecutor]:
        async with self._target.begin_nested():
            yield self

    async def close(self) -> None:
        """The connection or session is not ours to close."""


class AsyncSource(Protocol):
    """Lends connections that are in no transaction, and gets them back."""

    def connection(self) -> AbstractAsyncContextManager[PgConnection]: ...

    async def close(self) -> None: ...


class AsyncSingle:
    """One connection, opened again when it was lost. Who wants it waits for its turn."""

    def __init__(self, dsn: str, options: dict[str, Any]) -> None:
        self._dsn = dsn
        self._options = options
        self._connection: PgConnection | None = None
        self._closed = False
        self._turn = asyncio.Lock()
        self._holder: object = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PgConnection]:
        me = asyncio.current_task()
        if self._holder is me:
            raise RuntimeError("inside transaction() use the registry that it gave")
        async with self._turn:
            self._holder = me
            try:
                connection = await self._opened()
                try:
                    yield connection
                finally:
                    if connection.info.transaction_status is not TransactionStatus.IDLE:
                        await connection.close()
            finally:
                self._holder = None

    async def _opened(self) -> PgConnection:
        if self._closed:
            raise RuntimeError("this registry has been closed")
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, **self._options
            )
            await self._connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
        return self._connection

    async def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            await self._connection.close()


class AsyncPooled:
    """The connections of a pool that belongs to someone else."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self._pool = pool

    def connection(self) -> AbstractAsyncContextManager[PgConnection]:
        return self._pool.connection()

    async def close(self) -> None:
        """The pool is not ours to close."""


class AsyncOwning:
    """Runs each call in a transaction of its own, and again where that is safe and useful."""

    def __init__(self, source: AsyncSource, retry: RetryPolicy) -> None:
        self._source = source
        self._retry = retry

    async def fetch(self, call: Call) -> list[Row]:
        lost = unknown = False
        for attempt in count(1):
            connected = sent = committing = False
            try:
                async with self._source.connection() as connection:
                    connected = True
                    async with transaction(connection):
                        await read_committed(connection)
                        sent = True
                        rows = await fetch(connection, call)
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
            await asyncio.sleep(self._retry.pause(attempt))
        raise AssertionError("unreachable")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncExecutor]:
        inside = committing = False
        try:
            async with self._source.connection() as connection, transaction(connection):
                await read_committed(connection)
                inside = True
                yield AsyncJoined(connection)
                inside, committing = False, True
        except DRIVER_ERRORS as exc:
            if inside:  # the caller's own
                raise
            error = translate(exc)
            if committing and isinstance(error, ConnectionFailed):
                error = outcome_unknown(error)
            raise error from exc

    async def close(self) -> None:
        await self._source.close()


def executor_on(connection: object, retry: RetryPolicy) -> AsyncExecutor:
    """The executor for whatever a caller has to run on."""
    if isinstance(connection, psycopg.AsyncConnection):
        return AsyncJoined(connection)
    # What is imported here may not be installed, unless there is an object of it.
    if hasattr(connection, "getconn"):
        from psycopg_pool import AsyncConnectionPool

        if isinstance(connection, AsyncConnectionPool):
            return AsyncOwning(AsyncPooled(connection), retry)
    if hasattr(connection, "begin_nested"):
        from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

        if isinstance(connection, AsyncConnection | AsyncSession):
            return AsyncSQLAlchemy(connection)
    raise TypeError(f"cannot run on a {type(connection).__qualname__}")


async def fetch(connection: PgConnection, call: Call) -> list[Row]:
    # A cursor class of its own: the connection's default may take other placeholders.
    async with psycopg.AsyncCursor(connection, row_factory=dict_row) as cursor:
        await cursor.execute(call.sql.encode(), call.arguments)
        return await cursor.fetchall()


async def read_committed(connection: PgConnection) -> None:
    """The functions lock and then read, which needs a new snapshot for each statement."""
    if connection.isolation_level is not IsolationLevel.READ_COMMITTED:
        await connection.execute("set transaction isolation level read committed")


@asynccontextmanager
async def transaction(connection: PgConnection) -> AsyncIterator[None]:
    """psycopg's transaction block, but it never ends well without having been committed.

    The server answers COMMIT with a silent ROLLBACK where an error was caught inside the block,
    and psycopg skips it on a connection that has died.
    """
    async with connection.transaction() as block:
        yield
        if connection.info.transaction_status is TransactionStatus.INERROR:
            raise PkgdbError(
                "the transaction was rolled back: a call in it had failed",
                sqlstate="25P02",
                hint="To go on after an error, make the call inside a nested transaction().",
            )
    if block.status is AsyncTransaction.Status.FAILED:
        raise ConnectionFailed("the connection was lost: the transaction was rolled back")


def outcome_unknown(error: PkgdbError) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"the connection was lost while committing: {error.message}",
        sqlstate=error.sqlstate,
        detail="The call may or may not have taken effect.",
        hint="Repeat it; with a request_key it is repeated for you.",
    )
