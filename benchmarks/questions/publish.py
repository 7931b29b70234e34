"""Question 1: how fast contenders publish, and how often what they then say is wrong."""

import re
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from benchmarks import wrapper
from benchmarks.bench import Bench, Turn, fill, one
from benchmarks.load import Load, Seen, beside
from benchmarks.results import Chart, Column, Table
from benchmarks.wrapper import Way

PEERS = Path(__file__).parent.parent / "peers"
REGISTRATIONS = 10_000
HOT = 100  # versions that a package has before all publish into it
TRIES = 1000  # until a client gives a publish up
VERSION = "\\set version random(1, 1000000000000)\n"
# Versions that rise, as they mostly do: each client counts, above all turns before.
RISING = "\\set turn :turn + 1\n\\set version :start + :turn * 1000 + :client_id\n"
STARTS = count(10**9, 10**9)
PATTERNS = {
    "spread": f"random(1, {REGISTRATIONS})",
    "zipf": f"random_zipfian(1, {REGISTRATIONS}, 1.1)",
    "one": ":hot",
}
TITLES = {
    "spread": f"Publishing, spread over {REGISTRATIONS:,} packages",
    "zipf": f"Publishing, most into few of {REGISTRATIONS:,} packages (Zipf, exponent 1.1)",
    "one": f"Publishing, all into one package that has {HOT} versions at first",
}
COLUMNS = (
    Column("rate", "versions/s", beside=True),
    Column("p50", "p50, ms", digits=1),
    Column("p99", "p99, ms", digits=1),
    Column("wrong", "wrong latest", counted=True, fault=True),
    Column("lost", "lost updates", counted=True, fault=True),
    Column("misplaced", "wrong order", counted=True, fault=True),
    Column("deadlocks", "deadlocks", counted=True),
    Column("retries", "retries", counted=True),
    Column("failed", "given up", counted=True),
)
NOTE = (
    "Wrong latest: packages published into in this turn whose flag or pointer does not name the "
    "highest version alone. Lost updates: by how many versions the packages' counters are wrong. "
    "Wrong order: packages whose positions are not those of their versions. Counts are sums over "
    "the rounds; tries again are part of the times."
)

# Packages published into since a moment, beside what is true of them.
WRONG = """
    with touched as materialized (
        select r.registration_id, r.version_count
          from PEER.registration r
         where r.namespace = 'bench' and r.updated_at >= %(since)s),
    truth as materialized (
        select t.registration_id, abs(t.version_count - v.versions) as lost, v.latest
          from touched t
          cross join lateral (
               select count(*) as versions,
                      (array_agg(v.version_id order by v.version_key desc, v.version_id desc))[1]
                          as latest
                 from PEER.package_version v
                where v.namespace = 'bench' and v.registration_id = t.registration_id
                  and v.status = 'available') v)
    select count(*) filter (where l.claimed is distinct from array[t.latest]) as wrong,
           coalesce(sum(t.lost), 0) as lost
      from truth t
      left join lateral (
           select array_agg(l.version_id) as claimed
             from PEER.latest l
            where l.registration_id = t.registration_id) l on true
"""
MISPLACED = """
    select count(distinct p.registration_id)
      from (select p.registration_id,
                   row_number() over (partition by p.registration_id order by p.place)
                   <> row_number() over (
                       partition by p.registration_id
                       order by v.version_key desc, v.version_id desc)
                   or count(*) over (partition by p.registration_id, p.place) > 1 as wrong
              from PEER.places p
              join PEER.package_version v
                on v.namespace = 'bench' and v.registration_id = p.registration_id
               and v.version_id = p.version_id
             where p.registration_id in (
                    select r.registration_id
                      from PEER.registration r
                     where r.namespace = 'bench' and r.updated_at >= %(since)s)) p
     where p.wrong
"""
OURS = """
    create schema peer_pkgdb;
    create view peer_pkgdb.registration as select * from pkgdb.registration;
    create view peer_pkgdb.package_version as select * from pkgdb.package_version;
    create view peer_pkgdb.latest as
    select registration_id, latest_version_id as version_id from pkgdb.registration;
"""


