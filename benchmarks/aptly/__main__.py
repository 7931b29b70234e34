"""`python -m benchmarks.aptly`: what it costs beside Debian's aptly."""

import argparse
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg

from benchmarks.aptly.packages import Index
from benchmarks.aptly.turns import QUICK, SIZES, compare, console
from pkgdb import migrate
from pkgdb.server import Server

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "100"}


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
    parser.add_argument("--output", type=Path, help="append the raw figures, JSON lines")
    options = parser.parse_args()
    if shutil.which("aptly") is None:
        parser.error("aptly is not installed")

    def keep(row: dict[str, object]) -> None:
        if options.output is not None:
            with options.output.open("a") as out:
                out.write(json.dumps(row) + "\n")

    index = Index(options.packages or index_of_this_machine())
    base = Path(tempfile.mkdtemp(prefix="pkgdb-bench-"))
    try:
        with Server(base, options.bindir, die_with_parent=True, settings=SETTINGS) as server:
            migrate.upgrade(server.dsn())
            with psycopg.connect(server.dsn()) as connection:
                version = connection.info.parameter_status("server_version")
            console.print(f"PostgreSQL {version}, durable")
            compare(server, index, options.sizes, options.rounds, options.cache, keep)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def index_of_this_machine() -> Path:
    """The largest index that apt has here."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(FILENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    found = [path for path in map(Path, listed) if path.exists()]
    if not found:
        raise SystemExit("apt has no index here: name a Packages file with --packages")
    return max(found, key=lambda path: path.stat().st_size)


if __name__ == "__main__":
    main()
