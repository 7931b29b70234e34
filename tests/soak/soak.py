"""Everybody at work for some time, what was seen of the server meanwhile, and what is left."""

import os
import threading
import time
from random import Random
from typing import Any

import psycopg

from pkgdb.server import Server
from tests.behaviour.calls import Calls
from tests.crashes.clients import NAMESPACE, Load
from tests.soak.clients import DAYS, MONTH, Janitor, Reader, Soaker
from tests.soak.gauges import Observer, Record
from tests.soak.table import Course
from tests.support import PATIENCE

STEPS = 100  # of anybody, between two samples
DEATHS = 0.5  # after each sample, of a mortal
ROUNDS = 100  # more than enough until nothing is left to do


class Soak:
    """A server under steady load."""

    def __init__(self, server: Server, seed: int, *kinds: type[Soaker]) -> None:
        self.server = server
        self.load = Load(seed)
        self.random = Random(seed)
        self.everybody = [kind(self.load, number) for number, kind in enumerate(kinds)]
        self.record = Record()
        self.deaths = 0

    @property
    def calls(self) -> int:
        return sum(each.calls for each in self.everybody)

    def __str__(self) -> str:
        samples = len(self.record.calls)
        return f"{self.calls:,} calls, {self.deaths:,} backends terminated, {samples:,} samples"

    def run(self, minutes: float, days: float) -> list[Course]:
        """For so long, and until so many days have passed by the registry's clock after all have
        done everything a few times. Looks on from then on."""
        end = time.monotonic() + 60 * minutes
        threads = [threading.Thread(target=each.run, args=[self.server]) for each in self.everybody]
        for thread in threads:
            thread.start()
        try:
            with psycopg.connect(self.server.dsn(), autocommit=True) as db:
                observer = Observer(db)
                while any(each.rehearsal for each in self.everybody):
                    self.wait()
                days += passed(db)
                while time.monotonic() < end or passed(db) < days:
                    self.wait()
                    self.observe(observer)
        finally:
            self.load.stopping.set()
            for thread in threads:
                thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in threads)
        self.check()
        return self.record.courses()

    def wait(self) -> None:
        """Until they have done something."""
        for _ in range(STEPS):
            answered = self.load.answers.acquire(timeout=PATIENCE)
            self.check()
            assert answered

    def observe(self, observer: Observer) -> None:
        """Look at the server, and perhaps end somebody's session."""
        lasting = [each for each in self.everybody if each.pid is not None and not each.mortal]
        processes = [(type(each).__name__.lower(), each.pid) for each in lasting]
        self.record.add(self.calls, observer.sample([*processes, ("clients", os.getpid())]))
        for each in self.everybody:
            if each.mortal and self.random.random() < DEATHS:
                observer.db.execute("select pg_terminate_backend(%s)", [each.pid])
                self.deaths += 1

    def check(self) -> None:
        """Nobody was told what nobody should be told."""
        for each in self.everybody:
            if each.failure is not None:
                raise AssertionError(f"{type(each).__name__} failed") from each.failure

    def drain(self, db: psycopg.Connection[Any]) -> None:
        """Read, and do what a worker does, until there is nothing to do, however late it is."""
        calls = Calls(db, (NAMESPACE,))
        (reader,) = [each for each in self.everybody if isinstance(each, Reader)]
        (janitor,) = [each for each in self.everybody if isinstance(each, Janitor)]
        for _ in range(ROUNDS):
            db.execute(MONTH)
            if calls.ask("select from pkgdb.consumers"):
                reader.read(calls)
            if not janitor.round(calls):
                return
        raise AssertionError("there is always something left to do")

    def dismantle(self, db: psycopg.Connection[Any]) -> None:
        """Drop whatever there is, and let a worker take it away."""
        calls = Calls(db, (NAMESPACE,))
        for where in calls.ask("select prefix, distribution from pkgdb.distributions"):
            calls.drop_distribution(*where)
        for where in calls.ask("select snapshot from pkgdb.snapshots"):
            calls.drop_snapshot(*where, force=True)
        for where in calls.ask("select repository from pkgdb.repositories"):
            calls.drop_repository(*where, force=True)
        for where in calls.ask("select consumer from pkgdb.consumers"):
            calls.drop_consumer(*where)
        self.drain(db)
        for where in calls.ask("select backend from pkgdb.backends"):
            calls.retire_backend(*where)
        self.drain(db)


def passed(db: psycopg.Connection[Any]) -> float:
    """Days by the registry's clock."""
    (days,) = db.execute(DAYS).fetchone() or (0,)
    return float(days)
