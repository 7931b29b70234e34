"""Measure, side by side in one run, on a durable server of its own.

Every table is made of rounds; in each round the contenders take turns, so that whatever else the
machine does meets all of them. Ratios are taken within a round; the table shows their median and
spread. Load comes from pgbench, a client too light to hide what the server does.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import mean, median

import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks.feed import feed
from benchmarks.version_keys import version_keys
from pkgdb import migrate
from pkgdb.server import Server

HERE = Path(__file__).parent
REGISTRATIONS = 10_000
BATCH = 1_000
SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "100"}

console = Console()


@dataclass(frozen=True)
class Load:
    """One contender: a pgbench script and how many clients run it."""

    name: str
    script: str
    clients: int = 1


def single(package: str, function: str = "pkgdb.publish") -> str:
    """A pgbench script of one call, with one new file, into a package."""
    return f"""\\set version random(1, 1000000000000)
\\set package {package}
select * from {function}('bench', 'main', 'npm', 'package-' || :package,
    '1.' || :version || '.0', p_files => jsonb_build_array(jsonb_build_object(
        'filename', 'package-' || :version || '.tgz',
        'sha256', encode(sha256(convert_to(:version || 'x' || random(), 'UTF8')), 'hex'),
        'size', 100)));
"""


SPREAD = single(f"random(1, {REGISTRATIONS})")
FLOOR = single(f"random(1, {REGISTRATIONS})", "public.floor_publish")
BULK = f"""\\set version random(1, 1000000000000)
select count(*) from pkgdb.publish_many('bench', 'main', (
    select jsonb_agg(jsonb_build_object('ecosystem', 'npm',
               'name', 'package-' || (n * 7 % {REGISTRATIONS} + 1),
               'version', '2.' || :version || '.' || n,
               'files', jsonb_build_array(jsonb_build_object(
                   'filename', 'package-' || :version || '.' || n || '.tgz',
                   'sha256', encode(sha256(convert_to(:version || 'y' || n, 'UTF8')), 'hex'),
                   'size', 100))))
      from generate_series(1, {BATCH}) n));
