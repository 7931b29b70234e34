"""NuGet #3716: a listing and an unlisting of one version were applied in reverse, and it stayed
hidden. Right: the events of a registration come in the order in which its changes committed."""

import pytest

from tests.incidents import protections
from tests.incidents.support import Package, Race, World, call

DEMO = Package("generic", "demo")
OTHERS = [Package("generic", f"other-{number}") for number in range(3)]
LISTED = {"created": True, "yanked": False, "unyanked": True}


def listed_and_unlisted(world: World, limit: int = 1000) -> tuple[Race, bool, bool]:
    """What two clients were told, and whether the version is listed: where it is, and where someone
    has applied the events as they came."""
    world.repository()
    world.given(*(package("publish", "1.0") for package in (DEMO, *OTHERS)))
    world.given(DEMO("yank", "1.0"))
    race = world.race(DEMO("unyank", "1.0"), DEMO("yank", "1.0"))
    world.given(*(other("yank", "1.0") for other in OTHERS))

    applied: dict[str, bool] = {}
    cursor = 0
    sequence = call("sequence_events", "acme", limit)
    while sequence.execute(world.db) != "0":
        page = world.db.execute(
            "select position, event, name from pkgdb.read_events('acme', %s)", [cursor]
        ).fetchall()
        cursor = page[-1][0]
        applied |= {name: LISTED.get(event, False) for _, event, name in page}
    state = world.db.execute("select listed from pkgdb.package_versions where name = 'demo'")
    (listed,) = state.fetchone() or (None,)
    return race, listed, applied["demo"]


BOTH_DONE = Race("unyanked", "lock", "yanked")


@pytest.mark.parametrize("limit", [1000, 1, 3])
def test_holds(world: World, limit: int) -> None:
    assert listed_and_unlisted(world, limit) == (BOTH_DONE, False, False)
    assert world.violated() == set()


def test_fails_in_reverse(world: World) -> None:
    edit = protections.Edit("sequence_events", r"order by m\.event_id", "order by m.event_id desc")
    protections.edit(world.db, edit)
    assert listed_and_unlisted(world) == (BOTH_DONE, False, True)
    assert world.violated() == {"feed"}
