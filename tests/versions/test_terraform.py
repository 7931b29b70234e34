"""What is peculiar to the terraform scheme; test_oracles.py compares it with go-version."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.terraform import SUBJECT, GoVersion


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0.0-0 v1.0.0-1 1.0.0-10 1.0.0-A 1.0.0-a 1.0.0-a.1 1.0.0-a.b 1.0.0-a- v1.0.0 1.0.1",
        "v0.12.0-alpha.5 0.12.0 v0.12.1 4.0.0-rc1 4.0.0-rc2 v4.0.0 v4.9.0 4.10.0 v10.0.0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("terraform", ascending.split())]
    assert None not in keys
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("normal", "spellings"),
    [
        ("1.2.3", "v1.2.3 1.2.3+build v1.2.3+a-b.01"),
        ("1.2.3-rc.1", "v1.2.3-rc.1 1.2.3-rc.1+build"),
    ],
)
def test_equal(read: Read, normal: str, spellings: str) -> None:
    readings = read("terraform", [normal, *spellings.split()])
    assert {r and r.normal for r in readings} == {normal}
    assert len({r and r.key for r in readings}) == 1


@pytest.mark.parametrize(
    ("prerelease", "versions"), [(True, "v1.0.0-a 1.0.0-0+b"), (False, "v1.0.0 1.0.0+a-b")]
)
def test_prerelease(read: Read, prerelease: bool, versions: str) -> None:
    assert {r and r.prerelease for r in read("terraform", versions.split())} == {prerelease}


NEITHER = ["", "v", "1", "v1.2", "1.2.3.4", "V1.2.3", "vv1.2.3", "=1.2.3", "01.2.3", "1.2.3-01"]
NEITHER += ["1.2.3beta1", "1.2.3-a~1", "1.2.3-", "1.2.3+", "1.2.3-a_b", " 1.2.3", "1.2.3\n"]
NEITHER += ["latest", "v1.2.3-é", "1.0.0-" + "a" * 250, "v1.0.0-" + "a" * 249]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not SemVer") for version in NEITHER],
        ("v9223372036854775808.0.0", "has a number above 9223372036854775807"),
        ("0.0.99999999999999999999-a", "has a number above 9223372036854775807"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("terraform", [version]) == [None]
    for function in ["normalize", "key"]:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"select pkgdb.terraform_{function}(%s)", [version])
        assert (caught.value.diag.message_primary or "").endswith(message)


def test_number_limits(read: Read) -> None:
    for form in ["{}.0.0", "v0.{}.0", "0.0.{}", "v{0}.{0}.{0}-a+b"]:
        fits, exceeds = read("terraform", [form.format(2**63 - 1), form.format(2**63)])
        assert fits is not None
        assert exceeds is None
    assert None not in read("terraform", ["v1.0.0-" + "9" * 248, "1.0.0-" + "9" * 249])


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [
        # No identifier is to go-version above a text, but below a number: with a number below any
        # text it goes round in a circle, a < a.1 < a.b < a. That is no order; SemVer's is.
        ("1.0.0-a", "1.0.0-a.b", 1),
        ("1.0.0-a", "1.0.0-a.1", -1),
        ("1.0.0-a.1", "1.0.0-a.b", -1),
        # To SemVer an identifier with a hyphen is a text, to go-version this is a negative number.
        ("1.0.0-0", "1.0.0--1", 1),
        ("1.0.0--1", "1.0.0--2", 1),
        # Above 63 bits go-version has texts, and is not even sure of their order.
        ("1.0.0-9223372036854775808", "1.0.0-10000000000000000000", 1),
        ("1.0.0-99999999999999999999", "1.0.0-a", 1),
        ("1.0.0-a", "1.0.0-a.99999999999999999999", 1),
        ("1.0.0-99999999999999999999a", "1.0.0-9a", 1),
    ],
)
def test_disagreements(read: Read, tmp_path: Path, low: str, high: str, sign: int) -> None:
    """What go-version says; here the order is always SemVer's."""
    one, two = read("terraform", [low, high])
    assert one is not None
    assert two is not None
    assert one.key < two.key
    assert GoVersion(tmp_path).compare([(low, high)]) == [sign]
    assert SUBJECT.comparable(low, high) == (sign == -1)


def test_go_version_contradicts_itself(tmp_path: Path) -> None:
    pair = ("1.0.0-99999999999999999999", "1.0.0-a")
    assert GoVersion(tmp_path).compare([pair, pair[::-1]]) == [1, 1]
