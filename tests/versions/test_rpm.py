"""What is peculiar to the rpm scheme; test_oracles.py compares it with RPM itself."""

from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.rpm import Rpm


@pytest.fixture
def rpm(tmp_path: Path) -> Rpm:
    return Rpm(tmp_path)


@pytest.mark.parametrize(
    "ascending",
    [
        # At each place: ~, the end, ^, a text, a number.
        "1.0~~ 1.0~ 1.0~^ 1.0~a 1.0~1 1.0 1.0^~ 1.0^ 1.0^^ 1.0^a 1.0^1 1.0A 1.0a 1.0aa 1.0.0 1.0.1",
        "~~ ~ ~a . ^ A Z a z 0 1 10",
        # As rpm-version(7) has them.
        "1.0 1.0-1 1.0-5 1.0.1 1.0.2",
        "1.0 2.60 2.60.1-1 3.0",
        "4:6.0-1 5:2.9 5:3.0-1 5:3.1-1",
        "0.99 1.0~beta1 1.0~beta2 1.0~rc1 1.0 1.0^20250611 1.0.1",
        "0 0.0",
        "1 1.xyz 1.0",
        "1c.f 1.f",
        # A missing release is below any, even one that starts with a tilde.
        "1.0^ 1.0^-~~ 1.0^-~ 1.0^-. 1.0^-^ 1.0^-a 1.0^-0",
        "1.0-1~bpo 1.0-1 1.0-1.fc39 1.0-1.fc40 1.0-1.1 1.0-2 1.0-10",
        "2.1-9 10.1-1 1:0.1-1 4294967295:0-0",
        "1.9223372036854775807 1.9223372036854775808 1.18446744073709551616 1.18446744073709551617",
        f"1.{10**87 - 1} 1.{10**87} 1.{10**240} 1.{10**240 + 1}",
    ],
)
def test_ascending(read: Read, rpm: Rpm, ascending: str) -> None:
    versions = ascending.split()
    keys = [r and r.key for r in read("rpm", versions)]
    assert keys == sorted(set(keys))
    assert set(rpm.compare(list(pairwise(versions)))) == {-1}


@pytest.mark.parametrize(
    "equal",
    [
        "1.0-1 1_0-1 1+0-01 1.00-1 .1.0.-1 1._+0-+1",
        "abc123 abc0123 abc.123 abc.000123 abc+_.123_",
        ". _ + ._+",
        "1~1^a 1.~.1.^.a",
    ],
)
def test_equal(read: Read, rpm: Rpm, equal: str) -> None:
    """One place, and as many versions as texts."""
    versions = equal.split()
    readings = read("rpm", versions)
    assert len({r and r.key for r in readings}) == 1
    assert [r and r.normal for r in readings] == versions
    assert set(rpm.compare(list(pairwise(versions)))) == {0}


@pytest.mark.parametrize(
    ("versions", "normal"),
    [
        ("1.0-1 0:1.0-1 000:1.0-1", "1.0-1"),
        ("2:0.1-01 02:0.1-01", "2:0.1-01"),
        ("10:01 010:01", "10:01"),
        ("0:00", "00"),
    ],
)
def test_an_epoch_is_a_number(read: Read, versions: str, normal: str) -> None:
    """A repository lists 0 as the epoch of a package without one."""
    readings = read("rpm", versions.split())
    assert {r and r.normal for r in readings} == {normal}
    assert len({r and r.key for r in readings}) == 1


def test_nothing_is_a_prerelease(read: Read) -> None:
    readings = read("rpm", ["1.0-1", "1.0~rc1-1", "1.0-0.1.beta2", "0^20240101-1"])
    assert [r and r.prerelease for r in readings] == [False] * 4


NEITHER = ["", "-", "1-", "-1", "1-2-3", "1:", ":1-1", "a:1", "1:2:3", "1-2:3", "-1:1", "+1:1"]
NEITHER += ["1..0", "1-1..2", "1 0", " 1", "1\n", "1,0", "1/0", "1!0", "1é", "1-é", "%{v}", "1%"]
NEITHER += ["\N{ARABIC-INDIC DIGIT ONE}", "9" * 251, "1" * 256]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not an RPM version") for version in NEITHER],
        ("4294967296:1-1", "has an epoch above 4294967295"),
        ("99999999999:1-1", "has an epoch above 4294967295"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("rpm", [version]) == [None]
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select pkgdb.rpm_normalize(%s)", [version])
    assert message in (caught.value.diag.message_primary or "")


def test_macros_are_refused(read: Read, rpm: Rpm) -> None:
    """rpmbuild warns of what may be a macro that was not expanded, and builds the package."""
    versions = ["1%{?dist}x", "1.0-1%{x}", "{1}"]
    assert read("rpm", versions) == [None] * 3
    assert None not in rpm.read(versions[1:])


def test_number_limits(read: Read) -> None:
    for form in ["{}", "1.{}", "1-{}", "1~{}", "a{}"]:
        fits, exceeds = read("rpm", [form.format("9" * 250), form.format("9" * 251)])
        assert fits is not None
        assert exceeds is None
    fits, exceeds = read("rpm", [f"{'0' * 240}4294967295:1", f"{'0' * 240}4294967296:1"])
    assert fits is not None
    assert exceeds is None
