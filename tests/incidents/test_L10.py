"""crates.io and Pulp, set_byte: the number of digits is stored in one byte; at 256 digits it wraps
silently and the version sorts below 1.0.0. Right: RG400."""

import pytest

from tests.incidents.support import Package, World

NIGHTLY = Package("generic", "nightly")
LONGEST = 250  # digits that a number may have


def a_number_of(world: World, digits: int) -> tuple[str, object, set[str]]:
    world.repository()
    world.given(NIGHTLY("publish", "1.0.0"))
    answer = world.session().do(NIGHTLY("publish", "9" * digits))
    return answer, len(str(world.latest(NIGHTLY)[0])), world.violated()


@pytest.mark.parametrize("digits", [LONGEST + 1, 255, 256, 257, 512, 100_000])
def test_holds(world: World, digits: int) -> None:
    assert a_number_of(world, digits) == ("RG400", len("1.0.0"), set())


def test_fails_without_exact_numbers(world: World) -> None:
    world.without("exact numbers")
    assert a_number_of(world, 256) == ("created", len("1.0.0"), set())


@pytest.mark.parametrize("ecosystem", ["npm", "cargo", "pypi", "deb", "generic"])
def test_no_ecosystem_takes_it(world: World, ecosystem: str) -> None:
    world.repository()
    package = Package(ecosystem, "nightly")
    for version in ("9" * 256, "9" * 256 + ".0.0", "1.0." + "9" * 256):
        assert world.session().do(package("publish", version)) == "RG400"
    assert world.claims() == []


def test_the_longest_that_fits_is_in_its_place(world: World) -> None:
    world.repository()
    ascending = ["1.0.0"] + ["9" * digits for digits in (87, 88, 99, 100, LONGEST)]
    world.given(*(NIGHTLY("publish", version) for version in ascending[::-1]))
    listed = world.db.execute(
        "select version from pkgdb.versions('acme', 'main', 'generic', 'nightly')"
    )
    assert [version for (version,) in listed] == ascending[::-1]
    assert world.violated() == set()
