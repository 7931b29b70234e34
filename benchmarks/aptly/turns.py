"""pkgdb and Debian's aptly on the same real packages, in one run.

Both get a repository of so many packages, freeze it, have one package in a hundred changed and
freeze it again. Then come rounds: in each one aptly's server, aptly's commands and pkgdb take
turns. aptly's server and PostgreSQL are both asked over a Unix socket, and keep their data on the
same disk.
"""

import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import closing
from functools import cmp_to_key, partial
from pathlib import Path
from statistics import median

from debian.debian_support import version_compare

from benchmarks.aptly.ours import Pkgdb
from benchmarks.aptly.packages import CHANGED, Index, Key
from benchmarks.aptly.peer import CLIENTS, Aptly, Client, concurrently, copy, key_of, prepare
from benchmarks.bench import Bench
from benchmarks.results import Chart, Column, Table

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

# Who edits: aptly in two ways.
SERVER, COMMANDS, PKGDB = "aptly's server", "aptly's commands", "pkgdb"


class Turns:
    """The contenders at one number of packages, and one round after another."""

    def __init__(self, aptly: Aptly, ours: Pkgdb, index: Index) -> None:
        self.aptly, self.ours = aptly, ours
        self.merged = False
        with aptly.serving() as client:
            self.edits = list(client.packages("repos/edits").values())
            there = client.packages("repos/main")
            client.ask("POST", "/repos/main/snapshots", {"Name": "left"})
            gone = index.replaced(0, ours.size) + index.removed(0, ours.size)
            client.edit("DELETE", [there[package.key] for package in gone])
            for repository in ("newer", "added"):
                client.edit("POST", list(client.packages(f"repos/{repository}").values()))
            client.ask("POST", "/repos/main/snapshots", {"Name": "right"})
            for name in ("left", "right"):
                if set(client.packages(f"snapshots/{name}")) != ours.snapshot(name):
                    raise SystemExit(f"aptly and pkgdb do not have the same packages {name}")

    def round(self) -> dict[str, dict[str, float]]:
        """By operation and by contender, seconds. What became of edits is in `acknowledged` and
        `lost`."""
        self.acknowledged, self.lost = Counter[str](), Counter[str]()
        seen: dict[str, dict[str, float]] = defaultdict(dict)
        with self.aptly.serving() as client:
            self._server(client, seen)
        self._commands(seen)
        self._pkgdb(seen)
        return seen

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
        self.acknowledged[SERVER] += acknowledged
        self.lost[SERVER] += lost

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
        self.acknowledged[COMMANDS] += len(done)
        self.lost[COMMANDS] += len(set(done) - set(present))
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
        self.acknowledged[PKGDB] += acknowledged
        self.lost[PKGDB] += lost
        for option, name in MERGES.items():
            if self.merged:
                ours.call("drop_snapshot", f"merged-{option}")
            seen[name + COMMAND]["pkgdb"] = ours.timed(
                "merge_snapshots", f"merged-{option}", ["left", "right"],
                option == "latest", option == "no-remove",
            )  # fmt: skip
        self.merged = True

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


def compare(
    bench: Bench, index: Index, sizes: Sequence[int], rounds: int, cache: Path | None = None
) -> None:
    """Let them take turns at each number of packages, and write down what is seen."""
    largest = 4 * index.real
    if wrong := [size for size in sizes if not CHANGED <= size <= largest]:
        raise SystemExit(f"between {CHANGED} and {largest:,} packages, not {wrong[0]:,}")
    version = subprocess.run(["aptly", "version"], capture_output=True, text=True, check=True)
    aptly = version.stdout.strip().replace("version: ", "")
    bench.say(f"{aptly}; {len(index.stanzas):,} real packages")
    times, edits, results = tables(aptly, sizes)
    for table in (times, edits, results):
        bench.journal.table(table)

    name = "aptly"
    dsn = bench.database(name)
    with tempfile.TemporaryDirectory(prefix="pkgdb-bench-") as folder:
        base = Path(folder)
        cache = cache or base / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        for size in sorted(sizes):
            root = prepare(index, size, cache, bench.say)
            with closing(Pkgdb(bench.server, dsn, size)) as ours:
                ours.prepare(index)
                turns = Turns(copy(root, base / "aptly"), ours, index)
                for number in range(rounds):
                    for operation, took in turns.round().items():
                        values = {who: 1000 * seconds for who, seconds in took.items()}
                        values["ratio"] = took["aptly"] / took["pkgdb"]
                        bench.measure(times, number, operation, size, values)
                    for who in (SERVER, COMMANDS, PKGDB):
                        done, lost = turns.acknowledged[who], turns.lost[who]
                        values = {"acknowledged": done, "lost": lost}
                        bench.measure(edits, number, who, size, values)
                for operation, differing in turns.differences().items():
                    bench.measure(results, 0, operation, size, differing)
    bench.drop(name)


def tables(aptly: str, sizes: Sequence[int]) -> tuple[Table, Table, Table]:
    """Of times, of edits, and of what merges and comparisons gave."""
    chart = Chart("ratio", "lines" if len(sizes) > 1 else "bars", log_y=True)
    return (
        Table(
            id="aptly-times",
            title=f"Curation beside Debian's {aptly}",
            series="operation",
            x="packages",
            columns=(
                Column("aptly", "aptly, ms", digits=1),
                Column("pkgdb", "pkgdb, ms", digits=2),
                Column("ratio", "aptly / pkgdb", digits=1),
            ),
            charts=(chart,),
            note="Above 1 pkgdb is faster. aptly through its server, or by command where the row "
            "says so; pkgdb through SQL.",
            rows=tuple((operation, size) for size in sorted(sizes) for operation in ORDER),
        ),
        Table(
            id="aptly-edits",
            title=f"Edits by {CLIENTS} at once that were acknowledged, and yet are not there",
            series="contender",
            x="packages",
            columns=(
                Column("acknowledged", "acknowledged", counted=True),
                Column("lost", "lost", counted=True, fault=True),
            ),
        ),
        Table(
            id="aptly-results",
            title="Packages that differ from what the rule of the operation says",
            series="operation",
            x="packages",
            columns=(
                Column("aptly", "with aptly", counted=True),
                Column("pkgdb", "with pkgdb", counted=True, fault=True),
            ),
        ),
    )
