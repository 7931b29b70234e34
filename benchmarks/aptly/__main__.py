"""Measure pkgdb beside Debian's aptly: the same real packages, in one run.

Both get a repository of so many packages, freeze it, have one package in a hundred changed and
freeze it again. Then come rounds: in each one aptly's server, aptly's commands and pkgdb take
turns. Ratios are taken within a round; tables show medians and spread. aptly's server and
PostgreSQL are both asked over a Unix socket, and keep their data in the same folder.
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cmp_to_key, partial
from pathlib import Path
from statistics import median

import psycopg
from debian.debian_support import version_compare
from rich.console import Console
from rich.table import Table

from benchmarks.aptly.ours import Pkgdb
from benchmarks.aptly.packages import Index, Key
from benchmarks.aptly.peer import CLIENTS, Aptly, Client, concurrently, copy, prepare
from pkgdb import migrate
from pkgdb.server import Server

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "100"}
SIZES = [1_000, 10_000, 60_000, 240_000]
QUICK = SIZES[:2]
MERGES = {"": "merge", "latest": "merge, latest only", "no-remove": "merge, all versions"}
OURS_EACH = 200  # edits of each kind by each client
REPEAT = 5
PATIENCE = 20  # seconds until a client of aptly's server begins no further edit
EDITED = "Name (% edit-*)"

console = Console()


@dataclass
class Figures:
    """What was seen at one number of packages."""

    size: int
    rounds: list[dict[str, dict[str, float]]] = field(default_factory=list)
    """In each round, by row of the table and by contender, seconds."""
    acknowledged: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lost: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def rows(self) -> dict[str, list[tuple[float, float]]]:
        """By row, aptly's and our seconds in each round."""
        return {
            name: [(seen[name]["aptly"], seen[name]["pkgdb"]) for seen in self.rounds]
            for name in self.rounds[0]
        }


