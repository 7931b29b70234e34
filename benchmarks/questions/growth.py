"""Question 2: what a publish costs as its package grows, and as the whole registry grows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import psycopg

from benchmarks.bench import NAMESPACE, Bench, Turn, one
from benchmarks.load import Load, Seen, beside
from benchmarks.questions.publish import CONTENDERS, FLOOR, PKGDB, VERSION, Contender
from benchmarks.results import Chart, Column, Table

BLOCK = 1_000_000  # versions that are loaded by one statement
EACH = 10  # versions of a package of a registry
CLIENTS = 4
SPREAD = 1_000  # packages that publishes are spread over in a registry of any size
ALIKE = 10_000  # versions in all packages of one size
ONE_CALL = ("floor", "pkgdb", "for_update")
REWRITERS = ("nuget_trigger", "rubygems", "warehouse")  # touch all versions of the package
CALLS = 40  # of whose later half pages are counted: by then each statement has its plan
TABLES = ("registration", "package_version", "blob", "file", "tombstone")


@dataclass(frozen=True)
class Packages:
    """Packages `package-<first>` and so on, of as many live and deleted versions each.

    Live are 0.1.0, 0.2.0 and so on; deleted, and not purged, 0.0.1, 0.0.2 and so on.
    """

    count: int
    live: int
    deleted: int = 0
    first: int = 1

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)

    @property
    def rows(self) -> int:
        return self.count * (self.live + self.deleted)


def bulk_load(bench: Bench, connection: psycopg.Connection[Any], *loaded: Packages) -> None:
    """Write versions with a file each as if they had been published, and deleted, one by one.

    Straight to the tables, as fast as it goes: indexes are made at the end, keys once for all
    packages, and triggers, which look for what is referred to, do not run. What happened is in the
    feed no longer.
    """
    began = time.monotonic()
    while one(connection, "select pkgdb.sequence_events(%s)", NAMESPACE):
        pass
    connection.execute("select pkgdb.prune_events(%s, '0')", [NAMESPACE])
    with unhindered(connection):
        for packages in loaded:
            block = max(1, BLOCK // (packages.live + packages.deleted))
            for done in range(0, packages.count, block):
                part = Packages(
                    min(block, packages.count - done),
                    packages.live,
                    packages.deleted,
                    packages.first + done,
                )
                write(connection, part)
                if packages.rows > BLOCK:
                    bench.say(
                        f"loaded {packages.rows * (done + part.count) // packages.count:,} of "
                        f"{packages.rows:,} versions, {time.monotonic() - began:,.0f} s"
                    )
    names = ", ".join(f"pkgdb.{name}" for name in TABLES)
    connection.execute(f"vacuum (analyze) {names}".encode())
    rows = sum(packages.rows for packages in loaded)
    size = one(connection, "select pg_database_size(current_database())")
    bench.say(f"{rows:,} versions: {size / 1e6:,.0f} MB, {time.monotonic() - began:,.1f} s")


@contextmanager
def unhindered(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let what is written within have its keys, and be put into the indexes after it, sorted."""
    tables = [one(connection, "select %s::regclass::oid", f"pkgdb.{name}") for name in TABLES]
    connection.execute("set session_replication_role = replica")
    connection.execute("set maintenance_work_mem = '512MB'")
    connection.execute(
        "update pg_index set indisready = false, indisvalid = false where indrelid = any (%s)",
        [tables],
    )
    generated = [
        number
        for (number,) in connection.execute(
            """
            update pg_attribute set attgenerated = ''
             where attrelid = 'pkgdb.package_version'::regclass and attgenerated = 's'
            returning attnum"""
        )
    ]
    yield
    connection.execute(
        """
        update pg_attribute set attgenerated = 's'
         where attrelid = 'pkgdb.package_version'::regclass and attnum = any (%s)""",
        [generated],
    )
    for name in TABLES:
        connection.execute(f"reindex table pkgdb.{name}".encode())
    connection.execute("reset session_replication_role")


