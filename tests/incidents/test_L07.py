"""crates.io, default-version job: a job that runs some time after the change writes a result that
is out of date. Right: latest is computed in the transaction that changes it, and a recomputation
waits for changes under way."""

from tests.incidents.support import Package, Race, World

SERDE = Package("cargo", "serde")


def test_version_and_pointer_become_visible_together(world: World) -> None:
    world.repository()
    world.given(SERDE("publish", "1.0.0"))
    publisher, reader = world.session(), world.session()
    publisher.begin()
    publisher.do(SERDE("publish", "2.0.0"))
    assert publisher.do(SERDE("resolve", "latest")) == "2.0.0"
    assert reader.do(SERDE("resolve", "latest")) == "1.0.0"
    assert reader.do(SERDE("resolve", "2.0.0")) == "RG404"
    publisher.commit()
    assert reader.do(SERDE("resolve", "latest")) == "2.0.0"
    assert reader.do(SERDE("resolve", "2.0.0")) == "2.0.0"
    assert world.violated() == set()


def recomputed_beside_a_publish(world: World) -> tuple[Race, object, set[str]]:
    world.repository()
    world.given(SERDE("publish", "1.0.0"))
    world.db.execute(  # by hand: something to recompute
        "update pkgdb.registration set latest_version_id = null, latest_stable_version_id = null"
    )
    race = world.race(SERDE("publish", "2.0.0"), SERDE("repair_latest"))
    return race, world.latest(SERDE), world.violated()


def test_holds(world: World) -> None:
    assert recomputed_beside_a_publish(world) == (
        Race("created", "lock", "unchanged"),
        ("2.0.0", "2.0.0"),
        set(),
    )


def test_fails_without_registration_lock(world: World) -> None:
    """It writes what was right before the publish."""
    race, latest, violated = recomputed_beside_a_publish(world.without("registration lock"))
    assert race == Race("created", "row", "repaired")
    assert latest == ("1.0.0", "1.0.0")
    assert "latest is right" in violated
