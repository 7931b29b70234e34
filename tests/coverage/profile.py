"""Which statements of the PL/pgSQL functions the tests have run, by plpgsql_check's profiler.

    PKGDB_COVERAGE=1 PKGDB_BINDIR=system pytest -n 2

Needs plpgsql_check (Debian: postgresql-15-plpgsql-check). The counts lie in the server's memory, by
database: they are read when a test's database is about to be dropped, added up by function and
statement, and printed at the end by whoever runs the tests; a worker of pytest-xdist hands it its
own. Every branch that can be left out has a statement in it, so this sees branches too.
"""

import os
from collections import Counter
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

ENABLED = bool(os.environ.get("PKGDB_COVERAGE"))
SETTINGS = {
    "shared_preload_libraries": "plpgsql,plpgsql_check",
    "plpgsql_check.profiler": "on",
    "plpgsql_check.profiler_max_shared_chunks": "50000",
}

# A body is a function's name and a digest of its source: some tests break one to see it found out.
Body = tuple[str, str]
Statement = tuple[str, str, int, int, str]  # body, the statement's number, line and kind

databases: Counter[Body] = Counter()
executed: Counter[Statement] = Counter()

READ = """
    select p.proname::text, md5(p.prosrc), s.stmtid, s.lineno, s.stmtname, s.exec_stmts
      from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
      cross join lateral plpgsql_profiler_function_statements_tb(p.oid) s
     where p.pronamespace = to_regnamespace('pkgdb')
       and pg_get_userbyid(p.proowner) = 'pkgdb_owner' and s.stmtname <> 'statement block'"""
FORGET = """
    select plpgsql_profiler_reset(p.oid) from pg_proc p
      join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
     where p.pronamespace = to_regnamespace('pkgdb')"""


def collect(admin: psycopg.Connection[Any], name: str) -> None:
    """Add what was run in a database that nobody needs any more."""
    if not ENABLED:
        return
    open_to_us = "select from pg_database where datname = %s and datallowconn"
    if admin.execute(open_to_us, [name]).fetchone() is None:  # a template
        return
    with psycopg.connect(make_conninfo(admin.info.dsn, dbname=name), autocommit=True) as connection:
        connection.execute("set plpgsql_check.profiler = off")
        connection.execute("create extension if not exists plpgsql_check with schema public")
        rows = connection.execute(READ).fetchall()
        connection.execute(FORGET)
    databases.update({(name, digest) for name, digest, *_ in rows})
    for *statement, times in rows:
        executed[tuple(statement)] += times


def report() -> list[str]:
    """A line for each function with what was never run, and the total."""
    digests = {name: digest for (name, digest), _ in reversed(databases.most_common())}
    functions: dict[str, list[Statement]] = {name: [] for name in sorted(digests)}
    for statement in sorted(executed):
        if digests[statement[0]] == statement[1]:
            functions[statement[0]].append(statement)

    lines = [f"{'function':24} {'statements':>10} {'run':>5}        lines of its body never run"]
    total = run = 0
    for name, statements in functions.items():
        missed = [statement for statement in statements if not executed[statement]]
        total += len(statements)
        run += len(statements) - len(missed)
        share = 100 - 100 * len(missed) / len(statements)
        where = ", ".join(f"{line} {kind}" for *_, line, kind in missed)
        text = f"{name:24} {len(statements):10} {len(statements) - len(missed):5} {share:5.0f}%  "
        lines.append((text + where).rstrip())
    share = 100 * run / max(total, 1)
    where = f"{run} of {total} statements in {len(functions)} functions"
    return [*lines, f"PL/pgSQL coverage: {where}, {share:.1f}%"]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if ENABLED and hasattr(session.config, "workeroutput"):
        session.config.workeroutput["plpgsql"] = [list(databases.items()), list(executed.items())]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    ours = getattr(node, "workeroutput", {}).get("plpgsql", [[], []])
    for total, theirs in zip((databases, executed), ours, strict=True):
        for key, times in theirs:
            total[tuple(key)] += times


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if ENABLED:
        terminalreporter.section("PL/pgSQL coverage")
        for line in report():
            terminalreporter.write_line(line)
