"""Warehouse #19660, #19684, #19735: serials without gaps, by one lock that all publishers hold
through their uploads: queues and deadlocks. Right: no publish waits for another package's, nor for
whoever gives the positions; and neither they nor the feed wait for a transaction left open."""

import pytest

from tests.incidents import protections
from tests.incidents.support import Package, Session, World, call
from tests.support import backend_pid

ONE, OTHER = Package("generic", "one"), Package("generic", "other")
SEQUENCE = call("sequence_events", "acme")

SERIALS_WITHOUT_GAPS = """
    create function public.count_up() returns trigger language plpgsql security definer as $$
    begin
        update pkgdb.feed_head set position = position + 1 where namespace = new.namespace;
        return new;
    end $$;
    create trigger count_up before insert on pkgdb.outbox
        for each row execute function public.count_up();
"""
WATERMARK = protections.Edit(
    "sequence_events",
    r"where o\.namespace = p_namespace",
    "where o.namespace = p_namespace"
    " and o.xmin::text::bigint < pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
)


def while_open(world: World, busy: Session) -> tuple[str, str]:
    """What a publish in another session waits for, and its answer."""
    publisher = world.session()
    publisher.start(ONE("publish", "2.0"))
    waited = publisher.settle()
    busy.commit()
    return waited, publisher.answer()


def while_sequencing(world: World) -> tuple[str, str]:
    world.repository()
    world.given(ONE("publish", "1.0"), SEQUENCE, ONE("publish", "1.1"))
    sequencer = world.session()
    sequencer.begin()
    assert sequencer.do(SEQUENCE) == "1"
    return while_open(world, sequencer)


def while_another_publishes(world: World) -> tuple[str, str]:
    world.repository()
    world.given(ONE("publish", "1.0"), SEQUENCE)
    uploader = world.session()
    uploader.begin()
    assert uploader.do(OTHER("publish", "1.0")) == "created"
    return while_open(world, uploader)


@pytest.mark.parametrize("meanwhile", [while_sequencing, while_another_publishes])
def test_holds(world: World, meanwhile) -> None:
    assert meanwhile(world) == ("nothing", "created")
    assert SEQUENCE.execute(world.db) in ("1", "2")
    assert world.violated() == set()


@pytest.mark.parametrize("meanwhile", [while_sequencing, while_another_publishes])
def test_fails_with_serials_without_gaps(world: World, meanwhile) -> None:
    world.db.execute(SERIALS_WITHOUT_GAPS)
    assert meanwhile(world) == ("row", "created")


def feed_while_open(world: World) -> list[str]:
    """What readers get while an upload has been open since before it."""
    world.repository()
    uploader = world.session()
    uploader.begin()
    assert uploader.do(OTHER("publish", "1.0")) == "created"
    world.given(ONE("publish", "1.0"), SEQUENCE)
    names = world.db.execute("select name from pkgdb.read_events('acme')").fetchall()
    uploader.rollback()
    return [name for (name,) in names]


def test_an_open_transaction_does_not_hold_up_the_feed(world: World) -> None:
    assert feed_while_open(world) == ["main", "one"]


def test_it_would_with_a_watermark(world: World) -> None:
    protections.edit(world.db, WATERMARK)
    assert feed_while_open(world) == ["main"]


def test_a_publisher_shares_no_lock_with_a_sequencer(world: World) -> None:
    """None of those that could make either of them wait, whatever they do next."""
    world.repository()
    world.given(ONE("publish", "1.0"))
    sequencer, publisher = world.session(), world.session()
    for session, what in ((sequencer, SEQUENCE), (publisher, ONE("publish", "1.1"))):
        session.begin()
        session.do(what)
    shared = world.db.execute(
        """
        select distinct one.locktype, one.relation::regclass::text, one.mode, other.mode
          from pg_locks one
          join pg_locks other
            on (one.locktype, one.database, one.relation, one.page, one.tuple, one.classid,
                one.objid, one.objsubid, one.transactionid, one.virtualxid)
               is not distinct from
               (other.locktype, other.database, other.relation, other.page, other.tuple,
                other.classid, other.objid, other.objsubid, other.transactionid, other.virtualxid)
         where one.pid = %s and other.pid = %s
        """,
        [backend_pid(sequencer.connection), backend_pid(publisher.connection)],
    ).fetchall()
    assert {"relation"} == {kind for kind, *_ in shared}
    harmless = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
    assert {mode for _, _, *modes in shared for mode in modes} <= harmless
