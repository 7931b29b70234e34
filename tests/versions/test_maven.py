"""Maven's order, where it is an order, and what we do where it is none."""

import random
from itertools import combinations, pairwise, product

import psycopg
import pytest

from tests.versions import spellings
from tests.versions.conftest import Read
from tests.versions.subjects.maven import Maven, comparable


@pytest.fixture(scope="module")
def maven(tmp_path_factory: pytest.TempPathFactory) -> Maven:
    return Maven(tmp_path_factory.mktemp("maven"))


def keys(read: Read, versions: list[str]) -> list[bytes]:
    readings = [reading for reading in read("maven", versions) if reading is not None]
    assert [reading.normal for reading in readings] == versions
    return [reading.key for reading in readings]


@pytest.mark.parametrize(
    "ascending",
    [
        "1-alpha 1-beta 1-milestone 1-rc 1-snapshot 1 1-sp 1-abc 1-final_ 1-xyz 1-1 1.1 2",
        "1-ALPHA-2 1.0-alpha-10 1.Beta 1.0.0.M1 1.0-cr1 1.0-RC2 1-SNAPSHOT 1.0.0 1.0.1",
        "1.0-a1 1.0a2 1.0-alpha3 1.0-b1 1.0-m1 1.0-rc1 1.0 1.0-a 1.0-alphax 1.0-b 1.0-m",
        "1.0.RC2 1.0-RC3 1.0 1.0.1",
        "1.rc-1 1.rc.1 1-rc-1 1.0.rc-1 1",
        "1.0.X2 1.0-X3 1.0.1",
        "1-rc 1-rc-sp 1-rc-1 1-rc.1 1-rc.1.1",
        "0-rc 0 0.0.1 0.1-rc 0.1",
        "alpha rc 0 sp x 0-1 0.1 1-alpha 1",
        "1 1-jre 1-1 1-1-jre 1-1.1 1.0.1-rc 1.0.1",
        "3.0.0-Beta 3.0.0.Beta-1 3.0.0.Beta-2 3.0.0 3.0.1",
        "1.0-20240102.030405-1 1.0-20240102.030405-2 1.0-20240102.030405-10 1.1-SNAPSHOT",
        f"1.999999999 1.1000000000 1.{10**18 - 1} 1.{10**18} 1.{10**87} 1.{10**88} 1.{10**240}",
    ],
)
def test_ascending(read: Read, maven: Maven, ascending: str) -> None:
    versions = ascending.split()
    found = keys(read, versions)
    assert found == sorted(set(found))
    assert set(maven.compare(list(combinations(versions, 2)))) == {-1}


@pytest.mark.parametrize(
    "equal",
    [
        "1 1.0 1.0.0 1-0 1.0-0 1- 1. 1.ga 1-GA 1.0.Final 1-release 01 1.0-ga-0 1.0.0.RELEASE",
        "1.0-rc1 1-rc1 1rc1 1.0.0-RC-1 1-cr1 1.0.0.CR1 1-rc01 1-rc1.0 1-rc1-ga",
        "1-a1 1-alpha-1 1.0a1 1.0.0.A1 1-Alpha1",
        "1.0.x1 1-x1 1x1 1.0X01",
        "0 00 0.0 0-0 ga - ... -.-",
        f"1.{10**40} 1.000{10**40}.0",
    ],
)
def test_equal(read: Read, maven: Maven, equal: str) -> None:
    versions = equal.split()
    assert len(set(keys(read, versions))) == 1
    assert set(maven.compare(list(pairwise(versions)))) == {0}


@pytest.mark.parametrize(
    "positive", ["1.sp.1", "1.x-1", "1.BUILD-SNAPSHOT", "1.x.2", "1.ga.1", "1-x", "1-5"]
)
@pytest.mark.parametrize("negative", ["1-rc", "1-0-rc", "1.0.rc.1", "1.0.0.beta-1", "1-0.rc.1"])
def test_below_nothing_is_below_what_is_above_it(
    read: Read, maven: Maven, positive: str, negative: str
) -> None:
    """To Maven 1.sp.1 < 1-rc as well, so that it goes round. With the candidate below the release
    and the service pack above it, as Maven has them too, one answer is left."""
    ascending = [negative, "1", positive]
    found = keys(read, ascending)
    assert found == sorted(set(found))
    assert maven.compare(list(pairwise(ascending))) == [-1, -1]
    assert maven.compare([(negative, positive)]) == [-1 if comparable(negative, positive) else 1]


