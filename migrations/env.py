"""How pkgdb's own migrations run, alone in a database's history of theirs.

`config.attributes["connection"]` is an Engine, or a Connection whose open transaction, if any, is
joined and left to its owner; without one, PKGDB_DSN says where. The version table lies in the
schema that the migrations make, so the schema is made first and dropped last, here.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, Engine

from pkgdb.migrate import VERSION_SCHEMA, VERSION_TABLE, engine
from pkgdb.resources import folder

OPTIONS = {
    "transaction_per_migration": True,
    "version_table": VERSION_TABLE,
    "version_table_schema": VERSION_SCHEMA,
}
LOCK_TIMEOUT = "5s"  # a migration that waits for a table makes everybody else wait behind it
RUN_LOCK = 0x706B676462  # one run at a time in a database: "pkgdb" in ASCII

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
# No cascade: if anything else were in the schema, this must fail.
DROP_SCHEMA = f"drop table {VERSION_SCHEMA}.{VERSION_TABLE}; drop schema {VERSION_SCHEMA};"


def run_offline() -> None:
    context.configure(dialect_name="postgresql", **OPTIONS)
    output = context.get_context().impl.static_output
    to_base = context.get_revision_argument() is None
    if not to_base:
        output(f"BEGIN;\n\n{ROLES}\n{CREATE_SCHEMA}\n\nCOMMIT;")
    with context.begin_transaction():
        context.run_migrations()
    output(DROP_SCHEMA if to_base else OWN_VERSION_TABLE)


def run_online(connection: Connection) -> None:
    joined = connection.in_transaction()

    def execute(*statements: str) -> None:
        for statement in statements:
            connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
        if not joined:
            connection.commit()

    with alone(connection):
        context.configure(connection=connection, **OPTIONS)
        migration = context.get_context()
        if migration.opts.get("dont_mutate"):
            context.run_migrations()
            return
        execute(*[] if migrated_before(connection) else [ROLES, CREATE_SCHEMA])
        before = migration.get_current_heads()
        with context.begin_transaction():
            context.run_migrations()
        after = migration.get_current_heads()
        if after and not before:
            execute(OWN_VERSION_TABLE)
        if before and not after:
            execute(DROP_SCHEMA)


def migrated_before(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("select to_regnamespace('pkgdb') is not null").scalar())


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """Wait for any other run to end, before anybody reads the current revision.

    In a caller's transaction the lock lasts until that ends, else other runs would not see what
    this one did. Otherwise it outlives the transaction of each migration.
    """
    joined = connection.in_transaction()

    def call(function: str) -> str:
        value = connection.exec_driver_sql(f"select {function}").scalar()
        if not joined:
            connection.commit()
        return str(value)

    local = str(joined).lower()
    call(f"pg_advisory_{'xact_' if joined else ''}lock({RUN_LOCK})")
    previous = call("current_setting('lock_timeout')")
    call(f"set_config('lock_timeout', '{LOCK_TIMEOUT}', {local})")

    def release() -> None:
        call(f"set_config('lock_timeout', '{previous}', {local})")
        if not joined:
            call(f"pg_advisory_unlock({RUN_LOCK})")

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
