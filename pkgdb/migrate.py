"""Bring the pkgdb schema of a database to a revision, from an installed wheel or a checkout.

An application with an alembic history of its own may instead list `version_location()` among its
`version_locations`, and let its revisions say `depends_on = "pkgdb_0001"`.
"""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import psycopg
from alembic import command, op
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
from pkgdb.retry import RetryPolicy

VERSION_SCHEMA = "pkgdb"
VERSION_TABLE = "alembic_version"
LOCK_TIMEOUT = timedelta(milliseconds=500)  # shorter than PostgreSQL's deadlock_timeout
RETRY = RetryPolicy(attempts=60, base=0.5, cap=10)  # some minutes

_alembic = threading.Lock()  # it keeps the environment of a run in globals of a module

Target = str | Engine | Connection
"""A DSN, an Engine, or a Connection whose open transaction, if any, is joined."""


def upgrade(
    target: Target | None,
    to: str = "head",
    *,
    sql: bool = False,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    retry: RetryPolicy = RETRY,
) -> str | None:
    """Upgrade to a revision. With `sql` run nothing and return the script, for psql or a review.

    Needs CREATEROLE (or the roles to exist and pkgdb_owner to be granted) and CREATE on the
    database; a direct connection, since a pooler between transactions would lose the lock.

    Args:
        target: Where; each revision is a transaction of its own, unless one is joined.
        to: The revision.
        sql: Return the script.
        lock_timeout: How long a revision may wait for a lock, and others behind it.
        retry: How often a revision that did not get its locks is rolled back and tried again; in
            a transaction that was joined never.

    Raises:
        LockTimeout: 55P03: a lock was not to be had.
        Deadlock: 40P01: the same, in a circle.
    """
    return _run(
        command.upgrade, _config(target, lock_timeout=lock_timeout, retry=retry), to, sql=sql
    )


def downgrade(
    target: Target | None,
    to: str,
    *,
    sql: bool = False,
    lock_timeout: timedelta = LOCK_TIMEOUT,
    retry: RetryPolicy = RETRY,
) -> str | None:
    """Downgrade to a revision; `base` drops the schema with all its data. Roles stay.

    With `sql` return the script, `to` being a range such as `head:base`. The rest is as in
    `upgrade`.
    """
    return _run(
        command.downgrade, _config(target, lock_timeout=lock_timeout, retry=retry), to, sql=sql
    )


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


# What revisions are made of.


def execute(sql: str) -> None:
    """In a revision: run SQL as it is. `op.execute` would take `:name` in a body for a bind."""
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
    else:
        # Without parameters psycopg leaves `%` alone and takes many statements at once.
        op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})


@contextmanager
def as_owner() -> Iterator[None]:
    """In a revision: what is made inside belongs to pkgdb_owner, whoever migrates."""
    # A setting that is local to the transaction carries the caller's role across, offline too.
    execute("select set_config('pkgdb.caller_role', current_setting('role'), true);")
    execute("set local role pkgdb_owner;")
    execute(_REQUIRE_OWNER)
    yield
    execute("select set_config('role', current_setting('pkgdb.caller_role'), true);")


_REQUIRE_OWNER = """\
do $$
begin
    if current_user <> 'pkgdb_owner' then
        raise exception using
            errcode = 'no_active_sql_transaction',
            message = 'pkgdb is migrated inside transactions',
            hint = 'Run this migration without autocommit.';
    end if;
end;
$$;"""


def create_index(name: str, definition: str, *, unique: bool = False) -> None:
    """In a revision that does nothing else: an index, while publishers go on.

    It waits for every older transaction, however long that takes: nobody waits behind it. What an
    earlier run left half made is made anew. In a transaction that was joined the index is made in
    the ordinary way.

    Args:
        name: The index.
        definition: `package_version (namespace, name) where status = 'available'`
        unique: Whether it is.
    """
    context = op.get_context()
    create = "create unique index" if unique else "create index"
    if context._in_external_transaction:
        execute(f"{create} {name} on pkgdb.{definition};")
        return
    with context.autocommit_block():
        execute("select set_config('pkgdb.lock_timeout', current_setting('lock_timeout'), false);")
        execute("set lock_timeout = 0;")
        execute(f"drop index concurrently if exists pkgdb.{name};")
        execute(f"{create} concurrently {name} on pkgdb.{definition};")
        execute("select set_config('lock_timeout', current_setting('pkgdb.lock_timeout'), false);")


def engine(dsn: str) -> Engine:
    """An Engine on anything that psycopg connects to; a SQLAlchemy URL goes as well."""
    if dsn.startswith("postgresql+"):
        return create_engine(dsn, poolclass=NullPool)
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool
    )


def _config(target: Target | None, **attributes: object) -> Config:
    config = Config()
    # The option is interpolated by configparser.
    config.set_main_option("script_location", str(folder("migrations")).replace("%", "%%"))
    config.attributes["connection"] = engine(target) if isinstance(target, str) else target
    config.attributes.update(attributes)
    return config


def _run(act: Callable[..., None], config: Config, to: str, *, sql: bool) -> str | None:
    if not sql and config.attributes["connection"] is None:
        raise TypeError("a target is needed to run anything: a DSN, an Engine or a Connection")
    output = config.output_buffer = io.StringIO()
    with _alembic:
        act(config, to, sql=sql)
    return output.getvalue() if sql else None
