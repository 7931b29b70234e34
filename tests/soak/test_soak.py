"""A registry in steady use for PKGDB_SOAK_MINUTES: nothing grows that should not, and once
everybody has gone nothing is left behind.

What grows by design: a tombstone for each version that was ever deleted, and a registration for
each name that was ever published, until their repository is dropped; a row for each publication, as
long as its version lives and a week longer; the feed, until its slowest consumer has read it.
Publishers here have so many names and versions each, and publish them again.
"""

import os
from collections.abc import Callable, Iterator

import psycopg
import pytest

from pkgdb.server import Server
from tests.behaviour.calls import Calls
from tests.interleavings.explorer import seed
from tests.servers import launching, scratch
from tests.soak.clients import (
    Curator,
    Janitor,
    Kinds,
    Mirror,
    Mortal,
    Publisher,
    Reader,
    prepare,
)
from tests.soak.gauges import DEAD_IN_ALL, PROC, Observer
from tests.soak.soak import Soak
from tests.soak.table import AGE, GHOSTS, LOCKS, MEMORY, SOAK, Course, lines
from tests.support import Trials, missing

pytestmark = pytest.mark.slow
MINUTES = float(os.environ.get("PKGDB_SOAK_MINUTES", "0.5"))
DAYS = 36  # at least: of what is kept for a week nothing goes before the eighth day
STAYS = {"alembic_version", "ecosystem", "feed_head", "feed_incarnation", "namespace"}
STAYS |= {"protection", "version_scheme"}


@pytest.fixture
def server() -> Iterator[Server]:
    """One that vacuums as it does by default, if more often: there is less time."""
    with scratch() as place, launching() as launch:
        server = launch(place / "server", autovacuum_naptime="1s")
        prepare(server.dsn())
        yield server


@pytest.fixture
def observer(server: Server) -> Iterator[Observer]:
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        yield Observer(db)


def unbounded(found: list[Course]) -> set[str]:
    return {course.gauge for course in found if not course.bounded}


def test_nothing_grows(
    server: Server, observer: Observer, record_property: Callable[..., None], trials: Trials
) -> None:
    soak = Soak(server, seed(), Publisher, Mortal, Curator, Mirror, Reader, Janitor)
    found = soak.run(MINUTES, DAYS)
    print(soak, *lines(found), sep="\n")
    assert unbounded(found) == set()
    assert max(soak.record.values[LOCKS]) < observer.room_for_locks() / 2
    assert soak.deaths

    soak.drain(observer.db)
    left = {name for name, rows in observer.ghosts().items() if rows}
    assert left <= {"versions", "files"}  # of snapshots
    calls = Calls(observer.db, ("acme",))
    assert calls.rows("check_integrity") == []
    soak.dismantle(observer.db)
    assert {name for name, rows in observer.rows().items() if rows} <= STAYS
    assert observer.locks() == (0, 0)
    record_property(SOAK, (str(soak), [tuple(course) for course in found]))
    trials(soak.calls)
    if not PROC.is_dir():
        missing(f"{PROC} is not there, and nobody else says how much memory a process has")


class Hoarder(Publisher):
    """Keeps a lock with each step that it makes."""

    def step(self, calls: Calls) -> None:
        calls.connection.execute("select pg_advisory_lock(nextval('public.tick'))")
        super().step(calls)


class Composer(Publisher):
    """Has a new statement prepared for each step. With a rollback psycopg would drop them all."""

    def kinds(self) -> Kinds:
        kinds = super().kinds()
        return {kind: kinds[kind] for kind in kinds if kind != self.roll_back}

    def step(self, calls: Calls) -> None:
        name = f"another_{next(self.numbers)}"
        calls.connection.execute(f"prepare {name} as select * from pkgdb.files".encode())
        super().step(calls)


class Careless(Janitor):
    def purge(self, calls: Calls) -> int:
        return 0


def test_what_grows_is_seen(server: Server, observer: Observer) -> None:
    with psycopg.connect(server.dsn()) as forgotten:
        forgotten.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        forgotten.execute("select from pkgdb.files")
        soak = Soak(server, seed(), Hoarder, Composer, Reader, Careless)
        found = soak.run(0, DAYS)
    print(soak, *lines(found), sep="\n")
    too_much = unbounded(found)
    assert {LOCKS, AGE, DEAD_IN_ALL, f"{GHOSTS} versions", f"{GHOSTS} files"} <= too_much
    assert not PROC.is_dir() or f"{MEMORY} composer" in too_much
    assert f"{MEMORY} reader" not in too_much
