"""Bring the pkgdb schema of a database to a revision, from an installed wheel or a checkout.

An application with an alembic history of its own may instead list `version_location()` among its
`version_locations`, and let its revisions say `depends_on = "pkgdb_0001"`.
"""

import io
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from psycopg.rows import class_row
from sqlalchemy import Connection, Engine, NullPool, create_engine

from pkgdb._sync.registry import connect
from pkgdb.errors import (
    Conflict,
    Deadlock,
    LockTimeout,
    MalformedArgument,
    NotFound,
    PkgdbError,
    QueryCanceled,
)
from pkgdb.resources import folder

VERSION_SCHEMA = "pkgdb"
VERSION_TABLE = "alembic_version"

_alembic = threading.Lock()  # it keeps the environment of a run in globals of a module

Target = str | Engine | Connection
"""A DSN, an Engine, or a Connection whose open transaction, if any, is joined."""


def upgrade(target: Target | None, to: str = "head", *, sql: bool = False) -> str | None:
    """Upgrade to a revision. With `sql` run nothing and return the script, for psql or a review.

    Needs CREATEROLE (or the roles to exist and pkgdb_owner to be granted) and CREATE on the
    database; a direct connection, since a pooler between transactions would lose the lock.
    """
    return _run(command.upgrade, target, to, sql=sql)


def downgrade(target: Target | None, to: str, *, sql: bool = False) -> str | None:
    """Downgrade to a revision; `base` drops the schema with all its data. Roles stay.

    With `sql` return the script, `to` being a range such as `head:base`.
    """
    return _run(command.downgrade, target, to, sql=sql)


def stamp(target: Target, to: str = "head") -> None:
    """Record a revision without running anything: for a schema made by sql/install.sql."""
    with _alembic:
        command.stamp(_config(target), to)


def current(target: Target) -> str | None:
    """The revision of the database, None where the migrations never ran."""
    if isinstance(target, str):
        target = engine(target)
    if isinstance(target, Engine):
        with target.connect() as connection:
            return current(connection)
    options = {"version_table": VERSION_TABLE, "version_table_schema": VERSION_SCHEMA}
    return MigrationContext.configure(target, opts=options).get_current_revision()


@dataclass(frozen=True)
class Outdated:
    """A package that was ordered by an older scheme than its ecosystem's present one."""

    namespace: str
    repository: str
    ecosystem: str
    name: str
    registration_id: int
    scheme: str
    current_scheme: str
    reason: PkgdbError | None = None  # why it still is; None: it was moved


_OUTDATED = """
    select namespace, repository, ecosystem, name, registration_id, scheme, current_scheme
      from pkgdb.outdated_registrations
     where (namespace, registration_id) > (%s, %s)
     order by namespace, registration_id
     limit 1000
"""


_STAYS = (MalformedArgument, Conflict, LockTimeout, QueryCanceled, Deadlock)


def upgrade_schemes(dsn: str) -> Iterator[Outdated]:
    """Order every package by its ecosystem's present scheme, beside whatever else goes on.

    Each package is a transaction of its own. One that the new scheme refuses, or that could not be
    locked in time, stays as it is, and the others go on; a run that was cut short is taken up by
    the next one.
    """
    after = ("", 0)
    with psycopg.connect(dsn, autocommit=True) as connection, connect(dsn) as registry:
        while True:
            cursor = connection.cursor(row_factory=class_row(Outdated))
            found = cursor.execute(_OUTDATED, after).fetchall()
            for package in found:
                after = (package.namespace, package.registration_id)
                try:
                    registry.upgrade_scheme(*after)
                except _STAYS as reason:
                    yield replace(package, reason=reason)
                except NotFound:  # it went away in the meantime
                    continue
                else:
                    yield package
            if not found:
                return


def version_location() -> str:
    """The folder of the migrations, for an application's own alembic configuration."""
    return str(folder("migrations") / "versions")


def engine(dsn: str) -> Engine:
    """An Engine on anything that psycopg connects to; a SQLAlchemy URL goes as well."""
    if dsn.startswith("postgresql+"):
        return create_engine(dsn, poolclass=NullPool)
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool
    )


def _config(target: Target | None, output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output)
    # The option is interpolated by configparser.
    config.set_main_option("script_location", str(folder("migrations")).replace("%", "%%"))
    config.attributes["connection"] = engine(target) if isinstance(target, str) else target
    return config


def _run(act: Callable[..., None], target: Target | None, to: str, *, sql: bool) -> str | None:
    if sql:
        output = io.StringIO()
        with _alembic:
            act(_config(None, output), to, sql=True)
        return output.getvalue()
    if target is None:
        raise TypeError("a target is needed to run anything: a DSN, an Engine or a Connection")
    with _alembic:
        act(_config(target), to)
    return None
