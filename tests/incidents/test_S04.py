"""aptly, drop: a mirror or a snapshot is dropped while a snapshot or a published list is being made
from it. Right: the drop is refused, or the other fails; nothing refers to what is gone."""

import pytest

from tests.incidents.curation import (
    drop,
    fill,
    freeze,
    item,
    merge,
    mirror,
    pull,
    select,
    serve,
    switch,
)
from tests.incidents.support import Call, Race, World, call

DROP = drop("tested")
USES = {
    "merge": (merge("new", "tested", "other"), "created"),
    "pull target": (pull("new", "tested", "other"), "created"),
    "pull source": (pull("new", "other", "tested"), "created"),
    "filter": (select("new", "tested"), "created"),
    "serve": (serve(main="tested"), "created"),
    "switch": (switch("testing", main="tested"), "switched"),
}


def furnished(world: World) -> World:
    fill(world, "main", "curl", "wget")
    world.given(freeze("tested"), freeze("other"), serve("testing", main="other"))
    return world


@pytest.mark.parametrize("use", USES)
def test_a_snapshot_in_use(world: World, use: str) -> None:
    using, told = USES[use]
    assert furnished(world).race(using, DROP) == Race(told, "lock", "RG423")
    assert world.violated() == set()


@pytest.mark.parametrize("use", USES)
def test_a_snapshot_that_goes(world: World, use: str) -> None:
    using, _ = USES[use]
    assert furnished(world).race(DROP, using) == Race("dropped", "lock", "RG404")
    assert world.violated() == set()


@pytest.mark.parametrize("use", USES)
def test_the_foreign_key_is_the_backstop(world: World, use: str) -> None:
    """Without the lock one of them gets an internal error, and nothing dangles."""
    using, told = USES[use]
    furnished(world).without("snapshot lock")
    assert world.race(using, DROP) == Race(told, "row", "23503")
    assert world.violated() == set()


@pytest.mark.parametrize("use", USES)
def test_a_snapshot_in_use_fails_without_either(world: World, use: str) -> None:
    using, told = USES[use]
    furnished(world).without("snapshot lock", "snapshot references")
    assert world.race(using, DROP) == Race(told, "nothing", "dropped")
    dangling = {"serve": "served content", "switch": "served content"}.get(use, "references")
    assert world.violated() == {dangling}


def test_what_is_given_up_is_not_in_use(world: World) -> None:
    """The drop waits for a merge that is then rolled back."""
    session, other = furnished(world).session(), world.session()
    session.begin()
    session.do(merge("new", "tested", "other"))
    other.start(DROP)
    assert other.settle() == "lock"
    session.rollback()
    assert other.answer() == "dropped"
    assert world.violated() == set()


FROM_A_REPOSITORY = {
    "freeze": freeze("new", "source"),
    "freeze a list": freeze("new", "source", p_items=[]),
    "serve": serve(live="source"),
    "switch": switch("testing", live="source"),
}
DROP_SOURCE = call("drop_repository", "acme", "source")


def sourced(world: World, kind: str) -> World:
    """A mirror or a repository of which a snapshot or a list is to be made."""
    furnished(world)
    if kind == "mirror":
        mirror(world, "source", item("curl"))
    else:
        fill(world, "source", "curl")
    return world


@pytest.mark.parametrize("kind", ["mirror", "hosted"])
@pytest.mark.parametrize("use", FROM_A_REPOSITORY)
def test_a_repository_in_use(world: World, use: str, kind: str) -> None:
    told = "switched" if use == "switch" else "created"
    refused = "dropped" if use == "freeze a list" else "RG423"  # a list is not of a repository
    race = sourced(world, kind).race(FROM_A_REPOSITORY[use], DROP_SOURCE)
    assert race == Race(told, "lock", refused)
    assert world.violated() == set()


@pytest.mark.parametrize("kind", ["mirror", "hosted"])
@pytest.mark.parametrize("use", FROM_A_REPOSITORY)
def test_a_repository_that_goes(world: World, use: str, kind: str) -> None:
    race = sourced(world, kind).race(DROP_SOURCE, FROM_A_REPOSITORY[use])
    assert race == Race("dropped", "lock", "RG404")
    assert world.violated() == set()


@pytest.mark.parametrize("use", ["serve", "switch"])
def test_a_repository_in_use_fails_without_repository_lock(world: World, use: str) -> None:
    """The row of what is dropped stays: no foreign key minds."""
    sourced(world, "hosted").without("repository lock")
    race = world.race(FROM_A_REPOSITORY[use], DROP_SOURCE)
    told: Call | str = "switched" if use == "switch" else "created"
    assert race == Race(told, "nothing", "dropped")
    assert world.violated() == {"served content"}


def test_freezing_fails_without_repository_lock(world: World) -> None:
    """Neither was refused: there is a snapshot of what was dropped without force."""
    sourced(world, "hosted").without("repository lock")
    assert world.race(freeze("new", "source"), DROP_SOURCE) == Race("created", "row", "dropped")
    rows = world.db.execute("select repository from pkgdb.snapshots where snapshot = 'new'")
    assert rows.fetchall() == [(None,)]
