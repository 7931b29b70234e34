"""Updating a mirror: read upstream, stage what it has, bring the bytes, commit all at once.

Killed at any point, run it again: bytes that were brought are there, and what was staged stays for
as long as upstream says the same. Nothing of it is seen before the commit.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pkgdb.errors import (
    ConnectionFailed,
    InvalidState,
    LockTimeout,
    NotFound,
    PermissionDenied,
    StaleRevision,
)
from pkgdb.mirrors.debian import DebianArchive
from pkgdb.mirrors.upstream import (
    Absent,
    Changed,
    Items,
    Settings,
    Upstream,
    UpstreamError,
    Wrong,
)
from pkgdb.models import CopyRef, MirrorCopy, MirrorRef
from pkgdb.storage import OptionalFailure, Store, StoreError, WrongObject
from pkgdb.storage._database import Database, open_pool
from pkgdb.storage._tasks import Patience, beside, each

if TYPE_CHECKING:
    from psycopg_pool import AsyncConnectionPool

__all__ = ["STEPS", "MirrorUpdated", "MirrorUpdater"]

STEPS = ("begin", "stage", "fetch", "upload", "record", "commit")
"""The steps of an update, each a method of `MirrorUpdater` of this name."""

_TRIES = 5  # of what fails at once
_SETTLING = (1.0, 5.0, 15.0)  # seconds between the tries of an upstream that is being changed
_COPIES = 5000  # that are asked for at once
_MOST_COPIES = 10_000

Progress = Callable[[str, int, int | None], object]


@dataclass(frozen=True)
class MirrorUpdated:
    """What became of an update.

    `outcome` is `committed`, or `unchanged` where the mirror was at `release` already; `report`
    says how many versions the commit added, removed, changed and so on. `downloaded` counts the
    files that were brought from upstream, `found` the objects that stores turned out to have.
    """

    outcome: str
    release: str
    report: Mapping[str, int] = field(default_factory=dict)
    downloaded: int = 0
    found: int = 0
    failures: tuple[OptionalFailure, ...] = ()


@dataclass
class Job:
    """One call of `update`, and what has been done for it so far."""

    namespace: str
    repository: str
    request_key: str
    actor: str | None
    folder: Path
    progress: Progress | None
    patience: Patience
    update_id: int | None = None
    downloaded: int = 0
    found: int = 0
    failures: dict[tuple[str, str], OptionalFailure] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    """How much of indexes, items and files; `totals`: of how much, as far as is known."""
    totals: dict[str, int] = field(default_factory=dict)

    def advance(self, what: str, by: int, total: int | None = None) -> None:
        """Tells how much of something there is by now."""
        self.done[what] += by
        if total is not None:
            self.totals[what] = total
        if self.progress is not None:
            self.progress(what, self.done[what], self.totals.get(what))


class MirrorUpdater:
    """Brings mirrors to the state of their upstreams."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        *,
        lease: timedelta = timedelta(minutes=15),
        patience: timedelta = timedelta(minutes=10),
        downloads: int = 4,
        folder: Path | None = None,
        connect: Callable[[Settings, Path], Upstream] = DebianArchive,
    ) -> None:
        """Works on connections of a pool that stays the caller's.

        Args:
            lease: For how long nobody else takes over after this process was killed; it is renewed
                while the update runs.
            patience: How long to wait for somebody else who is updating the mirror.
            downloads: How many files are brought at once.
            folder: For temporary files: an index, and the files on their way.
            connect: Gives the upstream that settings describe, and a folder for temporary files.
        """
        self._database = Database(pool)
        self.registry = self._database.registry
        self._lease = lease
        self._patience = patience
        self._downloads = downloads
        self._folder = folder
        self._connect = connect
        self._stores: dict[str, Store] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str = "", **options: Any) -> AsyncIterator[MirrorUpdater]:
        """An updater with connections of its own; `options` as for the class."""
        async with open_pool(dsn, "pkgdb mirror") as pool:
            yield cls(pool, **options)

    async def update(
        self,
        namespace: str,
        repository: str,
        *,
        request_key: str | None = None,
        actor: str | None = None,
        progress: Progress | None = None,
    ) -> MirrorUpdated:
        """Makes a mirror what its upstream has now.

        Args:
            request_key: Who can take over at once what this call leaves unfinished, or is still
                at: the same actor with the same key. Default: one for the mirror.
            progress: Is told what was done, how much of it, and of how much as far as is known:
                `indexes` and `files` in bytes, `items` in versions.

        Returns:
            What became of it. An optional backend that failed is reported and not an error.

        Raises:
            TimeoutError: Somebody else is still updating the mirror after `patience`.
            UpstreamError: Upstream is away or refuses, is not who the keyring says, or what it
                gives cannot be used.
            StoreError: A required backend is away or refuses, or there is none to download for.
            StaleRevision: RG412: somebody else took over, or the mirror's settings were changed.
            InvalidState: RG422: the update was aborted.
            PkgdbError: What `stage_mirror_items` and `commit_mirror_update` raise.
        """
        with TemporaryDirectory(prefix="pkgdb-mirror-", dir=self._folder) as folder:
            job = Job(
                namespace=namespace,
                repository=repository,
                request_key=request_key or _key_of(namespace, repository),
                actor=actor,
                folder=Path(folder),
                progress=progress,
                patience=Patience(_TRIES, self._patience),
            )
            pauses = iter(_SETTLING)
            while True:
                try:
                    done = await self._attempt(job)
                    if done is not None:
                        return done
                except ConnectionFailed as error:
                    job.patience.try_again(error)
                    await job.patience.rest()
                except Changed:
                    if (pause := next(pauses, None)) is None:
                        raise
                    await asyncio.sleep(pause)

    # The steps, each of which may be repeated

    async def begin(self, job: Job, release: str) -> MirrorRef:
        """Takes the lease, or takes up what an earlier run left."""
        return await self.registry.begin_mirror_update(
            job.namespace,
            job.repository,
            release,
            lease=self._lease,
            request_key=job.request_key,
            actor=job.actor,
        )

    async def stage(self, job: Job, update: MirrorRef, items: Items) -> MirrorRef:
        """Notes what upstream has."""
        return await self.registry.stage_mirror_items(
            job.namespace, *_held(update), items, lease=self._lease
        )

    async def fetch(self, job: Job, upstream: Upstream, copy: MirrorCopy, target: Path) -> None:
        """Brings a file from upstream."""
        sent = functools.partial(job.advance, "files")
        try:
            await upstream.fetch(copy.path, target, copy.sha256, copy.size, sent)
        except (Absent, Wrong) as error:
            raise Changed(str(error)) from error
        job.downloaded += 1

    async def upload(self, job: Job, copy: MirrorCopy, source: Path) -> None:
        """Puts it where a backend keeps it, unless it is there."""
        store = self._store(copy.url)
        if not await store.put(copy.object_key, source, copy.sha256, copy.size):
            job.found += 1

    async def record(self, job: Job, update: MirrorRef, copy: MirrorCopy) -> CopyRef:
        """Tells the database that it is there."""
        return await self.registry.record_mirror_copy(
            job.namespace, *_held(update), copy.backend, copy.sha256, copy.generation
        )

    async def commit(self, job: Job, update: MirrorRef) -> MirrorRef:
        """Makes the mirror what was staged."""
        return await self.registry.commit_mirror_update(
            job.namespace, *_held(update), actor=job.actor
        )

    # Between the steps

    async def _attempt(self, job: Job) -> MirrorUpdated | None:
        """Updates; None where that has to begin again."""
        settings = await self._settings(job)
        await self._check_backends(job, settings)
        upstream = self._connect(settings, job.folder)
        release = await upstream.read_release()
        update = await self.begin(job, release)
        if update.outcome == "unchanged":
            return await self._unchanged(job, release)
        if update.fence is None:
            await self._wait_for_others(job, update)
            return None
        if update.upstream != settings:
            job.patience.try_again(UpstreamError("the mirror's settings are being changed"))
            return None

        job.update_id = update.update_id
        job.done.clear()
        job.totals.clear()
        try:
            async with beside(self._renew(job, update)):
                await self._stage_all(job, upstream, update)
                await self._bring_all(job, upstream, update)
            done = await self._commit(job, upstream, update)
        except StaleRevision as error:
            # Is it the fence, or one copy that was announced anew?
            await self._check_held(job, update, error)
            job.patience.try_again(error)
            return None
        return self._result(job, "committed", release, done.report)

    async def _settings(self, job: Job) -> Settings:
        rows = await self._database.rows(
            "select upstream from pkgdb.mirrors where namespace = %s and repository = %s",
            job.namespace,
            job.repository,
        )
        if not rows:
            raise NotFound(f"no mirror {job.repository!r} in namespace {job.namespace!r}")
        settings: Settings = rows[0]["upstream"]
        return settings

    async def _check_backends(self, job: Job, settings: Settings) -> None:
        """Refuses to download to nowhere. Where nothing is said, the backends decide."""
        if settings.get("download") is not True:
            return
        backends = await self._database.rows(
            "select from pkgdb.repository_backends where namespace = %s and repository = %s",
            job.namespace,
            job.repository,
        )
        if not backends:
            raise StoreError(
                f"mirror {job.namespace}/{job.repository} is to download its files and has no"
                " backend to keep them on"
            )

    async def _stage_all(self, job: Job, upstream: Upstream, update: MirrorRef) -> None:
        async with aclosing(upstream.items(functools.partial(job.advance, "indexes"))) as chunks:
            async for items in chunks:
                await self.stage(job, update, items)
                job.advance("items", len(items))

    async def _bring_all(self, job: Job, upstream: Upstream, update: MirrorRef) -> None:
        if not update.upstream.get("download", True):
            return
        while True:
            copies = await self.registry.missing_mirror_copies(
                job.namespace,
                *_held(update),
                limit=min(_COPIES + len(job.failures), _MOST_COPIES),
            )
            files = defaultdict(list)
            for copy in copies:
                if (copy.backend, copy.sha256) not in job.failures:
                    files[copy.sha256].append(copy)
            if not files:
                return
            size = sum(copies[0].size for copies in files.values())
            job.advance("files", 0, job.done["files"] + size)
            await each(
                files.values(),
                functools.partial(self._bring, job, upstream, update),
                self._downloads,
            )

    async def _bring(
        self, job: Job, upstream: Upstream, update: MirrorRef, copies: list[MirrorCopy]
    ) -> None:
        """One file, to all backends that lack it."""
        path = job.folder / copies[0].sha256
        try:
            await self.fetch(job, upstream, copies[0], path)
            for copy in copies:
                await self._keep(job, update, copy, path)
        finally:
            path.unlink(missing_ok=True)

    async def _keep(self, job: Job, update: MirrorRef, copy: MirrorCopy, source: Path) -> None:
        try:
            await self.upload(job, copy, source)
        except StoreError as error:
            if isinstance(error, WrongObject) and await self._report(job, copy, error):
                job.patience.try_again(error)  # under the next key
            elif copy.requirement == "optional":
                failure = OptionalFailure(copy.backend, copy.sha256, str(error))
                job.failures[copy.backend, copy.sha256] = failure
            else:
                raise
        else:
            await self.record(job, update, copy)

    async def _report(self, job: Job, copy: MirrorCopy, error: WrongObject) -> bool:
        """Says what is under a key that was to be ours, so that the blob gets another one."""
        try:
            await self.registry.verify_copy(
                job.namespace, copy.backend, copy.sha256, copy.generation, error.found
            )
        except PermissionDenied:
            return False
        return True

    async def _renew(self, job: Job, update: MirrorRef) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            with suppress(ConnectionFailed):  # the lease lasts for two more tries
                await self.stage(job, update, [])

    async def _commit(self, job: Job, upstream: Upstream, update: MirrorRef) -> MirrorRef:
        while True:
            try:
                return await self.commit(job, update)
            except LockTimeout as error:
                job.patience.try_again(error)
                await job.patience.rest()
            except InvalidState as error:
                # A backend was added, a copy was lost: it is a matter of more downloads.
                await self._check_held(job, update, error)
                job.patience.try_again(error)
                async with beside(self._renew(job, update)):
                    await self._bring_all(job, upstream, update)

    async def _check_held(self, job: Job, update: MirrorRef, error: Exception) -> None:
        """Raises the error unless the update is still open, and ours."""
        now = await self._look(job, update.update_id)
        if now is None or now["status"] != "open" or now["fence"] != update.fence:
            raise error

    async def _unchanged(self, job: Job, release: str) -> MirrorUpdated:
        # By ourselves, where the answer to the commit was lost?
        now = await self._look(job, job.update_id)
        if now is not None and now["status"] == "committed" and now["release"] == release:
            return self._result(job, "committed", release, now["report"])
        return self._result(job, "unchanged", release, None)

    async def _wait_for_others(self, job: Job, update: MirrorRef) -> None:
        """Returns when an update has ended or its holder has let go of it."""
        busy = TimeoutError(
            f"mirror {job.repository} is still being updated by somebody else (update"
            f" {update.update_id} of namespace {job.namespace})"
        )
        while True:
            await job.patience.pause(busy)
            now = await self._look(job, update.update_id)
            if now is None or now["status"] != "open" or not now["held"]:
                return

    async def _look(self, job: Job, update_id: int | None) -> dict[str, Any] | None:
        rows = await self._database.rows(
            """
            select status, fence, release, report, lease_until >= clock_timestamp() as held
              from pkgdb.mirror_updates
             where namespace = %s and update_id = %s
            """,
            job.namespace,
            update_id,
        )
        return rows[0] if rows else None

    def _result(
        self, job: Job, outcome: str, release: str, report: Mapping[str, int] | None
    ) -> MirrorUpdated:
        return MirrorUpdated(
            outcome,
            release,
            report or {},
            job.downloaded,
            job.found,
            tuple(job.failures.values()),
        )

    def _store(self, url: str) -> Store:
        if url not in self._stores:
            self._stores[url] = Store.open(url)
        return self._stores[url]


def _key_of(namespace: str, repository: str) -> str:
    """The same for the same mirror, so that a run that was killed is taken up by the next."""
    content = json.dumps([namespace, repository])
    return "mirror:" + hashlib.sha256(content.encode()).hexdigest()


def _held(update: MirrorRef) -> tuple[int, int]:
    assert update.update_id is not None
    assert update.fence is not None
    return update.update_id, update.fence
