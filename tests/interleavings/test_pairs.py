"""Every pair of mutating functions on one version of one package, in every state that it can have.

Each schedule of two sessions that differs from the others (`explorer.CRUCIAL`) must end as one of
the two serial orders ends on a real server: same answers, same catalog, same events. And what a
serial order ends with must be what the plain Python model says.
"""

from itertools import combinations_with_replacement, permutations, product
from random import Random

import psycopg
import pytest

from tests.incidents.protections import Edit, edit
from tests.interleavings.explorer import (
    CRUCIAL,
    SERIAL,
    Schedule,
    described,
    explorer,
    model_outcome,
    seed,
)
from tests.interleavings.operations import (
    BESIDE_CURATING,
    BESIDE_MIRRORING,
    BESIDE_PUBLISHING,
    CURATING,
    CURATING_PAIRS,
    CURATING_STATES,
    MIRRORING,
    MIRRORING_PAIRS,
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
from tests.support import Trials

pytestmark = pytest.mark.slow
NAMES = list(OPERATIONS)


def overtakes(schedule: Schedule) -> bool:
    """Whether the session that calls first commits last."""
    places = [[step for step, who in enumerate(schedule) if who == each] for each in (0, 1)]
    (_, call, commit), (_, other_call, other_commit) = places
    return (call < other_call) != (commit < other_commit)


ALL = SERIAL + sorted({*permutations([0, 1] * 3)} - {*SERIAL}, key=overtakes)


def partners(name: str) -> list[str]:
    """With whom an operation is paired: every pair is in one operation's list, evenly spread."""
    place = NAMES.index(name)
    return [NAMES[(place + ahead) % len(NAMES)] for ahead in range(len(NAMES) // 2 + 1)]


def test_every_pair_is_in_a_list() -> None:
    paired = {frozenset((name, other)) for name in NAMES for other in partners(name)}
    assert paired == {frozenset(pair) for pair in combinations_with_replacement(NAMES, 2)}


ALONE = dict.fromkeys(STATES, OPERATIONS)
ALONE |= {f"publishing: {state}": OPERATIONS | PUBLISHING for state in PUBLISHING_STATES}
ALONE |= {f"storing: {state}": STORING for state in STORING_STATES}
ALONE |= {f"curating: {state}": CURATING | BESIDE_CURATING for state in CURATING_STATES}
ALONE |= {f"mirroring: {state}": MIRRORING | BESIDE_MIRRORING for state in MIRRORING_STATES}


@pytest.mark.parametrize("state", ALONE)
async def test_a_call_alone_does_what_the_model_says(state: str, dsn: str) -> None:
    async with explorer(dsn) as explore:
        for name, each in ALONE[state].items():
            seen = await explore.run(state, [each], (0, 0, 0))
            expected = model_outcome(state, [each], [0])
            assert seen == expected, described(state, [name], (0, 0, 0), seen, [expected])
        assert await explore.sessions.violations() == []


@pytest.mark.parametrize("name", NAMES)
async def test_pairs_end_as_in_a_serial_order(name: str, dsn: str, trials: Trials) -> None:
    async with explorer(dsn) as explore:
        for state, other in product(STATES, partners(name)):
            await explore.explore(state, (name, other))
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []


@pytest.mark.parametrize("state", NAMING_STATES)
async def test_pairs_that_claim_names_end_as_in_a_serial_order(
    state: str, dsn: str, trials: Trials
) -> None:
    """Of two repositories that share a scope, one of which guards against look-alikes."""
    async with explorer(dsn) as explore:
        for names in combinations_with_replacement(NAMING, 2):
            await explore.explore(state, names, operations=NAMING)
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []


@pytest.mark.parametrize("state", PUBLISHING_STATES)
async def test_steps_of_publications_end_as_in_a_serial_order(
    state: str, dsn: str, trials: Trials
) -> None:
    """Each step beside each, and beside those other calls that write or hide the same rows."""
    pairs = [*combinations_with_replacement(PUBLISHING, 2), *product(PUBLISHING, BESIDE_PUBLISHING)]
    async with explorer(dsn) as explore:
        for names in pairs:
            await explore.explore(f"publishing: {state}", names, operations=OPERATIONS | PUBLISHING)
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []


@pytest.mark.parametrize("state", STORING_STATES)
async def test_pairs_about_bytes_end_as_in_a_serial_order(
    state: str, dsn: str, trials: Trials
) -> None:
    """Of the same bytes, on a backend that is required and on another."""
    async with explorer(dsn) as explore:
        for names in combinations_with_replacement(STORING, 2):
            await explore.explore(f"storing: {state}", names, operations=STORING)
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []


@pytest.mark.parametrize("state", CURATING_STATES)
async def test_curation_ends_as_in_a_serial_order(state: str, dsn: str, trials: Trials) -> None:
    """Each call beside each, and beside those others that change what it reads."""
    async with explorer(dsn) as explore:
        for names in CURATING_PAIRS[state]:
            await explore.explore(
                f"curating: {state}", names, operations=CURATING | BESIDE_CURATING
            )
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []
        assert await explore.thawed() == []


@pytest.mark.parametrize("state", MIRRORING_STATES)
async def test_updates_of_mirrors_end_as_in_a_serial_order(
    state: str, dsn: str, trials: Trials
) -> None:
    """Each step beside each, and beside what else is done to a mirror."""
    async with explorer(dsn) as explore:
        for names in MIRRORING_PAIRS[state]:
            await explore.explore(
                f"mirroring: {state}", names, operations=MIRRORING | BESIDE_MIRRORING
            )
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []
        assert await explore.sessions.violations() == []
        assert await explore.thawed() == []


async def test_repair_beside_other_calls(dsn: str, trials: Trials) -> None:
    """Of a registration whose counters and latest pointer are wrong."""
    async with explorer(dsn) as explore:
        for name in NAMES:
            await explore.explore("damaged", ("repair_latest", name))
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []


async def test_where_a_transaction_begins_does_not_matter(dsn: str, trials: Trials) -> None:
    """All 20 schedules of some pairs: `CRUCIAL` leaves none out that differs."""
    random = Random(seed())
    async with explorer(dsn) as explore:
        for _ in range(12):
            names = random.choice(NAMES), random.choice(NAMES)
            await explore.explore(random.choice(list(STATES)), names, ALL)
        print(explore.report)
        trials(explore.report.runs)
        assert explore.report.disagreements == []


UNSAFE = {
    "snapshots are made beside publishers": Edit(
        "create_snapshot", r"lock_repository\(p_namespace, p_repository, true\)",
        "lock_repository(p_namespace, p_repository)",
    ),
    "snapshots do not end an epoch": Edit(
        "create_snapshot", r"epoch = r\.epoch \+ 1", "epoch = r.epoch"
    ),
    "sources are not locked": Edit(
        "lock_snapshots", r"perform pkgdb\.lock_keys\(variadic array\(.*?\)\);"
    ),
    "what is to be served is not locked": Edit(
        "lock_distribution", r"select pkgdb\.snapshot_lock\([^)]*\)",
        "select pkgdb.snapshot_lock(p_namespace, -c.snapshot_id)",
    ),
    "updates are not locked": Edit("lock_update", r"for update", ""),
    "nobody locks": Edit("lock_keys", r"begin.*end;", "begin end;"),
}  # fmt: skip


@pytest.mark.parametrize("fault", UNSAFE)
async def test_the_explorer_finds_what_curation_would_do_without(
    fault: str, dsn: str, db: psycopg.Connection
) -> None:
    """A foreign key that has to step in is an outcome that no serial order has."""
    edit(db, UNSAFE[fault])
    curating = [("freeze", "publish other version"), ("drop", "switch"), ("freeze", "purge")]
    curating += [("drop", "merge"), ("merge", "drop a source"), ("serve", "drop a source")]
    mirroring = [("begin", "begin"), ("stage", "begin another release"), ("stage", "stage")]
    async with explorer(dsn) as explore:
        for names in curating:
            operations = CURATING | BESIDE_CURATING
            await explore.explore("curating: frozen", names, operations=operations)
        for names in mirroring:
            await explore.explore("mirroring: given up", names, operations=MIRRORING)
        thawed = await explore.thawed()
        print(explore.report, len(thawed), "snapshots thawed")
        assert explore.report.disagreements or thawed


async def test_without_locks_the_explorer_finds_what_goes_wrong(
    dsn: str, db: psycopg.Connection
) -> None:
    db.execute("""
        create or replace function pkgdb.lock_keys(variadic p_keys pkgdb.lock_key[]) returns void
        language sql begin atomic end
    """)
    async with explorer(dsn) as explore:
        for name in ("publish other version", "yank", "delete_version", "set_tag"):
            await explore.explore("available", ("quarantine", name), CRUCIAL)
        violations = await explore.sessions.violations()
        print(explore.report, len(violations), "violations")
        assert explore.report.disagreements
        assert {promise for promise, *_ in violations} == {"latest is right"}
