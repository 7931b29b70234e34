"""NuGet's db2catalog, Warehouse #13936, RubyGems' /versions: readers keep a timestamp or a serial
as their cursor, and a transaction that got its own early and commits late is skipped for ever.
Right: positions are given after the commit, so nothing comes before what someone has read."""

from collections.abc import Callable

import psycopg

from tests.incidents.support import Package, World, call

SLOW, FAST = Package("generic", "slow"), Package("generic", "fast")
Page = Callable[[psycopg.Connection, object, int], list[tuple[object, str]]]

POSITIONS_AT_INSERT = """
    create sequence public.position;
    create function public.place() returns trigger language plpgsql security definer
    as $$
    begin
        insert into pkgdb.feed_event
        select new.namespace, nextval('public.position'), gen_random_uuid(), new.event_id,
               new.event, new.repository_id, new.registration_id, new.version_id, new.snapshot_id,
               new.distribution_id, new.revision,
               new.ecosystem, new.name, new.version, new.variant, new.actor, new.login,
               new.occurred_at, new.occurred_at;
        return null;
    end $$;
    create trigger place before insert on pkgdb.outbox
        for each row execute function public.place();
    -- Readers may go as far as they like.
    insert into pkgdb.namespace values ('acme', now());
    insert into pkgdb.feed_head values ('acme', 1000, 0);
"""


def by_position(db: psycopg.Connection, cursor: object, size: int) -> list[tuple[object, str]]:
    """A page: what to read after next time, and what each event is about."""
    query = "select position, name from pkgdb.read_events('acme', %s, %s)"
    return db.execute(query, [cursor, size]).fetchall()


def by_time(db: psycopg.Connection, cursor: object, size: int) -> list[tuple[object, str]]:
    """The same as those registries had it."""
    query = """
        select occurred_at, name from pkgdb.feed_event
         where %(cursor)s::timestamptz is null or occurred_at > %(cursor)s
         order by occurred_at limit %(size)s"""
    return db.execute(query, {"cursor": cursor, "size": size}).fetchall()


def a_late_committer(world: World, page: Page = by_position) -> list[str]:
    """What a reader has seen who came by before and after the commit."""
    world.repository()
    seen: list[str] = []
    cursor: object = None

    def read_on() -> None:
        nonlocal cursor
        world.given(call("sequence_events", "acme"))
        while found := page(world.db, cursor, 1):
            ((cursor, name),) = found
            seen.append(name)

    slow, fast = world.session(), world.session()
    slow.begin()
    slow.do(SLOW("publish", "1.0"))
    fast.do(FAST("publish", "1.0"))
    read_on()
    slow.commit()
    read_on()
    return seen


def test_holds(world: World) -> None:
    assert a_late_committer(world) == ["main", "fast", "slow"]
    assert world.violated() == set()


def test_fails_by_time(world: World) -> None:
    assert a_late_committer(world, by_time) == ["main", "fast"]


def test_fails_with_positions_at_insert(world: World) -> None:
    world.db.execute(POSITIONS_AT_INSERT)
    assert a_late_committer(world) == ["main", "fast"]
    positions = world.db.execute("select name from pkgdb.feed_event order by position").fetchall()
    assert positions == [("main",), ("slow",), ("fast",)]
