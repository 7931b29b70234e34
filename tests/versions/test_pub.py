"""The pub scheme: SemVer 2.0.0, then the build, as pub_semver orders and the registry accepts.

The tables follow pub_semver's documentation and the behaviour that its tests state (version 2.2.1),
and the registry's checks of an upload: canonical form, at most 64 characters.
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
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0-rc.1+build.1 1.0.0 "
        "1.0.0+0.3.7 1.3.7+build 1.3.7+build.2.b8f12d7 1.3.7+build.11.e0f985a 2.0.0 2.1.0 2.2.0 "
        "2.11.0 2.11.1",
        "1.0.0 1.0.0+0 1.0.0+1 1.0.0+2 1.0.0+9 1.0.0+10 1.0.0+10.0 1.0.0+10.a 1.0.0+11 1.0.0+a",
        "0.8.6-nullsafety 0.8.6 0.8.6+1 0.8.6+9 0.8.6+10 0.8.7-dev 0.8.7",
        "1.0.0-a 1.0.0-a+0 1.0.0-a+1 1.0.0-a+a 1.0.0-a.0 1.0.0-a.0+0 1.0.0-a.1 1.0.0-b",
        "1.0.0-0 1.0.0-0+0 1.0.0-0.0 1.0.0-1 1.0.0-10 1.0.0-A 1.0.0-a 1.0.0 1.0.0+0 1.0.1-0",
        "0.0.0-0 0.0.0 0.0.1 0.0.10 0.1.0 0.2.0 0.10.0 1.0.0 1.2.0 1.10.0 2.0.0 10.0.0",
        # Neither a sign nor "0x" makes a number.
        "1.0.0-10 1.0.0--1 1.0.0--2 1.0.0-0xA 1.0.0-0xa 1.0.0-a",
        "2.0.0-0 2.0.0--1 2.0.0 2.0.0+0 2.0.0+255 2.0.0+-1 2.0.0+0xFF 2.0.0+a",
        "1.0.0+0-0 1.0.0+0A 1.0.0+0a 1.0.0+A 1.0.0+a 1.0.0+a.0 1.0.0+a.a 1.0.0+a-a 1.0.0+aa",
        # Above 63 bits an identifier is a text, and those compare byte by byte.
        f"1.0.0-{LARGEST} 1.0.0-10000000000000000000 1.0.0-{LARGEST + 1} 1.0.0-a 1.0.0 "
        f"1.0.0+{LARGEST} 1.0.0+10000000000000000000 1.0.0+{LARGEST + 1} 1.0.0+a",
        f"0.0.{LARGEST - 1} 0.0.{LARGEST} 0.{LARGEST}.0 {LARGEST}.0.0 {LARGEST}.0.0+0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    readings = read("pub", ascending.split())
    keys = [r and r.key for r in readings]
    assert None not in keys
    assert all(low < high for low, high in combinations(keys, 2))
    assert [r and r.normal for r in readings] == ascending.split()


def test_prereleases(read: Read) -> None:
    versions = {
        "1.0.0-dev": True,
        "1.0.0-dev+1": True,
        "1.0.0-0": True,
        "1.0.0": False,
        "1.0.0+1": False,
        "1.0.0+dev-1": False,
    }
    assert {r.version: r.prerelease for r in read("pub", list(versions)) if r} == versions


@pytest.mark.parametrize(
    ("message", "versions"),
    [
        (
            "is not SemVer",
            [
                *["", "1", "1.0", "1.3-pre", "1.3+build", "1.3+bu?!3ild", "1a2b3", "1.2.3.4"],
                *["-2.3.4", "v1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n", "1.0.0-", "1.0.0+", "1234"],
                *["1.0.0+a..b", "1.0.0+a+b", "1.0.0-a_b", "1.0.0-é", "1-0-0", "1.x.0", "any"],
                "1.0.0-a..b",
            ],
        ),
        # pub_semver reads these; they are not in canonical form, and the registry refuses those.
        ("is not SemVer", ["01.2.3", "1.02.3", "1.2.03", "001.02.0003", "1.2.3-01", "1.2.3-a.00"]),
        ("has a leading zero", ["1.2.3+01", "1.2.3+a.00", "1.2.3-a+00.a", "1.2.3+0.01.0"]),
        (
            "longer than 64",
            ["1.0.0-" + "a" * 59, "1.0.0+" + "a" * 59, "1" * 18 + ".1.1+" + "1" * 59],
        ),
        (
            f"has a number above {LARGEST}",
            [form.format(LARGEST + 1) for form in ["{}.0.0", "0.{}.0", "0.0.{}", "0.0.{}-a+b"]],
        ),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, message: str, versions: list[str]) -> None:
    assert read("pub", versions) == [None] * len(versions)
    for version in versions:
        with pytest.raises(psycopg.Error, match=message), db.transaction():
            db.execute("select pkgdb.pub_normalize(%s)", [version])


def test_longest(read: Read) -> None:
    longest = ["1.0.0-" + "a" * 58, "1.0.0+" + "a" * 58, f"{LARGEST}.{LARGEST}.{LARGEST}-ab"]
    assert None not in read("pub", [*longest, f"1.0.0-{'9' * 58}", "1.0.0+0a.-0.0-0"])


def test_agrees_with_semver_but_for_the_build(read: Read) -> None:
    versions = [v for v in spellings.real("npm") if "+" not in v and len(v) <= 64]
    assert read("pub", versions) == read("semver53", versions)
