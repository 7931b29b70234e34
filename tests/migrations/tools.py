"""What the tests of the migrations run: PostgreSQL's own programs, and many upgrades at once."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

from pkgdb.resources import folder
from tests.support import ServerUnderTest, libpq_environment

# Import once, fork, and let all begin at the same moment: when the pipe is closed.
RACE = """
import os, sys, traceback
from pkgdb import migrate

gate, opener = os.pipe()
children = []
for dsn in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        os.close(opener)
        os.read(gate, 1)
        try:
            migrate.upgrade(dsn)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
os.close(opener)
sys.exit(sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def upgrade_at_once(*dsns: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", RACE, *dsns], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def dump(server: ServerUnderTest, dsn: str) -> str:
    """The whole database as SQL with owners, comments and grants, without alembic's own table."""
    arguments = [server.program("pg_dump"), "--schema-only", "--exclude-table=*.alembic_version"]
    text = run_program(arguments, dsn)
    # Since the releases of August 2025 a random token guards the script.
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict")))


def psql(server: ServerUnderTest, dsn: str, *arguments: str, script: str | None = None) -> str:
    command = [server.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments]
    return run_program(command, dsn, script)


def run_program(command: list[str], dsn: str, script: str | None = None) -> str:
    run = subprocess.run(
        command,
        env=libpq_environment(dsn) | {"PGCLIENTENCODING": "UTF8"},
        input=script,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def install_by_psql(server: ServerUnderTest, dsn: str) -> None:
    psql(server, dsn, "-f", os.fspath(folder("sql") / "install.sql"))


def value(dsn: str, query: str, **changes: str) -> object:
    with psycopg.connect(dsn, **changes) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


ROOT = Path(__file__).resolve().parent.parent.parent
