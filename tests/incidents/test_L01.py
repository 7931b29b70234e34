"""NuGetGallery #2514: two uploads to one id interleave select, clear and set: two rows are flagged
latest. Right: exactly one latest, the maximum."""

from tests.incidents.support import Package, Race, World

LEFT_PAD = Package("npm", "left-pad")


def two_uploads(world: World) -> tuple[Race, object, set[str]]:
    world.repository()
    world.given(LEFT_PAD("publish", "1.0.0"))
    race = world.race(LEFT_PAD("publish", "3.0.0"), LEFT_PAD("publish", "2.0.0"))
    return race, world.latest(LEFT_PAD), world.violated()


def test_holds(world: World) -> None:
    assert two_uploads(world) == (Race("created", "lock", "created"), ("3.0.0", "3.0.0"), set())


def test_fails_without_registration_lock(world: World) -> None:
    """The second computes its maximum from a snapshot that does not have the first's row."""
    assert two_uploads(world.without("registration lock")) == (
        Race("created", "row", "created"),
        ("2.0.0", "2.0.0"),
        {"latest is right"},
    )
