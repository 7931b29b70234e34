"""pkgdb and Debian's aptly on the same real packages, in one run.

Both get a repository of so many packages, freeze it, have one package in a hundred changed and
freeze it again. Then come rounds: in each one aptly's server, aptly's commands and pkgdb take
turns. Ratios are taken within a round; tables show medians and spread. aptly's server and
PostgreSQL are both asked over a Unix socket, and keep their data on the same disk.
"""

import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cmp_to_key, partial
from pathlib import Path
from statistics import median

from debian.debian_support import version_compare
from rich.console import Console
from rich.table import Table

from benchmarks.aptly.ours import Pkgdb
from benchmarks.aptly.packages import CHANGED, Index, Key
from benchmarks.aptly.peer import CLIENTS, Aptly, Client, concurrently, copy, key_of, prepare
from pkgdb.server import Server

SIZES = [1_000, 10_000, 60_000, 240_000]
QUICK = SIZES[:2]
MERGES = {"": "merge", "latest": "merge -latest", "no-remove": "merge -no-remove"}
COMMAND = " (command)"
AT_ONCE = f"edit, {CLIENTS} at once"
ORDER = ["create", "create, function alone", "create" + COMMAND, "edit", "edit" + COMMAND, AT_ONCE]
ORDER += [AT_ONCE + COMMAND, *(name + COMMAND for name in MERGES.values()), "diff"]
ORDER += ["diff" + COMMAND]
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
    acknowledged: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def rows(self) -> dict[str, list[tuple[float, float]]]:
        """By row, aptly's and our seconds in each round."""
        return {
            name: [(seen[name]["aptly"], seen[name]["pkgdb"]) for seen in self.rounds]
            for name in sorted(self.rounds[0], key=ORDER.index)
        }


