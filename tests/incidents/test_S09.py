"""aptly 1.6.3: a repository that was dropped is published all the same, and listing what is
published then fails. Right: what is served cannot be dropped, what was dropped cannot be served,
and foreign keys hold that against any statement."""

import psycopg
import pytest

from tests.incidents.curation import drop, fill, freeze, item, mirror, serve, served, switch
from tests.incidents.support import Race, World, call

DROP = call("drop_repository", "acme", "main")
FORCED = call("drop_repository", "acme", "main", p_force=True)


def furnished(world: World) -> World:
    fill(world, "main", "curl")
    fill(world, "other", "wget")
    return world


def test_what_is_served_cannot_be_dropped(world: World) -> None:
    session = furnished(world).session()
    world.given(serve(live="main"))
    assert [session.do(each) for each in (DROP, FORCED)] == ["RG423", "RG423"]
    assert served(world) == ["live curl 1"]
    world.given(switch(live="other"))
    assert session.do(DROP) == "dropped"
    assert served(world) == ["live wget 1"]
    assert world.violated() == set()


def test_a_snapshot_that_is_served_cannot_be_dropped(world: World) -> None:
    session = furnished(world).session()
    world.given(freeze("tested"), serve(main="tested"))
    assert [session.do(drop("tested", p_force=force)) for force in (False, True)] == ["RG423"] * 2
    assert [session.do(each) for each in (DROP, FORCED)] == ["RG423", "dropped"]
    world.given(call("purge", "acme"))
    assert served(world) == ["main curl 1"]
    world.given(call("drop_distribution", "acme", "", "stable"), drop("tested"))
    assert world.violated() == set()


@pytest.mark.parametrize("kind", ["hosted", "mirror"])
def test_what_was_dropped_cannot_be_served(world: World, kind: str) -> None:
    session = furnished(world).session()
    if kind == "mirror":
        mirror(world, "up", item("curl"))
        world.given(call("drop_repository", "acme", "up"))
    gone = "up" if kind == "mirror" else "never"
    world.given(serve("testing", live="other"))
    assert session.do(serve(live=gone)) == "RG404"
    assert session.do(switch("testing", live=gone)) == "RG404"
    assert served(world, "testing") == ["live wget 1"]
    assert world.violated() == set()


def served_while_dropped(world: World) -> tuple[Race, list[str]]:
    furnished(world)
    race = world.race(serve(live="main"), DROP)
    return race, served(world)


def test_holds_at_the_same_time(world: World) -> None:
    assert served_while_dropped(world) == (Race("created", "lock", "RG423"), ["live curl 1"])
    assert world.violated() == set()


def test_fails_without_repository_lock(world: World) -> None:
    """It is served, and gone."""
    race, content = served_while_dropped(world.without("repository lock"))
    assert (race, content) == (Race("created", "nothing", "dropped"), [])
    assert world.violated() == {"served content"}


def test_fails_without_look_at_what_is_served(world: World) -> None:
    furnished(world).without("look at what is served")
    world.given(serve(live="main"))
    assert world.session().do(DROP) == "dropped"
    assert world.violated() == {"served content"}


BY_HAND = {
    "repository_that_is_served": "delete from pkgdb.repository where name = 'main'",
    "repository_with_a_snapshot": "delete from pkgdb.repository where name = 'other'",
    "snapshot_that_is_served": "delete from pkgdb.snapshot where name = 'tested'",
    "snapshot_that_is_a_source": "delete from pkgdb.snapshot where name = 'left'",
    "version_in_a_snapshot": "delete from pkgdb.package_version v using pkgdb.snapshot_member m"
    " where m.version_id = v.version_id",
    "distribution_that_serves": "delete from pkgdb.distribution",
    "component_of_no_repository": "update pkgdb.distribution_component set repository_id = 99"
    " where repository_id is not null",
    "component_of_no_snapshot": "update pkgdb.distribution_component set snapshot_id = 99"
    " where snapshot_id is not null",
    "component_of_no_distribution": "update pkgdb.distribution_component set distribution_id = 99",
    "component_of_another_namespace": "update pkgdb.distribution_component set namespace = 'evil'",
    "snapshot_of_no_repository": "update pkgdb.snapshot set repository_id = 99"
    " where repository_id is not null",
    "source_of_no_snapshot": "update pkgdb.snapshot_source set source_id = 99 where source_id = 1",
    "member_of_no_snapshot": "update pkgdb.snapshot_member set snapshot_id = 99",
    "member_of_no_version": "update pkgdb.snapshot_member set version_id = 99",
    "distribution_of_no_namespace": "update pkgdb.distribution set namespace = 'nobody'",
}


def referring(world: World) -> None:
    furnished(world)
    world.given(
        freeze("tested"),
        freeze("left", "other"),
        call("merge_snapshots", "acme", "both", "{tested,left}"),
        serve(main="tested", live="main"),
        call("create_repository", "evil", "main"),
    )


@pytest.mark.parametrize("statement", BY_HAND.values(), ids=BY_HAND)
def test_foreign_keys_hold_against_any_statement(world: World, statement: str) -> None:
    referring(world)
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        world.db.execute(statement.encode())
    assert served(world) == ["live curl 1", "main curl 1"]
    assert world.violated() == set()


ODD_COMPONENTS = {
    "both": "update pkgdb.distribution_component set repository_id = 1, snapshot_id = 1",
    "neither": "update pkgdb.distribution_component set repository_id = null, snapshot_id = null",
}


@pytest.mark.parametrize("statement", ODD_COMPONENTS.values(), ids=ODD_COMPONENTS)
def test_a_component_serves_one_thing(world: World, statement: str) -> None:
    referring(world)
    with pytest.raises(psycopg.errors.CheckViolation, match="distribution_component_source_check"):
        world.db.execute(statement.encode())


def test_what_no_key_can_hold_is_found(world: World) -> None:
    """That a repository which is served is live: no foreign key says so."""
    referring(world)
    world.db.execute(
        "update pkgdb.repository set status = 'dropped', dropped_at = now() where name = 'main'"
    )
    assert "served content" in world.violated()
