"""What tests share beside fixtures: waiting without sleeping, tools that may be missing."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

TRIALS = "trials"  # a property of a test's report: how often it has tried
Trials = Callable[[int], None]
# Seconds until a wait gives up; nothing asserts how long anything takes.
PATIENCE = float(os.environ.get("PKGDB_TEST_PATIENCE", "60"))


@dataclass(frozen=True)
class ServerUnderTest:
    """The server of the test session: started by us, or the one of PKGDB_TEST_DSN."""

    root_dsn: str
    bindir: Path | None  # None where the server is not ours and no client programs were found
    version: int

    def dsn(self, dbname: str, user: str | None = None) -> str:
        changes = {"dbname": dbname} | ({"user": user} if user else {})
        return make_conninfo(self.root_dsn, **changes)

    def program(self, name: str) -> str:
        """A client program of the server's own version, else the calling test ends here."""
        if self.bindir is not None and (self.bindir / name).exists():
            return str(self.bindir / name)
        return oracle(name)


def altered() -> str:
    """PKGDB_TEST_TEMPLATE: a database with something wrong in it, which the tests are to find."""
    return os.environ.get("PKGDB_TEST_TEMPLATE", "")


def oracle(tool: str) -> str:
    """The path of a program that a test compares with. Missing: a skip, but a failure in CI."""
    found = shutil.which(tool)
    if found is None:
        missing(f"{tool} is not installed")
    return found


def missing(reason: str) -> None:
    """End the calling test: what it needs is not on this machine, and in CI it must be."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason}, and CI must have it", pytrace=False)
    pytest.skip(reason)


def wait_until(
    observer: psycopg.Connection[Any],
    query: LiteralString,
    params: Sequence[object] | Mapping[str, object] | None = None,
) -> Any:
    """Ask again and again until the first column of the first row is true; return it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        row = observer.execute(query, params).fetchone()
        if row is not None and row[0]:
            return row[0]
        if time.monotonic() > deadline:
            pytest.fail(f"never came true: {query} with {params}")


def wait_until_blocked(observer: psycopg.Connection[Any], pid: int) -> None:
    """Until that backend waits for a lock that another one holds."""
    wait_until(observer, "select cardinality(pg_blocking_pids(%s)) > 0", [pid])


def backend_pid(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> int:
    return connection.info.backend_pid


def libpq_environment(dsn: str) -> dict[str, str]:
    """This process's environment, with `dsn` as what PostgreSQL's own programs connect to."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE"}
    names |= {"password": "PGPASSWORD"}
    given = conninfo_to_dict(dsn)
    return dict(os.environ) | {names[key]: str(given[key]) for key in names if given.get(key)}
