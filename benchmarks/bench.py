"""One run: a durable server of its own, rounds in which contenders take turns, a journal."""

import os
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console

from benchmarks.load import Load, Seen, pgbench, run
from benchmarks.results import Journal, Measure, Table, Value
from pkgdb import migrate
from pkgdb.server import Server

# In megabytes. The documentation of shared_buffers starts from a quarter of it; not more than 8 GB
# here, as a container may have less than the machine says.
MEMORY = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
SETTINGS = {
    "shared_buffers": f"{min(MEMORY // 4, 8192)}MB",
    "max_wal_size": "4GB",
    "max_connections": "150",
    "shared_preload_libraries": "pg_stat_statements",
    # On only where it is asked: its own time is that of many small statements.
    "pg_stat_statements.track": "none",
}
NAMESPACE = "bench"
TEMPLATE = "registry"


@dataclass(frozen=True)
class Turn:
    """One contender at one place. `take` gets the number of the round."""

    series: str
    x: Value
    take: Callable[[int], Mapping[str, float]]


class Bench:
    """What the questions share."""

    def __init__(
        self,
        server: Server,
        journal: Journal,
        console: Console,
        *,
        quick: bool,
        seed: int,
        largest: int,
    ) -> None:
        self.server = server
        self.journal = journal
        self.console = console
        self.quick = quick
        self.largest = largest  # versions of a registry that is still measured
        self.random = random.Random(seed)
        self.rounds = 1 if quick else 3
        self.seconds = 0.7

    def say(self, text: str) -> None:
        self.console.print(f"[dim]{text}[/dim]", highlight=False)

    # Databases, each with the schema.

    def database(self, name: str) -> str:
        """A new database with the schema, and an empty repository `main`; its DSN."""
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            there = connection.execute(
                "select from pg_database where datname = %s", [TEMPLATE]
            ).fetchone()
            if there is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
                migrate.upgrade(self.server.dsn(TEMPLATE))
            connection.execute(
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(name), sql.Identifier(TEMPLATE)
                )
            )
        dsn = self.server.dsn(name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("select * from pkgdb.create_repository(%s, 'main')", [NAMESPACE])
        return dsn

    def drop(self, name: str) -> None:
        with psycopg.connect(self.server.dsn(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database {} with (force)").format(sql.Identifier(name))
            )

    # Rounds.

    def rounds_of(self, table: Table, turns: Iterable[Turn], rounds: int | None = None) -> None:
        """Let all take their turn in each round, in an order of its own, and write it down."""
        self.say(table.title)
        turns = list(turns)
        self.journal.table(replace(table, rows=tuple((turn.series, turn.x) for turn in turns)))
        for number in range(rounds or self.rounds):
            for turn in self.random.sample(turns, len(turns)):
                self.measure(table, number, turn.series, turn.x, turn.take(number))

    def measure(
        self, table: Table, number: int, series: str, x: Value, values: Mapping[str, float]
    ) -> None:
        self.journal.measure(Measure(table.id, number, series, x, dict(values)))

    def load(self, dsn: str, load: Load) -> Seen:
        """Of a load: its rate and times."""
        # Each connection reads the catalogs and plans its statements, five times until it keeps a
        # plan: 20 to 40 ms of a processor for the longest calls.
        warm_up = 0.3 + load.clients / 32
        return run(self.server, dsn, load, self.seconds, warm_up, self._seed())

    def pgbench(self, dsn: str, load: Load, *options: str) -> str:
        """Of a load that these options end: what pgbench prints."""
        return pgbench(self.server, dsn, load, self._seed(), *options)

    def _seed(self) -> int:
        """Each load has a seed of its own, drawn from the run's."""
        return self.random.randrange(1 << 31)


def one(connection: psycopg.Connection[Any], query: str, *arguments: object) -> Any:
    """The one value of the one row."""
    (value,) = connection.execute(query.encode(), arguments).fetchone() or (None,)
    return value


def fill(
    connection: psycopg.Connection[Any],
    name: str,
    version: str,
    count: int,
    *,
    repository: str = "main",
) -> None:
    """Publish so many npm versions with a file each: SQL over n (from 1) gives name and version."""
    for start in range(0, count, 10_000):
        connection.execute(
            f"""
            select count(*)
              from pkgdb.publish_many(%s, %s, (
                    select jsonb_agg(jsonb_build_object(
                               'ecosystem', 'npm', 'name', {name}, 'version', {version},
                               'files', jsonb_build_array(jsonb_build_object(
                                   'filename', {name} || '-' || {version} || '.tgz',
                                   'sha256', encode(sha256(convert_to(
                                       {name} || '@' || {version}, 'UTF8')), 'hex'),
                                   'size', 100))))
                      from generate_series(%s::integer, %s::integer) n))""".encode(),
            [NAMESPACE, repository, start + 1, min(start + 10_000, count)],
        )
