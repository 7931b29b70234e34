"""Publishing files: reserve, upload to every backend, commit. Killed at any point, run it again.

Every step is safe to repeat, and nothing is undone when one fails: the publication stays open, for
the next run to go on with, or until its lease ends. No object is ever deleted here.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from pkgdb.errors import (
    ConnectionFailed,
    InvalidState,
    PermissionDenied,
    StaleRevision,
)
from pkgdb.models import CopyRef, File, MissingCopy, PublicationRef, VersionRef
from pkgdb.purl import Coordinates, coordinates
from pkgdb.storage._database import Database, open_pool
from pkgdb.storage._tasks import Patience, beside, each
from pkgdb.storage.store import NoObject, Store, StoreError, WrongObject

if TYPE_CHECKING:
    from packageurl import PackageURL
    from psycopg_pool import AsyncConnectionPool

__all__ = ["STEPS", "AsyncPublisher", "OptionalFailure", "Published", "Publisher"]

STEPS = ("begin", "upload", "record", "commit")
"""The steps of a publication, each a method of `AsyncPublisher` of this name."""

P = ParamSpec("P")
R = TypeVar("R")

_TRIES = 5  # of what fails at once; waiting for somebody is bounded by `patience` alone

Progress = Callable[[MissingCopy, int], object]


@dataclass(frozen=True)
class OptionalFailure:
    """An optional backend that did not get a blob; the worker brings it there later."""

    backend: str
    sha256: str
    error: str


@dataclass(frozen=True)
class Published:
    """What became of a publication.

    `outcome` is `created`, `files_added`, or `unchanged` where all of it was published before.
    `uploaded` counts the objects that were made, `found` those that were on a backend already.
    """

    outcome: str
    registration_id: int
    version_id: int
    uploaded: int = 0
    found: int = 0
    failures: tuple[OptionalFailure, ...] = ()


@dataclass
class Job:
    """One call of `publish`, and what has been done for it so far."""

    namespace: str
    repository: str
    package: Coordinates
    files: list[File]
    paths: Mapping[str, Path]
    metadata: Mapping[str, Any]
    dependencies: list[Mapping[str, Any]]
    role: str
    request_key: str
    actor: str | None
    uploaded: int = 0
    found: int = 0
    failures: dict[tuple[str, str], OptionalFailure] = field(default_factory=dict)


class _Again(Exception):
    """What was begun is out of date: begin again. The cause is the error if that does not help."""


class _Run(Patience):
    """How far one call of `publish` may go yet."""

    def __init__(self, job: Job, own_key: bool, patience: timedelta) -> None:
        super().__init__(_TRIES, patience)
        self.job = job
        self.own_key = own_key
        self.begun: set[int] = set()


class AsyncPublisher:
    """Publishes files to the backends of a repository."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Any],
        *,
        lease: timedelta = timedelta(minutes=15),
        patience: timedelta = timedelta(minutes=10),
        uploads: int = 4,
        progress: Progress | None = None,
    ) -> None:
        """Works on connections of a pool that stays the caller's.

        Args:
            lease: For how long nobody else takes over after this process was killed; it is
                renewed while uploads run.
            patience: How long to wait for somebody who is publishing the same, or for validators.
            uploads: How many objects are uploaded at once.
            progress: Is told which copy another so many bytes were sent for.
        """
        self._database = Database(pool)
        self.registry = self._database.registry
        self._lease = lease
        self._patience = patience
        self._uploads = uploads
        self._progress = progress
        self._stores: dict[str, Store] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, dsn: str = "", **options: Any) -> AsyncIterator[AsyncPublisher]:
        """A publisher with connections of its own; `options` as for the class."""
        async with open_pool(dsn, "pkgdb") as pool:
            yield cls(pool, **options)

    async def publish(
        self,
        namespace: str,
        repository: str,
        ecosystem: str | PackageURL,
        name: str | None = None,
        version: str | None = None,
        variant: str = "",
        *,
        files: Iterable[tuple[File, Path]],
        metadata: Mapping[str, Any] | None = None,
        dependencies: Iterable[Mapping[str, Any]] = (),
        role: str = "main",
        request_key: str | None = None,
        actor: str | None = None,
    ) -> Published:
        """Publishes a version with its files, or adds files to it; does what is still missing.

        Args:
            files: What each file is, and where its bytes are.
            dependencies: What the version says of other packages, as `begin_publication` takes it.
            role: `main`, or `side` for files that are attached to a published version.
            request_key: Who can go on at once with what this call leaves unfinished: the same
                actor with the same key. Default: one that follows from the content.

        Returns:
            What became of it. An optional backend that failed is reported and not an error.

        Raises:
            TimeoutError: Somebody else is still publishing the same after `patience`.
            StoreError: A required backend is away, or refused.
            WrongSource: A file is not, or is no longer, what `files` says of it.
            InvalidState: RG422: the publication was rejected or aborted, or validators are still
                at work after `patience`.
            PkgdbError: What `begin_publication` and `commit_publication` raise.
        """
        given = list(files)
        job = Job(
            namespace=namespace,
            repository=repository,
            package=coordinates(ecosystem, name, version, variant),
            files=[file for file, _ in given],
            paths={file.sha256.lower(): path for file, path in given},
            metadata=metadata or {},
            dependencies=list(dependencies),
            role=role,
            request_key=request_key or "",
            actor=actor,
        )
        if request_key is None:
            job.request_key = _key_of(job)
        done = await self._publish(_Run(job, request_key is None, self._patience))
        return Published(
            done.outcome,
            _given(done.registration_id),
            _given(done.version_id),
            job.uploaded,
            job.found,
            tuple(job.failures.values()),
        )

    # The steps, each of which may be repeated

    async def begin(self, job: Job) -> PublicationRef:
        """Reserves what is published, or takes up what an earlier run left."""
        return await self.registry.begin_publication(
            job.namespace,
            job.repository,
            **job.package._asdict(),
            files=job.files,
            metadata=job.metadata,
            dependencies=job.dependencies,
            role=job.role,
            lease=self._lease,
            request_key=job.request_key,
            actor=job.actor,
        )

    async def upload(self, job: Job, copy: MissingCopy) -> None:
        """Puts a blob where a backend keeps it, unless it is there."""
        store = self._store(copy.url)
        sent = self._progress and functools.partial(self._progress, copy)
        if await store.put(copy.object_key, job.paths[copy.sha256], copy.sha256, copy.size, sent):
            job.uploaded += 1
        else:
            job.found += 1

    async def record(self, job: Job, publication: PublicationRef, copy: MissingCopy) -> CopyRef:
        """Tells the database that the blob is there."""
        return await self.registry.record_copy(
            job.namespace,
            _given(publication.publication_id),
            _given(publication.fence),
            copy.backend,
            copy.sha256,
            copy.generation,
        )

    async def commit(self, job: Job, publication: PublicationRef) -> VersionRef:
        """Makes it visible."""
        return await self.registry.commit_publication(
            job.namespace,
            _given(publication.publication_id),
            _given(publication.fence),
            actor=job.actor,
        )

    # Between the steps

    async def _publish(self, run: _Run) -> PublicationRef | VersionRef:
        while True:
            try:
                done = await self._attempt(run)
                if done is not None:
                    return done
            except ConnectionFailed as error:
                run.try_again(error)
                await run.pause(error)

    async def _attempt(self, run: _Run) -> PublicationRef | VersionRef | None:
        """Publishes; None where that has to begin again."""
        job = run.job
        publication = await self.begin(job)
        known = publication.publication_id
        if publication.outcome == "unchanged":
            if known is None or known in run.begun or not run.own_key:
                return publication
            # That is what an earlier run with this key did. Whether it still stands, another key
            # tells: it may have been deleted since.
            job.request_key = _key_after(job.request_key, known)
            return None
        if publication.fence is None:
            await self._wait_for_others(run, _given(known))
            return None

        run.begun.add(_given(known))
        await self._check_kept(job, publication)
        try:
            await self._bring(job, publication)
            return await self.commit(job, publication)
        except _Again as error:
            run.try_again(error.__cause__ or error)
        except (StaleRevision, InvalidState) as error:
            await self._find_out(run, publication, error)
        return None

    async def _check_kept(self, job: Job, publication: PublicationRef) -> None:
        """Refuses bytes that no backend is to get and none has."""
        missing = {copy.sha256 for copy in publication.copies}
        for sha256 in job.paths.keys() - missing:
            if not await self.registry.locate_blob(job.namespace, sha256):
                raise StoreError(
                    f"repository {job.namespace}/{job.repository} has no backend to keep"
                    f" {job.paths[sha256]} on"
                )

    async def _bring(self, job: Job, publication: PublicationRef) -> None:
        async def bring(copy: MissingCopy) -> None:
            try:
                await self.upload(job, copy)
            except StoreError as error:
                if isinstance(error, NoObject) or (
                    isinstance(error, WrongObject) and await self._report(job, copy, error)
                ):
                    raise _Again from error
                if copy.requirement != "optional":
                    raise
                failure = OptionalFailure(copy.backend, copy.sha256, str(error))
                job.failures[copy.backend, copy.sha256] = failure
            else:
                job.failures.pop((copy.backend, copy.sha256), None)
                await self.record(job, publication, copy)

        async with beside(self._renew(job, publication)):
            await each(publication.copies, bring, self._uploads)

    async def _renew(self, job: Job, publication: PublicationRef) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            with suppress(ConnectionFailed):  # the lease lasts for two more tries
                await self.registry.renew_publication(
                    job.namespace,
                    _given(publication.publication_id),
                    _given(publication.fence),
                    self._lease,
                )

    async def _report(self, job: Job, copy: MissingCopy, error: WrongObject) -> bool:
        """Says what is under a key that was to be ours, so that the blob gets another one."""
        try:
            await self.registry.verify_copy(
                job.namespace, copy.backend, copy.sha256, copy.generation, error.found
            )
        except PermissionDenied:  # that is for operators
            return False
        return True

    async def _find_out(
        self, run: _Run, publication: PublicationRef, error: StaleRevision | InvalidState
    ) -> None:
        """Returns when it is time to begin again; raises the error where that is of no use."""
        known = _given(publication.publication_id)
        now = await self._look(run.job, known)
        if now is None or now["status"] in ("aborted", "rejected"):
            raise error
        if now["status"] == "open" and now["fence"] != publication.fence:
            await self._wait_for_others(run, known)
        elif now["status"] == "open" and _awaits_validation(publication):
            await run.pause(error)
        else:
            # A backend was added, a copy was lost, the lease had ended: it is a matter of more
            # uploads.
            run.try_again(error)

    async def _wait_for_others(self, run: _Run, publication_id: int) -> None:
        """Returns when a publication has ended or its holder has let go of it."""
        job = run.job
        busy = TimeoutError(
            f"{job.package.name} {job.package.version} is still being published by somebody else"
            f" (publication {publication_id} of namespace {job.namespace})"
        )
        while True:
            await run.pause(busy)
            now = await self._look(job, publication_id)
            if now is None or now["status"] != "open" or not now["held"]:
                return

    async def _look(self, job: Job, publication_id: int) -> dict[str, Any] | None:
        rows = await self._database.rows(
            """
            select status, fence, lease_until >= clock_timestamp() as held
              from pkgdb.publications
             where namespace = %s and publication_id = %s
            """,
            job.namespace,
            publication_id,
        )
        return rows[0] if rows else None

    def _store(self, url: str) -> Store:
        if url not in self._stores:
            self._stores[url] = Store.open(url)
        return self._stores[url]


