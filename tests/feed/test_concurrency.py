"""Sixteen writers, two sequencers and two readers at once: each committed event exactly once."""

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from tests.behaviour.calls import Calls
from tests.feed.support import sequence
from tests.incidents import protections
from tests.support import PATIENCE

WRITERS = 16
NAMES = [f"package-{number}" for number in range(24)]
STEPS = 40

Connect = Callable[..., psycopg.Connection[Any]]
Step = tuple[str, str]  # what to do: publish a version of a package, commit, rollback, wait


@dataclass
class Plan:
    """Who does what at each step. Nobody waits for a lock that its holder keeps beyond the step."""

    steps: list[list[Step]] = field(default_factory=list)
    committed: set[tuple[str, str]] = field(default_factory=set)


def make_plan(seed: int) -> Plan:
    """Transactions of a few publishes, open for up to a dozen steps; one in five is rolled back."""
    chance = random.Random(seed)
    plan = Plan()
    held: list[set[str]] = [set() for _ in range(WRITERS)]
    written: list[list[tuple[str, str]]] = [[] for _ in range(WRITERS)]
    ends_at = [0] * WRITERS
    for step in range(STEPS + 1):
        row: list[Step] = []
        taken = set().union(*held)
        for writer in range(WRITERS):
            free = [name for name in NAMES if name not in taken or name in held[writer]]
            if held[writer] and (step >= ends_at[writer] or step == STEPS):
                how = "rollback" if chance.random() < 0.2 else "commit"
                plan.committed.update(written[writer] if how == "commit" else [])
                held[writer], written[writer] = set(), []
                row.append((how, ""))
            elif free and step < STEPS and chance.random() < 0.6:
                if not held[writer]:
                    ends_at[writer] = step + chance.randrange(1, 13)
                name = chance.choice(free)
                held[writer].add(name)
                taken.add(name)
                written[writer].append((name, f"1.{step}.{writer}"))
                row.append(("publish", name))
            else:
                row.append(("wait", ""))
        plan.steps.append(row)
    return plan


@dataclass
class Run:
    """What happened, and what is wrong with it."""

    committed: set[tuple[str, str]]
    feed: list[Any] = field(default_factory=list)
    seen: list[list[Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def problems(self) -> Iterator[str]:
        yield from self.errors
        published = [event for event in self.feed if event.event == "created"]
        if sorted((event.name, event.version) for event in published) != sorted(self.committed):
            yield "not each committed event exactly once"
        if [event.position for event in self.feed] != list(range(1, len(self.feed) + 1)):
            yield "positions with gaps"
        revisions = defaultdict(list)
        for event in published:
            revisions[event.name].append(event.revision)
        for name, given in revisions.items():
            if given != list(range(1, len(given) + 1)):
                yield f"events of {name} in another order than its revisions"
        if any(seen != self.feed for seen in self.seen):
            yield "a reader saw something else"


class Crowd:
    """Threads with connections of their own, until the writers are done."""

    def __init__(self, connect: Connect, seed: int) -> None:
        self.connect = connect
        self.seed = seed
        self.plan = make_plan(seed)
        self.run = Run(self.plan.committed)
        self.sequenced = threading.Event()  # all are done, and what they wrote is in the feed
        self.next_step = threading.Barrier(WRITERS + 2, timeout=PATIENCE)
        self.both = threading.Barrier(2, timeout=PATIENCE)

    def write(self, writer: int) -> None:
        acme = Calls(self.connect(autocommit=False)).at("acme")
        for number, row in enumerate(self.plan.steps):
            what, name = row[writer]
            if what == "publish":
                acme.publish("main", "generic", name, f"1.{number}.{writer}")
            elif what != "wait":
                acme.connection.execute(what)
            self.next_step.wait()

    def sequence(self, number: int) -> None:
        """While the others write, both at the same moment: one takes all, the other a few."""
        acme = Calls(self.connect()).at("acme")
        chance = random.Random(f"{self.seed} sequencer {number}")
        for _ in self.plan.steps:
            for _ in range(3):
                self.both.wait()
                try:
                    sequence(acme, chance.randrange(1, 4) if number else 100)
                except psycopg.errors.UniqueViolation as error:
                    self.run.errors.append(str(error))
            self.next_step.wait()

    def read(self, number: int) -> list[Any]:
        acme = Calls(self.connect()).at("acme")
        chance = random.Random(f"{self.seed} reader {number}")
        seen: list[Any] = []
        while True:
            done = self.sequenced.is_set()
            after, incarnation = (seen[-1].position, seen[-1].incarnation) if seen else (None, None)
            page = acme.rows("read_events", after, chance.randrange(1, 8), incarnation=incarnation)
            seen += page
            if done and not page:
                return seen

    def meet(self) -> Run:
        api = Calls(self.connect())
        api.create_repository("acme", "main")
        with ThreadPoolExecutor(WRITERS + 4) as threads:
            readers = [threads.submit(self.read, number) for number in range(2)]
            try:
                others = [threads.submit(self.sequence, number) for number in range(2)]
                others += [threads.submit(self.write, number) for number in range(WRITERS)]
                for other in others:
                    other.result()
                while sequence(api.at("acme"), 7):
                    pass
                self.run.feed = api.rows("read_events", "acme", limit=10_000)
            finally:
                self.sequenced.set()
            self.run.seen = [reader.result() for reader in readers]
        return self.run


@pytest.mark.parametrize("seed", range(3))
def test_each_committed_event_exactly_once(db, connect, seed):
    plan = make_plan(seed)
    actions = [what for row in plan.steps for what, _ in row]
    assert {what: actions.count(what) > 5 for what in set(actions)} == dict.fromkeys(
        ["publish", "commit", "rollback", "wait"], True
    )
    run = Crowd(connect, seed).meet()
    assert list(run.problems()) == []
    assert len(run.feed) == len(plan.committed) + 1 > 100
    assert db.execute("select * from pkgdb.check_integrity()").fetchall() == []


# Taken away: turns. Whoever has read the head waits a moment for the other one to have read it too.
MEET = """
    create function public.meet() returns void language plpgsql as $$
    declare
        v_until timestamptz := clock_timestamp() + interval '50 ms';
    begin
        perform pg_advisory_xact_lock_shared(77);
        loop
            exit when clock_timestamp() > v_until or 1 < (
                select count(*) from pg_locks where locktype = 'advisory' and objid = 77);
        end loop;
    end $$"""
NO_TURNS = protections.Edit(
    "sequence_events",
    r"\s+for no key update;(\s+exit when found;.*?end loop;)",
    ";\n exit when found;\n insert into pkgdb.feed_head (namespace) values (p_namespace)"
    " on conflict do nothing;\n end loop;\n perform public.meet();",
)


@pytest.fixture
def without_turns(db):
    db.execute(MEET)
    protections.edit(db, NO_TURNS)


def test_sequencers_that_do_not_take_turns_are_found_out(connect, without_turns):
    assert list(Crowd(connect, 0).meet().problems())


def test_positions_given_twice_are_found_out(db, connect, without_turns):
    db.execute("alter table pkgdb.feed_event drop constraint feed_event_pkey")
    assert "positions with gaps" in list(Crowd(connect, 0).meet().problems())
