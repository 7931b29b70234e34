"""NuGetGallery #2514, the "wrong version": alpha2 is flagged latest although alpha3 exists. Right:
the maximum, whichever upload and whichever way of uploading commits last."""

from collections.abc import Callable

import pytest

from tests.incidents.support import Call, Package, Race, World, call

Way = Callable[[str], Call]
LEFT_PAD = Package("npm", "left-pad")


def single(version: str) -> Call:
    return LEFT_PAD("publish", version)


def bulk(version: str) -> Call:
    item = {"ecosystem": "npm", "name": "left-pad", "version": version}
    return call("publish_many", "acme", "main", [item])


def two_prereleases(world: World, first: Call, second: Call) -> tuple[Race, object, set[str]]:
    world.repository()
    world.given(single("1.0.0-alpha1"))
    return world.race(first, second), world.latest(LEFT_PAD), world.violated()


WAYS = pytest.mark.parametrize(
    ("first", "second"), [(single, single), (single, bulk), (bulk, single), (bulk, bulk)]
)


@WAYS
def test_holds(world: World, first: Way, second: Way) -> None:
    for versions in (("alpha3", "alpha2"), ("beta2", "beta3")):
        older, newer = (f"1.0.0-{version}" for version in versions)
        race, latest, violated = two_prereleases(world, first(older), second(newer))
        assert race == Race("created", "lock", "created")
        assert latest == (max(older, newer), None)
        assert not violated
        world.given(LEFT_PAD("delete_version", older), LEFT_PAD("delete_version", newer))


@WAYS
def test_fails_without_locks(world: World, first: Way, second: Way) -> None:
    race, latest, violated = two_prereleases(
        world.without("locks"), first("1.0.0-alpha3"), second("1.0.0-alpha2")
    )
    assert race == Race("created", "row", "created")
    assert latest == ("1.0.0-alpha2", None)
    assert "latest is right" in violated


def test_fails_without_repository_lock(world: World) -> None:
    """A bulk upload holds its repository and no name: that lock is what keeps single ones off."""
    race, latest, violated = two_prereleases(
        world.without("repository lock"), bulk("1.0.0-alpha3"), single("1.0.0-alpha2")
    )
    assert race == Race("created", "row", "created")
    assert latest == ("1.0.0-alpha2", None)
    assert "latest is right" in violated
