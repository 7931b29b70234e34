"""NuGet's order and identity in its own traps, and which versions need a SemVer 2 client."""

import random
from itertools import combinations

import psycopg
import pytest

from tests.versions import spellings
from tests.versions.conftest import Read, Reading
from tests.versions.subjects import nuget
from tests.versions.subjects.nuget import NuGetVersioning


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> NuGetVersioning:
    return NuGetVersioning(tmp_path_factory.mktemp("nuget"))


def accepted(read: Read, versions: list[str]) -> list[Reading]:
    readings = [reading for reading in read("nuget", versions) if reading is not None]
    assert [reading.version for reading in readings] == versions
    return readings


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0.0-0 1.0.0-1 1.0.0-10 1.0.0-- 1.0.0-0a 1.0.0-alpha 1.0.0-ALPHA.1 1.0.0-b 1.0.0-C 1.0",
        "1.0-a 1.0-a.-2147483648 1.0-a.-10 1.0-a.-5 1.0-a.-1 1.0-a.0 1.0-a.1 1.0-a.2147483647",
        "1.0-a.2147483647 1.0-a.-2147483649 1.0-a.10000000000 1.0-a.2147483648 1.0-a.a",
        "1.0-beta.100000000000 1.0-beta.99999999999",
        "1.0.0-rc 1.0.0 1.0.0.1-rc 1.0.0.1 1.0.0.2 1.0.0.10 1.0.1-rc 1.0.1 1.1 1.10 2 10.0",
        "1.0.2147483646 1.0.2147483647 1.2147483647 2147483647.2147483647.2147483647.2147483647",
    ],
)
def test_ascending(read: Read, tool: NuGetVersioning, ascending: str) -> None:
    versions = ascending.split()
    keys = [reading.key for reading in accepted(read, versions)]
    assert keys == sorted(set(keys))
    assert set(tool.compare(list(combinations(versions, 2)))) == {-1}


@pytest.mark.parametrize(
    ("normal", "spelled"),
    [
        ("1.0.0", ["1", "1.0", "01.00", "1.0.0.0", "1.0.0.000", " 1.0\n", "1.0+x", "1+1"]),
        ("1.0.1", ["1.0.01", "1.0.1.0", "1.0.1+metadata.01", "\t1.0.1\v"]),
        ("1.2.3.4", ["1.2.3.04", "1.2.3.4+x"]),
        ("1.0.0-rc.1", ["1.0-RC.1", "1.0.0-Rc.1+x", "1-rc.1", "1.0.0.0-rc.1"]),
        ("1.0.0-1", ["1.0.0-1+x", "1.0-1"]),
        ("1.0.0-a-b", ["1.0-A-B+a-b"]),
    ],
)
def test_one_version(read: Read, normal: str, spelled: list[str]) -> None:
    readings = accepted(read, [normal, *spelled])
    assert {reading.normal for reading in readings} == {normal}
    assert len({reading.key for reading in readings}) == 1


def test_equals_that_are_several_versions(read: Read, tool: NuGetVersioning) -> None:
    """The gallery tells them apart by their text, and the order does not."""
    versions = ["1.0.0-a.0", "1.0.0-a.-0", "1.0.0-a.-00"]
    assert tool.compare(list(combinations(versions, 2))) == [0, 0, 0]
    readings = accepted(read, versions)
    assert [reading.normal for reading in readings] == versions
    assert len({reading.key for reading in readings}) == 1


NOT_NUGET = """
    x v1.0 =1.0 -1.0 1. .1 1..0 1.0.0.0.0 1.0- 1.0-+x 1.0+ 1.0-a. 1.0-.a 1.0-a..b 1.0-01 1.0-a.00
    1.0+a+b 1.0+a..b 1.0-a_b 1.0-é 1.0+é 1,0 1.x 1.0a
""".split()  # noqa: SIM905


@pytest.mark.parametrize(
    ("version", "says"),
    [
        *((version, "is not a NuGet version") for version in NOT_NUGET),
        *(
            (text, "is not a NuGet version")
            for text in ["", " ", "1 0", "1 .0", "1.\t0", "1.0 -a", "1.0- a"]
        ),
        ("\N{NO-BREAK SPACE}1.0", "is not a NuGet version"),
        ("\N{ARABIC-INDIC DIGIT ONE}.0", "is not a NuGet version"),
        *(
            (f"{zero}.2147483648", "has a number above 2147483647")
            for zero in ["0", "0.0", "1.2.3"]
        ),
        ("2147483648", "has a number above 2147483647"),
        ("9" * 200 + ".0-" + "a" * 40, "has a number above 2147483647"),
        ("1.0.0-" + "a" * 59, "has more than 64 characters"),
        ("1.0-" + "a" * 59, "has more than 64 characters"),
        ("1.0.0+" + "a" * 59, "has more than 64 characters"),
        ("0" * 252 + "1.0.0", "is not a NuGet version"),
    ],
)
def test_refused(read: Read, db: psycopg.Connection, version: str, says: str) -> None:
    assert read("nuget", [version]) == [None]
    with pytest.raises(psycopg.Error, match=says):
        db.execute("select pkgdb.nuget_normalize(%s)", [version])


def test_limits(read: Read) -> None:
    """64 characters are those of the normal form with its metadata."""
    at = ["1.0.0-" + "a" * 58, "1.0-" + "a" * 58, "1.0.0-a+" + "a" * 56, "0" * 250 + "1.0.0"]
    readings = accepted(read, at)
    assert [len(reading.normal) for reading in readings] == [64, 64, 7, 5]


def test_prerelease(read: Read) -> None:
    versions = ["1.0", "1.0+a-b", "1.0-a", "1.0-1", "1-a+b"]
    assert [r.prerelease for r in accepted(read, versions)] == [False, False, True, True, True]


def test_semver2(db: psycopg.Connection, tool: NuGetVersioning) -> None:
    """What a client that knows SemVer 1 alone does not see: of the spelling as published."""
    rng = random.Random(2)
    versions = ["1.0.0", "1.0.0-a", "1.0.0-a.b", "1.0.0+a", "1.0.0-a+b", "1.0.0.1-a-b"]
    versions += spellings.real("nuget") + [nuget.make(rng) for _ in range(5_000)]
    facts = zip(versions, tool.facts(versions), tool.read(versions), strict=True)
    expected = {version: fact[3] for version, fact, verdict in facts if fact and verdict}
    rows = db.execute(
        "select v, pkgdb.nuget_is_semver2(v, pkgdb.nuget_normalize(v)) from unnest(%s::text[]) v",
        [list(expected)],
    )
    assert dict(rows.fetchall()) == expected
    assert set(expected.values()) == {False, True}
