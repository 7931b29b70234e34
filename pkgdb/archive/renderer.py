"""Keeps a folder as the distributions of a namespace are.

What a distribution has is looked at whenever anything may have changed: its revision, or any event
of the namespace, as every change of what it serves writes one in the same transaction. What is
then the same as what readers see is not written again. A worker has to give the events their places
in the feed: while some wait, every look is a whole one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString, NamedTuple

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from pkgdb import __version__
from pkgdb._async.registry import AsyncRegistry
from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.folder import Folder, Place
from pkgdb.archive.listing import Distribution, Entry
from pkgdb.archive.pool import Progress
from pkgdb.archive.render import edition_of, is_due, link_of, render, to_its_end
from pkgdb.archive.signer import Signer
from pkgdb.errors import DRIVER_ERRORS, NotFound, PkgdbError, translate
from pkgdb.models import BlobLocation
from pkgdb.storage._database import open_pool

__all__ = ["ArchiveRenderer", "Rendering"]

log = logging.getLogger("pkgdb.archive")

_DISTRIBUTIONS: LiteralString = """
    select d.namespace, d.prefix, d.distribution, d.distribution_id, d.ecosystem, d.settings,
           d.revision,
           array(select c.component
                   from pkgdb.distribution_components c
                  where c.namespace = d.namespace and c.prefix = d.prefix
                    and c.distribution = d.distribution
                  order by c.component) as components
      from pkgdb.distributions d
     where d.namespace = %s
"""
_CONTENT: LiteralString = """
    select c.*, c.name as normalized_name, convert_to(c.version, 'UTF8') as identity,
           false as prerelease
      from pkgdb.distribution_content(%s, %s, %s) c
"""
_ORDERED_CONTENT: LiteralString = """
    select c.*, pkgdb.normalize_name(c.ecosystem, c.name) as normalized_name,
           pkgdb.version_key(c.ecosystem, c.version) as identity,
           pkgdb.is_prerelease(c.ecosystem, c.version) as prerelease
      from pkgdb.distribution_content(%s, %s, %s) c
     order by normalized_name, identity desc, c.variant, c.component
"""


class Rendering(NamedTuple):
    """What became of a distribution: `rendered`, `unchanged` or `removed`."""

    prefix: str
    distribution: str
    revision: int
    outcome: str


Feed = tuple[int, str | None]
"""The last position of the feed, and its incarnation.

