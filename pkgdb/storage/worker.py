"""What has to be done now and then: sequence the feed, clean up, copy, delete, verify, render.

Any number of workers may run. The functions give each piece of work to one of them, for the time
of a lease; what a worker that died was given, another one gets after that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pkgdb.errors import NotFound, PkgdbError, StaleRevision
from pkgdb.models import CopyTask
from pkgdb.storage._database import Database, open_pool
from pkgdb.storage._tasks import each
from pkgdb.storage.store import NoObject, Store, StoreError, WrongObject, WrongSource

__all__ = ["STEPS", "TASKS", "Worker", "WorkerReport"]

log = logging.getLogger("pkgdb.worker")

TASKS = (
    "expire",
    "sequence",
    "retention",
    "purge",
    "collect",
    "copy",
    "promote",
    "verify",
    "seal",
    "render",
    "prune",
)
"""What a worker does, in this order where the order matters; each a method of `Worker`."""

STEPS = ("delete", "purge", "collect", "remove", "confirm")
"""The steps that take a version's bytes away: `delete_version`, then these of `Worker`."""

_BLOBS = 1000  # that are looked at, and
_DELETIONS = 100  # objects that are claimed, at once
_COPIES = 20
_LONGEST_BATCH = timedelta(minutes=30)  # of copies; one that takes longer may be made twice
_VERIFICATIONS = 100
_LONGEST_MESSAGE = 1000

Stores = Mapping[str, Store | StoreError]


@dataclass
class WorkerReport:
    """How much each task did, and what went wrong."""

    done: Counter[str] = field(default_factory=Counter)
    failures: deque[str] = field(default_factory=lambda: deque(maxlen=1000))


