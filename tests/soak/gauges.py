"""What must not grow while a registry is in steady use, how it is read, and how it is judged."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from tests.behaviour.calls import tables
from tests.soak.clients import NOW
from tests.soak.table import AGE, DEAD, GHOSTS, LOCKS, MEMORY, ROWS, SIZE, Course

PROC = Path("/proc")
DEAD_IN_ALL = f"{DEAD} all others"


class Limit(NamedTuple):
    """How much more the last quarter's median may be than the second quarter's.

    What grows by the same amount with each call is 2.3 times as much by then. The slack is for
    what there is so little of that chance or one event makes all the difference.
    """

    share: float
    slack: float


LIMITS = {
    # A case that a backend has not met yet costs it a plan or two.
    MEMORY: Limit(0.05, 4 << 10),
    # Several who extend a table at once do so by a hundred pages.
    SIZE: Limit(0.25, 1 << 10),
    # A vacuum may come a moment earlier or later; to the outbox only at so many.
    DEAD: Limit(0.25, 1000),
    DEAD_IN_ALL: Limit(0.25, 3000),
    f"{DEAD} outbox": Limit(0.25, 5000),
    ROWS: Limit(0.25, 500),
    LOCKS: Limit(0.25, 200),
    GHOSTS: Limit(0.25, 100),
    AGE: Limit(0.25, 500),
}

Sample = Mapping[str, float]  # by gauge, the family and what of it


class Record:
    """The samples of a run, in little room: it is in the memory that is looked at."""

    def __init__(self) -> None:
        self.calls = array("q")  # that had been answered at the time of each
        self.values: dict[str, array[float]] = {}

    def add(self, calls: int, sample: Sample) -> None:
        for gauge, value in sample.items():
            # One that comes later was nothing before.
            self.values.setdefault(gauge, array("d", [0] * len(self.calls))).append(value)
        self.calls.append(calls)

    def courses(self) -> list[Course]:
        """In quarters of the calls: time proves nothing."""
        second, third, fourth = (
            bisect_left(self.calls, self.calls[-1] * part / 4) for part in range(1, 4)
        )
        found = []
        for gauge, values in sorted(self.values.items()):
            middle, last = median(values[second:third]), median(values[fourth:])
            share, slack = LIMITS[max(filter(gauge.startswith, LIMITS), key=len)]
            found.append(Course(gauge, values[0], middle, last, middle * (1 + share) + slack))
        return found


def memory(pid: int) -> float:
    """kB that a process has for itself."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return float(line.split()[1])
    raise AssertionError(f"no RssAnon of {pid}")


class Observer:
    """Reads gauges, through a connection of its own."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self.db = db
        self.tables = tables(db)
        each = sql.SQL("select {}, count(*) from pkgdb.{}")
        self.counting = sql.SQL(" union all ").join(
            each.format(sql.Literal(name), sql.Identifier(name)) for name in self.tables
        )

    def rows(self) -> dict[str, int]:
        return dict(self.db.execute(self.counting).fetchall())

    def ghosts(self) -> dict[str, int]:
        return dict(self.db.execute(GHOSTS_NOW).fetchall())

    def locks(self) -> tuple[int, int]:
        """Of everybody else but autovacuum: all, and those that are waited for."""
        return self.db.execute(LOCKS_NOW).fetchone() or (0, 0)

    def room_for_locks(self) -> int:
        """How many the server has room for at least."""
        (found,) = self.db.execute(ROOM_FOR_LOCKS).fetchone() or (0,)
        return int(found)

    def sample(self, processes: Iterable[tuple[str, int]]) -> Sample:
        """All gauges, with the memory of these processes."""
        locks, waited_for = self.locks()
        found: dict[str, float] = {LOCKS: locks, f"{LOCKS} waited for": waited_for}
        found |= {f"{ROWS} {name}": rows for name, rows in self.rows().items()}
        found |= {f"{GHOSTS} {name}": rows for name, rows in self.ghosts().items()}
        for name, dead, size in self.db.execute(TABLES_NOW, [self.tables]):
            found |= {f"{DEAD} {name}": dead, f"{SIZE} {name}": size / 1024}
        found[DEAD_IN_ALL] = sum(found[f"{DEAD} {name}"] for name in {*self.tables} - {"outbox"})
        size, age = self.db.execute(DATABASE_NOW).fetchone() or (0, 0)
        found |= {f"{SIZE} the database": size / 1024, AGE: age}
        if PROC.is_dir():
            found |= {f"{MEMORY} {name}": memory(pid) for name, pid in processes}
        return found


TABLES_NOW = """
    select s.relname, s.n_dead_tup, pg_total_relation_size(s.relid)
      from pg_stat_user_tables s
     where s.schemaname = 'pkgdb' and s.relname = any (%s)"""
DATABASE_NOW = """
    select pg_database_size(current_database()),
           (select coalesce(max(greatest(age(a.backend_xid), age(a.backend_xmin))), 0)
              from pg_stat_activity a
             where a.backend_type = 'client backend' and a.pid <> pg_backend_pid())"""
LOCKS_NOW = """
    select count(*), count(*) filter (where not granted)
      from pg_locks left join pg_stat_activity using (pid)
     where pid is distinct from pg_backend_pid()
       and backend_type is distinct from 'autovacuum worker'"""
ROOM_FOR_LOCKS = """
    select current_setting('max_locks_per_transaction')::integer
        * (current_setting('max_connections')::integer
           + current_setting('max_prepared_transactions')::integer)"""
GHOSTS_NOW = f"""
    select 'versions', count(*) from pkgdb.package_version
     where status in ('failed', 'pending_destruction')
    union all
    select 'files', count(*) from pkgdb.file where status in ('failed', 'pending_destruction')
    union all
    select 'repositories', count(*) from pkgdb.repository where status = 'dropped'
    union all
    select 'lapsed publications', count(*) from pkgdb.publication
     where status = 'open' and lease_until < {NOW}
    union all
    select 'ended publications', count(*) from pkgdb.publication where expires_at is not null
    union all
    select 'answers remembered', count(*) from pkgdb.request
    union all
    select 'unneeded blobs', count(*) from pkgdb.blob where unneeded_since is not null
    union all
    select 'objects to be deleted', count(*) from pkgdb.blob_copy where state = 'deleting'
    union all
    select 'copies to be made', count(*) from pkgdb.blob_copy where state = 'pending'
    union all
    select 'dead letters', count(*) from pkgdb.dead_letters
    union all
    select 'events that no consumer has read', coalesce(max(behind), 0) from pkgdb.consumers
    union all
    select 'names in an old order', count(*) from pkgdb.outdated_registrations
"""
