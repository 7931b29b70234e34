"""Rendering one distribution into the folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from pkgdb.archive.apt import AptEdition
from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.folder import Folder, Generation, Place, State, Tree
from pkgdb.archive.frozen import FrozenEdition
from pkgdb.archive.listing import Distribution, Entry, PoolFile
from pkgdb.archive.pool import Locate, Progress, bring
from pkgdb.archive.signer import Signer

__all__ = ["Edition", "edition_of", "is_due", "link_of", "render", "to_its_end"]


class Edition(Protocol):
    """One state of a distribution, in the form that its readers take."""

    link: str
    files: Sequence[PoolFile]
    digest: str
    valid_for: int | None

    def write(self, tree: Tree, kept: Iterable[Generation]) -> None:
        """Writes it; `kept` are the generations that clients may still be reading."""


def link_of(distribution: Distribution) -> str:
    """Where it is seen, below its prefix."""
    name = distribution.distribution
    return f"dists/{name}" if distribution.ecosystem == "deb" else name


def edition_of(
    distribution: Distribution,
    found: Iterable[Entry],
    signer: Signer | None,
    base_url: str | None,
) -> Edition:
    """Its state.

    Raises:
        ArchiveError: It cannot be rendered as it is.
    """
    match distribution.ecosystem:
        case "deb":
            return AptEdition(distribution, found, signer)
        case "npm" | "pypi":
            return FrozenEdition(distribution, found, base_url)
    raise ArchiveError(f"{distribution.ecosystem} cannot be rendered, only deb, npm, pypi")


def is_due(state: State, now: float) -> bool:
    """Whether it is time to say again that it is still so."""
    return state.valid_until is not None and now > (state.date + state.valid_until) / 2


async def render(
    folder: Folder,
    distribution: Distribution,
    edition: Edition,
    locate: Locate,
    grace: timedelta,
    progress: Progress | None = None,
) -> bool:
    """Makes an edition what readers see; False where they see it already.

    Raises:
        ArchiveError: It cannot be; readers see what they saw.
    """
    shelf = folder.shelf(distribution.prefix)
    place = shelf.place(edition.link)
    before = place.current()
    if before is not None:
        if before.state.namespace != distribution.namespace:
            raise ArchiveError(f"{place} shows namespace {before.state.namespace!r}")
        if before.state.digest == edition.digest and not is_due(before.state, time.time()):
            return False
    fresh = place.begin(edition.files)
    await bring(shelf, edition.files, locate, progress)
    date = await _date(place)
    await to_its_end(_write, place, fresh, distribution, edition, date, grace)
    return True


async def to_its_end(function: Callable[..., None], *arguments: object) -> None:
    """Runs in a thread, and is not left before that has ended: the folder's lock is to outlast it.

    A thread cannot be cancelled.
    """
    task = asyncio.create_task(asyncio.to_thread(function, *arguments))
    try:
        await asyncio.shield(task)
    finally:
        await asyncio.wait([task])


async def _date(place: Place) -> int:
    """A second that no other generation has: clients of HTTP, and apt, know them apart by it."""
    last = place.last()
    date = max(int(time.time()), last.date + 1 if last else 0)
    await asyncio.sleep(min(1.0, max(0.0, date - time.time())))
    return date


def _write(
    place: Place,
    fresh: Path,
    distribution: Distribution,
    edition: Edition,
    date: int,
    grace: timedelta,
) -> None:
    tree = Tree(fresh / "tree", place.current(), date)
    edition.write(tree, place.kept(date, grace.total_seconds()))
    state = State(
        namespace=distribution.namespace,
        distribution_id=distribution.distribution_id,
        revision=distribution.revision,
        digest=edition.digest,
        date=date,
        valid_until=date + edition.valid_for if edition.valid_for else None,
        indexes=tree.indexes,
    )
    place.switch(fresh, state)