@dataclass(frozen=True)
class Contender:
    """One way to publish, with tables of its own."""

    name: str
    title: str

    @property
    def schema(self) -> str:
        return f"peer_{self.name}"

    def install(self, connection: psycopg.Connection[Any]) -> None:
        """Give it the packages that pkgdb has."""
        if self == PKGDB:
            connection.execute(OURS)
            return
        for part in dict.fromkeys(("base", self.name.partition("_")[0], self.name)):
            file = PEERS / f"{part}.sql"
            if file.exists():
                connection.execute(self.own(file.read_text()).encode())

    def own(self, text: str) -> str:
        """What is written for any schema, for this contender's."""
        return re.sub(r"\bPEER\b", self.schema, text)

    def statements(self) -> str:
        """What a client sends to publish `:version` of `:package`."""
        script = PEERS / f"{self.name}.pgbench"
        return self.own((script if script.exists() else PEERS / "base.pgbench").read_text())

    def load(self, package: str, clients: int, hot: int = 0) -> Load:
        """Clients that publish into packages whose numbers this expression of pgbench gives."""
        script = f"{RISING}\\set package {package}\n{self.statements()}"
        return Load(script, clients, TRIES, {"turn": 0, "start": next(STARTS), "hot": hot})

    def run(self, bench: Bench, dsn: str, pattern: str, clients: int, hot: int) -> Seen:
        """Let so many clients publish; `hot` is the package where there is but one."""
        return bench.load(dsn, self.load(PATTERNS[pattern], clients, hot))

    def worker(self) -> Load | None:
        """What one client runs beside the publishers, if the contender needs one."""
        script = PEERS / f"{self.name}.worker.pgbench"
        return Load(self.own(script.read_text())) if script.exists() else None


@dataclass(frozen=True)
class Called(Contender):
    """pkgdb through its wrapper, spread over its packages."""

    way: Way

    def run(self, bench: Bench, dsn: str, pattern: str, clients: int, hot: int) -> Seen:
        turn = wrapper.Turn(dsn, lambda rng: rng.randint(1, REGISTRATIONS), bench.seconds)
        return self.way(turn, clients, bench.random.randrange(1 << 31))


FLOOR = Contender("floor", "floor: no check, no lock")
PKGDB = Contender("pkgdb", "pkgdb, SQL")
CONTENDERS = [
    FLOOR,
    PKGDB,
    Contender("for_update", "SELECT FOR UPDATE, one call"),
    Contender("for_update_client", "SELECT FOR UPDATE by client"),
    Contender("serializable", "SERIALIZABLE, retried"),
    Contender("global_lock", "one global lock"),
    Contender("nuget_flags", "NuGet, flags by client"),
    Contender("nuget_optimistic", "NuGet, optimistic"),
    Contender("nuget_trigger", "NuGet, trigger"),
    Contender("nuget_worker", "NuGet, one worker"),
    Contender("rubygems", "RubyGems, positions"),
    Contender("warehouse", "Warehouse, renumbered"),
    Contender("crates_io", "crates.io, default version"),
    Contender("gitlab", "GitLab, lease row"),
]
# One of each kind of lock, and one that has none.
ONE_OF_A_KIND = {"floor", "pkgdb", "for_update", "serializable", "nuget_flags", "gitlab"}
CALLED = [Called("pkgdb", title, way) for title, way in wrapper.WAYS.items()]


