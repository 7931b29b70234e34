"""A server killed in the middle of everything: what was acknowledged is there when it comes back,
or when its standby takes over; what was not is there whole, or not at all, and can be repeated.

PKGDB_CRASHES asks for more crashes, PKGDB_TEST_SEED repeats a run. To kill the processes loses
nothing that they had handed to the operating system: what a disk does is not shown here.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import psycopg
import pytest

from pkgdb import migrate
from pkgdb.server import Server
from tests.behaviour.calls import Calls
from tests.crashes.clients import (
    GONE,
    NAMESPACE,
    STORED,
    Client,
    Installer,
    Janitor,
    Key,
    Load,
    Publisher,
    prepare,
    publish,
    publish_in_steps,
)
from tests.interleavings.explorer import seed
from tests.servers import base_backup, kill, launching, scratch
from tests.support import PATIENCE, Trials, wait_until

pytestmark = pytest.mark.slow
CRASHES = int(os.environ.get("PKGDB_CRASHES", "3"))
OF_EACH = 10  # there is more to look at after each
PUBLISHERS = 4
WRITERS = ["walwriter", "background writer", "checkpointer"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with scratch() as place:
        yield place


@pytest.fixture
def launch() -> Iterator[Callable[..., Server]]:
    with launching(durable=True) as launch:
        yield launch


def rage(server: Server, seed: int, *others: type[Client]) -> tuple[list[Publisher], list[Client]]:
    """Load, until some number of calls was answered; and then nobody is left."""
    load = Load(seed)
    publishers = [Publisher(load, number) for number in range(PUBLISHERS)]
    beside = [other(load, PUBLISHERS) for other in others]
    everybody = [*publishers, *beside]
    threads = [threading.Thread(target=each.run, args=[server]) for each in everybody]
    for thread in threads:
        thread.start()
    for _ in range(Random(load.seed).randint(50, 400)):
        assert load.answers.acquire(timeout=PATIENCE), [each.failure for each in everybody]
    kill(server)
    load.stopping.set()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert [each.failure for each in everybody if each.failure] == []
    return publishers, beside


def statuses(calls: Calls) -> dict[Key, str]:
    """Of all versions that are not gone."""
    return {
        (row.repository, row.name, row.version): row.status
        for row in calls.ask("select * from pkgdb.package_versions where status <> %s", GONE)
    }


def events(calls: Calls) -> Counter[tuple[str, str]]:
    """How often the feed says that each version was published; all of it without a gap."""
    while calls.sequence_events()[0]:
        pass
    found, after = Counter[tuple[str, str]](), 0
    while page := calls.rows("read_events", after, 1000):
        assert [row.position for row in page] == list(range(after + 1, after + 1 + len(page)))
        found.update((row.name, row.version) for row in page if row.event == "created")
        after = page[-1].position
    return found


def check(calls: Calls, publishers: list[Publisher]) -> None:
    """What is there is what each of them knows."""
    there, told = statuses(calls), events(calls)
    for each in publishers:
        for key, status in each.versions.items():
            if key not in each.pending:
                assert there.get(key, GONE) == status, (key, each)
        before = {key: each.versions.get(key, GONE) for key in each.pending}
        now = {key: there.get(key, GONE) for key in each.pending}
        assert now in (before, each.pending)
        for key, times in each.created.items():
            assert told[key[1:]] == times
        for name, digest in each.snapshots.items():
            assert calls.snapshot_digest(name)[0] == digest
    assert calls.rows("check_integrity") == []


def repeat(calls: Calls, publishers: list[Publisher]) -> None:
    """Who was not answered asks again."""
    for each in publishers:
        for key in [key for key, status in each.pending.items() if status == "available"]:
            if key not in each.versions:
                again = publish_in_steps if key[0] == STORED else publish
                assert again(calls, key) in ("created", "committed", "unchanged")
                each.versions[key] = "available"
                each.created[key] += 1
    there = statuses(calls)
    for each in publishers:
        for key in each.pending:
            each.versions[key] = there.get(key, GONE)
        each.pending = {}


def test_nothing_acknowledged_is_lost(
    folder: Path, launch: Callable[..., Server], trials: Trials
) -> None:
    """Some crashes of each server: all that was ever acknowledged is looked at after each."""
    acknowledged, first = 0, seed()
    for start in range(first, first + CRASHES, OF_EACH):
        server = launch(folder / f"server-{start}")
        prepare(server.dsn())
        everybody: list[Publisher] = []
        for number in range(start, min(start + OF_EACH, first + CRASHES)):
            publishers, (_, installer) = rage(server, number, Janitor, Installer)
            everybody += publishers
            server.start()
            with psycopg.connect(server.dsn(), autocommit=True) as db:
                calls = Calls(db).at(NAMESPACE)
                check(calls, everybody)
                repeat(calls, everybody)
                check(calls, everybody)
                server.ensure_database(installer.database)
                migrate.upgrade(server.dsn(installer.database))
        server.stop()
        acknowledged += sum(each.acknowledged for each in everybody)
    print(acknowledged, "calls acknowledged", CRASHES, "crashes")
    trials(CRASHES)


def test_what_was_not_written_is_missed(folder: Path, launch: Callable[..., Server]) -> None:
    """The server answers before it has written what it says, and whoever writes it is halted."""
    server = launch(
        folder / "server", synchronous_commit="off", wal_buffers="64MB", autovacuum="off"
    )
    prepare(server.dsn())
    with psycopg.connect(server.dsn(), autocommit=True) as db:
        db.execute("checkpoint")
        for (pid,) in db.execute(
            "select pid from pg_stat_activity where backend_type = any(%s)", [WRITERS]
        ):
            os.kill(pid, signal.SIGSTOP)
    publishers, _ = rage(server, seed())
    server.start()
    with psycopg.connect(server.dsn(), autocommit=True) as db, pytest.raises(AssertionError):
        check(Calls(db).at(NAMESPACE), publishers)


def test_nothing_acknowledged_is_lost_with_the_primary(
    folder: Path, launch: Callable[..., Server]
) -> None:
    """A standby that every commit waits for takes over."""
    primary = launch(folder / "primary", synchronous_standby_names="*")
    with psycopg.connect(primary.dsn(), autocommit=True) as db:
        db.execute("alter system set synchronous_commit = off")  # until there is a standby
        db.execute("select pg_reload_conf()")
        prepare(primary.dsn())
        base_backup(primary, folder / "standby")
        standby = launch(folder / "standby")
        wait_until(db, "select count(*) = 1 from pg_stat_replication where sync_state = 'sync'")
        db.execute("alter system reset synchronous_commit")
        db.execute("select pg_reload_conf()")
    publishers, _ = rage(primary, seed(), Janitor, Installer)
    with psycopg.connect(standby.dsn(), autocommit=True) as db:
        db.execute("select pg_promote()")
        wait_until(db, "select not pg_is_in_recovery()")
        calls = Calls(db).at(NAMESPACE)
        check(calls, publishers)
        repeat(calls, publishers)
        check(calls, publishers)