def write(connection: psycopg.Connection[Any], packages: Packages) -> None:
    """The rows of these packages. Of each package the versions have consecutive ids."""
    every = packages.live + packages.deleted
    last_package, last_version = (
        one(connection, f"select coalesce(max({column}), 0) from pkgdb.{table}")
        for table, column in (
            ("registration", "registration_id"),
            ("package_version", "version_id"),
        )
    )
    given = {
        "first": packages.first,
        "count": packages.count,
        "live": packages.live,
        "deleted": packages.deleted,
        "every": every,
        "last_package": last_package,
        "last_version": last_version,
        "namespace": NAMESPACE,
    }
    package = """
        select r.namespace, r.repository_id, r.epoch, e.ecosystem, e.scheme,
               pkgdb.claim_scope_id(r, e) as scope_id, %(last_package)s + p as registration_id,
               'package-' || %(first)s + p - 1 as name, %(last_version)s + (p - 1) * %(every)s as v
          from pkgdb.repository r, pkgdb.ecosystem e, generate_series(1::bigint, %(count)s) p
         where r.namespace = %(namespace)s and r.name = 'main' and e.ecosystem = 'npm'"""
    version = f"""
        select p.*, k, p.v + k as version_id, n.version, n.deleted,
               case when n.deleted then 'pending_destruction' else 'available' end as status,
               case when n.deleted then p.epoch end as removed_epoch,
               case when n.deleted then clock_timestamp() end as removed_at,
               p.name || '-' || n.version || '.tgz' as filename,
               sha256(convert_to(p.name || '@' || n.version, 'UTF8')) as sha256
          from ({package}) p
          cross join number n"""
    numbers = """
        with number as materialized (
            select k, k <= %(deleted)s as deleted,
                   case when k <= %(deleted)s then '0.0.' || k
                        else '0.' || k - %(deleted)s || '.0' end as version
              from generate_series(1, %(every)s) k),
        key as materialized (
            select k, pkgdb.scheme_version_key('semver53', version) as version_key from number)
        """
    for statement in (
        f"""
        insert into pkgdb.registration
            (namespace, registration_id, repository_id, scope_id, ecosystem, scheme, name,
             normalized_name, revision, latest_version_id, latest_stable_version_id,
             version_count, file_count, byte_count, created_at, updated_at)
        overriding system value
        select namespace, registration_id, repository_id, scope_id, ecosystem, scheme, name,
               name, %(live)s + 2 * %(deleted)s, v + %(every)s, v + %(every)s, %(live)s, %(live)s,
               100 * %(live)s, now(), now()
          from ({package}) p""",
        f"""
        insert into pkgdb.package_version
            (namespace, registration_id, version_id, scheme, version, normalized_version,
             version_key, prerelease, status, added_epoch, removed_epoch, created_at,
             published_at, removed_at)
        overriding system value
        select namespace, registration_id, version_id, scheme, version, version, version_key, false,
               status, epoch, removed_epoch, now(), now(), removed_at
          from ({version}) v join key using (k)""",
        f"""
        insert into pkgdb.blob (namespace, sha256, size, created_at)
        select namespace, sha256, 100, now() from ({version}) v""",
        f"""
        insert into pkgdb.file
            (namespace, registration_id, version_id, filename, filename_scope_id, role, sha256,
             status, added_epoch, removed_epoch, created_at, removed_at)
        select namespace, registration_id, version_id, filename, version_id, 'main', sha256,
               status, epoch, removed_epoch, now(), removed_at
          from ({version}) v""",
        f"""
        insert into pkgdb.tombstone
            (namespace, registration_id, normalized_version, version, variant, filename,
             content_sha256, deleted_at)
        select v.namespace, v.registration_id, v.version, v.version, '', t.filename,
               t.content_sha256, v.removed_at
          from ({version}) v
          cross join lateral (
               values ('', pkgdb.metadata_digest('{{}}')), (v.filename, v.sha256)
          ) t (filename, content_sha256)
         where v.deleted and %(deleted)s > 0""",
    ):
        connection.execute(f"{numbers}{statement}".encode(), given)
    connection.execute(
        """
        select setval(pg_get_serial_sequence('pkgdb.registration', 'registration_id'), %s),
               setval(pg_get_serial_sequence('pkgdb.package_version', 'version_id'), %s)""",
        [last_package + packages.count, last_version + packages.rows],
    )


