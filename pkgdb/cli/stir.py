"""A bounded, repeatable stir: many connections that publish, yank, delete and purge at once.

Nothing is assumed about the outcome: what every call answered is counted, for a person to read and
for `Tally.undocumented` to judge.
"""

import hashlib
import json
import random
import statistics
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import dict_row

from pkgdb.cli.database import call

NAMESPACE = "churn"
REPOSITORIES = {"strict": "never", "lenient": "always"}
"""Names and their reuse policies: one never gives a version out twice, the other does."""

# sql/errors.md has the table: what pkgdb raises, and what it passes through.
_DOCUMENTED = {
    *("RG400", "RG403", "RG404", "RG405", "RG409", "RG410", "RG412", "RG422", "RG423"),
    *("40P01", "55P03", "57014", "25006", "42501"),
}
_PATIENCE = 30  # seconds that a racer waits for the others


@dataclass
class Tally:
    """What calls answered: outcomes, or SQLSTATEs, and how long each took."""

    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    errors: Counter[str] = field(default_factory=Counter)
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seconds: float = 0

    @property
    def calls(self) -> int:
        return sum(len(durations) for durations in self.durations.values())

    @property
    def undocumented(self) -> list[str]:
        """SQLSTATEs that no table promises."""
        return sorted(
            code for code in self.errors if code not in _DOCUMENTED and not code.startswith("53")
        )

    def milliseconds(self, function: str) -> tuple[float, float]:
        """The median and the longest."""
        durations = self.durations[function]
        return statistics.median(durations) * 1000, max(durations) * 1000

    def add(self, other: "Tally") -> None:
        for function, answers in other.answers.items():
            self.answers[function].update(answers)
            self.durations[function] += other.durations[function]
        self.errors.update(other.errors)


@dataclass
class Race:
    """Rounds in which every connection published the same version of a new package at once."""

    rounds: int
    racers: int
    one_winner: int
    """Rounds that ended as they must: one created, the others told what their content asks for."""


class Client:
    """One connection, as an operator, that counts what it is told."""

    def __init__(self, dsn: str) -> None:
        self.tally = Tally()
        self._connection = psycopg.connect(
            dsn,
            autocommit=True,
            row_factory=dict_row,
            options="-c role=pkgdb_operator",
            application_name="pkgdb demo",
        )

    def close(self) -> None:
        self._connection.close()

    def call(self, function: str, **arguments: Any) -> str:
        """Calls a function of pkgdb's; its outcome, else its SQLSTATE."""
        started = time.perf_counter()
        try:
            rows = call(self._connection, function, **arguments)
        except psycopg.Error as error:
            answer = error.sqlstate or type(error).__name__
            self.tally.errors[answer] += 1
            self.tally.answers[function][answer] += 1
        else:
            answers = [row.get("outcome", "ok") for row in rows] or ["nothing"]
            answer = answers[0]
            self.tally.answers[function].update(answers)
        self.tally.durations[function].append(time.perf_counter() - started)
        return answer


def prepare(dsn: str) -> None:
    """Makes the repositories."""
    client = Client(dsn)
    for repository, reuse in REPOSITORIES.items():
        policy = json.dumps({"reuse": reuse})
        client.call("create_repository", namespace=NAMESPACE, repository=repository, policy=policy)
    client.close()


def race(dsn: str, connections: int, rounds: int) -> tuple[Race, Tally]:
    """Each round all publish one version at once: the same content, in odd rounds each its own."""
    barrier = threading.Barrier(connections, timeout=_PATIENCE)
    answers: list[list[str]] = [[] for _ in range(rounds)]

    def run(racer: int) -> Tally:
        client = Client(dsn)
        for number in range(rounds):
            name = f"race-{number}"
            barrier.wait()
            answers[number].append(
                client.call(
                    "publish",
                    namespace=NAMESPACE,
                    repository="strict",
                    ecosystem="deb",
                    name=name,
                    version="1.0",
                    files=_files(f"{name}.deb", racer if number % 2 else 0),
                )
            )
        client.close()
        return client.tally

    tally = _in_threads(run, connections)
    right = 0
    for number, given in enumerate(answers):
        losers = "RG409" if number % 2 else "unchanged"
        right += Counter(given) == {"created": 1, losers: connections - 1}
    return Race(rounds, connections, right), tally


