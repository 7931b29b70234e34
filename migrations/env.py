"""How pkgdb's own migrations run, alone in a database's history of theirs.

`config.attributes["connection"]` is an Engine, or a Connection whose open transaction, if any, is
joined and left to its owner; without one, PKGDB_DSN says where. `"lock_timeout"` and `"retry"` are
as in `pkgdb.migrate.upgrade`. The version table lies in the schema that the migrations make, so the
schema is made first and dropped last, here.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from pkgdb.errors import Deadlock, LockTimeout, translate
from pkgdb.migrate import LOCK_TIMEOUT, RETRY, VERSION_SCHEMA, VERSION_TABLE, engine
from pkgdb.resources import folder

OPTIONS = {
    "transaction_per_migration": True,
    "version_table": VERSION_TABLE,
    "version_table_schema": VERSION_SCHEMA,
}
RUN_LOCK = 0x706B676462  # one run at a time in a database: "pkgdb" in ASCII
RUN_LOCK_PAUSE = 0.1  # seconds

ROLES = (folder("sql") / "roles.sql").read_text(encoding="utf-8")
CREATE_SCHEMA = """\
do $$
begin
    if to_regnamespace('pkgdb') is null then
        create schema pkgdb authorization pkgdb_owner;
    end if;
end;
$$;"""
# Whoever migrates next need not be who migrated first, only a member of pkgdb_owner.
OWN_VERSION_TABLE = f"alter table {VERSION_SCHEMA}.{VERSION_TABLE} owner to pkgdb_owner;"
VERSION_TABLE_IS_OWNED = f"""\
select relowner = 'pkgdb_owner'::regrole from pg_class
 where oid = '{VERSION_SCHEMA}.{VERSION_TABLE}'::regclass"""  # noqa: S608
# No cascade: if anything else were in the schema, this must fail.
DROP_SCHEMA = f"drop table {VERSION_SCHEMA}.{VERSION_TABLE}; drop schema {VERSION_SCHEMA};"


def run_offline() -> None:
    context.configure(dialect_name="postgresql", **OPTIONS)
    output = context.get_context().impl.static_output
    to_base = context.get_revision_argument() is None
    output(f"SET lock_timeout = '{lock_timeout()}';\n")
    if not to_base:
        output(f"BEGIN;\n\n{ROLES}\n{CREATE_SCHEMA}\n\nCOMMIT;")
    with context.begin_transaction():
        context.run_migrations()
    output(DROP_SCHEMA if to_base else OWN_VERSION_TABLE)
    output("RESET lock_timeout;")


def run_online(connection: Connection) -> None:
    joined = connection.in_transaction()

    def ask(query: str) -> Any:
        value = connection.exec_driver_sql(query).scalar()
        if not joined:
            connection.commit()
        return value

    def execute(*statements: str) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        if not joined:
            connection.commit()

    def run() -> None:
        ask(f"select set_config('lock_timeout', '{lock_timeout()}', {joined})")
        migrated_before = ask("select to_regnamespace('pkgdb') is not null")
        execute(*[] if migrated_before else [ROLES, CREATE_SCHEMA])
        with context.begin_transaction():
            context.run_migrations()
        if migration.get_current_heads():
            execute(*[] if ask(VERSION_TABLE_IS_OWNED) else [OWN_VERSION_TABLE])
        elif before:
            execute(DROP_SCHEMA)

    with alone(connection, ask):
        context.configure(connection=connection, **OPTIONS)
        plan = resumable(context.get_context().opts["fn"])
        context.configure(connection=connection, fn=plan, **OPTIONS)
        migration = context.get_context()
        if migration.opts.get("dont_mutate"):
            context.run_migrations()
            return
        before = migration.get_current_heads()
        if joined:  # trying again is up to whoever can roll back
            with told():
                run()
        else:
            persist(connection, run)


def resumable(plan: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    """The revisions of a command, of which the ones that are done are not run again.

    The command itself would begin at the database's present revision: a relative target (`+2`)
    would go too far.
    """
    steps: list[Any] | None = None

    def remaining(heads: tuple[str, ...], migration: Any) -> Iterator[Any]:
        nonlocal steps
        if steps is None:
            steps = list(plan(heads, migration))
        while steps:
            yield steps[0]
            del steps[0]  # reached when it has been committed

    return remaining


def persist(connection: Connection, run: Callable[[], None]) -> None:
    """Again and again, while somebody holds a lock that a revision needs.

    Whoever comes for the same table waits behind the revision: no longer than the lock timeout,
    since the revision then gives up all its locks.
    """
    retry = context.config.attributes.get("retry", RETRY)
    for attempt in count(1):
        try:
            with told():
                run()
        except (LockTimeout, Deadlock) as error:
            connection.rollback()
            if attempt >= retry.attempts:
                error.detail = f"Tried {attempt} times, each waiting for at most {lock_timeout()}."
                raise
            time.sleep(retry.pause(attempt))
        else:
            return


@contextmanager
def told() -> Iterator[None]:
    """Locks that were not to be had are pkgdb's errors; whatever else stays what it is."""
    try:
        yield
    except DBAPIError as exc:
        error = translate(exc)
        if not isinstance(error, LockTimeout | Deadlock):
            raise
        error.hint = (
            "pg_stat_activity shows which transactions have been open for long; when they have "
            "ended, migrate again."
        )
        raise error from exc
    except PendingRollbackError as exc:
        # Alembic ends an autocommit_block even where the connection was lost in it.
        raise (exc.__context__ or exc) from None


def lock_timeout() -> str:
    given = context.config.attributes.get("lock_timeout", LOCK_TIMEOUT)
    return f"{given // timedelta(milliseconds=1)}ms"


@contextmanager
def alone(connection: Connection, ask: Callable[[str], Any]) -> Iterator[None]:
    """Wait for any other run to end, before anybody reads the current revision.

    In a caller's transaction the lock lasts until that ends, else other runs would not see what
    this one did. Otherwise it outlives the transaction of each migration.
    """
    joined = connection.in_transaction()
    # Not by waiting for the lock: a statement that waits has a snapshot, and who has the lock may
    # be building an index concurrently, which waits for every older snapshot.
    while not ask(f"select pg_try_advisory_{'xact_' if joined else ''}lock({RUN_LOCK})"):
        time.sleep(RUN_LOCK_PAUSE)
    previous = ask("select current_setting('lock_timeout')")

    def release() -> None:
        ask(f"select set_config('lock_timeout', '{previous}', {joined})")
        if not joined:
            ask(f"select pg_advisory_unlock({RUN_LOCK})")

    try:
        yield
    except BaseException:
        # The end of the caller's transaction, or of the session, undoes all of it anyway.
        if not joined and not connection.invalidated:
            connection.rollback()
            release()
        raise
    release()


def target() -> Engine | Connection:
    given = context.config.attributes.get("connection")
    if given is not None:
        return given
    if "PKGDB_DSN" not in os.environ:
        raise CommandError("no database: set PKGDB_DSN")
    return engine(os.environ["PKGDB_DSN"])


if context.is_offline_mode():
    run_offline()
elif isinstance(place := target(), Engine):
    with place.connect() as opened:
        run_online(opened)
else:
    run_online(place)
