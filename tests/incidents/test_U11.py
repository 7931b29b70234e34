"""PyPI, ultranormalize_name: the guard against look-alike names checks, then inserts. Right: a
look-alike key that is unique where the guard is on."""

from tests.incidents.support import Package, Race, World, call, outcomes

LODASH, LOOKALIKE = Package("cargo", "lodash"), Package("cargo", "l0dash")


def two_names(world: World) -> tuple[Race, int, set[str]]:
    """Other names, so other locks: the index alone is between them."""
    world.repository(lookalike_guard=True)
    race = world.race(LODASH("publish", "1.0.0"), LOOKALIKE("publish", "1.0.0"))
    return race, len(world.claims()), world.violated()


def test_holds(world: World) -> None:
    assert two_names(world) == (Race("created", "row", "RG409"), 1, set())


def test_fails_without_lookalike_index(world: World) -> None:
    race, claims, violated = two_names(world.without("look-alike index"))
    assert race == Race("created", "nothing", "created")
    assert claims == 2
    assert "one live version" in violated


def test_one_of_many_wins(world: World) -> None:
    world.repository(lookalike_guard=True)
    names = ["lodash", "l0dash", "l-o-d-a-s-h", "lo_dash", "iodash", "I0dash"]
    answers = world.crowd(Package("cargo", name)("publish", "1.0.0") for name in names)
    assert outcomes(answers) == {"RG409": 5, "created": 1}
    assert len(world.claims()) == 1
    assert world.violated() == set()


def test_without_the_guard_they_are_other_names(world: World) -> None:
    world.repository()
    world.given(LODASH("publish", "1.0.0"), LOOKALIKE("publish", "1.0.0"))
    assert len(world.claims()) == 2
    # Switched on, it keeps what is there and refuses newcomers.
    world.given(call("alter_repository", "acme", "main", {"lookalike_guard": True}))
    assert world.session().do(Package("cargo", "iodash")("publish", "1.0.0")) == "RG409"
    assert world.session().do(LOOKALIKE("publish", "2.0.0")) == "created"
    assert world.violated() == set()
