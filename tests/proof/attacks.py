"""What attacks which promise, and how much of it a minute buys."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

MINUTES = int(os.environ.get("PROVE_MINUTES", "10"))

# The promises of the README, in its words and its order.
LIVE = "One live version"
LATEST = "Latest is right"
PUBLISHED = "Published means published"
BYTES = "Nobody deletes what someone else uses"
STALE = "Nothing is lost to a stale read"
SNAPSHOTS = "A snapshot never changes"
FEED = "The feed skips nothing"
CHECKED = "It can be checked"
INPUT = "Bad input changes nothing"
ROLES = "Nobody does what they may not"


@dataclass(frozen=True)
class Attack:
    """Tests of a promise, by patterns of their ids; each counts as one trial unless it says more.

    `knobs` are the environment variables that say how much is tried, by the minutes there are.
    """

    promise: str
    name: str
    tests: tuple[str, ...]
    minutes: int = 0  # fewer are not worth while
    knobs: Mapping[str, Callable[[int], int]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.promise, self.name

    def has(self, test: str) -> bool:
        return any(fnmatchcase(test, pattern) for pattern in self.tests)


REPLAYED = "incidents replayed, each with its protections taken away"
ATTACKS = [
    Attack(LIVE, REPLAYED, ("tests/incidents/test_U*",)),
    Attack(
        LIVE,
        "published again after each way to delete, under each policy",
        ("tests/behaviour/test_reuse.py::*",),
        minutes=20,
    ),
    Attack(LATEST, REPLAYED, ("tests/incidents/test_L*",)),
    Attack(
        LATEST,
        "the order of versions beside the ecosystems' own tools",
        ("tests/versions/test_oracles.py::*",),
        minutes=30,
    ),
    Attack(PUBLISHED, REPLAYED, ("tests/incidents/test_P*",)),
    Attack(
        PUBLISHED,
        "the server killed under load, or its standby taking over",
        ("tests/crashes/*",),
        knobs={"PKGDB_CRASHES": lambda minutes: minutes},
    ),
    Attack(
        PUBLISHED,
        "each step of publishing and unpublishing under each fault",
        ("tests/faults/test_faults.py::*",),
        minutes=20,
    ),
    Attack(
        PUBLISHED, "dumped, and restored on the newest PostgreSQL", ("tests/migrations/test_res*",)
    ),
    Attack(
        PUBLISHED,
        "connections cut, killed at random, none left in the pool",
        ("tests/wrapper/test_pools.py::*", "tests/wrapper/test_pooling.py::*"),
    ),
    Attack(
        PUBLISHED,
        "upgraded while publishers run, given way, interrupted",
        ("tests/migrations/test_under_load.py::*",),
    ),
    Attack(
        BYTES,
        "a storm of publishers that die, deletions and collectors",
        ("tests/faults/test_storm.py::*",),
        knobs={"PKGDB_STORM_SECONDS": lambda minutes: 2 * minutes},
    ),
    Attack(
        STALE,
        "one call stopped between two statements while another runs",
        ("tests/interleavings/test_pauses.py::*",),
        knobs={"PKGDB_TEST_PAUSES": lambda minutes: 15 * minutes},
    ),
    Attack(
        STALE,
        "random programs of three sessions, against the serial orders",
        ("tests/interleavings/test_three.py::*",),
        knobs={"PKGDB_TEST_SCHEDULES": lambda minutes: 15 * minutes},
    ),
    Attack(
        STALE,
        "every pair of functions, interleaved in every way",
        ("tests/interleavings/test_pairs.py::*",),
        minutes=30,
    ),
    Attack(
        STALE,
        "random transactions of three sessions, beside a model",
        ("*::test_any_transactions_do_what_the_model_says",),
        knobs={"PKGDB_TEST_EXAMPLES": lambda minutes: 5 * minutes},
    ),
    Attack(
        STALE,
        "the same on broken functions, which it has to notice",
        ("*::test_the_machine_catches_a_broken_function*",),
        minutes=20,
    ),
    Attack(STALE, "each rule of locking, by isolationtester", ("tests/isolation/*",)),
    Attack(
        STALE,
        "each lock, constraint, fence and status predicate taken away",
        ("tests/mutation/*",),
        knobs={"PKGDB_MUTANTS": lambda minutes: 3 * minutes},
    ),
    Attack(SNAPSHOTS, REPLAYED, ("tests/incidents/test_S*",)),
    Attack(
        SNAPSHOTS,
        "apt, while distributions are switched and renderers killed",
        ("tests/archive/test_apt.py::*", "tests/archive/test_interruptions.py::*"),
        minutes=20,
    ),
    Attack(FEED, REPLAYED, ("tests/incidents/test_F*",)),
    Attack(
        FEED,
        "sixteen writers, racing sequencers, readers paging; restores and fail-over",
        ("tests/feed/test_exactly_once.py::*", "tests/feed/test_histories.py::*"),
    ),
    Attack(
        CHECKED,
        "all at once for long: memory, bloat, locks and ghosts stay bounded",
        ("tests/soak/*",),
        knobs={"PKGDB_SOAK_MINUTES": lambda minutes: minutes // 10},
    ),
    Attack(
        CHECKED,
        "each kind of corruption made by hand",
        ("tests/integrity/test_corruption.py::*", "tests/feed/test_corruption.py::*"),
    ),
    Attack(
        INPUT, "hostile values in each argument", ("tests/permissions/test_hostile_values.py::*",)
    ),
    Attack(
        ROLES,
        "each role and each function, barriers, search paths, isolation levels",
        (
            "tests/permissions/test_matrix.py::*",
            "tests/permissions/test_barrier.py::*",
            "tests/permissions/test_search_path.py::*",
            "tests/permissions/test_isolation_levels.py::*",
        ),
    ),
]


def attack_of(test: str) -> Attack | None:
    return next((attack for attack in ATTACKS if attack.has(test)), None)
