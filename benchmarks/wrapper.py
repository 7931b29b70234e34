"""Load from Python: clients of the wrapper, each a thread or task with a connection of its own."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import psycopg

from benchmarks.bench import NAMESPACE
from benchmarks.load import Ended, Seen, seen
from pkgdb import AsyncRegistry, File, Item, Registry, aconnect, connect

BATCH = 1_000  # versions in a call of publish_many
MANY = f"pkgdb, publish_many of {BATCH:,}"
PIPELINED = 10  # calls in a transaction
WARM_UP = 0.5  # seconds
Package = Callable[[random.Random], int]


@dataclass
class Turn:
    """What the clients of one turn share."""

    dsn: str
    package: Package
    seconds: float  # that count, after WARM_UP that do not
    ended: list[Ended] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.end = time.monotonic() + WARM_UP + self.seconds

    @property
    def over(self) -> bool:
        return time.monotonic() >= self.end

    def note(self, began: float, versions: int = 1) -> None:
        now = time.monotonic()
        self.ended.append(Ended(now, 1000 * (now - began), versions))

    def item(self, rng: random.Random) -> Item:
        """A new version of a package, with one file."""
        number = rng.randrange(10**12)
        return Item(
            ecosystem="npm",
            name=f"package-{self.package(rng)}",
            version=f"1.{number}.0",
            files=[File(f"package-{number}.tgz", rng.randbytes(32).hex(), 100)],
        )

    def result(self) -> Seen:
        return seen(self.ended, WARM_UP, self.seconds)


def synchronous(turn: Turn, clients: int, seed: int) -> Seen:
    """Threads, each with a registry that owns its connection."""

    def client(number: int) -> None:
        rng = random.Random(seed + number)
        with connect(turn.dsn) as registry:
            while not turn.over:
                began = time.monotonic()
                publish(registry, turn.item(rng))
                turn.note(began)

    in_threads(client, clients)
    return turn.result()


def bulk(turn: Turn, clients: int, seed: int) -> Seen:
    """The same with publish_many."""

    def client(number: int) -> None:
        rng = random.Random(seed + number)
        with connect(turn.dsn) as registry:
            while not turn.over:
                items = [turn.item(rng) for _ in range(BATCH)]
                began = time.monotonic()
                registry.publish_many(NAMESPACE, "main", items)
                turn.note(began, BATCH)

    in_threads(client, clients)
    return turn.result()


def asynchronous(turn: Turn, clients: int, seed: int) -> Seen:
    """Tasks, each with a registry that owns its connection."""

    async def client(number: int) -> None:
        rng = random.Random(seed + number)
        async with await aconnect(turn.dsn) as registry:
            while not turn.over:
                began = time.monotonic()
                await publish(registry, turn.item(rng))
                turn.note(began)

    in_tasks(client, clients)
    return turn.result()


def pipelined(turn: Turn, clients: int, seed: int) -> Seen:
    """Tasks that publish several packages in one transaction, and wait for the answers together.

    In the order of their names, as whoever holds several locks has to.
    """

    async def client(number: int) -> None:
        rng = random.Random(seed + number)
        async with await psycopg.AsyncConnection.connect(turn.dsn) as connection:
            registry = AsyncRegistry(connection)
            while not turn.over:
                items = sorted(
                    (turn.item(rng) for _ in range(PIPELINED)), key=lambda item: item.name
                )
                began = time.monotonic()
                async with connection.transaction(), connection.pipeline():
                    await asyncio.gather(*(publish(registry, item) for item in items))
                turn.note(began, PIPELINED)

    in_tasks(client, clients)
    return turn.result()


def publish(registry: Registry | AsyncRegistry, item: Item) -> Any:
    return registry.publish(
        NAMESPACE, "main", item.ecosystem, item.name, item.version, files=item.files
    )


def in_threads(client: Callable[[int], None], clients: int) -> None:
    with ThreadPoolExecutor(clients) as threads:
        list(threads.map(client, range(clients)))


def in_tasks(client: Callable[[int], Awaitable[None]], clients: int) -> None:
    async def all_of_them() -> None:
        await asyncio.gather(*(client(number) for number in range(clients)))

    asyncio.run(all_of_them())


Way = Callable[[Turn, int, int], Seen]
WAYS: dict[str, Way] = {
    "pkgdb, Python": synchronous,
    "pkgdb, async Python": asynchronous,
    f"pkgdb, async, {PIPELINED} in a pipeline": pipelined,
    MANY: bulk,
}