def _waited(
    method: Callable[Concatenate[AsyncPublisher, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Publisher, P], R]:
    @functools.wraps(method)
    def call(self: Publisher, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def run() -> R:
            async with AsyncPublisher.open(self._dsn, **self._options) as publisher:
                return await method(publisher, *args, **kwargs)

        return asyncio.run(run())

    return call


class Publisher:
    """`AsyncPublisher` for programs without an event loop; each call has its own connections."""

    def __init__(self, dsn: str = "", **options: Any) -> None:
        """Publishes to the database of a DSN; `options` as for `AsyncPublisher`."""
        self._dsn = dsn
        self._options = options

    publish = _waited(AsyncPublisher.publish)


def _key_of(job: Job) -> str:
    """The same for the same content, so that a run that was killed is taken up by the next."""
    content = [
        job.namespace,
        job.repository,
        job.package,
        job.role,
        job.metadata,
        job.dependencies,
        sorted([file.as_json() for file in job.files], key=itemgetter("filename")),
    ]
    return (
        "publisher:"
        + hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()
    )


def _key_after(key: str, publication_id: int) -> str:
    return f"{key.split('/')[0]}/{publication_id}"


def _awaits_validation(publication: PublicationRef) -> bool:
    return any(
        validation.requirement == "required" and validation.status == "pending"
        for validation in publication.validations
    )


def _given(value: R | None) -> R:
    assert value is not None
    return value
