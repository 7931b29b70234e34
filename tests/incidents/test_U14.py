"""NuGetGallery #7995: of the first two pushes of a new id, one gets a wrong 409. Right: both get
the right answer."""

from tests.incidents.support import Package, Race, World, outcomes

NEWTONSOFT = Package("npm", "newtonsoft")


def first_two_pushes(world: World) -> tuple[Race, list[str], set[str]]:
    world.repository()
    race = world.race(NEWTONSOFT("publish", "1.0.0"), NEWTONSOFT("publish", "2.0.0"))
    return race, world.live(NEWTONSOFT), world.violated()


def test_holds(world: World) -> None:
    race = Race("created", "lock", "created")
    assert first_two_pushes(world) == (race, ["1.0.0", "2.0.0"], set())


def test_fails_without_registration_lock(world: World) -> None:
    race = Race("created", "row", "RG409")
    assert first_two_pushes(world.without("registration lock")) == (race, ["1.0.0"], set())


def test_the_first_sixteen_pushes(world: World) -> None:
    world.repository()
    answers = world.crowd(NEWTONSOFT("publish", f"{n}.0.0") for n in range(16))
    assert outcomes(answers) == {"created": 16}
    assert len(world.live(NEWTONSOFT)) == 16
    assert world.latest(NEWTONSOFT) == ("15.0.0", "15.0.0")
    assert world.violated() == set()
