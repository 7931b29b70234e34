"""Archives of Debian packages as upstreams, in Debian's layout or flat.

What holds one together is its Release: that names all indexes with sizes and digests, and these
name all packages. So one signature is checked, and everything else by digest. An index is brought
whole, into a temporary file, before any of it is read, and then read a little at a time.
"""

from __future__ import annotations

import asyncio
import hashlib
import posixpath
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn

from debian.deb822 import Deb822

from pkgdb.indexes import Bad, Entry, Source, read
from pkgdb.mirrors.signatures import signed_text, verify
from pkgdb.mirrors.transport import Archive
from pkgdb.mirrors.upstream import (
    Absent,
    BadSignature,
    Changed,
    Expired,
    Got,
    Items,
    Limits,
    Settings,
    UpstreamError,
    Wrong,
    plain_path,
    text_of,
    texts_of,
)

__all__ = ["DebianArchive"]

_FORMS = (".xz", ".zst", ".gz", ".lz4", ".bz2", "")  # the first that is there
_LINE = re.compile(r"([0-9a-fA-F]{64})\s+([0-9]{1,18})\s+(\S+)")
_ITEMS, _CHARACTERS = 1000, 4 << 20  # that are given at once


@dataclass(frozen=True)
class _Index:
    """A file that the Release names."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class _Release:
    """What it says, as far as it concerns us."""

    digest: str
    fields: Mapping[str, str]
    indexes: Mapping[str, _Index]


class DebianArchive:
    """The components and architectures of one distribution, as the settings of a mirror say."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        limits: Limits | None = None,
        *,
        ignore_expiry: bool = False,
    ) -> None:
        """Reads nothing yet.

        Args:
            folder: For temporary files: the indexes, as they are compressed.
            ignore_expiry: Take a Release after its Valid-Until, as those of old releases are.

        Raises:
            UpstreamError: The settings are not those of an archive.
        """
        url, distribution = text_of(settings, "url"), text_of(settings, "distribution")
        if url is None or distribution is None:
            raise UpstreamError("the mirror's upstream needs a url and a distribution")
        self._archive = Archive.open(url)
        # "stable" is below dists; "stable/", "./" and "/" are folders of the archive itself.
        self._flat = distribution.endswith("/")
        folder_name = distribution.rstrip("/")
        if not self._flat:
            self._base = f"dists/{plain_path(distribution)}/"
        else:
            self._base = f"{plain_path(folder_name)}/" if folder_name not in ("", ".") else ""
        self._components = [plain_path(one) for one in texts_of(settings, "components")]
        self._architectures = texts_of(settings, "architectures")
        if self._flat and self._components:
            raise UpstreamError(f"{distribution} is flat: it has no components")
        keyring = text_of(settings, "keyring")
        self._keyring = Path(keyring) if keyring else None
        self._folder = folder
        self._limits = limits or Limits()
        self._ignore_expiry = ignore_expiry
        self._release: _Release | None = None

    # Its Release

    async def read_release(self) -> str:
        """Reads InRelease, or else Release and what signs it; see `Upstream`."""
        text = await self._signed()
        self._release = release = self._parsed(text)
        if not self._ignore_expiry:
            self._check_expiry(release.fields.get("Valid-Until"))
        return release.digest

    async def _signed(self) -> bytes:
        """The text of the Release; where there is a keyring, what is signed of it."""
        try:
            message = await self._read("InRelease")
        except Absent:
            return await self._signed_apart()
        if self._keyring is None:
            return _without_signature(message)
        try:
            return await signed_text(message, self._keyring)
        except BadSignature as error:
            raise BadSignature(f"{self._where('InRelease')}: {error}") from error

    async def _signed_apart(self) -> bytes:
        text = await self._read("Release")
        if self._keyring is None:
            return text
        try:
            signature = await self._read("Release.gpg")
            await verify(text, signature, self._keyring)
        except Absent as error:
            raise BadSignature(f"not signed: {error}") from error
        except BadSignature as error:
            if await self._read("Release") != text:
                raise Changed(f"{self._where('Release')} is being replaced") from error
            raise BadSignature(f"{self._where('Release')}: {error}") from error
        return text

    def _parsed(self, text: bytes) -> _Release:
        try:
            fields = Deb822(text.decode().splitlines())
        except (ValueError, EOFError) as error:
            raise UpstreamError(f"{self._where('Release')} is none: {error}") from error
        found = [_LINE.fullmatch(line.strip()) for line in fields.get("SHA256", "").splitlines()]
        indexes = {
            name.removeprefix("./"): _Index(name.removeprefix("./"), sha256.lower(), int(size))
            for sha256, size, name in (one.groups() for one in found if one)
        }
        if not indexes:
            raise UpstreamError(f"{self._where('Release')} names no files with their SHA256")
        return _Release(hashlib.sha256(text).hexdigest(), fields, indexes)

    def _check_expiry(self, until: str | None) -> None:
        if until is None:
            return
        try:
            end = parsedate_to_datetime(until)
        except (ValueError, OverflowError) as error:
            raise UpstreamError(f"{self._where('Release')}: Valid-Until: {error}") from error
        if (end if end.tzinfo else end.replace(tzinfo=UTC)) < datetime.now(UTC):
            raise Expired(f"{self._where('Release')} was valid until {until}")

    async def _read(self, name: str) -> bytes:
        return await self._archive.read(self._base + name, self._limits.release)

    def _where(self, name: str) -> str:
        return f"{self._archive.url}/{self._base}{name}"

    # Its indexes

    async def items(self, got: Callable[[int, int], object] | None = None) -> AsyncGenerator[Items]:
        """The packages of all indexes that the settings ask for; see `Upstream`."""
        assert self._release is not None
        wanted = self._wanted(self._release)
        total = sum(forms[0].size for forms in wanted)
        for forms in wanted:
            target = self._folder / "index"
            try:
                index = await self._bring(self._release, forms, target)
                if got is not None:
                    got(forms[0].size, total)
                chunks = self._chunks(index, target)
                while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                    yield chunk
            finally:
                target.unlink(missing_ok=True)

    def _wanted(self, release: _Release) -> list[list[_Index]]:
        """Each index that is wanted, in the forms that there are, the smallest first."""
        if self._flat:
            return [_forms(release, "Packages") or self._lacks("Packages")]
        components = self._components or release.fields.get("Components", "").split()
        listed = release.fields.get("Architectures", "").split()
        # What is for all architectures is in the indexes of each; or apart, then as one that is
        # listed, and not declared to be just a summary.
        nowhere_else = release.fields.get("No-Support-for-Architecture-all", "").split()
        apart = {"all"} if "all" in listed and "Packages" not in nowhere_else else set()
        architectures = self._architectures or [
            one for one in listed if one not in ("source", "all")
        ]
        architectures = [*dict.fromkeys([*architectures, *apart])]
        found = {
            (component, architecture): forms
            for component in components
            for architecture in architectures
            # Debian's security archive calls its components updates/main, not their folders.
            for folder in dict.fromkeys((component, component.removeprefix("updates/")))
            if (forms := _forms(release, f"{folder}/binary-{architecture}/Packages"))
        }
        for component in components:
            if not any(component == of for of, _ in found):
                self._lacks(f"component {component}")
        for architecture in self._architectures:
            if not any(architecture == of for _, of in found):
                self._lacks(f"architecture {architecture}")
        return list(found.values()) or self._lacks("Packages")

    def _lacks(self, what: str) -> NoReturn:
        raise UpstreamError(f"{self._where('Release')} names no index of {what!a}")

    async def _bring(self, release: _Release, forms: list[_Index], target: Path) -> _Index:
        """Writes an index into a file, in the first form that is there."""
        by_hash = release.fields.get("Acquire-By-Hash", "").lower() == "yes"
        absent: Absent | None = None
        for index in forms:
            if index.size > self._limits.index:
                raise UpstreamError(
                    f"{self._where(index.name)} has {index.size} bytes: more than"
                    f" {self._limits.index}"
                )
            plain = self._base + index.name
            # Under its digest it stays for a while when there is a newer one. Not every copy of an
            # archive has that.
            apart = posixpath.join(posixpath.dirname(plain), "by-hash/SHA256", index.sha256)
            for path in (apart, plain) if by_hash else (plain,):
                try:
                    await self._archive.fetch(path, target, index.sha256, index.size)
                    return index
                except Absent as error:
                    absent = error
                except Wrong as error:
                    if path == plain:
                        raise Changed(str(error)) from error
        raise Changed(str(absent)) from absent

    def _chunks(self, index: _Index, path: Path) -> Iterator[list[dict[str, Any]]]:
        chunk: list[dict[str, Any]] = []
        characters = 0
        with Source(path, self._limits.index) as source:
            for entry in read(source, "debian"):
                item = self._item(index, entry)
                # A flat archive has all its architectures in one index.
                if (
                    self._flat
                    and self._architectures
                    and (item["variant"] not in (*self._architectures, "all"))
                ):
                    continue
                chunk.append(item)
                characters += sum(len(value) for value in item["metadata"].values())
                if len(chunk) == _ITEMS or characters > _CHARACTERS:
                    yield chunk
                    chunk, characters = [], 0
        if chunk:
            yield chunk

    def _item(self, index: _Index, entry: Entry | Bad) -> dict[str, Any]:
        """A package with its file. A mirror that left out what it does not understand were none."""
        where = f"{self._where(index.name)}, line {entry.line}"
        if isinstance(entry, Bad):
            raise UpstreamError(f"{where}: {entry.reason}")
        if not entry.item.get("files"):
            raise UpstreamError(f"{where}: {entry.label} has no Filename, Size and SHA256")
        (file,) = entry.item["files"]
        try:
            path = plain_path(file["attributes"]["path"])
        except UpstreamError as error:
            raise UpstreamError(f"{where}: {entry.label}: Filename is {error}") from error
        if file["size"] > self._limits.file:
            raise UpstreamError(
                f"{where}: {entry.label} has {file['size']} bytes: more than {self._limits.file}"
            )
        file["attributes"]["path"] = path
        return entry.item

    # Its packages

    async def fetch(
        self, path: str, target: Path, sha256: str, size: int, got: Got | None = None
    ) -> None:
        """Writes a package into a new file; see `Upstream`."""
        await self._archive.fetch(path, target, sha256, size, got)


def _forms(release: _Release, name: str) -> list[_Index]:
    return [release.indexes[name + form] for form in _FORMS if name + form in release.indexes]


def _without_signature(message: bytes) -> bytes:
    try:
        _, payload, _ = Deb822.split_gpg_and_payload(iter(message.splitlines()))
    except EOFError:
        return b""
    return b"\n".join(payload) + b"\n"
