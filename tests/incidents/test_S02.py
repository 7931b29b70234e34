"""aptly: a repository, snapshot or mirror that is created twice under one name. Right: names are
unique by index; one of two creators is told that the name is taken."""

from itertools import combinations_with_replacement

import pytest

from tests.incidents.curation import fill, freeze, merge, pull, select, snapshots
from tests.incidents.support import Call, Race, World, call

EMPTY = freeze("new", None)
CURL = {"ecosystem": "deb", "name": "curl", "version": "1", "variant": "all"}
WAYS = {
    "of a repository": freeze("new"),
    "of a list": freeze("new", p_items=[CURL]),
    "empty": EMPTY,
    "merge": merge("new", "left", "right"),
    "pull": pull("new", "left", "right"),
    "filter": select("new", "left"),
}


def furnished(world: World) -> World:
    fill(world, "main", "curl")
    world.given(freeze("left"), freeze("right"))
    return world


@pytest.mark.parametrize(("first", "second"), [*combinations_with_replacement(WAYS, 2)])
def test_snapshot(world: World, first: str, second: str) -> None:
    """Two that freeze one repository wait for each other there."""
    race = furnished(world).race(WAYS[first], WAYS[second])
    one_by_one = "of a" in first and "of a" in second
    assert race == Race("created", "lock" if one_by_one else "row", "RG409")
    assert snapshots(world) == ["left", "new", "right"]
    assert world.violated() == set()


def test_holds_without_locks(world: World) -> None:
    furnished(world).without("locks")
    race = world.race(WAYS["of a repository"], WAYS["of a repository"])
    assert race == Race("created", "row", "RG409")
    assert snapshots(world) == ["left", "new", "right"]


@pytest.mark.parametrize("way", ["empty", "merge", "pull", "filter"])
def test_fails_without_snapshot_names(world: World, way: str) -> None:
    race = furnished(world).without("snapshot names").race(EMPTY, WAYS[way])
    assert race == Race("created", "nothing", "created")
    assert snapshots(world) == ["left", "new", "new", "right"]
    assert world.violated() == {"unique names"}


def repositories(world: World) -> list[tuple[str, str]]:
    return world.db.execute("select repository, kind from pkgdb.repositories order by 1").fetchall()


HOSTED = call("create_repository", "acme", "new")
MIRROR = call("create_repository", "acme", "new", "mirror")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (HOSTED, HOSTED, "unchanged"),
        (MIRROR, MIRROR, "unchanged"),
        (HOSTED, MIRROR, "RG409"),
        (MIRROR, HOSTED, "RG409"),
    ],
    ids=["hosted", "mirror", "hosted, mirror", "mirror, hosted"],
)
def test_repository(world: World, first: Call, second: Call, told: str) -> None:
    """The same again is a success that changes nothing."""
    world.repository("other")
    assert world.race(first, second) == Race("created", "row", told)
    kind = "hosted" if first == HOSTED else "mirror"
    assert repositories(world) == [("new", kind), ("other", "hosted")]
    assert world.violated() == set()


def test_fails_without_repository_index(world: World) -> None:
    world.without("repository index").repository("other")
    assert world.race(HOSTED, MIRROR) == Race("created", "nothing", "created")
    assert repositories(world) == [("new", "hosted"), ("new", "mirror"), ("other", "hosted")]
