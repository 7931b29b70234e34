"""Three sessions at once: random calls, schedules and rollbacks, each explained by the model.

PKGDB_TEST_SEED repeats a run, PKGDB_TEST_SCHEDULES asks for more of them.
"""

import os
from itertools import permutations
from random import Random

import pytest

from tests.interleavings.explorer import described, explorer, model_outcome, seed
from tests.interleavings.operations import OPERATIONS, PUBLISHING, PUBLISHING_STATES, STATES

pytestmark = pytest.mark.slow
EVERYTHING = OPERATIONS | PUBLISHING
ARRANGED = [*STATES, *(f"publishing: {state}" for state in PUBLISHING_STATES)]
SCHEDULES = int(os.environ.get("PKGDB_TEST_SCHEDULES", "200"))


async def test_three_sessions_end_as_in_a_serial_order(dsn: str) -> None:
    random = Random(seed())
    async with explorer(dsn, sessions=3) as explore:
        for _ in range(SCHEDULES):
            state = random.choice(ARRANGED)
            names = random.choices(list(EVERYTHING), k=3)
            calls = [EVERYTHING[name] for name in names]
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
        assert await explore.sessions.violations() == []
