"""What an order key costs, in every scheme and beside keys of others."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks.bench import Bench, Turn
from benchmarks.results import Chart, Column, Table

try:
    from tests.versions import spellings
except ModuleNotFoundError:  # where the tests were left behind
    spellings = None

ROWS = {True: 1_000, False: 8_000}  # measured at once, quick or not
NASTY = {True: 50, False: 400}
REWRITTEN = {True: 20_000, False: 300_000}
MADE = 5_000  # versions by the whole grammar, to compare orders on

# What some scheme may take long for: these again and again, after each beginning.
BEGINNINGS = ["", "1", "v1.0.0-", "1.0.0-", "1.0.0+", "1:1-", "1!1"]
PIECES = ["1", "0", "9", "1.", "0.", ".0", "a", "a.", "a1", "1a", "a-", "-1", "-", "~", "^", "_"]
PIECES += ["+", "1+", "!", "dev", ".post", "rc", "a0", "0a.", "-0.", "~1", "A.", "p1", "_p1", "é"]

TOOLS = """
create table public.version (ecosystem text, scheme text, version text);
create function public.is_version(p_scheme text, p_version text) returns boolean
language plpgsql as $$
begin
    return pkgdb.scheme_version_key(p_scheme, p_version) is not null;
exception
    when sqlstate 'RG400' then return false;
end;
$$;
create function public.microseconds(p_function text, p_scheme text, p_version text)
returns double precision language plpgsql as $$
declare
    v_best  double precision;
    v_start timestamptz;
begin
    for i in 1..3
    loop
        v_start := clock_timestamp();
        begin
            case p_function
                when 'key' then perform pkgdb.scheme_version_key(p_scheme, p_version);
                when 'normalize' then perform pkgdb.scheme_normalize_version(p_scheme, p_version);
                else perform pkgdb.scheme_is_prerelease(p_scheme, p_version);
            end case;
        exception
            when sqlstate 'RG400' then null;
        end;
        v_best := least(v_best, 1e6 * extract(epoch from clock_timestamp() - v_start));
    end loop;
    return v_best;
end;
$$;
"""
OURS = "pkgdb.scheme_version_key(scheme, version)"
NORMAL_FORM = "pkgdb.scheme_normalize_version(scheme, version)"
PKGDB = "pkgdb"
PEERS = {  # beside which ecosystems: whose, and their key
    "npm": ("crates.io", "public.peer_semver_key(version)"),
    "cargo": ("crates.io", "public.peer_semver_key(version)"),
    "pypi": ("Trustify", "public.peer_pep440_key(version)"),
}
TEXT = "the text as bytes"

Connection = psycopg.Connection[Any]


def keys(bench: Bench) -> None:
    dsn = bench.database("keys")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("set jit = off; set max_parallel_workers_per_gather = 0")
        connection.execute(TOOLS)
        connection.execute(Path(__file__).with_name("keys.sql").read_text())
        schemes = fill(bench, connection)
        every_scheme(bench, connection, schemes)
        beside_peers(bench, connection)
        order(bench, connection, schemes)
        rewrite(bench, connection)
    bench.drop("keys")


def fill(bench: Bench, connection: Connection) -> dict[str, str]:
    """As many rows for every ecosystem that has a working scheme: its real versions, repeated."""
    rows = ROWS[bench.quick]
    schemes = dict(
        connection.execute("select ecosystem, scheme from pkgdb.ecosystem order by 1").fetchall()
    )
    for ecosystem, scheme in list(schemes.items()):
        versions = accepted(connection, scheme, real(ecosystem))
        if not versions:
            bench.say(f"{ecosystem}: {scheme} takes nothing, left out")
            del schemes[ecosystem]
            continue
        with connection.cursor().copy("copy public.version from stdin") as copy:
            for place in range(rows):
                copy.write_row((ecosystem, scheme, versions[place % len(versions)]))
    connection.execute("vacuum analyze public.version")
    return schemes


def real(ecosystem: str) -> list[str]:
    """Without the tests' data: what most ecosystems take."""
    if spellings is None:
        return [f"{v}{n % 7}.{n % 50}.{n}" for n in range(1_000) for v in ("", "v")]
    return spellings.real(ecosystem)


def made(ecosystem: str) -> list[str]:
    if spellings is None:
        return []
    rng = random.Random(ecosystem)
    make = spellings.pep440 if ecosystem == "pypi" else spellings.semver
    return [make(rng) for _ in range(MADE)]


def accepted(connection: Connection, scheme: str, versions: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "select v from unnest(%(versions)s::text[]) with ordinality u (v, place)"
        " where public.is_version(%(scheme)s, v) order by place",
        {"scheme": scheme, "versions": list(versions)},
    )
    return [version for (version,) in rows]


