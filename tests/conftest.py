"""The server, a migrated template database, and a clone of it for each test."""

import os
import re
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from pkgdb import migrate
from pkgdb.server import Server, ServerError, find_bindir
from tests.coverage import profile
from tests.faults import table
from tests.soak import table as soak
from tests.support import TRIALS, ServerUnderTest, Trials, altered
from tests.versions import comparisons

pytest_sessionfinish = profile.pytest_sessionfinish
pytest_testnodedown = profile.pytest_testnodedown


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    profile.pytest_terminal_summary(terminalreporter)
    comparisons.pytest_terminal_summary(terminalreporter)
    table.pytest_terminal_summary(terminalreporter)
    soak.pytest_terminal_summary(terminalreporter)


SETTINGS = {
    "autovacuum_naptime": "1d",  # nothing of its own accord
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "max_prepared_transactions": "20",
} | (profile.SETTINGS if profile.ENABLED else {})
SHM = Path("/dev/shm")
SHM_NEEDED = 2 << 30
KEEP = 4  # finished databases that wait for their drop: by then their backends are gone


@pytest.fixture(scope="session")
def server() -> Iterator[ServerUnderTest]:
    """One server for each pytest-xdist worker, so that roles and locks never meet by chance."""
    if dsn := os.environ.get("PKGDB_TEST_DSN"):
        yield existing(dsn)
        return
    remove_abandoned()
    base = Path(tempfile.mkdtemp(prefix=f"pkgdb-test-{os.getpid()}-", dir=scratch_folder()))
    launched = Server(base, durable=False, die_with_parent=True, settings=SETTINGS)
    try:
        with launched:
            yield existing(launched.dsn(), launched.binaries())
    finally:
        shutil.rmtree(base)


def existing(dsn: str, bindir: Path | None = None) -> ServerUnderTest:
    with psycopg.connect(dsn) as connection:
        version = connection.info.server_version // 10000
    if bindir is None:
        with suppress(ServerError):
            bindir = find_bindir(major=version)
    return ServerUnderTest(dsn, bindir, version)


def scratch_folder() -> Path:
    if SHM.is_dir() and os.access(SHM, os.W_OK) and shutil.disk_usage(SHM).free > SHM_NEEDED:
        return SHM
    return Path(tempfile.gettempdir())


def remove_abandoned() -> None:
    """Folders of test runs that were killed: their server died with them."""
    for base in scratch_folder().glob("pkgdb-test-*"):
        owner = re.match(r"pkgdb-test-(\d+)-", base.name)
        if owner and not alive(int(owner[1])):
            shutil.rmtree(base, ignore_errors=True)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@pytest.fixture(scope="session")
def admin(server: ServerUnderTest) -> Iterator[psycopg.Connection]:
    """A superuser's connection that makes and drops databases."""
    with psycopg.connect(server.root_dsn, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def template(server: ServerUnderTest, admin: psycopg.Connection) -> Iterator[str]:
    """The name of a database at `upgrade head`, which nobody may connect to."""
    if made := altered():
        yield made
        return
    name = f"pkgdb_template_{os.getpid()}"
    admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    migrate.upgrade(server.dsn(name))
    closed = sql.SQL("alter database {} with allow_connections false is_template true")
    admin.execute(closed.format(sql.Identifier(name)))
    yield name
    admin.execute(sql.SQL("alter database {} is_template false").format(sql.Identifier(name)))
    drop(admin, name)


@pytest.fixture(scope="session")
def new_database(
    server: ServerUnderTest, admin: psycopg.Connection
) -> Iterator[Callable[..., str]]:
    """Make a database, empty or from a template; return its DSN. It is dropped some time later."""
    made: deque[str] = deque()
    numbers = count(1)

    def create(template: str = "template0") -> str:
        while len(made) > KEEP:
            drop(admin, made.popleft())
        name = f"pkgdb_test_{os.getpid()}_{next(numbers)}"
        # On a memory file system copying files beats writing them through WAL, to make and to drop.
        statement = sql.SQL("create database {} template {} strategy file_copy")
        admin.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        made.append(name)
        return server.dsn(name)

    yield create
    for name in made:
        drop(admin, name)


@pytest.fixture
def trials(record_property: Callable[[str, object], None]) -> Trials:
    """Says how often a test has tried, for the table of `make prove`."""
    return partial(record_property, TRIALS)


def drop(admin: psycopg.Connection, name: str) -> None:
    profile.collect(admin, name)
    admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def dsn(new_database: Callable[..., str], template: str) -> str:
    """A database of the test's own, with the schema in it."""
    return new_database(template)


@pytest.fixture
def empty_dsn(new_database: Callable[..., str]) -> str:
    """A database of the test's own, with nothing in it."""
    return new_database()


@pytest.fixture
def connect(dsn: str) -> Iterator[Callable[..., psycopg.Connection]]:
    """Connect to the test's database, as a superuser or as `user`; closed after the test."""
    with ExitStack() as opened:

        def connect(user: str | None = None, autocommit: bool = True) -> psycopg.Connection:
            changes = {"user": user} if user else {}
            connection = psycopg.connect(dsn, autocommit=autocommit, **changes)
            opened.callback(connection.close)
            return connection

        yield connect


@pytest.fixture
def db(connect: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    """A superuser's connection in autocommit."""
    return connect()
