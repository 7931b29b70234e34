"""aptly #1573, #1574: adding and removing work on a copy of a repository's list that was loaded
before the lock; with sixteen clients 110 of 600 acknowledged adds were lost. Right: no list, rows;
and what a call decides on is read under the lock."""

import pytest

from tests.incidents.curation import (
    copy,
    deb,
    fill,
    in_repository,
    item,
    publish,
    remove,
)
from tests.incidents.support import Call, Race, World, call, outcomes

CLIENTS, EDITS = 16, 600


def edit(client: int, number: int) -> tuple[Call, str]:
    """One of four kinds; and what the repository has of it in the end."""
    name = f"p{client}-{number}"
    match number % 4:
        case 0:
            return copy("main", "incoming", name), f"{name} 1"
        case 1:
            return call("publish_many", "acme", "main", [item(name)]), f"{name} 1"
        case 2:
            return remove("main", f"old{client}-{number}"), ""
    return publish(name), f"{name} 1"


@pytest.mark.slow
def test_holds(world: World) -> None:
    edits = [[edit(client, n) for n in range(EDITS // CLIENTS)] for client in range(CLIENTS)]
    fill(world, "main")
    fill(world, "incoming")
    for repository, wanted in (("incoming", 0), ("main", 2)):
        prefix = "p" if repository == "incoming" else "old"
        items = [
            item(f"{prefix}{client}-{n}")
            for client in range(CLIENTS)
            for n in range(EDITS // CLIENTS)
            if n % 4 == wanted
        ]
        world.given(call("publish_many", "acme", repository, items))

    sessions = [world.session() for _ in range(CLIENTS)]
    working = [
        session.thread.submit(lambda s=session, m=mine: [one.answer(s.connection) for one, _ in m])
        for session, mine in zip(sessions, edits, strict=True)
    ]
    answers = [answer for client in working for answer in client.result()]
    told = {"copied": 160, "created": 288, "removed": 144}
    assert outcomes(answers) == told
    assert in_repository(world) == sorted(made for mine in edits for _, made in mine if made)
    assert world.violated() == set()


TOOL = deb("tool")


def removed_and_added(world: World) -> tuple[Race, object, list[str]]:
    """An older version comes while the newest one is being removed."""
    fill(world, "main", "tool 2")
    race = world.race(remove("main", "tool"), publish("tool", "1"))
    return race, world.latest(TOOL), in_repository(world)


def test_an_add_waits_for_a_remove(world: World) -> None:
    seen = removed_and_added(world)
    assert seen == (Race("removed", "lock", "created"), ("1", "1"), ["tool 1"])
    assert world.violated() == set()


def test_fails_without_repository_lock(world: World) -> None:
    """What was removed is the latest again: nobody gets what was added."""
    seen = removed_and_added(world.without("repository lock"))
    assert seen == (Race("removed", "row", "created"), ("2", "2"), ["tool 1"])
    assert "latest is right" in world.violated()


def removed_twice(world: World) -> tuple[Race, object, set[str]]:
    """Two clients remove one version; how many the counter then says are left of one."""
    fill(world, "main", "tool 1", "tool 2", "tool 3")
    race = world.race(remove("main", "tool (= 1)"), remove("main", "tool (<= 2)"))
    counted = world.db.execute("select versions from pkgdb.registrations").fetchone()
    assert in_repository(world) == ["tool 3"]
    return race, counted, world.violated()


def test_a_remove_finds_what_is_there_then(world: World) -> None:
    assert removed_twice(world) == (Race("removed", "lock", "removed"), (1,), set())


def test_fails_without_list_read_under_the_lock(world: World) -> None:
    """As in aptly: the second works on what it had found before it waited."""
    seen = removed_twice(world.without("list read under the lock"))
    assert seen == (Race("removed", "lock", "removed"), (0,), {"latest is right"})
