"""NuGet #2841: events of one moment, of which a page takes the first ones; the next page begins
after that moment. Right: no two events have the same position."""

import pytest

from tests.incidents.support import World, call
from tests.incidents.test_F01 import Page, by_position, by_time

NAMES = [f"package-{number}" for number in range(9)]


def one_moment(world: World, page: Page, size: int) -> list[str]:
    """What a reader of pages has seen of nine packages that were published at once."""
    world.repository()
    items = [{"ecosystem": "generic", "name": name, "version": "1.0"} for name in NAMES]
    world.given(call("publish_many", "acme", "main", items), call("sequence_events", "acme"))
    moments = world.db.execute("""
        select count(*), count(distinct occurred_at), count(distinct sequenced_at)
          from pkgdb.feed_event where event = 'created'""").fetchone()
    assert moments == (9, 1, 1)

    seen: list[str] = []
    cursor: object = None
    while found := page(world.db, cursor, size):
        cursor = found[-1][0]
        seen += [name for _, name in found]
    return seen


@pytest.mark.parametrize("size", range(1, 12))
def test_holds(world: World, size: int) -> None:
    assert one_moment(world, by_position, size) == ["main", *NAMES]


def test_fails_by_time(world: World) -> None:
    assert len(one_moment(world, by_time, 4)) == 4
