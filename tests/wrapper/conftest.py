"""One registry for each kind of connection, so that one suite runs on all of them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool, ConnectionPool
from sqlalchemy import NullPool, create_engine
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

import pkgdb

URL = "postgresql+psycopg://"


class Waited:
    """An asynchronous object that is used without await: each call runs until it has ended."""

    def __init__(self, target: Any, run: Callable[..., Any]) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._target, name)
        return self._call(attribute) if callable(attribute) else attribute

    def _call(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if inspect.isawaitable(result):
                return self._run(result)
            if hasattr(result, "__aenter__"):
                return self._enter(result)
            return Waited(result, self._run)

        return call

    @contextmanager
    def _enter(self, manager: Any) -> Iterator[Waited]:
        # ExitStack reports the outcome of the block to both of its halves.
        async def leave(*error: Any) -> Any:
            return await manager.__aexit__(*error)

        with ExitStack() as stack:
            inner = self._run(manager.__aenter__())
            stack.push(lambda *error: self._run(leave(*error)))
            yield Waited(inner, self._run)


class Opened:
    """A registry, and how to commit what has been done with it."""

    def __init__(self, registry: Any, commit: Callable[[], object] | None = None) -> None:
        self.registry = registry
        self.owns = commit is None
        self.commit = commit or (lambda: None)


def open_dsn(dsn: str, stack: ExitStack, **options: Any) -> Opened:
    return Opened(stack.enter_context(pkgdb.connect(dsn, **options)))


def open_pool(dsn: str, stack: ExitStack, **options: Any) -> Opened:
    pool = ConnectionPool(dsn, min_size=1, max_size=2, open=False)
    return Opened(pkgdb.Registry(stack.enter_context(pool), **options))


def open_connection(dsn: str, stack: ExitStack) -> Opened:
    connection = psycopg.connect(dsn)
    stack.callback(connection.close)
    return Opened(pkgdb.Registry(connection), connection.commit)


def open_sqlalchemy(dsn: str, stack: ExitStack) -> Opened:
    engine = create_engine(URL, creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    connection = stack.enter_context(engine.connect())
    return Opened(pkgdb.Registry(connection), connection.commit)


def open_session(dsn: str, stack: ExitStack) -> Opened:
    engine = create_engine(URL, creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    session = stack.enter_context(Session(engine))
    return Opened(pkgdb.Registry(session), session.commit)


def runner(stack: ExitStack) -> Callable[..., Any]:
    return stack.enter_context(asyncio.Runner()).run


def open_async_dsn(dsn: str, stack: ExitStack, **options: Any) -> Opened:
    run = runner(stack)
    registry = run(pkgdb.aconnect(dsn, **options))
    stack.callback(lambda: run(registry.close()))
    return Opened(Waited(registry, run))


def open_async_pool(dsn: str, stack: ExitStack, **options: Any) -> Opened:
    run = runner(stack)
    pool = AsyncConnectionPool(dsn, min_size=1, max_size=2, open=False)
    run(pool.open())
    stack.callback(lambda: run(pool.close()))
    return Opened(Waited(pkgdb.AsyncRegistry(pool, **options), run))


def open_async_connection(dsn: str, stack: ExitStack) -> Opened:
    run = runner(stack)
    connection = run(psycopg.AsyncConnection.connect(dsn))
    stack.callback(lambda: run(connection.close()))
    registry = pkgdb.AsyncRegistry(connection)
    return Opened(Waited(registry, run), lambda: run(connection.commit()))


def open_async_sqlalchemy(dsn: str, stack: ExitStack) -> Opened:
    run = runner(stack)
    connection = run(async_engine(dsn).connect().start())
    stack.callback(lambda: run(connection.close()))
    registry = pkgdb.AsyncRegistry(connection)
    return Opened(Waited(registry, run), lambda: run(connection.commit()))


def open_async_session(dsn: str, stack: ExitStack) -> Opened:
    run = runner(stack)
    session = AsyncSession(async_engine(dsn))
    stack.callback(lambda: run(session.close()))
    return Opened(Waited(pkgdb.AsyncRegistry(session), run), lambda: run(session.commit()))


def async_engine(dsn: str) -> Any:
    async def creator() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(dsn)

    return create_async_engine(URL, async_creator=creator, poolclass=NullPool)


OWNING = {
    "connect": open_dsn,
    "pool": open_pool,
    "aconnect": open_async_dsn,
    "async pool": open_async_pool,
}
JOINED = {
    "psycopg": open_connection,
    "SQLAlchemy connection": open_sqlalchemy,
    "SQLAlchemy session": open_session,
    "async psycopg": open_async_connection,
    "async SQLAlchemy connection": open_async_sqlalchemy,
    "async SQLAlchemy session": open_async_session,
}


def opener(table: dict[str, Callable[..., Opened]], driver: str, dsn: str) -> Iterator[Any]:
    with ExitStack() as stack:
        yield lambda dsn=dsn, **options: table[driver](dsn, stack, **options)


@pytest.fixture(params=[*OWNING, *JOINED])
def opened(request: pytest.FixtureRequest, dsn: str) -> Iterator[Opened]:
    """A registry on each kind of connection."""
    for open_one in opener(OWNING | JOINED, request.param, dsn):
        yield open_one()


@pytest.fixture
def registry(opened: Opened) -> Any:
    return opened.registry


@pytest.fixture(params=list(OWNING))
def owning(request: pytest.FixtureRequest, dsn: str) -> Iterator[Callable[..., Opened]]:
    """Opens a registry that owns its transactions, with options: `owning(retry=...)`."""
    yield from opener(OWNING, request.param, dsn)


@pytest.fixture(params=list(JOINED))
def joined(request: pytest.FixtureRequest, dsn: str) -> Iterator[Callable[..., Opened]]:
    """Opens a registry that works in somebody's transaction."""
    yield from opener(JOINED, request.param, dsn)