class Turns:
    """The contenders at one number of packages, and one round after another."""

    def __init__(self, aptly: Aptly, ours: Pkgdb, index: Index, figures: Figures) -> None:
        self.aptly, self.ours, self.figures = aptly, ours, figures
        with aptly.serving() as client:
            self.edits = list(client.packages("repos/edits").values())
            there = client.packages("repos/main")
            client.ask("POST", "/repos/main/snapshots", {"Name": "left"})
            gone = index.replaced(figures.size) + index.removed(figures.size)
            client.edit("DELETE", [there[package.key] for package in gone])
            for repository in ("newer", "added"):
                client.edit("POST", list(client.packages(f"repos/{repository}").values()))
            client.ask("POST", "/repos/main/snapshots", {"Name": "right"})

    def round(self) -> None:
        seen: dict[str, dict[str, float]] = defaultdict(dict)
        with self.aptly.serving() as client:
            self._server(client, seen)
        self._commands(seen)
        self._pkgdb(seen)
        self.figures.rounds.append(seen)

    def _server(self, client: Client, seen: dict[str, dict[str, float]]) -> None:
        creating, editing = [], []
        for _ in range(REPEAT):
            creating.append(client.timed("POST", "/repos/main/snapshots", {"Name": "timed"}))
            client.ask("DELETE", "/snapshots/timed")
        for method in ("POST", "DELETE"):
            start = time.perf_counter()
            client.edit(method, self.edits[:1])
            editing.append(time.perf_counter() - start)
        seen["snapshot create"]["aptly"] = median(creating)
        seen["snapshot create, within the server"]["aptly"] = median(creating)
        seen["one edit"]["aptly"] = median(editing)
        seen["diff"]["aptly"] = client.timed("GET", "/snapshots/left/diff/right")

        acknowledged, lost, seconds = 0, 0, 0.0
        for method in ("POST", "DELETE"):
            if method == "DELETE":
                client.edit("POST", self.edits)  # also what was lost just now
            done, took = concurrently(partial(self._edit, method))
            there = set(client.packages("repos/main").values())
            lost += sum((reference in there) == (method == "DELETE") for reference in done)
            acknowledged += len(done)
            seconds += took
        client.edit("DELETE", self.edits)
        seen[f"{CLIENTS} at once, an edit"]["aptly"] = seconds / acknowledged
        self.figures.acknowledged["aptly's server"] += acknowledged
        self.figures.lost["aptly's server"] += lost

    def _edit(self, method: str, number: int) -> list[str]:
        """What one of the clients does: its own edits, of which it returns the acknowledged."""
        client = self.aptly.client()
        done = []
        end = time.monotonic() + PATIENCE
        for reference in self.edits[number::CLIENTS]:
            body = {"PackageRefs": [reference]}
            if client.attempt(method, "/repos/main/packages", body)[0] == 200:
                done.append(reference)
            if time.monotonic() > end:
                break
        return done

    def _commands(self, seen: dict[str, dict[str, float]]) -> None:
        aptly = self.aptly
        seen["snapshot create, by command"]["aptly"] = aptly.timed(
            *["snapshot", "create", "timed", "from", "repo", "main"]
        )
        aptly.run("snapshot", "drop", "timed")
        seen["one edit, by command"]["aptly"] = median(
            (
                aptly.timed("repo", "copy", "edits", "main", "edit-0"),
                aptly.timed("repo", "remove", "main", "edit-0"),
            )
        )
        done, seconds = concurrently(self._copy)
        seen[f"{CLIENTS} at once, by command"]["aptly"] = seconds / len(done)
        present = aptly.run("repo", "search", "-format={{.Package}}", "main", EDITED).split()
        self.figures.acknowledged["aptly's commands"] += len(done)
        self.figures.lost["aptly's commands"] += len(set(done) - set(present))
        aptly.run("repo", "remove", "main", EDITED)
        for option, name in MERGES.items():
            target = f"merged-{option}"
            aptly.attempt("snapshot", "drop", target)
            options = [f"-{option}"] if option else []
            seen[name]["aptly"] = aptly.timed(
                "snapshot", "merge", *options, target, "left", "right"
            )
        seen["diff, by command"]["aptly"] = aptly.timed("snapshot", "diff", "left", "right")

    def _copy(self, number: int) -> list[str]:
        name = f"edit-{number}"
        done = self.aptly.attempt("repo", "copy", "edits", "main", name)
        return [] if done.returncode else [name]

    def _pkgdb(self, seen: dict[str, dict[str, float]]) -> None:
        ours = self.ours
        created, inside = zip(*(ours.create_snapshot() for _ in range(4 * REPEAT)), strict=True)
        published, deleted = zip(*(ours.edit() for _ in range(4 * REPEAT)), strict=True)
        acknowledged, lost, rate = ours.edits(CLIENTS, OURS_EACH)
        differing = [ours.timed("diff_snapshots", "left", "right") for _ in range(REPEAT)]
        for command in ("", ", by command"):
            seen[f"snapshot create{command}"]["pkgdb"] = median(created)
            seen[f"one edit{command}"]["pkgdb"] = median((median(published), median(deleted)))
            seen[f"diff{command}"]["pkgdb"] = median(differing)
        seen["snapshot create, within the server"]["pkgdb"] = median(inside)
        for how in ("an edit", "by command"):
            seen[f"{CLIENTS} at once, {how}"]["pkgdb"] = 1 / rate
        self.figures.acknowledged["pkgdb"] += acknowledged
        self.figures.lost["pkgdb"] += lost
        for option, name in MERGES.items():
            if len(self.figures.rounds):
                ours.call("drop_snapshot", f"merged-{option}")
            seen[name]["pkgdb"] = ours.timed(
                "merge_snapshots", f"merged-{option}", ["left", "right"],
                option == "latest", option == "no-remove",
            )  # fmt: skip

    def differences(self) -> dict[str, dict[str, int]]:
        """How many packages each has otherwise than the rule says."""
        found: dict[str, dict[str, int]] = {}
        with self.aptly.serving() as client:
            left, right = (set(client.packages(f"snapshots/{name}")) for name in ("left", "right"))
            for name, expected in (("left", left), ("right", right)):
                found[name] = {"pkgdb": len(self.ours.snapshot(name) ^ expected)}
            for option, name in MERGES.items():
                expected = merged(option, left, right)
                found[name] = {
                    "aptly": len(set(client.packages(f"snapshots/merged-{option}")) ^ expected),
                    "pkgdb": len(self.ours.snapshot(f"merged-{option}") ^ expected),
                }
        only_left, only_right = self.ours.difference()
        found["diff"] = {
            "pkgdb": len(only_left ^ (left - right)) + len(only_right ^ (right - left))
        }
        return found


def merged(option: str, left: set[Key], right: set[Key]) -> set[Key]:
    """What a merge gives, as aptly's manual has it."""
    if option == "no-remove":
        return left | right
    if option == "latest":
        of: dict[tuple[str, str], list[str]] = defaultdict(list)
        for name, version, architecture in left | right:
            of[name, architecture].append(version)
        order = cmp_to_key(version_compare)
        return {(name, max(found, key=order), arch) for (name, arch), found in of.items()}
    replaced = {(name, architecture) for name, _, architecture in right}
    return right | {key for key in left if (key[0], key[2]) not in replaced}


