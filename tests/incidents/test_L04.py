"""NuGetGallery, deprecating: a change of state that forgets to recompute latest. Right: one way in
which every change ends, and every mutator tested."""

import pytest

from tests.incidents import mutators
from tests.incidents.mutators import LATEST, LEFT_PAD
from tests.incidents.support import World

# These number their events, wait for the row of the registration, and find the latest after that.
SETS = {"move_versions", "remove_versions"}
MOVERS = sorted(name for name, m in mutators.OF_PACKAGES.items() if m.latest != LATEST)


def test_every_mutator_is_here(world: World) -> None:
    assert mutators.public_mutators(world.db) == mutators.ALL.keys()


def alone(world: World, name: str) -> tuple[str, object, set[str]]:
    mutators.prepare(world)
    answer = world.session().do(mutators.ALL[name].call)
    return answer, world.latest(LEFT_PAD), world.violated()


def beside_a_publish(world: World, name: str) -> tuple[object, set[str]]:
    """A publish of the new maximum has not committed when the mutator starts."""
    mutators.prepare(world)
    world.race(LEFT_PAD("publish", "99.0.0"), mutators.OF_PACKAGES[name].call)
    return world.latest(LEFT_PAD), world.violated()


@pytest.mark.parametrize("name", mutators.OF_PACKAGES)
def test_holds(world: World, name: str) -> None:
    _, outcome, latest = mutators.OF_PACKAGES[name]
    assert alone(world, name) == (outcome, latest, set())


@pytest.mark.parametrize("name", mutators.OF_OTHERS)
def test_others_leave_it_right(world: World, name: str) -> None:
    mutators.prepare(world)
    call, outcome, _ = mutators.OF_OTHERS[name]
    assert (world.session().do(call), world.violated()) == (outcome, set())


@pytest.mark.parametrize("name", MOVERS)
def test_fails_without_latest_in_each_change(world: World, name: str) -> None:
    mutators.prepare(world)
    world.without("latest in each change").given(mutators.OF_PACKAGES[name].call)
    assert world.latest(LEFT_PAD) == LATEST
    assert world.violated() == {"latest is right"}


@pytest.mark.parametrize("name", mutators.OF_PACKAGES)
def test_holds_beside_a_publish(world: World, name: str) -> None:
    assert beside_a_publish(world, name) == (("99.0.0", "99.0.0"), set())


@pytest.mark.parametrize("name", sorted(mutators.OF_PACKAGES.keys() - SETS - {"repair_latest"}))
def test_fails_beside_a_publish_without_locks(world: World, name: str) -> None:
    latest, violated = beside_a_publish(world.without("locks"), name)
    assert latest != ("99.0.0", "99.0.0")
    assert "latest is right" in violated


@pytest.mark.parametrize("name", sorted(SETS))
def test_sets_fail_beside_a_publish_without_locks(world: World, name: str) -> None:
    _, violated = beside_a_publish(world.without("locks"), name)
    assert violated == {"feed"}
