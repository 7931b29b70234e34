"""pkgdb, in a namespace of its own for each number of packages."""

import random
import re
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.aptly.packages import Index, Key, Package
from benchmarks.load import Load, pgbench
from pkgdb.indexes import Source, debian
from pkgdb.indexes.entry import Bad
from pkgdb.server import Server

BATCH = 2_000

# What a client of pgbench runs: new versions of packages of its own.
EDIT = """
\\set n :n + 1
\\set e (:client_id + :n) % {templates}
\\set package :n % {packages}
select pkgdb.{function}('{namespace}', 'main', 'deb', 'many-' || :client_id || '-' || :package,
           '{version}-' || :n, item ->> 'variant'{more})
  from public.edit where n = :e;
"""
PACKAGES = 10  # of each client
CONTENT = """,
           p_files => item -> 'files', p_metadata => item -> 'metadata',
           p_dependencies => item -> 'dependencies'"""
ON_THE_SERVER = """
do $$
declare
    v_start timestamptz := clock_timestamp();
begin
    perform pkgdb.create_snapshot('{namespace}', '{snapshot}', 'main');
    perform set_config('bench.seconds',
                       extract(epoch from clock_timestamp() - v_start)::text, false);
end $$
"""


class Pkgdb:
    """The repository `main` and the snapshots `left` and `right`, as aptly has them."""

    def __init__(self, server: Server, dsn: str, size: int) -> None:
        self.server = server
        self.dsn = dsn
        self.size = size
        self.namespace = f"aptly-{size}"
        self.connection = psycopg.connect(self.dsn, autocommit=True, prepare_threshold=0)
        self.templates: list[dict[str, Any]] = []
        self._numbers = 0

    def prepare(self, index: Index) -> None:
        """Load the packages, freeze them, change one in a hundred, freeze them again."""
        self.call("create_repository", "main")
        self.publish(index.base(0, self.size))
        self.call("create_snapshot", "left", "main")
        with self.connection.pipeline():
            for package in index.replaced(0, self.size) + index.removed(0, self.size):
                self.delete(package.key)
        self.publish(index.newer(0, self.size) + index.added(0, self.size))
        self.call("create_snapshot", "right", "main")
        self.templates = _items(index.edits())
        self.connection.execute("drop table if exists public.edit")
        self.connection.execute("create table public.edit (n integer primary key, item jsonb)")
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into public.edit values (%s, %s)",
                [(n, Jsonb(item)) for n, item in enumerate(self.templates)],
            )
        self.connection.execute("vacuum analyze")
        self.connection.execute("checkpoint")

    def call(self, function: str, *arguments: object, **named: object) -> list[Any]:
        given = ["%s"] * (len(arguments) + 1) + [f"p_{name} => %({name})s" for name in named]
        if named:
            given[: len(arguments) + 1] = [f"%({n})s" for n in range(len(arguments) + 1)]
        values = [self.namespace, *arguments]
        return self.connection.execute(
            f"select * from pkgdb.{function}({', '.join(given)})",
            {str(n): value for n, value in enumerate(values)} | named if named else values,
        ).fetchall()

    def timed(self, function: str, *arguments: object, **named: object) -> float:
        start = time.perf_counter()
        self.call(function, *arguments, **named)
        return time.perf_counter() - start

    def publish(self, packages: Sequence[Package]) -> None:
        items = iter(_items(packages))
        while batch := list(islice(items, BATCH)):
            self.call("publish_many", "main", Jsonb(batch))
            self.connection.execute("discard plans")  # made while the tables were empty

    def delete(self, key: Key) -> None:
        name, version, variant = key
        self.connection.execute(
            "select from pkgdb.delete_version(%s, 'main', 'deb', %s, %s, %s)",
            [self.namespace, name, version, variant],
        )

    def close(self) -> None:
        self.connection.close()

    # -- what is measured ---------------------------------------------------------------------

    def create_snapshot(self) -> tuple[float, float]:
        """Seconds for the client, and for the function alone on the server."""
        for_client = self.timed("create_snapshot", "timed", "main")
        text = ON_THE_SERVER.format(namespace=self.namespace, snapshot="inside")
        self.connection.execute(text)
        (inside,) = self.connection.execute(
            "select current_setting('bench.seconds')::float8"
        ).fetchone() or (0.0,)
        for snapshot in ("timed", "inside"):
            self.call("drop_snapshot", snapshot)
        return for_client, inside

    def edit(self) -> tuple[float, float]:
        """Seconds to publish a package, and to delete it."""
        self._numbers += 1
        item = self.templates[0]
        name = f"single-{self._numbers}"
        start = time.perf_counter()
        self.call(
            "publish", "main", "deb", name, item["version"], item["variant"],
            files=Jsonb(item["files"]), metadata=Jsonb(item["metadata"]),
            dependencies=Jsonb(item["dependencies"]),
        )  # fmt: skip
        published = time.perf_counter()
        self.delete((name, item["version"], item["variant"]))
        return published - start, time.perf_counter() - published

    def edits(self, clients: int, each: int) -> tuple[int, int, float]:
        """Publish from all clients at once, then delete it all: acknowledged, lost, a second."""
        self._numbers += 1
        version = f"1.{self._numbers}"
        added, adding = self._pgbench("publish", version, clients, each)
        lost = added - self._count(version)
        removed, removing = self._pgbench("delete_version", version, clients, each)
        lost += self._count(version) - (added - removed)
        return added + removed, lost, (added + removed) / (added / adding + removed / removing)

    def clean(self) -> None:
        """What the worker does besides: rows that nothing needs any longer."""
        while self.call("purge", "main", 10_000)[0][0]:
            pass
        self.connection.execute("vacuum analyze")

    def _pgbench(self, function: str, version: str, clients: int, each: int) -> tuple[int, float]:
        script = EDIT.format(
            function=function,
            namespace=self.namespace,
            version=version,
            templates=len(self.templates),
            packages=PACKAGES,
            more=CONTENT if function == "publish" else "",
        )
        load = Load(script, clients, defined={"n": 0})
        seed = random.randrange(1 << 31)
        printed = pgbench(self.server, self.dsn, load, seed, f"--transactions={each}")
        acknowledged = re.search(r"actually processed: (\d+)", printed)
        rate = re.search(r"tps = ([\d.]+) \(without", printed)
        if not (acknowledged and rate):
            raise SystemExit(f"pgbench said nothing of its rate:\n{printed}")
        return int(acknowledged[1]), float(rate[1])

    def _count(self, version: str) -> int:
        (count,) = self.connection.execute(
            "select count(*) from pkgdb.search_versions(%s, 'main')"
            " where name like 'many-%%' and version like %s",
            [self.namespace, f"{version}-%"],
        ).fetchone() or (0,)
        return int(count)

    # -- what comes out -----------------------------------------------------------------------

    def snapshot(self, name: str) -> set[Key]:
        return {
            (row[0], row[1], row[2])
            for row in self.connection.execute(
                "select name, version, variant from pkgdb.search_versions(%s, p_snapshot => %s)",
                [self.namespace, name],
            )
        }

    def difference(self) -> tuple[set[Key], set[Key]]:
        """What only the left has, and only the right."""
        rows = self.connection.execute(
            "select name, variant, left_version, right_version"
            " from pkgdb.diff_snapshots(%s, 'left', 'right')",
            [self.namespace],
        ).fetchall()
        return (
            {(name, left, variant) for name, variant, left, _ in rows if left is not None},
            {(name, right, variant) for name, variant, _, right in rows if right is not None},
        )


def _items(packages: Sequence[Package]) -> list[dict[str, Any]]:
    """As publish_many takes them: read as any index is."""
    items = []
    with tempfile.NamedTemporaryFile("w", suffix=".Packages") as file:
        file.writelines(package.text() + "\n" for package in packages)
        file.flush()
        with Source(Path(file.name)) as source:
            for entry in debian.read(source):
                if isinstance(entry, Bad):
                    raise SystemExit(f"line {entry.line} of the index: {entry.reason}")
                items.append(entry.item)
    return items
