"""Commands in processes of their own, which stop where the test says and can be killed there.

Each is forked from a warm process that has imported what they need. A guided one says at each step
that it is about to take it, and that it has, and waits each time for what to do.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from psycopg_pool import AsyncConnectionPool

import pkgdb.storage.publisher
import pkgdb.storage.store
import pkgdb.storage.worker
from pkgdb._async.registry import AsyncRegistry
from pkgdb.errors import PkgdbError
from pkgdb.models import File, MissingCopy
from pkgdb.storage import AsyncPublisher, StoreError, Worker
from tests.support import PATIENCE

LEASE = timedelta(minutes=15)
REPOSITORY = "main"
PACKAGE = ("generic", "left-pad", "1.0")
VALIDATOR = "scan"
PART = 16 << 10
# The server of the bucket, moto, may answer 500 to who reads what another deletes: it closes the
# object's file meanwhile.
RETRY = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(milliseconds=10),
        "max_backoff": timedelta(milliseconds=50),
        "base": 2,
    },
}


class Interrupted(Exception):
    """What a step was told to fail with. Nobody handles it."""


@dataclass(frozen=True)
class Stop:
    """Where an actor waits: before, during or after a step, or where it has failed."""

    moment: str
    step: str


@dataclass(frozen=True)
class Result:
    """How an actor ended: with an outcome, or with an error (its SQLSTATE, else its class)."""

    outcome: str = ""
    error: str = ""
    message: str = ""


@dataclass(frozen=True)
class Setting:
    """Where an actor works, and as whom."""

    actor: str
    dsn: str
    namespace: str
    environment: dict[str, str] = field(default_factory=dict)


class Guide:
    """The actor's end of the pipe to the test."""

    def __init__(self, pipe: Connection, guided: bool) -> None:
        self.pipe = pipe
        self.guided = guided

    async def at(self, moment: str, step: str) -> None:
        """Say where we are and wait. The event loop goes on, as it does while a store is slow."""
        if not self.guided:
            return
        self.pipe.send(Stop(moment, step))
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.pipe.fileno(), told.set)
        try:
            await told.wait()
        finally:
            loop.remove_reader(self.pipe.fileno())
        self._obey()

    def halt(self, moment: str, step: str) -> None:
        """The same in a plain function: everything stops."""
        if self.guided:
            self.pipe.send(Stop(moment, step))
            self._obey()

    def _obey(self) -> None:
        order = self.pipe.recv()
        self.guided = order == "go"
        if order == "fail":
            raise Interrupted

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        await self.at("before", name)
        try:
            yield
        except (PkgdbError, StoreError):
            await self.at("failed", name)
            raise
        await self.at("after", name)


def guided(kind: type[Any], steps: tuple[str, ...], guide: Guide) -> type[Any]:
    """The class with steps that stop. One that is about an object also names its backend."""

    def stopping(name: str, method: Callable[..., Awaitable[object]]) -> Callable[..., object]:
        @functools.wraps(method)
        async def call(*arguments: object) -> object:
            backends = [each.backend for each in arguments if hasattr(each, "backend")]
            async with guide.step(" ".join([name, *backends])):
                return await method(*arguments)

        return call

    methods = {step: stopping(step, getattr(kind, step)) for step in steps}
    return type(f"Guided{kind.__name__}", (kind,), methods)


def act(
    pipe: Connection,
    stops: bool,
    setting: Setting,
    command: Callable[..., Awaitable[str]],
    arguments: tuple[object, ...],
) -> None:
    """The life of an actor's process."""
    os.environ.update(setting.environment)
    logging.disable()
    # Several parts even in small files, and little patience with a store that is away.
    pkgdb.storage.store.PART = PART
    pkgdb.storage.store._RETRY = RETRY
    pkgdb.storage.publisher._LONGEST_PAUSE = 0.05
    try:
        result = Result(asyncio.run(command(setting, Guide(pipe, stops), *arguments)))
    except PkgdbError as error:
        result = Result(error=error.sqlstate or type(error).__name__, message=str(error))
    except Exception as error:
        result = Result(error=type(error).__name__, message=str(error))
    pipe.send(result)


def serve_buckets(pipe: Connection) -> None:
    """The life of the process that is a bucket's server: until the other end of the pipe closes."""
    os.environ["S3_UPLOAD_PART_MIN_SIZE"] = "1"  # before it is read
    from moto.server import ThreadedMotoServer

    logging.disable()
    # It keeps a file open for each part that it was ever sent.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    pipe.send(server.get_host_and_port())
    pipe.poll(None)
    server.stop()


async def publish(setting: Setting, guide: Guide, files: list[tuple[File, Path]]) -> str:
    """Publish the version."""

    def sent(copy: MissingCopy, _: int) -> None:
        guide.halt("during", f"upload {copy.backend}")

    kind = guided(AsyncPublisher, pkgdb.storage.publisher.STEPS, guide)
    async with kind.open(setting.dsn, lease=LEASE, uploads=1, progress=sent) as publisher:
        done = await publisher.publish(
            setting.namespace, REPOSITORY, *PACKAGE, files=files, actor=setting.actor
        )
    return done.outcome


async def validate(setting: Setting, guide: Guide) -> str:
    """Pass what is being published, and once more what was passed before."""
    async with AsyncConnectionPool(setting.dsn, min_size=1, open=False) as pool:
        for publication in await publications(pool, setting.namespace):
            async with guide.step("validate"):
                await AsyncRegistry(pool).record_validation(
                    setting.namespace, publication, VALIDATOR, "succeeded"
                )
    return "validated"


async def publications(pool: AsyncConnectionPool[Any], namespace: str) -> list[int]:
    """Those that a validator is to look at. Waits for the first one."""
    query = """
        select publication_id
          from pkgdb.publications
         where namespace = %s and status in ('open', 'committed')
         order by publication_id
    """
    async with asyncio.timeout(PATIENCE):
        while True:
            async with pool.connection() as connection:
                rows = await (await connection.execute(query, [namespace])).fetchall()
            if rows:
                return [publication for (publication,) in rows]


async def unpublish(setting: Setting, guide: Guide) -> str:
    """Delete the version, and then all that was only its own."""
    kind = guided(Worker, pkgdb.storage.worker.STEPS[1:], guide)
    async with (
        AsyncConnectionPool(setting.dsn, min_size=1, open=False) as pool,
        guide.step("delete"),
    ):
        deleted = await AsyncRegistry(pool).delete_version(
            setting.namespace, REPOSITORY, *PACKAGE, request_key="delete", actor=setting.actor
        )
    await work(setting, kind)
    return deleted.outcome


async def work(setting: Setting, kind: type[Worker]) -> None:
    """A worker does all that is due."""
    worker = kind(
        setting.dsn,
        namespaces=[setting.namespace],
        tasks=("expire", "purge", "collect", "copy"),
        at_once=1,
        purge_after=timedelta(0),
    )
    report = await worker.run(once=True)
    if report.failures:
        raise RuntimeError("; ".join(report.failures))
