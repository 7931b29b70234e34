"""The semver schemes beside their oracles: limits, refusals, the specification's own order."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.npm import Node


@pytest.mark.parametrize(("scheme", "limit"), [("semver53", 2**53 - 1), ("semver64", 2**64 - 1)])
def test_number_limits(read: Read, scheme: str, limit: int) -> None:
    for form in ["{}.0.0", "0.{}.0", "0.0.{}", "{0}.{0}.{0}-a", "0.{}.0-1.0"]:
        fits, exceeds = read(scheme, [form.format(limit), form.format(limit + 1)])
        assert fits is not None
        assert exceeds is None
    # The limit is of the core alone.
    [large] = read(scheme, [f"1.0.0-{'9' * 249}"])
    assert large is not None


def test_prerelease_numbers_are_exact(read: Read) -> None:
    """Where node's floats make two numbers one, and above any machine integer."""
    numbers = [2**53, 2**53 + 1, 2**64, 2**64 + 1, 10**30, 10**87 - 1, 10**87, 10**240, 10**240 + 1]
    ascending = [f"1.0.0-{n}" for n in numbers]
    for scheme in ["semver53", "semver64"]:
        keys = [r and r.key for r in read(scheme, ascending)]
        assert keys == sorted(set(keys))


def test_node_compares_large_numbers_as_floats(tmp_path: Path) -> None:
    """Two versions to the registry, and one order only in SemVer's own words: 11.4.1."""
    low, high = "1.0.0-9007199254740992", "1.0.0-9007199254740993"
    node = Node(tmp_path)
    assert node.compare([(low, high)]) == [0]
    identities = [verdict and verdict.identity for verdict in node.read([low, high])]
    assert identities == [low, high]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("1.0", "version '1.0' is not SemVer"),
        ("1.0.0-01", "version '1.0.0-01' is not SemVer"),
        (
            "1.9007199254740992.0-a",
            "version '1.9007199254740992.0-a' has a number above 9007199254740991",
        ),
    ],
)
def test_the_message_says_what_is_wrong(db: psycopg.Connection, version: str, message: str) -> None:
    with pytest.raises(psycopg.Error, match=message) as raised:
        db.execute("select pkgdb.scheme_version_key('semver53', %s)", [version])
    assert raised.value.sqlstate == "RG400"


@pytest.mark.parametrize(
    "version",
    [
        *["", "1", "1.0", "1.0.0.0", "v1.0.0", "=1.0.0", " 1.0.0", "1.0.0 ", "1.0.0\n", "01.0.0"],
        *["1.0.0-01", "1.0.0-", "1.0.0-a..b", "1.0.0+", "1.0.0+a+b", "1.0.0-é", "1.0.0-a_b"],
        *["\N{ARABIC-INDIC DIGIT ONE}.0.0", "9" * 256 + ".0.0"],
        *["1.0.0-" + "9" * 250, "1.0.0-" + "a" * 250],
    ],
)
def test_refused(read: Read, version: str) -> None:
    assert read("semver53", [version]) == [None]
    assert read("semver64", [version]) == [None]


def test_order_of_the_specification(read: Read) -> None:
    """Items 11.2 to 11.4, with capitals below small letters and numbers below texts."""
    ascending = """
        1.0.0-0 1.0.0-1 1.0.0-10 1.0.0-B 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-alpha-1
        1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 1.9.0 1.10.0 2.0.0-0 2.0.0 2.1.0
        2.1.1
    """.split()  # noqa: SIM905
    for scheme in ["semver53", "semver64", "natural"]:
        keys = [r and r.key for r in read(scheme, ascending)]
        assert keys == sorted(set(keys)), scheme


def test_build_metadata_is_no_identity(read: Read) -> None:
    plain, built, other = read("semver53", ["1.0.0-a", "1.0.0-a+1", "1.0.0-a+x-y.01"])
    assert plain is not None
    assert built is not None
    assert other is not None
    assert {plain.normal, built.normal, other.normal} == {"1.0.0-a"}
    assert plain.key == built.key == other.key
    [hyphen_in_build] = read("semver53", ["1.0.0+a-b"])
    assert hyphen_in_build is not None
    assert not hyphen_in_build.prerelease
