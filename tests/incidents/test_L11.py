"""aptly 1.6.3 #1509: a Debian revision begins at the first hyphen, and numbers of more than 64 bits
compare as equal. Right: exactly what dpkg says."""

import subprocess

import pytest

from tests.incidents.support import Package, World
from tests.support import oracle

# The lower one and the higher one.
HYPHENS = [("1+1-1", "1-1-1"), ("2.0+ds-1-1", "2.0-rc-1-1"), ("1-1-1", "1.1-1")]
NUMBERS = [
    ("1.18446744073709551615-1", "1.18446744073709551616-1"),
    ("20240101000000000000-1", "20240101000000000001-1"),
    ("1-99999999999999999998", "1-99999999999999999999"),
]
PAIRS = HYPHENS + NUMBERS


@pytest.mark.parametrize(("lower", "higher"), PAIRS)
def test_dpkg_says_so(lower: str, higher: str) -> None:
    subprocess.run([oracle("dpkg"), "--compare-versions", lower, "lt", higher], check=True)


def wrong(world: World) -> list[tuple[str, str]]:
    """Which pairs, published in either order, come out with another latest than the higher one."""
    world.repository()
    found = []
    for number, (lower, higher) in enumerate(PAIRS):
        latest = set()
        for order in (lower, higher), (higher, lower):
            package = Package("deb", f"bash-{number}-{order.index(higher)}")
            world.given(*(package("publish", version) for version in order))
            latest.add(world.latest(package)[0])
        if latest != {higher}:
            found.append((lower, higher))
    return found


def test_holds(world: World) -> None:
    assert wrong(world) == []
    assert world.violated() == set()


@pytest.mark.parametrize(
    ("protection", "pairs"), [("last hyphen", HYPHENS[:2]), ("numbers of any size", NUMBERS)]
)
def test_fails_without(world: World, protection: str, pairs: list[tuple[str, str]]) -> None:
    assert wrong(world.without(protection)) == pairs
