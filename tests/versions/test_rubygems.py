"""What is peculiar to the rubygems scheme; test_oracles.py compares it with Gem::Version."""

import subprocess
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.support import oracle
from tests.versions.conftest import Read
from tests.versions.subjects.gem import RubyGems


@pytest.fixture
def rubygems(tmp_path: Path) -> RubyGems:
    return RubyGems(tmp_path)


@pytest.mark.parametrize(
    "ascending",
    [
        "0.9 1.0.a.2 1.0.b1 1.0 1.0.1",
        # The end is endless zeros, and a text is below a number.
        "1.a 1.a.1 1 1.0.0.1.a 1.0.0.1 1.0.1.a 1.0.1 1.1.a 1.1 2.0.0.rc1 2",
        "0.a 0.0.a.1 0 0.0.0.1.a 0.0.0.1 0.0.1 0.1",
        "1.a.a 1.a.b 1.a0.a 1.a0.b 1.a 1.a0.0.1a 1.a0.0.1 1.a.0.1 1.a1a 1.a1 1.a2 1.a10 1.aa",
        "1.A 1.Z 1.Za 1.a 1.aZ 1.b 1.beta 1.rc",
        "1.0.0.alpha 1.0.0.alpha1 1.0.0.beta 1.0.0.beta9 1.0.0.beta10 1.0.0.pre 1.0.0.rc1 1.0.0",
        "5.0.0.beta 5.x 5.0.0",
        "3.0.pre.rc1 3.0.pre 3.0.pre1 3.0",
        "1.9223372036854775807 1.9223372036854775808 1.18446744073709551616 1.18446744073709551617",
        f"1.{10**87 - 1} 1.{10**87} 1.{10**240} 1.{10**240 + 1}",
    ],
)
def test_ascending(read: Read, rubygems: RubyGems, ascending: str) -> None:
    versions = ascending.split()
    keys = [r and r.key for r in read("rubygems", versions)]
    assert keys == sorted(set(keys))
    assert set(rubygems.compare(list(pairwise(versions)))) == {-1}


@pytest.mark.parametrize(
    ("normal", "versions"),
    [
        ("0", "0 0.0 00 0.0.0.00"),
        ("1", "1 1.0 1.0.0 01 001.00"),
        ("1.0.1", "1.0.1 1.00.01.0 1.0.1.0.0"),
        ("10.20", "10.20 10.20.0 010.020"),
        ("1.a", "1.a 1.0.a 1.0.0.a 1.a.0 1.00a 1.0.0a0.0"),
        ("1.a1", "1.a1 1.a.1 1.0a.01 1.0.0.a.1.0"),
        ("1.2rc1", "1.2.rc1 1.2.0.rc.1 1.2rc1 1.2.00rc01"),
        ("1.a.b2c", "1.a.b.2.c 1.0a.b2c"),
        ("0.a", "0.a 0.0.a 0.0a0"),
        ("0.1a", "0.1.a 0.1.0.a 0.1.0a.0"),
        ("1.a0b", "1.0.a.0.b 1.0a0b 1.0.0.a0.b"),
        ("1.0a1.0b", "1.0.a.1.0.b 1.0a.1.0b"),
        ("1.2.0a0.0b", "1.2.0.a.0.0.b 1.2.0a0.0b.0"),
        ("0.a1.0b", "0.a.1.0.b 0.0a1.0b"),
    ],
)
def test_equal(read: Read, rubygems: RubyGems, normal: str, versions: str) -> None:
    spelled = [normal, *versions.split()]
    readings = read("rubygems", spelled)
    assert {r and r.normal for r in readings} == {normal}
    assert len({r and r.key for r in readings}) == 1
    assert set(rubygems.compare(list(pairwise(spelled)))) == {0}


def test_zeros_before_a_later_text(read: Read, rubygems: RubyGems) -> None:
    """RubyGems since 3.5 and before it: which of two others is one with a version."""
    version, now, before = ["1.a.0.b", "1.a.b", "1.0.a.0.b"]
    keys = [r and r.key for r in read("rubygems", [version, now, before])]
    assert keys[0] == keys[1] != keys[2]

    script = "puts ARGV.map { |text| Gem::Version.new(text) == Gem::Version.new('1.a.0.b') }"
    command = [oracle("ruby"), "-e", script, now, before]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    amended = rubygems.name.endswith("with the zeros of 3.5")
    assert done.stdout.split() == (["false", "true"] if amended else ["true", "false"])


def test_case_counts(read: Read) -> None:
    """It has its place in the order, so that it is no mere spelling, though RubyGems' registry
    refuses what differs in case alone from another version."""
    upper, lower = read("rubygems", ["1.0.RC1", "1.0.rc1"])
    assert upper is not None
    assert lower is not None
    assert (upper.normal, lower.normal) == ("1.RC1", "1.rc1")
    assert upper.key < lower.key


def test_prerelease(read: Read) -> None:
    for prerelease, versions in {
        True: "1.0.a 1.0.0.rc1 1a.0 0.0.0.pre 1.0.x 2.0.0.X 1.2.3b",
        False: "1 1.0 0 0.0.1 20240101",
    }.items():
        found = [r.prerelease for r in read("rubygems", versions.split()) if r is not None]
        assert set(found) == {prerelease}


NEITHER = [
    "",
    "a",
    "a.1",
    "v1",
    "1.",
    ".1",
    "1..2",
    "1a",
    "1a.2",
    "1_0",
    "1.0_1",
    "1 0",
    " 1",
    "1 ",
]
NEITHER += ["1\n", "1.é", "1+a", "1.0+1", "1~a", "1:2", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 251]
FILES = ["1.gem", "0.gem", "1.0.gem.0", "1.0gem", "1.2gem", "1.a.GemSpec", "1.json", "1.html0"]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not a RubyGems version") for version in [*NEITHER, "1" * 256]],
        *[(version, "has a dash") for version in ["1-1", "1.0-rc1", "-1", "1.0-"]],
        *[(version, "ends like a file name") for version in FILES],
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("rubygems", [version]) == [None]
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select pkgdb.rubygems_normalize(%s)", [version])
    assert message in (caught.value.diag.message_primary or "")


def test_what_only_resembles_a_file_name(read: Read) -> None:
    assert None not in read("rubygems", ["1.gems", "1.gem.1", "1.agem", "1.gem.a", "1.spec"])
    # Its canonical number "gem" has no dot, so RubyGems' registry takes this, and not 0.gem.
    assert read("rubygems", ["0.0gem"]) == [None]


def test_number_limits(read: Read) -> None:
    for form in ["{}", "1.{}", "1.a{}", "1.{}a"]:
        fits, exceeds = read("rubygems", [form.format("9" * 250), form.format("9" * 251)])
        assert fits is not None
        assert exceeds is None


def test_a_normal_form_is_never_longer(read: Read) -> None:
    for version in [
        "1." + "1a" * 126,
        "1." + "a1" * 126,
        "1.0a1" + ".0a1" * 62,
        "0.a1" + ".0a" * 83,
    ]:
        [reading] = read("rubygems", [version])
        assert reading is not None
        assert len(reading.normal) <= len(version)
        assert read("rubygems", [reading.normal]) == [
            type(reading)(reading.normal, reading.key, reading.normal, True)
        ]
