"""Bringing files from the stores into the pool."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.folder import Shelf
from pkgdb.archive.listing import PoolFile
from pkgdb.models import BlobLocation
from pkgdb.storage import Store, StoreError, WrongObject
from pkgdb.storage._tasks import each

__all__ = ["Locate", "Progress", "bring"]

log = logging.getLogger("pkgdb.archive")

Locate = Callable[[str], Awaitable[list[BlobLocation]]]
"""Where the bytes of a digest are."""

Progress = Callable[[int, int], object]
"""Is told how many files were brought, and of how many."""

_AT_ONCE = 4
_NAMED = 10  # files in a message; when so many fail, the others are left


async def bring(
    shelf: Shelf, files: Iterable[PoolFile], locate: Locate, progress: Progress | None = None
) -> None:
    """Puts files into the pool of a prefix.

    Raises:
        ArchiveError: Of some there are no bytes that can be had. Where it is known that there are
            none, nothing is brought.
    """
    absent = [file for file in files if not shelf.has(file)]
    found: dict[PoolFile, list[BlobLocation]] = {}

    async def look(file: PoolFile) -> None:
        found[file] = await locate(file.sha256)

    await each(absent, look, _AT_ONCE)
    _refuse([file.filename for file in absent if not found[file]], "bytes are on no backend: ")

    stores: dict[str, Store] = {}
    failed: list[str] = []
    brought = 0

    async def fetch(file: PoolFile) -> None:
        nonlocal brought
        if len(failed) < _NAMED:
            try:
                await _fetch(shelf, file, found[file], stores)
            except StoreError as error:
                failed.append(f"{file.filename} ({error})")
            brought += 1
            if progress is not None:
                progress(brought, len(absent))

    await each(absent, fetch, _AT_ONCE)
    _refuse(failed, "bytes cannot be read: ")


def _refuse(files: list[str], why: str) -> None:
    if files:
        more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
        raise ArchiveError(why + ", ".join(sorted(files)[:_NAMED]) + more)


async def _fetch(
    shelf: Shelf, file: PoolFile, locations: list[BlobLocation], stores: dict[str, Store]
) -> None:
    """Takes the first store that has the right bytes, folders of this machine before others."""
    failure: StoreError | None = None
    for location in sorted(locations, key=lambda location: not location.url.startswith("file:")):
        fresh = shelf.incoming()
        try:
            if location.url not in stores:
                stores[location.url] = Store.open(location.url)
            await _copy(stores[location.url], location.object_key, fresh, file.sha256)
        except StoreError as error:
            log.warning("%s", error)
            failure = error
            fresh.unlink(missing_ok=True)
        else:
            shelf.admit(fresh, file)
            return
    if failure is not None:
        raise failure


async def _copy(store: Store, key: str, fresh: Path, sha256: str) -> None:
    if store.folder is not None and _linked(fresh, store.folder / key):
        found = await asyncio.to_thread(_digest, fresh)
    else:
        digest = hashlib.sha256()
        with fresh.open("wb") as opened:
            async for chunk in store.read(key):
                await asyncio.to_thread(digest.update, chunk)
                opened.write(chunk)
        found = digest.hexdigest()
    if found != sha256:
        raise WrongObject(f"{store.url}/{key}", found)


def _linked(path: Path, existing: Path) -> bool:
    try:
        path.hardlink_to(existing)
    except OSError:  # another file system, another owner
        return False
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
