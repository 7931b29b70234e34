"""aptly, rename: two renames to one name both succeed, and one to a name that is taken. Right:
exactly one wins; to its own name is a success that changes nothing."""

import pytest

from tests.incidents.curation import drop, freeze, rename, snapshots
from tests.incidents.support import Call, Race, World, call


def named(world: World, *snapshots: str) -> World:
    world.repository()
    world.given(*(freeze(snapshot, None) for snapshot in snapshots))
    return world


def test_to_a_name_that_is_taken(world: World) -> None:
    session = named(world, "a", "b").session()
    assert [session.do(rename("a", "b")), session.do(rename("b", "a"))] == ["RG409", "RG409"]
    assert session.do(rename("a", "a")) == "unchanged"
    assert session.do(rename("c", "c")) == "RG404"
    assert snapshots(world) == ["a", "b"]
    revisions = world.db.execute("select revision from pkgdb.snapshots").fetchall()
    assert revisions == [(1,), (1,)]
    assert world.violated() == set()


def two_to_one_name(world: World) -> tuple[Race, list[str]]:
    named(world, "a", "b")
    return world.race(rename("a", "c"), rename("b", "c")), snapshots(world)


def test_two_to_one_name(world: World) -> None:
    assert two_to_one_name(world) == (Race("renamed", "row", "RG409"), ["b", "c"])
    assert world.violated() == set()


def test_fails_without_snapshot_names(world: World) -> None:
    seen = two_to_one_name(world.without("snapshot names"))
    assert seen == (Race("renamed", "nothing", "renamed"), ["c", "c"])
    assert world.violated() == {"unique names"}


def two_of_one(world: World) -> tuple[Race, list[str]]:
    named(world, "a")
    return world.race(rename("a", "b"), rename("a", "c")), snapshots(world)


def test_two_of_one(world: World) -> None:
    """The second finds nothing of that name any longer."""
    assert two_of_one(world) == (Race("renamed", "lock", "RG404"), ["b"])
    assert world.violated() == set()


def test_fails_without_snapshot_lock(world: World) -> None:
    """The first has been told that it is called b, and is not."""
    seen = two_of_one(world.without("snapshot lock"))
    assert seen == (Race("renamed", "row", "renamed"), ["c"])


def test_fails_without_second_look_at_names(world: World) -> None:
    seen = two_of_one(world.without("second look at snapshots"))
    assert seen == (Race("renamed", "lock", "renamed"), ["c"])


@pytest.mark.parametrize(
    ("first", "freed"), [(rename("b", "c"), "renamed"), (drop("b"), "dropped")]
)
def test_a_name_that_becomes_free(world: World, first: Call, freed: str) -> None:
    named(world, "a", "b")
    assert world.race(first, rename("a", "b")) == Race(freed, "row", "renamed")
    assert world.violated() == set()


def test_a_round(world: World) -> None:
    """Three names given on in one transaction, while somebody takes one of them."""
    session, other = named(world, "a", "b").session(), world.session()
    session.begin()
    steps = [rename("a", "x"), rename("b", "a"), rename("x", "b")]
    assert [session.do(step) for step in steps] == ["renamed"] * 3
    other.start(freeze("x", None))
    assert other.settle() == "row"
    session.commit()
    assert other.answer() == "created"
    assert snapshots(world) == ["a", "b", "x"]
    assert world.violated() == set()


A_TO_C = call("rename_repository", "acme", "a", "c")
B_TO_C = call("rename_repository", "acme", "b", "c")


def two_repositories(world: World) -> tuple[Race, list[tuple[str]]]:
    world.repository("a")
    world.repository("b", "mirror")
    race = world.race(A_TO_C, B_TO_C)
    names = world.db.execute("select repository from pkgdb.repositories order by 1").fetchall()
    return race, names


def test_two_repositories_to_one_name(world: World) -> None:
    assert two_repositories(world) == (Race("renamed", "row", "RG409"), [("b",), ("c",)])
    own = call("rename_repository", "acme", "b", "b")
    assert world.session().do(own) == "unchanged"
    assert world.violated() == set()


def test_repositories_fail_without_repository_index(world: World) -> None:
    seen = two_repositories(world.without("repository index"))
    assert seen == (Race("renamed", "nothing", "renamed"), [("c",), ("c",)])
