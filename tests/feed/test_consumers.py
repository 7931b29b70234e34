"""Cursors that are kept in the database, and the pruning of what they have passed."""

import psycopg
import pytest

from tests.feed.support import begin_elsewhere, publish, publish_and_sequence, sequence, told
from tests.incidents.support import Race, call

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def six(acme):
    """Positions 1 to 6."""
    publish_and_sequence(acme, *map(str, range(2, 7)))
    return acme


def test_a_consumer_reads_on_from_its_cursor(six):
    (incarnation,) = {event.incarnation for event in six.rows("read_events")}
    assert six.register_consumer("indexer") == ("indexer", None, 0, "registered")
    page = six.rows("read_events", limit=4, consumer="indexer")
    assert [event.position for event in page] == [1, 2, 3, 4]
    assert six.rows("read_events", limit=4, consumer="indexer") == page

    answer = six.acknowledge_events("indexer", 4)
    assert answer == ("indexer", incarnation, 4, "acknowledged")
    assert [e.position for e in six.rows("read_events", consumer="indexer")] == [5, 6]
    six.acknowledge_events("indexer", 6, incarnation)
    assert six.rows("read_events", consumer="indexer") == []
    publish_and_sequence(six, "7")
    assert told(six.rows("read_events", consumer="indexer")) == [(7, "7")]


def test_registering_again_changes_nothing(six):
    six.register_consumer("indexer", 2)
    six.acknowledge_events("indexer", 3)
    with six.changes_nothing():
        for position in (0, 2, 3, 5, 99):
            again = six.register_consumer("indexer", position)
            assert (again.position, again.outcome) == (3, "unchanged")


def test_a_cursor_only_moves_forward(six):
    six.register_consumer("indexer")
    six.acknowledge_events("indexer", 5)
    with six.changes_nothing():
        for position in (5, 4, 0):
            again = six.acknowledge_events("indexer", position)
            assert (again.position, again.outcome) == (5, "unchanged")


def test_a_consumer_may_come_before_the_first_event(acme):
    assert acme.register_consumer("indexer").position == 0
    publish_and_sequence(acme, "1")
    assert told(acme.rows("read_events", consumer="indexer")) == [(1, "main"), (2, "1")]


def test_a_dropped_consumer_is_forgotten(six):
    six.register_consumer("indexer", 6)
    assert six.drop_consumer("indexer")[0] is True
    with six.changes_nothing():
        assert six.drop_consumer("indexer")[0] is False
    with six.refused("RG404"):
        six.rows("read_events", consumer="indexer")
    assert six.register_consumer("indexer") == ("indexer", None, 0, "registered")


def test_a_cursor_names_the_history_of_its_event(six, db):
    six.register_consumer("indexer")
    begin_elsewhere(db)
    publish_and_sequence(six, "7")
    of = {event.position: event.incarnation for event in six.rows("read_events")}
    assert of[6] != of[7]
    assert six.acknowledge_events("indexer", 6).incarnation == of[6]
    assert six.acknowledge_events("indexer", 7).incarnation == of[7]


def test_view(six):
    (incarnation,) = {event.incarnation for event in six.rows("read_events")}
    six.register_consumer("mirror")
    six.register_consumer("indexer", 4)
    rows = six.ask("select * from pkgdb.consumers order by consumer")
    assert [row[:5] for row in rows] == [
        ("acme", "indexer", incarnation, 4, 2),
        ("acme", "mirror", None, 0, 6),
    ]
    six.acknowledge_events("mirror", 1)
    (changed,) = six.ask("select * from pkgdb.consumers where consumer = 'mirror'")
    assert changed.created_at == rows[1].created_at < changed.updated_at


# Pruning.


def positions(acme):
    (row,) = acme.ask("select head, pruned_to from pkgdb.feed_positions where namespace = 'acme'")
    kept = acme.rows("read_events", row.pruned_to)
    return row.pruned_to, [event.position for event in kept]


