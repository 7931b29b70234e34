"""From the outbox to the feed, and out of it page by page."""

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.behaviour.calls import dump
from tests.feed.support import begin_elsewhere, publish, publish_and_sequence, sequence, told
from tests.incidents.support import Race, call

SHARED = """
    event_id, event, repository_id, registration_id, version_id, revision, ecosystem, name, version,
    variant, actor, login, occurred_at"""


def test_an_event_comes_as_it_was_written(api, acme):
    acme.publish("main", "deb", "demo", "1.0", "amd64", actor="alice")
    acme.yank("main", "deb", "demo", "1.0", "amd64")
    written = api.ask(f"select {SHARED} from pkgdb.outbox order by event_id")
    (before,) = api.ask("select clock_timestamp() as now")

    assert sequence(acme) == 3
    assert api.ask(f"select {SHARED} from pkgdb.read_events('acme')") == written
    assert api.ask("select * from pkgdb.outbox") == []
    events = acme.rows("read_events")
    assert [event.position for event in events] == [1, 2, 3]
    assert [event.event for event in events] == ["repository_created", "created", "yanked"]
    assert {event.namespace for event in events} == {"acme"}
    assert all(event.occurred_at < before.now < event.sequenced_at for event in events)


def test_positions_go_on_from_call_to_call(acme):
    publish(acme, "1", "2", "3", "4")
    assert [sequence(acme, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    publish(acme, "5")
    assert sequence(acme) == 1
    everything = [(1, "main"), (2, "1"), (3, "2"), (4, "3"), (5, "4"), (6, "5")]
    assert told(acme.rows("read_events")) == everything


def test_what_is_not_committed_is_not_there(acme, connect):
    open_one, lost_one = connect(autocommit=False), connect(autocommit=False)
    publish(acme.on(open_one), "open")
    publish(acme.on(lost_one), "lost", name="other")
    publish(acme, "done", name="third")
    assert sequence(acme) == 2
    lost_one.rollback()
    open_one.commit()
    assert sequence(acme) == 1
    assert told(acme.rows("read_events")) == [(1, "main"), (2, "done"), (3, "open")]


def test_a_prepared_transaction_is_not_committed(acme, connect, db):
    session = connect(autocommit=False)
    publish(acme.on(session), "1")
    session.execute("prepare transaction 'feed'")
    assert sequence(acme) == 1
    db.execute("commit prepared 'feed'")
    assert sequence(acme) == 1
    assert told(acme.rows("read_events", after=1)) == [(2, "1")]


def test_a_sequencer_that_fails_has_moved_nothing(acme, connect):
    publish(acme, "1")
    before = dump(acme.connection)
    session = connect(autocommit=False)
    assert sequence(acme.on(session)) == 2
    session.rollback()
    assert dump(acme.connection) == before
    assert sequence(acme) == 2


def test_one_transaction_may_publish_and_sequence(acme, connect):
    session = connect(autocommit=False)
    publish(acme.on(session), "1")
    assert sequence(acme.on(session)) == 2
    assert acme.rows("read_events") == []
    session.commit()
    assert told(acme.rows("read_events")) == [(1, "main"), (2, "1")]


def test_namespaces_have_feeds_of_their_own(api, acme):
    api.create_repository("other", "main")
    publish(acme, "1")
    publish(api.at("other"), "2")
    assert sequence(acme) == 2
    assert api.rows("read_events", "other") == []
    assert sequence(api.at("other")) == 2
    assert told(acme.rows("read_events")) == [(1, "main"), (2, "1")]
    assert told(api.rows("read_events", "other")) == [(1, "main"), (2, "2")]
    assert len({api.rows("read_events", name)[0].incarnation for name in ("acme", "other")}) == 2


def test_nothing_to_do_leaves_nothing_behind(api, acme):
    sequence(acme)
    with api.changes_nothing():
        assert sequence(acme) == 0
        assert sequence(api.at("no such namespace")) == 0


def two_sequencers(world):
    """What they are told, the positions that there are then, and what is broken."""
    world.repository()
    world.given(call("sequence_events", "acme"))
    for name in ("second", "third", "fourth"):
        world.repository(name)
    race = world.race(call("sequence_events", "acme", 2), call("sequence_events", "acme"))
    positions = world.db.execute("select position from pkgdb.feed_event order by 1").fetchall()
    return race, [position for (position,) in positions], world.violated()


def test_sequencers_take_turns(world):
    assert two_sequencers(world) == (Race("2", "row", "1"), [1, 2, 3, 4], set())


def test_without_turns_the_key_is_the_backstop(world, without_lock):
    """The later one gets an internal error, and another call moves what it did not."""
    without_lock("sequence_events", "for no key update")
    assert two_sequencers(world) == (Race("2", "row", "23505"), [1, 2, 3], set())
    assert world.session().do(call("sequence_events", "acme")) == "1"


def test_without_either_a_position_is_given_twice(world, db, without_lock):
    without_lock("sequence_events", "for no key update")
    db.execute("alter table pkgdb.feed_event drop constraint feed_event_pkey")
    assert two_sequencers(world)[:2] == (Race("2", "row", "1"), [1, 2, 2, 3])
    found = db.execute("select relation from pkgdb.check_integrity() where promise = 'feed'")
    assert ("feed_head",) in found.fetchall()


# Reading.


def test_pages(acme):
    publish_and_sequence(acme, *map(str, range(1, 7)))
    everything = told(acme.rows("read_events"))
    assert len(everything) == 7
    for size in range(1, 9):
        after, seen = None, []
        while page := acme.rows("read_events", after, size):
            assert len(page) <= size
            seen += told(page)
            after = page[-1].position
        assert seen == everything
    assert told(acme.rows("read_events", 0)) == everything
    assert acme.rows("read_events", 7) == []


def test_a_feed_without_events_is_empty(acme):
    assert acme.rows("read_events") == acme.rows("read_events", 0) == []


def test_a_reader_sees_one_moment(acme, connect):
    """Also in a transaction that only reads, at any isolation level."""
    publish_and_sequence(acme, "1")
    for level in (IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE):
        session = connect(autocommit=False)
        session.isolation_level = level
        session.read_only = True
        before = acme.on(session).rows("read_events")
        publish_and_sequence(acme, f"{level}")
        assert acme.on(session).rows("read_events") == before
        session.rollback()
        assert len(acme.on(session).rows("read_events")) == len(before) + 1
        session.rollback()


MALFORMED = {
    "no namespace": ("read_events", (None,), {}),
    "an empty namespace": ("read_events", ("",), {}),
    "no limit": ("read_events", ("acme", 0, None), {}),
    "limit 0": ("read_events", ("acme", 0, 0), {}),
    "limit 10001": ("read_events", ("acme", 0, 10_001), {}),
    "before the beginning": ("read_events", ("acme", -1), {}),
    "a consumer and a position": ("read_events", ("acme", 1), {"consumer": "c"}),
    "a consumer and a history": (
        *("read_events", ("acme",)),
        {"consumer": "c", "incarnation": "00000000-0000-0000-0000-000000000000"},
    ),
    "an empty consumer": ("read_events", ("acme",), {"consumer": ""}),
    "sequence no namespace": ("sequence_events", (None,), {}),
    "sequence no limit": ("sequence_events", ("acme", None), {}),
    "sequence limit 0": ("sequence_events", ("acme", 0), {}),
    "sequence limit 100001": ("sequence_events", ("acme", 100_001), {}),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed(api, acme, kind):
    publish_and_sequence(acme, "1")
    function, arguments, named = MALFORMED[kind]
    with api.refused("RG400"):
        api.rows(function, *arguments, **named)


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_sequencing_needs_read_committed(acme, connect, level):
    session = connect(autocommit=False)
    session.execute(f"set transaction isolation level {level}")
    with pytest.raises(psycopg.Error) as caught:
        sequence(acme.on(session))
    assert caught.value.sqlstate == "RG405"


def test_no_such_feed(api, acme):
    with api.refused("RG404"):
        api.rows("read_events", "no such namespace")
    with api.refused("RG404"):
        acme.rows("read_events", consumer="nobody")


def test_a_position_that_is_not_there_yet(acme):
    """Nobody has ever read it here."""
    with acme.refused("RG412"):
        acme.rows("read_events", 1)
    publish_and_sequence(acme, "1")
    assert acme.rows("read_events", 2) == []
    with acme.refused("RG412"):
        acme.rows("read_events", 3)


def test_each_event_names_its_history(acme, db):
    publish_and_sequence(acme, "1")
    (first,) = {event.incarnation for event in acme.rows("read_events")}
    begin_elsewhere(db)
    publish_and_sequence(acme, "2")
    assert [e.incarnation == first for e in acme.rows("read_events")] == [True, True, False]


def test_positions_view(api, acme):
    api.create_repository("other", "main")
    publish_and_sequence(acme, "1", "2")
    publish(acme, "3")
    acme.prune_events("0", 1)
    (last,) = api.ask("select occurred_at from pkgdb.outbox where namespace = 'acme'")
    (event,) = acme.rows("read_events", 2)
    view = api.ask("select * from pkgdb.feed_positions order by namespace")
    assert view[0] == ("acme", 3, 1, event.incarnation, 1, last.occurred_at)
    assert view[1][:-1] == ("other", 0, 0, None, 1)