def test_what_goes_round(maven: Maven) -> None:
    for negative, positive in [("1.RC1", "1.BUILD-SNAPSHOT"), ("1.0.0.beta-1", "1-5")]:
        assert maven.compare([(negative, positive)]) == [1]
        assert not comparable(negative, positive)
    assert comparable("1-rc", "1-5")
    assert comparable("1.0.0.beta-1", "1.0.1")


@pytest.mark.slow
def test_every_disagreement_is_one_of_those(read: Read, maven: Maven) -> None:
    """Short versions of every shape: Maven disagrees where it contradicts itself, only there."""
    words = ["0", "1", "rc", "sp", "x", "ga", "a"]
    versions = [
        first + "".join(map("".join, rest))
        for length in range(4)
        for first in words
        for rest in product(product([".", "-", ""], words), repeat=length)
    ]
    key = dict(zip(versions, keys(read, versions), strict=True))
    rng = random.Random(5)
    pairs = [(rng.choice(versions), rng.choice(versions)) for _ in range(100_000)]
    for (low, high), sign in zip(pairs, maven.compare(pairs), strict=True):
        agrees = sign == (key[low] > key[high]) - (key[low] < key[high])
        assert agrees == comparable(low, high), (low, sign, high)


def test_zeros_are_zero_at_any_length(read: Read, maven: Maven) -> None:
    """To Maven ten zeros are a long integer, and so above every short one; at the end they are
    dropped as any zero is. A number is its value."""
    long = f"1.{'0' * 10}.1"
    assert maven.compare([(long, "1.5"), ("1.0.1", long), (f"1.{'0' * 10}", "1")]) == [1, -1, 0]
    same, other, above = keys(read, [long, "1.0.1", "1.5"])
    assert same == other < above


@pytest.mark.parametrize(
    ("version", "says"),
    [
        *((f"1{mark}0", "has one of") for mark in '\\/:"<>|?*'),
        *((f"1{mark}0", "is a range") for mark in "[](),"),
        ("1.${revision}", "has an expression"),
        (".", "is no name of a folder"),
        ("..", "is no name of a folder"),
        *((text, "is not a Maven version") for text in ["", " ", "1 0", "1.0\n", "1.é", "1\x7f"]),
        ("1" * 251, "is not a Maven version"),
        ("1." * 128, "is not a Maven version"),
    ],
)
def test_refused(read: Read, db: psycopg.Connection, version: str, says: str) -> None:
    assert read("maven", [version]) == [None]
    with pytest.raises(psycopg.Error, match=says):
        db.execute("select pkgdb.maven_normalize(%s)", [version])


def test_limits(read: Read) -> None:
    assert None not in read("maven", ["1" * 250, "1-" + "1" * 250, "a" * 255, "1." * 127])


def test_prerelease(read: Read) -> None:
    yes = """
        1-alpha 1.0-Beta2 1.0.0.M3 1.0-milestone-1 1-rc 1.0.CR1 1-SNAPSHOT 1.0.BUILD-SNAPSHOT alpha
        2.0b5 1.jre.a1 1-rc.jre 1.0-20240102.030405-1 1.0mySNAPSHOT
    """.split()  # noqa: SIM905
    no = """
        1 1.0 1.Final 1.0.0.RELEASE 1-ga 1-sp 1-jre 1-alphax 1-xrc 1-a 1-b 1-m 1-arc1 1-xa1
        1.0-20240102 1-snapshots
    """.split()  # noqa: SIM905
    for versions, expected in [(yes, True), (no, False)]:
        readings = read("maven", versions)
        assert [r and r.prerelease for r in readings] == [expected] * len(versions)


def test_real_versions_seldom_go_round() -> None:
    rng = random.Random(7)
    real = spellings.real("maven")
    pairs = [(rng.choice(real), rng.choice(real)) for _ in range(20_000)]
    assert sum(not comparable(*pair) for pair in pairs) < 20
