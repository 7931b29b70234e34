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
        # Real schemes: dates, letters, words before and after.
        "2019a 2019b 2019c 2020a 2020b 2024a",
        "curl-7_9 curl-7_88_1 curl-8_0_0 curl-8_0_1 curl-8_10_0",
        "swift-DEVELOPMENT-SNAPSHOT-2024-01-17-a swift-DEVELOPMENT-SNAPSHOT-2024-01-17-b",
        "REL9_6_1 REL9_6_10 REL_10_0",
        "openjdk-8u9 openjdk-8u45 openjdk-8u275 openjdk-11",
        "1.0alpha1 1.0beta1 1.0beta2 1.0beta10 1.0rc1 1.0.1",
        "17.0.9+9.1 17.0.9.1 17.0.10+8",
        # At each place: a SemVer prerelease, the end, a text, a number.
        "1.2.3-a 1.2.3 1.2.3a 1.2.3a.1 1.2.3z 1.2.3.0 1.2.3.1 1.2.3.10",
        "a a.a a.a.a a.a.0 a.0 a.0.0 a.1 aa b",
        "A Z a z 0",
        "1 1.a 1.a1 1.a2 1.a10 1.b 1.0",
        # Numbers are exact, at any length.
        f"r{2**53} r{2**53 + 1} r{2**64} r{10**87 - 1} r{10**87} r{10**240} r{10**240 + 1}",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("natural", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "equals",
    [
        "1.2 v1.2 V1.2 1-2 1_02 1/2 1:2 1..2 -1.2- 1~2 (1,2) [1|2] {1;2} 1\\2 '1\"2 <1>2?",
        "@1#$%^&*=2 1.2",
        "1.0.0+a 1.0.0+b v1.0.0",
        "+ . - _ ~ ... \\",
        "a1 a.1 a-1 .a..1. a001",
        "1.0a1 1.0.a.1 v1_0a01",
        "r0 r00 r-0",
    ],
)
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


def test_a_v_before_a_digit_is_no_part_of_the_order(read: Read) -> None:
    rng = random.Random(7)
    versions = [spellings.generic(rng) for _ in range(3_000)] + spellings.real("generic")
    versions = [v for v in versions if v[0].isdigit() and len(v) < 255]
    assert len(versions) > 1_500
    for letter in "vV":
        keys = [
            r and (r.key, r.prerelease) for r in read("natural", [letter + v for v in versions])
        ]
        assert keys == [r and (r.key, r.prerelease) for r in read("natural", versions)]
    [letters, more] = read("natural", ["vv1", "1"])
    assert letters is not None
    assert more is not None
    assert letters.key != more.key


def test_only_runs_count(read: Read) -> None:
    """Where a version is not SemVer, its key is its runs of digits and of letters."""
    rng = random.Random(8)
    marks = [chr(code) for code in range(33, 127) if not chr(code).isalnum()]
    for _ in range(300):
        runs = [rng.choice(["a", "Z", "rc", "x" * 9, "0", "1", "10", "007"]) for _ in range(6)]
        # A "-" could make it SemVer; so could a "v" before a digit, and no run is one.
        joined = [rng.choice(marks).join(["r", *runs]) for _ in range(4)]
        assert len({r and r.key for r in read("natural", joined)}) == 1
