"""Keeps a folder as a repository is: reads the feed, and writes anew what an event is about.

An event is a hint. What is written is the package as it is when it is read, so that an event that
comes twice or late does no harm. The cursor is in the folder too and moves after everything
else; a projector that is killed does its last events again.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import logging
import os
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool

from pkgdb._async.registry import AsyncRegistry
from pkgdb.errors import DRIVER_ERRORS, Gone, StaleRevision, translate
from pkgdb.models import BlobLocation, FeedEvent, StoredFile
from pkgdb.projector.pages import Package, file_path, pages_of, roots
from pkgdb.storage import Store, StoreError

__all__ = ["Projector"]

log = logging.getLogger("pkgdb.projector")

_CURSOR = ".pkgdb-projection.json"
_LOCK = ".pkgdb-projection.lock"
_BATCH = 1000


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
            async with self._connected():
                cursor = await self._begin()
                while not self._stopping.is_set():
                    count, cursor = await self._step(cursor)
                    projected += count
                    if count:
                        continue
                    if once:
                        break
                    with suppress(TimeoutError):
                        seconds = self._interval.total_seconds()
                        await asyncio.wait_for(self._stopping.wait(), seconds)
        return projected

    async def _begin(self) -> Cursor:
        """The cursor of the folder, and the same in the registry: nothing after it is pruned."""
        position, incarnation = cursor = self._read_cursor()
        try:
            if cursor != _NOWHERE:
                await self._registry.read_events(
                    self._namespace, position, 1, incarnation=incarnation
                )
                await self._registry.register_consumer(self._namespace, self._consumer, position)
                return cursor
        except (Gone, StaleRevision) as error:
            log.warning("begins anew: %s", error.message)
        return await self._begin_anew()
