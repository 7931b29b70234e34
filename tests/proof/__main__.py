"""`python -m tests.proof`, or `make prove`. PROVE_MINUTES: how long (10). PKGDB_TEST_SEED repeats
what is random."""

import os
import sys
import time
from random import SystemRandom

import pytest

from tests.proof.attacks import ATTACKS, MINUTES


def main() -> int:
    os.environ.setdefault("PKGDB_TEST_SEED", str(SystemRandom().getrandbits(32)))
    os.environ["PROVE_DEADLINE"] = str(time.time() + 60 * MINUTES)
    for attack in ATTACKS:
        for name, amount in attack.knobs.items():
            os.environ.setdefault(name, str(amount(MINUTES)))
    print(f"PROVE_MINUTES={MINUTES} PKGDB_TEST_SEED={os.environ['PKGDB_TEST_SEED']}", flush=True)
    options = ["-n", "2", "-q", "-p", "tests.proof.plugin", "--dist", "worksteal"]
    options.append(f"--hypothesis-seed={os.environ['PKGDB_TEST_SEED']}")
    return pytest.main([*options, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
