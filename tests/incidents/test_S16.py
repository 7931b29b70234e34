"""Pulp #2420, #2430, #3111: bulk operations insert and lock in whatever order they come to things;
two of them deadlock. Right: locks are taken, and bytes adopted, in one order."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.incidents.curation import (
    begin,
    copy,
    delete,
    drop,
    fill,
    freeze,
    item,
    merge,
    move,
    pull,
    remove,
    select,
    serve,
    switch,
)
from tests.incidents.support import PAUSE_KEY, Call, World, call, outcomes

# Locks.

LOCK = "select pg_advisory_xact_lock((pkgdb.repository_lock('acme', repository_id, true)).key)"


def opposite(world: World, first: Call, second: Call) -> list[str]:
    """Both need repositories aa and bb. The first waits for aa; the second comes, with bb if it is
    taken first; then aa is free."""
    gate = world.connect()
    sessions = [world.session(), world.session()]
    with gate.transaction():
        gate.execute(f"{LOCK} from pkgdb.repository where name = 'aa'".encode())
        for session, each in zip(sessions, (first, second), strict=True):
            session.start(each)
            assert session.settle() == "lock"
    return sorted(session.answer() for session in sessions)


OPPOSITE = {
    "copy": (copy("aa", "bb", "of-b"), copy("bb", "aa", "of-a")),
    "move": (move("aa", "bb", "of-b"), move("bb", "aa", "of-a")),
    "copy and move": (copy("aa", "bb", "of-b"), move("bb", "aa", "of-a")),
    "serve both": (serve("one", live="aa", extra="frozen"), move("bb", "aa", "of-a")),
}


def two_repositories(world: World) -> World:
    fill(world, "aa", "of-a")
    fill(world, "bb", "of-b")
    world.given(freeze("frozen", "bb"))
    return world


@pytest.mark.parametrize("kind", OPPOSITE)
def test_locks_are_taken_in_one_order(world: World, kind: str) -> None:
    told = {"copy": "copied", "move": "moved", "serve both": "created"}
    expected = sorted([told.get(kind, "copied"), "copied" if kind == "copy" else "moved"])
    assert opposite(two_repositories(world), *OPPOSITE[kind]) == expected
    assert world.violated() == set()


@pytest.mark.parametrize("kind", ["copy", "move", "copy and move"])
def test_locks_fail_without_order(world: World, kind: str) -> None:
    """Each has one repository and waits for the other."""
    two_repositories(world).without("order of locks")
    answers = opposite(world, *OPPOSITE[kind])
    assert answers[0] == "40P01"
    assert answers[1] in ("copied", "moved")


# Bytes.


@contextmanager
def second_blobs_wait(world: World) -> Iterator[None]:
    """Whoever writes blobs waits before its second one, until this ends."""
    world.db.execute(
        f"""
        create function public.pause() returns trigger language plpgsql as $$
        begin
            if current_setting('pause.first', true) = 'written' then
                perform pg_advisory_xact_lock_shared({PAUSE_KEY});
            end if;
            perform set_config('pause.first', 'written', true);
            return new;
        end $$;
        create trigger pause before insert on pkgdb.blob
            for each row execute function public.pause();""".encode()
    )
    world.db.execute("select pg_advisory_lock(%s)", [PAUSE_KEY])
    yield
    world.db.execute("select pg_advisory_unlock(%s)", [PAUSE_KEY])


NAMES = ["curl", "nano", "vim-tiny", "wget"]
ITEMS = [item(name, text=name) for name in NAMES]
OPPOSITE_ITEMS = [item(name, text=text) for name, text in zip(NAMES, NAMES[::-1], strict=True)]


def staged(world: World) -> tuple[Call, Call]:
    """The calls that hold the bytes of what two mirrors have found."""
    world.given(call("add_backend", "acme", "disk", "file:///srv/disk"))
    numbers = []
    for name, items in (("aa", ITEMS), ("bb", OPPOSITE_ITEMS)):
        world.repository(name, "mirror")
        world.given(call("set_repository_backend", "acme", name, "disk"))
        numbers.append(begin(world, name))
        world.given(call("stage_mirror_items", "acme", numbers[-1], 1, items))
    one, other = (call("missing_mirror_copies", "acme", number, 1) for number in numbers)
    return one, other


def published(world: World) -> tuple[Call, Call]:
    world.repository("aa")
    world.repository("bb")
    return (
        call("publish_many", "acme", "aa", ITEMS),
        call("publish_many", "acme", "bb", OPPOSITE_ITEMS),
    )


def same_bytes(world: World, calls: tuple[Call, Call]) -> tuple[str, dict[str, int]]:
    """Two bulk calls bring the same bytes, in opposite orders. What the second waits for while the
    first has written one blob, and what both are told."""
    with second_blobs_wait(world):
        first, second = world.session(), world.session()
        first.start(calls[0])
        assert first.settle() == "pause"
        second.start(calls[1])
        waited = second.settle()
    answers = [each for session in (first, second) for each in session.answer().split()]
    return waited, outcomes(answers)


def test_staging_adopts_bytes_in_one_order(world: World) -> None:
    assert same_bytes(world, staged(world)) == ("row", {"disk": 2 * len(ITEMS)})
    assert world.violated() == set()


def test_staging_fails_without_order(world: World) -> None:
    seen = same_bytes(world.without("order of bytes"), staged(world))
    assert seen == ("pause", {"40P01": 1, "disk": len(ITEMS)})


def test_publishing_many_adopts_bytes_in_one_order(world: World) -> None:
    assert same_bytes(world, published(world)) == ("row", {"created": 2 * len(ITEMS)})
    assert world.violated() == set()


def test_publishing_many_fails_without_order(world: World) -> None:
    seen = same_bytes(world.without("order of bytes"), published(world))
    assert seen == ("pause", {"40P01": 1, "created": len(ITEMS)})


# A purge beside whatever there is.

PURGE = call("purge", "acme")
BESIDE = {
    "freeze": (freeze("new"), "created"),
    "merge": (merge("new", "before", "after"), "created"),
    "pull": (pull("new", "before", "after"), "created"),
    "filter": (select("new", "before"), "created"),
    "drop": (drop("before"), "dropped"),
    "copy": (copy("other", "main"), "copied"),
    "copy what was deleted": (
        call("copy_versions", "acme", "other", "{Name}", None, "before"), "copied",
    ),
    "move": (move("other", "main"), "moved"),
    "remove": (remove("main"), "removed"),
    "serve": (serve(main="before"), "created"),
    "switch": (switch("testing", main="before"), "switched"),
    "purge": (PURGE, "0"),
}  # fmt: skip


def ghosts(world: World) -> World:
    """One that a snapshot contains, and one that none does."""
    fill(world, "main", "curl", "nano")
    fill(world, "other")
    world.given(
        freeze("before"), delete("curl"), freeze("after"), serve("testing", main="after"),
        call("publish", "acme", "main", "deb", "wget", "1"),
        call("delete_version", "acme", "main", "deb", "wget", "1"),
    )  # fmt: skip
    return world


@pytest.mark.parametrize("kind", BESIDE)
def test_nobody_waits_for_a_purge(world: World, kind: str) -> None:
    beside, told = BESIDE[kind]
    assert ghosts(world).race(PURGE, beside) == ("1", "nothing", told)
    assert world.violated() == set()


@pytest.mark.parametrize("kind", BESIDE)
def test_a_purge_waits_for_nobody(world: World, kind: str) -> None:
    """Of what is being dropped nothing goes yet."""
    beside, told = BESIDE[kind]
    race = ghosts(world).race(beside, PURGE)
    assert race == (("1", "nothing", "0") if kind == "purge" else (told, "nothing", "1"))
    assert world.violated() == set()


def test_two_purges_wait_without_skipping(world: World) -> None:
    ghosts(world).without("skipping of what a purge holds")
    assert world.race(PURGE, PURGE) == ("1", "row", "0")


@pytest.mark.parametrize("kind", ["merge", "pull", "filter"])
def test_a_purge_is_waited_for_without_pins(world: World, kind: str) -> None:
    """It takes what a snapshot has; who makes another one of it fails."""
    ghosts(world).without("pins")
    assert world.race(PURGE, BESIDE[kind][0]) == ("2", "row", "23503")


# All of it, for a while.

CLIENTS, CALLS = 8, 20


def test_many_at_once(world: World) -> None:
    """Eight clients, in any order: no deadlock, nobody waits too long, nothing breaks."""
    two_repositories(world)
    world.repository("cc", reuse="always")
    names = [f"pkg{number}" for number in range(12)]
    world.given(
        call("publish_many", "acme", "aa", [item(name) for name in names]), freeze("start", "aa")
    )
    shares = [some_calls(client) for client in range(CLIENTS)]
    sessions = [world.session() for _ in shares]
    working = [
        session.thread.submit(lambda s=session, c=calls: [each.answer(s.connection) for each in c])
        for session, calls in zip(sessions, shares, strict=True)
    ]
    answers = [answer for client in working for answer in client.result()]
    # Moved away and back, which the reuse policy forbids; a name that is taken, missing or served.
    refused = {"RG404", "RG409", "RG410", "RG423"}
    done = {"copied", "moved", "removed", "created", "unchanged", "switched", "dropped", "refused"}
    told = {word for answer in answers for word in answer.split() if not word.isdigit()}
    assert told <= done | refused
    assert world.violated() == set()


def some_calls(client: int) -> list[Call]:
    rng = random.Random(client)
    calls = []
    for number in range(CALLS):
        here, there = rng.sample(["aa", "bb", "cc"], 2)
        name, new = f"pkg{rng.randrange(12)}", f"snapshot {client} {number}"
        calls.append(
            rng.choice([
                copy(here, there, name),
                copy(here, there),
                move(here, there, name),
                remove("cc"),
                freeze(new, here),
                merge(new, "start", "frozen"),
                pull(new, "start", "frozen"),
                drop(f"snapshot {rng.randrange(CLIENTS)} {rng.randrange(CALLS)}"),
                serve(f"endpoint-{rng.randrange(4)}", live=here, main="start"),
                switch(f"endpoint-{rng.randrange(4)}", live=there),
                call("publish_many", "acme", here, [item(f"new{client}-{number}"), item(name)]),
                PURGE,
            ])
        )  # fmt: skip
    return calls
