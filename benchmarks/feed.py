"""The question `feed`: what a sequencer beside it costs publishing, and how far the feed lags."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING

import psycopg
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench, Load

ALONE = "no sequencer"
PAUSES = {ALONE: None, "every second": 1_000, "every 100 ms": 100, "every 10 ms": 10}
LAG = """
    select percentile_cont(array[0.5, 0.99]) within group (
               order by extract(epoch from sequenced_at - occurred_at) * 1000)
      from pkgdb.feed_event
     where namespace = 'bench' and position > %s
"""

console = Console()


@contextmanager
def sequencer(bench: "Bench", pause: int | None) -> Iterator[None]:
    """One client that sequences, pauses for so many milliseconds, and so on."""
    if pause is None:
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(f"select pkgdb.sequence_events('bench');\n\\sleep {pause} ms\n")
        script.flush()
        program = bench.server.binaries() / "pgbench"
        command = [str(program), "--no-vacuum", "--protocol=prepared", "--time=100000"]
        running = subprocess.Popen(
            [*command, f"--file={script.name}", bench.dsn],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            yield
            if running.poll() is not None:
                raise SystemExit(f"the sequencer ended:\n{running.communicate()[1].decode()}")
        finally:
            running.terminate()
            running.communicate()


def drained(connection: psycopg.Connection) -> int:
    """The end of the feed, once nothing waits: each turn begins there."""
    while connection.execute("select pkgdb.sequence_events('bench', 100000)").fetchone() != (0,):
        pass
    connection.execute("vacuum analyze pkgdb.outbox")
    (head,) = connection.execute(
        "select head from pkgdb.feed_positions where namespace = 'bench'"
    ).fetchone() or (0,)
    return head


def feed(bench: "Bench", load: "Load") -> None:
    """Publish with and without a sequencer beside it; and the time from a change to its place."""
    rates: dict[str, list[float]] = {name: [] for name in PAUSES}
    lags: dict[str, list[list[float]]] = {name: [] for name in PAUSES}
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        for _ in range(bench.rounds):
            for name, pause in PAUSES.items():
                head = drained(connection)
                with sequencer(bench, pause):
                    rates[name].append(bench.rate(load))
                    (lag,) = connection.execute(LAG, [head]).fetchone() or (None,)
                lags[name].append(lag or [])

    title = f"Publishing beside one sequencer, {load.clients} clients"
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("versions/s", f"beside {ALONE}", "spread", "lag, ms", "99 %, ms"):
        table.add_column(column, justify="right")
    for name, seen in rates.items():
        ratios = [a / b for a, b in zip(seen, rates[ALONE], strict=True)]
        table.add_row(
            name,
            f"{median(seen):,.0f}",
            f"{median(ratios):.2f}",
            f"{min(ratios):.2f} to {max(ratios):.2f}",
            *(f"{median(lag):,.0f}" for lag in zip(*lags[name], strict=True)),
        )
        bench.keep(
            {"table": title, "load": name, "rates": seen, "ratios": ratios, "lags": lags[name]}
        )
    console.print(table)
