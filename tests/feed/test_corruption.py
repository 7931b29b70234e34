"""check_integrity() finds what is wrong with events, positions and cursors, wherever it stands: in
the outbox or in the feed, pruned or not."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls
from tests.feed.support import begin_elsewhere, publish, publish_and_sequence

DEMO = """namespace = 'acme' and registration_id = (
    select registration_id from pkgdb.registration where name = 'demo' and namespace = 'acme')"""
NO_CHECKS = "set local session_replication_role = replica;"
COLUMNS = """
    namespace, {event_id}, event, repository_id, registration_id, version_id, revision, ecosystem,
    name, version, variant, actor, login, occurred_at"""
INTO_OUTBOX = f"insert into pkgdb.outbox ({COLUMNS.format(event_id='event_id')})"


def again(event_id: str, source: str) -> str:
    """Events of demo once more in the outbox."""
    columns = COLUMNS.format(event_id=event_id)
    return f"{INTO_OUTBOX} overriding system value select {columns} from {source}"


def swap(table: str, key: str) -> str:
    """The first and the last event of demo change places."""
    return f"""
        {NO_CHECKS}
        update pkgdb.{table} e set revision = p.lowest + p.highest - e.revision
          from (select min(revision) as lowest, max(revision) as highest
                  from pkgdb.{table} where {DEMO}) p
         where e.{DEMO} and e.revision in (p.lowest, p.highest)"""


@pytest.fixture(scope="module")
def fed(new_database: Callable[..., str], template: str) -> Iterator[psycopg.Connection[Any]]:
    """Positions 1 to 8, three of them pruned, in two histories; two events wait. A namespace
    `young` of which nothing was pruned, and one, `new`, that was never sequenced. Tests undo what
    they do."""
    with psycopg.connect(new_database(template), autocommit=True) as connection:
        api = Calls(connection)
        for namespace in ("acme", "young", "new"):
            api.create_repository(namespace, "main")
        acme, young = api.at("acme"), api.at("young")
        publish_and_sequence(acme, "1", "2", "3", "4")
        begin_elsewhere(connection)
        publish_and_sequence(acme, "5", "6", "7")
        publish(acme, "8", "9")
        acme.prune_events("0", 3)
        acme.register_consumer("indexer", 5)
        publish_and_sequence(young, "1")
        yield connection


def check(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute("select * from pkgdb.check_integrity()").fetchall()


CORRUPTIONS = {
    "an event that is lost from the feed": (
        f"delete from pkgdb.feed_event where position = 6 and {DEMO}",
        {"registration": r"^revision 9, but 6 events up to revision 9", "feed_head": "^positions"},
    ),
    "an event that is lost from the outbox": (
        "delete from pkgdb.outbox where version = '8'",
        {"registration": r"^revision 9, but 6 events up to revision 9"},
    ),
    "the last event lost": (
        "delete from pkgdb.outbox where version = '9'",
        {"registration": r"^revision 9, but 6 events up to revision 8"},
    ),
    "the first event left lost": (
        "delete from pkgdb.feed_event where position = 4",
        {"feed_head": r"^positions after 3 up to 8, but 4 events from 5 to 8"},
    ),
    "the first event of what was never pruned": (
        "delete from pkgdb.feed_event where namespace = 'young' and position = 1",
        {"repository": r"^revision 1, but 0 events", "feed_head": "^positions after 0 up to 2"},
    ),
    "the event of a repository that was never sequenced": (
        "delete from pkgdb.outbox where namespace = 'new'",
        {"repository": r"^revision 1, but 0 events"},
    ),
    "the third change of what is gone, and none before it": (
        again("-1", "pkgdb.outbox where namespace = 'new'")
        + "; update pkgdb.outbox set registration_id = -1, revision = 3 where event_id = -1",
        {"registration": "^revision unknown, but 1 events up to revision 3"},
    ),
    "an event of the future": (
        again("1000000", "pkgdb.outbox where version = '9'")
        + "; update pkgdb.outbox set revision = 10 where event_id = 1000000",
        {"registration": r"^revision 9, but 8 events up to revision 10"},
    ),
    "an event both waiting and in the feed": (
        again("event_id", "pkgdb.feed_event where position = 5 and namespace = 'acme'"),
        {
            "feed_event": "^the event is there 2 times",
            "outbox": "^2 events for one revision",
            "registration": "^revision 9, but 8 events up to revision 9",
        },
    ),
    "a revision told twice": (
        again("1000000", "pkgdb.outbox where version = '8'"),
        {
            "outbox": "^2 events for one revision",
            "registration": "^revision 9, but 8 events up to revision 9",
        },
    ),
    "events in another order in the feed": (
        swap("feed_event", "position"),
        {"feed_event": r"^revision \d comes before revision \d"},
    ),
    "events in another order in the outbox": (
        swap("outbox", "event_id"),
        {"outbox": r"^revision 9 comes before revision 8"},
    ),
    "a later one in the feed, an earlier one waiting": (
        """update pkgdb.outbox set revision = 7 where version = '8';
        update pkgdb.feed_event set revision = 8 where version = '7'""",
        {"feed_event": r"^revision 8 comes before revision 7"},
    ),
    "a hole in the positions": (
        "update pkgdb.feed_event set position = 9 where position = 8",
        {"feed_head": r"^positions after 3 up to 8, but 5 events from 4 to 9"},
    ),
    "a head that is behind": (
        "update pkgdb.feed_head set position = 7 where namespace = 'acme'",
        {"feed_head": r"^positions after 3 up to 7, but 5 events from 4 to 8"},
    ),
    "a head that is ahead": (
        "update pkgdb.feed_head set position = 9 where namespace = 'acme'",
        {"feed_head": r"^positions after 3 up to 9, but 5 events"},
    ),
    "no head": (
        NO_CHECKS + "delete from pkgdb.feed_head where namespace = 'acme'",
        {
            "feed_head": "^positions after 0 up to 0, but 5 events from 4 to 8",
            "consumer": "^position 5 is not from 0 to 0",
            "feed_incarnation": "^does not begin where",
            "repository": "^revision 1, but 0 events",
            "registration": "^revision 9, but 7 events up to revision 9",
        },
    ),
    "an empty feed": (
        "delete from pkgdb.feed_event where namespace = 'acme'",
        {"feed_head": "^positions after 3 up to 8, but no events"},
    ),
    "a history that nobody knows": (
        "update pkgdb.feed_event set incarnation = gen_random_uuid() where position = 6",
        {"feed_event": "^the position is not of its incarnation"},
    ),
    "an event of an earlier history": (
        """update pkgdb.feed_event e set incarnation = o.incarnation
             from pkgdb.feed_event o where o.position = 4 and e.position = 7""",
        {"feed_event": "^the position is not of its incarnation"},
    ),
    "a history that begins later": (
        "update pkgdb.feed_incarnation set began_after = 6 where number = 2",
        {"feed_event": "^the position is not of its incarnation"},
    ),
    "a history that begins after the end": (
        "update pkgdb.feed_incarnation set began_after = 9 where number = 2",
        {"feed_incarnation": "^does not begin where", "feed_event": "^the position is not of"},
    ),
    "a first history that does not begin at the beginning": (
        "update pkgdb.feed_incarnation set began_after = 1 where number = 1",
        {"feed_incarnation": "^does not begin where", "feed_event": "^the position is not of"},
    ),
    "a history that is missing": (
        "delete from pkgdb.feed_incarnation where number = 1 and namespace = 'acme'",
        {"feed_incarnation": "^does not begin where", "feed_event": "^the position is not of"},
    ),
    "a cursor beyond the end": (
        "update pkgdb.consumer set position = 9",
        {"consumer": "^position 9 is not from 3 to 8"},
    ),
    "a cursor before what is left": (
        "update pkgdb.consumer set position = 2",
        {"consumer": "^position 2 is not from 3 to 8"},
    ),
}


def test_a_history_of_calls_is_clean(fed):
    view = "select head, pruned_to, waiting from pkgdb.feed_positions order by namespace"
    assert fed.execute(view).fetchall() == [(8, 3, 2), (0, 0, 1), (2, 0, 0)]
    assert check(fed) == []


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_corruption_is_found(fed, kind):
    by_hand, expected = CORRUPTIONS[kind]
    with fed.transaction(force_rollback=True):
        fed.execute(by_hand)
        found = check(fed)
        assert {promise for promise, *_ in found} == {"feed"}
        for relation, detail in expected.items():
            assert any(r == relation and re.search(detail, d) for _, r, _, d in found), found
        assert {relation for _, relation, *_ in found} == expected.keys(), found

        # Each namespace is asked about its own rows.
        by_namespace = {"acme": [], "young": [], "new": []}
        for row in found:
            by_namespace[row[2]["namespace"]].append(row)
        for namespace, rows in by_namespace.items():
            asked = "select * from pkgdb.check_integrity(%s)"
            assert sorted(fed.execute(asked, [namespace]), key=repr) == sorted(rows, key=repr)
    assert check(fed) == []


WITHOUT_ROW = {
    ("no head", "feed_head"),
    ("the third change of what is gone, and none before it", "registration"),
}


def test_keys_lead_to_the_row(fed):
    for kind, (by_hand, _) in CORRUPTIONS.items():
        with fed.transaction(force_rollback=True):
            fed.execute(by_hand)
            for _, relation, key, _ in check(fed):
                where = " and ".join(f"{column} = %({column})s" for column in key)
                query = f"select from pkgdb.{relation} where {where}"
                rows = fed.execute(query, key).fetchall()
                assert rows or (kind, relation) in WITHOUT_ROW, (kind, key)