Not known while events wait for their place: two such moments cannot be told apart.
"""


@dataclass(frozen=True)
class Survey:
    """The distributions of a namespace, and where its feed was then."""

    feed: Feed | None
    distributions: tuple[Distribution, ...]


class ArchiveRenderer:
    """Renders distributions into one folder, which any static web server can serve."""

    def __init__(
        self,
        folder: Path,
        namespace: str,
        dsn: str = "",
        *,
        distributions: Iterable[tuple[str, str]] = (),
        key: str | None = None,
        homedir: Path | None = None,
        base_url: str | None = None,
        grace: timedelta = timedelta(days=1),
        interval: timedelta = timedelta(seconds=5),
        progress: Progress | None = None,
    ) -> None:
        """Connects when it runs.

        Args:
            folder: Made where it is absent. Several namespaces may share it.
            distributions: Only these, each a prefix and a name; none for all.
            key: What signs apt archives, as `gpg --local-user` takes it. Default: nothing does.
            homedir: Of gpg, where it is not its own.
            base_url: Under which URL the folder is served. Documents for npm have to name it.
            grace: How long clients can go on with what they began to read before a change.
            interval: The pause between two looks at the database.
            progress: Is told how many of the files that a rendering lacks were brought, and how
                many there are.
        """
        self._folder = Folder(folder)
        self._namespace = namespace
        self._dsn = dsn
        self._only = frozenset(distributions)
        self._signer = None if key is None else Signer(key, homedir)
        self._base_url = base_url
        self._grace = grace
        self._interval = interval
        self._progress = progress
        self._stopping = asyncio.Event()
        self._done: dict[tuple[str, str], Rendering] = {}
        self._failures: dict[str, ArchiveError] = {}

    def stop(self) -> None:
        """Ends `run` after the distribution that is being worked on."""
        self._stopping.set()

    async def run(self, *, once: bool = False) -> list[Rendering]:
        """Renders until `stop`, or with `once` what there is now.

        Returns:
            What was done last with each distribution.

        Raises:
            ArchiveError: With `once`, after all others were rendered: some cannot be.
            NotFound: With `once`: there is no such namespace.
            BlockingIOError: With `once`: another renderer works in the folder.
        """
        self._done, self._failures = {}, {}
        async with open_pool(self._dsn, "pkgdb archive", connections=2) as pool:
            self._pool = pool
            self._registry = AsyncRegistry(pool)
            while not self._stopping.is_set():
                try:
                    failures = await self._round()
                except (PkgdbError, OSError) as error:
                    if once:
                        raise
                    log.warning("%s", error)
                else:
                    if once and failures:
                        raise ArchiveError("\n".join(map(str, failures.values())))
                    self._report(failures)
                if once:
                    break
                with suppress(TimeoutError):
                    seconds = self._interval.total_seconds()
                    await asyncio.wait_for(self._stopping.wait(), seconds)
        return [self._done[key] for key in sorted(self._done)]

    async def _round(self) -> dict[str, ArchiveError]:
        """What could not be rendered, by distribution."""
        with self._folder.alone():
            for shelf in self._folder.shelves():
                shelf.mend()
            try:
                survey = await self._survey()
                return self._remove(survey) | await self._render_all(survey)
            finally:
                await to_its_end(self._clean)

    async def _render_all(self, survey: Survey) -> dict[str, ArchiveError]:
        failures: dict[str, ArchiveError] = {}
        for distribution in survey.distributions:
            if self._stopping.is_set():
                break
            with _noted(failures, str(distribution)):
                revision, outcome = await self._render(distribution, survey.feed)
                self._note(distribution.prefix, distribution.distribution, revision, outcome)
        return failures

    async def _render(self, distribution: Distribution, feed: Feed | None) -> tuple[int, str]:
        """Its revision, and what became of it."""
        if self._is_seen(self._place(distribution), self._token(distribution, feed)):
            return distribution.revision, "unchanged"
        read = await self._read(distribution)
        if read is None:  # dropped by now: the next round removes it
            return distribution.revision, "unchanged"
        distribution, feed, entries = read
        edition = await asyncio.to_thread(
            edition_of, distribution, entries, self._signer, self._base_url
        )
        rendered = await render(
            self._folder, distribution, edition, self._locate, self._grace, self._progress
        )
        place, token = self._place(distribution), self._token(distribution, feed)
        if place.seen() != token:
            place.see(token)
        return distribution.revision, "rendered" if rendered else "unchanged"

    def _place(self, distribution: Distribution) -> Place:
        return self._folder.shelf(distribution.prefix).place(link_of(distribution))

    def _is_seen(self, place: Place, token: list[object] | None) -> bool:
        """Whether nothing can have changed since the place was looked at."""
        current = place.current()
        return (
            token is not None
            and current is not None
            and not is_due(current.state, time.time())
            and place.seen() == token
        )

    def _token(self, distribution: Distribution, feed: Feed | None) -> list[object] | None:
        """What is not the same again once anything has changed; None where that is not known."""
        if feed is None:
            return None
        rendering = [__version__, self._namespace, repr(self._signer), self._base_url]
        return [*rendering, distribution.distribution_id, distribution.revision, *feed]

    def _remove(self, survey: Survey) -> dict[str, ArchiveError]:
        """Takes away what is no longer there."""
        failures: dict[str, ArchiveError] = {}
        wanted = {(one.prefix, link_of(one)) for one in survey.distributions}
        known = {(one.prefix, one.distribution) for one in survey.distributions}
        for shelf in self._folder.shelves():
            for place in shelf.places():
                last, name = place.last(), (shelf.prefix, place.distribution)
                if last is None or last.namespace != self._namespace:
                    continue
                if self._only and name not in self._only:
                    continue
                if (shelf.prefix, place.link) in wanted:
                    continue
                known.add(name)
                with _noted(failures, "/".join(filter(None, name))):
                    if place.drop():
                        self._note(*name, last.revision, "removed")
        for name in sorted(self._only - known):
            with _noted(failures, "/".join(filter(None, name))):
                raise ArchiveError(f"there is no such distribution in {self._namespace}")
        return failures

    def _clean(self) -> None:
        for shelf in self._folder.shelves():
            shelf.clean(time.time(), self._grace.total_seconds())

    def _note(self, prefix: str, distribution: str, revision: int, outcome: str) -> None:
        done = Rendering(prefix, distribution, revision, outcome)
        if outcome != "unchanged":
            log.info("%s, revision %d: %s", "/".join(filter(None, done[:2])), revision, outcome)
            self._done[prefix, distribution] = done
        self._done.setdefault((prefix, distribution), done)

    def _report(self, failures: dict[str, ArchiveError]) -> None:
        """Warns of what goes wrong, and not again as long as it is the same."""
        for name, error in failures.items():
            if str(error) != str(self._failures.get(name)):
                log.warning("%s", error)
        self._failures = failures

    # The database

    async def _survey(self) -> Survey:
        async with self._moment() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            feed = await self._feed(connection)
            query = _DISTRIBUTIONS + "order by d.prefix, d.distribution"
            await cursor.execute(query, [self._namespace])
            found = tuple([_distribution(row) async for row in cursor])
        only = self._only or {(one.prefix, one.distribution) for one in found}
        return Survey(feed, tuple(one for one in found if (one.prefix, one.distribution) in only))

    async def _read(
        self, distribution: Distribution
    ) -> tuple[Distribution, Feed | None, list[Entry]] | None:
        """A distribution and all that it has, and where the feed was; None where it is gone."""
        where = [self._namespace, distribution.prefix, distribution.distribution]
        async with self._moment() as connection:
            feed = await self._feed(connection)
            cursor = connection.cursor(row_factory=dict_row)
            query = _DISTRIBUTIONS + "and d.prefix = %s and d.distribution = %s"
            await cursor.execute(query, where)
            row = await cursor.fetchone()
            if row is None:
                return None
            found = _distribution(row)
            async with connection.cursor("content", row_factory=dict_row) as content:
                await content.execute(
                    _CONTENT if found.ecosystem == "deb" else _ORDERED_CONTENT, where
                )
                return found, feed, [Entry.from_row(row) async for row in content]

    async def _feed(self, connection: AsyncConnection[Any]) -> Feed | None:
        cursor = await connection.execute(
            """
            select head, incarnation::text, waiting
              from pkgdb.feed_positions
             where namespace = %s
            """,
            [self._namespace],
        )
        row = await cursor.fetchone()
        if row is None:
            raise NotFound(f"no namespace {self._namespace!r}", sqlstate="RG404")
        return None if row[2] else (row[0], row[1])

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[AsyncConnection[Any]]:
        """A connection that sees the database as it is at one moment."""
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute(
                    "set transaction isolation level repeatable read, read only"
                )
                yield connection
        except DRIVER_ERRORS as error:
            raise translate(error) from error

    async def _locate(self, sha256: str) -> list[BlobLocation]:
        return await self._registry.locate_blob(self._namespace, sha256)


@contextmanager
def _noted(failures: dict[str, ArchiveError], name: str) -> Iterator[None]:
    """What goes wrong with one distribution stops no other."""
    try:
        yield
    except (PkgdbError, OSError) as error:
        failures[name] = ArchiveError(f"{name}: {error}")


def _distribution(row: dict[str, Any]) -> Distribution:
    return Distribution(**row | {"components": tuple(row["components"])})
