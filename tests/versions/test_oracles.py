"""Every scheme against the ecosystem's own tool."""

import random
from collections.abc import Callable, Sequence
from itertools import pairwise

import psycopg
import pytest

from tests.support import Trials
from tests.versions import spellings
from tests.versions.comparisons import PROPERTY, Comparison
from tests.versions.conftest import Read, Reading
from tests.versions.subjects import Oracle, Subject, Verdict, all_subjects

SUBJECTS = all_subjects()
JUDGED = {name: subject for name, subject in SUBJECTS.items() if subject.oracle is not None}
each_judged = pytest.mark.parametrize("ecosystem", JUDGED)


def test_every_ecosystem_has_a_subject(db: psycopg.Connection) -> None:
    rows = db.execute("select ecosystem, scheme from pkgdb.ecosystem order by 1").fetchall()
    assert rows == sorted((s.ecosystem, s.scheme) for s in SUBJECTS.values())


@pytest.mark.parametrize("ecosystem", SUBJECTS)
def test_every_real_version_is_taken(read: Read, ecosystem: str) -> None:
    real = spellings.real(ecosystem)
    readings = read(SUBJECTS[ecosystem].scheme, real)
    assert len(real) >= 300
    assert [v for v, reading in zip(real, readings, strict=True) if reading is None] == []


@pytest.mark.slow
@each_judged
def test_agrees_with_the_oracle(
    read: Read,
    ecosystem: str,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
    trials: Trials,
) -> None:
    subject = JUDGED[ecosystem]
    assert subject.oracle is not None
    oracle = subject.oracle(tmp_path_factory.mktemp(ecosystem))
    rng = random.Random(ecosystem)
    versions = corpus(subject, rng)
    readings = read(subject.scheme, versions)
    verdicts = oracle.read(versions)

    assert_same_acceptance(versions, readings, verdicts)
    both = [(r, v) for r, v in zip(readings, verdicts, strict=True) if r and v]
    assert_same_identity(both)
    assert [r for r, v in both if v.prerelease not in (None, r.prerelease)] == []

    pairs, excluded = close_pairs(subject, [reading for reading, _ in both], rng)
    assert_same_order(pairs, oracle)
    counts = (len(versions), len(both), len(pairs), excluded)
    trials(len(pairs))
    record_property(PROPERTY, list(Comparison(ecosystem, subject.scheme, oracle.name, *counts)))


def corpus(subject: Subject, rng: random.Random) -> list[str]:
    """Real versions, made ones, other spellings of both, and damaged ones; none twice."""
    versions = dict.fromkeys(spellings.real(subject.ecosystem))
    seeds = list(versions)
    while len(versions) < subject.pairs // 2:
        kind = rng.random()
        if kind < 0.6:
            seeds.append(subject.make(rng))
            version = seeds[-1]
        elif kind < 0.85:
            version = subject.respell(rng, rng.choice(seeds))
        else:
            version = spellings.damaged(rng, rng.choice(seeds))
        versions[version] = None
    return list(versions)


def assert_same_acceptance(
    versions: Sequence[str], readings: Sequence[Reading | None], verdicts: Sequence[Verdict | None]
) -> None:
    differing = [
        (version, "we refuse" if reading is None else "we accept")
        for version, reading, verdict in zip(versions, readings, verdicts, strict=True)
        if (reading is None) != (verdict is None)
    ]
    assert differing[:20] == [], f"{len(differing)} of {len(versions)} differ"


def assert_same_identity(both: Sequence[tuple[Reading, Verdict]]) -> None:
    """One version to us exactly where one version to the registry."""
    theirs: dict[str, str] = {}
    ours: dict[str, str] = {}
    for reading, verdict in both:
        if verdict.identity is not None:
            assert theirs.setdefault(reading.normal, verdict.identity) == verdict.identity, reading
            assert ours.setdefault(verdict.identity, reading.normal) == reading.normal, reading


def close_pairs(
    subject: Subject, accepted: Sequence[Reading], rng: random.Random
) -> tuple[list[tuple[Reading, Reading]], int]:
    """Neighbours in our order (with the oracle's own order transitive, that is every pair), then
    pairs a little apart, then any, in either direction; and how many are not comparable."""
    ordered = sorted(accepted, key=lambda reading: reading.key)
    pairs = list(pairwise(ordered))
    while len(pairs) < subject.pairs * 1.02:
        at = rng.randrange(len(ordered))
        other = at + rng.randint(-40, 40) if rng.random() < 0.7 else rng.randrange(len(ordered))
        pairs.append((ordered[at], ordered[other % len(ordered)]))
    chosen = [pair for pair in pairs if subject.comparable(pair[0].version, pair[1].version)]
    assert len(chosen) >= subject.pairs
    return chosen, len(pairs) - len(chosen)


def assert_same_order(pairs: Sequence[tuple[Reading, Reading]], oracle: Oracle) -> None:
    signs = oracle.compare([(one.version, two.version) for one, two in pairs])
    differing = [
        (one.version, "<=>"[sign + 1], two.version)
        for (one, two), sign in zip(pairs, signs, strict=True)
        if sign != (one.key > two.key) - (one.key < two.key)
    ]
    assert differing[:20] == [], f"the oracle disagrees on {len(differing)} of {len(pairs)} pairs"
    assert len(set(signs)) == 3
