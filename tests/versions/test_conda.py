"""What is peculiar to the conda scheme; test_oracles.py compares it with conda's VersionOrder."""

import random
import re
from itertools import pairwise
from pathlib import Path

import psycopg
import pytest

from tests.support import missing
from tests.versions import spellings
from tests.versions.conftest import Read, Reading
from tests.versions.subjects.conda import SUBJECT, Conda


@pytest.fixture
def conda(tmp_path: Path) -> Conda:
    return Conda(tmp_path)


@pytest.mark.parametrize(
    "ascending",
    [
        # As VersionOrder is documented.
        "0.4.1.rc 0.4.1 0.5a1 0.5b3 0.5C1 0.5 0.9.6 0.960923 1.0 1.1dev1 1.1_ 1.1a1 1.1.0dev1 "
        "1.1.a1 1.1.0rc1 1.1.0 1.1.0post1 1.1post1 1996.07.12 1!0.4.1 1!3.1.1.6 2!0.4.1",
        # The end is as if zeros went on, in a component as in a version.
        "1a 1.0a 1.0.0a 1.0.0.0a 1 1.0.0.0.1 1.0.0.1 1.0.1 1.1",
        "1.0dev 1.0_ 1.0a0b 1.0a0b0post 1.0a 1.0a0post 1.0a1 1.0 1.0.post 1.0post",
        "1.0.0.dev.1 1.0.0.dev1 1.0.0.1.dev 1.0.0.1",
        # Only a whole run is a word: "devs" and "po" are letters like any other.
        "1dev 1devs 1po 1pos 1posts 1 1post",
        # A trailing "_" belongs to the run of letters before it, which then is none of the words.
        "1dev 1a 1a_1 1a1 1a_ 1dev_ 1post_ 1z 1 1post",
        # The local part comes last, and a text in it is below none.
        "1+dev 1+a 1 1+0.1 1+post 1+1 1+1.post 1+1.1 1+1post 1.0.1+0 1.1",
        "1.2147483648 1.9223372036854775808 1.18446744073709551616 1.18446744073709551617",
        f"1.{10**87 - 1} 1.{10**87} 1.{10**240} 1.{10**240 + 1} {'9' * 249} 1!0",
    ],
)
def test_ascending(read: Read, ascending: str) -> None:
    keys = [r and r.key for r in read("conda", ascending.split())]
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    "equal",
    [
        "1 1.0 1.0.0 01 1_0 1.00 0!1 00!1.0 1+0 1.0+0.0",
        "1.1.0rc1 1.1.rc1 1_1_RC1 1.01.rc01 1.1.00rc1.0",
        "1.0post 1.0POST 1_0post0 1.0post.0",
        "0.0 0 0_0 0+0",
        "1a 1a0 1a.0 01a00",
        "1._ 1.0_",
        "1.0__ 1.0._",
        "_ 0_",
    ],
)
def test_equal(read: Read, equal: str) -> None:
    """One place, and as many versions as texts: a channel has a file for each."""
    readings = read("conda", equal.split())
    assert len({r and r.key for r in readings}) == 1
    assert [r and r.normal for r in readings] == equal.lower().split()


def test_case_is_no_identity(read: Read) -> None:
    upper, lower = read("conda", ["R15B01", "r15b01"])
    assert upper is not None
    assert lower is not None
    assert (upper.normal, upper.key) == (lower.normal, lower.key) == ("r15b01", lower.key)


@pytest.mark.parametrize(
    ("prerelease", "versions"),
    [
        (True, "1.0dev 1.0.dev1 1.0a1 1.0B2 1.0c1 1.0rc1 1.0_rc.1 2.0.0.alpha2 1.0beta 1.0.pre1"),
        (True, "1.0preview2 dev 1.0rc_ 4.9.0.dev post1dev2 1.0rc1+1"),
        (
            False,
            "1.0 1.1.1a 1.1.1w 9e 2024a 1.0post1 1.0_ 1.0+dev 2014.2_1 1.0.parallel 1.0.develop",
        ),
        (False, "1.0.prefix 1.0p1 1.0alphabet 1.0a"),
    ],
)
def test_prerelease(read: Read, prerelease: bool, versions: str) -> None:
    assert {r and r.prerelease for r in read("conda", versions.split())} == {prerelease}


