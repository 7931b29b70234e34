"""`make bench`: pkgdb beside its peers, in one run on a durable server of its own."""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from benchmarks import report
from benchmarks.bench import SETTINGS, Bench
from benchmarks.questions.curation import curation
from benchmarks.questions.feed import feed
from benchmarks.questions.ghosts import ghosts
from benchmarks.questions.growth import registration, registry
from benchmarks.questions.keys import keys
from benchmarks.questions.lookup import lookup
from benchmarks.questions.publication import publication
from benchmarks.questions.publish import publish
from benchmarks.questions.space import space
from benchmarks.questions.timing import timing
from benchmarks.results import Journal, machine
from pkgdb.server import Server

QUESTIONS: dict[str, Callable[[Bench], None]] = {
    "publish": publish,
    "registration": registration,
    "registry": registry,
    "ghosts": ghosts,
    "lookup": lookup,
    "curation": curation,
    "publication": publication,
    "feed": feed,
    "space": space,
    "timing": timing,
    "keys": keys,
}


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("questions", nargs="*", help=f"of: {', '.join(QUESTIONS)} (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer contenders, places and rounds")
    parser.add_argument(
        "--rounds", type=int, help="how often each takes its turn (publish: twice or more)"
    )
    parser.add_argument("--seconds", type=float, help="that count in each turn of a load")
    parser.add_argument(
        "--largest",
        type=int,
        default=10**6,
        help="versions of the largest registry (10000000: seven minutes and 15 GB more)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="NAME=VALUE",
        help="of the server's settings, as shared_buffers=12GB",
    )
    parser.add_argument("--seed", type=int, help="that an earlier run has printed")
    parser.add_argument("--bindir", help="a folder of PostgreSQL binaries, `system` or `wheel`")
    parser.add_argument(
        "--output", type=Path, default=Path("bench-results"), help="a folder for what comes of it"
    )
    options = parser.parse_args()
    if unknown := set(options.questions) - set(QUESTIONS):
        parser.error(f"no question {', '.join(unknown)}: there are {', '.join(QUESTIONS)}")

    settings = SETTINGS | dict(options.set)
    console = report.console()
    seed = random.randrange(1 << 31) if options.seed is None else options.seed
    base = Path(tempfile.mkdtemp(prefix="pkgdb-bench-"))
    began = time.monotonic()
    try:
        with Server(base, options.bindir, die_with_parent=True, settings=settings) as server:
            with psycopg.connect(server.dsn()) as connection:
                version = connection.info.parameter_status("server_version")
            run = {"PostgreSQL": f"{version}, durable", **machine(), "seed": seed}
            run |= {"options": "--quick" if options.quick else "", "settings": settings}
            console.print(f"PostgreSQL {version}, durable; seed {seed}")
            journal = Journal(options.output / report.JOURNAL, run)
            bench = Bench(
                server,
                journal,
                console,
                quick=options.quick,
                seed=seed,
                largest=options.largest,
            )
            bench.rounds = options.rounds or bench.rounds
            bench.seconds = options.seconds or bench.seconds
            for question in options.questions or QUESTIONS:
                shown, asked = len(journal.results.tables), time.monotonic()
                QUESTIONS[question](bench)
                bench.say(f"{question}: {time.monotonic() - asked:,.0f} s")
                for table in journal.results.tables[shown:]:
                    report.on_console(console, journal.results, table)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    console.print(
        f"{report.page(journal.results, options.output)} ({time.monotonic() - began:,.0f} s)"
    )


if __name__ == "__main__":
    main()
