"""Each protection in the schema has a test that fails without it.

Some of them are tried here, PKGDB_MUTANTS many (PKGDB_TEST_SEED); all by `make mutate`.
"""

import os
import subprocess
import sys

import psycopg
import pytest

from tests.interleavings.explorer import seed
from tests.mutation import killers
from tests.mutation.mutants import mutants
from tests.support import Trials

SAMPLE = int(os.environ.get("PKGDB_MUTANTS", "10"))


def test_each_has_a_test_or_a_reason(db: psycopg.Connection) -> None:
    assert {mutant.name for mutant in mutants(db)} == killers.read().keys()


def test_nothing_is_a_mutant_that_is_none(db: psycopg.Connection) -> None:
    """Each is taken by the server, and differs from what is there and from the others."""
    found = mutants(db)
    for mutant in found:
        with db.transaction(force_rollback=True):
            mutant.apply(db)
    assert len({mutant.script for mutant in found}) == len(found)


@pytest.mark.slow
def test_the_test_fails_without_it(trials: Trials) -> None:
    chosen = ["--sample", str(SAMPLE)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutation", *chosen],
        env=os.environ | {"PKGDB_TEST_SEED": str(seed())},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    print(done.stdout)
    trials(SAMPLE)
    assert done.returncode == 0


def test_a_mutant_that_nobody_notices_is_seen() -> None:
    """Of a test that looks at something else."""
    name = "check: backend: backend_retired_check"
    script = (
        "from tests.mutation.__main__ import verify\n"
        f"raise SystemExit(verify({{{name!r}: 'tests/proof/test_attacks.py'}}, [{name!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, f"missed: {name}")
