"""Pools that have no connection to give, and pools whose connections are ended under load."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from random import Random
from threading import Semaphore
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout, TooManyRequests

import pkgdb
from tests.behaviour.calls import Calls, dump
from tests.interleavings.explorer import seed
from tests.support import PATIENCE, wait_until
from tests.wrapper.proxy import Proxy
from tests.wrapper.test_pooling import TERMINATE, insist

CONNECTIONS, CLIENTS, VERSIONS = 4, 8, 20
OFTEN = 0.15  # how often an answer is followed by an end
IMPATIENT = 0.1  # seconds; nothing asserts that they have passed


@pytest.fixture
def main(db: psycopg.Connection) -> Calls:
    """Repository `main`."""
    Calls(db).create_repository("acme", "main")
    return Calls(db).at("acme", "main")


def whole(pool: Any) -> bool:
    """All connections are back, and nobody waits for one."""
    now = pool.get_stats()
    return bool(now["pool_available"] == now["pool_size"] and not now.get("requests_waiting"))


def used_up(pool: ConnectionPool) -> list[psycopg.Connection]:
    """Every connection that the pool can have."""
    return [pool.getconn(timeout=PATIENCE) for _ in range(pool.max_size)]


# None to give.


def test_an_exhausted_pool_is_an_error_that_changes_nothing(
    dsn: str, main: Calls, db: psycopg.Connection
) -> None:
    with ConnectionPool(dsn, min_size=2, max_size=2, timeout=IMPATIENT) as pool:
        registry = pkgdb.Registry(pool)
        held = used_up(pool)
        assert not whole(pool)
        before = dump(db)
        for attempt in (
            partial(registry.publish, "acme", "main", "generic", "a", "1", request_key="k"),
            registry.transaction().__enter__,
        ):
            with pytest.raises(pkgdb.ConnectionFailed) as caught:
                attempt()
            assert type(caught.value) is pkgdb.ConnectionFailed  # not OutcomeUnknown
            assert caught.value.sqlstate is None
            assert "couldn't get a connection" in str(caught.value)
            assert isinstance(caught.value.__cause__, PoolTimeout)
        assert dump(db) == before
        for connection in held:
            pool.putconn(connection)
        assert registry.publish("acme", "main", "generic", "a", "1").outcome == "created"
        assert whole(pool)


async def test_an_exhausted_async_pool(dsn: str, main: Calls, db: psycopg.Connection) -> None:
    async with AsyncConnectionPool(dsn, min_size=1, max_size=1, timeout=IMPATIENT) as pool:
        registry = pkgdb.AsyncRegistry(pool)
        async with pool.connection():
            before = dump(db)
            with pytest.raises(pkgdb.ConnectionFailed) as caught:
                await registry.publish("acme", "main", "generic", "a", "1")
            assert isinstance(caught.value.__cause__, PoolTimeout)
            assert dump(db) == before
        made = await registry.publish("acme", "main", "generic", "a", "1")
        assert made.outcome == "created"
        assert whole(pool)


def test_a_pool_with_too_long_a_queue(dsn: str, main: Calls) -> None:
    with (
        ConnectionPool(dsn, min_size=1, max_size=1, max_waiting=1, timeout=PATIENCE) as pool,
        ThreadPoolExecutor() as threads,
    ):
        registry = pkgdb.Registry(pool)
        with pool.connection():
            first = threads.submit(registry.publish, "acme", "main", "generic", "a", "1")
            while not pool.get_stats().get("requests_waiting"):
                assert not first.done()
            with pytest.raises(pkgdb.ConnectionFailed) as caught:
                registry.publish("acme", "main", "generic", "b", "1")
            assert isinstance(caught.value.__cause__, TooManyRequests)
        assert first.result().outcome == "created"


def test_a_closed_pool(dsn: str) -> None:
    with ConnectionPool(dsn, min_size=1) as pool:
        registry = pkgdb.Registry(pool)
    with pytest.raises(pkgdb.ConnectionFailed, match="closed"):
        registry.normalize_name("pypi", "x")


@pytest.fixture
def limited(dsn: str, db: psycopg.Connection) -> Iterator[str]:
    """The DSN of somebody for whom the server has one connection and no more: 53300."""
    name = f"limited_{db.info.backend_pid}"
    db.execute(f"create role {name} login connection limit 1 in role pkgdb_publisher".encode())
    yield make_conninfo(dsn, user=name)
    db.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where usename = %s", [name]
    )
    db.execute(f"drop role {name}".encode())


def test_a_server_with_no_connection_left(
    limited: str, main: Calls, db: psycopg.Connection
) -> None:
    with psycopg.connect(limited):
        before = dump(db)
        # Opening: libpq has the text of 53300, and not the code.
        with pytest.raises(pkgdb.ConnectionFailed, match="too many connections") as caught:
            pkgdb.connect(limited)
        assert caught.value.sqlstate is None
        # A pool goes on trying behind the scenes, and knows nothing better than a timeout.
        with ConnectionPool(limited, min_size=0, max_size=1, timeout=IMPATIENT) as pool:
            with pytest.raises(pkgdb.ConnectionFailed) as caught:
                pkgdb.Registry(pool).publish("acme", "main", "generic", "a", "1")
            assert isinstance(caught.value.__cause__, PoolTimeout)
        assert dump(db) == before


def test_a_server_that_has_one_again(limited: str, main: Calls, db: psycopg.Connection) -> None:
    with ConnectionPool(limited, min_size=0, max_size=1, timeout=IMPATIENT) as pool:
        registry = pkgdb.Registry(pool)
        publish = partial(registry.publish, "acme", "main", "generic", "a", "1")
        with psycopg.connect(limited), pytest.raises(pkgdb.ConnectionFailed):
            publish()
        wait_until(db, "select count(*) = 0 from pg_stat_activity where usename ~ '^limited_'")
        pool.timeout = PATIENCE
        assert publish().outcome == "created"
        assert whole(pool)
        assert pool.get_stats()["pool_size"] == 1


# Ended under load.


@dataclass
class Load:
    """Publishers, and how often they were answered."""

    answers: Semaphore = field(default_factory=lambda: Semaphore(0))
    ended: int = 0

    def publish(self, registry: pkgdb.Registry, client: int) -> None:
        main = registry.repository("acme", "main")
        for name, version in versions(client):
            key = f"{name} {version}"
            insist(partial(main.publish, "generic", name, version, request_key=key))
            self.answers.release()


def versions(client: int) -> Iterator[tuple[str, str]]:
    """What a client publishes."""
    for number in range(VERSIONS):
        yield "shared", f"{number}.{client}"
        yield f"own-{client}", f"{number}"


EVERYTHING = Counter(version for client in range(CLIENTS) for version in versions(client))


def all_is_there_once(db: psycopg.Connection) -> None:
    """Each version once, and the feed tells it once."""
    acme = Calls(db).at("acme")
    there = acme.ask("select name, version from pkgdb.package_versions")
    assert Counter((row.name, row.version) for row in there) == EVERYTHING
    acme.sequence_events()
    events = acme.rows("read_events", 0, 10_000)
    assert Counter((row.name, row.version) for row in events if row.version) == EVERYTHING
    assert Calls(db).rows("check_integrity") == []


def nothing_is_held(pool: Any, db: psycopg.Connection) -> None:
    """The pool has all of its connections, the server has no other, and they hold nothing."""
    now = pool.get_stats()
    assert (now["pool_size"], now["pool_available"]) == (CONNECTIONS, CONNECTIONS)
    wait_until(
        db,
        """select count(*) = %s and every(state = 'idle') from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()""",
        [CONNECTIONS],
    )
    held = "select count(*) = 0 from pg_locks where locktype = 'advisory'"
    assert db.execute(held).fetchone() == (True,)


def refilled(pool: ConnectionPool) -> None:
    """What was lost is replaced in the background: until all of them work."""
    connections = used_up(pool)
    for connection in connections:
        pool.check_connection(connection)
    for connection in connections:
        pool.putconn(connection)


def test_backends_ended_beneath_a_pool(dsn: str, main: Calls, db: psycopg.Connection) -> None:
    random, load = Random(seed()), Load()
    with (
        ConnectionPool(dsn, min_size=CONNECTIONS, timeout=PATIENCE) as pool,
        ThreadPoolExecutor(CLIENTS) as threads,
    ):
        registry = pkgdb.Registry(pool)
        clients = [threads.submit(load.publish, registry, client) for client in range(CLIENTS)]
        for _ in range(EVERYTHING.total()):
            assert load.answers.acquire(timeout=PATIENCE)
            if random.random() < OFTEN:
                load.ended += db.execute(TERMINATE).rowcount
        for client in clients:
            client.result()
        refilled(pool)
        nothing_is_held(pool, db)
        assert pool.get_stats()["returns_bad"] > 0
    assert load.ended > 0
    all_is_there_once(db)


async def test_backends_ended_beneath_an_async_pool(
    dsn: str, main: Calls, db: psycopg.Connection
) -> None:
    random, ended = Random(seed()), 0
    answers = asyncio.Queue[None]()

    async def publish(registry: pkgdb.AsyncRegistry, client: int) -> None:
        main = registry.repository("acme", "main")
        for name, version in versions(client):
            for attempts_left in reversed(range(100)):
                try:
                    await main.publish("generic", name, version, request_key=f"{name} {version}")
                except pkgdb.ConnectionFailed:
                    if not attempts_left:
                        raise
                else:
                    break
            await answers.put(None)

    async with AsyncConnectionPool(dsn, min_size=CONNECTIONS, timeout=PATIENCE) as pool:
        registry = pkgdb.AsyncRegistry(pool)
        clients = [asyncio.create_task(publish(registry, client)) for client in range(CLIENTS)]
        for _ in range(EVERYTHING.total()):
            await asyncio.wait_for(answers.get(), PATIENCE)
            if random.random() < OFTEN:
                ended += db.execute(TERMINATE).rowcount
        await asyncio.gather(*clients)
        connections = [await pool.getconn(timeout=PATIENCE) for _ in range(pool.max_size)]
        for connection in connections:
            await pool.check_connection(connection)
        for connection in connections:
            await pool.putconn(connection)
        nothing_is_held(pool, db)
    assert ended > 0
    all_is_there_once(db)


def test_commits_cut_off_beneath_a_pool(dsn: str, main: Calls, db: psycopg.Connection) -> None:
    """Before the server has seen them, or with its answer lost."""
    random, load = Random(seed()), Load()
    kinds, weights = ["before", "after", "not at all"], [1, 1, 8]
    with (
        Proxy(dsn) as proxy,
        ConnectionPool(proxy.dsn, min_size=CONNECTIONS, timeout=PATIENCE) as pool,
    ):
        proxy.cut = random.choices(kinds, weights, k=EVERYTHING.total())
        cuts = len([kind for kind in proxy.cut if kind in kinds[:2]])
        registry = pkgdb.Registry(pool)
        with ThreadPoolExecutor(CLIENTS) as threads:
            list(threads.map(partial(load.publish, registry), range(CLIENTS)))
        assert not proxy.cut
        assert proxy.commits >= EVERYTHING.total() + cuts
        refilled(pool)
        nothing_is_held(pool, db)
    all_is_there_once(db)


def test_without_keys_they_are_told_that_they_do_not_know(dsn: str, main: Calls) -> None:
    """What the test above leans on: the same cuts, and nobody who repeats."""
    with (
        Proxy(dsn) as proxy,
        ConnectionPool(proxy.dsn, min_size=1, timeout=PATIENCE) as pool,
    ):
        repository = pkgdb.Registry(pool).repository("acme", "main")
        for cut, version in (("before", "1"), ("after", "2")):
            proxy.cut = [cut]
            with pytest.raises(pkgdb.OutcomeUnknown):
                repository.publish("generic", "demo", version)
            assert repository.publish("generic", "demo", version).outcome == (
                "created" if cut == "before" else "unchanged"
            )
        assert whole(pool)