def churn(dsn: str, connections: int, seconds: float) -> Tally:
    """All kinds of calls at once, on few packages and on many, for some seconds."""
    deadline = time.monotonic() + seconds

    def run(number: int) -> Tally:
        client = Client(dsn)
        chance = random.Random(number)  # noqa: S311  (repeatable, and no secret)
        while time.monotonic() < deadline:
            _step(client, chance)
        client.close()
        return client.tally

    return _in_threads(run, connections)


def _in_threads(run: Callable[[int], Tally], connections: int) -> Tally:
    started = time.monotonic()
    total = Tally()
    with ThreadPoolExecutor(connections) as threads:
        for tally in threads.map(run, range(connections)):
            total.add(tally)
    total.seconds = time.monotonic() - started
    return total


# Of a hundred calls, how many go to which function.
_MIX = {
    "publish": 44,
    "add_files": 3,
    "publish_many": 2,
    "yank": 8,
    "unyank": 5,
    "deprecate": 3,
    "quarantine": 2,
    "release_quarantine": 2,
    "delete_version": 9,
    "restore_version": 4,
    "delete_file": 1,
    "set_tag": 4,
    "resolve": 10,
    "versions": 2,
    "purge": 1,
}
_FUNCTIONS, _WEIGHTS = list(_MIX), list(_MIX.values())


def _step(client: Client, chance: random.Random) -> None:
    (function,) = chance.choices(_FUNCTIONS, _WEIGHTS)
    where = {"namespace": NAMESPACE, "repository": chance.choice(list(REPOSITORIES))}
    if function == "purge":
        client.call(function, namespace=NAMESPACE)
        return
    # Half of the calls meet on three packages.
    name = f"hot-{chance.randrange(3)}" if chance.random() < 0.5 else f"p-{chance.randrange(200)}"
    version = _version(chance)
    filename = f"{name}-{version}.tar.gz"
    package = where | {"ecosystem": "pypi", "name": name}
    match function:
        case "publish_many":
            items = [
                {
                    "ecosystem": "pypi",
                    "name": name,
                    "version": some,
                    "files": json.loads(_files(f"{name}-{some}.tar.gz", 0)),
                }
                for some in {_version(chance) for _ in range(10)}
            ]
            client.call(function, **where, items=json.dumps(items), strict=False)
        case "resolve":
            want = chance.choice(["latest", "latest_stable", "tag:stable", version])
            client.call(function, **package, want=want)
        case "versions":
            client.call(function, **package, limit=20)
        case "publish":
            # Now and then the bytes differ from what someone else published.
            files = _files(filename, chance.random() < 0.1)
            client.call(function, **package, version=version, files=files)
        case "add_files":
            client.call(function, **package, version=version, files=_files(f"{filename}.asc", 0))
        case _:
            client.call(function, **package, version=version, **_extra(function, filename, chance))


def _extra(function: str, filename: str, chance: random.Random) -> dict[str, Any]:
    match function:
        case "yank" | "quarantine":
            return {"reason": "demo"}
        case "deprecate":
            return {"message": chance.choice(["use another", None])}
        case "set_tag":
            return {"tag": chance.choice(["stable", "next"])}
        case "delete_file":
            return {"filename": filename}
        case _:
            return {}


def _version(chance: random.Random) -> str:
    # Few enough to meet the same one often; `1.0` and `1.0.0` are one version.
    number = f"{chance.randrange(3)}.{chance.randrange(4)}"
    return number + chance.choice(["", ".0", ".1", "rc1", ".dev2"])


def _files(filename: str, content: int) -> str:
    data = f"{filename} {int(content)}".encode()
    return json.dumps(
        [{"filename": filename, "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}]
    )
