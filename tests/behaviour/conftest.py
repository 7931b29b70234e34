import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.behaviour.calls import Calls, tables
from tests.behaviour.mutations import furnish
from tests.conftest import drop
from tests.support import PATIENCE, ServerUnderTest

REFERENCE_DATA = {"ecosystem", "version_scheme"}


@pytest.fixture(scope="session")
def behaviour_dsn(
    server: ServerUnderTest, admin: psycopg.Connection[Any], template: str
) -> Iterator[str]:
    name = f"pkgdb_behaviour_{os.getpid()}"
    statement = sql.SQL("create database {} template {}")
    admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
    # A call that waits where it must not fails, instead of waiting for ever.
    yield make_conninfo(server.dsn(name), options=f"-c statement_timeout={PATIENCE}s")
    drop(admin, name)


@pytest.fixture(scope="session")
def behaviour_db(behaviour_dsn: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(behaviour_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture
def dsn(behaviour_dsn: str, behaviour_db: psycopg.Connection[Any]) -> Iterator[str]:
    """One database for all tests here, emptied after each: cheaper than a database for each."""
    yield behaviour_dsn
    behaviour_db.execute("reset all")
    names = [sql.Identifier("pkgdb", n) for n in tables(behaviour_db) if n not in REFERENCE_DATA]
    behaviour_db.execute(sql.SQL("truncate {}").format(sql.SQL(", ").join(names)))


@pytest.fixture
def db(dsn: str, behaviour_db: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A superuser's connection in autocommit, the same for all tests: its plans are warm."""
    return behaviour_db


@pytest.fixture
def api(db: psycopg.Connection[Any]) -> Iterator[Calls]:
    """All functions, on a superuser's connection in autocommit. No test leaves a violation."""
    calls = Calls(db)
    yield calls
    assert calls.rows("check_integrity") == []


@pytest.fixture
def repo(api: Calls) -> Calls:
    """An empty hosted repository `main` of namespace `acme`, with the default policy."""
    api.create_repository("acme", "main")
    return api.at("acme", "main")


@pytest.fixture
def background(db: psycopg.Connection[Any]) -> Iterator[ThreadPoolExecutor]:
    """Where a call goes that has to wait for another one."""
    with ThreadPoolExecutor() as threads:
        yield threads
        # A test that failed half-way leaves a call that waits for ever.
        db.execute("""
            select pg_terminate_backend(pid) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'""")


@pytest.fixture
def furnished(api: Calls) -> Calls:
    """Repository `main` of namespace `acme` with something in every state: see mutations.py."""
    furnish(api)
    return api.at("acme", "main")