def microseconds(connection: Connection, ecosystem: str, expression: str) -> float:
    """What an expression takes per row, less what it takes to read the row."""
    taken, rows = seconds(connection, ecosystem, expression)
    reading, _ = seconds(connection, ecosystem, "version")
    return 1e6 * (taken - reading) / rows


def seconds(connection: Connection, ecosystem: str, expression: str) -> tuple[float, int]:
    query = f"select count({expression}), count(*) from public.version where ecosystem = %s"
    start = clock(connection)
    row = connection.execute(query.encode(), [ecosystem]).fetchone()
    taken = clock(connection) - start
    assert row is not None
    return taken, row[1]


def clock(connection: Connection) -> float:
    """Seconds that the server's process has run for; where no system tells, those that pass."""
    try:
        nanoseconds, *_ = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()
    except OSError:
        return time.perf_counter()
    return int(nanoseconds) / 1e9


def every_scheme(bench: Bench, connection: Connection, schemes: dict[str, str]) -> None:
    table = Table(
        id="keys",
        title=f"Order keys of {ROWS[bench.quick]:,} real versions an ecosystem, in one statement",
        series="ecosystem",
        x="scheme",
        columns=(
            Column("key", "µs a key", digits=1),
            Column("normal", "µs a normal form", digits=1),
            Column("bytes", "bytes a key", digits=1),
            Column("text", "bytes a text", digits=1),
            Column("worst", "µs for the worst"),
        ),
        charts=(Chart("key", "bars"),),
        note="Time of the server's processor. The worst: of texts of up to 255 bytes made to be "
        "slow, the slowest in any function of the scheme, the best of three.",
        rows=tuple(schemes.items()),
    )

    def take(ecosystem: str, scheme: str, number: int) -> dict[str, float]:
        values = {
            "key": microseconds(connection, ecosystem, OURS),
            "normal": microseconds(connection, ecosystem, NORMAL_FORM),
        }
        if number == 0:
            values["bytes"], values["text"] = sizes(connection, ecosystem, OURS)
            values["worst"], function, version = slowest(bench, connection, ecosystem, scheme)
            worst.append((values["worst"], f"{scheme}'s {function} of {version}"))
        return values

    worst: list[tuple[float, str]] = []
    turns = [Turn(*each, partial(take, *each)) for each in schemes.items()]
    for ecosystem in schemes:
        seconds(connection, ecosystem, f"({OURS}, {NORMAL_FORM})")  # plans, caches
    bench.rounds_of(table, turns)
    bench.say("{:,.0f} µs, the worst of all: {}".format(*max(worst)))


