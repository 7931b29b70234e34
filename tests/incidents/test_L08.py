"""Any registry, under REPEATABLE READ or SERIALIZABLE: the transaction's snapshot is older than the
lock that it waited for, so it decides by what was true before. Right: refused with RG405."""

import pytest

from tests.incidents import mutators
from tests.incidents.support import Package, World

LEFT_PAD = Package("npm", "left-pad")
LEVELS = ("repeatable read", "serializable")


def decision_on_an_old_snapshot(world: World, level: str) -> tuple[str, list[str], set[str]]:
    """1.0.0 is deleted after the snapshot; is it still there to the one who publishes it again?"""
    world.repository(reuse="always")
    world.given(LEFT_PAD("publish", "1.0.0"))
    session = world.session()
    session.begin(level)
    session.connection.execute("select count(*) from pkgdb.package_versions")
    world.given(LEFT_PAD("delete_version", "1.0.0"))
    answer = session.do(LEFT_PAD("publish", "1.0.0"))
    session.commit()
    return answer, world.live(LEFT_PAD), world.violated()


@pytest.mark.parametrize("level", LEVELS)
def test_holds(world: World, level: str) -> None:
    assert decision_on_an_old_snapshot(world, level) == ("RG405", [], set())


@pytest.mark.parametrize("level", LEVELS)
def test_fails_without_isolation_check(world: World, level: str) -> None:
    """It says that the version is there, and it is not."""
    world.without("isolation check")
    assert decision_on_an_old_snapshot(world, level) == ("unchanged", [], set())


@pytest.mark.parametrize("level", LEVELS)
def test_no_function_changes_anything(world: World, level: str) -> None:
    mutators.prepare(world)
    before = world.rows(LEFT_PAD), world.latest(LEFT_PAD), world.claims()
    session = world.session()
    answers = {}
    for name, mutator in mutators.ALL.items():
        session.begin(level)
        answers[name] = session.do(mutator.call)
        session.commit()
    assert answers == dict.fromkeys(mutators.ALL, "RG405")
    assert (world.rows(LEFT_PAD), world.latest(LEFT_PAD), world.claims()) == before
