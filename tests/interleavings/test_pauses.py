"""Pairs of calls of which one, or each, is stopped between two statements of a function.

However far one has come when the other begins, goes on or commits: both end as in a serial order
by the model. PKGDB_TEST_SEED repeats a run, PKGDB_TEST_PAUSES asks for more of them.
"""

import os
from random import Random
from typing import Any

import psycopg
import pytest

from tests.catalog import test_plpgsql_check
from tests.catalog.test_lints import REFERENCE_TABLES
from tests.incidents.protections import REMOVALS, Edit, edit
from tests.interleavings.explorer import explorer, seed
from tests.interleavings.operations import (
    BESIDE_CURATING,
    BESIDE_MIRRORING,
    CURATING,
    CURATING_STATES,
    MIRRORING,
    MIRRORING_STATES,
    NAMING,
    NAMING_STATES,
    OPERATIONS,
    PUBLISHING,
    PUBLISHING_STATES,
    STATES,
    STORING,
    STORING_STATES,
)
from tests.interleavings.pauses import BETWEEN, Pausing, idle, instrument, pausing
from tests.model import Call
from tests.support import Trials

pytestmark = pytest.mark.slow
checker = test_plpgsql_check.checker
PAUSES = int(os.environ.get("PKGDB_TEST_PAUSES", "60"))  # of each kind of calls

AREAS: dict[str, tuple[list[str], dict[str, Call]]] = {
    "catalog": ([*STATES], OPERATIONS),
    "names": ([*NAMING_STATES], NAMING),
    "publishing": (
        [f"publishing: {state}" for state in PUBLISHING_STATES],
        OPERATIONS | PUBLISHING,
    ),
    "storing": ([f"storing: {state}" for state in STORING_STATES], STORING),
    "curating": ([f"curating: {state}" for state in CURATING_STATES], CURATING | BESIDE_CURATING),
    "mirroring": (
        [f"mirroring: {state}" for state in MIRRORING_STATES],
        MIRRORING | BESIDE_MIRRORING,
    ),
}

OPERATIONS_IN = {state: operations for states, operations in AREAS.values() for state in states}

# What has most to lose. Each call of a pair is stopped at each of its pauses.
DANGEROUS: dict[str, list[tuple[str, str]]] = {
    "no such name": [
        ("publish", "publish"),
        ("publish", "reserve_name"),
        ("publish", "drop_repository"),
        ("publish", "rename_repository"),
    ],
    "absent": [("publish", "publish other content"), ("publish", "publish_many")],
    "available": [
        ("publish other version", "delete_version"),
        ("publish one more file", "delete_file"),
        ("publish other version", "apply_retention"),
        ("quarantine", "publish other version"),
        ("delete_version", "set_tag"),
        ("delete_version", "purge"),
    ],
    "deleted": [
        ("restore_version", "publish"),
        ("restore_version", "purge"),
        ("publish", "purge"),
        ("drop_repository", "purge"),
    ],
    "two repositories": [("publish pkg in repo", "publish p.kg in other")],
    "pkg in repo": [("unguard repo", "publish p.kg in other")],
    "publishing: begun": [("commit", "commit"), ("commit", "delete_version")],
    "publishing: begun, a new name": [
        ("commit", "abort"),
        ("renew", "abort"),
        ("abort", "abort"),
    ],
    "publishing: given up": [
        ("begin", "expire"),
        ("begin", "begin other content"),
        ("renew", "expire"),
    ],
    "publishing: given up, a new name": [("commit", "expire")],
    "publishing: to be validated": [("commit", "succeed"), ("fail", "succeed")],
    "storing: deleted": [("restore_version", "purge"), ("purge", "collect_blobs")],
    "storing: unneeded": [("publish", "collect_blobs"), ("begin", "collect_blobs")],
    "storing: collected": [("begin", "confirm")],
    "storing: being copied": [
        ("find the bytes", "promote_backends"),
        ("publish", "find nothing"),
    ],
    "curating: frozen": [
        ("freeze", "publish other version"),
        ("freeze", "delete_version"),
        ("freeze", "purge"),
        ("drop", "merge"),
        ("move", "move back"),
    ],
    "curating: served, deleted": [
        ("switch", "drop a source"),
        ("switch to live", "drop_repository"),
        ("drop a source", "purge"),
    ],
    "mirroring: begun again": [
        ("commit", "commit"),
        ("commit", "stage"),
        ("commit", "freeze"),
        ("commit", "publish"),
    ],
    "mirroring: given up": [
        ("begin", "begin another release"),
        ("begin", "commit"),
        ("commit", "purge"),
        ("commit with fence 2", "purge"),
    ],
}


@pytest.fixture
def instrumented(checker: psycopg.Connection[Any], dsn: str) -> str:
    """A database in which every function can be stopped within."""
    instrument(checker)
    return dsn


async def accept(explore: Pausing, trials: Trials) -> None:
    """All that was run ended as it should, and left the database as it should."""
    print(explore.report)
    trials(explore.report.runs)
    assert explore.report.disagreements == []
    assert await explore.sessions.violations() == []
    assert await explore.thawed() == []


