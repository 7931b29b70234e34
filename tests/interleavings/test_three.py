"""Three sessions at once: random calls, schedules and rollbacks, each explained by the model.

PKGDB_TEST_SEED repeats a run, PKGDB_TEST_SCHEDULES asks for more of them.
"""

import os
from itertools import permutations
from random import Random

import pytest

from tests.interleavings.explorer import described, explorer, model_outcome, seed
from tests.interleavings.operations import (
    BESIDE_CURATING,
    BESIDE_MIRRORING,
    CURATING,
    CURATING_STATES,
    MIRRORING,
    MIRRORING_STATES,
    OPERATIONS,
    PUBLISHING,
    PUBLISHING_STATES,
    STATES,
)
from tests.model import Call
from tests.support import Trials

pytestmark = pytest.mark.slow
PUBLISHED = [*STATES, *(f"publishing: {state}" for state in PUBLISHING_STATES)]
MEETING: list[tuple[list[str], dict[str, Call]]] = [
    (PUBLISHED, OPERATIONS | PUBLISHING),
    ([f"curating: {state}" for state in CURATING_STATES], CURATING | BESIDE_CURATING),
    ([f"mirroring: {state}" for state in MIRRORING_STATES], MIRRORING | BESIDE_MIRRORING),
]
SCHEDULES = int(os.environ.get("PKGDB_TEST_SCHEDULES", "200"))


@pytest.mark.parametrize(
    ("arranged", "operations"), MEETING, ids=["catalog", "curation", "mirrors"]
)
async def test_three_sessions_end_as_in_a_serial_order(
    arranged: list[str], operations: dict[str, Call], dsn: str, trials: Trials
) -> None:
    random = Random(seed())
    async with explorer(dsn, sessions=3) as explore:
        for _ in range(SCHEDULES):
            state = random.choice(arranged)
            names = random.choices(list(operations), k=3)
            calls = [operations[name] for name in names]
            steps = random.sample([0, 1, 2] * 3, k=9)
            aborted = [who for who in range(3) if random.random() < 0.2]
            seen = await explore.run(state, calls, steps, aborted=aborted)
            expected = [
                model_outcome(state, calls, order, aborted, passes_over)
                for order in permutations(range(3))
                for passes_over in ((False, True) if "purge" in names else (False,))
            ]
            assert seen in expected, described(state, names, steps, seen, expected)
        print(explore.report)
        trials(SCHEDULES)
        assert await explore.sessions.violations() == []
        assert await explore.thawed() == []
