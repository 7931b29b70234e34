"""What is peculiar to the helm scheme; test_oracles.py compares it with Masterminds/semver."""

from pathlib import Path

import psycopg
import pytest

from tests.versions.conftest import Read
from tests.versions.subjects.helm import Masterminds


@pytest.mark.parametrize(
    "ascending",
    [
        "0-0 0-1 0-10 0-A 0-a 0-a.1 0-a.b 0 0.0.1-rc.1 0.0.1 v0.1 0.2.00 1-a 1 1.1 1.1.1 2 10",
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 v1",
        # Helm's charts of Rancher: what is after the plus is no part of the order.
        "1.1.001-rc00 1.1.001-rc01 1.1.001 1.1.100-rc01 1.1.100+up1.1.1 101.0.0-rc.1+up2 101.0.0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("helm", ascending.split())]
    assert None not in keys
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("normal", "spellings"),
    [
        ("1.2.0", "1.2 v1.2 1.2.0 v1.2.0 01.2 1.02.00 v001.2 1.2+build 1.2.0+b.01 v1.2+a-b"),
        ("0.0.0", "0 00 v0 0.0 0.00.000 0+0"),
        ("1.0.0-rc.1", "1-rc.1 v1-rc.1 1.0-rc.1+b 01.0.0-rc.1+a-b.c"),
        ("1.0.0--", "1-- 1.0--"),
        ("1.1.1-rc00", "1.1.001-rc00"),
        ("18446744073709551615.0.0", "18446744073709551615 000018446744073709551615.0"),
    ],
)
def test_equal(read: Read, normal: str, spellings: str) -> None:
    readings = read("helm", [normal, *spellings.split()])
    assert {r and r.normal for r in readings} == {normal}
    assert len({r and r.key for r in readings}) == 1


@pytest.mark.parametrize(
    ("prerelease", "versions"),
    [(True, "1-a v1.2-0 1.0.0-rc.1+build 0-0"), (False, "1 v1.2 1.0.0+a-b 1+0-0")],
)
def test_prerelease(read: Read, prerelease: bool, versions: str) -> None:
    assert {r and r.prerelease for r in read("helm", versions.split())} == {prerelease}


NEITHER = ["", "v", "V1", "vv1", "v.1", "=1", "1.", "1..2", ".1", "1.2.3.4", "1.2.x", "latest"]
NEITHER += ["1.0.0-01", "1-", "1-a..b", "1-a_b", "1+", "1+a+b", "1+a_b", " 1", "1 ", "1\n", "1-é"]
NEITHER += ["0x1", "1e2", "-1", "+1", "1.-1", "\N{ARABIC-INDIC DIGIT ONE}"]
NEITHER += ["0" * 256, "1.0.0-" + "a" * 250, "1-" + "a" * 250]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not SemVer") for version in NEITHER],
        ("18446744073709551616", "has a number above 18446744073709551615"),
        ("v1.99999999999999999999", "has a number above 18446744073709551615"),
        ("0.0.018446744073709551616-a+b", "has a number above 18446744073709551615"),
        ("1." + "9" * 253, "is not SemVer"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("helm", [version]) == [None]
    for function in ["normalize", "key"]:
        with pytest.raises(psycopg.Error) as caught:
            db.execute(f"select pkgdb.helm_{function}(%s)", [version])
        assert (caught.value.diag.message_primary or "").endswith(message)


def test_limits(read: Read) -> None:
    for form in ["{}", "0.{}", "v0.0.{}", "{0}.{0}.{0}", "{0}.{0}.{0}-a", "00{}"]:
        fits, exceeds = read("helm", [form.format(2**64 - 1), form.format(2**64)])
        assert fits is not None
        assert exceeds is None
    # 255 characters where the version is spelt out, too.
    fits, exceeds = read("helm", ["1-" + "a" * 249, "1-" + "a" * 250])
    assert fits is not None
    assert fits.normal == "1.0.0-" + "a" * 249
    assert exceeds is None
    assert None not in read("helm", ["0" * 255, "v" + "0" * 254, "1.0.0-" + "9" * 249])


def test_larger_numbers_are_texts_in_a_prerelease(read: Read, tmp_path: Path) -> None:
    """To Masterminds/semver, and so here: above all numbers, byte by byte."""
    ascending = [
        *["1.0.0-18446744073709551615", "1.0.0--1", f"1.0.0-1{'0' * 20}"],
        *["1.0.0-18446744073709551616", "1.0.0-18446744073709551616a", f"1.0.0-{'9' * 20}"],
        "1.0.0-a",
    ]
    keys = [r and r.key for r in read("helm", ascending)]
    assert None not in keys
    assert keys == sorted(set(keys))
    pairs = [(low, high) for at, low in enumerate(ascending) for high in ascending[at + 1 :]]
    assert set(Masterminds(tmp_path).compare(pairs)) == {-1}