def warm(connection: psycopg.Connection[Any]) -> None:
    """Read all tables and indexes, and let what was written reach the disk."""
    connection.execute("create extension if not exists pg_prewarm")
    connection.execute(
        """
        select pg_prewarm(oid) from pg_class
         where relnamespace = 'pkgdb'::regnamespace and relkind in ('r', 'i')"""
    )
    connection.execute("checkpoint")


def publishing(contender: Contender, package: str) -> str:
    """The contender's script: a new version with a new file into a package of that number."""
    return f"{VERSION}\\set package {package}\n{contender.statements()}"


def pages(bench: Bench, dsn: str, query: str, drawn: Mapping[str, range]) -> float:
    """How many buffers a call touches, hit or read, on a connection that has made others."""
    seen = []
    with psycopg.connect(dsn, autocommit=True) as connection:
        for _ in range(CALLS):
            call = query
            for name, numbers in drawn.items():
                call = call.replace(f":{name}", str(bench.random.choice(numbers)))
            (explained,) = one(connection, f"explain (analyze, buffers, format json) {call}")
            plan = explained["Plan"]
            seen.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return median(seen[CALLS // 2 :])


def touched(bench: Bench, dsn: str, contender: Contender, packages: range) -> dict[str, float]:
    """The same for a publish, of who needs but one call."""
    if contender.name not in ONE_CALL:
        return {}
    drawn = {"version": up_to(10**12), "package": packages}
    return {"pages": pages(bench, dsn, contender.statements(), drawn)}


def up_to(number: int) -> range:
    return range(1, number + 1)


def times(seen: Seen) -> dict[str, float]:
    return {"rate": seen.rate, "p50": seen.p50, "p99": seen.p99}


def registration(bench: Bench) -> None:
    """Publishing into packages that have few and many versions."""
    sizes = (10, 1_000, 100_000) if bench.quick else (10, 100, 1_000, 10_000, 100_000)
    names = ["floor", "pkgdb"] if bench.quick else ["floor", "pkgdb", "for_update", "crates_io"]
    names += [] if bench.quick else REWRITERS
    contenders = [each for each in CONTENDERS if each.name in names]
    places = {}
    first = 1
    for size in sizes:
        places[size] = Packages(max(1, ALIKE // size), size, first=first)
        first += places[size].count

    dsn = bench.database("registration")
    with psycopg.connect(dsn, autocommit=True) as connection:
        floor_beside(connection)
        # Each contender gets a copy of what is there, and some could not bear the largest package.
        small = [size for size in sizes if size <= ALIKE]
        bulk_load(bench, connection, *(places[size] for size in small))
        for contender in contenders:
            if contender.name in REWRITERS:
                contender.install(connection)
        bulk_load(bench, connection, *(places[size] for size in sizes if size > ALIKE))
        for contender in contenders:
            if contender.name not in ("floor", *REWRITERS):
                contender.install(connection)
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")

    def take(contender: Contender, size: int, _: int) -> dict[str, float]:
        numbers = places[size].numbers
        script = publishing(contender, f"random({numbers[0]}, {numbers[-1]})")
        with beside(bench.server, dsn, contender.worker()):
            seen = bench.load(dsn, Load(script))
        return times(seen) | touched(bench, dsn, contender, numbers)

    turns = []
    for contender in contenders:
        mine = small if contender.name in REWRITERS else sizes
        if contender not in (FLOOR, PKGDB):
            mine = (10, 1_000, mine[-1])
        turns += [Turn(contender.title, size, partial(take, contender, size)) for size in mine]
    bench.rounds_of(
        Table(
            id="growth-registration",
            title="Publishing into a package that has many versions, 1 client",
            series="contender",
            x="versions of the package",
            columns=(
                Column("p50", "p50, ms", digits=2, beside=True),
                Column("p99", "p99, ms", digits=2),
                Column("rate", "versions/s"),
                Column("pages", "pages touched"),
            ),
            charts=(Chart("p50", log_y=True),),
            first=(None, 10),
            note=f"Spread over as many packages as have {ALIKE:,} versions together, or one, so "
            "that those that publishes add are few beside those that were there. Ratios are beside "
            "the same contender's packages of 10 versions: how much slower. Pages: shared buffers, "
            "hit or read, of one publish, where that is one call.",
        ),
        turns,
        max(1, bench.rounds - 1),
    )


def registry_of(bench: Bench, versions: int) -> str:
    """A database with so many versions, ten in a package; the one that there is already."""
    name = f"registry_{versions}"
    with psycopg.connect(bench.server.dsn(), autocommit=True) as connection:
        if one(connection, "select true from pg_database where datname = %s", name):
            return bench.server.dsn(name)
    dsn = bench.database(name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        floor_beside(connection)
        bulk_load(bench, connection, Packages(versions // EACH, EACH))
        warm(connection)
    return dsn


def floor_beside(connection: psycopg.Connection[Any]) -> None:
    """Let the floor write pkgdb's own tables, where copies would take as much room again."""
    FLOOR.install(connection)  # into an empty database
    connection.execute("set role pkgdb_owner")
    for table in ("repository", "registration", "package_version", "blob", "file", "outbox"):
        replaced = f"""
            drop table PEER.{table} cascade;
            create view PEER.{table} as select * from pkgdb.{table}"""
        connection.execute(FLOOR.own(replaced).encode())
    connection.execute("reset role")


def sizes_of(bench: Bench) -> list[int]:
    """How many versions registries have."""
    largest = 10**5 if bench.quick else max(bench.largest, 10**5)
    return [size for size in (10**4, 10**5, 10**6, 10**7) if size <= largest]


def registry(bench: Bench) -> None:
    """Publishing into registries, and asking them, as they grow."""
    bench.say("Registries of growing size")
    registries = {size: registry_of(bench, size) for size in sizes_of(bench)}

    def spread(contender: Contender, size: int, _: int) -> dict[str, float]:
        stride = size // EACH // SPREAD
        script = publishing(contender, f"random(1, {SPREAD}) * {stride}")
        return times(bench.load(registries[size], Load(script, CLIENTS)))

    def everywhere(contender: Contender, size: int, _: int) -> dict[str, float]:
        script = publishing(contender, f"random(1, {size // EACH})")
        seen = bench.load(registries[size], Load(script, CLIENTS))
        return times(seen) | touched(bench, registries[size], contender, up_to(size // EACH))

    ways = {f"into {SPREAD:,} packages": spread, "into all packages": everywhere}
    if bench.quick:
        del ways[f"into {SPREAD:,} packages"]
    bench.rounds_of(
        Table(
            id="growth-registry",
            title=f"Publishing into a registry that has many versions, {CLIENTS} clients",
            series="contender",
            x="versions in the registry",
            columns=(
                Column("rate", "versions/s", beside=True),
                Column("p50", "p50, ms", digits=2),
                Column("p99", "p99, ms", digits=2),
                Column("pages", "pages touched"),
            ),
            charts=(Chart("rate"),),
            first=(None, 10**4),
            note=f"{EACH} versions in each package at first, one file in each version; the "
            f"{SPREAD:,} packages lie all over the tables. The floor writes the same tables: what "
            "it loses on the way the storage takes (pages that are written whole to the WAL after "
            "a checkpoint, indexes that are deeper and not in the cache). Pages: shared buffers, "
            "hit or read, of one publish.",
        ),
        [
            Turn(f"{contender.title}, {where}", size, partial(take, contender, size))
            for contender in (FLOOR, PKGDB)
            for where, take in ways.items()
            for size in registries
        ],
    )

    def resolve(size: int, _: int) -> dict[str, float]:
        script = f"""\\set package random(1, {size // EACH})
select * from pkgdb.resolve('{NAMESPACE}', 'main', 'npm', 'package-' || :package, 'latest');
"""
        return times(bench.load(registries[size], Load(script, CLIENTS)))

    bench.rounds_of(
        Table(
            id="growth-resolve",
            title=f"Asking a registry that has many versions for the latest, {CLIENTS} clients",
            series="contender",
            x="versions in the registry",
            columns=(
                Column("rate", "answers/s", beside=True),
                Column("p50", "p50, ms", digits=2),
                Column("p99", "p99, ms", digits=2),
            ),
            charts=(Chart("rate"),),
            first=(None, 10**4),
        ),
        [Turn("pkgdb.resolve, latest", size, partial(resolve, size)) for size in registries],
    )
