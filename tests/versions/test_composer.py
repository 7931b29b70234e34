"""What is peculiar to the composer scheme; test_oracles.py compares it with composer/semver."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects import Verdict
from tests.versions.subjects.composer import SUBJECT, Composer


@pytest.fixture
def composer(tmp_path: Path) -> Composer:
    return Composer(tmp_path)


@pytest.mark.parametrize(
    "ascending",
    [
        # A word in capitals stays in the text, and is to PHP a word like any other.
        "1.0-STABLE 1.0-dev 1.0-alpha 1.0a1 1.0-alpha2 1.0b 1.0-RC 1.0RC1 1.0 1.0p 1.0p1",
        # The end is below a number, and above a word but "patch".
        "1.0-beta-dev 1.0-beta 1.0-beta0 1.0-beta0.0 1.0-beta1 1.0-beta1.1 1.0-beta2 1.0-beta10",
        "1.0-patch-dev 1.0-patch 1.0-patch1-dev 1.0-patch1",
        # A branch of numbers is above what it will become; one with a name is below everything.
        "dev-zzz 0-dev 0 1.9.99 1.9.x-dev 1.99 1.x-dev 1.9999999.9999999.9999999 2.0-dev",
        "dev-a dev-b dev-b/c",
        # A date has as many numbers as it has.
        "2024-01 2024-01-31 2024.01.31 2024.01.31.12 2024-01-31-12-00 2024-01-31-12:00:00",
        "2024-02-01 2024.02.01 2024.12.31 20240131 20240131.0 20240131.1.0 20240131.1.0-p1",
        "1.9223372036854775806 1.9223372036854775807 1.9223372036854775808 1.18446744073709551616",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("composer", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("normal", "spellings"),
    [
        ("1.0.0.0", "1 1. 1.0 v1.0 V1.0.0 1.0.0.0 1.0-stable 1.0stable7-dev 1.0+build.7 1.0_"),
        ("1.0.0.0-alpha1", "1.0a1 1.0-alpha.1 1.0_ALPHA1 1.0.A-1 1.0.0-alpha1+b"),
        ("1.0.0.0-RC15-dev", "1.0.0-rC15-dev 1.0.0.RC.15-dev 1.0rc15dev"),
        ("1.0.0.0-patch", "1.0p 1.0PL 1.0-patch"),
        ("1.0.0.0-STABLE", "1.0-STABLE 1.0Stable"),
        ("1.0.0.0-dev", "1.0-dev 1.0.0.dev 1.0_.dev 1dev 1.0--DEV"),
        ("1.9999999.9999999.9999999-dev", "1.x-dev v1.X.dev 1.*-dev 1.x.x.xdev"),
        ("2024-01-31", "2024-01-31 2024:01:31 v2024.01-31 2024-01.31"),
        ("2024.01.31.0", "2024.01.31 2024-01-31.0"),
        ("20240131.120000", "20240131-120000 20240131.120000"),
        ("dev-main", "dev-main DEV-main dev-MAIN"),
        ("dev-master", "master dev-master dev-Master"),
        ("dev-trunk", "trunk"),
        ("dev-fix/#12+a@b", "dev-fix/#12+a@b"),
    ],
)
def test_equal(read: Read, normal: str, spellings: str) -> None:
    readings = read("composer", [normal, *spellings.split()])
    assert {r and r.normal for r in readings} == {normal}
    assert len({r and r.key for r in readings}) == 1


def test_written_zeros_are_identity_but_no_order(read: Read) -> None:
    versions = ["0.1", "00.01", "0.1-beta1", "0.1-beta01", "0.1-b-1-2", "0.1-b1.2"]
    readings = read("composer", versions)
    normals = [r and r.normal for r in readings]
    keys = [r and r.key for r in readings]
    assert normals[:2] == ["0.1.0.0", "00.01.0.0"]
    assert len(set(normals)) == 6
    assert [keys[0], keys[2], keys[4]] == [keys[1], keys[3], keys[5]]


@pytest.mark.parametrize(
    ("prerelease", "versions"),
    [
        (True, "1-dev 1a 1.0-alpha2 1.0b 1.0-rc1 1.0-p1-dev 1.x-dev dev-main dev-1.0 master"),
        (False, "1 1.0-p1 1.0-stable 1.0-STABLE 2024-01-31 20240131 1.0+dev-alpha"),
    ],
)
def test_prerelease(read: Read, prerelease: bool, versions: str) -> None:
    assert {r and r.prerelease for r in read("composer", versions.split())} == {prerelease}


NEITHER = ["", "a", "v", "1.0.0.0.0", "1.0-1", "1..0", "1.0-gamma", "100000.0.0.0", "1.*", "^1"]
NEITHER += [
    "x-dev",
    "foo-dev",
    "dev-",
    "1.0+",
    "1.0#abc",
    "dev-a\\b",
    "é",
    "dev-é",
    "1.0\x0c",
    "MASTER",
]
NEITHER += ["2024-1-1", "1" * 256]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not a Composer version") for version in NEITHER],
        ("1.0@beta", 'has a "@beta", which is of requirements'),
        ("dev-main@DEV", 'has a "@DEV", which is of requirements'),
        ("dev-main as 1.0", 'has a " ", which is of requirements'),
        ("1.0|2.0", 'has a "|", which is of requirements'),
        ("dev-a,dev-b", 'has a ",", which is of requirements'),
        ("1." + "9" * 250, "is longer than 255 characters when normalized"),
        ("1." + "9" * 235 + ".x-dev", "is longer than 255 characters when normalized"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("composer", [version]) == [None]
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select pkgdb.composer_normalize(%s)", [version])
    assert (caught.value.diag.message_primary or "").endswith(message)


def test_number_limits(read: Read) -> None:
    """The normal form has at most 255 characters too; a first number of six digits is a date."""
    for fits, exceeds in [
        ("1." + "9" * 249, "1." + "9" * 250),
        ("1.0.0." + "9" * 249, "1.0.0." + "9" * 250),
        ("99999", "100001.0.0.0"),
        ("9999012345678901234567", "99990123456789012345678"),
        ("dev-" + "9" * 250, "dev-" + "9" * 251),
    ]:
        readings = read("composer", [fits, exceeds])
        assert [r is None for r in readings] == [False, True], fits


def test_disagreements(read: Read, composer: Composer) -> None:
    """Where we are exact or have an order, and composer/semver does not."""
    # strtol stops at 2^63 - 1: two releases would share a place.
    low, high = "1.9223372036854775807", "1.9223372036854775808"
    assert composer.compare([(low, high)]) == [0]
    assert ascends(read, low, high)
    # Comparator finds neither of two branches lower, and not equal: here they are in byte order.
    assert composer.compare([("dev-a", "dev-b"), ("dev-b", "dev-a")]) == [0, 0]
    assert ascends(read, "dev-a", "dev-b")
    assert not SUBJECT.comparable("dev-a", "master")


def test_normalize_is_not_idempotent_in_composer(read: Read, composer: Composer) -> None:
    """composer/semver reads its own 2024.01.31 as 2024.01.31.0, its 1.0.0.0-stable as 1.0.0.0, and
    those are other versions: the normal forms here keep them apart."""
    versions = ["2024-01-31", "2024.01.31", "1.0-STABLE", "1.0"]
    theirs = ["2024.01.31", "2024.01.31.0", "1.0.0.0-stable", "1.0.0.0"]
    assert composer.read(versions) == [Verdict(identity, False) for identity in theirs]
    ours = ["2024-01-31", "2024.01.31.0", "1.0.0.0-STABLE", "1.0.0.0"]
    assert [r and r.normal for r in read("composer", versions)] == ours
    assert composer.read(ours) == composer.read(versions)
    assert [r and r.normal for r in read("composer", ours)] == ours


def ascends(read: Read, low: str, high: str) -> bool:
    one, two = read("composer", [low, high])
    assert one is not None
    assert two is not None
    return one.key < two.key
