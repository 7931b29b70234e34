"""Question 7: bytes of a version on disk, and in the write-ahead log."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import psycopg

from benchmarks.bench import Bench, fill, one
from benchmarks.load import Load
from benchmarks.questions.growth import publishing
from benchmarks.questions.publish import FLOOR, PKGDB
from benchmarks.results import Chart, Column, Table

SINGLE, BULK, BARE = "pkgdb: publish", "pkgdb: publish_many", FLOOR.title
BATCH = 1_000
CLIENTS = 4
ALL = "all"
AFTER, LATER = "right after a checkpoint", "later"
SIZES = """
    select c.relname, pg_table_size(c.oid), pg_indexes_size(c.oid)
      from pg_class c
     where c.relkind = 'r' and c.relnamespace = %s::regnamespace
"""
WAL = """
    select sum(w.record_size)::float8, sum(w.fpi_size)::float8
      from pg_get_wal_stats(%s::pg_lsn, %s::pg_lsn) w
"""


@dataclass(frozen=True)
class Way:
    """To publish so many versions, by so many clients; in a database of its own."""

    title: str
    schema: str
    connection: psycopg.Connection[Any]
    run: Callable[[int, int], None]


def space(bench: Bench) -> None:
    registrations = 1_000 if bench.quick else 5_000
    versions = 2_000 if bench.quick else 10_000
    with ExitStack() as databases:
        ways = [
            databases.enter_context(prepared(bench, title, number, registrations))
            for number, title in enumerate((SINGLE, BULK, BARE))
        ]
        on_disk(bench, ways, versions)
        in_wal(bench, ways, registrations, versions // 20)


@contextmanager
def prepared(bench: Bench, title: str, number: int, registrations: int) -> Iterator[Way]:
    """A way, with so many packages to publish into."""
    name = f"space_{number}"
    dsn = bench.database(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create extension pg_walinspect")
        fill(connection, "'package-' || n", "'0.1.0'", registrations)
        contender = FLOOR if title == BARE else PKGDB
        if contender == FLOOR:
            FLOOR.install(connection)
        connection.execute("vacuum analyze")
        connection.execute(f"reindex database {name}".encode())  # all as full at first
        if title == BULK:
            run = partial(publish_many, bench, connection, registrations)
        else:
            script = publishing(contender, f"random(1, {registrations})")
            run = partial(publish, bench, dsn, script)
        yield Way(title, FLOOR.schema if contender == FLOOR else "pkgdb", connection, run)
    bench.drop(name)


def publish(bench: Bench, dsn: str, script: str, versions: int, clients: int) -> None:
    """Exactly so many, each in a transaction."""
    bench.pgbench(dsn, Load(script, clients), f"--transactions={versions // clients}")


def publish_many(
    bench: Bench,
    connection: psycopg.Connection[Any],
    registrations: int,
    versions: int,
    _: int,
) -> None:
    """In calls of a thousand, one after another."""
    number = bench.random.randrange(1 << 31)
    package = f"'package-' || (n * 7 %% {registrations} + 1)"
    for start in range(0, versions, BATCH):
        fill(connection, package, f"'2.{number}.' || n + {start}", min(BATCH, versions - start))


def on_disk(bench: Bench, ways: list[Way], versions: int) -> None:
    table = Table(
        id="space-disk",
        title="Bytes on disk of a version with one file, by table",
        series="way",
        x="table",
        columns=(
            Column("table", "table and its TOAST, bytes"),
            Column("indexes", "indexes, bytes"),
            Column("bytes", "both, bytes", beside=True),
        ),
        charts=(Chart("bytes", "bars"),),
        first=(BARE, None),
        note=f"What {versions:,} new versions add to the files: with what old row versions and "
        "half-full pages take.",
    )
    bench.say(table.title)
    bench.journal.table(table)
    for way in ways:
        before = sizes(way)
        way.run(versions, CLIENTS)
        after = sizes(way)
        grown = {
            name: [
                (new - old) / versions for new, old in zip(after[name], before[name], strict=True)
            ]
            for name in after
        }
        shown = {name: both for name, both in grown.items() if sum(both) >= 1}
        shown[ALL] = [sum(of) for of in zip(*grown.values(), strict=True)]
        for name, (rows, indexes) in sorted(shown.items(), key=lambda item: -sum(item[1])):
            values = {"table": rows, "indexes": indexes, "bytes": rows + indexes}
            bench.measure(table, 0, way.title, name, values)


def sizes(way: Way) -> dict[str, tuple[int, int]]:
    """Bytes by relation: of the table, and of its indexes."""
    rows = way.connection.execute(SIZES, [way.schema]).fetchall()
    return {name: (heap, indexes) for name, heap, indexes in rows}


def in_wal(bench: Bench, ways: list[Way], registrations: int, versions: int) -> None:
    table = Table(
        id="space-wal",
        title=f"Bytes of WAL for a version with one file, spread over {registrations:,} packages",
        series="way",
        x="when",
        columns=(
            Column("records", "records, bytes"),
            Column("pages", "full pages, bytes"),
            Column("bytes", "both, bytes", beside=True),
        ),
        charts=(Chart("bytes", "bars"),),
        first=(BARE, None),
        note=f"Each time {versions:,} versions by one client, and the same number again. A page's "
        "first change after a checkpoint writes all of it: the more versions until the next "
        "checkpoint, the fewer a version.",
        rows=tuple((way.title, when) for way in ways for when in (AFTER, LATER)),
    )

    def wal(way: Way) -> dict[str, float]:
        start = one(way.connection, "select pg_current_wal_insert_lsn()")
        way.run(versions, 1)
        end = one(way.connection, "select pg_current_wal_flush_lsn()")
        found = way.connection.execute(WAL, [start, end]).fetchone() or (0, 0)
        records, pages = (size / versions for size in found)
        return {"records": records, "pages": pages, "bytes": records + pages}

    bench.say(table.title)
    bench.journal.table(table)
    for number in range(2):
        for way in bench.random.sample(ways, len(ways)):
            way.connection.execute("checkpoint")
            for when in (AFTER, LATER):
                bench.measure(table, number, way.title, when, wal(way))