def test_nothing_young_is_pruned(six):
    with six.changes_nothing():
        assert six.prune_events()[0] == 0
        assert six.prune_events("1 hour")[0] == 0


def test_only_what_is_old_goes_and_only_from_the_beginning(six, db):
    """A clock that was put back does not tear a hole."""
    db.execute("""
        update pkgdb.feed_event set sequenced_at = sequenced_at - interval '8 days'
         where position in (1, 2, 4)""")
    assert six.prune_events()[0] == 2
    assert positions(six) == (2, [3, 4, 5, 6])
    assert six.prune_events("9 days")[0] == 0
    assert six.prune_events()[0] == 0


def test_in_chunks(six):
    assert [six.prune_events("0", 4)[0] for _ in range(3)] == [4, 2, 0]
    assert positions(six) == (6, [])
    publish_and_sequence(six, "7")
    assert positions(six) == (6, [7])


def test_not_what_a_consumer_needs(six):
    six.register_consumer("slow", 2)
    six.register_consumer("fast", 5)
    assert six.prune_events("0")[0] == 2
    assert positions(six) == (2, [3, 4, 5, 6])
    six.acknowledge_events("slow", 6)
    assert six.prune_events("0")[0] == 3
    six.drop_consumer("fast")
    assert six.prune_events("0")[0] == 1


def test_what_waits_is_not_pruned(six):
    publish(six, "7")
    assert six.prune_events("0")[0] == 6
    assert sequence(six) == 1
    assert positions(six) == (6, [7])


def test_a_feed_that_there_is_not(api, acme):
    with api.changes_nothing():
        assert acme.prune_events("0")[0] == 0
        assert api.prune_events("no such namespace", "0")[0] == 0


def test_who_needs_what_was_pruned_is_told(six):
    six.prune_events("0", 3)
    for after in (None, 0, 2):
        with six.refused("RG410"):
            six.rows("read_events", after)
    assert [event.position for event in six.rows("read_events", 3)] == [4, 5, 6]
    with six.refused("RG410"):
        six.register_consumer("late", 2)
    assert six.register_consumer("late", 3).position == 3


REGISTER, PRUNE = call("register_consumer", "acme", "late"), call("prune_events", "acme", "0")


def pruned_while_registering(world):
    """What the two are told, and what the consumer then reads. It has looked at the feed, and is
    about to write its cursor, when the other comes."""
    world.repository()
    world.given(call("sequence_events", "acme"))
    late, pruner = world.session(), world.session()
    with world.pause("consumer"):
        late.start(REGISTER)
        assert late.settle() == "pause"
        pruner.start(PRUNE)
        waited = pruner.settle()
    race = Race(late.answer(), waited, pruner.answer())
    return race, late.do(call("read_events", "acme", p_consumer="late")), world.violated()


def test_pruning_waits_for_who_registers(world):
    race = Race("registered", "row", "0")
    assert pruned_while_registering(world) == (race, "None", set())


def test_without_waiting_what_is_needed_is_pruned(world, without_lock):
    without_lock("register_consumer", "for key share")
    race = Race("registered", "nothing", "1")
    assert pruned_while_registering(world) == (race, "RG410", {"feed"})


def test_registering_waits_for_who_prunes(world):
    world.repository()
    world.given(call("sequence_events", "acme"))
    assert world.race(PRUNE, REGISTER) == Race("1", "row", "RG410")


def test_registering_does_not_wait_for_a_sequencer(world):
    world.repository()
    world.given(call("sequence_events", "acme"))
    world.repository("second")
    race = world.race(call("sequence_events", "acme"), REGISTER)
    assert race == Race("1", "nothing", "registered")


def test_two_register_at_once(world):
    world.repository()
    world.given(call("sequence_events", "acme"))
    assert world.race(REGISTER, REGISTER) == Race("registered", "row", "unchanged")


