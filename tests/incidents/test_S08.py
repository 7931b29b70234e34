"""aptly 1.6.3: a pull loses the packages of its target (1 instead of 6). Right: the target and what
was pulled."""

import pytest

from tests.incidents.curation import digest, fill, freeze, in_snapshot, pull
from tests.incidents.support import World

TARGET = ["apt 1", "bash 1", "curl 1", "dash 1", "nano 1"]


def pulled(world: World, *queries: str, **flags: object) -> list[str]:
    """One package that the target lacks, and one of which it has an older version."""
    fill(world, "main", "apt", "bash", "curl", "dash", "nano")
    fill(world, "new", "vim 2", "curl 2", "wget 2")
    world.given(freeze("target"), freeze("source", "new"))
    frozen = digest(world, "target")
    world.given(pull("result", "target", "source", *queries, **flags))
    assert in_snapshot(world, "target") == TARGET
    assert digest(world, "target") == frozen
    return in_snapshot(world, "result")


def test_holds(world: World) -> None:
    assert pulled(world, "vim") == [*TARGET, "vim 2"]
    assert world.violated() == set()


def test_fails_without_the_target(world: World) -> None:
    assert pulled(world.without("target of a pull"), "vim") == ["vim 2"]


@pytest.mark.parametrize("flags", [{}, {"p_follow": False}, {"p_all_matches": True}])
def test_an_older_version_is_replaced(world: World, flags: dict[str, object]) -> None:
    kept = [each for each in TARGET if each != "curl 1"]
    assert pulled(world, "vim", "curl", **flags) == sorted([*kept, "curl 2", "vim 2"])
    assert world.violated() == set()


def test_or_kept_when_asked_to(world: World) -> None:
    assert pulled(world, "curl", p_no_remove=True) == sorted([*TARGET, "curl 2"])


def test_nothing_matches(world: World) -> None:
    assert pulled(world, "emacs") == TARGET
    assert world.violated() == set()
