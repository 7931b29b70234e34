"""What is peculiar to the conan scheme; test_oracles.py compares it with Conan itself."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.conan import SUBJECT, Conan


@pytest.fixture
def conan(tmp_path: Path) -> Conan:
    return Conan(tmp_path)


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0-alpha 1.0-alpha.1 1.0-beta 1.0-rc.2 1.0-rc.11 1.0 1.0+1 1.0+2 1.0+10 1.0+a 1.0.1",
        # Real ones: a letter after a number, words, dates.
        "1.1.1 1.1.1a 1.1.1k 1.1.1w 1.1.2 1.1.10 3.0.0",
        "0.0.0.cci.20200203 1.0 1.76.0 20230101 cci.20190101 cci.20200203 system v6-22-06 v6",
        # The end, nothing, numbers, texts.
        "1.0 1.. 1..0.1 1.0.1 1.1 1.a 1.a.1",
        "1.0-alpha+1 1.0-alpha+2 1.0-alpha.1 1.0-beta 1.0",
        # An empty prerelease is one; the first "-" begins it, the last "+" a build.
        "1.0- 1.0-0.1 1.0-1 1.0-a 1.0-a-b 1.0 1.0+ 1.0+0.1 1.0+a-b 1.0.1",
        # After the first "-" numbers have signs, as Python reads them.
        "1.0-0 1.0-+a 1.0-+a+ 1.0--+ 1.0--- 1.0--10 1.0--2 1.0--1 1.0--a 1.0-1 1.0-+2+0 1.0-_",
        "00.a 0_1 1__0 02 1_0 11 _1",
        # A text that starts with digits has its place by their number.
        "1.9 1.9a 1.10 1.10a 1.10b 1.11 1.11a 1.a",
        "1.8 1.00009a 1.009a 1.9a 1.10",
        f"1.{10**39} 1.{10**40} 1.{10**87 - 1} 1.{10**87} 1.{10**88} 1.a",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("conan", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "equal",
    [
        "1.0 1.0.0 01 1.00 1.0.0.0 1.0_0",
        "0.0 00 0_0 0.0.0",
        "1.0-rc 1-rc 1.0.0-rc 1-rc.0 1-rc.-0",
        "1.0-0 1-0.0 1--0",
        "1+1 1.0+1.0 1.0+01",
        "1-10 1-1_0 1-010",
        "1--10 1--1_0 1--010 1--10.0",
    ],
)
def test_equal(read: Read, equal: str) -> None:
    """Of one place in the order, though each is a version of its own."""
    readings = read("conan", equal.split())
    assert None not in readings
    assert len({r and r.key for r in readings}) == 1
    assert [r and r.normal for r in readings] == equal.split()


def test_prereleases(read: Read) -> None:
    versions = {
        "1.0-rc": True,
        "1.0-": True,
        "1.0-a+b": True,
        "1.0-a+b+c": True,
        "1.0+a-b": False,
        "1.0rc1": False,
        "cci.20200203": False,
    }
    assert {r.version: r.prerelease for r in read("conan", list(versions)) if r} == versions


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("", "shorter than 2"),
        ("1", "shorter than 2"),
        ("1" * 102, "longer than 101"),
        ("1.0-RC1", "not in lower case"),
        *[(v, "not a Conan version") for v in [".1", "-1", "+1", "1 0", "1.0\n", "1.0é", "1:0"]],
        *[(v, "not a Conan version") for v in ["1~2", "[>1]", "1/2", "1@a", "1#a", "1%2", "1*"]],
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("conan", [version]) == [None]
    with pytest.raises(psycopg.Error, match=message):
        db.execute("select pkgdb.conan_normalize(%s)", [version])


def test_longest(read: Read) -> None:
    assert None not in read("conan", ["1" * 101, "a" * 101, "_" * 101, "1" + "." * 100, "1a"])


@pytest.mark.parametrize(
    ("low", "high"),
    [
        # 9 < 10 to both. With 10 < 1a and 1a < 9, as Conan has them, there is no order.
        ("1.9a", "1.10"),
        ("1.9a", "1.10a"),
        ("1.1a", "1.10"),
        ("1.2", "1.10a"),
        ("1.1", "1.01a"),
        ("1.0-2a", "1.0-10"),
    ],
)
def test_where_conan_has_no_order(read: Read, conan: Conan, low: str, high: str) -> None:
    """Numbers against texts that start with another number of digits: ours is by the number."""
    first, second = read("conan", [low, high])
    assert first is not None
    assert second is not None
    assert first.key < second.key
    assert conan.compare([(low, high)]) == [1]
    assert not SUBJECT.comparable(low, high)


def test_conan_goes_round(conan: Conan) -> None:
    assert conan.compare([("1.9", "1.10"), ("1.10", "1.1a"), ("1.1a", "1.9")]) == [-1, -1, -1]
