"""Question 8: where the time goes in one publish, and what part of it is the commit."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg

from benchmarks.bench import Bench, fill
from benchmarks.load import Load, beside
from benchmarks.questions.growth import publishing
from benchmarks.questions.publish import PKGDB
from benchmarks.results import Chart, Column, Table

HOT = 100  # versions that the package has before all publish into it
EVERY = 0.01  # seconds between two looks at what backends wait for
WHOLE, PLANNING = "the whole call", "planning, of all statements"
REST = "PL/pgSQL itself, and what is below 1 %"
QUEUING = "Lock: advisory"
LEAST = 1  # % of the call: what takes less has no row
SHARE = Column("share", "share, %", digits=1)

# A statement that only calls a function is not `listed`, as the function's own are; nor a check of
# a foreign key, which is part of the statement that it checks.
STATEMENTS = """
    select s.toplevel, s.query, s.calls, s.total_exec_time * 1000, s.total_plan_time * 1000,
           s.toplevel or s.query !~* '^select (pkgdb\\.\\w+\\(|\\S+ from only )' as listed
      from pg_stat_statements s
      join pg_database d on d.oid = s.dbid and d.datname = current_database()
     where not s.toplevel or s.query ~ 'pkgdb\\.publish\\('
"""
WAITS = """
    select coalesce(a.wait_event_type || ': ' || a.wait_event, 'running'), count(*)
      from pg_stat_activity a
     where a.datname = current_database() and a.backend_type = 'client backend'
       and a.pid <> pg_backend_pid()
     group by 1
