"""RubyGems, CVE-2022-29176: a storage key made of name, version and platform joined by dashes is
also another gem's. Right: no identity is joined text anywhere, nor is the key of a lock; bytes are
addressed by their digest."""

from itertools import combinations

import pytest

from tests.incidents.support import Call, Package, Race, World, call, content

# Each pair reads the same when joined by dashes.
COLLIDING = {
    "name and version": (
        Package("generic", "rails")("publish", "1-1.0"),
        Package("generic", "rails-1")("publish", "1.0"),
    ),
    "version and variant": (
        Package("generic", "rails")("publish", "1.0-x86", "linux"),
        Package("generic", "rails")("publish", "1.0", "x86-linux"),
    ),
    "namespace and repository": (
        Package("generic", "rails", "b-c", "a")("publish", "1.0"),
        Package("generic", "rails", "c", "a-b")("publish", "1.0"),
    ),
}


@pytest.mark.parametrize("pair", COLLIDING)
def test_both_exist_with_their_own_bytes(world: World, pair: str) -> None:
    world.repository()
    world.given(call("create_repository", "a", "b-c"), call("create_repository", "a-b", "c"))
    gem = "rails-1-1.0.gem"
    calls = [
        Call(one.function, one.arguments, {"p_files": [content(gem, text)]})
        for one, text in zip(COLLIDING[pair], ("theirs", "ours"), strict=True)
    ]
    assert [world.session().do(one) for one in calls] == ["created", "created"]
    assert world.db.execute(
        "select count(distinct (namespace, registration_id, version_id)), count(distinct sha256)"
        " from pkgdb.files"
    ).fetchone() == (2, 2)
    assert world.violated() == set()


def colliding_request_keys(world: World) -> Race:
    """Two actors at work on two packages: nothing of theirs meets."""
    world.repository()
    return world.race(
        Package("generic", "rails")("publish", "1.0", p_actor="a-b", p_request_key="c"),
        Package("generic", "rake")("publish", "1.0", p_actor="a", p_request_key="b-c"),
    )


def test_holds(world: World) -> None:
    assert colliding_request_keys(world) == Race("created", "nothing", "created")
    assert world.violated() == set()


def test_fails_without_lists_as_lock_keys(world: World) -> None:
    race = colliding_request_keys(world.without("lists as lock keys"))
    assert race == Race("created", "lock", "created")


LISTS = [
    ["a-b", "c", "d"],
    ["a", "b-c", "d"],
    ["a", "b", "c-d"],
    ["a,b", "c", "d"],
    ["a", "b,c", "d"],
    ["{a", "b}", "c,d"],
    ['a","b', "c", "d"],
    ["a", "b", "c"],
    ["", "a-b", "c"],
    ["a-b", "c", ""],
]


def same_request_locks(world: World) -> list[tuple[list[str], list[str]]]:
    keys = {
        tuple(parts): world.db.execute(
            "select (pkgdb.request_lock(%s, %s, %s)).key", parts
        ).fetchone()
        for parts in LISTS
    }
    return [pair for pair in combinations(keys, 2) if keys[pair[0]] == keys[pair[1]]]


def test_no_two_lists_of_names_are_one_lock(world: World) -> None:
    assert same_request_locks(world) == []
    assert same_request_locks(world.without("lists as lock keys")) != []


def test_no_unique_index_is_on_an_expression(world: World) -> None:
    """Joined columns would be one."""
    assert (
        world.db.execute(
            """
        select i.indexrelid::regclass::text
          from pg_index i
          join pg_class t on t.oid = i.indrelid
         where t.relnamespace = 'pkgdb'::regnamespace and i.indisunique and i.indexprs is not null
        """
        ).fetchall()
        == []
    )


def test_bytes_are_addressed_by_their_digest(world: World) -> None:
    key = "select pg_get_constraintdef(oid) from pg_constraint where conname = 'blob_pkey'"
    assert world.db.execute(key).fetchone() == ("PRIMARY KEY (namespace, sha256)",)
