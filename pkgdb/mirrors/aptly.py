"""What an aptly has: its lists of packages, read through its API, and the files in its pool.

A list (a local repository, a snapshot) is an upstream like any other, so that a mirror can be
brought to be just that list.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from pkgdb.indexes import Bad, Source, read
from pkgdb.mirrors.transport import Archive
from pkgdb.mirrors.upstream import Absent, Got, Items, UpstreamError

__all__ = ["Aptly", "AptlyList", "Package"]

Package = Mapping[str, str]
"""The fields of a package as aptly keeps them."""

_PATIENCE = 600  # seconds that aptly may think
_ITEMS = 1000  # that are given at once
_NEEDED = ("Key", "Package", "Version", "Architecture", "Filename", "Size", "SHA256", "MD5sum")
_ITS_OWN = {"Key", "ShortKey", "FilesHash"}


class Aptly:
    """The API of a running `aptly api serve`."""

    def __init__(self, url: str) -> None:
        """Asks nothing yet.

        Raises:
            UpstreamError: It is no http:// or https:// URL.
        """
        self.url = url.rstrip("/")
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise UpstreamError(f"{url!a} is no http:// or https:// URL")

    def repositories(self) -> list[dict[str, Any]]:
        """Its local repositories."""
        return self._get("repos")

    def snapshots(self) -> list[dict[str, Any]]:
        """Its snapshots, the oldest first."""
        return sorted(self._get("snapshots"), key=lambda one: str(one["CreatedAt"]))

    def published(self) -> list[dict[str, Any]]:
        """What it has published."""
        return self._get("publish")

    def packages(self, kind: str, name: str) -> list[Package]:
        """The packages of one of `repos` or `snapshots`.

        Raises:
            UpstreamError: Of a binary package something is missing that aptly always notes today.
        """
        packages = self._get(f"{kind}/{quote(name, safe='')}/packages?format=details")
        for package in packages:
            absent = [field for field in _NEEDED if not package.get(field)]
            if absent and package.get("Architecture") != "source":
                raise UpstreamError(
                    f"aptly's {name!a} has a package without {', '.join(absent)}:"
                    f" {package.get('Key')!a}"
                )
        return packages

    def _get(self, path: str) -> list[Any]:
        where = f"{self.url}/api/{path}"
        try:
            with urlopen(where, timeout=_PATIENCE) as answer:  # noqa: S310  # its scheme was looked at
                found = json.load(answer)
        except HTTPError as error:
            raise UpstreamError(f"{where}: {error}: {error.read(200)!a}") from error
        except (OSError, HTTPException, ValueError) as error:
            raise UpstreamError(f"{where}: {error}") from error
        if not isinstance(found, list):
            raise UpstreamError(f"{where} gave no list")
        return found


class AptlyList:
    """One list of packages, as an upstream."""

    def __init__(self, packages: Sequence[Package], pool: Path | None, folder: Path) -> None:
        """Reads nothing yet.

        Args:
            packages: Binary packages, as `Aptly.packages` gives them.
            pool: The folder `pool` of aptly, for the files.
            folder: For temporary files.
        """
        self._packages = sorted(packages, key=lambda package: package["Key"])
        self._pool = None if pool is None else Archive.open(str(pool.absolute()))
        self._legacy = {package["SHA256"]: package["MD5sum"] for package in packages}
        self._folder = folder

    async def read_release(self) -> str:
        """The digest of aptly's keys, which have those of the contents in them."""
        keys = "\n".join(package["Key"] for package in self._packages)
        return hashlib.sha256(keys.encode()).hexdigest()

    async def items(self, got: Callable[[int, int], object] | None = None) -> AsyncGenerator[Items]:
        """The packages; see `Upstream`."""
        for first in range(0, len(self._packages), _ITEMS):
            chunk = self._packages[first : first + _ITEMS]
            yield await asyncio.to_thread(self._items, chunk)

    def _items(self, packages: Sequence[Package]) -> list[dict[str, Any]]:
        index = self._folder / "index"
        index.write_text("\n".join(map(_stanza, packages)), encoding="utf-8")
        items = []
        with Source(index) as source:
            for entry in read(source, "debian"):
                if isinstance(entry, Bad):
                    raise UpstreamError(f"aptly's package cannot be read: {entry.reason}")
                items.append(entry.item)
        index.unlink()
        return items

    async def fetch(
        self, path: str, target: Path, sha256: str, size: int, got: Got | None = None
    ) -> None:
        """Copies a file of the pool; see `Upstream`."""
        if self._pool is None:
            raise Absent(f"{path}: no pool was named")
        name = path.rpartition("/")[2]
        md5 = self._legacy[sha256]
        try:
            where = f"{sha256[:2]}/{sha256[2:4]}/{sha256[4:32]}_{name}"
            await self._pool.fetch(where, target, sha256, size, got)
        except Absent:  # as older versions of aptly laid their pools out
            await self._pool.fetch(f"{md5[:2]}/{md5[2:4]}/{name}", target, sha256, size, got)


def _stanza(package: Package) -> str:
    return "".join(
        f"{field}: {value.strip()}\n"
        for field, value in package.items()
        if field not in _ITS_OWN and value.strip()
    )
