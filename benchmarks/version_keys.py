"""The question `keys`: what an order key costs, in every scheme and beside keys of others."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench
try:
    from tests.versions import spellings
except ModuleNotFoundError:  # where the tests were left behind
    spellings = None

HERE = Path(__file__).parent
ROWS = {True: 4_000, False: 20_000}  # measured at once, quick or not
REWRITTEN = {True: 100_000, False: 1_000_000}

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
PEERS = {  # beside which ecosystems: whose, and their key
    "npm": ("crates.io", "public.peer_semver_key(version)"),
    "cargo": ("crates.io", "public.peer_semver_key(version)"),
    "pypi": ("Trustify", "public.peer_pep440_key(version)"),
}
MADE = 5_000  # versions by the whole grammar, to compare orders on

console = Console()


@dataclass(frozen=True)
class Contender:
    """An expression over the rows of one ecosystem."""

    ecosystem: str
    expression: str


def version_keys(bench: "Bench") -> None:
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute("set jit = off; set max_parallel_workers_per_gather = 0")
        connection.execute(TOOLS)
        connection.execute((HERE / "peers.sql").read_text())
        schemes = fill(connection, ROWS[bench.quick])
        every_scheme(bench, connection, schemes)
        beside_peers(bench, connection, schemes)
        rewrite(bench, connection)


def fill(connection: psycopg.Connection, rows: int) -> dict[str, str]:
    """As many rows for every ecosystem that has a working scheme: its real versions, repeated."""
    schemes = dict(
        connection.execute("select ecosystem, scheme from pkgdb.ecosystem order by 1").fetchall()
    )
    for ecosystem, scheme in list(schemes.items()):
        versions = accepted(connection, scheme, real(ecosystem))
        if not versions:
            console.print(f"{ecosystem}: {scheme} takes nothing, left out")
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


def accepted(connection: psycopg.Connection, scheme: str, versions: Sequence[str]) -> list[str]:
    rows = connection.execute(
        "select v from unnest(%(versions)s::text[]) with ordinality u (v, place)"
        " where public.is_version(%(scheme)s, v) order by place",
        {"scheme": scheme, "versions": list(versions)},
    )
    return [version for (version,) in rows]


def measure(
    connection: psycopg.Connection, rounds: int, contenders: Sequence[Contender]
) -> list[list[float]]:
    """Microseconds per row in each round, less what it takes to read the row; in turns, warm."""
    seen: list[list[float]] = [[] for _ in contenders]
    for number in range(rounds + 1):
        for contender, figures in zip(contenders, seen, strict=True):
            one, rows = seconds(connection, contender)
            none, _ = seconds(connection, Contender(contender.ecosystem, "version"))
            if number > 0:
                figures.append(1e6 * (one - none) / rows)
    return seen


def seconds(connection: psycopg.Connection, contender: Contender) -> tuple[float, int]:
    query = (
        f"select count({contender.expression}), count(*) from public.version where ecosystem = %s"
    )
    start = clock(connection)
    row = connection.execute(query, [contender.ecosystem]).fetchone()
    taken = clock(connection) - start
    assert row is not None
    return taken, row[1]


def clock(connection: psycopg.Connection) -> float:
    """Seconds that the server's process has run for; where no system tells, those that pass."""
    try:
        nanoseconds, *_ = Path(f"/proc/{connection.info.backend_pid}/schedstat").read_text().split()
    except OSError:
        return time.perf_counter()
    return int(nanoseconds) / 1e9


def every_scheme(bench: "Bench", connection: psycopg.Connection, schemes: dict[str, str]) -> None:
    normalize = "pkgdb.scheme_normalize_version(scheme, version)"
    contenders = [Contender(e, expression) for e in schemes for expression in (OURS, normalize)]
    seen = iter(measure(connection, bench.rounds, contenders))
    table = new_table(
        f"Order keys of {ROWS[bench.quick]:,} real versions an ecosystem, in one statement",
        *("us a key", "spread", "us a normal form", "bytes a key", "a text", "us for the worst"),
    )
    for (ecosystem, scheme), keys, normals in zip(schemes.items(), seen, seen, strict=True):
        key_bytes, text_bytes = sizes(connection, ecosystem, OURS)
        worst, function, version = slowest(connection, ecosystem, scheme)
        table.add_row(
            ecosystem if ecosystem == scheme else f"{ecosystem}: {scheme}",
            *(f"{median(keys):.1f}", spread(keys), f"{median(normals):.1f}"),
            *(f"{key_bytes:.1f}", f"{text_bytes:.1f}", f"{worst:,.0f}"),
        )
        row = {"keys": keys, "normal forms": normals, "key bytes": key_bytes, "worst": worst}
        row |= {"worst function": function, "worst version": version}
        bench.keep({"table": "keys", "ecosystem": ecosystem, "scheme": scheme} | row)
    console.print(table)


