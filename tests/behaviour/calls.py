"""Calls pkgdb's functions as any client does, and shows what a call has changed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import namedtuple_row
from psycopg.types.json import Jsonb


@dataclass(frozen=True)
class Calls:
    """The functions as methods, their named arguments without `p_`.

    `first` are leading arguments that every call gets: `api.at("acme", "main").publish(...)`.
    """

    connection: psycopg.Connection[Any]
    first: tuple[object, ...] = ()

    def at(self, *more: object) -> "Calls":
        return Calls(self.connection, self.first + more)

    def on(self, connection: psycopg.Connection[Any]) -> "Calls":
        """The same, on another connection."""
        return Calls(connection, self.first)

    def rows(self, function: str, /, *args: object, **named: object) -> list[Any]:
        places = [sql.SQL("%s")] * len(self.first + args)
        places += [sql.SQL("{} => %s").format(sql.Identifier(f"p_{name}")) for name in named]
        statement = sql.SQL("select * from pkgdb.{}({})").format(
            sql.Identifier(function), sql.SQL(", ").join(places)
        )
        values = [adapted(value) for value in (*self.first, *args, *named.values())]
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(statement, values).fetchall()

    def __getattr__(self, function: str) -> Callable[..., Any]:
        if function.startswith("_"):
            raise AttributeError(function)

        def call(*args: object, **named: object) -> Any:
            (row,) = self.rows(function, *args, **named)
            return row

        return call

    def ask(self, query: str, *params: object) -> list[Any]:
        """The rows of any query."""
        with self.connection.cursor(row_factory=namedtuple_row) as cursor:
            return cursor.execute(query.encode(), params or None).fetchall()

    @contextmanager
    def changes_nothing(self) -> Iterator[None]:
        before = dump(self.connection)
        yield
        assert dump(self.connection) == before

    @contextmanager
    def refused(self, sqlstate: str) -> Iterator[None]:
        """The call inside raises this SQLSTATE, and not one row is another one afterwards."""
        with self.changes_nothing(), pytest.raises(psycopg.Error) as caught:
            yield
        assert caught.value.sqlstate == sqlstate, caught.value


def adapted(value: object) -> object:
    """Lists and dicts are JSON, tuples are arrays."""
    if isinstance(value, dict | list):
        return Jsonb(value)
    return list(value) if isinstance(value, tuple) else value


def file(filename: str, content: str = "content", /, **changes: object) -> dict[str, object]:
    """An element of p_files."""
    return {
        "filename": filename,
        "sha256": sha256(content.encode()).hexdigest(),
        "size": len(content),
    } | changes


def tables(connection: psycopg.Connection[Any]) -> list[str]:
    query = """
        select relname from pg_class
        where relnamespace = 'pkgdb'::regnamespace and relkind = 'r' order by 1"""
    return [name for (name,) in connection.execute(query)]


def dump(connection: psycopg.Connection[Any]) -> list[tuple[str, str]]:
    """Every row of every table of pkgdb, as text."""
    each = sql.SQL("select {}, to_jsonb(t)::text from pkgdb.{} t")
    query = sql.SQL(" union all ").join(
        each.format(sql.Literal(name), sql.Identifier(name)) for name in tables(connection)
    )
    return sorted(connection.execute(query).fetchall())


def take_snapshot(api: Calls, name: str = "s") -> None:
    """Of repository main as it is."""
    Calls(api.connection).create_snapshot("acme", name, "main")