"""
LATENCY = re.compile(r"^\s+([\d.]+)\s+\d+\s+(begin|select|commit)\b", re.M)


def timing(bench: Bench) -> None:
    registrations = 1_000 if bench.quick else 10_000
    dsn = bench.database("timing")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create extension pg_stat_statements")
        connection.execute("alter database timing set pg_stat_statements.track = 'all'")
        connection.execute("alter database timing set pg_stat_statements.track_planning = on")
        fill(connection, "'package-' || n", "'0.1.0'", registrations)
        connection.execute("vacuum analyze")
        spread = f"random(1, {registrations})"
        by_statement(bench, connection, dsn, Load(publishing(PKGDB, spread)))
        by_step(bench, dsn, spread)
        waits(bench, connection, dsn, count(registrations + 1))
    bench.drop("timing")


def by_statement(bench: Bench, connection: psycopg.Connection[Any], dsn: str, load: Load) -> None:
    table = Table(
        id="timing-statements",
        title="Where the server's time goes in one publish, before its commit",
        series="statement",
        x="clients",
        columns=(
            Column("us", "µs a call", digits=1),
            Column("calls", "calls a publish", digits=2),
            SHARE,
        ),
        charts=(Chart("share", "bars"),),
        note="By pg_stat_statements, which makes each statement longer itself. Writing includes "
        "the triggers that check foreign keys. The rest: expressions, arguments, and calls "
        "of functions.",
    )
    bench.say(table.title)
    bench.journal.table(table)
    with beside(bench.server, dsn, load):
        time.sleep(1)  # the connection plans its statements
        for number in range(bench.rounds):
            connection.execute("select pg_stat_statements_reset()")
            time.sleep(bench.seconds)
            for name, values in shares(connection.execute(STATEMENTS).fetchall()).items():
                bench.measure(table, number, name, 1, values)


def shares(rows: list[tuple[bool, str, int, float, float, bool]]) -> dict[str, dict[str, float]]:
    """By statement, the longest first: what it takes of the call."""
    calls, spent = Counter[str](), Counter[str]()
    for toplevel, query, times, running, planning, listed in rows:
        if listed:
            name = WHOLE if toplevel else short(query)
            calls[name] += times
            spent[name] += running
        if not toplevel:
            spent[PLANNING] += planning
    publishes, whole = calls[WHOLE], spent[WHOLE]
    shown = {name: us for name, us in spent.most_common() if 100 * us >= LEAST * whole}
    shown[REST] = 2 * whole - sum(shown.values())  # one `whole` is among them
    return {
        name: {
            "us": microseconds / (calls[name] or publishes),
            "calls": (calls[name] or publishes) / publishes,
            "share": 100 * microseconds / whole,
        }
        for name, microseconds in shown.items()
    }


def short(query: str) -> str:
    """What it does, and to which tables."""
    if found := re.search(r"pg_advisory_xact_lock\w*", query):
        return found[0]
    tables = re.findall(r"\b(?:from|join|into|update)\s+pkgdb\.(\w+)", query, re.I)
    (verb,) = re.findall(r"^(?:insert|update|delete|select)\b", query, re.I) or ("exists",)
    return f"{verb.lower()} {', '.join(dict.fromkeys(tables)) or query[:40]}"


def by_step(bench: Bench, dsn: str, package: str) -> None:
    table = Table(
        id="timing-commit",
        title="What part of a publish is the commit, spread over packages",
        series="step",
        x="clients",
        columns=(Column("ms", "ms", digits=2), SHARE),
        charts=(Chart("share", "bars"),),
        note="As the client sees them: each step includes one way to the server and back. A commit "
        "waits for the disk, together with those of others.",
        rows=tuple((step, clients) for clients in (1, 16) for step in ("publish", "commit")),
    )
    bench.say(table.title)
    bench.journal.table(table)
    into, publish = publishing(PKGDB, package).split("\nselect", 1)
    statements = f"{into}\nbegin;\nselect{publish}commit;\n"
    for number in range(bench.rounds):
        for clients in (1, 16):
            took = steps(bench, dsn, Load(statements, clients))
            whole = took["select"] + took["commit"]
            for step, of in (("publish", "select"), ("commit", "commit")):
                values = {"ms": took[of], "share": 100 * took[of] / whole}
                bench.measure(table, number, step, clients, values)


def steps(bench: Bench, dsn: str, load: Load) -> dict[str, float]:
    """Milliseconds of each statement of a script, on average."""
    printed = bench.pgbench(dsn, load, "--report-per-command", f"--time={1 if bench.quick else 2}")
    found = {step: float(latency) for latency, step in LATENCY.findall(printed)}
    if len(found) != 3:
        raise SystemExit(f"pgbench printed no latencies:\n{printed}")
    return found


def waits(
    bench: Bench, connection: psycopg.Connection[Any], dsn: str, unused: Iterator[int]
) -> None:
    table = Table(
        id="timing-waits",
        title="What backends do while all publish into one package",
        series="running, or waiting for",
        x="clients",
        columns=(
            Column("backends", "backends at once", digits=2),
            Column("share", "of those not in the queue, %", digits=1),
        ),
        charts=(Chart("share", "bars"),),
        note=f"pg_stat_activity, looked at every {EVERY * 1000:.0f} ms. {QUEUING}: in the queue "
        "for their turn, one at a time. ClientRead: for the next call.",
    )
    bench.say(table.title)
    bench.journal.table(table)
    for number in range(bench.rounds):
        for clients in (16, 64):
            package = next(unused)
            fill(connection, f"'package-{package}'", "'0.' || n || '.0'", HOT)
            seen = looks_at(bench, connection, dsn, Load(publishing(PKGDB, str(package)), clients))
            busy = sum(seen.values()) - seen[QUEUING]
            for event, backends in seen.most_common():
                values = {"backends": backends}
                if event != QUEUING:
                    values["share"] = 100 * backends / busy
                bench.measure(table, number, event, clients, values)


def looks_at(
    bench: Bench, connection: psycopg.Connection[Any], dsn: str, load: Load
) -> Counter[str]:
    """How many backends do what, on average."""
    seen, looks = Counter[str](), 0
    with beside(bench.server, dsn, load):
        while sum(doing(connection).values()) < load.clients:
            time.sleep(EVERY)
        time.sleep(0.5)  # they plan their statements
        end = time.monotonic() + bench.seconds
        while time.monotonic() < end:
            seen.update(doing(connection))
            looks += 1
            time.sleep(EVERY)
    while doing(connection):  # whoever is in the queue still gets his turn
        time.sleep(EVERY)
    return Counter({event: found / looks for event, found in seen.items()})


def doing(connection: psycopg.Connection[Any]) -> dict[str, int]:
    return dict(connection.execute(WAITS).fetchall())
