"""A pool of connections, with the functions and the views of a database at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, LiteralString

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from pkgdb._async.registry import AsyncRegistry
from pkgdb.errors import DRIVER_ERRORS, translate

__all__ = ["Database", "open_pool"]


@asynccontextmanager
async def open_pool(
    dsn: str, application: str, connections: int = 4
) -> AsyncIterator[AsyncConnectionPool[Any]]:
    """At most so many connections, under this name in the server's lists."""
    arguments = {"fallback_application_name": application, "autocommit": True}
    async with AsyncConnectionPool(
        dsn, kwargs=arguments, min_size=1, max_size=connections, open=False
    ) as pool:
        yield pool


class Database:
    """What the publisher, the worker and the projector work on."""

    def __init__(self, pool: AsyncConnectionPool[Any]) -> None:
        self.registry = AsyncRegistry(pool)
        self._pool = pool

    async def rows(self, query: LiteralString, *arguments: object) -> list[dict[str, Any]]:
        """The rows of a query on the views.

        Raises:
            PkgdbError: Whatever the server, or the way to it, had against it.
        """
        try:
            async with self._pool.connection() as connection:
                cursor = connection.cursor(row_factory=dict_row)
                await cursor.execute(query, arguments)
                found: list[dict[str, Any]] = await cursor.fetchall()
                return found
        except DRIVER_ERRORS as error:
            raise translate(error) from error
