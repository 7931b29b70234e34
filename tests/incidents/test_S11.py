"""aptly 1.6.3: what is to be published is stored by name; renamed and made again, that name
publishes another's content. Right: everything refers by id."""

import pytest

from tests.incidents.curation import (
    begin,
    digest,
    drop,
    fill,
    freeze,
    in_repository,
    in_snapshot,
    item,
    merge,
    mirror,
    pull,
    rename,
    select,
    serve,
    served,
    switch,
)
from tests.incidents.support import World, call


def furnished(world: World) -> World:
    """`tested` has curl. In `other` there is what its name is to mean later."""
    fill(world, "main", "curl")
    fill(world, "other", "wget")
    world.given(freeze("tested"))
    return world


def made_again(world: World) -> None:
    """The name of the snapshot, and that of its repository, are given to others."""
    world.given(
        rename("tested", "old"),
        freeze("tested", "other"),
        call("rename_repository", "acme", "main", "attic"),
        call("rename_repository", "acme", "other", "main"),
    )
    assert in_snapshot(world, "tested") == ["wget 1"]
    assert in_repository(world) == ["wget 1"]


def sources_of(world: World, snapshot: str) -> list[tuple[str]]:
    return world.db.execute(
        "select source from pkgdb.snapshot_sources where snapshot = %s order by 1", [snapshot]
    ).fetchall()


def components(world: World) -> list[tuple[str, str | None, str | None]]:
    return world.db.execute(
        "select component, snapshot, repository from pkgdb.distribution_components order by 1"
    ).fetchall()


def served_after(world: World) -> list[str]:
    furnished(world)
    world.given(serve(main="tested", live="main"))
    made_again(world)
    return served(world)


def test_what_is_served(world: World) -> None:
    assert served_after(world) == ["live curl 1", "main curl 1"]
    assert components(world) == [("live", None, "attic"), ("main", "old", None)]
    world.given(switch(main="tested"))
    assert served(world) == ["live curl 1", "main wget 1"]
    assert world.violated() == set()


def test_fails_without_references_by_id(world: World) -> None:
    """As in aptly: the names are kept, and looked up when it is published."""
    world.without("references by id")
    assert served_after(world) == ["live wget 1", "main wget 1"]


@pytest.mark.parametrize(
    "making",
    [merge("made", "tested"), pull("made", "tested", "tested"), select("made", "tested")],
    ids=["merge", "pull", "filter"],
)
def test_what_a_snapshot_was_made_of(world: World, making: object) -> None:
    furnished(world).given(making)
    frozen = digest(world, "made"), digest(world, "tested")
    made_again(world)
    assert in_snapshot(world, "made") == ["curl 1"]
    assert sources_of(world, "made") == [("old",)]
    assert (digest(world, "made"), digest(world, "old")) == frozen
    session = world.session()
    assert [session.do(drop(name)) for name in ("tested", "old")] == ["dropped", "RG423"]
    assert world.violated() == set()


def test_what_a_snapshot_is_of(world: World) -> None:
    furnished(world)
    made_again(world)
    rows = world.db.execute("select snapshot, repository from pkgdb.snapshots order by 1")
    assert rows.fetchall() == [("old", "attic"), ("tested", "main")]
    drop_old, drop_new = (call("drop_repository", "acme", name) for name in ("attic", "main"))
    session = world.session()
    assert [session.do(drop_old), session.do(drop("old"))] == ["RG423", "dropped"]
    assert [session.do(drop_old), session.do(drop_new)] == ["dropped", "RG423"]
    assert in_snapshot(world, "tested") == ["wget 1"]
    assert world.violated() == set()


def test_a_dropped_repository_is_not_the_next_of_its_name(world: World) -> None:
    furnished(world).given(
        call("drop_repository", "acme", "main", p_force=True),
        call("rename_repository", "acme", "other", "main"),
        freeze("again"),
    )
    rows = world.db.execute("select snapshot, repository from pkgdb.snapshots order by 1")
    assert rows.fetchall() == [("again", "main"), ("tested", None)]
    assert (in_snapshot(world, "tested"), in_snapshot(world, "again")) == (["curl 1"], ["wget 1"])
    world.given(call("purge", "acme"), drop("tested"), call("purge", "acme"))
    assert in_snapshot(world, "again") == ["wget 1"]
    assert world.violated() == set()


def test_an_update_in_progress(world: World) -> None:
    mirror(world, "up", item("curl"))
    mirror(world, "next", item("wget"))
    number = begin(world, "up")
    world.given(
        call("rename_repository", "acme", "up", "attic"),
        call("rename_repository", "acme", "next", "up"),
        call("stage_mirror_items", "acme", number, 1, [item("nano")]),
        call("commit_mirror_update", "acme", number, 1),
    )
    assert (in_repository(world, "attic"), in_repository(world, "up")) == (["nano 1"], ["wget 1"])
    assert world.violated() == set()


def switched_beside(world: World, **components: str) -> tuple[str, str, list[str]]:
    """Both names are given to others while somebody switches to one of them."""
    furnished(world)
    world.given(freeze("empty", None), serve(main="empty"))
    session, other = world.session(), world.session()
    session.begin()
    for step in (
        call("rename_repository", "acme", "main", "attic"),
        call("rename_repository", "acme", "other", "main"),
        freeze("new"),
        rename("tested", "old"),
        rename("new", "tested"),
    ):
        assert session.do(step) in ("renamed", "created")
    other.start(switch(**components))
    waited = other.settle()
    session.commit()
    return waited, other.answer(), served(world)


@pytest.mark.parametrize("component", ["main", "live"])
def test_a_switch_looks_its_sources_up_under_the_lock(world: World, component: str) -> None:
    source = {"main": "tested", "live": "main"}[component]
    seen = switched_beside(world, **{component: source})
    assert seen == ("lock", "switched", [f"{component} wget 1"])
    assert world.violated() == set()


@pytest.mark.parametrize("component", ["main", "live"])
def test_a_switch_fails_without_second_look(world: World, component: str) -> None:
    """It serves what had the name when it began to wait."""
    source = {"main": "tested", "live": "main"}[component]
    world.without("second look at sources")
    seen = switched_beside(world, **{component: source})
    assert seen == ("lock", "switched", [f"{component} curl 1"])
