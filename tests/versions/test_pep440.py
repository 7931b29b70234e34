"""The pep440 scheme beside its oracle: spellings, refusals, the specification's own order."""

import pytest
from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version

from tests.versions.conftest import Read


@pytest.mark.parametrize(
    ("version", "normal"),
    [
        ("1.0", "1"),
        ("1.0.0", "1"),
        ("0.0", "0"),
        ("00.010", "0.10"),
        ("v1.0-Alpha_01", "1a1"),
        ("1.0a--1", "1a0.post1"),
        ("1.0-1", "1.post1"),
        ("1.0apost", "1a0.post0"),
        ("1.0.rev-7_dev", "1.post7.dev0"),
        ("0!1.0", "1"),
        ("02!1", "2!1"),
        ("1.0+Ubuntu-01_0a.00", "1+ubuntu.1.0a.0"),
        ("\t 1.0\n", "1"),
    ],
)
def test_canonical_spelling(read: Read, version: str, normal: str) -> None:
    [reading] = read("pep440", [version])
    assert reading is not None
    assert reading.normal == normal == canonicalize_version(version)


def test_order_of_the_specification(read: Read) -> None:
    ascending = """
        1.dev0 1.0.dev456 1.0a1 1.0a2.dev456 1.0a12.dev456 1.0a12 1.0b1.dev456 1.0b2
        1.0b2.post345.dev456 1.0b2.post345 1.0rc1.dev456 1.0rc1 1.0 1.0+abc.5 1.0+abc.7 1.0+5
        1.0.post456.dev34 1.0.post456 1.0.15 1.1.dev1 1!0.1
    """.split()  # noqa: SIM905
    keys = [r and r.key for r in read("pep440", ascending)]
    assert keys == sorted(set(keys))


REFUSED = ["", "1.0 .1", "1.0 a1"]
REFUSED += """
    2004d a1 .1 1. 1..0 1.0- 1.0_ 1.0* 1.0.x vv1.0 =1.0 1! !1.0 1!2!3 1.0a1b1 1.0.post1a1
    1.0.dev1.post1 1.0-1-1 1.0+ 1.0+_ 1.0+a..b 1.0+a+b
""".split()  # noqa: SIM905


@pytest.mark.parametrize("version", REFUSED)
def test_refused(read: Read, version: str) -> None:
    with pytest.raises(InvalidVersion):
        Version(version)
    assert read("pep440", [version]) == [None]


@pytest.mark.parametrize("version", ["1.\N{ARABIC-INDIC DIGIT THREE}", "1.0\xa0", "1.0po\u017ft1"])
def test_only_ascii_is_taken(read: Read, version: str) -> None:
    assert read("pep440", [version]) == [None]