class Turns:
    """The contenders at one number of packages, and one round after another."""

    def __init__(self, aptly: Aptly, ours: Pkgdb, index: Index, figures: Figures) -> None:
        self.aptly, self.ours, self.figures = aptly, ours, figures
        with aptly.serving() as client:
            self.edits = list(client.packages("repos/edits").values())
            there = client.packages("repos/main")
            client.ask("POST", "/repos/main/snapshots", {"Name": "left"})
            gone = index.replaced(0, figures.size) + index.removed(0, figures.size)
            client.edit("DELETE", [there[package.key] for package in gone])
            for repository in ("newer", "added"):
                client.edit("POST", list(client.packages(f"repos/{repository}").values()))
            client.ask("POST", "/repos/main/snapshots", {"Name": "right"})
            for name in ("left", "right"):
                if set(client.packages(f"snapshots/{name}")) != ours.snapshot(name):
                    raise SystemExit(f"aptly and pkgdb do not have the same packages {name}")

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
        seen["create"]["aptly"] = median(creating)
        seen["create, function alone"]["aptly"] = median(creating)
        seen["edit"]["aptly"] = median(editing)
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
        seen[AT_ONCE]["aptly"] = seconds / acknowledged
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
        seen["create" + COMMAND]["aptly"] = aptly.timed(
            *["snapshot", "create", "timed", "from", "repo", "main"]
        )
        aptly.run("snapshot", "drop", "timed")
        seen["edit" + COMMAND]["aptly"] = median(
            (
                aptly.timed("repo", "copy", "edits", "main", "edit-0"),
                aptly.timed("repo", "remove", "main", "edit-0"),
            )
        )
        done, seconds = concurrently(self._copy)
        seen[AT_ONCE + COMMAND]["aptly"] = seconds / len(done)
        search = aptly.attempt("repo", "search", "-format={{.Package}}", "main", EDITED)
        present = search.stdout.split()
        self.figures.acknowledged["aptly's commands"] += len(done)
        self.figures.lost["aptly's commands"] += len(set(done) - set(present))
        aptly.run("repo", "remove", "main", EDITED)
        for option, name in MERGES.items():
            target = f"merged-{option}"
            aptly.attempt("snapshot", "drop", target)
            options = [f"-{option}"] if option else []
            seen[name + COMMAND]["aptly"] = aptly.timed(
                "snapshot", "merge", *options, target, "left", "right"
            )
        seen["diff" + COMMAND]["aptly"] = aptly.timed("snapshot", "diff", "left", "right")

    def _copy(self, number: int) -> list[str]:
        name = f"edit-{number}"
        done = self.aptly.attempt("repo", "copy", "edits", "main", name)
        return [] if done.returncode else [name]

    def _pkgdb(self, seen: dict[str, dict[str, float]]) -> None:
        ours = self.ours
        created, inside = zip(*(ours.create_snapshot() for _ in range(4 * REPEAT)), strict=True)
        published, deleted = zip(*(ours.edit() for _ in range(4 * REPEAT)), strict=True)
        acknowledged, lost, rate = ours.edits(CLIENTS, OURS_EACH)
        ours.clean()
        differing = [ours.timed("diff_snapshots", "left", "right") for _ in range(REPEAT)]
        for command in ("", COMMAND):
            seen["create" + command]["pkgdb"] = median(created)
            seen["edit" + command]["pkgdb"] = median((median(published), median(deleted)))
            seen[AT_ONCE + command]["pkgdb"] = 1 / rate
            seen["diff" + command]["pkgdb"] = median(differing)
        seen["create, function alone"]["pkgdb"] = median(inside)
        self.figures.acknowledged["pkgdb"] += acknowledged
        self.figures.lost["pkgdb"] += lost
        for option, name in MERGES.items():
            if len(self.figures.rounds):
                ours.call("drop_snapshot", f"merged-{option}")
            seen[name + COMMAND]["pkgdb"] = ours.timed(
                "merge_snapshots", f"merged-{option}", ["left", "right"],
                option == "latest", option == "no-remove",
            )  # fmt: skip

    def differences(self) -> dict[str, dict[str, int]]:
        """How many packages each has otherwise than the rule says."""
        found: dict[str, dict[str, int]] = {}
        with self.aptly.serving() as client:
            left, right = (set(client.packages(f"snapshots/{name}")) for name in ("left", "right"))
            for option, name in MERGES.items():
                expected = merged(option, left, right)
                found[name] = {
                    "aptly": len(set(client.packages(f"snapshots/merged-{option}")) ^ expected),
                    "pkgdb": len(self.ours.snapshot(f"merged-{option}") ^ expected),
                }
            pairs = client.ask("GET", "/snapshots/left/diff/right")
        theirs = tuple({key_of(pair[of]) for pair in pairs if pair[of]} for of in ("Left", "Right"))
        found["diff"] = {
            who: len(sides[0] ^ (left - right)) + len(sides[1] ^ (right - left))
            for who, sides in (("aptly", theirs), ("pkgdb", self.ours.difference()))
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
    table = Table(
        title="Packages that differ from what the rule says: aptly / pkgdb", title_justify="left"
    )
    table.add_column("packages", justify="right")
    for name in (*MERGES.values(), "diff"):
        table.add_column(name, justify="right")
    for size, of in found.items():
        table.add_row(f"{size:,}", *(f"{seen['aptly']} / {seen['pkgdb']}" for seen in of.values()))
    return table


def compare(
    server: Server,
    index: Index,
    sizes: Sequence[int],
    rounds: int,
    cache: Path | None = None,
    keep: Callable[[dict[str, object]], None] = lambda row: None,
) -> None:
    """Let them take turns at each number of packages. The server has pkgdb's schema."""
    largest = 4 * index.real
    if wrong := [size for size in sizes if not CHANGED <= size <= largest]:
        raise SystemExit(f"between {CHANGED} and {largest:,} packages, not {wrong[0]:,}")
    version = subprocess.run(["aptly", "version"], capture_output=True, text=True, check=True)
    console.print(
        f"{version.stdout.strip()}; {len(index.stanzas):,} real packages; {rounds} rounds"
    )
    everything: list[Figures] = []
    found: dict[int, dict[str, dict[str, int]]] = {}
    with tempfile.TemporaryDirectory(prefix="pkgdb-bench-") as folder:
        base = Path(folder)
        cache = cache or base / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        for size in sorted(sizes):
            figures = Figures(size)
            root = prepare(index, size, cache, console.print)
            with closing(Pkgdb(server, size)) as ours:
                ours.prepare(index)
                turns = Turns(copy(root, base / "aptly"), ours, index, figures)
                for _ in range(rounds):
                    turns.round()
                console.print(times(figures))
                found[size] = turns.differences()
            everything.append(figures)
            keep(vars(figures) | {"differences": found[size]})
    console.print(edits(everything))
    console.print(results(found))
