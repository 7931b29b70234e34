"""Load from pgbench, a client too light to hide what the server does."""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.results import Value
from pkgdb.server import Server

RETRIED = re.compile(r"^total number of retries: (\d+)", re.M)


@dataclass(frozen=True)
class Load:
    """A script, how many clients run it, and how often each tries a transaction again."""

    script: str
    clients: int = 1
    tries: int = 1
    defined: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """A call that succeeded: when it ended (s), how long it took with all tries (ms)."""

    when: float
    took: float
    versions: int = 1


@dataclass(frozen=True)
class Seen:
    """What came of a load, once every connection had planned its statements."""

    rate: float  # versions a second
    p50: float  # milliseconds a call, with all tries
    p99: float
    retries: int
    failed: int

    def values(self) -> dict[str, float]:
        return dict(vars(self))


def run(server: Server, dsn: str, load: Load, seconds: float, warm_up: float, seed: int) -> Seen:
    """Let the clients work for `warm_up` seconds unseen, then for so many that count."""
    with tempfile.TemporaryDirectory(prefix="pkgdb-load-") as folder:
        until = f"--time={max(1, round(warm_up + seconds))}"
        printed = pgbench(server, dsn, load, seed, until, "--log", f"--log-prefix={folder}/log")
        log = [line.split() for path in Path(folder).glob("log.*") for line in lines(path)]
    tried = [(int(line[4]) + int(line[5]) / 1e6, line[2]) for line in log]
    ended = [Ended(when, float(took) / 1000) for when, took in tried if took.isdigit()]
    if not ended:
        raise SystemExit(f"no transaction succeeded:\n{load.script}\n{printed}")
    found = RETRIED.search(printed)
    return seen(
        ended,
        warm_up,
        seconds,
        retries=int(found[1]) if found else 0,
        failed=sum(not took.isdigit() for _, took in tried),
    )


def seen(
    ended: list[Ended], warm_up: float, seconds: float, retries: int = 0, failed: int = 0
) -> Seen:
    """What came of calls: the rate of those that ended in time, the times of those that began so.

    Some may end long after: they count for the times, as whoever waits for them would say.
    """
    start = min(call.when - call.took / 1000 for call in ended) + warm_up
    counted = [call for call in ended if start <= call.when < start + seconds]
    times = [
        call.took for call in ended if start <= call.when - call.took / 1000 < start + seconds
    ] or [call.took for call in ended]
    p50, p99 = percentiles(times)
    return Seen(
        rate=sum(call.versions for call in counted) / seconds,
        p50=p50,
        p99=p99,
        retries=retries,
        failed=failed,
    )


def percentiles(times: list[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def pgbench(server: Server, dsn: str, load: Load, seed: int, *options: str) -> str:
    """Run a load to its end; what pgbench prints."""
    with command(server, load, seed) as program:
        done = subprocess.run(
            [*program, *options, dsn], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(f"pgbench failed:\n{load.script}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def command(server: Server, load: Load, seed: int) -> Iterator[list[str]]:
    """pgbench with everything but how long, and where; its script is there within the block."""
    with tempfile.TemporaryDirectory(prefix="pkgdb-load-") as folder:
        script = Path(folder, "script.sql")
        script.write_text(load.script)
        yield [
            str(server.binaries() / "pgbench"),
            *("--no-vacuum", "--protocol=prepared", f"--client={load.clients}"),
            *(f"--max-tries={load.tries}", f"--random-seed={seed}", f"--file={script}"),
            *(f"--define={name}={value}" for name, value in load.defined.items()),
        ]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@contextmanager
def beside(server: Server, dsn: str, load: Load | None) -> Iterator[None]:
    """The load, again and again, for as long as the block takes; nothing where there is none."""
    if load is None:
        yield
        return
    with command(server, load, seed=1) as program:
        running = subprocess.Popen(
            [*program, "--time=100000", dsn],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield
        finally:
            ended = running.poll() is not None
            running.terminate()
            _, said = running.communicate()
        if ended:
            raise SystemExit(f"the load beside ended:\n{said}")
