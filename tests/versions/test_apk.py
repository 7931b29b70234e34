"""The apk scheme, against what apk-tools themselves said: see data/SOURCES.md."""

import psycopg
import pytest

from tests.versions import spellings
from tests.versions.conftest import Read

PAIRS = [
    line.split() for line in (spellings.DATA / "apk_pairs.txt").read_text("utf-8").splitlines()
]
REFUSED = (spellings.DATA / "apk_refused.txt").read_text("utf-8").splitlines()


def test_agrees_with_apk_tools(read: Read) -> None:
    """Among the pairs are all neighbours in one order of 8,000 versions."""
    versions = list(dict.fromkeys(v for low, _, high in PAIRS for v in (low, high)))
    assert len(PAIRS) >= 20_000
    keys = {v: r.key for v, r in zip(versions, read("apk", versions), strict=True) if r}
    assert [v for v in versions if v not in keys] == []

    def relation(low: str, high: str) -> str:
        return "<=>"[(keys[low] > keys[high]) - (keys[low] < keys[high]) + 1]

    assert [pair for pair in PAIRS if pair[1] != relation(pair[0], pair[2])] == []


def test_refuses_what_apk_tools_refuse(read: Read) -> None:
    assert len(REFUSED) > 2_000
    accepted = [r.version for r in read("apk", REFUSED) if r is not None]
    assert accepted == []


@pytest.mark.parametrize(
    "ascending",
    [
        "1_alpha 1_beta 1_pre 1_rc 1 1_cvs 1_svn 1_git 1_hg 1_p 1a 1.0 1.1",
        # Numbers after the first are texts where they start with 0.
        "1 1.0 1.00 1.01 1.010 1.011 1.02 1.09 1.1 1.9 1.10",
        "8.2.0 8.2.001 8.2.1 8.2.1.015 8.2.1.15",
        # What comes next, where the rest is equal.
        "1_alpha 1 1-r0 1-r1 1~a 1_p 1_p-r1 1_p~a 1_p0 1_p1 1_p_p 1a 1.0",
        "1_p_alpha 1_p 1_p1_alpha 1_p1 1_p1-r0 1_p2",
        "1a 1b 1z",
        "1~0 1~0-r0 1~0-r1 1~00 1~0a 1~a 1~a0 1~b",
        "1-r0 1-r1 1-r2 1-r10 1-r100",
        "0 9 010 11 99 100 20240101",
        f"1.{10**19} 1.{2**64} 1.{2**64 + 1} 1.{10**87 - 1} 1.{10**87} 1.{10**240}",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("apk", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize("equal", ["1 01 001", "1_p1 1_p01 01_p001", "1-r0 1-r00 01-r000"])
def test_equal(read: Read, equal: str) -> None:
    """Of one place in the order, though each is a version of its own."""
    readings = read("apk", equal.split())
    assert len({r and r.key for r in readings}) == 1
    assert [r and r.normal for r in readings] == equal.split()


def test_prereleases(read: Read) -> None:
    versions = {
        "1.0_alpha": True,
        "1.0_beta2-r1": True,
        "1.0_pre20240101": True,
        "1.0a_rc1": True,
        "1.0_p1_rc1": True,
        "1.0_git20240101-r0": False,
        "1.0_p1": False,
        "1.0a": False,
        "1.0~a1": False,
    }
    assert {r.version: r.prerelease for r in read("apk", list(versions)) if r} == versions


@pytest.mark.parametrize(
    "version",
    [
        *["", "a", "v1", ".1", "1.", "1..2", "1.a", "1ab", "1A", "1a1", "1a.1", "1 ", "1\n", "é"],
        *["1_", "1_x", "1_alphabet", "1_ALPHA", "1__p", "1_p_", "1_p1a", "1_p.1", "1-1", "1-r"],
        *["1-r1.0", "1-r-1", "1-R1", "1-r1-r2", "1-r1_p", "1~", "1~g", "1~A", "1~a~b", "1~a_p"],
        *["1:1", "1+1", "9" * 251, "1" + ".0" * 128],
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str) -> None:
    assert read("apk", [version]) == [None]
    with pytest.raises(psycopg.Error, match="not an apk version"):
        db.execute("select pkgdb.apk_normalize(%s)", [version])


def test_numbers_are_exact(read: Read) -> None:
    """apk-tools 3.0.6 keep 64 bits: to them these pairs are =, =, < and <."""
    for low, high in [
        ("0", "18446744073709551616"),
        ("1", "18446744073709551617"),
        ("1.2", "1.18446744073709551617"),
        ("1-r1", "1-r18446744073709551616"),
    ]:
        first, second = read("apk", [low, high])
        assert first is not None
        assert second is not None
        assert first.key < second.key
