"""The database that a command works on, and what it says when something is refused."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import psycopg
from alembic.util import CommandError
from psycopg.rows import DictRow, dict_row
from psycopg.sql import SQL, Identifier, Placeholder

from pkgdb.errors import DRIVER_ERRORS, PkgdbError, translate
from pkgdb.server import ServerError

Connection = psycopg.Connection[DictRow]
_Command = TypeVar("_Command", bound=Callable[..., Any])

_NO_SCHEMA = {"3F000", "42P01", "42883"}  # no such schema, relation, function


class Failure(click.ClickException):
    """Not to be carried out, for a reason that fits on a line or two."""

    exit_code = 2


def dsn_option(command: _Command) -> _Command:
    return click.option(
        "--dsn",
        envvar="PKGDB_DSN",
        metavar="DSN",
        help="Connection string or URI.  [default: PKGDB_DSN, else the embedded server]",
    )(command)


def json_option(command: _Command) -> _Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def resolved(dsn: str | None) -> str:
    """The given DSN, else the embedded server's, started when it does not run."""
    if dsn:
        return dsn
    from pkgdb.server import up

    return up()


@contextmanager
def connected(dsn: str | None, **options: Any) -> Iterator[Connection]:
    """An autocommit connection. Times are shown as the server's in UTC."""
    options = {"application_name": "pkgdb", "options": "-c timezone=UTC"} | options
    with psycopg.connect(
        resolved(dsn), autocommit=True, row_factory=dict_row, **options
    ) as connection:
        yield connection


def call(connection: Connection, function: str, **arguments: Any) -> list[DictRow]:
    """The rows of ``select * from pkgdb.function(...)``, its arguments by name without ``p_``."""
    statement = SQL("select * from {}({})").format(
        Identifier("pkgdb", function),
        SQL(", ").join(
            SQL("{} => {}").format(Identifier(f"p_{name}"), Placeholder(name)) for name in arguments
        ),
    )
    return connection.execute(statement, arguments).fetchall()


@contextmanager
def told() -> Iterator[None]:
    """Turns what users can run into a line for them; anything else is a fault of ours."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise Failure(_line(translate(error))) from error
    except PkgdbError as error:
        raise Failure(_line(error)) from error
    except (ServerError, CommandError, OSError) as error:
        raise Failure(str(error)) from error


def _line(error: PkgdbError) -> str:
    if error.sqlstate in _NO_SCHEMA:
        return f"{error.message}\nHint: run `pkgdb migrate` on this database first."
    text = f"{error.sqlstate}: {error.message}" if error.sqlstate else error.message
    for label, more in (("Detail", error.detail), ("Hint", error.hint)):
        if more:
            text += f"\n{label}: {more}"
    return text


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, default=_text))


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)
