"""The natural scheme: its own rules, and SemVer's where a version is SemVer."""

import random

import pytest

from tests.versions import spellings
from tests.versions.conftest import Read


def test_semver_versions_keep_their_order(read: Read) -> None:
    rng = random.Random(5)
    versions = spellings.real("npm") + [spellings.semver(rng) for _ in range(3_000)]
    natural, semver = read("natural", versions), read("semver53", versions)
    assert None not in natural
    assert [n and (n.key, n.prerelease) for n in natural] == [
        s and (s.key, s.prerelease) for s in semver
    ]


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0 1.0.0-0 1.0.0-rc.1 1.0.0 1.0.0a 1.0.0.1 1.0.1 1.1 1.2 1.10 2",
        "main nightly 0 0.1 20240101",
        "2024-01-15 2024-02-01 2024-10-01",
        "1.0.2 1.0.2a 1.0.2b 1.0.3",
        "r9 r10 r11",
        "1.0.0-1 v1.0.0 1.0.0-01",
        "... 1.beta 1.1",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("natural", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("equals", ["1.2 v1.2 V1.2 1-2 1_02", "1.0.0+a 1.0.0+b v1.0.0", "+ . -"])
def test_ties(read: Read, equals: str) -> None:
    """Different texts are different versions, though the order does not tell them apart."""
    readings = read("natural", equals.split())
    assert len({r and r.key for r in readings}) == 1
    assert [r and r.normal for r in readings] == equals.split()


def test_prereleases_are_those_of_semver(read: Read) -> None:
    versions = {
        "1.0.0-rc.1": True,
        "v1.0.0-rc.1": True,
        "1.0.0": False,
        "1.0.0+a-b": False,
        "1.0-rc.1": False,
        "2024-01-15": False,
        "nightly": False,
    }
    assert {r.version: r.prerelease for r in read("natural", list(versions)) if r} == versions


@pytest.mark.parametrize(
    "version", ["", " ", "1 0", "1.0\n", "1\t", "é", "1\x7f", "1" * 251, "a" * 256]
)
def test_refused(read: Read, version: str) -> None:
    assert read("natural", [version]) == [None]
