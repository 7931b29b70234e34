"""The pep440 scheme against `packaging`."""

import random
from itertools import pairwise

import pytest
from packaging.utils import canonicalize_version
from packaging.version import InvalidVersion, Version

from tests.versions import spellings
from tests.versions.conftest import Read


def parse(version: str) -> Version | None:
    """What the scheme must take: what `packaging` takes, of at most 255 ASCII characters."""
    try:
        return Version(version) if version.isascii() and len(version) <= 255 else None
    except InvalidVersion:
        return None


def corpus() -> list[str]:
    rng = random.Random(440)
    real = spellings.real("pypi")
    made = [spellings.pep440(rng) for _ in range(15_000)]
    return real + made + [spellings.damaged(rng, rng.choice(real + made)) for _ in range(15_000)]


def test_agrees_with_packaging(read: Read) -> None:
    versions = corpus()
    readings = read("pep440", versions)
    assert [
        v for v, r in zip(versions, readings, strict=True) if (r is None) != (not parse(v))
    ] == []

    accepted = [r for r in readings if r is not None]
    assert len(accepted) > 15_000
    assert [r for r in accepted if r.normal != canonicalize_version(r.version)] == []
    assert [r for r in accepted if r.prerelease != Version(r.version).is_prerelease] == []

    # Neighbours in our order: with the oracle's own order transitive, that is every pair.
    ordered = [(r, Version(r.version)) for r in sorted(accepted, key=lambda r: r.key)]
    for (low, low_version), (high, high_version) in pairwise(ordered):
        assert (low.key == high.key) == (low_version == high_version), (low, high)
        assert low_version <= high_version, (low, high)
        assert (low.key == high.key) == (low.normal == high.normal), (low, high)


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