def sizes(connection: Connection, ecosystem: str, expression: str) -> tuple[float, float]:
    """Bytes per key, as a column holds it, and per text."""
    row = connection.execute(
        f"select avg(pg_column_size(key)), avg(pg_column_size(text)) from ("
        f"select {expression}, version from public.version where ecosystem = %s"
        f") k (key, text)".encode(),
        [ecosystem],
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def slowest(
    bench: Bench, connection: Connection, ecosystem: str, scheme: str
) -> tuple[float, str, str]:
    rng = random.Random(ecosystem)
    texts = list(nasty(rng))
    row = connection.execute(
        """
        select public.microseconds(f, %s, v), f, v
          from unnest(%s::text[]) v, unnest('{key,normalize,prerelease}'::text[]) f
         order by 1 desc limit 1
        """,
        [scheme, rng.sample(texts, min(NASTY[bench.quick], len(texts)))],
    ).fetchone()
    assert row is not None
    return row


def nasty(rng: random.Random) -> Iterator[str]:
    """Texts of up to 255 bytes: one piece after a beginning, damaged, and pieces in any order."""
    for beginning in BEGINNINGS:
        for piece in PIECES:
            text = cut(beginning + piece * 255)
            yield text
            at = rng.randrange(255)
            yield cut(text[:at] + rng.choice(PIECES) + text[at:])
    for _ in range(200):
        yield cut(rng.choice(BEGINNINGS) + "".join(rng.choices(PIECES, k=255)))


def cut(text: str) -> str:
    return text.encode()[:255].decode(errors="ignore")


def beside_peers(bench: Bench, connection: Connection) -> None:
    table = Table(
        id="keys-peers",
        title="Order keys beside those of regular expressions and jsonb",
        series="key",
        x="ecosystem",
        columns=(
            Column("key", "µs a key", digits=1, beside=True),
            Column("bytes", "bytes a key", digits=1),
        ),
        charts=(Chart("key", "bars"),),
        first=(PKGDB, None),
        note="Written anew in SQL from what crates.io and Trustify have published. Theirs check no "
        "more than that a text begins as a version does.",
        rows=tuple(
            (whose, ecosystem) for ecosystem in PEERS for whose in (PKGDB, PEERS[ecosystem][0])
        ),
    )

    def take(ecosystem: str, expression: str, number: int) -> dict[str, float]:
        values = {"key": microseconds(connection, ecosystem, expression)}
        if number == 0:
            values["bytes"], _ = sizes(connection, ecosystem, expression)
        return values

    turns = [
        Turn(whose, ecosystem, partial(take, ecosystem, expression))
        for ecosystem, peer in PEERS.items()
        for whose, expression in ((PKGDB, OURS), peer)
    ]
    for ecosystem, (_, theirs) in PEERS.items():
        seconds(connection, ecosystem, theirs)
    bench.rounds_of(table, turns)


def order(bench: Bench, connection: Connection, schemes: Mapping[str, str]) -> None:
    table = Table(
        id="keys-order",
        title="Neighbours in our order, and how many come otherwise by the keys of others",
        series="key",
        x="ecosystem",
        columns=(
            Column("real", "real versions", counted=True),
            Column("real_otherwise", "otherwise, of these", counted=True, fault=True),
            Column("made", "made versions", counted=True),
            Column("made_otherwise", "otherwise, of those", counted=True, fault=True),
        ),
        note="In canonical spelling. Made: by the whole grammar.",
    )
    bench.say(table.title)
    bench.journal.table(table)
    for ecosystem, (whose, theirs) in PEERS.items():
        values: dict[str, float] = {}
        for kind, versions in (("real", real(ecosystem)), ("made", made(ecosystem))):
            values[kind], values[f"{kind}_otherwise"] = misplaced(
                connection, schemes[ecosystem], versions, theirs
            )
        bench.measure(table, 0, whose, ecosystem, values)


def misplaced(
    connection: Connection, scheme: str, versions: Sequence[str], expression: str
) -> tuple[int, int]:
    """How many neighbours in our order there are, and how many are another way round in theirs."""
    row = connection.execute(
        f"""
        with k as materialized (
            select {OURS} as ours, {expression} as theirs, version
              from (select distinct %(scheme)s, pkgdb.scheme_normalize_version(%(scheme)s, v)
                      from unnest(%(versions)s::text[]) v
                     where public.is_version(%(scheme)s, v)) u (scheme, version)
        ), pair as (
            select ours, theirs, lead(ours) over w as next_ours, lead(theirs) over w as next_theirs
              from k window w as (order by ours, version)
        )
        select count(*), count(*) filter (
            where (ours < next_ours) is distinct from (theirs < next_theirs)
               or (ours = next_ours) is distinct from (theirs = next_theirs))
          from pair where next_ours is not null
        """.encode(),
        {"scheme": scheme, "versions": list(versions)},
    ).fetchone()
    assert row is not None
    return row


def rewrite(bench: Bench, connection: Connection) -> None:
    """A generated column added to a table, which writes all of it anew."""
    rows = REWRITTEN[bench.quick]
    table = Table(
        id="keys-rewrite",
        title=f"A generated column added to {rows:,} rows, to a tenth of them with others' keys",
        series="column",
        x="ecosystem",
        columns=(Column("rate", "rows/s", beside=True),),
        charts=(Chart("rate", "bars"),),
        first=(TEXT, None),
    )

    def take(ecosystem: str, kind: str, expression: str, count: int, _: int) -> dict[str, float]:
        with filled(connection, ecosystem, count):
            start = time.perf_counter()
            connection.execute(
                f"alter table public.rewritten add column key {kind}"
                f" generated always as ({expression}) stored".encode()
            )
            return {"rate": count / (time.perf_counter() - start)}

    turns = []
    for ecosystem in ("npm", "pypi"):
        whose, theirs = PEERS[ecosystem]
        turns += [
            Turn(TEXT, ecosystem, partial(take, ecosystem, "bytea", "version::bytea", rows)),
            Turn(PKGDB, ecosystem, partial(take, ecosystem, "bytea", OURS, rows)),
            Turn(whose, ecosystem, partial(take, ecosystem, "jsonb", theirs, rows // 10)),
        ]
    bench.rounds_of(table, turns)


@contextmanager
def filled(connection: Connection, ecosystem: str, rows: int) -> Iterator[None]:
    connection.execute(
        sql.SQL(
            "create table public.rewritten as select v.scheme, v.version"
            " from public.version v, generate_series(1, {repeats}) where v.ecosystem = {ecosystem}"
            " limit {rows}; checkpoint"
        ).format(repeats=rows, ecosystem=ecosystem, rows=rows)
    )
    yield
    connection.execute("drop table public.rewritten")
