"""What is peculiar to the debian scheme; test_oracles.py compares it with libdpkg."""

import random
import subprocess
from itertools import pairwise

import psycopg
import pytest

from tests.support import oracle
from tests.versions import spellings
from tests.versions.conftest import Read
from tests.versions.subjects.deb import SUBJECT


def dpkg(*arguments: str) -> bool:
    command = [oracle("dpkg"), *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_agrees_with_the_command(read: Read) -> None:
    """dpkg itself says what its library says."""
    rng = random.Random(3)
    versions = rng.sample(spellings.real("deb"), 50) + [SUBJECT.make(rng) for _ in range(100)]
    versions += [SUBJECT.respell(rng, version) for version in versions]
    accepted = [r for r in read("debian", versions) if r is not None]
    assert len(accepted) > 200
    for low, high in pairwise(sorted(accepted, key=lambda r: r.key)):
        relation = "eq" if low.key == high.key else "lt"
        assert dpkg("--compare-versions", low.version, relation, high.version), (low, high)


@pytest.mark.parametrize(
    "ascending",
    [
        "1.0~~ 1.0~~a 1.0~ 1.0 1.0a 1.0z 1.0+ 1.0. 1.0.1",
        "1.0~rc1 1.0 1.0-1 1.0A 1.0Z 1.0a 1.0+1",
        "1.2A 1.2a",
        "1a 1.0",
        "0.1 2:1.0 10:0.1 2147483647:0",
        "1.0-1-1 1.0-1-2 1.0-2-1",
        "1:1 1:1-1-1 1:1.0 1:1:0",
        "1-a 1.0-a",
        "1-~ 1 1-a 1-+ 1-.",
        "1.9223372036854775807 1.9223372036854775808 1.18446744073709551616 1.18446744073709551617",
        f"1.{10**87 - 1} 1.{10**87} 1.{10**240} 1.{10**240 + 1}",
        "1.0-1~bpo1 1.0-1 1.0-1+b1 1.0-1.1",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("debian", ascending.split())]
    assert keys == sorted(set(keys))


def test_equal_keys_of_different_texts(read: Read) -> None:
    readings = read("debian", ["1.0", "1.0-0", "0:1.0", "00:01.00-00", "1.0-"])
    assert readings.pop() is None
    assert len({r and r.key for r in readings}) == 1
    assert len({r and r.normal for r in readings}) == 4


def test_nothing_is_a_prerelease(read: Read) -> None:
    readings = read("debian", ["1.0", "1.0~rc1-1", "1.0~alpha~bpo12+1", "0~20240101"])
    assert [r and r.prerelease for r in readings] == [False] * 4


NEITHER = ["", "a1", "1_0", "1-", "1:", ":1", "1:a", "1.0:2", "1:2-3:4", "-1:1", "1 0", "1\n"]
NEITHER += ["1é", "1-é", "\N{ARABIC-INDIC DIGIT ONE}"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not a Debian version") for version in NEITHER],
        *[(version, "is not a Debian version") for version in ["9" * 251, "1" * 256]],
        ("2147483648:1", "has an epoch above 2147483647"),
        ("99999999999:1", "has an epoch above 2147483647"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("debian", [version]) == [None]
    assert not dpkg("--validate-version", version) or len(version) > 250
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select pkgdb.debian_normalize(%s)", [version])
    assert message in (caught.value.diag.message_primary or "")


@pytest.mark.parametrize("version", ["+1:1", " 1", "1 ", "\t1"])
def test_refused_where_dpkg_is_lenient(read: Read, version: str) -> None:
    """It trims white space, and reads an epoch as C reads a number; neither is Debian Policy."""
    assert read("debian", [version]) == [None]
    assert dpkg("--validate-version", version)


def test_number_limits(read: Read) -> None:
    for form in ["{}", "1.{}", "1-{}", "1~{}", "{}-1"]:
        fits, exceeds = read("debian", [form.format("9" * 250), form.format("9" * 251)])
        assert fits is not None
        assert exceeds is None
    fits, exceeds = read("debian", [f"{'0' * 240}2147483647:1", f"{'0' * 240}2147483648:1"])
    assert fits is not None
    assert exceeds is None
