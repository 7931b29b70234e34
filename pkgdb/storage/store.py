"""One store of bytes: a folder, or a bucket of S3, Google Cloud or Azure, through `obstore`.

An object's key names the digest of its bytes, so these rules make every step safe to repeat:

- Bytes are hashed on their way. An object appears whole and with the promised digest, or not at
  all; a file that changes while it is read never becomes an object.
- Nothing is replaced: where an object is there already, its bytes are hashed instead. Two
  uploaders of one large object in a bucket may both finish; they bring the same bytes.
- What an interrupted upload leaves is in nobody's way. In a folder it lies in `pkgdb-uploads/`
  and `sweep` removes it; in a bucket it is an unfinished multipart upload, which no reader sees and
  which the bucket's lifecycle rule for those removes.

Credentials, regions and endpoints come from the environment, as each service's own tools have
them (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...), never from the URL.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

if TYPE_CHECKING:
    from obstore import PutMode
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

__all__ = ["MARKER", "NoObject", "Store", "StoreError", "WrongObject", "WrongSource"]

MARKER = "pkgdb-installation.json"
"""The object that says which installation the store belongs to."""

UPLOADS = "pkgdb-uploads"
PART = 8 << 20
"""Bytes that are read and sent at once; what is larger is sent in parts."""
_PARTS = 9_000  # S3 takes 10,000
_PARTS_AT_ONCE = 2
_LONGEST_UPLOAD = timedelta(days=1)

_SCHEMES = frozenset({"file", "s3", "gs", "az"})
_CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=5),
    "read_timeout": timedelta(minutes=2),  # of silence
    "timeout": _LONGEST_UPLOAD,  # of a whole object
}
_RETRY: RetryConfig = {"max_retries": 4, "retry_timeout": timedelta(minutes=1)}

Sent = Callable[[int], object]


class StoreError(OSError):
    """The store did not do what it was asked to: it is away, it refused, it is not what it was."""


class NoObject(StoreError):
    """Nothing is at a key that should be read, or where something was just now."""


class WrongObject(StoreError):
    """The object at a key has other bytes than the key says; `found` is their digest."""

    def __init__(self, where: str, found: str) -> None:
        super().__init__(f"{where} has other bytes than it should: sha256 {found}")
        self.found = found


class WrongSource(OSError):
    """The bytes to be stored are not those that were promised. Nothing was stored."""


class Store:
    """The objects below one URL."""

    def __init__(self, url: str, inner: ObjectStore) -> None:
        self.url = url
        self._inner: Any = inner  # obstore's functions take the union of its stores
        self._folder = inner.prefix if isinstance(inner, LocalStore) else None
        self._checked = False

    @classmethod
    def open(cls, url: str, *, create: bool = False) -> Store:
        """The store of a backend's URL: `file:///folder`, `s3://`, `gs://` or `az://`.

        Args:
            create: Make the folder if it is one and absent.

        Raises:
            StoreError: The URL is none of those, has a password or options in it, or names a
                folder that is absent.
        """
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise StoreError(f"{url}: {error}") from error
        if parts.scheme not in _SCHEMES:
            raise StoreError(f"{url}: a store is one of {', '.join(sorted(_SCHEMES))}://")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise StoreError("the URL of a store has no password and no options in it")
        try:
            if parts.scheme == "file":
                return cls(url, LocalStore.from_url(url, mkdir=create))
            client = _CLIENT | {"allow_http": parts.scheme == "s3" and _plain_http()}
            return cls(url, from_url(url, client_options=client, retry_config=_RETRY))
        except (BaseError, ValueError, OSError) as error:
            raise StoreError(f"{url}: {_first_line(error)}") from error

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine, if it is a folder."""
        return self._folder

    # Whose it is

    async def owner(self) -> UUID | None:
        """The installation id that the store carries; None where it carries none.

        Raises:
            StoreError: It is away, or what it carries is not an id.
        """
        with self._told(MARKER):
            try:
                found = await obstore.get_async(self._inner, MARKER)
                marker = bytes(await found.bytes_async())
            except FileNotFoundError:
                return None
        try:
            return UUID(json.loads(marker)["installation_id"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(f"{self.url}/{MARKER} is not what pkgdb writes") from error

    async def claim(self, installation_id: UUID, *, take_over: bool = False) -> None:
        """Writes the installation id into the store.

        Args:
            take_over: Replace the id of another installation, as after `adopt_backend`.

        Raises:
            StoreError: It belongs to another installation.
        """
        marker = json.dumps({"installation_id": str(installation_id)}, indent=2).encode() + b"\n"
        mode: PutMode = "overwrite" if take_over else "create"
        with self._told(MARKER), suppress(AlreadyExistsError):
            await obstore.put_async(self._inner, MARKER, marker, mode=mode)
        owner = await self.owner()
        if owner != installation_id:
            raise StoreError(
                f"{self.url} belongs to installation {owner}: give each backend a folder or prefix"
                " of its own, or take it over with `pkgdb backend adopt`"
            )

    async def check(self, installation_id: UUID | None = None) -> None:
        """Whether it is the store that was added: a disk that is not mounted takes anything.

        Raises:
            StoreError: It is away, or carries no installation id, or not this one.
        """
        owner = await self.owner()
        if owner is None:
            raise StoreError(
                f"{self.url} has no {MARKER}: it is not the store that was added, or not mounted"
            )
        if installation_id not in (None, owner):
            raise StoreError(f"{self.url} belongs to installation {owner}")
        self._checked = True

    # Objects

    async def put(
        self, key: str, path: Path, sha256: str, size: int, sent: Sent | None = None
    ) -> bool:
        """Stores a file, unless it is stored already.

        Args:
            sent: Is told the bytes of each part that was read.

        Returns:
            False where the object was there, and right.

        Raises:
            WrongSource: The file has other bytes than promised, or they changed meanwhile.
            WrongObject: There is an object with other bytes.
            StoreError: The store is away, refuses, or carries no installation id.
        """
        # Not in a thread: whoever is cancelled while it runs never sees what it opened.
        with path.open("rb") as file:
            return await self._make(
                key, _Promised(_of_file(file, _part(size)), str(path), sha256, size, sent), size
            )

    async def copy_from(
        self, source: Store, source_key: str, key: str, sha256: str, size: int
    ) -> bool:
        """Stores what another store has; otherwise as `put`."""
        chunks = source._read(source_key, _part(size))
        return await self._make(
            key, _Promised(chunks, f"{source.url}/{source_key}", sha256, size, None), size
        )

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The bytes of an object, in parts.

        Raises:
            StoreError: It is not there, or the store is away.
        """
        async for chunk in self._read(key, PART):
            yield chunk

    async def digest(self, key: str) -> str | None:
        """The SHA-256 of what is at a key, read from the store; None where nothing is."""
        digest = hashlib.sha256()
        with self._told(key):
            try:
                found = await obstore.get_async(self._inner, key)
            except FileNotFoundError:
                return None
            async for chunk in found.stream(PART):
                await asyncio.to_thread(digest.update, chunk)
        return digest.hexdigest()

    async def delete(self, key: str) -> None:
        """Deletes an object; that there is none is fine."""
        with self._told(key), suppress(FileNotFoundError):
            await obstore.delete_async(self._inner, key)
        await self._still_mounted()

    async def _still_mounted(self) -> None:
        """What was done to a folder whose disk went away meanwhile was done elsewhere."""
        if self._folder is not None:
            await self.check()

    async def sweep(self) -> int:
        """Removes what killed uploads left in a folder; returns how many files that were."""
        if self._folder is None:
            return 0
        with self._told(UPLOADS):
            return await asyncio.to_thread(_sweep, self._folder)

    async def _make(self, key: str, promised: _Promised, size: int) -> bool:
        if not self._checked:
            await self.check()
        if await self._has(key, promised.sha256):
            return False
        with self._told(key):
            try:
                await self._write(key, promised, size)
            except AlreadyExistsError:
                if await self._has(key, promised.sha256):
                    return False
            else:
                await self._still_mounted()
                with suppress(FileNotFoundError):
                    if self._folder is not None:  # it may have been away in between
                        await obstore.head_async(self._inner, key)
                    return True
        raise NoObject(f"{self.url}/{key} was there, and is gone")

    async def _has(self, key: str, sha256: str) -> bool:
        found = await self.digest(key)
        if found not in (None, sha256):
            raise WrongObject(f"{self.url}/{key}", str(found))
        return found is not None

    async def _write(self, key: str, chunks: _Promised, size: int) -> None:
        if self._folder is not None:
            await self._write_file(self._folder, key, chunks)
        elif size <= PART:
            whole = b"".join([chunk async for chunk in chunks])
            await obstore.put_async(self._inner, key, whole, mode="create")
        else:
            # No service has a create-only upload in parts that all of them have. It ends with one
            # atomic request, and whoever else sends it has hashed the same bytes.
            await self._send(key, chunks, _part(size))

    async def _write_file(self, folder: Path, key: str, chunks: _Promised) -> None:
        # What is linked has reached the disk: a crash leaves no empty object behind.
        upload = f"{UPLOADS}/{uuid4().hex}"
        try:
            await self._send(upload, chunks, PART)
            await asyncio.to_thread(_sync, folder / upload)
            await obstore.copy_async(self._inner, upload, key, overwrite=False)
            for parent in (folder / key).relative_to(folder).parents:
                await asyncio.to_thread(_sync, folder / parent)
        finally:
            await self.delete(upload)

    async def _send(self, key: str, chunks: _Promised, part: int) -> None:
        await obstore.put_async(
            self._inner, key, chunks, chunk_size=part, max_concurrency=_PARTS_AT_ONCE
        )

    async def _read(self, key: str, part: int) -> AsyncIterator[bytes]:
        with self._told(key):
            try:
                found = await obstore.get_async(self._inner, key)
            except FileNotFoundError as error:
                raise NoObject(f"{self.url}/{key} is not there") from error
            async for chunk in found.stream(part):
                yield chunk

    @contextmanager
    def _told(self, key: str) -> Iterator[None]:
        """Errors of the store as `StoreError`, with what it was about."""
        try:
            yield
        except (StoreError, WrongSource, AlreadyExistsError):
            raise
        except (BaseError, OSError) as error:
            raise StoreError(f"{self.url}/{key}: {_first_line(error)}") from error


class _Promised:
    """Chunks that are hashed as they pass; ends with an error unless they are what was promised."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        where: str,
        sha256: str,
        size: int,
        sent: Sent | None,
    ) -> None:
        self.sha256 = sha256
        self._chunks = chunks
        self._where = where
        self._size = size
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        digest, size = hashlib.sha256(), 0
        async for chunk in self._chunks:
            await asyncio.to_thread(digest.update, chunk)
            size += len(chunk)
            if size > self._size:
                break
            yield chunk
            if self._sent is not None:
                self._sent(len(chunk))
        if size != self._size or digest.hexdigest() != self.sha256:
            raise WrongSource(
                f"{self._where} does not have the bytes that were promised: it was changed, or is"
                " damaged"
            )


async def _of_file(file: IO[bytes], part: int) -> AsyncIterator[bytes]:
    while chunk := await asyncio.to_thread(file.read, part):
        yield chunk


def _part(size: int) -> int:
    return max(PART, -(-size // _PARTS))


def _plain_http() -> bool:
    """Whether the environment names an endpoint of S3 without TLS: a server of one's own."""
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"):
        if endpoint := os.environ.get(name):
            scheme = urlsplit(endpoint).scheme
            if scheme not in ("http", "https"):
                raise StoreError(f"{name} is {endpoint!r}, which is no URL")
            return scheme == "http"
    return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path) -> int:
    oldest = time.time() - _LONGEST_UPLOAD.total_seconds()
    swept = 0
    with suppress(FileNotFoundError):
        for path in (folder / UPLOADS).iterdir():
            with suppress(OSError):  # another user's: it is in nobody's way
                if path.stat().st_mtime < oldest:
                    path.unlink()
                    swept += 1
    return swept


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
