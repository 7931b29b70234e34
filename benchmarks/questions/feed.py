"""Question 6: what a sequencer beside it costs publishing, and how far the feed lags."""

import time
from functools import partial
from typing import Any

import psycopg

from benchmarks.bench import NAMESPACE, Bench, Turn, fill, one
from benchmarks.load import Load, beside
from benchmarks.questions.growth import publishing
from benchmarks.questions.publish import PKGDB
from benchmarks.results import Chart, Column, Table

CLIENTS = 4
ALONE = "no sequencer"
PAUSES = {ALONE: None, "every second": 1_000, "every 100 ms": 100, "every 10 ms": 10}
LAG = """
    select percentile_cont(array[0.5, 0.99]) within group (
               order by extract(epoch from sequenced_at - occurred_at) * 1000)
      from pkgdb.feed_event
     where namespace = %s and position > %s
"""


def feed(bench: Bench) -> None:
    registrations = 1_000 if bench.quick else 10_000
    dsn = bench.database("feed")
    with psycopg.connect(dsn, autocommit=True) as connection:
        fill(connection, "'package-' || n", "'0.1.0'", registrations)
        connection.execute("vacuum analyze")
        table = Table(
            id="feed",
            title=f"Publishing beside one sequencer, spread over {registrations:,} packages",
            series="sequencer",
            x="clients",
            columns=(
                Column("rate", "versions/s", beside=True),
                Column("lag", "lag p50, ms"),
                Column("lag99", "lag p99, ms"),
            ),
            charts=(Chart("rate", "bars"), Chart("lag99", "bars")),
            first=(ALONE, None),
            note="Lag: from the change, before its commit, to its place in the feed. The sequencer "
            "pauses for so long after each call.",
        )
        load = Load(publishing(PKGDB, f"random(1, {registrations})"), CLIENTS)
        bench.rounds_of(
            table,
            [
                Turn(name, CLIENTS, partial(take, bench, connection, dsn, load, pause))
                for name, pause in PAUSES.items()
                if not bench.quick or pause in (None, 100)
            ],
        )
    bench.drop("feed")


def take(
    bench: Bench,
    connection: psycopg.Connection[Any],
    dsn: str,
    load: Load,
    pause: int | None,
    _: int,
) -> dict[str, float]:
    """One turn, from an empty outbox to an empty outbox."""
    head = drained(connection)
    sequencer = None
    if pause is not None:
        sequencer = Load(f"select pkgdb.sequence_events('{NAMESPACE}');\n\\sleep {pause} ms\n")
    with beside(bench.server, dsn, sequencer):
        rate = bench.load(dsn, load).rate
        if pause is None:
            return {"rate": rate}
        while one(connection, "select exists (select from pkgdb.outbox)"):
            time.sleep(0.01)  # else those that waited longest would be left out
    median, most = one(connection, LAG, NAMESPACE, head)
    return {"rate": rate, "lag": median, "lag99": most}


def drained(connection: psycopg.Connection[Any]) -> int:
    """The end of the feed, once nothing waits."""
    while one(connection, "select pkgdb.sequence_events(%s, 100000)", NAMESPACE):
        pass
    connection.execute("vacuum analyze pkgdb.outbox")
    head = one(connection, "select head from pkgdb.feed_positions where namespace = %s", NAMESPACE)
    return int(head or 0)