def test_each_function_that_reads_or_writes_rows_can_be_stopped_in(
    checker: psycopg.Connection[Any],
) -> None:
    pauses = instrument(checker)
    missed = checker.execute(
        """
        select p.proname, d.name
          from pg_proc p
          join pg_language l on l.oid = p.prolang and l.lanname = 'plpgsql'
          cross join lateral plpgsql_show_dependency_tb(p.oid) d
         where p.pronamespace = 'pkgdb'::regnamespace and p.provolatile = 'v'
           and d.type = 'RELATION' and d.schema = 'pkgdb'
           and d.name <> all(%s) and p.oid <> all(%s)""",
        [REFERENCE_TABLES, [*pauses]],
    ).fetchall()
    assert missed == []


@pytest.mark.parametrize("state", DANGEROUS)
async def test_a_call_within_another_ends_as_in_a_serial_order(
    state: str, instrumented: str, trials: Trials
) -> None:
    operations = OPERATIONS_IN[state]
    async with pausing(instrumented) as explore:
        for one, other in DANGEROUS[state]:
            assert not idle(state, [operations[one], operations[other]])
            for names in sorted({(one, other), (other, one)}):
                await explore.everywhere(state, names, operations)
        await accept(explore, trials)


def drawn(area: str, random: Random) -> tuple[str, tuple[str, str]]:
    """A state, and two calls that do not both leave it as it is."""
    states, operations = AREAS[area]
    while True:
        state = random.choice(states)
        one, other = random.choices([*operations], k=2)
        if not idle(state, [operations[one], operations[other]]):
            return state, (one, other)


@pytest.mark.parametrize("area", AREAS)
async def test_calls_stopped_anywhere_end_as_in_a_serial_order(
    area: str, instrumented: str, trials: Trials
) -> None:
    """One call within another; or both stopped, and their steps in any order."""
    random = Random(f"{area} {seed()}")
    _, operations = AREAS[area]
    async with pausing(instrumented) as explore:
        for _ in range(PAUSES):
            state, names = drawn(area, random)
            explore.report.pairs += 1
            parts = random.random(), random.choice([0.0, random.random()])
            schedule = BETWEEN
            if parts[1]:
                schedule = tuple(random.sample([0, 1] * len(Pausing.steps), k=len(BETWEEN)))
            stops = [
                1 + int(part * await explore.length(state, name, operations[name])) if part else 0
                for part, name in zip(parts, names, strict=True)
            ]
            await explore.stop(state, names, operations, stops, schedule)
        await accept(explore, trials)


# What is missing only between statements: a call that finds another one holding a lock waits for
# it, and so call by call nothing is ever wrong.
UNSAFE: dict[str, tuple[tuple[str, str, str], tuple[Edit, ...]]] = {
    "what was read before the locks is read again only by who had to wait": (
        ("no such name", "publish", "publish"),
        (
            Edit("lock_name", r"perform pkgdb\.lock_keys\(.*?\)\);"),
            Edit(
                "lock_name",
                r"exit when found;",
                """
                exit when found
                    and pg_try_advisory_xact_lock_shared(
                        (pkgdb.repository_lock(p_namespace, v_repository_id)).key)
                    and pg_try_advisory_xact_lock(
                        (pkgdb.registration_lock(
                            p_namespace, v_scope_id, p_ecosystem, v_name)).key);
                perform pkgdb.lock_keys(
                    pkgdb.repository_lock(p_namespace, v_repository_id),
                    pkgdb.registration_lock(p_namespace, v_scope_id, p_ecosystem, v_name));
                """,
            ),
        ),
    ),
    "the collector looks before it claims": (
        ("storing: unneeded", "collect_blobs", "publish"),
        (
            Edit(
                "collect_blobs",
                r"v_digests := array\(",
                """
                v_unneeded := array(
                    select b.sha256
                      from pkgdb.blob b
                     where b.namespace = p_namespace and b.unneeded_since <= v_now - p_grace
                       and not exists (
                        select from pkgdb.file f
                         where f.namespace = p_namespace and f.sha256 = b.sha256));
                v_digests := array(""",
            ),
            Edit(
                "collect_blobs",
                r"v_unneeded := array\(\s+select d\.sha256.*?\)\);",
                "v_unneeded := array(select d from unnest(v_digests) d"
                " where d = any (v_unneeded));",
            ),
        ),
    ),
    "locks are taken in the order in which they were asked for": (
        ("curating: frozen", "move", "move back"),
        REMOVALS["order of locks"],
    ),
}


@pytest.mark.parametrize("fault", UNSAFE)
async def test_pauses_find_what_calls_do_not(
    fault: str, checker: psycopg.Connection[Any], dsn: str
) -> None:
    (state, *names), edits = UNSAFE[fault]
    operations = OPERATIONS_IN[state]
    for each in edits:
        edit(checker, each)
    async with explorer(dsn) as by_call:
        await by_call.explore(state, (names[0], names[1]), operations=operations)
        assert by_call.report.runs
        assert by_call.report.disagreements == []
        instrument(checker)
        explore = await Pausing.beside(by_call)
        await explore.everywhere(state, names, operations)
        print(explore.report)
        assert explore.report.disagreements
