"""`python -m tests.mutation`, or `make mutate`: take each protection away, one at a time, and see
that a test fails for it. Prints the score, and what nobody noticed."""

import argparse
import sys
from collections import Counter
from random import Random

from rich.console import Console
from rich.progress import track

from tests.interleavings.explorer import seed
from tests.mutation import killers
from tests.mutation.laboratory import attempts, laboratory


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--sample", type=int, help="so many, chosen at random (PKGDB_TEST_SEED)")
    parser.add_argument("--of", default="", help="only those with this in their name")
    parser.add_argument(
        "--search", nargs="+", metavar="TEST", help="look for one that notices what none does yet"
    )
    options = parser.parse_args()
    known = killers.read()
    with laboratory() as place:
        names = [name for name in place.mutants if options.of in name]
    if options.search:
        return search(known, [name for name in names if name not in known], options.search)
    if options.sample is not None:
        names = sorted(Random(seed()).sample(names, min(options.sample, len(names))))
    return verify(known, names)


def verify(known: dict[str, str], names: list[str]) -> int:
    """Each mutant on the test that is known to notice it."""
    excused = [name for name in names if killers.is_excuse(known.get(name, ""))]
    tried = {name: [known[name]] for name in names if name in known and name not in excused}
    survived = [name for name in names if name not in known]
    shown = track(attempts(tried), "taking away", len(tried), console=Console(stderr=True))
    survived += [name for name, test in shown if not test]
    report(names, excused, survived)
    return int(bool(survived))


def report(names: list[str], excused: list[str], survived: list[str]) -> None:
    taken, without, missed = (
        Counter(name.split(":")[0] for name in group) for group in (names, excused, survived)
    )
    print(f"{'protection':16} {'taken away':>10} {'noticed':>8} {'no effect':>10} {'missed':>7}")
    for kind in taken:
        noticed = taken[kind] - without[kind] - missed[kind]
        print(f"{kind:16} {taken[kind]:10} {noticed:8} {without[kind]:10} {missed[kind]:7}")
    could = len(names) - len(excused)
    noticed = could - len(survived)
    print(f"score: {noticed} of {could}, {100 * noticed / max(could, 1):.1f} %")
    for name in survived:
        print("missed:", name)


def search(known: dict[str, str], names: list[str], tests: list[str]) -> int:
    """A test for each mutant that has none."""
    for name, test in attempts(dict.fromkeys(names, tests)):
        print(test or "nobody", "noticed", name, flush=True)
        if test:
            known[name] = test
            killers.write(known)
    return int(len(known) < len(names))


if __name__ == "__main__":
    sys.exit(main())
