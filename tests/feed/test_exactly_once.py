"""A consumer that keeps its cursor beside its effects, in one transaction, killed many times."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls
from tests.feed.support import publish, sequence
from tests.support import wait_until

Connect = Callable[..., psycopg.Connection[Any]]

STORE = """
    create table public.total (name text primary key, events bigint not null);
    create table public.log (entry bigint generated always as identity, position bigint not null);
    create table public.cursor (position bigint not null, incarnation uuid);
    insert into public.cursor values (0, null);
"""
COUNT = """
    insert into public.total values (%(name)s, 1)
    on conflict (name) do update set events = total.events + 1
"""


@dataclass
class Consumer:
    """Counts events: what is done twice shows. At each step its server process may be killed."""

    connect: Connect
    observer: psycopg.Connection[Any]
    chance: random.Random
    together: bool = True  # effects and cursor
    deaths: int = 0

    def maybe_die(self, connection: psycopg.Connection[Any]) -> None:
        if self.chance.random() < 0.08:
            self.deaths += 1
            pid = connection.info.backend_pid
            self.observer.execute("select pg_terminate_backend(%s)", [pid])
            gone = "select not exists (select from pg_stat_activity where pid = %s)"
            wait_until(self.observer, gone, [pid])

    def batch(self, connection: psycopg.Connection[Any]) -> bool:
        """Do what a few events ask for; False at the end."""
        cursor = connection.execute("select position, incarnation from public.cursor").fetchone()
        assert cursor is not None
        page = Calls(connection).rows("read_events", "acme", cursor[0], 3, incarnation=cursor[1])
        self.maybe_die(connection)
        for event in page:
            connection.execute(COUNT, {"name": event.name})
            connection.execute("insert into public.log (position) values (%s)", [event.position])
            self.maybe_die(connection)
        if page:
            if not self.together:
                connection.commit()
                self.maybe_die(connection)
            connection.execute(
                "update public.cursor set position = %s, incarnation = %s",
                [page[-1].position, page[-1].incarnation],
            )
        self.maybe_die(connection)
        connection.commit()
        self.maybe_die(connection)
        return bool(page)

    def run(self) -> None:
        """Live, die, live again."""
        while True:
            connection = self.connect(autocommit=False)
            try:
                while self.batch(connection):
                    pass
            except psycopg.OperationalError:
                continue
            return


def consume(connect: Connect, db: psycopg.Connection[Any], seed: int, **how: bool) -> Consumer:
    """Of 61 events."""
    db.execute(STORE)
    acme = Calls(db).at("acme")
    acme.create_repository("main")
    for number in range(60):
        publish(acme, f"1.{number}", name=f"package-{number % 7}")
    sequence(acme)
    consumer = Consumer(connect, db, random.Random(seed), **how)
    consumer.run()
    return consumer


def done(db: psycopg.Connection[Any]) -> list[int]:
    return [row[0] for row in db.execute("select position from public.log order by entry")]


@pytest.mark.parametrize("seed", range(4))
def test_each_event_has_its_effect_once(db, connect, seed):
    consumer = consume(connect, db, seed)
    assert consumer.deaths >= 3
    assert done(db) == list(range(1, 62))
    totals = dict(db.execute("select name, events from public.total").fetchall())
    assert totals == dict(db.execute("select name, count(*) from pkgdb.feed_event group by 1"))


@pytest.mark.parametrize("seed", range(4))
def test_a_cursor_kept_apart_repeats_effects(db, connect, seed):
    consume(connect, db, seed, together=False)
    repeated = done(db)
    assert len(repeated) > len(set(repeated)) == 61


@pytest.mark.parametrize("seed", range(4))
def test_a_cursor_of_the_registry_repeats_but_skips_nothing(db, connect, seed):
    """For effects elsewhere: at least once, in order. The consumer acknowledges after them."""
    acme = Calls(db).at("acme")
    acme.create_repository("main")
    acme.register_consumer("elsewhere")
    publish(acme, *map(str, range(60)))
    sequence(acme)
    chance = random.Random(seed)
    effects: list[int] = []
    while page := acme.rows("read_events", limit=5, consumer="elsewhere"):
        for event in page:
            effects.append(event.position)
            if chance.random() < 0.1:
                break  # killed; the next life asks for the cursor again
        else:
            acme.acknowledge_events("elsewhere", page[-1].position, page[-1].incarnation)
    assert len(effects) > 61
    assert list(dict.fromkeys(effects)) == list(range(1, 62))
