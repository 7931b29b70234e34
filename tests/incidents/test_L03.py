"""NuGetGallery #3707: concurrent unlists, deciding by a flag read before, leave latest on an
unlisted row, or on none. Right: latest is the maximum of what is listed after each commit."""

from tests.incidents.support import Package, Race, World, outcomes

LEFT_PAD = Package("npm", "left-pad")


def two_unlists(world: World) -> tuple[Race, object, set[str]]:
    world.repository()
    world.given(*(LEFT_PAD("publish", f"{n}.0.0") for n in (1, 2, 3)))
    race = world.race(LEFT_PAD("yank", "3.0.0"), LEFT_PAD("yank", "2.0.0"))
    return race, world.latest(LEFT_PAD), world.violated()


def test_holds(world: World) -> None:
    assert two_unlists(world) == (Race("yanked", "lock", "yanked"), ("1.0.0", "1.0.0"), set())


def test_fails_without_registration_lock(world: World) -> None:
    """Latest is on a row that the other session unlisted."""
    assert two_unlists(world.without("registration lock")) == (
        Race("yanked", "row", "yanked"),
        ("3.0.0", "3.0.0"),
        {"latest is right"},
    )


def test_thirty_versions_pushed_at_once_then_unlisted_five_at_a_time(world: World) -> None:
    world.repository()
    world.given(LEFT_PAD("publish", "0.0.0"), LEFT_PAD("yank", "0.0.0"))
    versions = [f"1.{n}.0" for n in range(30)]
    answers = world.crowd(LEFT_PAD("publish", version) for version in versions)
    assert outcomes(answers) == {"created": 30}
    assert world.latest(LEFT_PAD) == ("1.29.0", "1.29.0")
    assert world.violated() == set()

    # The highest and the lowest in each round.
    listed = versions
    while listed:
        unlisted = listed[:2] + listed[-3:]
        answers = world.crowd(LEFT_PAD("yank", version) for version in unlisted)
        assert outcomes(answers) == {"yanked": 5}
        listed = [version for version in listed if version not in unlisted]
        latest = listed[-1] if listed else None
        assert world.latest(LEFT_PAD) == (latest, latest)
        assert world.violated() == set()