def wrong(
    connection: psycopg.Connection[Any], contender: Contender, since: object
) -> dict[str, float]:
    """What the contender says wrongly of packages that were published into since then."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(contender.own(WRONG).encode(), {"since": since}).fetchone() or {}
    found: dict[str, float] = {key: int(value) for key, value in row.items()}
    if one(connection, "select to_regclass(%s)::text", f"{contender.schema}.places"):
        query = contender.own(MISPLACED).encode()
        (found["misplaced"],) = connection.execute(query, {"since": since}).fetchone() or (0,)
    return found


class Publishing:
    """The database in which every contender has the same packages."""

    def __init__(self, bench: Bench, name: str, hot: int) -> None:
        """With so many packages that all can publish into, one in each turn."""
        self.bench = bench
        self.dsn = bench.database(name)
        self.connection = psycopg.connect(self.dsn, autocommit=True)
        self.hot = count(REGISTRATIONS + 1)
        contenders = contending(bench)
        bench.say(f"giving {len(contenders)} contenders the same packages")
        fill(self.connection, "'package-' || n", "'0.1.0'", REGISTRATIONS)
        first = REGISTRATIONS + 1
        fill(
            self.connection,
            f"'package-' || {first} + (n - 1) / {HOT}",
            f"'0.' || mod(n, {HOT}) || '.0'",
            hot * HOT,
        )
        for contender in contenders:
            contender.install(self.connection)
        self.connection.execute("vacuum analyze")

    def turn(self, contender: Contender, pattern: str, clients: int) -> Turn:
        return Turn(contender.title, clients, lambda _: self.take(contender, pattern, clients))

    def take(self, contender: Contender, pattern: str, clients: int) -> dict[str, float]:
        """One turn: publish, then see what is wrong."""
        hot = next(self.hot) if pattern == "one" else 0
        since = one(self.connection, "select clock_timestamp()")
        deadlocks = self.deadlocks()
        with beside(self.bench.server, self.dsn, contender.worker()):
            seen = contender.run(self.bench, self.dsn, pattern, clients, hot).values()
            # While a worker still works: this is what a reader sees.
            found = wrong(self.connection, contender, since)
        return seen | found | {"deadlocks": self.deadlocks() - deadlocks}

    def deadlocks(self) -> int:
        """So far. The statistics of a backend that ended have been counted."""
        self.connection.execute("select pg_stat_clear_snapshot()")
        return int(
            one(
                self.connection,
                "select deadlocks from pg_stat_database where datname = current_database()",
            )
        )


def contending(bench: Bench) -> list[Contender]:
    return [each for each in CONTENDERS if not bench.quick or each.name in ONE_OF_A_KIND]


def places(bench: Bench, pattern: str) -> list[tuple[Contender, int]]:
    """Who publishes with how many clients."""
    if bench.quick:
        return [(FLOOR, 1), (PKGDB, 1), *((each, 16) for each in contending(bench))]
    return [
        (each, number)
        for number in (1, 4, 16, 64)
        for each in CONTENDERS
        # Between the two others: how it goes on is seen from one of each kind.
        if pattern != "zipf" or number == 16 or each.name in ONE_OF_A_KIND
    ]


def publish(bench: Bench) -> None:
    rounds = max(2, bench.rounds)  # what is looked at first has a spread
    publishing = Publishing(bench, "publish", rounds * len(places(bench, "one")))
    for pattern, title in TITLES.items():
        if bench.quick and pattern == "zipf":
            continue
        table = Table(
            id=f"publish-{pattern}",
            title=title,
            series="contender",
            x="clients",
            columns=COLUMNS,
            charts=(Chart("rate", log_y=True), Chart("p99", log_y=True)),
            first=(FLOOR.title, None),
            note=NOTE,
        )
        turns = [publishing.turn(each, pattern, number) for each, number in places(bench, pattern)]
        bench.rounds_of(table, turns, rounds)
        if pattern == "one":
            bench.journal.table(beside_one_client(bench.journal.results.tables[-1]))

    bench.rounds_of(
        Table(
            id="publish-python",
            title=f"Publishing from Python, spread over {REGISTRATIONS:,} packages",
            series="contender",
            x="clients",
            columns=COLUMNS[:3],
            charts=(Chart("rate", kind="bars"),),
            first=(PKGDB.title, None),
            note="All clients of a turn are threads or tasks of one Python process, which shares "
            "the machine with the server. Times are of a call, a pipeline or a publish_many. "
            "One client of publish_many is all there can be: it takes the repository for itself.",
        ),
        [
            publishing.turn(each, "spread", number)
            for number in ((16,) if bench.quick else (1, 16))
            for each in (PKGDB, *CALLED)
            if number == 1 or each.title != wrapper.MANY
        ],
    )


def beside_one_client(measured: Table) -> Table:
    """The rates of a table once more, beside each contender's own with 1 client."""
    return replace(
        measured,
        id=f"{measured.id}-queue",
        title=f"{measured.title}: beside 1 client of the same",
        columns=(Column("rate", "versions/s", beside=True), Column("p99", "p99, ms", digits=1)),
        charts=(),
        first=(None, 1),
        note="The same turns as in the table before. Publishes into one package come one after the "
        "other, whoever makes them: what is lost is the way from one client to the next.",
        turns_of=measured.id,
    )
