"""RubyGems, bulk_reorder_versions: each push rewrites the position of every version; two at once
leave two rows latest and a position twice, or deadlock. Right: no sibling is written."""

from tests.incidents.support import Package, Race, World, outcomes

RAILS = Package("generic", "rails")


def rows_written(world: World) -> list[tuple[str, str, str]]:
    """Each version with the transaction that wrote its row last, and where the row is."""
    return world.db.execute(
        "select version, xmin::text, ctid::text from pkgdb.package_version order by version_id"
    ).fetchall()


def two_pushes(world: World) -> tuple[Race, bool, object, set[str]]:
    world.repository()
    world.given(*(RAILS("publish", f"1.{n}") for n in range(20)))
    before = rows_written(world)
    race = world.race(RAILS("publish", "3.0"), RAILS("publish", "2.0"))
    untouched = rows_written(world)[: len(before)] == before
    return race, untouched, world.latest(RAILS), world.violated()


def test_holds(world: World) -> None:
    race = Race("created", "lock", "created")
    assert two_pushes(world) == (race, True, ("3.0", "3.0"), set())


def test_fails_where_siblings_are_rewritten(world: World) -> None:
    race, untouched, _, _ = two_pushes(world.without("siblings left alone"))
    assert race == Race("created", "lock", "created")
    assert not untouched


def test_fails_without_registration_lock(world: World) -> None:
    race, _, latest, violated = two_pushes(world.without("registration lock"))
    assert race == Race("created", "row", "created")
    assert latest == ("2.0", "2.0")
    assert violated == {"latest is right"}


def test_a_crowd_of_pushes_does_not_deadlock(world: World) -> None:
    world.repository()
    answers = world.crowd(
        Package("generic", name)("publish", f"{n}.0")
        for n in range(6)
        for name in ("rails", "rake")
    )
    assert outcomes(answers) == {"created": 12}
    assert world.latest(RAILS) == ("5.0", "5.0")
    assert world.violated() == set()