def sizes(connection: psycopg.Connection, ecosystem: str, expression: str) -> tuple[float, float]:
    """Bytes per key, as a column holds it, and per text."""
    row = connection.execute(
        f"select avg(pg_column_size(key)), avg(pg_column_size(text)) from ("
        f"select {expression}, version from public.version where ecosystem = %s) k (key, text)",
        [ecosystem],
    ).fetchone()
    assert row is not None
    return float(row[0]), float(row[1])


def slowest(connection: psycopg.Connection, ecosystem: str, scheme: str) -> tuple[float, str, str]:
    row = connection.execute(
        """
        select public.microseconds(f, %s, v), f, v
          from unnest(%s::text[]) v, unnest('{key,normalize,prerelease}'::text[]) f
         order by 1 desc limit 1
        """,
        [scheme, list(nasty(random.Random(ecosystem)))],
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


def beside_peers(bench: "Bench", connection: psycopg.Connection, schemes: dict[str, str]) -> None:
    contenders = [
        Contender(ecosystem, expression)
        for ecosystem, (_, theirs) in PEERS.items()
        for expression in (OURS, theirs)
    ]
    seen = iter(measure(connection, bench.rounds, contenders))
    cost = new_table(
        "Beside a key of regexes and jsonb", *("us a key", "beside ours", "spread", "bytes a key")
    )
    order = new_table(
        "Neighbours in our order, of real and of made versions in canonical spelling",
        *("real", "otherwise in theirs", "made", "otherwise in theirs"),
    )
    for (ecosystem, (name, theirs)), ours_seen, theirs_seen in zip(
        PEERS.items(), seen, seen, strict=True
    ):
        ratios = [b / a for a, b in zip(ours_seen, theirs_seen, strict=True)]
        for who, expression, figures, beside in [
            ("ours", OURS, ours_seen, ["", ""]),
            (name, theirs, theirs_seen, [f"{median(ratios):.2f}", spread(ratios, "{:.2f}")]),
        ]:
            size, _ = sizes(connection, ecosystem, expression)
            cost.add_row(f"{ecosystem}: {who}", f"{median(figures):.1f}", *beside, f"{size:.1f}")
        figures = [
            number
            for versions in (real(ecosystem), made(ecosystem))
            for number in misplaced(connection, schemes[ecosystem], versions, theirs)
        ]
        order.add_row(f"{ecosystem}: {name}", *(f"{number:,}" for number in figures))
        row = {"ours": ours_seen, "theirs": theirs_seen, "pairs and otherwise": figures}
        bench.keep({"table": "peers", "ecosystem": ecosystem, "peer": name} | row)
    console.print(cost)
    console.print(order)


def misplaced(
    connection: psycopg.Connection, scheme: str, versions: Sequence[str], expression: str
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
        """,
        {"scheme": scheme, "versions": list(versions)},
    ).fetchone()
    assert row is not None
    return row


def rewrite(bench: "Bench", connection: psycopg.Connection) -> None:
    """A generated column added to a table, which writes all of it anew."""
    rows = REWRITTEN[bench.quick]
    table = new_table(
        f"A generated column added to {rows:,} rows, to a tenth of them with the peer's key",
        *("rows/s", "spread"),
    )
    for ecosystem in ("npm", "pypi"):
        name, theirs = PEERS[ecosystem]
        contenders = {
            "the text as bytes": ("bytea", "version::bytea", rows),
            "our key": ("bytea", OURS, rows),
            f"{name}'s key": ("jsonb", theirs, rows // 10),
        }
        rates: dict[str, list[float]] = {column: [] for column in contenders}
        for _ in range(3):
            for column, (kind, expression, count) in contenders.items():
                with filled(connection, ecosystem, count):
                    start = time.perf_counter()
                    connection.execute(
                        f"alter table public.rewritten add column key {kind}"
                        f" generated always as ({expression}) stored"
                    )
                    rates[column].append(count / (time.perf_counter() - start))
        for column, seen in rates.items():
            rate = f"{median(seen):,.0f}"
            table.add_row(f"{ecosystem}: {column}", rate, spread(seen, "{:,.0f}"))
        bench.keep({"table": "rewrite", "ecosystem": ecosystem, "rates": rates})
    console.print(table)


@contextmanager
def filled(connection: psycopg.Connection, ecosystem: str, rows: int) -> Iterator[None]:
    connection.execute(
        sql.SQL(
            "create table public.rewritten as select v.scheme, v.version"
            " from public.version v, generate_series(1, {repeats}) where v.ecosystem = {ecosystem}"
            " limit {rows}; checkpoint"
        ).format(repeats=rows, ecosystem=ecosystem, rows=rows)
    )
    yield
    connection.execute("drop table public.rewritten")


def new_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=column == "spread")
    return table


def spread(figures: Iterable[float], form: str = "{:.1f}") -> str:
    figures = list(figures)
    return f"{form.format(min(figures))} to {form.format(max(figures))}"
