"""Question 6: what a publication costs whose bytes two backends have to have first."""

import asyncio
import hashlib
import tempfile
import time
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.bench import NAMESPACE, Bench, Turn, fill
from benchmarks.load import Load, percentiles
from benchmarks.questions.growth import publishing
from benchmarks.questions.publish import PKGDB, VERSION
from benchmarks.results import Chart, Column, Table
from pkgdb import File, connect
from pkgdb.storage import AsyncPublisher
from pkgdb.storage.store import Store

BACKENDS = ("near", "far")
SIZE = 100_000  # bytes of a file
STEPS = "pkgdb: begin, record_copy twice, commit"
CALL = "pkgdb: publish, bytes stored elsewhere"
PUBLICATION = """
select publication_id, fence, copies -> 0 ->> 'sha256' as sha256,
       copies -> 0 ->> 'backend' as one, copies -> 0 ->> 'generation' as one_generation,
       copies -> 1 ->> 'backend' as other, copies -> 1 ->> 'generation' as other_generation
  from pkgdb.begin_publication('bench', 'kept', 'npm', 'kept-' || :package,
    '1.' || :version || '.0', p_files => jsonb_build_array(jsonb_build_object(
        'filename', 'kept-' || :version || '.tgz',
        'sha256', encode(sha256(convert_to(:version || 'x' || random(), 'UTF8')), 'hex'),
        'size', 100))) \\gset
select * from pkgdb.record_copy('bench', :publication_id, :fence, :one, :sha256, :one_generation);
select * from pkgdb.record_copy(
    'bench', :publication_id, :fence, :other, :sha256, :other_generation);
select * from pkgdb.commit_publication('bench', :publication_id, :fence);
"""


def publication(bench: Bench) -> None:
    registrations = 1_000 if bench.quick else 10_000
    dsn = bench.database("publication")
    with tempfile.TemporaryDirectory(prefix="pkgdb-bench-") as folder:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("select from pkgdb.create_repository(%s, 'kept')", [NAMESPACE])
            fill(connection, "'package-' || n", "'0.1.0'", registrations)
            fill(connection, "'kept-' || n", "'0.1.0'", registrations, repository="kept")
            asyncio.run(keep(dsn, Path(folder)))
            connection.execute("vacuum analyze")
        in_sql(bench, dsn, f"random(1, {registrations})")
        through_the_publisher(bench, dsn, Path(folder))
    bench.drop("publication")


async def keep(dsn: str, folder: Path) -> None:
    """Two folders that the repositories `kept` and `files` demand."""
    with connect(dsn) as registry:
        registry.create_repository(NAMESPACE, "files")
        for name in BACKENDS:
            url = (folder / name).as_uri()
            backend = registry.add_backend(NAMESPACE, name, url)
            await Store.open(url, create=True).claim(backend.installation_id)
            for repository in ("kept", "files"):
                registry.set_repository_backend(NAMESPACE, repository, name)


def in_sql(bench: Bench, dsn: str, package: str) -> None:
    table = Table(
        id="publication-steps",
        title="The steps of a publication to two backends, without the uploads",
        series="way",
        x="clients",
        columns=(
            Column("rate", "versions/s", beside=True),
            Column("p50", "p50, ms", digits=1),
            Column("p99", "p99, ms", digits=1),
        ),
        charts=(Chart("rate"),),
        first=(CALL, None),
        note="Four transactions a version, beside one. Nothing is uploaded.",
    )

    def take(statements: str, clients: int, _: int) -> dict[str, float]:
        return bench.load(dsn, Load(statements, clients)).values()

    ways = {
        CALL: publishing(PKGDB, package),
        STEPS: f"{VERSION}\\set package {package}\n{PUBLICATION}",
    }
    bench.rounds_of(
        table,
        [
            Turn(way, clients, partial(take, statements, clients))
            for way, statements in ways.items()
            for clients in ((1, 16) if bench.quick else (1, 4, 16))
        ],
    )


def through_the_publisher(bench: Bench, dsn: str, folder: Path) -> None:
    table = Table(
        id="publication-files",
        title=f"Publishing a file of {SIZE:,} bytes to two folders, all steps",
        series="way",
        x="publications at once",
        columns=(
            Column("rate", "publications/s", beside=True, digits=1),
            Column("p50", "p50, ms", digits=1),
            Column("p99", "p99, ms", digits=1),
        ),
        charts=(Chart("rate", "bars"),),
        first=(None, 1),
        note="One Python process: hashing, two uploads, four transactions. The folders are on the "
        "server's disk, and each object is flushed to it.",
    )
    publications = 15 if bench.quick else 60

    def take(at_once: int, number: int) -> dict[str, float]:
        return asyncio.run(publish(bench, dsn, folder, at_once, publications, number))

    bench.rounds_of(table, [Turn("pkgdb: AsyncPublisher", n, partial(take, n)) for n in (1, 4)])


async def publish(
    bench: Bench, dsn: str, folder: Path, at_once: int, publications: int, number: int
) -> dict[str, float]:
    """Publish new files, so many of them at once: how fast, and how long each takes."""
    waiting: list[tuple[str, File, Path]] = []
    for place in range(-at_once, publications):  # those below 0 only open the connections
        name = f"file-{number}-{at_once}-{place}.tgz"
        content = bench.random.randbytes(SIZE)
        (folder / name).write_bytes(content)
        file = File(name, hashlib.sha256(content).hexdigest(), SIZE)
        waiting.append((name, file, folder / name))
    times: list[float] = []

    async with AsyncPublisher.open(dsn) as publisher:

        async def client(rest: list[tuple[str, File, Path]]) -> None:
            while rest:
                name, file, path = rest.pop()
                began = time.perf_counter()
                await publisher.publish(
                    NAMESPACE, "files", "npm", name.lower(), "1.0.0", files=[(file, path)]
                )
                times.append(1000 * (time.perf_counter() - began))

        async def clients(rest: list[tuple[str, File, Path]]) -> None:
            await asyncio.gather(*(client(rest) for _ in range(at_once)))

        await clients(waiting[:at_once])
        times.clear()
        began = time.perf_counter()
        await clients(waiting[at_once:])
        seconds = time.perf_counter() - began
    p50, p99 = percentiles(times)
    return {"rate": publications / seconds, "p50": p50, "p99": p99}
