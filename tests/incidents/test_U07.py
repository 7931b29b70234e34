"""NuGetGallery #811, GetPackageStatus: "1.0" and "1.0.0" become two rows, and look-ups then find
more than one. Right: the identity is the normalised version."""

from tests.incidents.support import Package, World

NUNIT = Package("pypi", "nunit")
SPELLINGS = ["1.0", "1.0.0", "v1.0", "1", "01.0.0.0"]


def spellings(world: World) -> tuple[list[str], list[str], list[str]]:
    """The answer to a push of each; what is there; and what each finds."""
    world.repository()
    answers = [world.session().do(NUNIT("publish", version)) for version in SPELLINGS]
    found = [world.session().do(NUNIT("resolve", version)) for version in SPELLINGS]
    return answers, world.live(NUNIT), found


def test_holds(world: World) -> None:
    once = ["created"] + ["unchanged"] * (len(SPELLINGS) - 1)
    assert spellings(world) == (once, ["1.0"], ["1.0"] * len(SPELLINGS))
    assert world.violated() == set()


def test_fails_without_normal_form(world: World) -> None:
    answers, live, _ = spellings(world.without("normal form"))
    assert answers == ["created"] * len(SPELLINGS)
    assert live == sorted(SPELLINGS)


def test_two_spellings_at_once(world: World) -> None:
    world.repository()
    race = world.race(NUNIT("publish", "1.0"), NUNIT("publish", "1.0.0"))
    assert race == ("created", "lock", "unchanged")
    assert world.live(NUNIT) == ["1.0"]
    assert world.violated() == set()
