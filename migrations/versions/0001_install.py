"""Install the schema.

Runs the frozen files in the order of their own install.sql, in the caller's transaction and by any
env.py: an application that lists this folder among its `version_locations` applies it with its own.
"""

import re
from pathlib import Path

from alembic import op

revision = "pkgdb_0001"
down_revision = None
branch_labels = ("pkgdb",)
depends_on = None

FROZEN = Path(__file__).resolve().parent.parent / "frozen" / "0001"

# The files act as pkgdb_owner from schema.sql on; alembic writes its version table as the caller.
# A setting that is local to the transaction carries the caller's role across, offline too. It also
# shows a caller without a transaction, for whom objects would silently get another owner.
REMEMBER_ROLE = "select set_config('pkgdb.caller_role', current_setting('role'), true);"
REQUIRE_TRANSACTION = """\
do $$
begin
    if coalesce(current_setting('pkgdb.caller_role', true), '') = '' then
        raise exception using
            errcode = 'no_active_sql_transaction',
            message = 'pkgdb is installed inside a transaction',
            hint = 'Run this migration without autocommit.';
    end if;
end;
$$;"""
RESTORE_ROLE = "select set_config('role', current_setting('pkgdb.caller_role'), true);"


def run(sql: str) -> None:
    """Execute as it is: op.execute would take `:name` in function bodies for a bind."""
    context = op.get_context()
    if context.as_sql:
        context.impl.static_output(sql)
    else:
        # Without parameters psycopg leaves `%` alone and takes many statements at once.
        op.get_bind().exec_driver_sql(sql, execution_options={"no_parameters": True})


def upgrade() -> None:
    run(REMEMBER_ROLE)
    run(REQUIRE_TRANSACTION)
    install = (FROZEN / "install.sql").read_text(encoding="utf-8")
    for name in re.findall(r"^\\ir (\S+)$", install, flags=re.MULTILINE):
        run((FROZEN / name).read_text(encoding="utf-8"))
    run(RESTORE_ROLE)


def downgrade() -> None:
    """Drop everything, and what others built upon it. Roles stay: they belong to the cluster."""
    context = op.get_context()
    if context.version_table_schema == "pkgdb":
        # Alembic still has to delete its row: its table survives in a new, otherwise empty schema.
        run("alter schema pkgdb rename to pkgdb_dropped;")
        run("create schema pkgdb authorization pkgdb_owner;")
        run(f'alter table pkgdb_dropped."{context.version_table}" set schema pkgdb;')
        run("drop schema pkgdb_dropped cascade;")
    else:
        run("drop schema pkgdb cascade;")
    run("alter default privileges for role pkgdb_owner grant execute on functions to public;")
