"""Fixtures of the tests of publications and of the ledger: one database for all of them, emptied
after each test, with a clock that a test may move."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.behaviour.calls import Calls, tables
from tests.conftest import drop
from tests.publications.clock import Clock
from tests.publications.ledger import Ledger
from tests.support import PATIENCE, ServerUnderTest

REFERENCE_DATA = {"ecosystem", "version_scheme"}
numbers = count(1)


@pytest.fixture(scope="package")
def package_dsn(
    server: ServerUnderTest, admin: psycopg.Connection[Any], template: str
) -> Iterator[str]:
    name = f"pkgdb_pipeline_{os.getpid()}_{next(numbers)}"
    statement = sql.SQL("create database {} template {}")
    admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    # A call that waits where it must not fails, instead of waiting for ever.
    yield make_conninfo(server.dsn(name), options=f"-c statement_timeout={PATIENCE}s")
    drop(admin, name)


@pytest.fixture(scope="package")
def package_db(package_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(package_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def dsn(package_dsn: str, package_db: psycopg.Connection[Any]) -> Iterator[str]:
    yield package_dsn
    names = [sql.Identifier("pkgdb", n) for n in tables(package_db) if n not in REFERENCE_DATA]
    package_db.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(names)))


@pytest.fixture
def db(dsn: str, package_db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A superuser's connection in autocommit, the same for all tests: its plans are warm."""
    return package_db


@pytest.fixture
def clock(db: psycopg.Connection[Any]) -> Clock:
    return Clock(db)


@pytest.fixture
def api(db: psycopg.Connection[Any], clock: Clock) -> Iterator[Calls]:
    """All functions in namespace `acme`, as a superuser. No test leaves a violation."""
    calls = Calls(db, ("acme",))
    yield calls
    assert Calls(db).rows("check_integrity") == []


@pytest.fixture
def repo(api: Calls) -> Calls:
    """An empty hosted repository `main`."""
    api.create_repository("main")
    return api.at("main")


@pytest.fixture
def demo(repo: Calls) -> Calls:
    """A name in it, of an ecosystem with many files in a version."""
    return repo.at("pypi", "demo")


@pytest.fixture
def ledger(api: Calls, clock: Clock) -> Ledger:
    return Ledger(api, clock)


@pytest.fixture
def disk(repo: Calls, ledger: Ledger) -> str:
    """A backend that the repository requires."""
    return ledger.backend("disk", "required")


@pytest.fixture
def background(db: psycopg.Connection[Any]) -> Iterator[ThreadPoolExecutor]:
    """Where a call goes that has to wait for another one."""
    with ThreadPoolExecutor() as threads:
        yield threads
        # A test that failed half-way leaves a call that waits for ever.
        db.execute("""
            select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'""")
