"""The swift scheme: SemVer 2.0.0 as the registry specification has it, SwiftPM's integers.

The tables follow semver.org (items 2, 9, 10 and 11) and SwiftPM's Version type, whose numbers are
63-bit integers: what is no such integer is a text, and texts are above numbers. Where SwiftPM reads
-1 (in 1.0.0--1) as an integer too, they follow SemVer.
"""

from itertools import combinations

import psycopg
import pytest

from tests.versions import spellings
from tests.versions.conftest import Read

LARGEST = 2**63 - 1


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 "
        "1.0.0-rc.1 1.0.0",
        "0.0.0-0 0.0.0 0.0.1 0.0.9 0.0.10 0.1.0 0.9.0 0.10.0 1.0.0 1.9.9 2.0.0 9.0.0 10.0.0",
        "1.0.0-0 1.0.0-0.0 1.0.0-0.a 1.0.0-1 1.0.0-2 1.0.0-10 1.0.0-99 1.0.0-100 1.0.0--",
        "1.0.0-9 1.0.0-- 1.0.0--- 1.0.0--1 1.0.0--a 1.0.0-0a 1.0.0-1- 1.0.0-10a 1.0.0-9a 1.0.0-A",
        "1.0.0-A 1.0.0-B 1.0.0-Z 1.0.0-a 1.0.0-a- 1.0.0-a-b 1.0.0-aa 1.0.0-b 1.0.0-z",
        "1.0.0-a 1.0.0-a.0 1.0.0-a.0.0 1.0.0-a.1 1.0.0-a.a 1.0.0-a.a.0 1.0.0-a-a 1.0.0-a0",
        "5.0.0-beta.3 5.0.0-rc.1 5.0.0 5.1.0-beta.1 5.1.0",
        # Above 63 bits an identifier is a text, and those compare byte by byte.
        f"1.0.0-1 1.0.0-{LARGEST - 1} 1.0.0-{LARGEST} 1.0.0-10000000000000000000 "
        f"1.0.0-1000000000000000000a 1.0.0-{LARGEST + 1} 1.0.0-99999999999999999999 1.0.0-a",
        f"0.0.{LARGEST - 1} 0.0.{LARGEST} 0.{LARGEST}.0 {LARGEST}.0.0 {LARGEST}.0.1",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("swift", ascending.split())]
    assert None not in keys
    assert all(low < high for low, high in combinations(keys, 2))


@pytest.mark.parametrize(
    "equal",
    ["1.0.0 1.0.0+1 1.0.0+2 1.0.0+a.b 1.0.0+-.01", "1.0.0-rc.1 1.0.0-rc.1+5 1.0.0-rc.1+rc-2"],
)
def test_the_build_is_no_identity(read: Read, equal: str) -> None:
    readings = read("swift", equal.split())
    assert len({r and r.key for r in readings}) == 1
    assert {r and r.normal for r in readings} == {equal.split()[0]}


def test_prereleases(read: Read) -> None:
    versions = {"1.0.0-a": True, "1.0.0-0+a": True, "1.0.0": False, "1.0.0+a-b": False}
    assert {r.version: r.prerelease for r in read("swift", list(versions)) if r} == versions


@pytest.mark.parametrize(
    "version",
    [
        *["", "1", "1.0", "1.0.0.0", "v1.0.0", "V1.0.0", "=1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n"],
        *["-1.0.0", "1.-1.0", "1.0.-1", "+1.0.0", "1.+1.0", "a.0.0", "1.a.0", "1.0.a", "1..0"],
        *[".1.0", "1.0.", "1,0,0", "1_0.0.0", "0x1.0.0", "1.0.0-é", "1.0.0+é", "1.0.0-a_b"],
        # SwiftPM's own reader is looser; the registry specification asks for SemVer.
        *["01.0.0", "1.00.0", "1.0.01", "1.0.0-", "1.0.0+", "1.0.0-a.", "1.0.0-.a", "1.0.0-a..b"],
        *["1.0.0-01", "1.0.0-a.00", "1.0.0+a..b", "1.0.0+a+b", "1.0.0-+", "1.0.0-a b", "1.0.0-~"],
        *["\N{ARABIC-INDIC DIGIT ONE}.0.0", "1.0.0-" + "a" * 250, "1.0.0-" + "9" * 250],
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str) -> None:
    assert read("swift", [version]) == [None]
    with pytest.raises(psycopg.Error, match="is not SemVer"):
        db.execute("select pkgdb.swift_normalize(%s)", [version])


@pytest.mark.parametrize("form", ["{}.0.0", "0.{}.0", "0.0.{}", "{0}.{0}.{0}-a+b"])
def test_numbers_have_63_bits(db: psycopg.Connection, read: Read, form: str) -> None:
    fits, exceeds = read("swift", [form.format(LARGEST), form.format(LARGEST + 1)])
    assert fits is not None
    assert exceeds is None
    with pytest.raises(psycopg.Error, match=f"has a number above {LARGEST}"):
        db.execute("select pkgdb.swift_normalize(%s)", [form.format(LARGEST + 1)])


def test_agrees_with_semver_within_63_bits(read: Read) -> None:
    versions = spellings.real("npm") + spellings.real("swift")
    assert read("swift", versions) == read("semver53", versions)
