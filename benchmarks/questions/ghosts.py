"""Question 3: what versions that were deleted, and are not purged yet, cost those that live."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from benchmarks.bench import NAMESPACE, Bench, Turn, one
from benchmarks.load import Load
from benchmarks.questions.growth import Packages, bulk_load, publishing, times, warm
from benchmarks.questions.publish import PKGDB
from benchmarks.results import Chart, Column, Table

GHOSTS = {0: 0, 50: 1, 95: 19}  # percent of a package's rows: ghosts beside its one live version
CLIENTS = 4
BATCH = 1_000  # ghosts that one purge removes at most
ALONE, PURGING = "no purge", "1 client purges"
NEW, AGAIN = "a new version", "a deleted version again"
COLUMNS = (
    Column("rate", "versions/s", beside=True),
    Column("p50", "p50, ms", digits=2),
    Column("p99", "p99, ms", digits=2),
)


def ghosts(bench: Bench) -> None:
    packages = 3_000 if bench.quick else 10_000
    shares = [0, 95] if bench.quick else list(GHOSTS)
    dsns = {share: haunted(bench, packages, share) for share in shares}

    def publish(share: int, _: int) -> dict[str, float]:
        script = publishing(PKGDB, f"random(1, {packages})")
        return times(bench.load(dsns[share], Load(script, CLIENTS)))

    bench.rounds_of(
        Table(
            id="ghosts",
            title=f"Publishing where versions were deleted, spread over {packages:,} packages, "
            f"{CLIENTS} clients",
            series="contender",
            x="ghosts, % of all rows",
            columns=COLUMNS,
            charts=(Chart("rate", log_x=False),),
            first=(None, 0),
            note="Each package has one live version at first, and 0, 1 or 19 deleted ones that are "
            "not purged.",
        ),
        [Turn(PKGDB.title, share, partial(publish, share)) for share in shares],
    )
    again(bench, dsns[95], packages)
    purging(bench, dsns[95], packages)


def haunted(bench: Bench, packages: int, share: int) -> str:
    """A database with as many ghosts, and where what was deleted may come again."""
    dsn = bench.database(f"ghosts_{share}")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "select pkgdb.alter_repository(%s, 'main', '{\"reuse\": \"always\"}')", [NAMESPACE]
        )
        bulk_load(bench, connection, Packages(packages, 1, GHOSTS[share]))
        connection.execute("create sequence public.turn minvalue 0")
        warm(connection)
    return dsn


def again(bench: Bench, dsn: str, packages: int) -> None:
    """The same, of versions that have a ghost and of others; each version once."""

    def take(version: str, _: int) -> dict[str, float]:
        script = f"""
select nextval('public.turn') as number \\gset
select * from pkgdb.publish('{NAMESPACE}', 'main', 'npm',
    'package-' || :number % {packages} + 1, {version},
    p_files => jsonb_build_array(jsonb_build_object(
        'filename', 'package-' || :number || '.tgz',
        'sha256', encode(sha256(convert_to(:number || 'x' || random(), 'UTF8')), 'hex'),
        'size', 100)));
"""
        return times(bench.load(dsn, Load(script, CLIENTS)))

    ghost = f":number / {packages} + 1"
    bench.rounds_of(
        Table(
            id="ghosts-again",
            title=f"Publishing a version that was deleted, {CLIENTS} clients",
            series="what",
            x="packages",
            columns=COLUMNS,
            charts=(Chart("rate", "bars"),),
            first=(NEW, None),
            note="The reuse policy is always. Ghost and tombstone stay; the version comes "
            "again with other bytes, as a row of its own.",
        ),
        [
            Turn(NEW, packages, partial(take, f"'2.0.' || {ghost}")),
            Turn(AGAIN, packages, partial(take, f"'0.0.' || {ghost}")),
        ],
    )


def purging(bench: Bench, dsn: str, packages: int) -> None:
    """Publishing beside one client that purges, and how fast that one is."""
    load = Load(publishing(PKGDB, f"random(1, {packages})"), CLIENTS)

    def alone(_: int) -> dict[str, float]:
        return times(bench.load(dsn, load))

    def beside_a_purge(_: int) -> dict[str, float]:
        done = threading.Event()
        with ThreadPoolExecutor(1) as worker:
            purged = worker.submit(purge, dsn, done)
            try:
                seen = bench.load(dsn, load)
            finally:
                done.set()
            return times(seen) | {"purged": purged.result()}

    bench.rounds_of(
        Table(
            id="ghosts-purge",
            title=f"Publishing beside a purge, 95 % ghosts at first, {CLIENTS} clients",
            series="beside",
            x="publishers",
            columns=(*COLUMNS, Column("purged", "ghosts purged/s")),
            charts=(Chart("rate", "bars"),),
            first=(ALONE, None),
            note=f"One client purges, {BATCH:,} ghosts a call, one call after the other.",
        ),
        [Turn(ALONE, CLIENTS, alone), Turn(PURGING, CLIENTS, beside_a_purge)],
    )


def purge(dsn: str, done: threading.Event) -> float:
    """Ghosts a second, over whole calls, until told to end."""
    purged = 0
    began = time.monotonic()
    with psycopg.connect(dsn, autocommit=True) as connection:
        while not done.is_set():
            call = "select versions from pkgdb.purge(%s, p_limit => %s)"
            purged += one(connection, call, NAMESPACE, BATCH)
    return purged / (time.monotonic() - began)
