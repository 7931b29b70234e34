"""GitLab, nuget and rubygems: the lease is on a temporary id and there is no index, so that two
uploads of one version make two packages. Right: one; and where no lock is held, the unique index is
the backstop."""

from tests.incidents.support import Package, Race, World, content

RAILS = Package("generic", "rails")
UPLOAD = RAILS("publish", "1.0", p_files=[content("rails-1.0.gem")])


def two_uploads(world: World) -> tuple[Race, list[str], set[str]]:
    world.repository()
    world.given(RAILS("publish", "0.9"))
    return world.race(UPLOAD, UPLOAD), world.live(RAILS), world.violated()


def test_holds(world: World) -> None:
    race = Race("created", "lock", "unchanged")
    assert two_uploads(world) == (race, ["0.9", "1.0"], set())


def test_the_index_is_the_backstop(world: World) -> None:
    """Without the lock the loser gets an internal error, but there is one package."""
    race = Race("created", "row", "23505")
    assert two_uploads(world.without("registration lock")) == (race, ["0.9", "1.0"], set())


def test_fails_without_either(world: World) -> None:
    race, live, violated = two_uploads(world.without("registration lock", "live index"))
    assert race == Race("created", "row", "created")
    assert live == ["0.9", "1.0", "1.0"]
    assert "one live version" in violated
