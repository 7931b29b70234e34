"""Keeps a folder as a repository is: reads the feed, and writes anew what an event is about.

An event is a hint. What is written is the package as it is when it is read, so that an event that
comes twice or late does no harm. The cursor is in the folder too and moves after everything
else; a projector that is killed does its last events again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from pkgdb._lock import locked
from pkgdb.errors import ConnectionFailed, Gone, NotFound, StaleRevision
from pkgdb.models import BlobLocation, FeedEvent, StoredFile
from pkgdb.projector.pages import Package, file_path, files_of, pages_of, roots, url_of
from pkgdb.storage import Store, StoreError, WrongObject
from pkgdb.storage._database import Database, open_pool

__all__ = ["Projector"]

log = logging.getLogger("pkgdb.projector")

_CURSOR = ".pkgdb-projection.json"
_LOCK = ".pkgdb-projection.lock"
_BATCH = 1000


@dataclass(frozen=True)
class Cursor:
    """Up to where the folder shows the feed, and which repository it was then."""

    position: int
    incarnation: UUID | None
    repository_id: int | None


class Projector:
    """Projects one repository into one folder."""

    def __init__(
        self,
        folder: Path,
        namespace: str,
        repository: str,
        dsn: str = "",
        *,
        base_url: str | None = None,
        consumer: str | None = None,
        interval: timedelta = timedelta(seconds=5),
    ) -> None:
        """Connects when it runs.

        Args:
            folder: Made where it is absent; what is in its `simple`, `npm` and `packages` and does
                not belong there is removed.
            base_url: Under which URL the folder is served. Packuments have to name it: without,
                there are none.
            consumer: The name of this reader, whose unread events are not pruned. Default: one
                that follows from folder and repository.
            interval: The pause when there is nothing new.
        """
        self._folder = folder.absolute()
        self._namespace = namespace
        self._repository = repository
        self._dsn = dsn
        self._base_url = (base_url or "").rstrip("/")
        self._ecosystems = ["pypi", "npm"] if base_url else ["pypi"]
        self._consumer = consumer or _consumer_of(self._folder, namespace, repository)
        self._interval = interval
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ends `run` after the events that are being worked on."""
        self._stopping.set()

    async def run(self, *, once: bool = False) -> int:
        """Projects until `stop`, or with `once` up to the end of the feed; counts the events.

        Raises:
            BlockingIOError: Another projector works in the folder.
        """
        projected = 0
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._alone():
            async with open_pool(self._dsn, "pkgdb project", connections=2) as pool:
                self._database = Database(pool)
                self._registry = self._database.registry
                cursor: Cursor | None = None
                while not self._stopping.is_set():
                    count = 0
                    try:
                        if cursor is None:
                            cursor = await self._begin()
                        count, cursor = await self._step(cursor)
                    except (StoreError, ConnectionFailed) as error:
                        if once:
                            raise
                        log.warning("%s", error)  # and again later, from where it was
                    projected += count
                    if once and not count:
                        break
                    if not count:
                        with suppress(TimeoutError):
                            seconds = self._interval.total_seconds()
                            await asyncio.wait_for(self._stopping.wait(), seconds)
        return projected

    # The cursor

    async def _begin(self) -> Cursor:
        """The folder's cursor; registered, so that nothing after it is pruned."""
        cursor = self._read_cursor()
        if cursor is None:
            return await self._begin_anew()
        try:
            await self._read(cursor, limit=1)
            await self._registry.register_consumer(self._namespace, self._consumer, cursor.position)
        except (Gone, StaleRevision) as error:
            return await self._begin_anew(error)
        return cursor

    async def _begin_anew(self, error: Gone | StaleRevision | None = None) -> Cursor:
        """Writes everything. What changes meanwhile comes again."""
        if error is not None:
            log.warning("%s: everything is written anew", error.message)
        feed = await self._database.rows(
            "select head, incarnation from pkgdb.feed_positions where namespace = %s",
            self._namespace,
        )
        head, incarnation = (feed[0]["head"], feed[0]["incarnation"]) if feed else (0, None)
        await self._registry.register_consumer(self._namespace, self._consumer, head)
        return await self._rebuild(head, incarnation)

    async def _step(self, cursor: Cursor) -> tuple[int, Cursor]:
        """Projects what comes next in the feed: how many events, and the cursor after them."""
        try:
            events = await self._read(cursor, limit=_BATCH)
        except (Gone, StaleRevision) as error:
            return 1, await self._begin_anew(error)
        if not events:
            return 0, cursor
        last = events[-1]
        repository_id = await self._repository_id()
        if repository_id != cursor.repository_id:  # made, dropped, renamed
            return len(events), await self._rebuild(last.position, last.incarnation)
        touched = {
            (event.ecosystem, event.name)
            for event in events
            if event.repository_id == repository_id and event.ecosystem in self._ecosystems
        }
        for package in await self._packages(touched):
            await self._write(package)
        if touched:
            await self._write_roots()
        return len(events), await self._move(Cursor(last.position, last.incarnation, repository_id))

    async def _rebuild(self, position: int, incarnation: UUID | None) -> Cursor:
        repository_id = await self._repository_id()
        written: set[str] = set()
        for package in await self._all_packages():
            written |= await self._write(package)
        written |= await self._write_roots()
        for top in ("simple", "npm", "packages"):
            for path in sorted((self._folder / top).rglob("*"), reverse=True):
                if path.is_dir():
                    _remove_empty(path)
                elif path.relative_to(self._folder).as_posix() not in written:
                    path.unlink()
        return await self._move(Cursor(position, incarnation, repository_id))

    async def _move(self, cursor: Cursor) -> Cursor:
        said = {"position": cursor.position, "repository_id": cursor.repository_id}
        self._write_text(
            _CURSOR, json.dumps(said | {"incarnation": cursor.incarnation}, default=str)
        )
        await self._registry.acknowledge_events(
            self._namespace, self._consumer, cursor.position, incarnation=cursor.incarnation
        )
        return cursor

    def _read_cursor(self) -> Cursor | None:
        try:
            said = json.loads((self._folder / _CURSOR).read_text())
            incarnation = said["incarnation"] and UUID(said["incarnation"])
            return Cursor(said["position"], incarnation, said["repository_id"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError):  # torn by a crash of the machine
            log.warning("%s cannot be read: everything is written anew", _CURSOR)
            return None

    async def _read(self, cursor: Cursor, limit: int) -> list[FeedEvent]:
        return await self._registry.read_events(
            self._namespace, cursor.position, limit, incarnation=cursor.incarnation
        )

    # Packages as they are now

    async def _repository_id(self) -> int | None:
        rows = await self._database.rows(
            "select repository_id from pkgdb.repositories where namespace = %s and repository = %s",
            self._namespace,
            self._repository,
        )
        return int(rows[0]["repository_id"]) if rows else None

    async def _all_packages(self) -> list[Package]:
        rows = await self._database.rows(
            """
            select ecosystem, name, normalized_name, latest, latest_stable
              from pkgdb.registrations
             where namespace = %s and repository = %s and ecosystem = any (%s) and versions > 0
             order by ecosystem, normalized_name
            """,
            self._namespace,
            self._repository,
            self._ecosystems,
        )
        return [Package(**row) for row in rows]

    async def _packages(self, names: Iterable[tuple[str | None, str]]) -> list[Package]:
        """Those of these names, also where nothing is left of them."""
        given = sorted((str(ecosystem), name) for ecosystem, name in names)
        rows = await self._database.rows(
            """
            select distinct n.ecosystem, coalesce(g.name, n.normalized_name) as name,
                   n.normalized_name, g.latest, g.latest_stable
              from (select t.ecosystem, pkgdb.normalize_name(t.ecosystem, t.name)::text
                           as normalized_name
                      from unnest(%s::text[], %s::text[]) t (ecosystem, name)) n
              left join pkgdb.registrations g
                on g.namespace = %s and g.repository = %s and g.ecosystem = n.ecosystem
               and g.normalized_name = n.normalized_name and g.versions > 0
            """,
            [ecosystem for ecosystem, _ in given],
            [name for _, name in given],
            self._namespace,
            self._repository,
        )
        return [Package(**row) for row in rows]

    async def _filled(self, package: Package) -> Package:
        """A package with its tags, and its versions with the files that are here by now."""
        where = (self._namespace, self._repository, package.ecosystem, package.name)
        try:
            versions = await self._registry.versions(*where)
        except NotFound:
            return package
        tags = await self._database.rows(
            """
            select tag, version
              from pkgdb.tags
             where namespace = %s and repository = %s and ecosystem = %s and name = %s
            """,
            *where,
        )
        here = []
        for version in versions:
            files = [file for file in version.files if file.role == "main"]
            brought = tuple([file for file in files if await self._bring(file)])
            if brought:
                here.append(replace(version, files=brought))
        return replace(
            package,
            tags={row["tag"]: row["version"] for row in tags},
            versions=tuple(here),
        )

    # Pages

    async def _write(self, package: Package) -> set[str]:
        """Writes a package's pages, or removes them; returns the paths that it now has."""
        if not package.paths:
            log.warning("%s %r cannot be a path", package.ecosystem, package.normalized_name)
            return set()
        before = self._files_of(package)
        now = await self._filled(package)
        pages = pages_of(now, url_of(now, self._base_url)) if now.versions else {}
        for path, text in pages.items():
            self._write_text(path, text)
        if not pages:
            for path in package.paths:
                self._remove(path)
        files = {str(file_path(file)) for version in now.versions for file in version.files}
        for path in before - files:
            if not await self._is_used(path):
                self._remove(path)
        return pages.keys() | files

    async def _write_roots(self) -> set[str]:
        names = [
            package.normalized_name
            for package in await self._all_packages()
            if package.ecosystem == "pypi"
            and package.paths
            and (self._folder / package.paths[0]).exists()
        ]
        pages = roots(names)
        for path, text in pages.items():
            self._write_text(path, text)
        return set(pages)

    def _files_of(self, package: Package) -> set[str]:
        """The files that a package's pages name so far."""
        # Torn by a crash of the machine, it names nothing.
        with suppress(FileNotFoundError, ValueError, KeyError):
            page = (self._folder / package.paths[-1]).read_text(encoding="utf-8")
            return files_of(package, self._base_url, page)
        return set()

    async def _is_used(self, path: str) -> bool:
        """Whether another package has the same file."""
        _, first, second, rest, filename = path.split("/", 4)
        rows = await self._database.rows(
            """
            select
              from pkgdb.files
             where namespace = %s and repository = %s and sha256 = %s and filename = %s
               and ecosystem = any (%s) and role = 'main'
             limit 1
            """,
            self._namespace,
            self._repository,
            first + second + rest,
            filename,
            self._ecosystems,
        )
        return bool(rows)

    # Files

    async def _bring(self, file: StoredFile) -> bool:
        """Gets a file's bytes; False where they are kept nowhere, or it has no place here.

        Raises:
            StoreError: No store that has them can be read.
        """
        place = file_path(file)
        if place is None:
            log.warning("file %r cannot be a path", file.filename)
            return False
        path = self._folder / place
        if _has_size(path, file.size):
            return True
        locations = await self._registry.locate_blob(self._namespace, file.sha256)
        locations.sort(key=lambda location: not location.url.startswith("file:"))
        fresh = _fresh(path)
        failure: StoreError | None = None
        for location in locations:
            try:
                await self._fetch(location, file.sha256, fresh)
            except StoreError as error:
                log.warning("%s", error)
                failure = error
            else:
                fresh.replace(path)
                return True
        if failure is not None:
            raise failure
        return False

    async def _fetch(self, location: BlobLocation, sha256: str, fresh: Path) -> None:
        store = Store.open(location.url)
        if store.folder is not None and _linked(fresh, store.folder / location.object_key):
            return
        digest = hashlib.sha256()
        with fresh.open("wb") as opened:
            async for chunk in store.read(location.object_key):
                digest.update(chunk)
                opened.write(chunk)
        if digest.hexdigest() != sha256:
            raise WrongObject(f"{location.url}/{location.object_key}", digest.hexdigest())

    def _write_text(self, path: str, text: str) -> None:
        fresh = _fresh(self._folder / path)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._folder / path)

    def _remove(self, path: str) -> None:
        (self._folder / path).unlink(missing_ok=True)
        for parent in (self._folder / path).relative_to(self._folder).parents[:-2]:
            _remove_empty(self._folder / parent)

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._folder / _LOCK, busy=f"another projector works in {self._folder}")


def _consumer_of(folder: Path, namespace: str, repository: str) -> str:
    said = json.dumps([str(folder), namespace, repository])
    return f"project-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _fresh(path: Path) -> Path:
    """Beside it, for what is then moved there at once; nothing is in it yet."""
    fresh = path.with_name(".pkgdb-new")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    return fresh


def _linked(path: Path, existing: Path) -> bool:
    try:
        path.hardlink_to(existing)
    except OSError:  # another file system, another owner
        return False
    return True


def _has_size(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
