"""`python -m benchmarks.aptly`: what it costs beside Debian's aptly, at more sizes."""

import argparse
import random
import shutil
import tempfile
from pathlib import Path

import psycopg

from benchmarks.aptly.packages import Index, index_of_this_machine
from benchmarks.aptly.turns import QUICK, SIZES, compare
from benchmarks.bench import SETTINGS, Bench
from benchmarks.report import JOURNAL, console, on_console, page
from benchmarks.results import Journal, machine
from pkgdb.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aptly",
        description="Measure pkgdb beside Debian's aptly: the same real packages, in one run.",
    )
    parser.add_argument(
        "--packages", type=Path, help="a Packages file (default: the largest that apt has here)"
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size.replace("_", "")) for size in text.split(",")],
        default=QUICK,
        help=f"numbers of packages (default: {','.join(map(str, QUICK))}; "
        f"all: {','.join(map(str, SIZES))})",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--cache", type=Path, help="a folder that keeps what aptly took minutes to read"
    )
    parser.add_argument("--bindir", help="a folder of PostgreSQL binaries, `system` or `wheel`")
    parser.add_argument(
        "--output", type=Path, default=Path("bench-aptly"), help="a folder for what comes of it"
    )
    options = parser.parse_args()
    if shutil.which("aptly") is None:
        parser.error("aptly is not installed")
    path = options.packages or index_of_this_machine()
    if path is None:
        parser.error("apt has no index here: name a Packages file with --packages")

    screen = console()
    seed = random.randrange(1 << 31)
    base = Path(tempfile.mkdtemp(prefix="pkgdb-bench-"))
    try:
        with Server(base, options.bindir, die_with_parent=True, settings=SETTINGS) as server:
            with psycopg.connect(server.dsn()) as connection:
                version = connection.info.parameter_status("server_version")
            screen.print(f"PostgreSQL {version}, durable")
            run = {"PostgreSQL": f"{version}, durable", **machine(), "seed": seed}
            journal = Journal(options.output / JOURNAL, run | {"settings": SETTINGS})
            bench = Bench(server, journal, screen, quick=False, seed=seed, largest=0)
            compare(bench, Index(path), options.sizes, options.rounds, options.cache)
            for table in journal.results.tables:
                on_console(screen, journal.results, table)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    screen.print(page(journal.results, options.output))


if __name__ == "__main__":
    main()