def test_two_acknowledge_at_once(world):
    """The lower one comes later, and changes nothing."""
    world.repository()
    for name in "bcd":
        world.repository(name)
    world.given(call("sequence_events", "acme"), call("register_consumer", "acme", "c"))
    far, near = (call("acknowledge_events", "acme", "c", n) for n in (4, 2))
    assert world.race(far, near) == Race("acknowledged", "row", "unchanged")
    assert world.db.execute("select position from pkgdb.consumers").fetchall() == [(4,)]


def test_two_acknowledge_at_once_without_a_lock(world, without_lock):
    without_lock("acknowledge_events", "for no key update")
    with pytest.raises(AssertionError):
        test_two_acknowledge_at_once(world)
    assert world.db.execute("select position from pkgdb.consumers").fetchall() == [(2,)]


ERRORS = {
    "register in no namespace": ("RG400", "register_consumer", (None, "c")),
    "register nobody": ("RG400", "register_consumer", ("acme", None)),
    "register an empty name": ("RG400", "register_consumer", ("acme", "")),
    "register a long name": ("RG400", "register_consumer", ("acme", "c" * 256)),
    "register a name with a line break": ("RG400", "register_consumer", ("acme", "a\nb")),
    "register nowhere": ("RG400", "register_consumer", ("acme", "new", None)),
    "register before the beginning": ("RG400", "register_consumer", ("acme", "new", -1)),
    "register in an unknown namespace": ("RG404", "register_consumer", ("other", "c")),
    "register before what is left": ("RG410", "register_consumer", ("acme", "new", 1)),
    "register beyond the end": ("RG422", "register_consumer", ("acme", "new", 7)),
    "acknowledge in no namespace": ("RG400", "acknowledge_events", (None, "c", 4)),
    "acknowledge for nobody": ("RG400", "acknowledge_events", ("acme", None, 4)),
    "acknowledge nothing": ("RG400", "acknowledge_events", ("acme", "c", None)),
    "acknowledge less than nothing": ("RG400", "acknowledge_events", ("acme", "c", -1)),
    "acknowledge for someone unknown": ("RG404", "acknowledge_events", ("acme", "d", 4)),
    "acknowledge in an unknown namespace": ("RG404", "acknowledge_events", ("other", "c", 4)),
    "acknowledge what is not there yet": ("RG422", "acknowledge_events", ("acme", "c", 7)),
    "acknowledge another history": ("RG412", "acknowledge_events", ("acme", "c", 4, NOBODY)),
    "drop in no namespace": ("RG400", "drop_consumer", (None, "c")),
    "drop nobody": ("RG400", "drop_consumer", ("acme", None)),
    "prune no namespace": ("RG400", "prune_events", (None,)),
    "prune no limit": ("RG400", "prune_events", ("acme", "0", None)),
    "prune limit 0": ("RG400", "prune_events", ("acme", "0", 0)),
    "prune limit 100001": ("RG400", "prune_events", ("acme", "0", 100_001)),
    "keep nothing said": ("RG400", "prune_events", ("acme", None)),
    "keep less than nothing": ("RG400", "prune_events", ("acme", "-1 second")),
    "keep longer than a calendar": ("RG400", "prune_events", ("acme", "1001 years")),
}


@pytest.mark.parametrize("kind", ERRORS)
def test_refused(api, six, kind):
    six.prune_events("0", 2)
    six.register_consumer("c", 3)
    sqlstate, function, arguments = ERRORS[kind]
    with api.refused(sqlstate):
        api.rows(function, *arguments)


CHANGES = {
    "register_consumer": ("acme", "new", 6),
    "acknowledge_events": ("acme", "c", 6),
    "drop_consumer": ("acme", "c"),
    "prune_events": ("acme", "0"),
}


@pytest.mark.parametrize("function", CHANGES)
@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_changes_need_read_committed(api, six, connect, function, level):
    six.register_consumer("c", 3)
    session = connect(autocommit=False)
    session.execute(f"set transaction isolation level {level}")
    with pytest.raises(psycopg.Error) as caught:
        api.on(session).rows(function, *CHANGES[function])
    assert caught.value.sqlstate == "RG405"
    session.rollback()
    api.on(session).rows(function, *CHANGES[function])
