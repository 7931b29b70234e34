"""Question 5: curation beside Debian's aptly, and snapshots of few and many versions."""

import shutil
from collections.abc import Iterator
from functools import partial
from itertools import count
from statistics import median
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.aptly.packages import Index, index_of_this_machine
from benchmarks.aptly.turns import compare
from benchmarks.bench import NAMESPACE, Bench, Turn, one
from benchmarks.questions.growth import registry_of, sizes_of
from benchmarks.results import Chart, Column, Table

REPEAT = 5
FROZEN, LISTED = "pkgdb: of the repository", "pkgdb: merged, its members listed"
MOST_LISTED = 10**5

# Runs a call, and tells how many milliseconds it took on the server.
TOOK = """
    create function pg_temp.took(p_function text, p_arguments jsonb) returns double precision
    language plpgsql as $$
    declare
        v_start  timestamptz := clock_timestamp();
        v_result text;
    begin
        case p_function
            when 'create' then
                perform pkgdb.create_snapshot(
                    p_arguments ->> 0, p_arguments ->> 1, p_arguments ->> 2);
            when 'merge' then
                perform pkgdb.merge_snapshots(
                    p_arguments ->> 0, p_arguments ->> 1, array[p_arguments ->> 2]);
            when 'drop' then
                perform pkgdb.drop_snapshot(p_arguments ->> 0, p_arguments ->> 1);
            when 'publish' then
                perform pkgdb.publish(
                    p_arguments ->> 0, p_arguments ->> 1, 'npm', p_arguments ->> 2,
                    p_arguments ->> 3);
        end case;
        return 1000 * extract(epoch from clock_timestamp() - v_start);
    end;
    $$
"""
BYTES = """
    select pg_column_size(s.*)
           + coalesce((select sum(pg_column_size(m.*))
                         from pkgdb.snapshot_member m
                        where m.namespace = s.namespace and m.snapshot_id = s.snapshot_id), 0)
      from pkgdb.snapshot s
     where s.namespace = %s and s.name = %s
"""


def curation(bench: Bench) -> None:
    beside_aptly(bench)
    snapshots(bench)


def beside_aptly(bench: Bench) -> None:
    path = index_of_this_machine()
    if shutil.which("aptly") is None:
        bench.say("aptly is not installed: left out")
    elif path is None:
        bench.say("apt has no index of packages here: aptly is left out")
    else:
        compare(bench, Index(path), [300 if bench.quick else 1_000], 1 if bench.quick else 2)


def snapshots(bench: Bench) -> None:
    table = Table(
        id="snapshots",
        title="Snapshots of repositories",
        series="snapshot",
        x="members",
        columns=(
            Column("create", "create, ms", digits=2),
            Column("bytes", "its rows, bytes"),
            Column("drop", "drop, ms", digits=2),
            Column("before", "publish before, ms", digits=2),
            Column("edit", "publish after, ms", digits=2),
        ),
        charts=(Chart("create", log_y=True), Chart("edit")),
        note="On the server, without the commit. A merged snapshot, here of that of the "
        f"repository, has a row for each member; up to {MOST_LISTED:,} of them. After: while the "
        "snapshot keeps what it had.",
    )
    numbers = count(1)
    turns = []
    for size in (1_000, *sizes_of(bench)):
        connection = psycopg.connect(registry_of(bench, size), autocommit=True)
        connection.execute(TOOK)
        turns.append(Turn(FROZEN, size, partial(frozen, connection, numbers)))
        if size <= MOST_LISTED // (10 if bench.quick else 1):
            turns.append(Turn(LISTED, size, partial(listed, connection, numbers)))
    bench.rounds_of(table, turns)


def frozen(connection: psycopg.Connection[Any], numbers: Iterator[int], _: int) -> dict[str, float]:
    before = edit(connection, numbers)
    seen = [once(connection, numbers, "create", "main") for _ in range(REPEAT)]
    return {key: median(each[key] for each in seen) for key in seen[0]} | {"before": before}


def listed(connection: psycopg.Connection[Any], numbers: Iterator[int], _: int) -> dict[str, float]:
    before = edit(connection, numbers)
    took(connection, "create", "whole", "main")
    seen = once(connection, numbers, "merge", "whole")
    took(connection, "drop", "whole")
    return seen | {"before": before}


def once(
    connection: psycopg.Connection[Any], numbers: Iterator[int], way: str, source: str
) -> dict[str, float]:
    """Make a snapshot, publish beside it, drop it."""
    create = took(connection, way, "timed", source)
    size = float(one(connection, BYTES, NAMESPACE, "timed"))
    after = edit(connection, numbers)
    return {
        "create": create,
        "bytes": size,
        "edit": after,
        "drop": took(connection, "drop", "timed"),
    }


def edit(connection: psycopg.Connection[Any], numbers: Iterator[int]) -> float:
    """Milliseconds to publish a version."""
    return median(
        took(connection, "publish", "main", "package-1", f"1.{next(numbers)}.0")
        for _ in range(REPEAT)
    )


def took(connection: psycopg.Connection[Any], function: str, *arguments: str) -> float:
    given = Jsonb([NAMESPACE, *arguments])
    return float(one(connection, "select pg_temp.took(%s, %s)", function, given))