NEITHER = ["", ".", "!", "+", "1.", ".1", "1..2", "1._1", "1_.1", "__", "1.__", "1!", "!1", "a!1"]
NEITHER += ["1!2!3", "1+", "+1", "1+2+3", "1+_", "1+a_", "1+_a", "1+a..b", "1" * 256, "9" * 251]


@pytest.mark.parametrize(
    ("version", "message"),
    [
        *[(version, "is not a conda version") for version in NEITHER],
        ("1.0-1", 'has a "-", which ends a version in a file name'),
        ("1.*", "has characters that conda does not know"),
        (" 1", "has characters that conda does not know"),
        ("1\n", "has characters that conda does not know"),
        ("1é", "has characters that conda does not know"),
        ("1\N{KELVIN SIGN}", "has characters that conda does not know"),
        ("\N{ARABIC-INDIC DIGIT ONE}", "has characters that conda does not know"),
    ],
)
def test_refused(db: psycopg.Connection, read: Read, version: str, message: str) -> None:
    assert read("conda", [version]) == [None]
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select pkgdb.conda_normalize(%s)", [version])
    assert (caught.value.diag.message_primary or "").endswith(message)


def test_number_limits(read: Read) -> None:
    for form in ["{}", "1.{}", "1!{}", "{}!1", "1+{}", "a{}"]:
        fits, exceeds = read("conda", [form.format("9" * 250), form.format("9" * 251)])
        assert fits is not None
        assert exceeds is None


class Rattler:
    """The other implementation, of mamba, pixi and rattler-build."""

    def __init__(self) -> None:
        try:
            from rattler import Version
            from rattler.exceptions import InvalidVersionError
        except ImportError:
            missing("py-rattler is not installed")
        self.version = Version
        self.error = InvalidVersionError

    def compare(self, low: str, high: str) -> int | None:
        try:
            one, two = self.version(low), self.version(high)
        except self.error:
            return None
        return (one > two) - (one < two)


@pytest.fixture
def rattler() -> Rattler:
    return Rattler()


def test_agrees_with_rattler(read: Read, rattler: Rattler) -> None:
    rng = random.Random(8)
    versions = spellings.real("conda") + [SUBJECT.make(rng) for _ in range(8_000)]
    accepted = [r for r in read("conda", versions) if r is not None and read_alike(r)]
    ordered = sorted(accepted, key=lambda r: r.key)
    assert len(ordered) > 8_000
    differing = [
        (low.version, high.version)
        for low, high in pairwise(ordered)
        if rattler.compare(low.version, high.version) != -(low.key < high.key)
    ]
    assert differing == []


def read_alike(reading: Reading) -> bool:
    """Whether rattler reads a version as conda does: below 2^64, and see the next test."""
    release = reading.normal.partition("+")[0]
    small = all(int(number) < 2**64 for number in re.findall("[0-9]+", reading.normal))
    return small and re.search("[a-z]_$|^([0-9]+!)?_$", release) is None


@pytest.mark.parametrize(
    ("low", "high", "theirs"),
    [
        # A "_" at the end is to rattler a run of its own, not the end of the letters before it.
        ("1a", "1a_", 1),
        ("1a1", "1a_", 1),
        ("1dev1", "1dev_", 1),
        ("1post_", "1", 1),
        # Nor can it be all that there is; and a number is at most 2^64 - 1.
        ("_", "0", None),
        ("1.18446744073709551616", "1.18446744073709551617", None),
    ],
)
def test_conda_is_followed_where_rattler_differs(
    read: Read, conda: Conda, rattler: Rattler, low: str, high: str, theirs: int | None
) -> None:
    one, two = read("conda", [low, high])
    assert one is not None
    assert two is not None
    assert one.key < two.key
    assert conda.compare([(low, high)]) == [-1]
    assert rattler.compare(low, high) == theirs


def test_rattler_takes_an_empty_end_of_a_local_part(read: Read, rattler: Rattler) -> None:
    assert rattler.compare("1+a_", "1+a_") == 0
    assert read("conda", ["1+a_"]) == [None]