"""


class Bench:
    """A server with 10,000 packages, and rounds of load on it."""

    def __init__(self, server: Server, quick: bool, output: Path | None) -> None:
        self.server = server
        self.dsn = server.dsn()
        self.quick = quick
        self.rounds, self.seconds = (3, 3) if quick else (7, 5)
        self.output = output

    def prepare(self) -> None:
        migrate.upgrade(self.dsn)
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute("select * from pkgdb.create_repository('bench', 'main')")
            self.fill(connection, "'package-' || n", "'0.1.0'", REGISTRATIONS)
            connection.execute((HERE / "floor.sql").read_text())
            connection.execute("vacuum analyze")

    def fill(self, connection: psycopg.Connection, name: str, version: str, count: int) -> None:
        """Publish `count` versions in bulk: SQL expressions over n give name and version."""
        for start in range(0, count, 10_000):
            connection.execute(
                "select count(*) from pkgdb.publish_many('bench', 'main', (select jsonb_agg("  # type: ignore[arg-type]
                f"jsonb_build_object('ecosystem', 'npm', 'name', {name}, 'version', {version}))"
                f" from generate_series({start + 1}, {min(start + 10_000, count)}) n))"
            )

    def rate(self, load: Load) -> float:
        """Calls a second, once every connection has planned its statements."""
        warm_up = 2 + load.clients // 16
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
            script.write(load.script)
            script.flush()
            run = subprocess.run(
                [
                    str(self.server.binaries() / "pgbench"),
                    *("--no-vacuum", "--protocol=prepared", f"--client={load.clients}"),
                    *(f"--time={warm_up + self.seconds}", "--progress=1"),
                    *(f"--file={script.name}", self.dsn),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
        each_second = [
            float(tps) for tps in re.findall(r"^progress: .* ([\d.]+) tps", run.stderr, re.M)
        ]
        if run.returncode or len(each_second) <= warm_up:
            raise SystemExit(f"pgbench failed on {load.name}:\n{run.stdout}{run.stderr}")
        return mean(each_second[warm_up:])

    def compare(self, title: str, first: str, loads: Iterable[Load], *, batch: int = 1) -> None:
        """Run the loads in turn, and show each beside the one that is named `first`."""
        loads = list(loads)
        rates: dict[str, list[float]] = {load.name: [] for load in loads}
        for _ in range(self.rounds):
            for load in loads:
                rows = batch if load.script is BULK else 1
                rates[load.name].append(self.rate(load) * rows)
        table = Table(title=title, title_justify="left")
        table.add_column("")
        for column in ("versions/s", f"beside {first}", "spread"):
            table.add_column(column, justify="right")
        for name, seen in rates.items():
            ratios = [a / b for a, b in zip(seen, rates[first], strict=True)]
            table.add_row(
                name,
                f"{median(seen):,.0f}",
                f"{median(ratios):.2f}",
                f"{min(ratios):.2f} to {max(ratios):.2f}",
            )
            self.keep({"table": title, "load": name, "rates": seen, "ratios": ratios})
        console.print(table)

    def keep(self, row: dict[str, object]) -> None:
        if self.output is not None:
            with self.output.open("a") as out:
                out.write(json.dumps(row) + "\n")


def against_the_floor(bench: Bench) -> None:
    for clients in (1, 4, 16):
        bench.compare(
            f"Spread over {REGISTRATIONS:,} packages, {clients} client(s)",
            "no checks",
            [Load("no checks", FLOOR, clients), Load("publish", SPREAD, clients)],
        )


def one_package(bench: Bench) -> None:
    script = single("1")
    bench.compare(
        "All on one package",
        "1 client",
        [
            Load("1 client", script, 1),
            Load("16 clients", script, 16),
            Load("64 clients", script, 64),
        ],
    )


def growing_package(bench: Bench) -> None:
    sizes = {10: 20_010, 1_000: 21_000, 100_000: 120_000}  # versions: number of the package
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        for size, number in sizes.items():
            bench.fill(connection, f"'package-{number}'", "'0.0.' || n", size)
        connection.execute("vacuum analyze")
    bench.compare(
        "A package that has had many versions, 1 client",
        "10 versions",
        [Load(f"{size:,} versions", single(str(number))) for size, number in sizes.items()],
    )


def in_bulk(bench: Bench) -> None:
    bench.compare(
        f"publish_many, {BATCH:,} versions a call, 1 client",
        "publish",
        [Load("publish", SPREAD), Load("publish_many", BULK)],
        batch=BATCH,
    )


QUESTIONS: dict[str, Callable[[Bench], None]] = {
    "floor": against_the_floor,
    "one": one_package,
    "growing": growing_package,
    "bulk": in_bulk,
    "keys": version_keys,
    "feed": partial(feed, load=Load("publish", SPREAD, 4)),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("questions", nargs="*", help=f"of: {', '.join(QUESTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="3 rounds of 3 seconds, not 7 of 5")
    parser.add_argument("--bindir", help="a folder of PostgreSQL binaries, `system` or `wheel`")
    parser.add_argument("--output", type=Path, help="append the raw figures, JSON lines")
    options = parser.parse_args()
    if unknown := set(options.questions) - set(QUESTIONS):
        parser.error(f"no question {', '.join(unknown)}: there are {', '.join(QUESTIONS)}")

    base = Path(tempfile.mkdtemp(prefix="pkgdb-bench-"))
    try:
        with Server(base, options.bindir, die_with_parent=True, settings=SETTINGS) as server:
            bench = Bench(server, options.quick, options.output)
            bench.prepare()
            with psycopg.connect(bench.dsn) as connection:
                version = connection.info.parameter_status("server_version")
            rounds = f"{bench.rounds} rounds of {bench.seconds} s each"
            console.print(f"PostgreSQL {version}, durable; {rounds}")
            for question in options.questions or QUESTIONS:
                QUESTIONS[question](bench)
    finally:
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
