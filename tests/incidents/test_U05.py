"""GitLab npm: that a name is unique in the whole root namespace was checked in the application,
before the lock. Right: the same index that makes a name unique enforces the wider scope."""

from tests.incidents.support import Call, Package, Race, World, call

ONE, OTHER = (Package("npm", "left-pad", repository=name) for name in ("one", "other"))
ITEM = {"ecosystem": "npm", "name": "left-pad", "version": "1.0.0"}
BULK = call("publish_many", "acme", "one", [ITEM])


def two_repositories(world: World, first: Call, second: Call) -> tuple[Race, int, set[str]]:
    world.repository("one")
    world.repository("other")
    return world.race(first, second), len(world.claims()), world.violated()


def pushes(world: World) -> tuple[Race, int, set[str]]:
    return two_repositories(world, ONE("publish", "1.0.0"), OTHER("publish", "2.0.0"))


def push_beside_bulk(world: World) -> tuple[Race, int, set[str]]:
    """A bulk publish holds its own repository only: nothing but the index is between them."""
    return two_repositories(world, BULK, OTHER("publish", "2.0.0"))


def test_holds(world: World) -> None:
    assert pushes(world) == (Race("created", "lock", "RG409"), 1, set())


def test_holds_without_locks(world: World) -> None:
    assert pushes(world.without("locks")) == (Race("created", "row", "RG409"), 1, set())


def test_fails_without_locks_and_name_index(world: World) -> None:
    race, claims, violated = pushes(world.without("locks", "name index"))
    assert race == Race("created", "nothing", "created")
    assert claims == 2
    assert "one live version" in violated


def test_holds_beside_bulk(world: World) -> None:
    assert push_beside_bulk(world) == (Race("created", "row", "RG409"), 1, set())


def test_fails_beside_bulk_without_name_index(world: World) -> None:
    race, claims, violated = push_beside_bulk(world.without("name index"))
    assert race == Race("created", "nothing", "created")
    assert claims == 2
    assert "one live version" in violated


def test_the_policy_says_how_wide(world: World) -> None:
    """npm claims for the namespace unless told otherwise, cargo for its repository."""
    world.repository("one", name_scope="repository")
    world.repository("other", name_scope="namespace")
    world.repository("third", name_scope="namespace")
    serde = [Package("cargo", "serde", repository=name) for name in ("one", "other", "third")]
    answers = [world.session().do(package("publish", "1.0.0")) for package in serde]
    assert answers == ["created", "created", "RG409"]
    answers = [world.session().do(package("publish", "1.0.0")) for package in (ONE, OTHER)]
    assert answers == ["created", "created"]
    assert world.violated() == set()