def times(figures: Figures) -> Table:
    table = Table(title=f"{figures.size:,} packages", title_justify="left")
    table.add_column("")
    for column in ("aptly, ms", "pkgdb, ms", "aptly / pkgdb", "spread"):
        table.add_column(column, justify="right")
    for name, pairs in figures.rows().items():
        ratios = [theirs / ours for theirs, ours in pairs]
        table.add_row(
            name,
            f"{1000 * median(theirs for theirs, _ in pairs):,.1f}",
            f"{1000 * median(ours for _, ours in pairs):,.2f}",
            f"{median(ratios):,.1f}",
            f"{min(ratios):,.1f} to {max(ratios):,.1f}",
        )
    return table


def edits(all_figures: Iterable[Figures]) -> Table:
    table = Table(title="Edits acknowledged and yet not there", title_justify="left")
    table.add_column("packages", justify="right")
    contenders = ["aptly's server", "aptly's commands", "pkgdb"]
    for contender in contenders:
        table.add_column(contender, justify="right")
    for figures in all_figures:
        table.add_row(
            f"{figures.size:,}",
            *(f"{figures.lost[who]:,} of {figures.acknowledged[who]:,}" for who in contenders),
        )
    return table


def results(found: dict[int, dict[str, dict[str, int]]]) -> Table:
    table = Table(title="Packages that differ from what the rule says", title_justify="left")
    table.add_column("packages", justify="right")
    for name in MERGES.values():
        for who in ("aptly", "pkgdb"):
            table.add_column(f"{name}: {who}", justify="right")
    table.add_column("diff: pkgdb", justify="right")
    for size, of in found.items():
        table.add_row(
            f"{size:,}",
            *(str(of[name][who]) for name in MERGES.values() for who in ("aptly", "pkgdb")),
            str(of["diff"]["pkgdb"]),
        )
    return table


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


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aptly", description=__doc__)
    parser.add_argument(
        "--packages", type=Path, help="a Packages file (default: the largest that apt has here)"
    )
    parser.add_argument(
        "--sizes",
        type=lambda text: [int(size.replace("_", "")) for size in text.split(",")],
        default=QUICK,
        help=f"numbers of packages (default: {','.join(map(str, QUICK))}; aimed at: "
        f"{','.join(map(str, SIZES))})",
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, help="a folder that keeps aptly's databases")
    parser.add_argument("--bindir", help="a folder of PostgreSQL binaries, `system` or `wheel`")
    parser.add_argument("--output", type=Path, help="append the raw figures, JSON lines")
    options = parser.parse_args()
    if shutil.which("aptly") is None:
        parser.error("aptly is not installed")

    base = Path(tempfile.mkdtemp(prefix="pkgdb-bench-"))
    base.chmod(0o755)  # the account that runs PostgreSQL for root passes through
    try:
        compare(options, base)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def compare(options: argparse.Namespace, base: Path) -> None:
    index = Index(options.packages or index_of_this_machine())
    largest = index.real * 4
    cache = options.cache or base / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    with Server(base / "pg", options.bindir, die_with_parent=True, settings=SETTINGS) as server:
        migrate.upgrade(server.dsn())
        with psycopg.connect(server.dsn()) as connection:
            postgresql = connection.info.parameter_status("server_version")
        aptly = subprocess.run(["aptly", "version"], capture_output=True, text=True, check=True)
        console.print(
            f"{aptly.stdout.strip()}; PostgreSQL {postgresql}, durable; "
            f"{len(index.stanzas):,} real packages; {options.rounds} rounds"
        )
        everything, found = [], {}
        for size in sorted(options.sizes):
            if not 0 < size <= largest:
                raise SystemExit(f"between 1 and {largest:,} packages, not {size:,}")
            figures = Figures(size)
            root = prepare(index, size, cache, console.print)
            ours = Pkgdb(server, size)
            ours.prepare(index)
            turns = Turns(copy(root, base / "aptly"), ours, index, figures)
            for _ in range(options.rounds):
                turns.round()
            console.print(times(figures))
            found[size] = turns.differences()
            everything.append(figures)
            if options.output is not None:
                with options.output.open("a") as out:
                    out.write(json.dumps(asdict(figures) | {"differences": found[size]}) + "\n")
            ours.close()
        console.print(edits(everything))
        console.print(results(found))


if __name__ == "__main__":
    main()
