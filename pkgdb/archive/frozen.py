"""Indexes for pip and npm of what a distribution has."""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import quote

from pkgdb.archive.errors import ArchiveError
from pkgdb.archive.folder import RESERVED, Generation, Tree, checked, pool_path
from pkgdb.archive.listing import Distribution, Entry, PoolFile, entries
from pkgdb.models import StoredFile
from pkgdb.projector.pages import Package, pages_of, roots

__all__ = ["FrozenEdition"]

log = logging.getLogger("pkgdb.archive")


class FrozenEdition:
    """The state of a distribution as `<distribution>/simple` or `<distribution>/npm`.

    Names of packages and files that cannot be paths are left out, as the projector does.
    """

    valid_for: int | None = None

    def __init__(
        self, distribution: Distribution, found: Iterable[Entry], base_url: str | None
    ) -> None:
        """Refuses what cannot be served so: `ArchiveError`.

        Args:
            found: The highest version of a package first.
            base_url: Under which URL the folder is served; npm needs it.
        """
        self.link = checked("distribution", distribution.distribution)
        parts = self.link.split("/")
        if RESERVED & set(parts):
            raise ArchiveError(f"{self.link!r} has a part that archives use themselves")
        if distribution.ecosystem == "pypi":
            self._root = "/".join([".."] * (2 + len(parts)))
        elif base_url is None:
            raise ArchiveError("documents for npm name the URL of the folder: base_url is missing")
        else:
            self._root = "/".join(filter(None, [base_url.rstrip("/"), quote(distribution.prefix)]))
        self._pages: dict[str, bytes] = {}
        files: set[PoolFile] = set()
        names = []
        for package in _packages(distribution.ecosystem, entries(found)):
            if not package.paths:
                log.warning("%s %r cannot be a path", package.ecosystem, package.normalized_name)
            elif package.versions:
                names.append(package.normalized_name)
                files.update(_pooled(file) for one in package.versions for file in one.files)
                self._add(pages_of(package, self._url))
        if distribution.ecosystem == "pypi":
            self._add(roots(sorted(names)))
        self.files: Sequence[PoolFile] = sorted(files)
        self.digest = self._digest()

    def write(self, tree: Tree, kept: Iterable[Generation]) -> None:
        """Writes the pages. Each stands for itself, so that no reader misses older ones."""
        for path, page in self._pages.items():
            tree.put(path, page)

    def _add(self, pages: Mapping[str, str]) -> None:
        self._pages |= {path: page.encode() for path, page in pages.items()}

    def _url(self, file: StoredFile) -> str:
        return f"{self._root}/{quote(pool_path(_pooled(file)))}"

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path, page in sorted(self._pages.items()):
            digest.update(f"{path} {hashlib.sha256(page).hexdigest()}\n".encode())
        return digest.hexdigest()


def _packages(ecosystem: str, listed: Iterable[Entry]) -> Iterable[Package]:
    """The packages, each version once, whichever components have it."""
    packages: dict[str, dict[tuple[bytes, str], Entry]] = defaultdict(dict)
    for entry in listed:
        key = (entry.identity, entry.variant)
        packages[entry.normalized_name].setdefault(key, entry)
    for name, versions in sorted(packages.items()):
        best = [entry for entry in versions.values() if entry.listed]
        stable = [entry for entry in best if not entry.prerelease]
        shown = [
            replace(entry, files=files)
            for entry in versions.values()
            if (files := tuple(file for file in entry.files if _is_path(file)))
        ]
        yield Package(
            ecosystem,
            shown[0].name if shown else name,
            name,
            latest=best[0].version if best else None,
            latest_stable=stable[0].version if stable else None,
            versions=tuple(shown),
        )


def _pooled(file: StoredFile) -> PoolFile:
    return PoolFile(file.sha256, file.filename, file.size)


def _is_path(file: StoredFile) -> bool:
    if "/" not in file.filename:
        try:
            pool_path(_pooled(file))
        except ArchiveError:
            pass
        else:
            return True
    log.warning("file %r cannot be a path", file.filename)
    return False
