"""crates.io, reserved names: two triggers, each of which looks whether the other table has the
name: write skew, and both commit. Right: one claim in one unique index, whether a name is reserved
or used."""

import pytest

from tests.incidents.support import Call, Package, Race, World

NUL = Package("cargo", "nul")
RESERVE, PUSH = NUL("reserve_name"), NUL("publish", "1.0.0")


def both(world: World, first: Call, second: Call) -> tuple[Race, int, set[str]]:
    world.repository()
    return world.race(first, second), len(world.claims()), world.violated()


@pytest.mark.parametrize(
    ("first", "second", "race"),
    [
        (RESERVE, PUSH, Race("reserved", "lock", "RG403")),
        (PUSH, RESERVE, Race("created", "lock", "RG409")),
        (RESERVE, RESERVE, Race("reserved", "lock", "unchanged")),
    ],
)
def test_holds(world: World, first: Call, second: Call, race: Race) -> None:
    assert both(world, first, second) == (race, 1, set())


ORDERS = pytest.mark.parametrize(("first", "second"), [(RESERVE, PUSH), (PUSH, RESERVE)])


@ORDERS
def test_the_index_is_the_backstop(world: World, first: Call, second: Call) -> None:
    race, claims, violated = both(world.without("registration lock"), first, second)
    assert (race.waited, race.second) == ("row", "RG409")
    assert claims == 1
    assert not violated


@ORDERS
def test_fails_without_either(world: World, first: Call, second: Call) -> None:
    """Write skew: the name is reserved and in use."""
    race, claims, violated = both(world.without("registration lock", "name index"), first, second)
    assert {race.first, race.second} == {"created", "reserved"}
    assert claims == 2
    assert "one live version" in violated


def test_spellings_of_a_reserved_name_are_reserved(world: World) -> None:
    world.repository()
    world.given(Package("cargo", "com-1")("reserve_name"))
    for name in ("com-1", "com_1", "COM_1"):
        assert world.session().do(Package("cargo", name)("publish", "1.0.0")) == "RG403"
    world.given(Package("cargo", "Com_1")("release_name"))
    assert world.session().do(Package("cargo", "com_1")("publish", "1.0.0")) == "created"
    assert world.violated() == set()