class Worker:
    """Works for all namespaces of a database, or for some."""

    def __init__(
        self,
        dsn: str = "",
        *,
        namespaces: Iterable[str] = (),
        tasks: Iterable[str] = TASKS,
        interval: timedelta = timedelta(seconds=10),
        at_once: int = 4,
        purge_after: timedelta = timedelta(days=7),
        keep_events: timedelta = timedelta(days=7),
        verify_after: timedelta | None = None,
        render: Callable[[str], Awaitable[int]] | None = None,
    ) -> None:
        """Connects when it runs.

        Args:
            namespaces: Only these; none for all.
            tasks: Only these of `TASKS`.
            interval: The pause of a task that has nothing to do.
            at_once: How many objects are copied, deleted or read at the same time.
            purge_after: How long what was deleted can still be restored.
            keep_events: How long the feed keeps what every consumer has read.
            verify_after: Read objects whose digest was last seen so long ago; None for never.
            render: Brings what is served of a namespace up to date, and says how many
                distributions that changed.
        """
        self.report = WorkerReport()
        self._dsn = dsn
        self._namespaces = tuple(namespaces)
        wanted = set(tasks)
        if unknown := wanted - set(TASKS):
            raise ValueError(f"no task {min(unknown)!r}: there are {', '.join(TASKS)}")
        self._tasks = tuple(task for task in TASKS if task in wanted)
        self._interval = interval
        self._at_once = at_once
        self._purge_after = purge_after
        self._keep_events = keep_events
        self._verify_after = verify_after
        self._render = render
        self._stopping = asyncio.Event()
        self._began: datetime | None = None
        self._unreadable: set[int] = set()  # generations, until the next start

    def stop(self) -> None:
        """Ends `run` after the objects that are being worked on."""
        self._stopping.set()

    async def run(self, *, once: bool = False) -> WorkerReport:
        """Works until `stop`, or with `once` until there is nothing left to do."""
        async with open_pool(self._dsn, "pkgdb worker") as pool:
            self._database = Database(pool)
            self.registry = self._database.registry
            if once:
                (now,) = await self._database.rows("select clock_timestamp() as began")
                self._began = now["began"]
                await self._until_done()
            else:
                async with asyncio.TaskGroup() as group:
                    for task in self._tasks:
                        group.create_task(self._for_ever(task))
        return self.report

    async def _until_done(self) -> None:
        busy = True
        while busy and not self._stopping.is_set():
            busy = False
            for task in self._tasks:
                busy = await self._round(task) > 0 or busy

    async def _for_ever(self, task: str) -> None:
        while not self._stopping.is_set():
            if not await self._round(task):
                with suppress(TimeoutError):
                    seconds = self._interval.total_seconds()
                    await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _round(self, task: str) -> int:
        """One task in every namespace, and how much it did. Failures stop nothing else."""
        done = 0
        work: Callable[[str], Awaitable[int]] = getattr(self, task)
        with self._noted(task):
            for namespace in await self._all_namespaces():
                if self._stopping.is_set():
                    break
                with self._noted(f"{task} in {namespace}"):
                    some = await work(namespace)
                    if some:
                        log.info("%s in %s: %d", task, namespace, some)
                    done += some
        self.report.done[task] += done
        return done

    async def _all_namespaces(self) -> list[str]:
        rows = await self._database.rows(
            "select namespace from pkgdb.feed_positions order by namespace"
        )
        known = [row["namespace"] for row in rows]
        return [name for name in known if not self._namespaces or name in self._namespaces]

    # Tasks: each does some of its work in a namespace and says how much that was

    async def expire(self, namespace: str) -> int:
        """Ends publications whose lease has run out."""
        return await self.registry.expire_publications(namespace)

    async def sequence(self, namespace: str) -> int:
        """Gives committed events their places in the feed."""
        return await self.registry.sequence_events(namespace)

    async def retention(self, namespace: str) -> int:
        """Deletes the versions that a policy does not keep."""
        rows = await self._database.rows(
            """
            select repository
              from pkgdb.repositories
             where namespace = %s and policy ->> 'keep_versions' is not null
             order by repository
            """,
            namespace,
        )
        return sum(
            [await self.registry.apply_retention(namespace, row["repository"]) for row in rows]
        )

    async def purge(self, namespace: str) -> int:
        """Removes for good what was deleted a while ago."""
        report = await self.registry.purge(namespace, older_than=self._purge_after)
        return int(sum(asdict(report).values())) - report.pinned

    async def collect(self, namespace: str) -> int:
        """Deletes the objects that nothing needs any longer."""
        done = len(await self.registry.collect_blobs(namespace, limit=_BLOBS))
        for backend in await self._backends(namespace):
            with self._noted(f"collect on {backend['backend']} of {namespace}"):
                done += await self._collect(namespace, backend)
        return done

    async def copy(self, namespace: str) -> int:
        """Makes copies that a backend should have and does not."""
        tasks = await self.registry.claim_copies(namespace, limit=_COPIES, lease=_LONGEST_BATCH)
        stores = await self._opened({url for task in tasks for url in (task.url, task.source_url)})
        done = 0

        async def copy(task: CopyTask) -> None:
            nonlocal done
            if self._stopping.is_set():
                return
            async with self._answered(namespace, task):
                await self._copy(namespace, task, stores)
                done += 1

        await each(tasks, copy, self._at_once)
        return done

    async def promote(self, namespace: str) -> int:
        """Makes backends required that have everything now."""
        return await self.registry.promote_backends(namespace)

    async def verify(self, namespace: str) -> int:
        """Reads objects that nobody has looked at for long; what is wrong will be copied again."""
        if self._verify_after is None:
            return 0
        done = 0
        for backend in await self._backends(namespace):
            with self._noted(f"verify on {backend['backend']} of {namespace}"):
                done += await self._verify(namespace, backend, self._verify_after)
        return done

    async def seal(self, namespace: str) -> int:
        """Notes the digests of new snapshots."""
        return await self.registry.seal_snapshots(namespace)

    async def render(self, namespace: str) -> int:
        """Brings the folder that is served up to date, where there is one."""
        return 0 if self._render is None else await self._render(namespace)

    async def prune(self, namespace: str) -> int:
        """Removes old events from the feed."""
        return await self.registry.prune_events(namespace, keep=self._keep_events)

    # Work on one object

    async def remove(self, store: Store, task: CopyTask) -> None:
        """Deletes one object."""
        await store.delete(task.object_key)

    async def confirm(self, namespace: str, task: CopyTask) -> None:
        """Says that it is gone."""
        await self.registry.confirm_blob_deleted(
            namespace, task.backend, task.sha256, task.generation, task.attempt
        )

    async def _collect(self, namespace: str, backend: Mapping[str, Any]) -> int:
        store = Store.open(backend["url"])
        await store.sweep()
        tasks = await self.registry.collect_blobs(
            namespace, backend["backend"], await store.owner(), limit=_DELETIONS
        )
        done = 0

        async def collect(task: CopyTask) -> None:
            nonlocal done
            if self._stopping.is_set():
                return
            async with self._answered(namespace, task):
                await self.remove(store, task)
                await self.confirm(namespace, task)
                done += 1

        await each(tasks, collect, self._at_once)
        return done

    async def _copy(self, namespace: str, task: CopyTask, stores: Stores) -> None:
        target, source = _usable(stores[task.url]), _usable(stores[str(task.source_url)])
        try:
            await target.copy_from(
                source, str(task.source_key), task.object_key, task.sha256, task.size
            )
            found = task.sha256
        except WrongObject as error:
            found = error.found
        except (WrongSource, NoObject):
            await self._look_at_source(namespace, task, source)
            raise
        await self.registry.verify_copy(
            namespace, task.backend, task.sha256, task.generation, found
        )

    async def _look_at_source(self, namespace: str, task: CopyTask, source: Store) -> None:
        """Says what is wrong with a source, so that the next attempt gets another."""
        for location in await self.registry.locate_blob(namespace, task.sha256):
            if (location.url, location.object_key) == (task.source_url, task.source_key):
                found = asdict(location) | {"sha256": task.sha256}
                await self._verify_one(namespace, found, source)

    async def _verify_one(self, namespace: str, copy: Mapping[str, Any], store: Store) -> None:
        found = await store.digest(copy["object_key"])
        if found is None:
            await store.check()  # or is it the disk that is not there?
        await self.registry.verify_copy(
            namespace, copy["backend"], copy["sha256"], copy["generation"], found
        )

    async def _verify(
        self, namespace: str, backend: Mapping[str, Any], verify_after: timedelta
    ) -> int:
        copies = await self._database.rows(
            """
            select backend, sha256, object_key, generation
              from pkgdb.blob_copies
             where namespace = %s and backend = %s and url = %s
               and (verified_at is null
                    or verified_at < coalesce(%s::timestamptz, clock_timestamp()) - %s)
               and generation <> all (%s)
             order by verified_at nulls first
             limit %s
            """,
            namespace,
            backend["backend"],
            backend["url"],
            self._began,
            verify_after,
            list(self._unreadable),
            _VERIFICATIONS,
        )
        store = Store.open(backend["url"])
        await store.check(backend["installation_id"])
        done = 0

        async def verify(copy: Mapping[str, Any]) -> None:
            nonlocal done
            if self._stopping.is_set():
                return
            try:
                await self._verify_one(namespace, copy, store)
                done += 1
            except StoreError as error:  # a bad sector: the others have their turn
                self._unreadable.add(copy["generation"])
                self._note(f"{copy['object_key']} on {copy['backend']} of {namespace}", error)

        await each(copies, verify, self._at_once)
        return done

    async def _opened(self, urls: Iterable[str | None]) -> Stores:
        """Stores that answer, and why the others do not: asked once, not for each object."""
        stores: dict[str, Store | StoreError] = {}
        for url in set(urls) - {None}:
            try:
                store = Store.open(str(url))
                await store.check()
                stores[str(url)] = store
            except StoreError as error:
                stores[str(url)] = error
        return stores

    @asynccontextmanager
    async def _answered(self, namespace: str, task: CopyTask) -> AsyncIterator[None]:
        """Tells the database when the work on an object failed."""
        with suppress(StaleRevision, NotFound):  # it is another worker's by now, or nobody's
            try:
                yield
            except (StoreError, WrongSource) as error:
                self._note(f"{task.object_key} on {task.backend} of {namespace}", error)
                await self.registry.record_copy_failure(
                    namespace,
                    task.backend,
                    task.sha256,
                    task.generation,
                    task.attempt,
                    str(error)[:_LONGEST_MESSAGE],
                )

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        try:
            yield
        except (PkgdbError, OSError) as error:
            self._note(what, error)
        except (
            Exception
        ) as error:  # a fault of ours: it must not stop what has nothing to do with it
            log.exception("%s", what)
            self.report.failures.append(f"{what}: {error!r}")

    def _note(self, what: str, error: Exception) -> None:
        self.report.failures.append(f"{what}: {error}")
        log.warning("%s: %s", what, error)

    async def _backends(self, namespace: str) -> list[dict[str, Any]]:
        return await self._database.rows(
            """
            select backend, url, installation_id
              from pkgdb.backends
             where namespace = %s
             order by backend, backend_id
            """,
            namespace,
        )


def _usable(store: Store | StoreError) -> Store:
    if isinstance(store, StoreError):
        raise store
    return store
